"""Which settings OpenAI's models refuse (platform.openai.com/docs/guides/reasoning; errors of the API)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Names of reasoning models, which choose their own sampling. The chat models of the gpt-5 family do not reason.
_REASONING = re.compile(r"o[1-9](?:-|$)|gpt-5(?!.*chat)|codex-")
_PLAIN = re.compile(r"gpt-(?:3\.5|4)|chatgpt-|gpt-5.*chat")
# As openai.types.chat.completion_create_params says.
_NO_STOP = re.compile(r"o3|o4-mini")
_SAMPLING = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs")


def refused_options(model: str, options: Mapping[str, Any]) -> list[str]:
    """The settings that a model refuses with an error, of those that are set.

    Args:
        options: Settings by name. A reasoning model with ``reasoning_effort`` ``none`` samples as others do.

    Returns:
        Nothing for a model that is not known: its provider decides.
    """
    name = model.removeprefix("openai:").removeprefix("openai/")
    return list(_refused(name, options)) if ":" not in name and "/" not in name else []


def _refused(name: str, options: Mapping[str, Any]) -> Iterator[str]:
    reasons = _REASONING.match(name) is not None
    effort = options.get("reasoning_effort")
    for option in options:
        if reasons and effort != "none" and option in _SAMPLING:
            # The one temperature that they have may be said.
            if option == "temperature" and options[option] == 1:
                continue
            yield option
        elif (option == "stop" and _NO_STOP.match(name)) or (
            _PLAIN.match(name) and option in ("reasoning_effort", "verbosity")
        ):
            yield option
