"""The prompts of a comparison line by line, with the tokens that each line costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from promptopt.errors import PromptoptError
from promptopt.experiment.comparison import Comparison
from promptopt.suites import Case
from promptopt.templates import Template
from promptopt.templates.attribution import attribute
from promptopt.webpage.blocks import DiffBlock, PageBlock, TextBlock

# Cases that lines are counted over: variables differ from case to case, and one rendering takes milliseconds.
_RENDERED = 8
_MOST = 6


def prompt_diffs(comparison: Comparison) -> Iterator[PageBlock]:
    """Each other prompt against the first; a single prompt by itself."""
    runs = {run.variant.template.path: run.variant for run in comparison.runs}
    first, *others = runs.values()
    cases = [case for case in comparison.suite.cases if not case.turns]
    shown = [first, *others[:_MOST]]
    counted = {each.template.path: _lines(each.template, cases, each.priced_as) for each in shown}
    before = counted[first.template.path]
    for variant in shown[1:] or shown:
        after = counted[variant.template.path]
        one = variant is first
        yield DiffBlock(
            variant.template.path if one else f"{first.template.path} to {variant.template.path}",
            before,
            after,
            "tokens per call",
            f"Tokens of each line with its variables, mean of {min(len(cases), _RENDERED)} cases, as "
            f"{variant.priced_as} counts them; the longer the bar, the more. Lines that send nothing have none.",
        )
    if len(others) > _MOST:
        yield TextBlock(f"And {len(others) - _MOST} more prompts: compare two of them to see their lines.")


def _lines(template: Template, cases: Sequence[Case], model: str) -> list[tuple[str, float | None]]:
    """The lines of a template with their tokens; ``None`` for a line that sends nothing, or if it cannot be said."""
    found: dict[int, list[int]] = {}
    step = max(1, len(cases) // _RENDERED)
    chosen = cases[::step][:_RENDERED]
    try:
        for case in chosen:
            of_case: dict[int, int] = {}
            for part in attribute(template, case.vars, model).parts:
                if part.path == template.path:
                    of_case[part.line] = of_case.get(part.line, 0) + part.tokens
            for line, tokens in of_case.items():
                found.setdefault(line, []).append(tokens)
    except PromptoptError:
        # Such as a case whose variables this prompt does not have: its call failed and the report says so.
        found = {}
    means = {line: fmean([*tokens, *[0] * (len(chosen) - len(tokens))]) for line, tokens in found.items()}
    weights: list[tuple[str, float | None]] = []
    for number, text in enumerate(template.source.splitlines(), 1):
        # Of a chat in JSON several lines may be from one line of the file, whose tokens are shown once.
        weights.append((text, means.pop(template.line(number), None)))
    return weights
