"""One call, as every dialect writes it: what is read is what the provider billed, or it is asked."""

import json

import pytest

from promptopt.auditing.accounting import settle
from promptopt.auditing.readers.count_names import kind_of
from promptopt.auditing.readers.files import read_log
from promptopt.config import Config
from promptopt.errors import InputError

AT = "2026-09-20T10:00:00Z"
NANOS = "1789898400000000000"
KINDS = {
    # All input, what of it was read from a cache and written to one; all output, what of it is reasoning.
    "cached": (2006, 1920, 0, 300, 0),
    "written": (2006, 0, 1900, 300, 0),
    "both": (4006, 1920, 1900, 300, 0),
    "reasoning": (2006, 0, 0, 300, 200),
    "plain": (2006, 0, 0, 300, 0),
}


def chat(whole, read, written, made, reasoning):
    return {
        "prompt_tokens": whole,
        "completion_tokens": made,
        "total_tokens": whole + made,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def openai_chat(*usage):
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1789898400, "model": "gpt-4o"}
    return {**answer, "choices": [{"finish_reason": "stop"}], "usage": chat(*usage)}


def openai_stream(*usage):
    return {**openai_chat(*usage), "object": "chat.completion.chunk", "choices": []}


def openai_pair(*usage):
    return {"request": {"model": "gpt-4o", "messages": [{"role": "user", "content": "q"}]}, "created_at": AT,
            "response": openai_chat(*usage)}  # fmt: skip


def responses(whole, read, written, made, reasoning):
    usage = {
        "input_tokens": whole,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": whole + made,
    }
    return {"id": "resp_1", "object": "response", "created_at": 1789898400, "model": "gpt-5", "output": [],
            "usage": usage}  # fmt: skip


def batch(*usage):
    return {"id": "batch_req_1", "custom_id": "c1", "error": None,
            "response": {"status_code": 200, "request_id": "r", "body": openai_chat(*usage)}}  # fmt: skip


def anthropic_usage(whole, read, written, made, reasoning):
    return {
        "input_tokens": whole - read - written,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
    }


def anthropic(*usage):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
            "stop_reason": "end_turn", "usage": anthropic_usage(*usage)}  # fmt: skip


def claude_code(*usage):
    return {"type": "assistant", "sessionId": "s", "uuid": "u", "timestamp": AT, "message": anthropic(*usage)}


def portkey(whole, read, written, made, reasoning):
    # Anthropic's counts under OpenAI's names: the cached ones are beside, and the total is the sum of all.
    usage = {
        **chat(whole - read - written, read, written, made, reasoning),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "total_tokens": whole + made,
    }
    return {**openai_chat(0, 0, 0, 0, 0), "model": "claude-sonnet-4-5", "usage": usage}


def spend_logs(*usage):
    whole, read, written, made, _ = usage
    values = {"cache_read_input_tokens": read, "cache_creation_input_tokens": written, **chat(*usage)}
    return {"request_id": "l1", "call_type": "acompletion", "spend": 0.0, "prompt_tokens": whole,
            "completion_tokens": made, "total_tokens": whole + made, "startTime": AT, "endTime": AT,
            "model": "claude-sonnet-4-5", "custom_llm_provider": "anthropic", "cache_hit": "False",
            "metadata": json.dumps({"usage_object": values, "additional_usage_values": {}}), "messages": "{}",
            "response": "{}", "status": "success"}  # fmt: skip


def logging_payload(*usage):
    whole, _, _, made, _ = usage
    return {"id": "l2", "trace_id": "t", "litellm_call_id": "c", "call_type": "acompletion", "stream": True,
            "response_cost": 0.0, "status": "success", "custom_llm_provider": "openai", "prompt_tokens": whole,
            "completion_tokens": made, "total_tokens": whole + made, "startTime": 1789898400.5,
            "endTime": 1789898402.5, "model": "gpt-4o", "metadata": {"usage_object": chat(*usage)},
            "cache_hit": None, "request_tags": [], "messages": None, "response": None}  # fmt: skip


def buckets(whole, read, written, made, reasoning):
    found = {"input": whole - read - written, "output": made - reasoning, "total": whole + made}
    return found | {
        name: count
        for name, count in (
            ("input_cached_tokens", read),
            ("input_cache_creation", written),
            ("output_reasoning_tokens", reasoning),
        )
        if count
    }


def langfuse(*usage):
    return {"id": "o1", "traceId": "t", "type": "GENERATION", "startTime": AT, "endTime": AT, "model": "gpt-4o",
            "usageDetails": buckets(*usage), "costDetails": {}}  # fmt: skip


def langfuse_blob(*usage):
    return {"id": "o1", "trace_id": "t", "type": "GENERATION", "start_time": "2026-09-20 10:00:00.123456",
            "end_time": "2026-09-20 10:00:01.123456", "provided_model_name": "gpt-4o", "parent_observation_id": "",
            "model_parameters": "{}", "usage_details": buckets(*usage), "cost_details": {}}  # fmt: skip


def helicone(whole, read, written, made, reasoning):
    return {"request_id": "h1", "request_created_at": AT, "delay_ms": 812, "request_model": "gpt-4o-mini",
            "provider": "OPENAI", "prompt_tokens": whole - read - written, "prompt_cache_read_tokens": read,
            "prompt_cache_write_tokens": written, "completion_tokens": made - reasoning,
            "reasoning_tokens": reasoning, "total_tokens": whole + made, "response_status": 200}  # fmt: skip


def span(attributes):
    listed = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in attributes.items()
    ]
    one = {"traceId": "t", "spanId": "s", "name": "chat", "startTimeUnixNano": NANOS, "endTimeUnixNano": NANOS,
           "attributes": listed}  # fmt: skip
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [one]}]}]}


def otel(whole, read, written, made, reasoning):
    return span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": whole,
            "gen_ai.usage.cache_read.input_tokens": read,
            "gen_ai.usage.cache_write.input_tokens": written,
            "gen_ai.usage.output_tokens": made,
            "gen_ai.usage.reasoning.output_tokens": reasoning,
        }
    )


def otel_anthropic(whole, read, written, made, reasoning):
    # OpenLLMetry, where the count without cached tokens was written last.
    return span(
        {
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": whole - read - written,
            "gen_ai.usage.cache_read_input_tokens": read,
            "gen_ai.usage.cache_creation_input_tokens": written,
            "gen_ai.usage.output_tokens": made,
            "gen_ai.usage.reasoning_tokens": reasoning,
        }
    )


def jaeger(whole, read, written, made, reasoning):
    values = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": whole,
              "gen_ai.usage.cache_read.input_tokens": read, "gen_ai.usage.cache_creation.input_tokens": written,
              "gen_ai.usage.completion_tokens": made, "gen_ai.usage.reasoning_tokens": reasoning}  # fmt: skip
    tags = [{"key": key, "type": "int64", "value": value} for key, value in values.items()]
    one = {"traceID": "t", "spanID": "s", "startTime": 1789898400000000, "duration": 1150000, "tags": tags}
    return {"data": [{"traceID": "t", "spans": [one]}]}


def phoenix(whole, read, written, made, reasoning):
    return span(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-4o",
            "llm.provider": "openai",
            "llm.token_count.prompt": whole,
            "llm.token_count.prompt_details.cache_read": read,
            "llm.token_count.prompt_details.cache_write": written,
            "llm.token_count.completion": made,
            "llm.token_count.completion_details.reasoning": reasoning,
            "llm.token_count.total": whole + made,
        }
    )


def vercel(whole, read, written, made, reasoning):
    if written:
        pytest.skip("the spans of the AI SDK have no count of written tokens")
    return span(
        {
            "operation.name": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-4o",
            "ai.response.model": "gpt-4o",
            "ai.usage.inputTokens": whole,
            "ai.usage.cachedInputTokens": read,
            "ai.usage.outputTokens": made,
            "ai.usage.reasoningTokens": reasoning,
        }
    )


def vllm_span(whole, read, written, made, reasoning):
    if read or written or reasoning:
        pytest.skip("vLLM's spans have no such counts")
    return span(
        {
            "gen_ai.response.model": "meta-llama/Llama-3-8B",
            "gen_ai.request.id": "cmpl-1",
            "gen_ai.usage.prompt_tokens": whole,
            "gen_ai.usage.completion_tokens": made,
            "gen_ai.latency.e2e": "1.5",
        }
    )


def vllm_answer(whole, read, written, made, reasoning):
    if written or reasoning:
        pytest.skip("vLLM's answers have no such counts")
    answer = openai_chat(whole, read, 0, made, 0)
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": read} if read else None
    return {**answer, "model": "meta-llama/Llama-3-8B"}


def inspect_log(whole, read, written, made, reasoning):
    usage = {"input_tokens": whole - read - written, "output_tokens": made, "total_tokens": whole + made,
             "input_tokens_cache_read": read, "input_tokens_cache_write": written,
             "reasoning_tokens": reasoning}  # fmt: skip
    event = {"event": "model", "timestamp": AT, "model": "openai/gpt-4o", "input": [{"role": "user", "content": "q"}],
             "output": {"model": "gpt-4o", "usage": usage, "choices": [{"stop_reason": "stop"}]}}  # fmt: skip
    return {"version": 2, "status": "success", "eval": {"task": "t", "created": AT}, "plan": {},
            "samples": [{"id": 1, "uuid": "u", "events": [event]}]}  # fmt: skip


def openrouter(whole, read, written, made, reasoning):
    if written:
        pytest.skip("a generation of OpenRouter's has no count of written tokens")
    return {"data": {"id": "gen-1", "model": "openai/gpt-4o", "created_at": AT, "tokens_prompt": 7,
                     "tokens_completion": 7, "native_tokens_prompt": whole, "native_tokens_completion": made,
                     "native_tokens_reasoning": reasoning, "native_tokens_cached": read, "total_cost": 0.0,
                     "streamed": True, "latency": 1200, "generation_time": 900,
                     "finish_reason": "stop"}}  # fmt: skip


def plain(whole, read, written, made, reasoning):
    return {"at": AT, "model": "gpt-4o", "input_tokens": whole, "cached_tokens": read, "cache_write_tokens": written,
            "output_tokens": made, "reasoning_tokens": reasoning, "total_tokens": whole + made}  # fmt: skip


def genai_span(whole, made, **beside):
    usage = {"input_tokens": whole, "output_tokens": made, "total_tokens": whole + made}
    return span(
        {"gen_ai.request.model": "gpt-4o", "gen_ai.system": "openai"}
        | {f"gen_ai.usage.{name}": count for name, count in usage.items()}
        | {f"gen_ai.usage.{name.replace('__', '.')}": count for name, count in beside.items()}
    )


def pydantic_ai(whole, read, written, made, reasoning):
    return genai_span(whole, made, details__cache_read_tokens=read, details__cache_write_tokens=written,
                      details__reasoning_tokens=reasoning, details__cache_audio_read_tokens=7)  # fmt: skip


def sentry(whole, read, written, made, reasoning):
    return genai_span(whole, made, input_tokens__cached=read, input_tokens__cache_write=written,
                      output_tokens__reasoning=reasoning)  # fmt: skip


def langsmith(whole, read, written, made, reasoning):
    details = {"cache_read": read, "cache_creation": written, "audio": 7}
    return genai_span(whole, made, input_token_details=json.dumps(details),
                      output_token_details=json.dumps({"reasoning": reasoning}))  # fmt: skip


def mastra(whole, read, written, made, reasoning):
    return genai_span(whole, made, cached_input_tokens=read, cache_creation_tokens=written,
                      reasoning_tokens=reasoning)  # fmt: skip


def vercel_6(whole, read, written, made, reasoning):
    return span(
        {
            "operation.name": "ai.generateText.doGenerate",
            "ai.response.model": "gpt-4o",
            "ai.usage.inputTokens": whole,
            "ai.usage.inputTokenDetails.noCacheTokens": whole - read - written,
            "ai.usage.inputTokenDetails.cacheReadTokens": read,
            "ai.usage.inputTokenDetails.cacheWriteTokens": written,
            "ai.usage.outputTokens": made,
            "ai.usage.outputTokenDetails.reasoningTokens": reasoning,
        }
    )


def langfuse_openai(*usage):
    return {**langfuse(*usage), "usageDetails": chat(*usage)}


def langfuse_google(whole, read, written, made, reasoning):
    if written:
        pytest.skip("Google has no count of written tokens")
    usage = {"prompt_token_count": whole, "cached_content_token_count": read, "total_token_count": whole + made,
             "candidates_token_count": made - reasoning, "thoughts_token_count": reasoning}  # fmt: skip
    return {**langfuse(whole, read, written, made, reasoning), "usageDetails": usage}


def langfuse_camel(whole, read, written, made, reasoning):
    usage = {"inputTokens": whole, "cachedInputTokens": read, "cacheWriteInputTokens": written, "outputTokens": made,
             "reasoningTokens": reasoning, "totalTokens": whole + made}  # fmt: skip
    return {**langfuse(whole, read, written, made, reasoning), "usageDetails": usage}


def langfuse_with_parts(whole, read, written, made, reasoning):
    if read or written or reasoning:
        pytest.skip("the parts are those of a plain call")
    usage = buckets(whole, read, written, made, reasoning)
    parts = {"input_text_tokens": whole, "output_text_tokens": made}
    return {**langfuse(whole, read, written, made, reasoning), "usageDetails": usage | parts}


def spend_logs_by_pandas(*usage):
    row = spend_logs(*usage)
    return {**row, "metadata": repr(json.loads(row["metadata"]) | {"user_api_key": None})}


def bedrock_rows(whole, read, written, made, reasoning):
    return {"timestamp": AT, "modelId": "claude-sonnet-4-5", "inputTokens": whole - read - written,
            "cacheReadInputTokens": read, "cacheWriteInputTokens": written, "outputTokens": made,
            "totalTokens": whole + made, "thinkingTokens": reasoning, "cacheHit": True}  # fmt: skip


DIALECTS = (
    openai_chat, openai_stream, openai_pair, responses, batch, anthropic, claude_code, portkey, spend_logs,
    logging_payload, langfuse, langfuse_blob, helicone, otel, otel_anthropic, jaeger, phoenix, vercel, vllm_span,
    vllm_answer, inspect_log, openrouter, plain, pydantic_ai, sentry, langsmith, mastra, vercel_6, langfuse_openai,
    spend_logs_by_pandas, bedrock_rows, langfuse_google, langfuse_camel, langfuse_with_parts,
)  # fmt: skip


def as_json_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.__name__)
def test_a_call_is_accounted_for_as_it_was_billed(tmp_path, dialect, kind):
    config, usage = Config(tmp_path, tmp_path, tmp_path), KINDS[kind]
    found = read_log([as_json_lines(tmp_path / "log.jsonl", dialect(*usage))])
    assert (found.rejected, len(found.log)) == (0, 1), found.samples
    log, _ = settle(found.log, config)
    written = int(log.cache_write_tokens[0] + log.cache_write_1h_tokens[0])
    read = (log.input_tokens[0], log.cache_read_tokens[0], written, log.output_tokens[0], log.reasoning_tokens[0])
    assert tuple(map(int, read)) == usage


@pytest.mark.parametrize(
    ("record", "column"),
    [
        ({**spend_logs(*KINDS["cached"]), "metadata": "{'at': datetime.datetime(2026, 9, 20)}"}, "metadata"),
        ({**langfuse_blob(*KINDS["cached"]), "usage_details": "{'input': 86"}, "usage_details"),
        ({**plain(*KINDS["plain"]), "prompt_tokens_details": "CacheDetails(cached_tokens=5)"}, "prompt_tokens_details"),
    ],
)
def test_counts_in_a_text_that_cannot_be_read_are_not_lost_without_a_word(tmp_path, record, column):
    found = read_log([as_json_lines(tmp_path / "log.jsonl", record)])
    assert len(found.log) == 0
    assert f"{column} is " in found.samples[0].reason
    assert "no JSON object" in found.samples[0].reason


def test_a_usage_without_any_known_count_is_no_call_that_was_only_begun(tmp_path):
    strange = {**langfuse(*KINDS["plain"]), "usageDetails": {"units_in": 5, "units_out": 7}}
    begun = {**langfuse(*KINDS["plain"]), "id": "o2", "usageDetails": {"input_audio": 0}}
    found = read_log([as_json_lines(tmp_path / "log.jsonl", strange, begun)])
    assert (found.rejected, len(found.log)) == (1, 0)
    assert "no known count of input and output: units_in, units_out" in found.samples[0].reason


def test_two_columns_that_may_be_the_cached_tokens_are_not_chosen_from(tmp_path):
    row = {"at": AT, "model": "gpt-4o", "input_tokens": 9, "output_tokens": 1}
    log = as_json_lines(tmp_path / "log.jsonl", {**row, "cacheReadTokens": 4, "prompt_cache_hit_tokens": 5})
    found = read_log([log])
    assert "cacheReadTokens, prompt_cache_hit_tokens" in found.samples[0].reason
    assert read_log([log], columns=("cached=cacheReadTokens",)).log.cache_read_tokens.tolist() == [4]


@pytest.mark.parametrize(
    "name",
    ["cache_hit", "uncachedTokens", "noCacheTokens", "cache_miss_tokens", "cached_tokens_cost", "max_thinking_tokens",
     "cached_audio_tokens", "cache_creation", "reasoning", "input_tokens", "cached_output_tokens"],
)  # fmt: skip
def test_names_of_something_else_are_no_count(name):
    assert kind_of(name) is None


ASKED = {
    openai_pair: {"request": {"model": "gpt-5", "messages": [], "reasoning_effort": "low"}},
    responses: {"reasoning": {"effort": "low", "summary": None}},
    spend_logs: {"proxy_server_request": "{}", "model_parameters": {"reasoning_effort": "low"}},
    logging_payload: {"model_parameters": {"reasoning_effort": "low", "stream": True}},
    langfuse: {"modelParameters": {"reasoning_effort": "low"}},
    langfuse_blob: {"model_parameters": '{"reasoning_effort": "low"}'},
    helicone: {"request_body": {"model": "gpt-5", "reasoning": {"effort": "low"}}},
    plain: {"reasoning_effort": "low"},
}


@pytest.mark.parametrize("dialect", ASKED, ids=lambda each: each.__name__)
def test_the_reasoning_effort_that_was_asked_for_is_read(tmp_path, dialect):
    record = {**dialect(*KINDS["reasoning"]), **ASKED[dialect]}
    log = read_log([as_json_lines(tmp_path / "log.jsonl", record)]).log
    assert log.name("effort", 0) == "low"
    log = read_log([as_json_lines(tmp_path / "none.jsonl", dialect(*KINDS["reasoning"]))]).log
    assert log.name("effort", 0) is None


@pytest.mark.parametrize(
    "attributes",
    [{"gen_ai.request.reasoning.level": "low"}, {"llm.invocation_parameters": '{"reasoning_effort": "low"}'}],
)
def test_spans_say_the_effort_too(tmp_path, attributes):
    asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 10,
             "gen_ai.usage.output_tokens": 5}  # fmt: skip
    log = read_log([as_json_lines(tmp_path / "log.jsonl", span({**asked, **attributes}))]).log
    assert log.name("effort", 0) == "low"


RETRIED = {
    spend_logs: {"status": "failure", "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "metadata": "{}"},
    logging_payload: {"status": "failure", "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0,
                      "metadata": {}, "error_str": "429"},
    langfuse: {"level": "ERROR", "statusMessage": "429", "usageDetails": {"input": 0, "output": 0, "total": 0}},
    helicone: {"response_status": 429, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    batch: {"response": {"status_code": 429, "body": {}}, "error": {"code": "rate_limit"}},
    plain: {"status": "429", "input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
}  # fmt: skip


@pytest.mark.parametrize("dialect", RETRIED, ids=lambda each: each.__name__)
def test_a_call_that_failed_and_was_made_again_is_two_calls_of_which_one_was_billed(tmp_path, dialect):
    good, bad = dialect(*KINDS["plain"]), dict(dialect(*KINDS["plain"]))
    if dialect is plain:
        good["status"] = "200"
    for name in ("id", "request_id"):
        if name in bad:
            bad[name] = "another"
    bad |= RETRIED[dialect]
    bad.pop("cached_tokens", None)
    if dialect is not plain:
        bad.pop("prompt_cache_read_tokens", None)
    else:
        good.pop("cached_tokens")
    found = read_log([as_json_lines(tmp_path / "log.jsonl", bad, good)])
    assert (found.rejected, len(found.log)) == (0, 2), found.samples
    assert found.log.failed.sum() == 1
    assert int(found.log.input_tokens.sum()) == KINDS["plain"][0]


def test_a_group_of_spans_that_nothing_decides_is_asked(tmp_path):
    odd = otel_anthropic(*KINDS["cached"])
    attributes = odd["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    for each in attributes:
        if each["key"] == "gen_ai.usage.input_tokens":
            each["value"]["intValue"] = "5000"
    log = read_log([as_json_lines(tmp_path / "log.jsonl", odd)]).log
    with pytest.raises(InputError, match="inside input tokens or beside them"):
        settle(log, Config(tmp_path, tmp_path, tmp_path))


def test_vllm_s_request_log_has_no_tokens_and_says_what_has(tmp_path):
    path = tmp_path / "vllm.log"
    path.write_text(
        "INFO 11-20 10:00:00 [logger.py:42] Received request chatcmpl-1: prompt: 'Hello', params: SamplingParams(n=1, "
        "temperature=0.0, max_tokens=64), prompt_token_ids: None, lora_request: None.\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=r"vLLM.*no token counts.*--otlp-traces-endpoint"):
        read_log([path])
