"""Whether a request says everything that its answer depends on, so that the same request may have the same answer.

Both rules allow what is known and nothing else: a field, a part or a tool that is not listed here may search the web,
read a file that changes, or act on something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from promptopt.gateway.call import Call, Endpoint
from promptopt.gateway.openai.wire import items_of

# Every API knows these, and they are in no way state.
_COMMON = """
model temperature top_p top_k stream stream_options tools tool_choice parallel_tool_calls user metadata verbosity
safety_identifier service_tier store prompt_cache_key prompt_cache_options prompt_cache_retention top_logprobs
"""
# The last lines are of vLLM, SGLang, llama.cpp, Mistral, DeepSeek and OpenRouter.
_CHAT = """
messages max_tokens max_completion_tokens n stop seed frequency_penalty presence_penalty logit_bias logprobs
response_format functions function_call reasoning_effort prediction
min_p top_a typical_p repetition_penalty length_penalty min_tokens ignore_eos stop_token_ids skip_special_tokens
best_of guided_json guided_regex guided_choice guided_grammar structured_outputs grammar json_schema regex ebnf
random_seed chat_template_kwargs add_generation_prompt safe_prompt reasoning include_reasoning enable_thinking thinking
"""
_RESPONSES = "input instructions max_output_tokens text reasoning include truncation"
_MESSAGES = "messages system max_tokens stop_sequences thinking output_config output_format"
_FIELDS: Mapping[Endpoint, frozenset[str]] = {
    "chat": frozenset((_COMMON + _CHAT).split()),
    "responses": frozenset((_COMMON + _RESPONSES).split()),
    "embeddings": frozenset({"model", "input", "dimensions", "encoding_format", "user"}),
    "messages": frozenset((_COMMON + _MESSAGES).split()),
}
# What the provider keeps, or goes on doing, after its answer: the same request means something else the next time.
_STATE = (
    *("previous_response_id", "conversation", "background", "prompt"),
    *("container", "context_management", "mcp_servers"),
)
_STATED = frozenset({*_STATE, "store", "tools"})
# Tools that the program itself calls; all others are the provider's, and act or read something.
_OWN_TOOLS = frozenset({"function", "custom"})
_ITEMS = frozenset(
    {
        *("message", "reasoning", "function_call", "function_call_output"),
        *("custom_tool_call", "custom_tool_call_output"),
    }
)
_PARTS = frozenset(
    {
        *("text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal", "image_url", "input_image"),
        *("input_audio", "file", "input_file", "image", "document"),
        *("tool_use", "tool_result", "thinking", "redacted_thinking"),
    }
)
_KNOWN = _PARTS | _ITEMS
_INLINE_SOURCES = frozenset({"base64", "text", "content"})
# Models that read the web whatever the request says.
_SEARCHING = re.compile(r"search|sonar|:online|deep-research", re.IGNORECASE)


@lru_cache(maxsize=256)
def _searches(model: str) -> bool:
    return _SEARCHING.search(model) is not None


_Judged = tuple[Mapping[str, Any], Endpoint, bool, bool]
_last: _Judged | None = None


def _judged(call: Call) -> _Judged:
    """What was found out of a body. Several layers ask, one after the other, and a body is never changed in place."""
    global _last  # noqa: PLW0603 - a value that is replaced as a whole
    found = _last
    if found is None or found[0] is not call.body or found[1] != call.endpoint:
        found = _last = (call.body, call.endpoint, _needs_state(call), _self_contained(call))
    return found


def needs_state(call: Call) -> bool:
    """Whether the provider's own state or tools shape the answer, or are changed by the call.

    Such an answer belongs to its caller alone, whoever asks for it to be kept.
    """
    return _judged(call)[2]


def self_contained(call: Call) -> bool:
    """Whether everything in the request is known, and nothing of it is only named or linked to."""
    return _judged(call)[3]


def _needs_state(call: Call) -> bool:
    body = call.body
    if not _STATED.isdisjoint(body):
        if any(body.get(name) for name in _STATE) or body.get("store") is True:
            return True
        tools = body.get("tools")
        if tools and not (isinstance(tools, list) and all(_own(call.endpoint, tool) for tool in tools)):
            return True
    items = items_of(call)
    return isinstance(items, list) and any(isinstance(item, dict) and _refers(item) for item in items)


def _own(endpoint: Endpoint, tool: Any) -> bool:
    # Anthropic's own type may be left out.
    kind = tool.get("type", "custom" if endpoint == "messages" else None) if isinstance(tool, dict) else None
    return isinstance(kind, str) and kind in _OWN_TOOLS


def _refers(item: Mapping[str, Any]) -> bool:
    """Whether an item of the input names something that the provider has kept."""
    return bool(item.get("audio")) or str(item.get("type", "message")) not in _ITEMS


def _self_contained(call: Call) -> bool:
    body, fields = call.body, _FIELDS[call.endpoint]
    if not body.keys() <= fields and not all(name in fields or value is None for name, value in body.items()):
        return False
    if call.endpoint == "embeddings":
        return True
    if _searches(call.model):
        return False
    items = items_of(call)
    inside = [body.get("system"), *(items if isinstance(items, list) else [items])]
    return all(_inline(item) for item in inside)


def _inline(value: Any) -> bool:
    """Whether a message, an item or a part holds all that it says."""
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, list):
        return all(map(_inline, value))
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind is not None and str(kind) not in _KNOWN:
        return False
    if value.get("file_id") or value.get("file_url"):
        return False
    image, file, source = value.get("image_url"), value.get("file"), value.get("source")
    address = image.get("url") if isinstance(image, dict) else image
    if address is not None and not (isinstance(address, str) and address[:5].lower() == "data:"):
        return False
    if isinstance(file, dict) and file.get("file_id"):
        return False
    if isinstance(source, dict) and str(source.get("type")) not in _INLINE_SOURCES:
        return False
    content = value.get("content")
    return (isinstance(content, str) or _inline(content)) and ("output" not in value or _inline(value["output"]))
