"""Whether the files that a config becomes print what promptfoo prints: Jinja2 differs from Nunjucks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptopt.errors import PromptoptError
from promptopt.messages import Message
from promptopt.promptfoo.evaluation import ComparedPart, Evaluation
from promptopt.promptfoo.export import default_variables, prompt_text
from promptopt.suites import Case
from promptopt.templates import Template
from promptopt.templates.readers import OverlayReader

_AROUND, _SHOWN = 20, 40


def printed_otherwise(evaluation: Evaluation) -> list[str]:
    """A sentence for each prompt whose file prints something else, with the first test in which it does.

    Raises:
        SuiteError: A prompt cannot be written at all.
    """
    found: dict[str, str] = {}
    for part in evaluation.parts:
        for template in part.templates:
            name = template.origin.prompt
            if name not in found and (difference := next(_differences(evaluation, part, template), None)):
                found[name] = f"the file of the prompt {name!r} prints {difference}"
    return list(found.values())


def _differences(evaluation: Evaluation, part: ComparedPart, template: Template) -> Iterator[str]:
    reader = OverlayReader(template.reader, "moved.j2", prompt_text(template))
    moved = Template.load("moved.j2", reader, template.origin)
    given = default_variables(evaluation, part)
    for case in part.suite.cases:
        try:
            before = template.render(_variables(case))
        except PromptoptError:
            # It needs the answer to a turn before it, or fails in the config, too.
            continue
        try:
            after = moved.render({**given, **_variables(case)})
        except PromptoptError as error:
            yield f"nothing in the test {case.name!r}: {error}"
            continue
        if difference := _difference(before.messages, after.messages):
            yield "{1!r}, and promptfoo {0!r}, in the test {2!r}".format(*difference, case.name)


def _variables(case: Case) -> Mapping[str, Any]:
    return {**case.vars, **case.turns[0].vars} if case.turns else case.vars


def _difference(before: Sequence[Message], after: Sequence[Message]) -> tuple[str, str] | None:
    """Where two prompts differ first; ``None`` if they do not, but for white space at the ends of messages."""
    texts = [[(message.role, message.content.strip()) for message in messages] for messages in (before, after)]
    if texts[0] == texts[1]:
        return None
    one, other = ("\n".join(f"{role}: {text}" for role, text in each) for each in texts)
    at = next((number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, at - _AROUND)
    return one[start : at + _SHOWN], other[start : at + _SHOWN]
