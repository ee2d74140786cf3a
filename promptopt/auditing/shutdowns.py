"""Which models are about to be shut down, as the installed OpenAI SDK documents it."""

from __future__ import annotations

import importlib.util
import re
from datetime import date
from functools import lru_cache
from pathlib import Path

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
