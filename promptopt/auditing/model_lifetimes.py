"""Models that are shut down, and what comes after them."""

from __future__ import annotations

import importlib.util
import re
from datetime import date
from functools import lru_cache
from pathlib import Path

from promptopt.prices import listed_models

SHUTDOWN_DAYS = 180
"""A shutdown is told of so many days before it."""
_ENTRY = re.compile(r'-((?:\s+"[^"]+",?)+):\s+Announced\s+shutdown\s+date:\s+(\d{4}-\d{2}-\d{2})')


@lru_cache(maxsize=1)
def shutdown_dates() -> dict[str, date]:
    """The announced shutdown date of each model; empty if the SDK does not say.

    Source: the docstring of ``openai.types.shared.chat_model.ChatModel``, read as text (importing it takes half a
    second).
    """
    spec = importlib.util.find_spec("openai")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(spec.submodule_search_locations[0]) / "types" / "shared" / "chat_model.py"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    return {
        model: date.fromisoformat(day)
        for models, day in _ENTRY.findall(text)
        for model in re.findall(r'"([^"]+)"', models)
    }


def shutdown_date(model: str) -> date | None:
    """When a model is shut down, if that is announced."""
    dates = shutdown_dates()
    return dates.get(model) or dates.get(model.removeprefix("openai:").rpartition("/")[2])


# A model of OpenAI's: its version, and its kind, such as mini.
_NAME = re.compile(r"(?:gpt-(\d+(?:\.\d+)?)o?|o(\d))(?:-(\w+))?")
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$|-\d{4}$")
_OTHER_TASKS = frozenset(
    ["image", "audio", "realtime", "codex", "cyber", "search", "transcribe", "tts", "live", "chat", "rosalind",
     "vision", "pro", "instruct"]
)  # fmt: skip


def later_models(model: str) -> tuple[str, ...]:
    """Models of a later version that answer in text, and whose shutdown is not announced."""
    parsed = _parsed(model)
    if parsed is None:
        return ()
    named = [(name, _parsed(name)) for name in listed_models("openai") if shutdown_date(name) is None]
    return tuple(
        name for name, other in named if other is not None and other[0] > parsed[0] and other[1] not in _OTHER_TASKS
    )


def model_kind(model: str) -> str | None:
    """What a name says beside the version, such as ``mini``; ``None`` if it is not a name of OpenAI's."""
    parsed = _parsed(model)
    return None if parsed is None else parsed[1]


def _parsed(model: str) -> tuple[float, str] | None:
    found = _NAME.fullmatch(_DATED.sub("", model.removeprefix("openai:").rpartition("/")[2]))
    if found is None:
        return None
    # The first models that reason came between the fourth and the fifth version.
    return (4.5 if found[2] else float(found[1])), found[3] or ""
