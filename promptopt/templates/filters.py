"""The Jinja filters ``compact`` and ``fit``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from promptopt.templates.fitting import Keep, fit
from promptopt.templates.notation import compact

# Not identifiers, so that no template can read or set them; context variables, so that includes share them.
NOTES = "promptopt: notes"
MODEL = "promptopt: model"


@pass_context
def compact_filter(context: Context, data: object) -> str:
    """``{{ rows | compact }}``: the data in the notation that costs the fewest tokens."""
    return compact(data, context.get(MODEL))


@pass_context
def fit_filter(
    context: Context, data: str | Sequence[Any], budget: int, *, query: str | None = None, keep: Keep | None = None
) -> str:
    """``{{ docs | fit(2000, query=question) }}``: whole chunks within a token budget; what is left out is noted."""
    fitted = fit(data, budget, query=query, keep=keep, model=context.get(MODEL))
    notes = context.get(NOTES)
    if fitted.left_out and notes is not None:
        total = len(fitted.kept) + len(fitted.left_out)
        numbers = ", ".join(str(number + 1) for number in fitted.left_out[:20])
        more = ", ..." if len(fitted.left_out) > 20 else ""
        notes.append(f"fit({budget}) left out {len(fitted.left_out)} of {total} chunks: {numbers}{more}")
    return fitted.text
