"""What is proposed for a prompt's answers, and how a proposal is wished for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptopt.compression.edit import Edit
from promptopt.schemas.codes import Codes
from promptopt.schemas.cost import SchemaCost
from promptopt.structured.fields import Field
from promptopt.templates import Template, versions
from promptopt.templates.versions import version_number

Form = Literal["schema", "text"]


@dataclass(frozen=True, slots=True)
class Economics:
    """What the change costs and saves in each call, in tokens of the model that is priced.

    Attributes:
        prose_tokens: Tokens of the prompt's text that went (less than 0: came).
        cost: Of the schema and of answers under it.
        schema_tokens: What the schema is billed in each call; 0 where the form is kept as text.
        break_even: Output tokens that an answer must be shorter by for a call to cost the same; 0 where the input
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
        form: ``schema``, or ``text`` where the prompt states the form of its answers already and a schema would only
            make calls dearer: the text stays, and answers are capped and read out.
        schema: What answers look like, coded where ``codes`` says so; the next version's ``output_schema`` where the
            form is ``schema``.
        fields: The fields, each with where it comes from.
        edits: What was taken out of the text and rewritten in it.
        answer: JSON pointer to what is scored, or a pattern that reads it; ``None`` for several texts.
        max_output_tokens: The cap; ``None`` where nothing bounds the answer.
        notes: What a person should know before taking it.
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
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the next version differs from the prompt at all."""
        return self.source != self.template.source

    def diff(self) -> str:
        """A unified diff from the prompt to its next version."""
        before, after = (text.splitlines(keepends=True) for text in (self.template.source, self.source))
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
        answer_tokens: Output tokens of the prompt's recorded answers, on average; ``None`` where there are none.
        labels: What a suite expects; the answer must be able to say each.
        price_as: The model whose price and tokenizer count.
    """

    reasoning: int | None = None
    codes: bool = False
    minify: bool = True
    form: Form | Literal["auto"] = "auto"
    answer_tokens: float | None = None
    labels: tuple[str, ...] = ()
    price_as: str | None = None


def next_version(template: Template) -> Path:
    """``v3.j2`` after ``v2.j2``; ``NAME.structured.j2`` for a prompt without versions."""
    path = Path(template.path)
    if version_number(path) is None:
        return path.with_name(f"{path.stem}.structured{path.suffix}")
    return versions.next_version(path)
