"""`promptopt label` in a terminal: one answer after the other, and the file that the labels go into."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from promptopt.cli import cli
from promptopt.errors import InputError, UsageError
from promptopt.labelling import LabelTable, ShownAnswer, answers_to_label
from promptopt.suites import load_suite
from promptopt.values import sha256_hex

SUITE = """
tests:
  - {description: one, vars: {text: "first <b>input</b>"}}
  - {description: two, vars: {text: "second\\ninput"}}
  - {description: three, vars: {text: "third\\x1b[31m"}}
"""


def line(prompt, case, text, repetition=0, model="m", **more):
    answer = {"text": text, "finish_reason": "stop"}
    head = {"v": 1, "prompt": prompt, "case": case, "repetition": repetition, **more, "request_sha256": "0" * 64}
    rest = {"model_requested": model, "model_returned": model, "params": {}, "response": answer}
    return json.dumps({**head, **rest, "usage": None, "latency_ms": None, "recorded_at": "2026-11-27T00:00:00Z"}) + "\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A suite with recorded answers of two versions of a prompt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.promptopt]\n")
    place = tmp_path / "suites" / "q" / "recordings" / "q"
    place.mkdir(parents=True)
    (tmp_path / "suites" / "q.yaml").write_text(SUITE)
    (place / "v1.jsonl").write_text(
        line("q@v1", "one", "A first answer") + line("q@v1", "three", "Red") + line("q@v1", "two", "Same ")
    )
    (place / "v2.jsonl").write_text(
        line("q@v2", "one", "Another answer") + line("q@v2", "two", "Same") + line("q@v2", "two", "Same", 1)
    )
    return tmp_path


def label(keys, *options):
    done = CliRunner().invoke(cli, ["label", "q", "--labeller", "ann", *options], input="".join(f"{k}\n" for k in keys))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def rows(path="suites/q/labels.csv"):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def said():
    return [row["label"] for row in rows()]


def test_each_text_is_shown_once_without_who_gave_it_and_each_answer_has_a_row(project):
    done = label(["p", "p", "f", "p"])
    assert "4 of 4 answers are labelled" in done.output
    for blind in ("v1", "v2", "q@"):
        assert blind not in done.output
    assert done.output.count("Same") == 1
    assert "third\\x1b[31m" in done.output
    found = rows()
    assert {(row["case"], row["repetition"], row["variant"]) for row in found} == {
        *(("one", "0", "q@v1"), ("one", "0", "q@v2"), ("three", "0", "q@v1")),
        *(("two", "0", "q@v1"), ("two", "0", "q@v2"), ("two", "1", "q@v2")),
    }
    assert all(row["labeller"] == "ann" and row["at"].endswith("Z") for row in found)
    assert sum(row["label"] == "fail" for row in found) in (1, 3)
    by_case = {row["case"]: row["answer_sha256"] for row in found}
    assert by_case["two"] == sha256_hex("Same")
    assert list(found[0]) == ["case", "repetition", "variant", "answer_sha256", "label", "labeller", "at", "note"]


def test_it_goes_on_where_it_was_left(project):
    first = label(["p", "q"])
    second = label(["p", "q"])
    assert "1 of 4" in first.output
    assert "2 of 4 answers are labelled" in second.output
    shown = [done.output.split("answer\n")[1].split("\n")[0] for done in (first, second)]
    assert shown[0] != shown[1]
    label(["p", "p"])
    assert "all 4 answers are labelled" in label([]).output


def test_the_seed_decides_the_order_and_a_later_answer_changes_nothing_of_it(project):
    suite = load_suite("q")
    orders = {seed: [each.key for each in answers_to_label(suite, seed=seed)] for seed in range(20)}
    assert len({tuple(order) for order in orders.values()}) > 5
    with (project / "suites" / "q" / "recordings" / "q" / "v1.jsonl").open("a") as file:
        file.write(line("q@v1", "one", "Later", 5))
    for seed, order in orders.items():
        later = [each.key for each in answers_to_label(suite, seed=seed)]
        assert [key for key in later if key in order] == order


def test_undo_takes_the_last_one_back_and_asks_it_again(project):
    done = label(["p", "u", "f", "s", "u", "p", "q"])
    assert "taken back" in done.output
    assert len({row["answer_sha256"] for row in rows()}) == 2
    assert "nothing to undo" in label(["u", "q"]).output


def test_what_is_skipped_comes_the_next_time(project):
    done = label(["s", "p", "p", "p"])
    assert "1 skipped; the same command shows them again" in done.output
    assert "3 of 4 answers" in done.output
    assert "4 of 4 answers" in label(["p"]).output


def test_a_note_is_kept(project):
    label(["n", 'Odd, "quoted"', "f", "q"])
    assert {row["note"] for row in rows()} == {'Odd, "quoted"'}


def test_a_score(project):
    label(["1", "3", "5", "2"], "--score")
    assert {float(each) for each in said()} == {0.0, 0.5, 1.0, 0.25}


def test_a_key_that_means_nothing_is_asked_again(project):
    done = label(["x", "", "pass", "q"])
    assert "'x' is not one of p, f, s, u, n, q" in done.output
    assert set(said()) == {"pass"}


def test_the_end_of_the_input_is_the_end(project):
    assert "0 of 4 answers are labelled" in label([]).output
    assert not (project / "suites" / "q" / "labels.csv").exists()


def test_two_people_label_apart_and_what_others_wrote_stays(project):
    path = project / "suites" / "q" / "labels.csv"
    digest = sha256_hex("Red")
    path.write_text(
        f"score,case,answer_sha256,label,labeller\n0.4,three,{digest},fail,bob\n0.9,gone,{'a' * 64},pass,ann\n"
    )
    label(["p"] * 4)
    found = rows()
    assert found[0] | {"score": "0.4", "label": "fail", "labeller": "bob"} == found[0]
    assert found[1]["case"] == "gone"
    assert sum(row["case"] == "three" for row in found) == 2


def test_two_sessions_at_once_lose_nothing(project):
    path = project / "labels.csv"
    ann, bob = LabelTable(path), LabelTable(path)
    first, second, *_ = answers_to_label(load_suite("q"))
    ann.add(first, "pass", "ann")
    bob.add(first, "fail", "bob")
    ann.add(second, "fail", "ann")
    bob.remove(first, "bob")
    bob.add(second, "pass", "bob")
    found = LabelTable(path)
    assert found.labelled_by("ann") == {first.key: "pass", second.key: "fail"}
    assert found.labelled_by("bob") == {second.key: "pass"}


def test_people_who_label_in_the_same_moment_lose_nothing(project):
    answers = answers_to_label(load_suite("q"))
    people = [f"p{number}" for number in range(6)]

    def work(name):
        for answer in answers:
            LabelTable(project / "labels.csv").add(answer, "pass", name)

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(work, people))
    found = LabelTable(project / "labels.csv")
    assert [len(found.labelled_by(name)) for name in people] == [len(answers)] * len(people)


def test_a_digest_that_is_written_with_its_first_digits_is_known(project):
    first, *_ = answers_to_label(load_suite("q"))
    text = f"case,answer_sha256,label,labeller\n{first.case},{first.answer_sha256[:12].upper()},pass,ann\n"
    (project / "labels.csv").write_text(text)
    assert LabelTable(project / "labels.csv").labelled_by("ann") == {first.key: "pass"}
    assert first.text not in label(["q"], "-o", "labels.csv").output
    LabelTable(project / "labels.csv").add(first, "fail", "ann")
    assert {row["label"] for row in rows("labels.csv")} == {"fail"}


def test_a_folder_that_takes_no_file_is_named(project):
    (project / "taken").write_text("a file")
    first, *_ = answers_to_label(load_suite("q"))
    with pytest.raises(InputError, match=r"taken.*(cannot be|is not)"):
        LabelTable(project / "taken" / "labels.csv").add(first, "pass", "ann")


def test_only_some_prompts_and_only_so_many(project):
    assert "2 of 3 answers" in label(["p", "p", "q"], "--prompt", "q@v1").output
    label(["p"] * 9, "--prompt", "q@v2", "--most", "1")
    assert len({(row["case"], row["answer_sha256"]) for row in rows()}) == 3


def test_nothing_recorded(project):
    with pytest.raises(UsageError, match="no answer of other to the suite q is recorded"):
        answers_to_label(load_suite("q"), prompts=["other"])


def test_several_models_are_several_variants(project):
    with (project / "suites" / "q" / "recordings" / "q" / "v1.jsonl").open("a") as file:
        file.write(line("q@v1", "one", "A first answer", model="other"))
    found = {each.text: each.places for each in answers_to_label(load_suite("q"))}
    assert found["A first answer"] == ((0, "q@v1 · m"), (0, "q@v1 · other"))


def test_of_a_conversation_the_last_answer_is_labelled(project):
    with (project / "suites" / "q" / "recordings" / "q" / "v1.jsonl").open("a") as file:
        file.write(line("q@v1", "one", "The last word", step=1))
    texts = {each.text for each in answers_to_label(load_suite("q"))}
    assert "The last word" in texts
    assert "A first answer" not in texts


@pytest.mark.parametrize(
    ("text", "message"),
    [("case,label\n", "has no column 'answer_sha256'"), ("case,case\n1,2\n", "case"), (b"\xff\xfe\x00", "labels.csv")],
)
def test_a_file_that_is_none_of_labels_is_left_alone(project, text, message):
    path = project / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        LabelTable(path)


answers = st.builds(
    lambda case, text, place: ShownAnswer(case, (), text, sha256_hex(text), (place,)),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
    st.text(max_size=20, alphabet="abc ,\"'\n"),
    st.tuples(st.integers(0, 9), st.sampled_from(["q@v1", 'q"@v2, x'])),
)


@given(st.lists(st.tuples(answers, st.sampled_from(["pass", "fail", "0.5"])), min_size=1, max_size=6))
def test_what_is_written_is_read_again(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    table = LabelTable(path)
    for answer, name in labels:
        table.add(answer, name, "ann", note=answer.text)
    wanted = {answer.key: name for answer, name in labels}
    assert table.labelled_by("ann") == LabelTable(path).labelled_by("ann") == wanted
    for answer, _ in labels:
        table.remove(answer, "ann")
    assert LabelTable(path).labelled_by("ann") == {}
