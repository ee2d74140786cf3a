"""What a proposal is made from, and what its answers are to hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from promptopt.errors import SchemaError
from promptopt.schemas import strict_findings
from promptopt.schemas.cost import cheapen
from promptopt.structured.field_sources import Evidence
from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.proposal import Options
from promptopt.structured.reasoning import EXPLAINS, FIRST, explanation_asked
from promptopt.structured.scored_field import may_be_scored, scored_of
from promptopt.structured.witness.instructions import instructions
from promptopt.templates import Template
from promptopt.templates.answer import PatternAnswer
from promptopt.tokens import Tokenizer, tokenizer_for

REASONING = "reasoning"
"""The field that ``--reasoning`` adds before the answer."""
# A token of English is some three quarters of a word, a word some six characters.
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Task:
    """What a proposal is made from.

    Attributes:
        inferred: What the prompt's words say about the answer.
        evidence: Fields from elsewhere, if somebody named some.
    """

    template: Template
    text: PromptText
    inferred: Inferred
    evidence: Evidence | None
    options: Options

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self.template.front.model or self.options.price_as

    @property
    def priced_as(self) -> str | None:
        """The model whose price and tokenizer count."""
        return self.options.price_as or self.template.front.model

    @property
    def tokenizer(self) -> Tokenizer:
        return tokenizer_for(self.priced_as)

    @property
    def cap(self) -> int | None:
        """The prompt's own ``max_output_tokens``."""
        return self.template.front.params.max_output_tokens

    @property
    def lists(self) -> bool:
        """Whether the answer is a list, as the text asks for it: it has no key that a pointer could name."""
        return self.stated and self.inferred.wrapped

    @property
    def asked(self) -> bool:
        """Whether a model read the form."""
        return self.evidence is not None and self.evidence.asked is not None

    @property
    def stated(self) -> bool:
        """Whether the form is the one that the prompt's words state, whoever read them."""
        return self.evidence is None or self.evidence.asked is not None

    @property
    def remarks(self) -> tuple[str, ...]:
        """Doubts about the prompt's words, if fields from elsewhere replace what they say, and what asking cost."""
        if self.evidence is not None and self.evidence.asked is not None:
            return (self.evidence.asked.cost, *self.evidence.asked.notes)
        return self.inferred.problems if self.evidence is not None and self.inferred.fields else ()


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What an answer is to hold.

    Attributes:
        schema: The strict schema of the fields, in its cheap form.
        scored: The field that a suite scores.
        drops_explanation: Whether the prompt need no longer ask for an explanation: no field has one.
        unread_line: The line that asks for an explanation which nobody reads.
        explains: Whether the prompt asks for a free explanation besides the one field.
    """

    fields: tuple[Field, ...]
    schema: dict[str, Any]
    scored: Field
    drops_explanation: bool
    unread_line: int | None
    explains: bool


def answer_form(task: Task) -> AnswerForm:
    """The fields of the answer: a field of reasoning first if one is wanted, an explanation last if somebody reads it.

    Raises:
        SchemaError: Strict mode refuses their schema, or a suite expects a label that none of them can say.
    """
    evidence = Evidence(task.inferred.fields) if task.evidence is None else _named(task.evidence, task.inferred)
    fields = evidence.fields
    # What examples show with their answers is no order.
    asked = explanation_asked(instructions(task.text, Inferred()))
    has_one = any(EXPLAINS.search(item.name) or item.name in ("reason", "why") for item in fields)
    # A form in JSON is whole: an explanation that it has no key for is one of its values.
    in_json = task.stated and task.inferred.whole == "JSON"
    # What a model read is all that the answer has.
    wanted = not (has_one or in_json or task.asked) and not task.options.reasoning
    explains = bool(asked) and wanted and len(fields) == 1
    unread_line = None
    if asked and explains:
        line = task.text.line(asked.start())
        if isinstance(task.template.front.answer, PatternAnswer):
            unread_line = line
        else:
            explanation = Field("explanation", {"type": "string"}, f"asked for in line {line}", line)
            first = bool(FIRST.search(task.text.text))
            fields = (explanation, *fields) if first else (*fields, explanation)
            has_one = True
    if task.options.reasoning and not any(item.name == REASONING for item in fields):
        characters = task.options.reasoning * _CHARACTERS_PER_TOKEN
        reasoning = {"type": "string", "maxLength": characters, "description": f"at most {characters // 6} words"}
        fields = (Field(REASONING, reasoning, f"--reasoning {task.options.reasoning}"), *fields)
    schema = cheapen(replace(evidence, fields=fields).schema())
    if findings := strict_findings(schema):
        raise SchemaError(f"strict mode refuses the schema: {findings[0]}", path=task.template.path)
    scored = scored_of(fields, task.options.labels)
    _check_labels(scored, task)
    return AnswerForm(fields, schema, scored, not has_one, unread_line, explains)


def _check_labels(scored: Field, task: Task) -> None:
    labels = {str(label).casefold() for label in scored.schema.get("enum", ())}
    missing = [label for label in task.options.labels if label.casefold() not in labels]
    if labels and missing:
        raise SchemaError(
            f"the suite expects {', '.join(map(repr, missing[:5]))}, "
            f"which {scored.name!r} ({scored.source}) cannot say",
            path=task.template.path,
            remedy="correct the list of labels in the prompt or the expected values in the suite",
        )


def _named(evidence: Evidence, inferred: Inferred) -> Evidence:
    """A field that nobody named takes the name that the prompt gives to the same labels."""
    if len(evidence.fields) != 1 or evidence.fields[0].name != "answer":
        return evidence
    field_ = evidence.fields[0]
    labels = {str(label).casefold() for label in field_.schema.get("enum", ())}
    for item in inferred.fields:
        if labels and labels == {str(label).casefold() for label in item.schema.get("enum", ())}:
            return replace(evidence, fields=(replace(field_, name=item.name),))
    return evidence


def unscored(task: Task, form: AnswerForm) -> tuple[str, ...]:
    """The values that may each be what is scored, if nothing tells one from the others."""
    if is_scored(task, form) or task.lists:
        return ()
    return tuple(item.name for item in may_be_scored([item for item in form.fields if item.name != REASONING]))


def is_scored(task: Task, form: AnswerForm) -> bool:
    """Whether something says which value is scored: the prompt or a suite reads one, or no other value may be it."""
    values = [item for item in form.fields if item.name != REASONING]
    told = task.template.front.answer is not None or bool(task.options.labels) or len(values) == 1
    return told or (not task.asked and len(may_be_scored(values)) == 1)
