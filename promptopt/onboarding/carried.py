"""Which settings of a call become front matter, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptopt.call_options import CallOptions, setting_names
from promptopt.config import Config
from promptopt.onboarding.found import FoundPrompt
from promptopt.prices import find_price, find_tier_price

# Arguments that say how a call is made or kept, and nothing of its answer.
_SILENT = frozenset(
    {
        *("stream", "stream_options", "timeout", "extra_headers", "extra_query", "headers", "api_key", "base_url"),
        *("api_base", "api_version", "organization", "num_retries", "max_retries", "callbacks", "user"),
        *("metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "cache_control"),
    }
)
FORMS = ("tools", "functions", "response_format", "text_format")
"""Arguments that no setting takes the place of, and that a prompt is not counted with."""
# What is no setting: notes of their own say what becomes of these.
_OTHERS = frozenset({"model", "messages", *FORMS})
# Settings that an API refuses without another; tools stay in the program.
_NEEDS = {"parallel_tool_calls": "tools", "top_logprobs": "logprobs"}
# An SDK takes it as front matter has it; the table of names leaves it out, since other tools spread it over a config.
_AS_IT_IS = {"extra_body": "extra_body"}
_UNKNOWN = "front matter has no such setting"
_LATER = "its value is known when it runs only"


def as_front_matter(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings under the names of SDKs and other tools as front matter, and why each of the others is none of it.

    Args:
        given: The values by name; ``None`` is not known.
    """
    names = {**setting_names(), **_AS_IT_IS}
    front: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, value in given.items():
        option = names.get(name)
        if option is None:
            refused[name] = _UNKNOWN
        elif value is None:
            refused[name] = _LATER
        elif option in front:
            refused[name] = f"{option} is {front[option]!r} already"
        else:
            try:
                CallOptions.read(option, value)
            except ValueError as error:
                refused[name] = str(error)
            else:
                front[option] = value
    for name, option in names.items():
        needed = _NEEDS.get(option)
        if name in given and name not in refused and needed is not None and not front.get(needed):
            del front[option]
            refused[name] = f"it needs {needed}"
    return front, refused


def notes_of(refused: Mapping[str, str], *, call: bool) -> Iterator[str]:
    """A note on each setting that is not carried over.

    Args:
        call: They stay in a call of the program.
    """
    for name, reason in refused.items():
        if name not in _SILENT | _OTHERS:
            kept = "stays in the call" if call else "is not carried over"
            yield f"the setting {name} {kept}, and the prompt is measured without it: {reason}"


def with_price(prompt: FoundPrompt, config: Config) -> FoundPrompt:
    """The prompt without a service tier that its model has no price for: the gate measures no prompt without one."""
    tier = prompt.settings.get("service_tier")
    model = str(config.price_as or prompt.settings.get("model") or config.model)
    if tier is None or find_tier_price(model, tier, config=config) or find_price(model, config=config) is None:
        return prompt
    settings = {name: value for name, value in prompt.settings.items() if name != "service_tier"}
    reason = f"the price of {model!r} with {tier!r} is not known"
    notes = notes_of({"service_tier": reason}, call=bool(prompt.call))
    stays = (f"service_tier={tier!r}",) if prompt.call else ()
    return replace(prompt, settings=settings, rest=(*prompt.rest, *stays), notes=(*prompt.notes, *notes))
