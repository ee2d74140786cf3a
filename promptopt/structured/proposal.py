"""What is proposed for a prompt's answers, and the options of a proposal."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptopt.compression.edit import Edit
from promptopt.schemas.codes import Codes
from promptopt.schemas.cost import SchemaCost
from promptopt.structured.edits.directive import NO_PLACE
from promptopt.structured.fields import Field
from promptopt.templates import Template

Form = Literal["schema", "text"]


@dataclass(frozen=True, slots=True)
class Economics:
    """What the change costs and saves in each call, in tokens of the model that is priced.

    Attributes:
        prose_tokens: Tokens of the prompt's text that went (less than 0: came).
        cost: Of the schema and of answers under it.
        schema_tokens: What the schema is billed in each call; 0 if the form is kept as text.
        break_even: Output tokens that an answer must be shorter by for a call to cost the same; 0 if the input
            shrinks; ``None`` for an unpriced model.
    """

    prose_tokens: int
    cost: SchemaCost
    schema_tokens: int
    break_even: float | None

    @property
    def input_difference(self) -> int:
        """Input tokens that a call has more."""
        return self.schema_tokens - self.prose_tokens


@dataclass(frozen=True, slots=True)
class Structured:
    """A proposal.

    Attributes:
        template: The prompt as it is.
        source: The next version.
        path: The file it would be written to.
        form: ``schema``, or ``text`` if the prompt states the form of its answers already and a schema would only
            make calls cost more: the text stays, and answers are capped and read out.
        schema: What answers look like, coded if ``codes`` says so; the next version's ``output_schema`` if the
            form is ``schema``.
        fields: The fields, each with where it comes from.
        edits: What was taken out of the text and rewritten in it.
        answer: JSON pointer to what is scored, or a pattern that reads it; ``None`` for several texts.
        max_output_tokens: The cap; ``None`` if nothing bounds the answer.
        remarks: Doubts about the prompt's words and advice about the schema.
        unread_line: The line of the prompt that asks for an explanation which ``answer:`` never reads: it is left out.
        unscored: Fields of which each may be what a suite scores, so that no ``answer`` is set.
        codes_possible: Whether codes would shorten labels or keys and are not used.
        unbounded: Fields of which nothing bounds the length, so that no cap could be computed.
        rejected: What a schema would cost that was considered and not taken, because answers would save too little.
        answer_tokens: Output tokens of the recorded answers, on average; ``None`` without recordings.
        as_written: The prompt's file, if that is a Python format string and ``template`` the Jinja that it stands for.
        unwished: Whether minified JSON is wanted, and the prompt has no place to say so.
        form_left: What of the text still asks for another form than the schema's, with its line.
    """

    template: Template
    source: str
    path: Path
    schema: dict[str, Any]
    fields: tuple[Field, ...]
    edits: tuple[Edit, ...]
    economics: Economics
    answer: str | None
    max_output_tokens: int | None
    form: Form = "schema"
    codes: Codes = field(default_factory=Codes)
    remarks: tuple[str, ...] = ()
    unread_line: int | None = None
    unscored: tuple[str, ...] = ()
    codes_possible: bool = False
    unbounded: tuple[str, ...] = ()
    rejected: Economics | None = None
    answer_tokens: float | None = None
    as_written: str | None = None
    unwished: bool = False
    form_left: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before taking it, in sentences."""
        found = list(self.remarks)
        if self.as_written is not None:
            line = self.as_written.count("\n", 0, self.as_written.index("{{")) + 1
            found.append(
                f"line {line}: doubled braces: read as a Python format string, in which they are braces and {{name}} is "
                "a variable, as is each expression, called after what it looks up; the next version is the same in Jinja"
            )
        if self.unread_line is not None:
            found.append(
                f"line {self.unread_line}: an explanation is asked for that `answer:` never reads; it is left out"
            )
        if self.unscored:
            names = ", ".join(self.unscored)
            found.append(f"answer: is not set; name what a suite scores, if one does ({names})")
        if self.codes_possible:
            found.append("labels or keys are several tokens each: --codes would shorten answers")
        if self.unbounded:
            cap = self.max_output_tokens
            kept = f"the prompt's own {cap} stays" if cap else "none is set"
            found.append(f"max_output_tokens: nothing bounds {', '.join(self.unbounded)}; {kept}")
        if self.rejected is not None:
            now = self.answer_tokens
            short = "have their form already" if now is None else f"take {now:.1f} tokens as recorded"
            found.append(
                f"kept as text: a schema would be billed {self.rejected.schema_tokens} tokens, "
                f"{self.rejected.input_difference} more than it replaces, and answers {short}; --form schema "
                "guarantees it"
            )
        if self.form_left is not None:
            stays = self.form == "text"
            found.append(f"kept as text: {self.form_left}" if stays else f"{self.form_left}; change it by hand")
        if self.unwished:
            found.append(NO_PLACE)
        return tuple(dict.fromkeys(found))

    @property
    def changes(self) -> bool:
        """Whether the next version differs from the prompt at all."""
        return self.source != self.template.source

    def diff(self) -> str:
        """A unified diff from the prompt to its next version."""
        written = self.as_written or self.template.source
        before, after = (text.splitlines(keepends=True) for text in (written, self.source))
        return "".join(difflib.unified_diff(before, after, self.template.path, str(self.path)))


@dataclass(frozen=True, slots=True)
class Options:
    """How a prompt is to be structured.

    Attributes:
        reasoning: Tokens that a ``reasoning`` field before the answer may have; 0 for none, whatever the task;
            ``None`` to refuse tasks that need one.
        codes: Code labels and keys of several tokens.
        minify: Ask for minified JSON.
        form: ``schema``, ``text`` (as the prompt states it, capped and read out), or ``auto`` for the cheaper one.
        answer_tokens: Output tokens of the prompt's recorded answers, on average; ``None`` if there are none.
        labels: What a suite expects; the answer must be able to say each.
        as_written: The prompt's file, if it is a Python format string.
        price_as: The model whose price and tokenizer count.
    """

    reasoning: int | None = None
    codes: bool = False
    minify: bool = True
    form: Form | Literal["auto"] = "auto"
    answer_tokens: float | None = None
    labels: tuple[str, ...] = ()
    as_written: str | None = None
    price_as: str | None = None
