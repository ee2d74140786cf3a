"""Big runs: a comparison as files of a batch API, and its answers as recordings, with the real SDK and command."""

import json
import shutil
import threading
import tracemalloc
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptopt import Request, Response, compare
from promptopt.call_options import CallOptions
from promptopt.errors import InputError, ProviderError
from promptopt.experiment import batch_export
from promptopt.experiment.batch_export import Compared, Manifest, export_batch
from promptopt.experiment.batch_import import import_batch
from promptopt.providers import make_provider
from promptopt.providers.base import batch_request
from promptopt.providers.batch import MAX_REQUESTS
from promptopt.providers.long_recordings import LongRecordingFiles
from promptopt.providers.recordings import Recording, RecordingFile, RecordingFiles
from promptopt.tokens import encoding
from promptopt.values import Media, Message, Origin, Tool, ToolCall

FRONT = "---\nmodel: gpt-4o-mini\ntemperature: 0\nmax_output_tokens: 9\n---\n"
CASES = [{"description": name, "vars": {"x": name}, "assert": [{"type": "contains", "value": name}]} for name in "abcd"]
PROJECT = {
    "prompts/p/v1.j2": FRONT + "one {{ x }}",
    "prompts/p/v2.j2": FRONT + "two {{ x }}",
    "suites/p.yaml": json.dumps(CASES),
}
BOTH = ("p@v1", "p@v2")


class BatchServer:
    """The provider's side of files and batches; each line is answered as the same request would be, one at a time.

    ``reply`` gets a body and returns a text, or a status and an error.
    """

    def __init__(self):
        self.files, self.batches, self.bodies = {}, {}, []
        self.reply = lambda body: f"re {body['messages'][-1]['content']}"
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.path.startswith("/v1/files"):
                    kind = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
                    parts = message_from_bytes(kind + data).get_payload()
                    content = next(part.get_payload(decode=True) for part in parts if part.get_filename())
                    self.send(server.uploaded(content))
                elif self.path.startswith("/v1/batches"):
                    self.send(server.created(json.loads(data)))
                else:
                    server.bodies.append(json.loads(data))
                    self.send(server.completion(json.loads(data)))

            def do_GET(self):
                name = self.path.split("/")[3]
                if self.path.startswith("/v1/batches"):
                    self.send(server.batches[name])
                else:
                    self.send(server.files[name])

            def send(self, body):
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self.client = openai.OpenAI(base_url=self.url, api_key="k", max_retries=0)

    def uploaded(self, content):
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": 1,
            "filename": "f",
            "purpose": "batch",
        }

    def created(self, asked):
        rows = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert {row["url"] for row in rows} == {asked["endpoint"]}
        good, bad = [], []
        for row in reversed(rows):
            answer = self.reply(row["body"])
            if isinstance(answer, tuple):
                status, error = answer
                response = {"status_code": status, "request_id": "r", "body": {"error": error}}
                bad.append({"id": "b", "custom_id": row["custom_id"], "response": response, "error": None})
            else:
                response = {"status_code": 200, "request_id": "r", "body": self.completion(row["body"], answer)}
                good.append({"id": "b", "custom_id": row["custom_id"], "response": response, "error": None})
        name = f"batch-{len(self.batches)}"
        batch = {**asked, "id": name, "object": "batch", "created_at": 1, "status": "completed"}
        for kind, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[kind] = f"{kind}-{name}"
                self.files[batch[kind]] = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.batches[name] = batch
        return batch

    def completion(self, body, text=None):
        text = self.reply(body) if text is None else text
        message = text if isinstance(text, dict) else {"content": text}
        return {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        }

    def run(self, folder, *names):
        """What a user does: uploads each file, creates a batch of it, waits, and puts what comes beside the files."""
        for shard in Manifest.read(folder).shards:
            if names and shard.file not in names:
                continue
            file = self.client.files.create(file=(folder / shard.file), purpose="batch")
            batch = self.client.batches.create(input_file_id=file.id, endpoint=shard.endpoint, completion_window="24h")
            while batch.status != "completed":
                batch = self.client.batches.retrieve(batch.id)
            for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
                (folder / f"{batch.id}-{file_id}.jsonl").write_bytes(self.client.files.content(file_id).content)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    made = BatchServer()
    yield made
    made.close()


@pytest.fixture
def folder(project):
    project.write(PROJECT)
    return project.root / "run"


def requests_in(folder):
    """All lines of the request files."""
    return [json.loads(line) for path in sorted(folder.glob("requests-*")) for line in path.read_text().splitlines()]


def recorded(root, version="v1"):
    return [json.loads(line) for line in (root / f"suites/p/recordings/p/{version}.jsonl").read_text().splitlines()]


def test_a_run_is_exported_answered_imported_and_compared(project, folder, server) -> None:
    done = project.run("compare", *BOTH, "--export-batch", "run", "--shards", "3")
    assert done.returncode == 0, done.stderr
    assert "as a batch: 8 calls" in done.stderr
    assert "run: 8 requests; 0 of 8 calls are recorded" in done.stdout
    assert [shard.requests for shard in Manifest.read(folder).shards] == [3, 3, 2]
    server.run(folder)
    done = project.run("recordings", "import", "run")
    assert (done.returncode, done.stderr) == (0, "")
    # 10 tokens in and 2 out, at half of $0.15 and $0.60 a million.
    assert done.stdout.splitlines()[0] == "run: 8 answers recorded, cost $0.000011 at the batch price"
    assert [row["case"] for row in recorded(project.root)] == list("abcd")
    compared = project.run("compare", *BOTH, "--record", "none", "--json")
    report = json.loads(compared.stdout)
    assert [row["quality"] for row in report["variants"]] == [1.0, 1.0]
    assert [row["incurred_usd"] for row in report["variants"]] == [0.0, 0.0]
    usage = json.loads(project.run("usage", "--json").stdout)
    assert usage["total"]["calls"] == 8
    again = project.run("recordings", "import", "run")
    assert again.stdout == "run: 0 answers recorded; 8 were recorded before\n"
    nothing = project.run("compare", *BOTH, "--export-batch", "run")
    assert nothing.stdout == "run: 0 requests; 8 of 8 calls are recorded\n"
    assert not requests_in(folder)


def test_shards_come_in_any_order_and_parts_and_failures_are_exported_again(project, folder, server) -> None:
    server.reply = lambda body: (
        (429, {"code": "rate_limit_exceeded", "message": "slow"}) if "two b" in str(body) else "re a b c d"
    )
    exported = export_batch(Compared(BOTH), folder, 4)
    last = exported.manifest.shards[-1].file
    server.run(folder, last)
    first = import_batch(folder)
    assert (sum(first.answers.values()), first.missing.count) == (1 if first.failed.count else 2, 6)
    server.run(folder, *(shard.file for shard in exported.manifest.shards[:-1]))
    second = import_batch(folder)
    assert second.failed.first == ["p@v2 b (rate_limit_exceeded: slow)"]
    assert second.missing.count == 0
    server.reply = lambda body: "re b"
    third = export_batch(Compared(BOTH), folder)
    assert ([row["body"]["messages"][0]["content"] for row in requests_in(folder)], third.again) == (["two b"], 1)
    server.run(folder)
    fourth = import_batch(folder)
    assert (sum(fourth.answers.values()), fourth.failed.count, fourth.already) == (1, 0, 7)


def test_a_second_answer_that_says_something_else_is_named(project, folder, server) -> None:
    export_batch(Compared(("p@v1",)), folder)
    server.run(folder)
    (file,) = folder.glob("batch-*.jsonl")
    first, second, *rest = file.read_text().splitlines()
    file.write_text("\n".join([first, first, second, second.replace('"content": "', '"content": "not '), *rest]))
    done = project.run("recordings", "import", "run")
    assert done.stdout.startswith("run: 4 answers recorded")
    assert "; 1 were recorded before" in done.stdout
    said = "1 answer is not the one that is recorded of its call, which stays: p@v1 "
    assert done.stderr.startswith(said)
    assert done.stderr.endswith(f"(run/{file.name}:4)\n")


def test_what_is_recorded_is_not_written_again(project, folder, endpoint, monkeypatch) -> None:
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)
    compare("p@v1", record="missing")
    assert export_batch(Compared(BOTH), folder).manifest.recorded == 4
    assert {row["body"]["messages"][0]["content"][:3] for row in requests_in(folder)} == {"two"}


def test_a_prompt_that_was_edited_in_the_meantime_and_rows_of_others_are_named_and_not_used(project, folder, server):
    export_batch(Compared(("p@v1",)), folder)
    server.run(folder)
    project.write(
        {
            "prompts/p/v1.j2": FRONT + "one {{ x }}{% if x == 'b' %}!{% endif %}",
            "run/other.jsonl": json.dumps({"custom_id": "beef", "response": {"status_code": 200, "body": {}}})
            + "\n{cut",
        }
    )
    done = project.run("recordings", "import", "run")
    assert done.returncode == 0
    assert "run: 3 answers recorded" in done.stdout
    assert done.stderr.splitlines() == [
        "1 answer is not used, as its request would be sent otherwise now: p@v1 b",
        "1 answer is not used, as it belongs to no call of this export: beef (run/other.jsonl:1)",
        "1 line is no row of a batch: run/other.jsonl:2",
        "1 call has changed since the export, as by an edited prompt: run it again",
    ]
    assert [row["case"] for row in recorded(project.root)] == ["a", "c", "d"]


def test_answers_that_are_stale_are_asked_again_only_if_the_user_says_so(project, folder, server) -> None:
    export_batch(Compared(("p@v1",)), folder)
    server.run(folder)
    import_batch(folder)
    project.write({"prompts/p/v1.j2": FRONT + "uno {{ x }}"})
    refused = project.run("compare", "p@v1", "--export-batch", "second")
    assert refused.returncode == 2
    assert "stale answers to 4 cases (a, b, c, d)" in refused.stderr
    assert "--record stale" in refused.stderr
    assert not list((project.root / "second").glob("*"))
    second = project.root / "second"
    export_batch(Compared(("p@v1",), record="stale"), second)
    server.run(second)
    assert sum(import_batch(second).answers.values()) == 4
    assert recorded(project.root)[0]["response"]["text"] == "re uno a"


def test_a_run_that_asks_for_everything_takes_each_answer_once(project, folder, server) -> None:
    export_batch(Compared(("p@v1",)), folder)
    server.run(folder)
    import_batch(folder)
    rows = recorded(project.root)
    path = project.root / "suites/p/recordings/p/v1.jsonl"
    path.write_text("".join(json.dumps({**row, "recorded_at": "2026-01-01T00:00:00Z"}) + "\n" for row in rows))
    everything, second = Compared(("p@v1",), record="all"), project.root / "second"
    export_batch(everything, second, 2)
    server.reply = lambda body: "new"
    server.run(second, Manifest.read(second).shards[0].file)
    assert sum(import_batch(second).answers.values()) == 2
    assert sum(import_batch(second).answers.values()) == 0
    assert export_batch(everything, second).manifest.requests == 2
    server.run(second)
    import_batch(second)
    assert {row["response"]["text"] for row in recorded(project.root)} == {"new"}


def test_variants_and_repetitions_are_requests_of_their_own(project, folder, server) -> None:
    done = project.run(
        "compare", "p@v1", "--model", "gpt-4o-mini", "--model", "gpt-4o", "--set", "seed=1,2", "--trials", "2",
        "--export-batch", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len({row["custom_id"] for row in requests_in(folder)}) == 4 * 2 * 2 * 2
    assert [(shard.model, shard.requests) for shard in Manifest.read(folder).shards] == [
        ("gpt-4o", 16),
        ("gpt-4o-mini", 16),
    ]
    server.run(folder)
    assert sum(import_batch(folder).answers.values()) == 32
    files = sorted(path.name for path in (project.root / "suites/p/recordings/p").iterdir())
    assert files == ["v1+seed=1.jsonl", "v1+seed=2.jsonl"]


def test_one_request_answers_all_calls_that_send_it(project, folder, server) -> None:
    project.write({"prompts/p/v2.j2": FRONT + "{% if x == 'a' %}one{% else %}two{% endif %} {{ x }}"})
    manifest = export_batch(Compared(BOTH), folder).manifest
    assert (manifest.calls, manifest.requests) == (8, 7)
    server.run(folder)
    assert sum(import_batch(folder).answers.values()) == 8


def test_the_next_export_has_the_next_step_of_a_conversation(project, folder, server) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    case = {"description": "a", "vars": {"x": "a"}, "tool_results": {"look_up": "sent"}}
    project.write(
        {
            "prompts/p/v1.j2": FRONT.replace("---\n{", f"tools: [{json.dumps(tool)}]\n---\n{{", 1) + "one {{ x }}",
            "suites/p.yaml": json.dumps([case]),
        }
    )
    project.write({"prompts/p/v1.j2": f"---\nmodel: gpt-4o-mini\ntools: [{json.dumps(tool)}]\n---\none {{{{ x }}}}"})

    def reply(body):
        if body["messages"][-1]["role"] == "tool":
            return f"it is {body['messages'][-1]['content']}"
        return {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]}  # fmt: skip  # noqa: E501

    server.reply = reply
    export_batch(Compared(("p@v1",)), folder)
    server.run(folder)
    done = project.run("recordings", "import", "run")
    assert "1 of them goes on: run the same export again for its next step" in done.stdout
    assert export_batch(Compared(("p@v1",)), folder).manifest.requests == 1
    assert [message["role"] for message in requests_in(folder)[0]["body"]["messages"]] == ["user", "assistant", "tool"]
    server.run(folder)
    done = import_batch(folder)
    assert (sum(done.answers.values()), done.already, done.open) == (1, 1, 0)
    assert [row.get("step", 0) for row in recorded(project.root)] == [0, 1]
    assert compare("p@v1", record="none").runs[0].answered[0].response.text == "it is sent"


TOOL = Tool("look_up", "Finds an order.", {"type": "object", "properties": {"id": {"type": "integer"}}}, True)
SCHEMA = {"type": "object", "title": "T", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
BODIES = {
    "chat": ("", "gpt-4o-mini", {
        "temperature": 0.5, "seed": 3, "stop": ("x",), "logprobs": True, "top_logprobs": 2, "tool_choice": "look_up",
        "parallel_tool_calls": False, "service_tier": "flex", "extra_body": '{"min_p":0.1}', "max_output_tokens": 9,
    }),
    "a table": ('type = "openai"\nbase_url = "{url}"', "mine:org/m", {"top_p": 0.5, "extra_body": '{"a":{"b":1}}'}),
    "azure": ('type = "azure"\nbase_url = "{url}"\napi_key_env = "OPENAI_API_KEY"', "mine:d", {"temperature": 0}),
    "vllm": ('type = "vllm"\nbase_url = "{url}"', "mine:org/m", {"extra_body": '{"top_k":5}'}),
    "responses": ('type = "openai"\nbase_url = "{url}"\napi = "responses"', "mine:gpt-5.6-luna", {
        "reasoning_effort": "low", "verbosity": "low", "extra_body": '{"a":1}', "tool_choice": "required",
    }),
    "anthropic": ('type = "anthropic"\nbase_url = "{url}"\napi_key_env = "OPENAI_API_KEY"', "mine:claude-haiku-4-5", {
        "temperature": 0.5, "stop": ("x",), "extra_body": '{"a":1}', "tool_choice": "auto", "reasoning_effort": "low",
    }),
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_the_body_in_a_batch_is_the_body_that_a_live_call_sends(project, server, monkeypatch, kind) -> None:
    table, model, options = BODIES[kind]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    if table:
        project.write({"pyproject.toml": f"[tool.promptopt.providers.mine]\n{table.format(url=server.url)}\n"})
    picture = Media("image", "image/png", b"\x89PNG", name="a.png", detail="low" if kind != "anthropic" else "")
    messages = (
        Message("system", "Be kind."),
        Message("user", "look", parts=("look", picture)),
        Message("assistant", "", tool_calls=(ToolCall("c1", "look_up", '{"id": 7}'),)),
        Message("tool", "sent", tool_call_id="c1"),
        Message("user", "Grüße 🙂"),
    )
    request = Request(model, messages, CallOptions(**options), SCHEMA, tools=(TOOL,))
    _, body = batch_request(request)
    provider = make_provider(model, 5).without_retries()
    server.reply = lambda body: "ok"
    # The server answers each API as chat completions; here it matters what was sent.
    server.completion = lambda body: {"id": "x"}
    with pytest.raises(ProviderError, match="answer"):
        provider.complete(request)
    provider.close()
    assert server.bodies == [json.loads(json.dumps(body))]
    assert "extra_body" not in body


def test_anthropic_has_a_form_of_its_own(project, folder, monkeypatch) -> None:
    done = export_batch(Compared(("p@v1",), models=("anthropic:claude-haiku-4-5",)), folder)
    assert done.manifest.shards[0].endpoint == "/v1/messages"
    rows = requests_in(folder)
    assert {tuple(row) for row in rows} == {("custom_id", "params")}
    # The SDK's own types read what its API answers.
    usage = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 3}
    for row, kind in zip(rows, ("succeeded", "errored", "expired", "canceled"), strict=True):
        row["result"] = {"type": kind}
        if kind == "succeeded":
            row["result"]["message"] = anthropic.types.Message.model_validate({
                "id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001",
                "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": usage,
            }).model_dump(mode="json")  # fmt: skip
        if kind == "errored":
            row["result"]["error"] = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    imported = import_batch(folder)
    assert imported.failed.first == [
        "p@v1 b (overloaded_error: busy)",
        "p@v1 c (batch_expired: the batch did not get to it in time)",
        "p@v1 d (canceled: it has no answer)",
    ]
    (row,) = recorded(project.root)
    assert (row["response"]["text"], row["usage"]["input_tokens"], row["usage"]["cache_read_tokens"]) == ("a", 8, 3)


def test_the_responses_api_and_bare_completions_are_read(project, folder) -> None:
    luna = '[tool.promptopt.providers.luna]\ntype = "openai"\napi = "responses"\n'
    project.write({"pyproject.toml": luna})
    done = export_batch(Compared(("p@v1",), models=("luna:gpt-5.6-luna",)), folder)
    assert done.manifest.shards[0].endpoint == "/v1/responses"
    names = [row["custom_id"] for row in requests_in(folder)]
    text = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    usage = {"input_tokens": 5, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 7}}
    body = {"object": "response", "model": "gpt-5.6-luna", "output": [{"type": "reasoning"}, text], "usage": usage}
    bare = {"choices": [{"message": {"content": "b"}, "finish_reason": "length"}]}
    bare["usage"] = {"prompt_tokens": 1, "completion_tokens": 1}
    rows = [
        {"custom_id": names[0], "response": {"status_code": 200, "body": body}},
        {"custom_id": names[1], "response": bare},
        {"custom_id": names[2], "response": None, "error": "out of memory"},
        {"custom_id": names[3], "response": {"status_code": 200, "body": {"choices": []}}},
    ]
    (folder / "part-0.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    imported = import_batch(folder)
    assert [(row["response"]["text"], row["response"]["finish_reason"]) for row in recorded(project.root)] == [
        ("a", "stop"),
        ("b", "length"),
    ]
    assert recorded(project.root)[0]["usage"]["output_reasoning_tokens"] == 7
    # An answer without tokens has no cost; its model has a price.
    assert (imported.unpriced, imported.unmeasured) == (set(), 0)
    assert imported.failed.first[0] == "p@v1 c (error: out of memory)"
    assert imported.failed.first[1].startswith("p@v1 d (")
    again = {"custom_id": names[2], "response": bare | {"usage": None}}
    (folder / "part-1.json").write_text(json.dumps(again) + "\n")
    imported = import_batch(folder)
    assert (imported.unpriced, imported.unmeasured, imported.usd) == (set(), 1, 0)


def test_an_answer_with_a_secret_is_a_failed_call(project, folder, server) -> None:
    server.reply = lambda body: "sk-proj-" + "Ab1" * 16 if "a" in body["messages"][0]["content"] else "b c d"
    export_batch(Compared(("p@v1",)), folder)
    server.run(folder)
    imported = import_batch(folder)
    assert sum(imported.answers.values()) == 3
    assert "secret" in imported.failed.first[0] or "key" in imported.failed.first[0]


def test_limits_of_a_file_and_models_are_kept(project, folder, monkeypatch) -> None:
    monkeypatch.setattr(batch_export, "MAX_REQUESTS", 3)
    assert [shard.requests for shard in export_batch(Compared(BOTH), folder).manifest.shards] == [3, 3, 2]
    monkeypatch.setattr(batch_export, "MAX_REQUESTS", MAX_REQUESTS)
    monkeypatch.setattr(batch_export, "MAX_BYTES", 600)
    manifest = export_batch(Compared(BOTH), folder).manifest
    assert sum(shard.requests for shard in manifest.shards) == 8
    assert max(shard.bytes for shard in manifest.shards) <= 600
    assert sorted(path.name for path in folder.glob("requests-*")) == [shard.file for shard in manifest.shards]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "ollama:llama"], "ollama:llama: its provider has no batch API"),
        (["--model", "python:file://a.py:f"], "its provider has no batch API"),
        (["--batch"], "--export-batch asks nothing"),
        (["--record", "none"], "--export-batch asks nothing"),
        (["--model", "gpt-5.6-luna", "--set", "temperature=1"], None),
        (["--model", "gpt-5.6-luna", "--set", "temperature=0"], "gpt-5.6-luna takes no temperature"),
        (["--model", "anthropic:claude-haiku-4-5", "--set", "seed=3"], "takes no seed"),
        (["--max-cost", "0"], "may cost more than --max-cost"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_left(project, folder, arguments, said) -> None:
    done = project.run("compare", *BOTH, "--export-batch", "run", *arguments)
    if said is None:
        assert done.returncode == 0
        return
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr
    assert not list(folder.glob("*"))


def test_folders_that_are_something_else(project, folder) -> None:
    project.write({"notes/a.txt": "x", "broken/manifest.json": "{}", "broken/calls.jsonl": ""})
    assert "neither an empty folder nor" in project.run("compare", "p@v1", "--export-batch", "notes").stderr
    assert "broken/manifest.json: is not the manifest" in project.run("recordings", "import", "broken").stderr
    assert "notes: has no manifest.json" in project.run("recordings", "import", "notes").stderr
    with_options = project.run("recordings", "import", "notes", "--prompt", "p")
    assert "notes is a folder" in with_options.stderr
    assert "need --prompt" in project.run("recordings", "import", "answers.jsonl").stderr
    export_batch(Compared(("p@v1",)), folder)
    other = project.run("compare", "p@v2", "--export-batch", "run")
    assert "run has the export of another comparison, of p@v1" in other.stderr
    (folder / "calls.jsonl").write_text('{"custom_id": 1}\n')
    assert "run/calls.jsonl:1: is not a call" in project.run("recordings", "import", "run").stderr


def test_a_disk_that_is_full_leaves_the_files_of_before(project, folder, small_disk) -> None:
    project.write({"suites/p.yaml": json.dumps(CASES[:1])})
    before = export_batch(Compared(BOTH), folder).manifest
    project.write({"prompts/p/v1.j2": FRONT + "{% for n in range(2000) %}long {% endfor %}"})
    with pytest.raises(InputError, match="run: cannot be written"):
        export_batch(Compared(BOTH), folder)
    assert Manifest.read(folder) == before
    assert len(requests_in(folder)) == 2


def request_of(case: str, sample: int, step: int, text: str) -> Request:
    return Request("m", (Message("user", text),), sample=sample, origin=Origin("p", "v1", case, step))


NAMES = st.text(st.characters(codec="utf-8"), max_size=3) | st.just("\ud800")
KEYS = st.tuples(NAMES, st.integers(0, 3), st.integers(0, 2), st.sampled_from("xy"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(KEYS, max_size=12), st.integers(0, 12), st.booleans())
def test_recordings_on_disk_are_those_in_memory(tmp_path, keys, split, reopened) -> None:
    paths = [tmp_path / "long.jsonl", tmp_path / "short.jsonl"]
    for path in paths:
        path.unlink(missing_ok=True)
    made = [Recording.of(request_of(*key), Response("m", str(n)), "2026-01-01T00:00:00Z") for n, key in enumerate(keys)]
    for path, kind in zip(paths, (LongRecordingFiles, RecordingFiles), strict=True):
        files = kind()
        file = files.read(path)
        for recording in made[:split]:
            file.append(recording)
        if reopened and kind is LongRecordingFiles:
            files.close()
            files = kind()
            file = files.read(path)
        if made[split:]:
            file.append(*made[split:])
        for case, sample, step, _ in keys:
            for text in "xyz":
                asked = request_of(case, sample, step, text)
                assert file.status(asked) == RecordingFile.read(path).status(asked)
        file.tidy()
        file.tidy()
        if kind is LongRecordingFiles:
            files.close()
    if keys:
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_memory_of_an_export_and_its_import_does_not_grow_with_the_cases(project, folder, server) -> None:
    peaks = {"export": [], "import": []}
    # Which round would load it depends on what was counted before in this process.
    encoding()
    server.reply = lambda body: body["messages"][0]["content"][:9]
    for loaded, count in ((False, 2), (True, 2), (True, 20)):
        tests = [{"description": f"{n}", "vars": {"x": f"{n} {WORDS}"}} for n in range(count)]
        shutil.rmtree(project.root / "suites/p", ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        project.write({"suites/p.yaml": "\n".join(f"- {json.dumps(test)}" for test in tests)})
        with measured(peaks["export"], traced=loaded):
            assert export_batch(Compared(("p@v1",)), folder, 2).manifest.requests == count
        server.run(folder)
        server.batches.clear()
        server.files.clear()
        with measured(peaks["import"], traced=loaded):
            assert sum(import_batch(folder).answers.values()) == count
    # The first round loads what is kept. In memory, 18 more cases take 18 times 10 kB at least.
    for few, many in peaks.values():
        assert many - few < 80_000, peaks


WORDS = "".join(f"the parcel {n} is late; " for n in range(450))


@contextmanager
def measured(peaks, traced):
    """Adds the most memory that was in use at a time."""
    if not traced:
        yield
        return
    tracemalloc.start()
    yield
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
