"""promptopt makes prompts cheaper, proves that they still work, and keeps them that way.

The public names are loaded when they are first used, so that ``import promptopt`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from promptopt.api import count, list_prompts, load_prompt, load_suite, render
    from promptopt.errors import AnswerError, PromptoptError
    from promptopt.experiment.compare import Comparison, compare
    from promptopt.schemas.parse import Parsed, parse, restructure
    from promptopt.templates.template import Template
    from promptopt.tokens import TokenCount
    from promptopt.values import Cost, Message, Rendered, Request, Response, Score, Usage

_HOMES = {
    "AnswerError": "promptopt.errors",
    "Comparison": "promptopt.experiment.compare",
    "Cost": "promptopt.values",
    "Message": "promptopt.values",
    "Parsed": "promptopt.schemas.parse",
    "PromptoptError": "promptopt.errors",
    "Rendered": "promptopt.values",
    "Request": "promptopt.values",
    "Response": "promptopt.values",
    "Score": "promptopt.values",
    "Template": "promptopt.templates.template",
    "TokenCount": "promptopt.tokens",
    "Usage": "promptopt.values",
    "compare": "promptopt.experiment.compare",
    "count": "promptopt.api",
    "list_prompts": "promptopt.api",
    "load_prompt": "promptopt.api",
    "load_suite": "promptopt.api",
    "parse": "promptopt.schemas.parse",
    "render": "promptopt.api",
    "restructure": "promptopt.schemas.parse",
}

__all__ = [
    "AnswerError",
    "Comparison",
    "Cost",
    "Message",
    "Parsed",
    "PromptoptError",
    "Rendered",
    "Request",
    "Response",
    "Score",
    "Template",
    "TokenCount",
    "Usage",
    "__version__",
    "compare",
    "count",
    "list_prompts",
    "load_prompt",
    "load_suite",
    "parse",
    "render",
    "restructure",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
