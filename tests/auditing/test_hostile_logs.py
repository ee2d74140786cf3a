"""Logs that are damaged, half filled, of several shapes, or that say one thing under two names."""

import gzip
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest

from promptopt.auditing.accounting import settle
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.auditing.readers.files import read_log
from promptopt.auditing.readers.records import line_batches, lines_of
from promptopt.auditing.replays import replay_prefixes
from promptopt.config import Config
from promptopt.errors import InputError

AT = "2026-09-01T00:00:00Z"


@pytest.fixture
def write(tmp_path):
    def writing(*rows, name="log.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return writing


@pytest.fixture
def settled(write, tmp_path):
    def settling(*rows, **options):
        found = read_log([write(*rows)], **options)
        assert not found.rejected, found.samples
        return settle(found.log, Config(tmp_path, tmp_path, tmp_path))[0]

    return settling


def span(own, parent, **tokens):
    attributes = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100, **tokens} if tokens else {}
    listed = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in attributes.items()
    ]
    return {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"spanId": own, "parentSpanId": parent, "attributes": listed}]}]},
        ]
    }


def test_a_span_above_a_call_repeats_it_at_any_depth_and_in_any_order(settled):
    tokens = {"gen_ai.usage.output_tokens": 10}
    log = settled(span("call", "step", **tokens), span("agent", "", **tokens), span("step", "agent"))
    assert log.input_tokens.tolist() == [100]
    assert len(settled(span("one", "root", **tokens), span("two", "root", **tokens), span("root", ""))) == 2


def test_a_failed_span_is_failed_however_its_format_says_it():
    from promptopt.auditing.readers import otel

    usage = {"gen_ai.usage.input_tokens": 1}
    jaeger = {"tags": [{"key": key, "value": value} for key, value in {**usage, "error": True}.items()]}
    for record in (jaeger, {"attributes": usage, "status_code": "ERROR"}):
        assert [call.failed for call in otel.calls(record)] == [True]


def test_anthropic_is_known_in_capitals_too(settled):
    row = {
        "span_id": "a",
        "attributes": {
            "gen_ai.system": "Anthropic",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.usage.cache_read_input_tokens": 40,
            "llm.usage.total_tokens": 150,
        },
    }
    assert settled(row).input_tokens.tolist() == [140]


@pytest.mark.parametrize("low", [0, None])
def test_a_count_of_nought_under_one_name_does_not_hide_another(settled, low):
    row = {
        "call_type": "acompletion",
        "startTime": AT,
        "model": "gpt-4o",
        "prompt_tokens": 2000,
        "completion_tokens": 1,
        "metadata": json.dumps(
            {"usage_object": {"cache_read_input_tokens": low, "prompt_tokens_details": {"cached_tokens": 1920}}}
        ),
    }
    assert settled(row).cache_read_tokens.tolist() == [1920]


def test_writes_for_an_hour_are_told_from_those_for_five_minutes(settled):
    details = {"cached_tokens": 0, "cache_creation_token_details": {"ephemeral_1h_input_tokens": 300}}
    litellm = {
        "call_type": "acompletion",
        "startTime": AT,
        "prompt_tokens": 2000,
        "completion_tokens": 1,
        "metadata": {"usage_object": {"cache_creation_input_tokens": 1000, "prompt_tokens_details": details}},
    }
    log = settled(litellm)
    assert (log.cache_write_tokens.tolist(), log.cache_write_1h_tokens.tolist()) == ([700], [300])
    usage = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 0}
    message = {
        "type": "message",
        "model": "claude-sonnet-4-5",
        "usage": {**usage, "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 2}},
    }
    log = settled(message)
    assert (log.input_tokens.tolist(), log.cache_write_tokens.tolist()) == ([47], [40])


def test_every_bucket_of_langfuse_counts(settled):
    usage = {"input": 100, "input_audio_tokens": 50, "input_cached_tokens": 20, "output": 10, "output_audio_tokens": 5}
    log = settled({"type": "GENERATION", "startTime": AT, "model": "gpt-4o", "usageDetails": usage})
    assert (log.input_tokens.tolist(), log.output_tokens.tolist()) == ([170], [15])


def test_characters_are_not_tokens(write):
    usage = {"input": 100, "output": 10, "unit": "CHARACTERS"}
    path = write({"type": "GENERATION", "startTime": AT, "traceId": "t", "model": "text-bison", "usage": usage})
    assert "in CHARACTERS" in read_log([path]).samples[0].reason


HELICONE = {
    "request_created_at": AT,
    "request_model": "gpt-4o",
    "prompt_tokens": 100,
    "completion_tokens": 10,
    "reasoning_tokens": 7,
    "cost": 350_000,
    "cache_enabled": True,
    "cache_reference_id": "00000000-0000-0000-0000-000000000000",
}


def test_rows_of_helicone_s_database_are_paid_unless_they_name_the_answer_they_repeat(settled):
    log = settled(HELICONE, {**HELICONE, "cache_reference_id": "9c0e6f2a-0000-4000-8000-000000000001"})
    assert log.own_hit.tolist() == [False, True]
    assert log.said_usd.tolist() == pytest.approx([0.00035] * 2)
    assert log.output_tokens.tolist() == [17, 17]


def test_dollars_of_helicone_stay_dollars(settled):
    assert settled({**HELICONE, "cost": 0.5}).said_usd.tolist() == [0.5]
    assert settled({**HELICONE, "costUSD": 0.25}).said_usd.tolist() == [0.25]


@pytest.mark.parametrize("written", ["False", "None", "0", "", "null", "{}"])
@pytest.mark.parametrize("extra", [{}, {"finish": "stop"}])
def test_a_column_of_errors_that_says_none_is_no_failure(settled, written, extra):
    row = {"at": AT, "model": "gpt-4o", "input": 100, "output": 10, "error": written, **extra}
    assert not settled(row).failed.any()


@pytest.mark.parametrize(
    ("status", "failed"),
    [("200 OK", False), ("200.0", False), ("Done", False), ("429 Too Many", True), ("timeout", True)],
)
def test_a_status_is_a_code_or_a_word(settled, status, failed):
    row = {"at": AT, "model": "gpt-4o", "input": 100, "output": 10, "status": status}
    assert settled(row).failed.tolist() == [failed]


@pytest.mark.parametrize("absent", ["NULL", "NaN", "\\N", "None", "", float("nan")])
def test_what_a_table_writes_for_nothing_is_nothing(settled, absent):
    row = {"model": "gpt-4o", "input": 100, "output": 10, "cached": absent, "cost": absent, "latency_ms": absent}
    log = settled(row, {**row, "at": absent})
    assert log.cache_read_tokens.tolist() == [0, 0]


@pytest.mark.parametrize("at", [1e30, 10**400, 1e18 * 1e9])
def test_a_time_after_all_years_is_a_bad_row(write, at):
    found = read_log([write({"at": AT, "input": 1, "output": 1}, {"at": at, "input": 1, "output": 1})])
    assert (len(found.log), found.rejected) == (1, 1)
    assert "not a time" in found.samples[0].reason


def test_a_count_is_taken_before_a_text_of_the_same_name(settled):
    row = {"model": "gpt-4o", "input": "How do I pay?", "output": "So.", "input_tokens": 100, "output_tokens": 10}
    assert settled(row).input_tokens.tolist() == [100]


@pytest.mark.parametrize("extra", [{}, {"finish": "stop"}])
def test_values_that_map_sets_for_all_rows_are_used_for_numbers_too(settled, extra):
    columns = ("output==7", "cap==300", "tier==batch", "waits==false")
    log = settled({"model": "gpt-4o", "input": 100, **extra}, columns=columns)
    assert (log.output_tokens.tolist(), log.cap.tolist(), log.waits.tolist()) == ([7], [300], [0])


def test_a_usage_report_is_not_a_log_of_calls(write):
    found = read_log([write({"start_time": 1, "num_model_requests": 50, "input_tokens": 100, "output_tokens": 10})])
    assert "the sum of 50 calls" in found.samples[0].reason
    assert "reconcile --invoice" in found.samples[0].reason


def test_other_money_is_no_witness(settled):
    row = {"model": "gpt-4o", "input": 100, "output": 10, "cost": 0.00035, "currency": "EUR"}
    log = settled(row, {**row, "currency": "USD"})
    assert [usd > 0 for usd in log.said_usd.tolist()] == [False, True]


def test_a_damaged_gzip_loses_only_what_comes_after(tmp_path):
    rows = "".join(f'{{"model":"gpt-4o","input":{number * 7919 % 99991},"output":1}}\n' for number in range(20_000))
    packed = bytearray(gzip.compress(rows.encode()))
    for place in range(len(packed) // 2, len(packed) // 2 + 64):
        packed[place] ^= 0xA5
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed)
    found = read_log([path])
    assert found.rejected
    assert len(found.log) > 1000


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        ("model,input,output\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04....", "a zip"),
        (b"\x28\xb5\x2f\xfd....", "zstd"),
        # A time within would give every worker ids of its own.
        (gzip.compress(b"PAR1........", mtime=0), "Parquet or SQLite in gzip"),
        (gzip.compress(b"model,input,output\n" * 9, mtime=0)[:14], "damaged or cut off"),
        (b"\n\n", "no records"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_for_what_it_is(tmp_path, content, says):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_log([path])


def test_a_folder_may_hold_empty_files(write, tmp_path):
    write({"model": "gpt-4o", "input": 1, "output": 1})
    (tmp_path / "rotated.jsonl").touch()
    assert len(read_log([tmp_path]).log) == 1


def test_columns_may_be_divided_by_bars(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("model|input|output\ngpt-4o|100|10\n", encoding="utf-8")
    assert read_log([path]).log.input_tokens.tolist() == [100]


def test_one_bad_span_of_a_batch_does_not_lose_the_others(write):
    good, bad = (span(own, "", **{"gen_ai.usage.output_tokens": value}) for own, value in (("a", 10), ("b", "x")))
    good["resourceSpans"] += [*bad["resourceSpans"], None, {"scopeSpans": None}]
    found = read_log([write(good)])
    assert (len(found.log), found.rejected) == (1, 1)
    assert "gen_ai.usage.output_tokens is 'x'" in found.samples[0].reason


def test_each_row_of_a_file_of_several_formats_is_read_as_its_own(write):
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    rows = [
        {"type": "message", "id": "m", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 5, "output_tokens": 2}},
        {"call_type": "acompletion", "startTime": AT, "model": "gpt-4o", **usage},
        {"id": "x", "model": "gpt-4o", "choices": [{}], "usage": usage},
        HELICONE,
    ]
    for turn in range(len(rows)):
        found = read_log([write(*rows[turn:], *rows[:turn])])
        assert (len(found.log), found.rejected) == (4, 0), found.samples
        assert set(found.formats) == {"anthropic", "litellm", "openai", "helicone"}


def test_a_told_group_that_is_not_in_the_log_is_a_mistake(write, tmp_path):
    log = read_log([write({"provider": "openai", "model": "gpt-4o", "input": 100, "output": 1, "cached": 5})]).log
    with pytest.raises(InputError, match=r"does not have.*Did you mean 'openai/gpt-4o'"):
        settle(log, Config(tmp_path, tmp_path, tmp_path), {"openai/gpt-4": "inside"})


def test_a_sample_of_inspect_without_events_counts_beside_those_with_them(tmp_path):
    usage = {"input_tokens": 100, "output_tokens": 10}
    event = {"event": "model", "model": "openai/gpt-4o", "output": {"usage": usage, "choices": []}}
    samples = [{"id": 1, "events": [event]}, {"id": 2, "model_usage": {"openai/gpt-4o": {**usage, "input_tokens": 40}}}]
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"eval": {"task": "t"}, "plan": {}, "samples": samples}), encoding="utf-8")
    assert read_log([path]).log.input_tokens.tolist() == [100, 40]


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("model,input,output,input\ngpt-4o,100,10,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="two columns named 'input'"):
        read_log([path])


def test_a_file_that_several_processes_read_is_the_same_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        json.dumps({"id": f"c{number % 90}", "at": 1000 + number, "model": f"m{number % 3}", "input_tokens": number + 1,
                    "output_tokens": number % 7, "user": f"u{number % 11}", "prefix": [number % 5, number]})
        for number in range(100)
    ]  # fmt: skip
    lines[40] = "{not json"
    lines[77] = json.dumps({"id": "bad", "input_tokens": -5})
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    whole = read_log([path])
    monkeypatch.setattr("promptopt.auditing.readers.files.LARGE", 1)
    monkeypatch.setattr("promptopt.auditing.readers.files._PIECE", 700)
    monkeypatch.setattr("promptopt.auditing.readers.files._may_fork", lambda: True)
    pieces = read_log([path])
    assert (pieces.rejected, pieces.duplicates, pieces.formats) == (2, whole.duplicates, whole.formats)
    assert pieces.duplicates == 10
    assert pieces.samples == whole.samples
    for name in ("at", "input_tokens", "output_tokens", "blocks", "block_starts"):
        assert (getattr(pieces.log, name) == getattr(whole.log, name)).all()
    assert [pieces.log.name("user", row) for row in range(len(pieces.log))] == [
        whole.log.name("user", row) for row in range(len(whole.log))
    ]


@pytest.mark.parametrize("renew", [True, False])
def test_the_replay_of_prefixes_is_that_of_a_cache_block_by_block(renew: bool) -> None:
    draw = random.Random(3)
    builder, calls = LogBuilder(), []
    for number in range(400):
        prefix = tuple(draw.choice((1, 2)) * 10**depth for depth in range(draw.randrange(5)))
        chain = [hash(prefix[: depth + 1]) & (2**62) - 1 for depth in range(len(prefix))]
        call = LoggedCall(draw.choice(("a", "b")), at=float(number * draw.choice((1, 1, 1, 2))), input_tokens=1000,
                          blocks=chain, block_tokens=100)  # fmt: skip
        builder.add(call)
        calls.append(call)
    log = builder.build()
    found = replay_prefixes(log, np.ones(len(log), bool), 9, 0, renew=renew)
    kept: dict[tuple[str, int], float] = {}
    for row, call in enumerate(sorted(calls, key=lambda each: each.at or 0)):
        hit = 0
        for block in call.blocks:
            if (call.at or 0) - kept.get((call.model, block), -1e9) > 9:
                break
            hit += 1
        kept |= {(call.model, block): call.at or 0 for block in call.blocks[0 if renew else hit :]}
        assert found[row] == hit * 100


def model_span(own="s", trace="t", **attributes):
    return {
        "traceId": trace,
        "spanId": own,
        "attributes": {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", **attributes},
    }


def test_an_id_of_a_span_is_one_of_its_trace_only(settled):
    tokens = {"llm.token_count.prompt": 100, "llm.token_count.completion": 10}
    assert len(settled(model_span(**tokens), model_span(trace="u", **tokens), model_span(**tokens))) == 2
    above = {**model_span(own="child", trace="u", **tokens), "parentSpanId": "s"}
    assert len(settled(model_span(**tokens), above)) == 2


def test_text_tokens_under_the_name_of_cached_ones_are_not_cached(settled):
    tokens = {"llm.token_count.prompt": 2000, "llm.token_count.completion": 10}
    name = "llm.token_count.prompt_details.cache_input"
    log = settled(model_span(**tokens, **{name: 2000}), model_span(own="v", **tokens, **{name: 1500}))
    assert log.cache_read_tokens.tolist() == [0, 1500]


def test_a_message_that_is_written_as_it_comes_has_what_its_last_line_says(settled):
    def line(stop, given, made, read):
        usage = {"input_tokens": given, "output_tokens": made, "cache_read_input_tokens": read}
        message = {"id": "m", "type": "message", "model": "claude-sonnet-4-5", "stop_reason": stop, "usage": usage}
        return {"type": "assistant", "sessionId": "s", "timestamp": AT, "message": message}

    log = settled(line(None, 0, 1, 0), line("max_tokens", 3, 200, 90), line(None, 3, 9, 90))
    counts = log.input_tokens, log.cache_read_tokens, log.output_tokens, log.cut_off
    assert [column.tolist() for column in counts] == [[93], [90], [200], [True]]


def generation(**usage):
    return {
        "id": str(usage),
        "type": "GENERATION",
        "startTime": AT,
        "model": "claude-sonnet-4-6",
        "usageDetails": usage,
    }


@pytest.mark.parametrize(("total", "whole", "witness"), [(1520, 1510, "total"), (2520, 2510, "impossible otherwise")])
def test_written_tokens_may_be_inside_while_read_ones_are_beside(write, tmp_path, total, whole, witness):
    usage = {"input": 1010, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 500, "output": 10}
    found = read_log([write(generation(**usage, total=total))])
    log, accounting = settle(found.log, Config(tmp_path, tmp_path, tmp_path))
    assert (log.input_tokens.tolist(), accounting.settled[0].witness) == ([whole], witness)
    assert not accounting.unexplained


def test_a_total_that_langfuse_summed_itself_is_no_witness(write, tmp_path):
    found = read_log([write(generation(input=900, input_cached_tokens=800, output=10, total=1710))])
    _, accounting = settle(found.log, Config(tmp_path, tmp_path, tmp_path))
    assert [(each.relation, each.witness) for each in accounting.settled] == [("beside", "format")]


@pytest.mark.parametrize(("total", "made"), [(140, 40), (110, 10)])
def test_a_total_says_whether_reasoning_is_beside_the_output(settled, total, made):
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10 if made == 10 else 25,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 8 if made == 10 else 15},
    }
    log = settled({"id": "a", "model": "gemini-2.5-pro", "choices": [], "usage": usage})
    assert log.output_tokens.tolist() == [made]


def test_tokens_that_only_the_total_has_are_reported(write, tmp_path):
    counts = {"llm.token_count.prompt": 4299, "llm.token_count.completion": 631, "llm.token_count.total": 58_291}
    found = read_log([write(model_span(**counts), model_span(own="b", **{**counts, "llm.token_count.total": 4930}))])
    _, accounting = settle(found.log, Config(tmp_path, tmp_path, tmp_path))
    assert accounting.unexplained == {"gpt-4o": (1, 53_361)}


@pytest.mark.parametrize(
    ("written", "tokens"),
    [("1,234", 1234), ("1,000", 1000), ("12.345.678", 12_345_678), ("1\u202f234", 1234), ("1'234", 1234), ("12.0", 12)],
)
def test_marks_between_thousands_are_read(settled, written, tokens):
    assert settled({"model": "gpt-4o", "input": written, "output": 1}).input_tokens.tolist() == [tokens]


@pytest.mark.parametrize("written", ["12.000", "1.234", "1,23", "1,234.567"])
def test_a_count_that_may_be_a_fraction_is_refused(write, written):
    found = read_log([write({"model": "gpt-4o", "input": written, "output": 1})])
    assert found.rejected == 1
    assert repr(written) in found.samples[0].reason


@pytest.mark.parametrize(
    ("written", "said"), [("$0.12", 0.12), ("0.12 USD", 0.12), ("€0.12", None), ("0.12 EUR", None), ("1e-05", 1e-5)]
)
def test_a_cost_may_name_its_money(settled, written, said):
    cost = settled({"model": "gpt-4o", "input": 1, "output": 1, "cost": written}).said_usd.tolist()
    assert cost == [said] if said else np.isnan(cost).all()


def test_lines_before_the_header_of_a_table_are_passed_over(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("\ufeffsep=;\n\nmodel;input;output\ngpt-4o;5;6\ngpt-4o;x;6\n", encoding="utf-8")
    found = read_log([path])
    assert (len(found.log), found.samples[0].place) == (1, f"{path}:5")


def test_what_is_too_long_for_memory_is_refused(tmp_path, monkeypatch):
    from promptopt.auditing.readers import records

    monkeypatch.setattr(records, "LONGEST_LINE", 100)
    monkeypatch.setattr(records, "LARGEST_DOCUMENT", 200)
    table, document = tmp_path / "log.csv", tmp_path / "log.json"
    table.write_text(f"model,input,output\ngpt-4o,5,6\n{'x' * 350}\ngpt-4o,7,8\n", encoding="utf-8")
    found = read_log([table])
    assert (found.log.input_tokens.tolist(), found.rejected) == ([5, 7], 1)
    assert found.samples[0].place.endswith(":3")
    assert "longer than" in found.samples[0].reason
    document.write_text(json.dumps([{"input": 1, "output": 2}] * 20), encoding="utf-8")
    with pytest.raises(InputError, match="would be held in memory"):
        read_log([document])
    table.write_text("x" * 300, encoding="utf-8")
    with pytest.raises(InputError, match="first line is longer"):
        read_log([table])


def test_all_rejected_rows_are_kept(write):
    row = {"model": "gpt-4o", "input": -1, "output": 1}
    found = read_log([write(*[row] * 50, {**row, "input": 1})])
    assert (found.rejected, len(found.samples)) == (50, 50)


def test_a_repeated_row_without_a_total_has_none(settled):
    row = {"id": "a", "at": AT, "model": "gpt-4o", "input_tokens": 100, "output_tokens": 10}
    assert settled(row, row).total_tokens.tolist() == [-1]


def test_lines_that_are_parsed_together_are_one_record_each(write):
    whole = {"at": AT, "model": "gpt-4o", "input_tokens": 1, "output_tokens": 2}
    path = write(*[whole] * 30)
    text = path.read_text(encoding="utf-8")
    # Two records on one line, and one on two: as many records as lines.
    two, first, second = json.dumps(whole) + "," + json.dumps(whole), '{"input_tokens": 5,', '"output_tokens": 3}'
    path.write_text(f"{two}\n{first}\n{second}\n\n{text}", encoding="utf-8")
    content = path.read_bytes()
    one_by_one = [(place, str(record)) for place, record in lines_of(io.BytesIO(content))]
    for size in (1, 3, 7, 100):
        together = [each for batch in line_batches(content, size) for each in batch]
        assert [(place, str(record)) for place, record in together] == one_by_one
    found = read_log([path])
    assert (len(found.log), found.rejected) == (30, 3)
    assert [each.place.rpartition(":")[2] for each in found.samples] == ["1", "2", "3"]


@pytest.mark.parametrize("kinds", [("7", 7), (1, True), (2, 2.0)])
def test_digests_of_several_types_are_not_mixed_up(settled, kinds):
    row = {"at": AT, "model": "gpt-4o", "input_tokens": 1, "output_tokens": 2}
    log = settled(*[{**row, "digest": kinds[number % 2]} for number in range(4)])
    assert len(set(log.digest.tolist())) == len({str(kind) for kind in kinds})


# Public reports of what other tools counted wrongly; the figures are theirs.
@pytest.mark.parametrize(
    ("usage", "plain", "read", "written"),
    [
        # BerriAI/litellm#14849: cached tokens are inside the prompt, and the text tokens hold them too.
        ({"prompt_tokens": 262_960, "completion_tokens": 1744, "total_tokens": 264_704,
          "prompt_tokens_details": {"text_tokens": 262_960, "cached_tokens": 257_955}}, 5005, 257_955, 0),
        # BerriAI/litellm#12149: what is read is inside, what is written is not, and the total leaves it out.
        ({"prompt_tokens": 25_169, "completion_tokens": 95, "total_tokens": 25_264, "cache_read_input_tokens": 25_162,
          "cache_creation_input_tokens": 222, "prompt_tokens_details": {"cached_tokens": 25_162}}, 7, 25_162, 222),
        # BerriAI/litellm#29145: the one plain token, and what was written and read.
        ({"prompt_tokens": 33_825, "completion_tokens": 672, "total_tokens": 34_497, "cache_read_input_tokens": 32_634,
          "cache_creation_input_tokens": 1190}, 1, 32_634, 1190),
        # BerriAI/litellm#36762 writes for an hour, split; danny-avila/LibreChat#12855 reads inside, by the total.
        ({"prompt_tokens": 11_125, "completion_tokens": 429, "total_tokens": 11_554,
          "prompt_tokens_details": {"cached_tokens": 7441}}, 3684, 7441, 0),
    ],
)  # fmt: skip
def test_rows_of_public_reports_are_counted_once(settled, usage, plain, read, written):
    log = settled(
        {
            "request_id": "r", "call_type": "acompletion", "model": "m", "startTime": AT, "endTime": AT, "spend": 0.5,
            "custom_llm_provider": "x", "cache_hit": "False", "metadata": {"usage_object": usage},
            **{name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        }
    )  # fmt: skip
    found = log.input_tokens - log.cache_read_tokens - log.cache_write_tokens, log.cache_read_tokens
    assert [each.tolist() for each in (*found, log.cache_write_tokens)] == [[plain], [read], [written]]


def test_a_message_of_claude_code_is_counted_once_whatever_repeats_it(settled):
    # ccusage#976, #985, #1155, #1762: no request id, another one in a sidechain, another session in another file.
    def line(**changes):
        usage = {"input_tokens": 4, "cache_creation_input_tokens": 15_178, "cache_read_input_tokens": 0,
                 "output_tokens": 120}  # fmt: skip
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "usage": usage}
        return {"type": "assistant", "timestamp": AT, "sessionId": "s1", "message": message, **changes}

    log = settled(line(), line(), line(requestId="q1"), line(requestId="q2", isSidechain=True), line(sessionId="s2"))
    assert (len(log), log.input_tokens.tolist(), log.output_tokens.tolist()) == (1, [15_182], [120])


def test_savings_are_net_of_what_writing_costs_and_are_not_added_twice(settled, tmp_path):
    # BerriAI/litellm#36452 (writes that cost more than they save) and #38817 (savings that do not add up).
    from promptopt.auditing.accounting import Accounting
    from promptopt.auditing.audit import AuditInput, audit
    from promptopt.auditing.report import report_data
    from promptopt.auditing.strategy_settings import AuditSettings

    rows = [
        {"at": 1.79e9 + 4000 * number, "model": "claude-sonnet-4-5", "input_tokens": 20_000, "output_tokens": 100,
         "prefix": [1, 2, 3], "digest": f"d{number}", "status": 200, "tag": "t"}
        for number in range(3)
    ]  # fmt: skip
    config = Config(tmp_path, tmp_path, tmp_path)
    found = audit(AuditInput(settled(*rows), Accounting((), {}, 0, 0, 0), {}), AuditSettings(no_wait=("t",)), config)
    data = report_data(found)
    saved = {step["strategy"]: step["saved_usd"] for step in data["steps"] if step["saved_usd"] is not None}
    # Nobody reads within the lifetime: three writes at a quarter more than input.
    assert saved["provider-cache"] == pytest.approx(-3 * 20_000 * 0.25 * 3e-6)
    assert data["left_usd"] == pytest.approx(data["baseline_usd"] - sum(saved.values()), abs=1e-12)
