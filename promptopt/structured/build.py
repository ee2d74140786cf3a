"""From a prompt that is answered in prose to its next version, answered in strict JSON."""

from __future__ import annotations

import re
from dataclasses import replace

from promptopt.errors import SchemaError, UsageError
from promptopt.structured.field_sources import Evidence
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.infer import infer
from promptopt.structured.next_version import as_schema, as_text
from promptopt.structured.proposal import Economics, Options, Structured
from promptopt.structured.reasoning import (
    EXPLAINS,
    FIRST,
    asks_for_reasoning,
    keeps_reasoning,
    needs_reasoning,
    prose_of,
)
from promptopt.structured.task import AnswerForm, Task, answer_form
from promptopt.templates import Template

# What a label with an explanation in a sentence takes: 35 and 57 tokens for two suites of the real small model.
_FREE_TEXT_TOKENS = 35
# Output costs four to six times what input does; for models without a price.
_USUAL_RATIO = 0.25


def structure(template: Template, evidence: Evidence | None = None, options: Options | None = None) -> Structured:
    """The structured next version of a prompt.

    Args:
        evidence: Fields from elsewhere; without it they are inferred from the prompt's words.

    Raises:
        SchemaError: Nothing certain can be inferred, or the fields contradict the suite.
        UsageError: The prompt is structured already, or its task needs reasoning.
    """
    options = options or Options()
    asked = None if evidence is None else evidence.asked
    if options.form == "text" and evidence is not None and asked is None:
        raise UsageError("--form text keeps the form that the prompt states; a form from elsewhere needs a schema")
    if template.front.output_schema is not None:
        raise UsageError(f"{template.path} has an output_schema already; see `promptopt schema check {template.path}`")
    inferred = infer(template.source, examples=False) if asked is None else asked.inferred
    named = evidence is not None and asked is None
    # A prompt that wants JSON and nothing else gets no reasoning that could be lost.
    bare = not named and inferred.whole == "JSON" and _JSON_ONLY.search(template.source) is not None
    why = (asked.reasoning if asked else "") or reason_to_reason(template, bare=bare)
    kept = not named and (keeps_reasoning(inferred.fields) or _reasons_first(template, inferred))
    if why is not None and options.reasoning is None and not kept:
        raise UsageError(
            f"{template.path}: {why}; bare answers would lose it. Keep it with --reasoning 100 (a field before the "
            "answer, 100 tokens long), or measure what is lost with --reasoning 0 --suite SUITE"
        )
    if evidence is None and not inferred.fields:
        draft = "write what was read, to correct it: --draft FILE; " if inferred.doubted is not None else ""
        raise SchemaError(
            f"cannot infer the form of the answer: {'; '.join(inferred.problems)}",
            path=template.path,
            remedy=f"{draft}let a model read it: --ask MODEL; or name it: --schema FILE, --schema module:Model, "
            "--from-recordings, --suite SUITE",
        )
    task = Task(template, PromptText.of(template.source), inferred, evidence, options)
    form = answer_form(task)
    if options.form == "text":
        return as_text(task, form)
    proposal = as_schema(task, form)
    explicit = options.form == "schema" or options.codes or options.reasoning
    # Who lets a model read it and wants the schema all the same is told the line.
    if proposal.form_left is not None and task.stated and not (explicit and task.asked):
        if explicit:
            raise SchemaError(proposal.form_left, path=template.path, remedy="--form text keeps the form of the prompt")
        return replace(as_text(task, form), form_left=proposal.form_left)
    if options.form == "schema" or _pays(task, form, proposal.economics):
        return proposal
    return as_text(task, form, rejected=proposal.economics)


# "Return only JSON", "valid JSON with no other text"
_JSON_ONLY = re.compile(
    r"\b(?:only|just|nothing but|strictly|raw|pure|valid|parsable)\b[^.\n]{0,40}\bjson\b|\bjson\b[^.\n]{0,60}\b(?:only|nothing else|no (?:other|additional|extra|further|surrounding|explanations?|prose|text|markdown)|without)\b",
    re.IGNORECASE,
)


def _reasons_first(template: Template, inferred: Inferred) -> bool:
    """Whether the one value comes after an explanation that the prompt asks for and somebody reads."""
    text = PromptText.of(template.source, examples=False).text
    asked = EXPLAINS.search(prose_of(text))
    bare = len(inferred.fields) == 1 and not inferred.whole
    return bare and asked is not None and FIRST.search(text) is not None and template.front.answer is None


def reason_to_reason(template: Template, *, bare: bool = False) -> str | None:
    """Why the prompt's task needs reasoning; ``None`` if nothing says so.

    Args:
        bare: Whether only words that ask for it count, and not the kind of the task.
    """
    text = PromptText.of(template.source, examples=False)
    return asks_for_reasoning(text) if bare else needs_reasoning(text)


def _pays(task: Task, form: AnswerForm, economics: Economics) -> bool:
    """Whether a schema makes calls cheaper, as far as the recorded answers or else the prompt alone can tell.

    If the text states the form, answers have it already and there is next to no output to save; if it asks for a label
    and an explanation that nobody reads, there is. Who names a schema wants one.
    """
    wanted = task.evidence is not None or task.options.codes or task.options.reasoning
    if task.inferred.beside is not None and not wanted:
        return False  # a schema would forbid what comes beside the form
    if wanted or economics.input_difference <= 0:
        return True
    now = task.options.answer_tokens
    if now is None:
        now = _FREE_TEXT_TOKENS if form.explains and form.unread_line is not None else 0
    ratio = economics.input_difference * _USUAL_RATIO
    needed = ratio if economics.break_even is None else economics.break_even
    return now - economics.cost.typical_tokens > needed
