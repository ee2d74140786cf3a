import asyncio
import json

import openai
import pytest
from click.testing import CliRunner
from upstream import Reply, chat

import promptopt
from promptopt.call_options import CallOptions
from promptopt.cli import cli
from promptopt.errors import CostLimitError, ProviderError, UsageError
from promptopt.values import Message, Request


class BatchApi:
    """The provider's side of files and batches."""

    def __init__(self, server):
        self.files, self.batches = {}, {}
        self.looks = 1
        self.expire_after = None
        self.refuse = None
        self.fail_on = None
        server.on = self.on

    def on(self, path, body):
        if self.fail_on and self.fail_on in path:
            self.fail_on = None
            return Reply(status=400, body={"error": {"message": "down", "code": "down"}})
        if path == "/v1/files":
            number = f"file-{len(self.files)}"
            lines = [line for line in body.split(b"\n") if line.startswith(b"{")]
            self.files[number] = [json.loads(line) for line in lines]
            return Reply(body={"id": number, "object": "file", "bytes": 1, "created_at": 1, "filename": "f",
                               "purpose": "batch", "status": "processed"})  # fmt: skip
        if path == "/v1/batches":
            number = f"batch-{len(self.batches)}"
            self.batches[number] = {
                "id": number, "object": "batch", "completion_window": "24h", "created_at": 1, "endpoint": "e",
                "input_file_id": body["input_file_id"], "status": "in_progress", "metadata": body["metadata"],
                "looks": 0,
            }  # fmt: skip
            return Reply(body=self.batches[number])
        if path.startswith("GET /v1/batches?"):
            return Reply(body={"object": "list", "data": list(self.batches.values()), "has_more": False})
        if path.startswith("GET /v1/batches/"):
            return Reply(body=self.look(self.batches[path.rpartition("/")[2]]))
        if path.startswith("GET /v1/files/"):
            return Reply(body=self.output(path.split("/")[3]))
        raise AssertionError(path)

    def look(self, batch):
        batch["looks"] += 1
        if self.refuse:
            return {**batch, "status": "failed", "errors": {"object": "list", "data": [{"message": self.refuse}]}}
        if batch["looks"] > self.looks:
            number = batch["input_file_id"]
            if self.expire_after is not None and batch["id"] == "batch-0":
                batch |= {"status": "expired", "output_file_id": f"out-{number}", "error_file_id": f"err-{number}"}
            else:
                batch |= {"status": "completed", "output_file_id": f"out-{number}"}
        return batch

    def output(self, name):
        kind, _, number = name.partition("-")
        rows = self.files[number]
        first = number == "file-0" and self.expire_after is not None
        done = rows[: self.expire_after] if first else rows
        if kind == "err":
            gone = [
                {"custom_id": row["custom_id"], "error": {"code": "batch_expired", "message": "too late"}}
                for row in rows[self.expire_after :]
            ]
            return "\n".join(map(json.dumps, gone)).encode()
        lines = []
        for row in reversed(done):
            text = row["body"]["messages"][-1]["content"]
            if text == "bad":
                reply = {"status_code": 400, "body": {"error": {"code": "invalid", "message": "bad one"}}}
            else:
                reply = {"status_code": 200, "body": chat(row["body"], f"re: {text}")}
            lines.append(json.dumps({"custom_id": row["custom_id"], "response": reply, "error": None}))
        return "\n".join(lines).encode()


@pytest.fixture
def api(upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    return BatchApi(upstream)


def requests(*texts, model="gpt-4o-mini"):
    return [Request(model, (Message("user", text),), CallOptions(temperature=0, max_output_tokens=9)) for text in texts]


def texts(answers):
    return [answer.response.text if answer.response else answer.error for answer in answers]


def test_merged_by_id_at_the_batch_price(api, folder):
    seen = []
    answers = promptopt.batch(requests("a", "bad", "c"), poll_s=0.01, progress=lambda *n: seen.append(n))
    assert texts(answers) == ["re: a", "invalid: bad one", "re: c"]
    assert float(answers[0].cost.total_usd) == pytest.approx((10 * 0.15e-6 + 2 * 0.6e-6) / 2)
    assert answers[1].cost is None
    assert seen[-1][1] == 3
    assert not list((folder / ".promptopt" / "batches").iterdir())
    result = CliRunner().invoke(cli, ["usage", "--json"])
    assert json.loads(result.output)["total"]["calls"] == 3


def test_async_and_several_models(api):
    wanted = [*requests("a"), *requests("b", model="gpt-4o"), *requests("c")]
    answers = asyncio.run(promptopt.abatch(wanted, poll_s=0.01))
    assert texts(answers) == ["re: a", "re: b", "re: c"]
    assert [[row["body"]["model"] for row in rows] for rows in api.files.values()] == [
        ["gpt-4o-mini"] * 2,
        ["gpt-4o"],
    ]


def test_what_expired_is_sent_again(api):
    api.expire_after = 1
    assert texts(promptopt.batch(requests("a", "b", "c"), poll_s=0.01)) == ["re: a", "re: b", "re: c"]
    assert [len(rows) for rows in api.files.values()] == [3, 2]


def test_resume_after_the_wait_was_broken_off(api):
    api.looks = 10**9
    with pytest.raises(ProviderError, match="so does the same call"):
        promptopt.batch(requests("a"), poll_s=0.01, timeout_s=0.05)
    api.looks = 0
    assert texts(promptopt.batch(requests("a"), poll_s=0.01)) == ["re: a"]
    assert len(api.batches) == 1


@pytest.mark.parametrize("where", ["/files", "/batches"])
def test_resume_after_a_failed_step(api, where):
    api.fail_on = f"/v1{where}"
    with pytest.raises(ProviderError, match="goes on from here"):
        promptopt.batch(requests("a"), poll_s=0.01)
    assert texts(promptopt.batch(requests("a"), poll_s=0.01)) == ["re: a"]
    assert (len(api.files), len(api.batches)) == (1, 1)


def test_a_crash_between_submission_and_note_submits_once(api, folder):
    api.looks = 10**9
    with pytest.raises(ProviderError):
        promptopt.batch(requests("a"), poll_s=0.01, timeout_s=0.02)
    (state,) = (folder / ".promptopt" / "batches").iterdir()
    noted = json.loads(state.read_text())
    noted["batches"][0]["batch_id"] = None
    state.write_text(json.dumps(noted))
    api.looks = 0
    assert texts(promptopt.batch(requests("a"), poll_s=0.01)) == ["re: a"]
    assert len(api.batches) == 1


def test_a_refused_batch(api):
    api.refuse = "the file is not what it should be"
    with pytest.raises(ProviderError, match="refused: the file is not what"):
        promptopt.batch(requests("a"), poll_s=0.01)


def test_bad_input(api, folder, monkeypatch):
    with pytest.raises(UsageError, match="at least one"):
        promptopt.batch([])
    with pytest.raises(UsageError, match="answers here"):
        promptopt.batch(requests("a", model="local:smollm2"))
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ProviderError, match="no endpoint for a batch"):
        promptopt.batch(requests("a"))
    assert openai.__version__


def test_compare_in_a_batch(api, folder):
    (folder / "prompts" / "p").mkdir(parents=True)
    for name in ("v1", "v2"):
        front = "---\nmodel: gpt-4o-mini\ntemperature: 0\nmax_output_tokens: 9\n---\n"
        (folder / "prompts" / "p" / f"{name}.j2").write_text(f"{front}{name} {{{{ x }}}}")
    (folder / "suites").mkdir()
    cases = "\n".join(f"  - vars: {{x: q{n}}}\n    assert: [{{type: contains, value: q{n}}}]" for n in range(3))
    (folder / "suites" / "p.yaml").write_text(f"tests:\n{cases}\n")
    result = CliRunner().invoke(cli, ["compare", "p@v1", "p@v2", "--batch", "--json", "--record", "all"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output[result.output.index("{") :])
    assert [variant["quality"] for variant in report["variants"]] == [1.0, 1.0]
    assert [variant["latency_ms"] for variant in report["variants"]] == [None, None]
    incurred = report["variants"][0]["incurred_usd"]
    assert incurred == pytest.approx(3 * (10 * 0.15e-6 + 2 * 0.6e-6) / 2)
    assert len(api.batches) == 1
    with pytest.raises(CostLimitError):
        promptopt.compare("p@v1", "p@v2", batch=True, record="all", max_cost=0)
