"""The prompts of a comparison line by line, with the tokens that each line costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptopt.errors import PromptoptError
from promptopt.experiment.comparison import Comparison
from promptopt.suites import Case
from promptopt.templates import Template
from promptopt.templates.attribution import attribute
from promptopt.tokens import tokenizer_for
from promptopt.webpage.blocks import DiffBlock, PageBlock, TextBlock

# Cases that lines are counted over: variables differ from case to case, and one rendering takes milliseconds.
_RENDERED = 8
_MOST = 6


@dataclass(frozen=True, slots=True)
class CountedPrompt:
    """The lines of a prompt's file with the tokens that each costs in a call.

    Attributes:
        lines: ``None`` for a line that sends nothing.
        beside: Tokens that are of no line: what is included, messages, schema and tools.
        cases: Over how many cases that is the mean; 0: the lines are counted as they are written.
    """

    lines: Sequence[tuple[str, float | None]]
    beside: Mapping[str, float]
    cases: int


def prompt_diffs(comparison: Comparison) -> Iterator[PageBlock]:
    """Each other prompt against the first; a single prompt by itself."""
    runs = {run.variant.template.path: run.variant for run in comparison.runs}
    first, *others = runs.values()
    cases = [case for case in comparison.suite.cases if not case.turns]
    shown = [first, *others[:_MOST]]
    counted = {each.template.path: count_lines(each.template, cases, each.priced_as) for each in shown}
    before = counted[first.template.path]
    for variant in shown[1:] or shown:
        after = counted[variant.template.path]
        path, own = first.template.path, variant is first
        title = path if own else f"{path} to {variant.template.path}"
        note = _note(after, variant.priced_as, None if own else before)
        yield DiffBlock(title, before.lines, after.lines, "tokens per call", note)
    if len(others) > _MOST:
        yield TextBlock(f"And {len(others) - _MOST} more prompts: compare two of them to see their lines.")


def _note(counted: CountedPrompt, model: str, before: CountedPrompt | None) -> str:
    if not counted.cases:
        return f"Tokens of each line as it is written, without its variables, as {model} counts them."
    said = (
        f"Tokens of each line with its variables, mean of {counted.cases} cases, as {model} counts them; the longer "
        "the bar, the more. Lines that send nothing have none."
    )
    parts = []
    for name in dict.fromkeys([*(before.beside if before else ()), *counted.beside]):
        new = counted.beside.get(name, 0.0)
        old = new if before is None else before.beside.get(name, 0.0)
        if old or new:
            parts.append(f"{name} {new:,.1f}" if old == new else f"{name} {old:,.1f} to {new:,.1f}")
    return f"{said} Beside the lines: {', '.join(parts)}." if parts else said


def count_lines(template: Template, cases: Sequence[Case], model: str) -> CountedPrompt:
    """The lines of a template with their tokens: the mean of some of the cases.

    Args:
        model: Whose tokenizer counts.
    """
    step = max(1, len(cases) // _RENDERED)
    try:
        found = [attribute(template, case.vars, model) for case in cases[::step][:_RENDERED]]
    except PromptoptError:
        # Such as a case whose variables this prompt does not have: its call failed and the report says so.
        found = []
    source = template.source.splitlines()
    if not found or not all(each.exact for each in found):
        tokenizer = tokenizer_for(model)
        return CountedPrompt([(line, float(tokenizer.count(line)) if line else None) for line in source], {}, 0)
    tokens: dict[int, float] = {}
    beside = {"included files": 0.0, "messages": 0.0, "output schema": 0.0, "tools": 0.0}
    for each in found:
        for part in each.parts:
            if part.path == template.path:
                tokens[part.line] = tokens.get(part.line, 0.0) + part.tokens / len(found)
            else:
                beside["included files"] += part.tokens / len(found)
        beside["messages"] += each.framing / len(found)
        beside["output schema"] += each.schema / len(found)
        beside["tools"] += sum(count for _, count in each.tools) / len(found)
    # Of a chat in JSON several lines may be from one line of the file, whose tokens are shown once.
    lines = [(line, tokens.pop(template.line(number), None)) for number, line in enumerate(source, 1)]
    return CountedPrompt(lines, beside, len(found))
