"""Recorded answers: every line kept, none invented, none secret."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.call_options import CallOptions
from promptopt.errors import RecordingError
from promptopt.providers.recordings import Recording, RecordingFile, RecordingFiles, what_changed
from promptopt.secrets import find_secret
from promptopt.values import Message, Origin, Request, Response, Usage

AT = "2026-11-21T10:00:00Z"
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def request(case: str = "a", *, text: str = "hi", model: str = "m", schema: Any = None, sample: int = 0, **options):
    origin = Origin("greet", "v1", case)
    return Request(model, (Message("user", text),), CallOptions(**options), schema, sample, origin)


def recording(case: str = "a", answer: str = "ok", **options: object) -> Recording:
    return Recording.of(request(case, **options), Response("m-1", answer, usage=Usage(3, 1, 0, 2, 1)), AT)  # type: ignore[arg-type]


def file_of(path: Path, *recordings: Recording) -> RecordingFile:
    file = RecordingFile.read(path)
    for item in recordings:
        file.append(item)
    file.tidy()
    return file


usages = st.none() | st.tuples(*[st.integers(0, 999)] * 5).map(
    lambda n: Usage(n[0] + n[1] + n[2], n[1], n[2], n[3] + n[4], n[4])
)
responses = st.builds(
    Response,
    model=st.text(),
    text=st.text(st.characters()),
    finish_reason=st.sampled_from(["stop", "length"]),
    usage=usages,
)
recordings = st.builds(
    lambda case, sample, response, schema: Recording.of(
        request(case, sample=sample, temperature=0.5, stop=("x",), schema=schema), response, AT
    ),
    case=st.text(),
    sample=st.integers(0, 3),
    response=responses,
    schema=st.none() | st.just(SCHEMA),
)


@settings(max_examples=50)
@given(st.lists(recordings, max_size=6))
def test_what_is_recorded_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, items: list[Recording]) -> None:
    path = tmp_path_factory.mktemp("r") / "v1.jsonl"
    written = file_of(path, *items)
    read = RecordingFile.read(path)
    assert read.lines == written.lines == {item.key: item for item in items}
    before = path.read_bytes() if path.exists() else b""
    read.tidy()
    assert (path.read_bytes() if path.exists() else b"") == before


@settings(max_examples=50)
@given(st.lists(recordings, max_size=5, unique_by=lambda item: item.key), st.data())
def test_wherever_a_crash_cuts_the_file_all_whole_lines_are_kept(
    tmp_path_factory: pytest.TempPathFactory, items: list[Recording], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("r") / "v1.jsonl"
    whole = b"".join(item.to_json().encode() + b"\n" for item in items)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    file = RecordingFile.read(path)
    kept = whole[:cut].count(b"\n")
    assert list(file.lines.values()) == items[:kept]
    assert file.cut_off == (None if whole[:cut].endswith(b"\n") or not cut else kept + 1)
    for item in items[kept:]:
        file.append(item)
    # Another crash, before the file was tidied: nothing is glued to the cut-off line.
    assert RecordingFile.read(path).lines == {item.key: item for item in items}
    file.tidy()
    assert RecordingFile.read(path).lines == {item.key: item for item in items}


def test_a_line_is_self_contained_and_holds_no_prompt(tmp_path: Path) -> None:
    file_of(tmp_path / "v1.jsonl", recording(text="the whole prompt", temperature=0.0, schema=SCHEMA))
    (line,) = (tmp_path / "v1.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert list(row) == [
        *("v", "prompt", "case", "repetition", "request_sha256", "model_requested", "model_returned", "params"),
        *("response", "usage", "latency_ms", "recorded_at"),
    ]
    assert (row["prompt"], row["case"], row["recorded_at"]) == ("greet@v1", "a", AT)
    assert row["response"] == {"text": "ok", "finish_reason": "stop"}
    assert list(row["params"]) == ["temperature", "output_schema_sha256"]
    assert "the whole prompt" not in line


def test_lines_are_sorted_by_case_and_repetition(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    file_of(path, recording("b"), recording("a", sample=1), recording("c"), recording("a"), recording("b", "newer"))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["case"], row["repetition"]) for row in rows] == [("a", 0), ("a", 1), ("b", 0), ("c", 0)]
    assert rows[2]["response"]["text"] == "newer"


def test_an_answer_is_on_disk_before_anything_else_happens(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "v1.jsonl"
    file = RecordingFile.read(path)
    file.append(recording("b"))
    assert list(RecordingFile.read(path).lines) == [("b", 0, "m")]
    file.append(recording("a"))
    assert len(RecordingFile.read(path).lines) == 2
    file.tidy()


def test_reading_alone_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    RecordingFile.read(path).tidy()
    assert list(tmp_path.iterdir()) == []
    path.write_text(f"{recording('a').to_json()}\n")
    before = path.stat()
    RecordingFile.read(path).tidy()
    after = path.stat()  # all but the time of access, which reading moves
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_an_answer_is_fresh_stale_or_missing(tmp_path: Path) -> None:
    file = file_of(tmp_path / "v1.jsonl", recording("a"))
    assert file.status(request("a"))[0] == "fresh"
    assert file.status(request("a", text="hello"))[0] == "stale"
    for other in (request("b"), request("a", sample=1), request("a", model="n")):
        assert file.status(other) == ("missing", None)
    assert file.status(Request("m", (Message("user", "hi"),)))[0] == "missing"
    assert file.models() == ["m"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"text": "other"}, "its messages (the prompt or the case's variables)"),
        ({"temperature": 0.5}, "temperature (unset to 0.5)"),
        ({"max_output_tokens": 5, "seed": 1}, "max_output_tokens (unset to 5); seed (unset to 1)"),
        ({"schema": SCHEMA}, "the output schema"),
    ],
)
def test_a_stale_answer_says_what_changed(options: dict[str, object], text: str) -> None:
    assert what_changed(recording("a"), request("a", **options)) == text


SECRETS = [
    "sk-proj-abcdefghijklmnopqrstuvwx",
    "sk-ant-api03-abcdefghijklmnopqrst",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijklmnopqrstuv",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "xoxb-123456789012-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
    "-----BEGIN RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_on_write_and_on_read(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "v1.jsonl"
    file = file_of(path, recording("a"))
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=r"(?s)the answer to case 'b' holds what looks like .*keep secrets out"):
        file.append(recording("b", f"use {secret} please"))
    file.tidy()
    assert path.read_bytes() == before
    with path.open("a") as out:
        out.write(recording("b", f"use {secret} please").to_json() + "\n")
    with pytest.raises(
        RecordingError, match=r"v1\.jsonl:2: the line holds what looks like .*\n  delete the line, and rev"
    ):
        RecordingFile.read(path)


@pytest.mark.parametrize("text", ["sk-learn", "risk-" + "a" * 30, "AKIA", "eyJ", "a task-force of 20", "BEGIN PRIVATE"])
def test_ordinary_text_is_not_a_secret(text: str) -> None:
    assert find_secret(text) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not a recording: Expecting property name"),
        ("[1]", "not a recording: "),
        ("{}", "not a recording: has no 'v'"),
        ('{"v": 2}', "its format version is 2, this promptopt reads 1"),
        ("<<<<<<< HEAD", "not a recording: Expecting value"),
    ],
)
def test_a_broken_line_is_refused_with_its_number_and_what_to_do(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "v1.jsonl"
    path.write_text(f"{recording('a').to_json()}\n\n{line}\n{recording('b').to_json()}\n")
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=rf"v1\.jsonl:3: .*{message}(?s:.*)restore the file from git"):
        RecordingFile.read(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("field", ["request_sha256", "response", "usage", "repetition", "params", "recorded_at"])
@pytest.mark.parametrize("wrong", ["missing", "wrong"])
def test_a_field_that_is_missing_or_wrong_is_refused(tmp_path: Path, field: str, wrong: str) -> None:
    row = json.loads(recording("a").to_json())
    if wrong == "missing":
        del row[field]
    elif field in ("request_sha256", "recorded_at"):
        return
    else:
        row[field] = "x"
    (tmp_path / "v1.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(RecordingError, match=r"v1\.jsonl:1: not a recording"):
        RecordingFile.read(tmp_path / "v1.jsonl")


@pytest.mark.parametrize("counts", [{"input_tokens": -1}, {"input_tokens": 1, "cache_read_tokens": 2}, {"tokens": 1}])
def test_impossible_usage_is_refused(tmp_path: Path, counts: dict[str, int]) -> None:
    row = {**json.loads(recording("a").to_json()), "usage": counts}
    (tmp_path / "v1.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(RecordingError, match=r"v1\.jsonl:1: not a recording"):
        RecordingFile.read(tmp_path / "v1.jsonl")


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v1.jsonl").mkdir()
    with pytest.raises(RecordingError, match=r"v1\.jsonl: cannot be read: Is a directory"):
        RecordingFile.read(tmp_path / "v1.jsonl")


@pytest.mark.usefixtures("small_disk")
def test_on_a_full_disk_what_was_recorded_is_kept_and_no_half_line_is_left(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    file = RecordingFile.read(path)
    file.append(recording("b", "x" * 3000))
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=r"cannot be written: File too large\n  what was answered before is kept"):
        file.append(recording("a", "y" * 3000))
    assert path.read_bytes() == before
    assert list(file.lines) == [("b", 0, "m")]
    file.append(recording("a", "short"))
    file.tidy()
    assert list(RecordingFile.read(path).lines) == [("a", 0, "m"), ("b", 0, "m")]


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file")
    file = RecordingFile.read(tmp_path / "recordings" / "v1.jsonl")
    with pytest.raises(RecordingError, match=r"cannot be written: .*\n  what was answered before is kept"):
        file.append(recording("a"))


def test_removed_lines_are_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    file = file_of(path, recording("a"), recording("b"))
    file.remove({("a", 0, "m")})
    assert list(RecordingFile.read(path).lines) == [("b", 0, "m")]


def test_only_the_request_of_a_case_can_be_recorded() -> None:
    with pytest.raises(ValueError, match="only the request of a case can be recorded"):
        Recording.of(Request("m", (Message("user", "x"),)), Response("m", "x"))


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names, no paths
    for number in range(5):
        file_of(tmp_path / f"v{number}.jsonl", recording("a"))
    assert len(set(os.listdir("/proc/self/fd"))) <= len(before)  # noqa: PTH208 - names, no paths


def test_two_objects_of_one_file_keep_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    first, second = RecordingFile.read(path), RecordingFile.read(path)
    first.append(recording("b"))
    second.append(recording("a"))
    first.tidy()
    second.tidy()
    assert list(RecordingFile.read(path).lines) == [("a", 0, "m"), ("b", 0, "m")]


def test_the_files_of_a_run_are_one_object_for_each_path(tmp_path: Path) -> None:
    files = RecordingFiles()
    path = tmp_path / "v1.jsonl"
    assert files.read(path) is files.read(tmp_path / "x" / ".." / "v1.jsonl")
    assert files.read(path) is not files.read(tmp_path / "v2.jsonl")


WRITER = """
import sys
from pathlib import Path
from promptopt.providers.recordings import Recording, RecordingFile
from promptopt.values import Message, Origin, Request, Response, Usage

who, path = sys.argv[1], Path(sys.argv[2])
file = RecordingFile.read(path)
print("ready", flush=True)
sys.stdin.readline()
for number in range(150):
    asked = Request("m", (Message("user", "hi"),), origin=Origin("greet", "v1", f"{who}{number:03}"))
    file.append(Recording.of(asked, Response("m", "x" * 300, usage=Usage(1))))
    if number % 5 == 4:
        file.tidy()
file.tidy()
"""


def test_processes_that_record_into_one_file_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "v1.jsonl"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, who, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for who in "abc"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert list(RecordingFile.read(path).lines) == [(f"{who}{n:03}", 0, "m") for who in "abc" for n in range(150)]
    assert path.read_text().count("\n") == 450
    assert [file.name for file in path.parent.iterdir()] == ["v1.jsonl"]


def test_a_line_that_another_process_left_cut_off_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    file = file_of(path, recording("a"))
    with path.open("a") as other:
        other.write(recording("b").to_json()[:40])
    file.append(recording("c"))
    assert sorted(case for case, _, _ in RecordingFile.read(path).lines) == ["a", "c"]
