"""Tokens of answers whose endpoint does not say how many it used, or says what cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptopt.gateway.call import Call, UsageBasis
from promptopt.gateway.model_names import plain_name
from promptopt.gateway.openai.wire import count_input
from promptopt.tokens import tokenizer_for
from promptopt.values import Usage, canonical_json

# What of an answer no model writes as text: names and marks of the API, and bytes.
_NOT_WRITTEN = frozenset(
    (
        *("type", "id", "call_id", "index", "role", "object", "status", "finish_reason", "logprobs"),
        *("signature", "encrypted_content", "annotations", "citations", "content_filter_results"),
        *("data", "audio", "b64_json", "image_url", "url"),
    )
)


# Models that think unless they are told not to, and show a summary of it at most: OpenAI's (platform.openai.com/docs/
# guides/reasoning), Google's (ai.google.dev/gemini-api/docs/thinking) and xAI's (docs.x.ai, "Reasoning").
_THINKS = re.compile(
    r"o[1-9](?:-|$)|gpt-5(?!.*chat)|codex-|gemini-(?:2\.5|[3-9])(?!.*lite)|grok-(?:[4-9]|3-mini)(?!.*non-reasoning)"
)


def may_hide_thoughts(call: Call) -> bool:
    """Whether the model may think what its answer does not show, so that nobody can count it."""
    body = call.body
    if call.endpoint == "embeddings":
        return False
    reasoning, thinking = body.get("reasoning"), body.get("thinking")
    said = reasoning if isinstance(reasoning, Mapping) else {}
    effort = body.get("reasoning_effort") or said.get("effort")
    if effort is not None or said:
        return effort != "none" and said.get("enabled") is not False
    if isinstance(thinking, Mapping):
        return thinking.get("type") != "disabled"
    return _THINKS.match(plain_name(call.model)) is not None


def counted_usage(call: Call, written: str, said: Usage | None = None) -> Usage:
    """Tokens of a call, counted; thoughts that are not shown cannot be.

    Args:
        written: All that the model wrote, as far as it has come.
        said: What the endpoint said of it so far. Its input counts, if it names one, and its output if that is more.
    """
    said = said or Usage()
    known = said if said.input_tokens else Usage(input_tokens=count_input(call))
    return replace(known, output_tokens=max(tokenizer_for(call.model or None).count(written), said.output_tokens))


def said_or_counted(call: Call, usage: Usage | None, written: Callable[[], str]) -> tuple[Usage, UsageBasis]:
    """The tokens that an endpoint says it used, or those that are counted if it says none.

    No request is empty, and no text: an endpoint that says 0 of one of them does not count. A response of embeddings
    has no output.
    """
    if usage is not None and (call.endpoint == "embeddings" or (usage.input_tokens and usage.output_tokens)):
        return usage, "measured"
    counted = counted_usage(call, "" if call.endpoint == "embeddings" else written(), usage)
    return (usage, "measured") if usage == counted else (counted, "counted")


def written_in(body: Mapping[str, Any]) -> str:
    """All that a model wrote in an answer of any API: texts of all choices, calls of tools, thoughts that are shown."""
    return "".join(texts_in([body.get(name) for name in ("choices", "output", "content")]))


def texts_in(value: Any) -> Iterator[str]:
    """The texts in a part of an answer; what a tool is called with counts as its JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name == "input" and not isinstance(each, str):
                yield canonical_json(each)
            elif name not in _NOT_WRITTEN:
                yield from texts_in(each)
