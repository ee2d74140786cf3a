"""Each format with rows as its own documentation has them: cached tokens are counted once, wherever they are."""

import gzip
import json
import sqlite3
from contextlib import closing

import pytest

from promptopt.auditing.accounting import settle
from promptopt.auditing.audit import AuditInput, audit
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.readers.files import formats, read_log
from promptopt.auditing.readers.records import LONGEST_LINE
from promptopt.auditing.report import facts, report_data
from promptopt.auditing.strategy_settings import AuditSettings
from promptopt.config import Config
from promptopt.errors import InputError, UsageError


@pytest.fixture
def config(tmp_path):
    return Config(tmp_path, tmp_path, tmp_path)


@pytest.fixture
def read(tmp_path, config):
    """The settled log of some records, written as JSON lines."""

    def reading(*records, **options):
        path = tmp_path / "log.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        found = read_log([path], **options)
        assert not found.rejected, found.samples
        return found, settle(found.log, config)[0]

    return reading


LITELLM = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "spend": 0.000292,
    "total_tokens": 2482,
    "prompt_tokens": 2459,
    "completion_tokens": 23,
    "startTime": "2026-09-20T10:00:00Z",
    "endTime": "2026-09-20T10:00:02.1Z",
    "model": "claude-sonnet-4-5",
    "custom_llm_provider": "anthropic",
    "end_user": "c9",
    "metadata": {"usage_object": {"cache_read_input_tokens": 2000, "prompt_tokens_details": {"cached_tokens": 2000}}},
    "cache_hit": "False",
    "request_tags": ["search"],
    "status": "success",
}
OPENAI = {
    "request": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 60},
    "response": {
        "id": "chatcmpl-2",
        "model": "gpt-4o-mini-2024-07-18",
        "created": 1_790_000_000,
        "choices": [{"finish_reason": "length", "message": {"role": "assistant", "content": "x"}}],
        "usage": {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920},
            "completion_tokens_details": {"reasoning_tokens": 128},
        },
    },
}
BATCH = {
    "id": "batch_req_1",
    "custom_id": "c1",
    "response": {"status_code": 200, "body": OPENAI["response"]},
    "error": None,
}
RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5-mini",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [],
    "usage": {
        "input_tokens": 500,
        "input_tokens_details": {"cached_tokens": 128},
        "output_tokens": 90,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 590,
    },
}
ANTHROPIC = {
    "type": "message",
    "id": "msg_1",
    "model": "claude-sonnet-4-5",
    "stop_reason": "max_tokens",
    "content": [],
    "usage": {
        "input_tokens": 50,
        "cache_read_input_tokens": 1900,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 40,
    },
}
CLAUDE_CODE = {
    "type": "assistant",
    "uuid": "u1",
    "sessionId": "s1",
    "timestamp": "2026-10-01T12:00:00.000Z",
    "message": ANTHROPIC,
}
PORTKEY = {
    "id": "p1",
    "model": "claude-sonnet-4-5",
    "choices": [{"finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 60,
        "completion_tokens": 40,
        "total_tokens": 2100,
        "cache_read_input_tokens": 1900,
        "cache_creation_input_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 1900},
    },
}
HELICONE = {
    "request_id": "r1",
    "request_created_at": "2026-09-01T08:00:00Z",
    "delay_ms": 812,
    "request_model": "gpt-4o-mini",
    "provider": "OPENAI",
    "prompt_tokens": 86,
    "prompt_cache_read_tokens": 17817,
    "prompt_cache_write_tokens": 0,
    "completion_tokens": 40,
    "total_tokens": 17943,
    "costUSD": 0.0013,
    "request_user_id": "u1",
    "request_properties": {"feature": "search"},
    "response_status": 200,
}
LANGFUSE = {
    "id": "o1",
    "traceId": "t1",
    "type": "GENERATION",
    "startTime": "2026-09-01T08:00:00.001Z",
    "endTime": "2026-09-01T08:00:01.001Z",
    "model": "gpt-4o",
    "usageDetails": {
        "input": 100,
        "input_cached_tokens": 900,
        "output": 50,
        "output_reasoning_tokens": 30,
        "total": 1080,
    },
}
LANGFUSE_SPEC = {
    **LANGFUSE,
    "id": "o2",
    "usageDetails": {
        "input": 1000,
        "prompt_details.cache_read": 900,
        "output": 80,
        "completion_details.reasoning": 30,
        "total": 1080,
    },
}
LANGFUSE_BLOB = {
    "id": "o3",
    "type": "GENERATION",
    "start_time": "2026-09-01 08:00:00.000001",
    "end_time": "2026-09-01 08:00:02.000001",
    "provided_model_name": "gpt-4o",
    "model_parameters": '{"max_tokens": 70}',
    "usage_details": '{"input": 100, "input_cache_read": 900, "output": 80, "total": 1080}',
    "level": "DEFAULT",
}
INSPECT = {
    "eval": {"task": "arith", "created": "2026-09-01T08:00:00Z"},
    "plan": {},
    "samples": [
        {
            "id": 1,
            "events": [
                {
                    "event": "model",
                    "model": "openai/gpt-4o",
                    "timestamp": "2026-09-01T08:00:01Z",
                    "input": [{"role": "user", "content": "1+1"}],
                    "config": {"max_tokens": 9},
                    "output": {
                        "model": "gpt-4o",
                        "time": 1.5,
                        "choices": [{"stop_reason": "max_tokens"}],
                        "usage": {
                            "input_tokens": 100,
                            "input_tokens_cache_read": 900,
                            "output_tokens": 80,
                            "total_tokens": 1080,
                        },
                    },
                },
                {"event": "tool"},
            ],
        }
    ],
}


def otlp(**attributes):
    def value(each):
        return {"intValue": str(each)} if isinstance(each, int) else {"stringValue": each}

    listed = [{"key": key.replace("__", "."), "value": value(each)} for key, each in attributes.items()]
    span = {
        "spanId": "b",
        "parentSpanId": "a",
        "traceId": "t",
        "name": "chat",
        "startTimeUnixNano": "1758794641001000000",
        "endTimeUnixNano": "1758794642151000000",
        "attributes": listed,
    }
    agent = {
        "spanId": "a",
        "traceId": "t",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}}, *listed[1:]],
    }
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [agent, span]}]}]}


OTEL = otlp(
    gen_ai__operation__name="chat",
    gen_ai__provider__name="openai",
    gen_ai__request__model="gpt-4o",
    gen_ai__usage__input_tokens=1000,
    **{"gen_ai.usage.cache_read.input_tokens": 900, "gen_ai.usage.reasoning.output_tokens": 30},
    gen_ai__usage__output_tokens=80,
)
JAEGER = {
    "data": [
        {
            "spans": [
                {
                    "spanID": "1",
                    "startTime": 1_758_794_641_001_000,
                    "duration": 1_150_000,
                    "tags": [
                        {"key": "gen_ai.request.model", "value": "gpt-4o"},
                        {"key": "gen_ai.usage.prompt_tokens", "type": "int64", "value": 1000},
                        {"key": "gen_ai.usage.cache_read_input_tokens", "value": 900},
                        {"key": "gen_ai.usage.completion_tokens", "value": 80},
                    ],
                }
            ]
        }
    ]
}
OPENINFERENCE = {
    "span_id": "1",
    "start_time": "2026-09-01T08:00:00Z",
    "end_time": "2026-09-01T08:00:02Z",
    "attributes": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1000,
        "llm.token_count.completion": 80,
        "llm.token_count.total": 1080,
        "llm.token_count.prompt_details.cache_read": 900,
    },
}
OPENROUTER = {
    "data": {
        "id": "gen-1",
        "model": "openai/gpt-4o",
        "created_at": "2026-09-01T08:00:00Z",
        "tokens_prompt": 5,
        "native_tokens_prompt": 1000,
        "native_tokens_completion": 80,
        "native_tokens_cached": 900,
        "native_tokens_reasoning": 30,
        "total_cost": 0.002,
        "finish_reason": "length",
    }
}
CODEX = [
    {"type": "session_meta", "timestamp": "2026-09-01T08:00:00Z", "payload": {"id": "s"}},
    {"type": "turn_context", "timestamp": "2026-09-01T08:00:00Z", "payload": {"model": "gpt-5-codex"}},
    *[
        {
            "type": "event_msg",
            "timestamp": "2026-09-01T08:00:05Z",
            "payload": {
                "type": "token_count",
                "info": {
                    "total_token_usage": {"total_tokens": 1080},
                    "last_token_usage": {
                        "input_tokens": 1000,
                        "cached_input_tokens": 900,
                        "output_tokens": 80,
                        "reasoning_output_tokens": 30,
                        "total_tokens": 1080,
                    },
                },
            },
        }
    ]
    * 2,
]
PLAIN = {
    "timestamp": "2026-09-01T08:00:00Z",
    "model": "gpt-4o",
    "input_tokens": 1000,
    "cached_tokens": 900,
    "output_tokens": 80,
    "total_tokens": 1080,
}


@pytest.mark.parametrize(
    ("records", "name", "expected"),
    [
        ([LITELLM], "litellm", (2459, 2000, 0, 0, 23, 0)),
        ([OPENAI], "openai", (2006, 1920, 0, 0, 300, 128)),
        ([BATCH], "openai", (2006, 1920, 0, 0, 300, 128)),
        ([RESPONSES], "openai", (500, 128, 0, 0, 90, 64)),
        ([ANTHROPIC], "anthropic", (2250, 1900, 100, 200, 40, 0)),
        ([CLAUDE_CODE, CLAUDE_CODE], "anthropic", (2250, 1900, 100, 200, 40, 0)),
        ([PORTKEY], "openai", (2060, 1900, 100, 0, 40, 0)),
        ([HELICONE], "helicone", (17903, 17817, 0, 0, 40, 0)),
        ([LANGFUSE], "langfuse", (1000, 900, 0, 0, 80, 30)),
        ([LANGFUSE_SPEC], "langfuse", (1000, 900, 0, 0, 80, 30)),
        ([LANGFUSE_BLOB], "langfuse", (1000, 900, 0, 0, 80, 0)),
        ([INSPECT], "inspect", (1000, 900, 0, 0, 80, 0)),
        ([OTEL], "otel", (1000, 900, 0, 0, 80, 30)),
        ([JAEGER], "otel", (1000, 900, 0, 0, 80, 0)),
        ([OPENINFERENCE], "otel", (1000, 900, 0, 0, 80, 0)),
        ([OPENROUTER], "openrouter", (1000, 900, 0, 0, 80, 30)),
        (CODEX, "codex", (1000, 900, 0, 0, 80, 30)),
        ([PLAIN], "plain", (1000, 900, 0, 0, 80, 0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_format_is_recognised_and_its_tokens_are_counted_once(read, records, name, expected):
    found, log = read(*records)
    assert found.formats == {name: 1}
    columns = (
        log.input_tokens, log.cache_read_tokens, log.cache_write_tokens, log.cache_write_1h_tokens, log.output_tokens,
        log.reasoning_tokens,
    )  # fmt: skip
    assert tuple(int(column[0]) for column in columns) == expected


def test_what_a_call_was_is_read(read):
    _, log = read(OPENAI)
    assert (log.name("model", 0), log.cap[0], bool(log.cut_off[0])) == ("gpt-4o-mini-2024-07-18", 60, True)
    _, log = read(LITELLM)
    assert (log.name("user", 0), log.name("tag", 0), log.latency_s[0]) == ("c9", "search", pytest.approx(2.1))
    _, log = read(BATCH)
    assert (log.name("tier", 0), int(log.waits[0])) == ("batch", 0)
    _, log = read(JAEGER)
    assert (log.at[0], log.latency_s[0]) == (1_758_794_641.001, 1.15)
    _, log = read(LANGFUSE_BLOB)
    assert (log.cap[0], log.latency_s[0]) == (70, pytest.approx(2.0))


def test_times_are_read_in_every_unit(read):
    for written in (
        1_790_000_000,
        1_790_000_000.0,
        1_790_000_000_000,
        "1790000000",
        "2026-09-21T14:13:20Z",
        "2026-09-21 14:13:20",
    ):
        _, log = read({**PLAIN, "timestamp": written})
        assert log.at[0] == 1_790_000_000.0, written


def test_steps_of_an_answer_of_anthropic_s_that_are_in_no_sum_are_calls(read):
    step = {"input_tokens": 7, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 3}
    steps = [
        {**step, "type": "message"},
        {**step, "type": "advisor_message", "model": "claude-opus-4-6"},
        {**step, "type": "compaction", "output_tokens": 5},
    ]
    record = {**CLAUDE_CODE, "message": {**ANTHROPIC, "usage": {**ANTHROPIC["usage"], "iterations": steps}}}
    found, log = read(record, {**record, "uuid": "u2"})
    assert found.duplicates == 3
    assert [log.name("model", row) for row in range(3)] == ["claude-sonnet-4-5", "claude-opus-4-6", "claude-sonnet-4-5"]
    assert log.input_tokens.tolist() == [2250, 27, 27]
    assert log.output_tokens.tolist() == [40, 3, 5]


def test_a_faster_answer_of_anthropic_s_is_not_priced_as_a_plain_one(read):
    fast = {**ANTHROPIC, "usage": {**ANTHROPIC["usage"], "speed": "fast"}}
    _, log = read(fast, {**ANTHROPIC, "id": "msg_2"})
    assert [log.name("tier", row) for row in range(2)] == ["fast", None]


def test_a_cache_of_the_log_s_own_gateway_was_not_paid(read):
    _, log = read({**LITELLM, "cache_hit": "True"})
    assert log.own_hit.tolist() == [True]


def test_helicone_s_csv_escapes_its_columns_twice(tmp_path):
    path = tmp_path / "helicone.csv"
    body = (
        json.dumps({"messages": [{"role": "user", "content": 'say "hi"'}], "max_tokens": 7})
        .replace('"', '""')
        .replace('"', '""')
    )
    path.write_text(
        "response_id,request_created_at,response_status,request_body,model,prompt_tokens,completion_tokens,latency,cost\n"
        f'r1,2026-09-01T08:00:00Z,200,"{body}",gpt-4o,12,3,812,0.00006\n',
        encoding="utf-8",
    )
    found = read_log([path])
    assert (found.formats, int(found.log.cap[0]), bool(found.log.digest[0])) == ({"helicone": 1}, 7, True)


def test_the_gateway_s_own_ledger_is_read(tmp_path):
    from promptopt.gateway.stores.ledger import open_ledger
    from promptopt.gateway.stores.ledger_row import LedgerRow

    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    ledger.finish(
        0,
        LedgerRow(at=1.79e9, model="gpt-4o", input_tokens=100, cache_read_tokens=90, output_tokens=5, digest="ab" * 32),
    )
    ledger.finish(0, LedgerRow(at=1.79e9 + 1, model="gpt-4o", input_tokens=100, output_tokens=5, cache="cache"))
    ledger.finish(0, LedgerRow(at=1.79e9 + 2, model="gpt-4o", status="refused"))
    ledger.close()
    found = read_log([path])
    assert found.formats == {"promptopt": 2}
    assert found.log.own_hit.tolist() == [False, True]
    with closing(sqlite3.connect(tmp_path / "cache.sqlite")) as cache:
        cache.execute("CREATE TABLE answers (key TEXT)")
        cache.commit()
    assert len(read_log([tmp_path]).log) == 2
    with pytest.raises(InputError, match="not a ledger of promptopt's"):
        read_log([tmp_path / "cache.sqlite"])


def test_the_worst_case_of_a_call_that_broke_off_is_no_bill(tmp_path, config):
    from promptopt.gateway.stores.ledger_row import LedgerRow, row_dict

    good = LedgerRow(at=1.79e9, model="gpt-4o", input_tokens=100, output_tokens=5, list_usd=0.0003, incurred_usd=0.0003)
    lost = good._replace(
        at=1.79e9 + 1, output_tokens=127_900, list_usd=1.28, incurred_usd=1.28, basis="assumed", status="error",
        error="connection",
    )  # fmt: skip
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(row_dict(each)) + "\n" for each in (good, lost)), encoding="utf-8")
    found = read_log([path])
    data = report_data(audit(AuditInput(*settle(found.log, config), found.formats), AuditSettings(), config))
    assert data["baseline_usd"] == pytest.approx(0.0003)
    assert data["profile"]["counts"]["unmeasured"] == 1
    assert ("usage not known", "1 calls that may have been billed, in no sum") in facts(data)


@pytest.mark.parametrize("kept", [20, 8192])
def test_a_damaged_ledger_is_not_set_aside_by_who_only_reads_it(tmp_path, kept):
    from promptopt.gateway.stores.ledger import open_ledger
    from promptopt.gateway.stores.ledger_row import LedgerRow

    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    for number in range(200):
        ledger.finish(0, LedgerRow(at=1.79e9 + number, model="gpt-4o", input_tokens=100, output_tokens=5))
    ledger.close()
    damaged = path.read_bytes()[:kept].ljust(path.stat().st_size, b"\xab")
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="is SQLite, and damaged"):
        read_log([path])
    assert path.read_bytes() == damaged
    assert not list(tmp_path.glob("*.damaged-*"))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", ["lines", "list", "container", "csv"])
def test_files_of_every_shape_are_read(tmp_path, kind, compress):
    rows = [{**PLAIN, "model": f"m{number}"} for number in range(3)]
    texts = {
        "lines": "\n".join(json.dumps(row) for row in rows),
        "list": json.dumps(rows, indent=1),
        "container": json.dumps({"meta": {"totalItems": 3}, "data": rows}),
        "csv": "\n".join([",".join(PLAIN), *(",".join(str(value) for value in row.values()) for row in rows)]),
    }
    path = tmp_path / "log"
    content = ("\ufeff" + texts[kind] if kind == "csv" else texts[kind]).encode()
    path.write_bytes(gzip.compress(content) if compress else content)
    found = read_log([path])
    assert (len(found.log), found.log.names["model"], found.rejected) == (3, ("m0", "m1", "m2"), 0)


def test_parquet_is_read(tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="needs the extra audit")
    path = tmp_path / "log.parquet"
    duckdb.connect().execute(
        f"COPY (SELECT 'gpt-4o' AS model, 7 AS input_tokens, 2 AS output_tokens, [1, 2] AS prefix) TO '{path}'"
    )
    found = read_log([path])
    assert (int(found.log.input_tokens[0]), found.log.block_starts.tolist()) == (7, [0, 2])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"input_tokens": -5}, "input is -5, not a count of tokens"),
        ({"input_tokens": 1.5}, "input is 1.5, not a count of tokens"),
        ({"input_tokens": 10**30}, "not a count of tokens"),
        ({"input_tokens": "many"}, "input is 'many', not a count of tokens"),
        ({"input_tokens": None, "output_tokens": None}, "has no token counts"),
        ({"input_tokens": None}, "has output tokens, and no count of input tokens"),
        ({"timestamp": "yesterday"}, "at is 'yesterday', not a time"),
        ({"cost": -1}, "cost is -1"),
        ({"prefix": 7}, "the prefix is 7, not a list of blocks"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(tmp_path, row, says):
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in (PLAIN, {**PLAIN, **row}, PLAIN)), encoding="utf-8")
    found = read_log([path])
    assert (len(found.log), found.rejected) == (2, 1)
    assert found.samples[0].place.endswith("log.jsonl:2")
    assert says in found.samples[0].reason


def test_lines_that_are_not_json_too_long_or_cut_off_are_named(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(PLAIN) + "\n{nonsense\n[1]\n" + json.dumps(PLAIN) + "\n", encoding="utf-8")
    found = read_log([path])
    assert (len(found.log), found.rejected) == (2, 2)
    monkeypatch.setattr("promptopt.auditing.readers.records.LONGEST_LINE", 300)
    assert LONGEST_LINE > 300
    path.write_text(json.dumps({**PLAIN, "x": "a" * 1000}) + "\n" + json.dumps(PLAIN) + "\n", encoding="utf-8")
    found = read_log([path], format_name="plain")
    assert (len(found.log), found.rejected) == (1, 1)
    whole = gzip.compress("".join(json.dumps(PLAIN) + "\n" for _ in range(50)).encode())
    path.write_bytes(whole[: len(whole) - 12])
    found = read_log([path], format_name="plain")
    assert found.rejected == 1
    assert "damaged or cut off" in found.samples[0].reason


def test_an_id_that_comes_twice_is_one_call(read):
    found, log = read(
        {**PLAIN, "id": "a"}, {**PLAIN, "id": "b"}, {**PLAIN, "id": "a", "output_tokens": 99, "total_tokens": 1099}
    )
    assert (len(log), found.duplicates) == (2, 1)
    assert sorted(log.output_tokens.tolist()) == [80, 99]


def codex_session(own, *calls, parent=None, copied=(), at="2026-09-01T08:00:0"):
    """A rollout of Codex; ``calls`` are the input of each, which the session's sum grows by."""
    metas = [{"id": own, **({"forked_from_id": parent} if parent else {})}, *({"id": each} for each in copied)]
    lines = [{"type": "session_meta", "timestamp": f"{at}0Z", "payload": each} for each in metas]
    lines.append({"type": "turn_context", "timestamp": f"{at}0Z", "payload": {"model": "gpt-5-codex"}})
    whole = 0
    for second, size in enumerate(calls):
        whole += size
        info = {"total_token_usage": {"total_tokens": whole}, "last_token_usage": {"input_tokens": size}}
        payload = {"type": "token_count", "info": info}
        lines.append({"type": "event_msg", "timestamp": f"{at}{second}Z", "payload": payload})
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize("names", ["abcd", "dcba"])
def test_what_a_fork_of_codex_copies_is_counted_once(tmp_path, names):
    folder = tmp_path / "sessions"
    folder.mkdir()
    files = [
        codex_session("old", 10, 20),
        codex_session("fork", 10, 20, 5, parent="old", copied=["old"], at="2026-09-02T08:00:0"),
        codex_session("agent", 10, 20, 5, 7, parent="fork", copied=["fork", "old"], at="2026-09-03T08:00:0"),
        codex_session("another", 10, 20),
    ]
    for name, text in zip(names, files, strict=True):
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    found = read_log([folder])
    assert sorted(found.log.input_tokens.tolist()) == [5, 7, 10, 10, 20, 20]
    assert (found.duplicates, found.formats) == (5, {"codex": 6})
    # Each call is that of the session, and of the time, in which it was made.
    sessions = {found.log.input_tokens[row]: found.log.name("session", row) for row in range(6)}
    assert (sessions[5], sessions[7]) == ("fork", "agent")
    assert found.log.at[found.log.input_tokens == 20].max() < 1_788_307_200


def test_agents_of_codex_that_copy_nothing_are_counted(tmp_path):
    folder = tmp_path / "sessions"
    folder.mkdir()
    (folder / "a.jsonl").write_text(codex_session("old", 10, 20), encoding="utf-8")
    (folder / "b.jsonl").write_text(codex_session("agent", 4, 6, parent="old"), encoding="utf-8")
    assert sorted(read_log([folder]).log.input_tokens.tolist()) == [4, 6, 10, 20]


def test_rows_out_of_order_are_put_in_order(read):
    _, log = read(*({**PLAIN, "timestamp": at} for at in (30, 10, 20)))
    assert log.at.tolist() == [10, 20, 30]


def test_columns_are_mapped(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("when,prompt_toks,answer_toks\n5,100,7\n", encoding="utf-8")
    entries = ("at=when", "input=prompt_toks", "output=answer_toks", "model==gpt-4o")
    log = read_log([path], columns=entries).log
    assert (log.at[0], log.input_tokens[0], log.output_tokens[0], log.name("model", 0)) == (5, 100, 7, "gpt-4o")
    missing = read_log([path], columns=("input=prompt_toks", "output=typo"))
    assert "has no typo, which --map names for output" in missing.samples[0].reason
    with pytest.raises(UsageError, match=r"'inptu' is not one of .* Did you mean"):
        read_log([path], columns=("inptu=prompt_toks",))


def test_what_is_not_a_log_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"name": "x", "colour": "red"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"is not a log of a known format; its records have: colour, name"):
        read_log([path])
    with pytest.raises(UsageError, match=r"--format 'langfuze' is not known. Did you mean"):
        read_log([path], format_name="langfuze")
    with pytest.raises(InputError, match="there is no such file"):
        read_log([tmp_path / "none"])
    database = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()
    with pytest.raises(InputError, match="not a ledger of promptopt's"):
        read_log([database])


def test_the_formats_are_listed():
    assert set(formats()) >= {
        "promptopt",
        "litellm",
        "langfuse",
        "helicone",
        "otel",
        "openai",
        "anthropic",
        "openrouter",
        "inspect",
        "codex",
        "plain",
    }


def test_rows_read_at_once_and_one_by_one_are_the_same(tmp_path):
    """The shape of the last row makes the whole batch be read one by one."""
    rows = [
        {
            **PLAIN,
            "timestamp": 1.79e9 + n,
            "digest": f"d{n % 3}",
            "prefix": [1, n],
            "status": 500 if n == 2 else 200,
            "latency_ms": 40,
            "tag": "a",
        }
        for n in range(6)
    ]
    logs = []
    for last in ({}, {"other": 1}):
        path = tmp_path / "log.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in [*rows[:-1], {**rows[-1], **last}]), encoding="utf-8")
        logs.append(read_log([path], model="m").log)
    for name in logs[0].__dataclass_fields__:
        one, other = (getattr(log, name) for log in logs)
        if name == "codes":
            assert {key: codes.tolist() for key, codes in one.items()} == {
                key: codes.tolist() for key, codes in other.items()
            }
        elif hasattr(one, "tolist"):
            assert str(one.tolist()) == str(other.tolist()), name
        else:
            assert one == other


def test_a_call_without_anything_is_a_call():
    assert LoggedCall("m").input_tokens == 0


def test_parquet_by_columns_is_what_its_rows_are_one_by_one(tmp_path, monkeypatch):
    import duckdb

    from promptopt.auditing.readers import plain, records

    path = tmp_path / "calls.parquet"
    duckdb.connect().execute(
        "COPY (SELECT 1000.0 + i AS at, 'm' || i % 3 AS model, i + 1 AS input_tokens, i % 7 AS output_tokens, "
        "CASE WHEN i = 25 THEN -1 ELSE 0 END AS cached, CASE WHEN i % 5 = 0 THEN NULL ELSE 'u' || i % 4 END AS user, "
        "CASE WHEN i % 6 = 0 THEN NULL ELSE [i % 2, i] END AS prefix, 'd' || i % 9 AS digest, "
        f"CASE WHEN i % 8 = 0 THEN 'error' ELSE 'ok' END AS status FROM range(40) t(i)) TO '{path}'"
    )
    monkeypatch.setattr(records, "_PARQUET_ROWS", 16)
    columns = read_log([path])
    assert columns.rejected == 1
    assert "cached is -1" in columns.samples[0].reason
    assert columns.samples[0].place.endswith(":26")
    monkeypatch.setattr(plain.PlainReader, "take_columns", lambda *_: False)
    rows = read_log([path])
    assert (rows.rejected, rows.samples, rows.formats) == (1, columns.samples, columns.formats)
    for name in ("at", "input_tokens", "output_tokens", "digest", "failed", "blocks", "block_starts", "block_tokens"):
        assert (getattr(rows.log, name) == getattr(columns.log, name)).all(), name
    for name in ("model", "user"):
        assert [rows.log.name(name, row) for row in range(39)] == [columns.log.name(name, row) for row in range(39)]
