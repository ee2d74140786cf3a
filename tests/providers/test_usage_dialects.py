"""Who counts what inside and what beside: one usage out of each dialect."""

from types import SimpleNamespace
from typing import Any

import pytest
from openai.types import CompletionUsage

from promptopt.providers.openai.usage import read_usage
from promptopt.providers.program import anthropic_usage, google_usage, usage_of
from promptopt.values import Usage

CACHED = {"cached_tokens": 80}
THOUGHT = {"reasoning_tokens": 15}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details": CACHED,
             "completion_tokens_details": THOUGHT},
            Usage(100, 80, 0, 20, 15), id="OpenAI chat: both inside",
        ),
        pytest.param(
            {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
             "input_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 5}, "output_tokens_details": THOUGHT},
            Usage(100, 80, 5, 20, 15), id="OpenAI responses: both inside",
        ),
        pytest.param(
            {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 105, "prompt_tokens_details": CACHED},
            Usage(100, 80, 0, 5), id="a gateway before Anthropic: cached beside, by the total",
        ),
        pytest.param(
            {"prompt_tokens": 90, "completion_tokens": 5, "total_tokens": 185, "cache_read_input_tokens": 80,
             "cache_creation_input_tokens": 10},
            Usage(180, 80, 10, 5), id="the same with Anthropic's names, input larger than what is cached",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105, "cache_read_input_tokens": 80,
             "cache_creation_input_tokens": 10, "prompt_tokens_details": CACHED},
            Usage(100, 80, 10, 5), id="LiteLLM: inside, and Anthropic's names repeat it",
        ),
        pytest.param(
            {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": CACHED},
            Usage(100, 80, 0, 5), id="more cached than there is input, without a total",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details":
             {"cached_tokens": 400}},
            Usage(100, 100, 0, 20), id="a total that says inside wins over a cached part that is too large",
        ),
        pytest.param(
            {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
            Usage(20, 0, 0, 603, 405), id="Gemini: thoughts in the total alone",
        ),
        pytest.param(
            {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 20}, Usage(20, 0, 0, 9), id="too small",
        ),
        pytest.param(
            {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 180, "completion_tokens_details":
             {"reasoning_tokens": 139}},
            Usage(32, 0, 0, 148, 139), id="xAI: reasoning beside",
        ),
        pytest.param(
            {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 46, "completion_tokens_details":
             {"reasoning_tokens": 5}},
            Usage(32, 0, 0, 14, 5), id="reasoning beside, by the total alone",
        ),
        pytest.param(
            {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 124, "prompt_tokens_details": CACHED,
             "completion_tokens_details": THOUGHT},
            Usage(100, 80, 0, 24, 15), id="both beside",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_cache_hit_tokens": 64,
             "prompt_cache_miss_tokens": 36, "completion_tokens_details": THOUGHT},
            Usage(100, 64, 0, 20, 15), id="DeepSeek: hits inside",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cached_tokens": 64},
            Usage(100, 64, 0, 20), id="Moonshot: at the top",
        ),
        pytest.param(
            {"prompt_tokens": 194, "completion_tokens": 2, "total_tokens": 196, "cost": 0.95, "is_byok": False,
             "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
             "completion_tokens_details": {"reasoning_tokens": 0}, "cost_details": {"upstream_inference_cost": None}},
            Usage(194, 0, 100, 2), id="OpenRouter",
        ),
        pytest.param(
            {"prompt_tokens": 194, "completion_tokens": 2, "total_tokens": 196,
             "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 100,
                                       "cache_creation_token_details": {"ephemeral_1h_input_tokens": 60}}},
            Usage(194, 0, 100, 2, cache_write_1h_tokens=60), id="LiteLLM: written for an hour",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "prompt_tokens_details": None},
            Usage(9, 0, 0, 2), id="vLLM without details",
        ),
    ],
)  # fmt: skip
def test_openai_names(said: dict[str, Any], expected: Usage) -> None:
    assert read_usage(said) == expected
    assert usage_of(said) == expected
    if "prompt_tokens" in said:
        # The SDK keeps fields that its types do not have.
        assert read_usage(CompletionUsage.construct(**said)) == expected
    assert read_usage(SimpleNamespace(**said)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            {"input_tokens": 20, "output_tokens": 9, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 10},
            Usage(110, 80, 10, 9), id="Anthropic: cached beside",
        ),
        pytest.param(
            {"input_tokens": 20, "output_tokens": 9, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 10,
             "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}},
            Usage(110, 80, 10, 9, cache_write_1h_tokens=6), id="Anthropic: written for an hour",
        ),
        pytest.param(
            {"inputTokens": 20, "outputTokens": 9, "totalTokens": 119, "cacheReadInputTokens": 80,
             "cacheWriteInputTokens": 10},
            Usage(110, 80, 10, 9), id="Bedrock Converse: cached beside",
        ),
        pytest.param(
            {"inputTokens": 100, "outputTokens": 9, "totalTokens": 109, "cachedInputTokens": 80, "reasoningTokens": 5},
            Usage(100, 80, 0, 9, 5), id="Vercel's AI SDK: inside",
        ),
        pytest.param(
            {"promptTokenCount": 100, "cachedContentTokenCount": 80, "candidatesTokenCount": 9,
             "thoughtsTokenCount": 15, "totalTokenCount": 124},
            Usage(100, 80, 0, 24, 15), id="Gemini: cached inside, thoughts beside",
        ),
        pytest.param(
            {"total": 30, "prompt": 20, "completion": 10, "cached": 5}, Usage(20, 5, 0, 10), id="promptfoo",
        ),
        pytest.param(
            {"input_tokens": 100, "cache_read_tokens": 80, "output_tokens": 9}, Usage(100, 80, 0, 9), id="own names",
        ),
    ],
)  # fmt: skip
def test_other_names(said: dict[str, Any], expected: Usage) -> None:
    assert usage_of(said) == expected


@pytest.mark.parametrize(
    "said", [{"input_tokens": 1.5, "output_tokens": 1}, {"input_tokens": True, "output_tokens": 1}]
)
def test_what_counts_nothing_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        usage_of(said)


def test_each_sdk_reads_its_own() -> None:
    assert anthropic_usage(
        {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}}
    ) == (Usage(1, 0, 0, 2, 1))
    assert google_usage({"prompt_token_count": 1, "thoughts_token_count": 2}) == Usage(1, 0, 0, 2, 2)


def test_what_compacting_used_is_beside_anthropic_s_sums() -> None:
    step = {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 3}
    steps = [{**step, "type": "message"}, {**step, "type": "compaction"}]
    said = {"input_tokens": 1, "output_tokens": 2, "iterations": steps}
    assert anthropic_usage(said) == Usage(input_tokens=26, cache_read_tokens=20, output_tokens=5)
    assert anthropic_usage({**said, "iterations": None}) == Usage(input_tokens=1, output_tokens=2)
