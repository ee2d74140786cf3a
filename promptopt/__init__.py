"""promptopt makes prompts cheaper, proves that they still work, and keeps them that way.

The public names are loaded when they are first used, so that ``import promptopt`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from promptopt.api import count, list_prompts, load_prompt, load_suite, render
    from promptopt.call_options import CallOptions
    from promptopt.compression.engine import Compression, compress
    from promptopt.compression.facts.stated import Facts, facts
    from promptopt.errors import AnswerError, PromptoptError
    from promptopt.experiment.compare import compare
    from promptopt.experiment.comparison import Comparison
    from promptopt.gateway.batch import abatch, batch
    from promptopt.gateway.call import labels
    from promptopt.gateway.failures import (
        BudgetExceeded,
        GatewayUnavailable,
        LimitExceeded,
        NotCached,
        QueueFull,
        Refused,
    )
    from promptopt.gateway.openai.client import async_http_client, http_client
    from promptopt.gateway.provider import wrap
    from promptopt.media import read_media
    from promptopt.minimization.ablation import Ablation, ablate
    from promptopt.minimization.minimize import minimize
    from promptopt.minimization.result import Minimization
    from promptopt.schemas.parse import Parsed, parse, restructure
    from promptopt.templates.template import Template
    from promptopt.tokens import TokenCount
    from promptopt.values import Cost, Media, Message, Rendered, Request, Response, Score, Usage

_HOMES = {
    "AnswerError": "promptopt.errors",
    "BudgetExceeded": "promptopt.gateway.failures",
    "CallOptions": "promptopt.call_options",
    "Comparison": "promptopt.experiment.comparison",
    "Compression": "promptopt.compression.engine",
    "Cost": "promptopt.values",
    "Facts": "promptopt.compression.facts.stated",
    "GatewayUnavailable": "promptopt.gateway.failures",
    "LimitExceeded": "promptopt.gateway.failures",
    "NotCached": "promptopt.gateway.failures",
    "QueueFull": "promptopt.gateway.failures",
    "Message": "promptopt.values",
    "Parsed": "promptopt.schemas.parse",
    "PromptoptError": "promptopt.errors",
    "Refused": "promptopt.gateway.failures",
    "Rendered": "promptopt.values",
    "Request": "promptopt.values",
    "Response": "promptopt.values",
    "Score": "promptopt.values",
    "Template": "promptopt.templates.template",
    "TokenCount": "promptopt.tokens",
    "Usage": "promptopt.values",
    "abatch": "promptopt.gateway.batch",
    "async_http_client": "promptopt.gateway.openai.client",
    "batch": "promptopt.gateway.batch",
    "compare": "promptopt.experiment.compare",
    "compress": "promptopt.compression.engine",
    "count": "promptopt.api",
    "facts": "promptopt.compression.facts.stated",
    "wrap": "promptopt.gateway.provider",
    "http_client": "promptopt.gateway.openai.client",
    "labels": "promptopt.gateway.call",
    "list_prompts": "promptopt.api",
    "load_prompt": "promptopt.api",
    "load_suite": "promptopt.api",
    "parse": "promptopt.schemas.parse",
    "Media": "promptopt.values",
    "Minimization": "promptopt.minimization.result",
    "minimize": "promptopt.minimization.minimize",
    "Ablation": "promptopt.minimization.ablation",
    "ablate": "promptopt.minimization.ablation",
    "read_media": "promptopt.media",
    "render": "promptopt.api",
    "restructure": "promptopt.schemas.parse",
}

__all__ = [
    "Ablation",
    "AnswerError",
    "BudgetExceeded",
    "CallOptions",
    "Comparison",
    "Compression",
    "Cost",
    "Facts",
    "GatewayUnavailable",
    "LimitExceeded",
    "Media",
    "Message",
    "Minimization",
    "NotCached",
    "Parsed",
    "PromptoptError",
    "QueueFull",
    "Refused",
    "Rendered",
    "Request",
    "Response",
    "Score",
    "Template",
    "TokenCount",
    "Usage",
    "__version__",
    "abatch",
    "ablate",
    "async_http_client",
    "batch",
    "compare",
    "compress",
    "count",
    "facts",
    "http_client",
    "labels",
    "list_prompts",
    "load_prompt",
    "load_suite",
    "minimize",
    "parse",
    "read_media",
    "render",
    "restructure",
    "wrap",
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
