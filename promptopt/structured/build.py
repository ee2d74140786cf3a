"""From a prompt that is answered in prose to its next version, answered in strict JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptopt.compression.edit import Edit, apply
from promptopt.errors import SchemaError, UsageError
from promptopt.schemas import strict_findings
from promptopt.schemas.codes import Codes, code_schema
from promptopt.schemas.cost import SchemaCost, advice, cheapen, output_cap, schema_cost, with_headroom
from promptopt.structured.completeness import wants_json
from promptopt.structured.edits.carried import carried_edits
from promptopt.structured.edits.directive import minify_place, with_directive
from promptopt.structured.edits.directive_in_chat import in_first_block
from promptopt.structured.edits.form_left import form_left
from promptopt.structured.edits.shown_json import block_edits, example_edits
from promptopt.structured.edits.whole_edits import whole, without_empty_sections
from promptopt.structured.explanations import EXPLAINS, FIRST, explanation_asked, prose_of
from promptopt.structured.field_sources import Evidence
from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Economics, Options, Structured
from promptopt.structured.readers.json_blocks import answer_blocks
from promptopt.structured.reasoning import keeps_reasoning, needs_reasoning
from promptopt.structured.scored_field import may_be_scored, reading, scored_of, text_cap
from promptopt.structured.witness.accounts import instructions
from promptopt.templates import Template
from promptopt.templates.answer import PatternAnswer
from promptopt.templates.frontmatter import front_matter_end, set_front_matter
from promptopt.templates.names import next_version, version_number
from promptopt.templates.source import same_code
from promptopt.tokens import Tokenizer, tokenizer_for

REASONING = "reasoning"
# What a label with an explanation in a sentence takes: 35 and 57 tokens for two suites of the real small model.
_FREE_TEXT_TOKENS = 35
# Output costs four to six times what input does; for models without a price.
_USUAL_RATIO = 0.25
# A token of English is some three quarters of a word, a word some six characters.
_CHARACTERS_PER_TOKEN = 4


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
    why = (asked.reasoning if asked else "") or reason_to_reason(template)
    named = evidence is not None and asked is None
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
    task = _Task(template, PromptText.of(template.source), inferred, evidence, options)
    form = _answer_form(task)
    if options.form == "text":
        return _as_text(task, form)
    proposal = _as_schema(task, form)
    explicit = options.form == "schema" or options.codes or options.reasoning
    # Who lets a model read it and wants the schema all the same is told the line.
    if proposal.form_left is not None and task.stated and not (explicit and task.asked):
        if explicit:
            raise SchemaError(proposal.form_left, path=template.path, remedy="--form text keeps the form of the prompt")
        return replace(_as_text(task, form), form_left=proposal.form_left)
    if options.form == "schema" or _pays(task, form, proposal.economics):
        return proposal
    return _as_text(task, form, rejected=proposal.economics)


def _reasons_first(template: Template, inferred: Inferred) -> bool:
    """Whether the one value comes after an explanation that the prompt asks for and somebody reads."""
    text = PromptText.of(template.source, examples=False).text
    asked = EXPLAINS.search(prose_of(text))
    bare = len(inferred.fields) == 1 and not inferred.whole
    return bare and asked is not None and FIRST.search(text) is not None and template.front.answer is None


def reason_to_reason(template: Template) -> str | None:
    """Why the prompt's task needs reasoning; ``None`` if nothing says so."""
    return needs_reasoning(PromptText.of(template.source, examples=False))


@dataclass(frozen=True, slots=True)
class _Task:
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
            return (self.evidence.asked.cost, *self.evidence.asked.mistaken)
        return self.inferred.problems if self.evidence is not None and self.inferred.fields else ()


@dataclass(frozen=True, slots=True)
class _AnswerForm:
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


def _answer_form(task: _Task) -> _AnswerForm:
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
    return _AnswerForm(fields, schema, scored, not has_one, unread_line, explains)


def _check_labels(scored: Field, task: _Task) -> None:
    labels = {str(label).casefold() for label in scored.schema.get("enum", ())}
    missing = [label for label in task.options.labels if label.casefold() not in labels]
    if labels and missing:
        raise SchemaError(
            f"the suite expects {', '.join(map(repr, missing[:5]))}, "
            f"which {scored.name!r} ({scored.source}) cannot say",
            path=task.template.path,
            remedy="correct the list of labels in the prompt or the expected values in the suite",
        )


def _pays(task: _Task, form: _AnswerForm, economics: Economics) -> bool:
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


def _as_schema(task: _Task, form: _AnswerForm) -> Structured:
    """The form as a strict schema; what the text said about it is removed."""
    inferred = replace(task.inferred, fields=form.fields)
    edits = carried_edits(task.text, inferred, drop_explanation=form.drops_explanation)
    if [item.name for item in form.fields] == [form.scored.name]:
        edits += example_edits(task.template.source, form.scored.name, form.scored.schema)
    edits = without_empty_sections(list(whole(_without_overlaps(edits), task.text.text)), task.text.text)
    left = form_left(task.text, task.inferred, edits) or (_parts_left(task, edits) if task.asked else None)
    coded, possible = code_schema(form.schema, task.tokenizer)
    uses_codes = bool(possible) and task.options.codes
    schema = _with_tables(coded, possible) if uses_codes else form.schema
    codes = possible if uses_codes else Codes()
    # Examples of minified JSON are the better directive.
    source, unwished = _edited(task, edits, minify=not any(edit.new.startswith("{") for edit in edits))
    cost = schema_cost(schema, task.tokenizer)
    cap = output_cap(cost, task.model)
    free = [item.name for item in form.fields if _is_free(item.schema)]
    pointer = reading(form.fields, form.scored, json_form=True) if _is_scored(task, form) else None
    front: dict[str, Any] = {
        "max_output_tokens": task.cap if cap is None else cap,
        "answer": pointer,
        "output_schema": schema,
    }
    if codes:
        front["output_codes"] = codes.to_dict()
    return Structured(
        template=task.template,
        source=set_front_matter(source, front),
        path=_next_path(task.template),
        schema=schema,
        fields=form.fields,
        edits=tuple(edits),
        economics=_economics(task, source, cost, cost.input_tokens),
        answer=pointer,
        max_output_tokens=front["max_output_tokens"],
        codes=codes,
        remarks=(*task.remarks, *advice(schema)),
        unread_line=form.unread_line,
        codes_possible=bool(possible) and not uses_codes,
        unscored=_unscored(task, form),
        unbounded=tuple(free) or ("the answer",) if cap is None else (),
        form_left=left,
        as_written=task.options.as_written,
        unwished=unwished,
    )


def _parts_left(task: _Task, edits: Sequence[Edit]) -> str | None:
    """The first part of a text that a model read and that stays: a labelled line or a tag, which JSON has not."""
    if task.inferred.whole != "labels":
        return None
    text = task.text
    for span in task.inferred.covered:
        part = _PART.search(text.text, span.start, span.end)
        if part and not any(edit.start <= part.start() < edit.end for edit in edits):
            said = " ".join(text.text[span.start : span.end].split())[:60]
            return f"line {text.line(span.start)}: {said!r} asks for another form than the schema's"
    return None


_PART = re.compile(r"<[A-Za-z][\w -]*>|^[^\w\n]*[A-Za-z][\w -]{0,40}:(?!\w)", re.MULTILINE)


def _unscored(task: _Task, form: _AnswerForm) -> tuple[str, ...]:
    """The values that may each be what is scored, if nothing tells one from the others."""
    if _is_scored(task, form) or task.lists:
        return ()
    return tuple(item.name for item in may_be_scored([item for item in form.fields if item.name != REASONING]))


def _is_scored(task: _Task, form: _AnswerForm) -> bool:
    """Whether something says which value is scored: the prompt or a suite reads one, or no other value may be it."""
    values = [item for item in form.fields if item.name != REASONING]
    told = task.template.front.answer is not None or bool(task.options.labels) or len(values) == 1
    return told or (not task.asked and len(may_be_scored(values)) == 1)


def _as_text(task: _Task, form: _AnswerForm, rejected: Economics | None = None) -> Structured:
    """The form as the prompt states it: no schema is billed, and nothing keeps the model to it.

    Args:
        rejected: What a schema would cost, if it was considered.
    """
    json_form = task.inferred.whole == "JSON"
    edits = _without_overlaps(list(block_edits(task.text))) if json_form and task.options.minify else []
    cost = schema_cost(form.schema, task.tokenizer)
    source, unwished = _edited(task, edits, minify=json_form and not answer_blocks(task.text))
    if json_form and task.inferred.beside is None:
        cap = output_cap(cost, task.model)
    elif json_form or task.inferred.beside is not None:
        cap = None
    elif form.explains or task.inferred.whole or wants_json(task.text) or not _BARE.search(task.text.text):
        # A bare value is not all of the answer, or nothing says that it is.
        cap = None
    elif (cap := text_cap(form.fields, task.tokenizer)) is not None:
        cap = with_headroom(cap, task.model)
    if task.cap is not None:
        cap = min(cap or task.cap, task.cap)
    answer = None
    if task.template.front.answer is None and not task.lists and _is_scored(task, form):
        answer = reading(form.fields, form.scored, json_form=json_form)
    changes: dict[str, Any] = {} if cap == task.cap else {"max_output_tokens": cap}
    if answer is not None:
        changes["answer"] = answer
    return Structured(
        template=task.template,
        source=set_front_matter(source, changes) if changes else source,
        path=_next_path(task.template),
        schema=form.schema,
        fields=form.fields,
        edits=tuple(edits),
        economics=_economics(task, source, cost, 0),
        answer=answer,
        max_output_tokens=cap,
        form="text",
        remarks=task.remarks,
        unread_line=form.unread_line,
        unscored=_unscored(task, form),
        rejected=rejected,
        answer_tokens=task.options.answer_tokens,
        as_written=task.options.as_written,
        unwished=unwished,
    )


# "Reply with only the label", "in one word", "nothing else"
_BARE = re.compile(
    r"\b(?:only|just|solely|simply|strictly|nothing (?:else|but|more|except|other)|exactly one|(?:one|single|a) (?:word|label|letter|number|digit|token|integer|category|class|option|score|value)|without (?:any )?(?:expla\w+|further|other|additional|quotes|punctuation)"
    r"|no (?:expla\w+|reasons?|reasoning|other|further|additional|extra|prose|preamble|commentary|markdown|punctuation)|(?:do not|don['’]t|never) (?:explain|add|write|include|output|say)|one of the following|one of these|must be (?:one of|exactly|either)|(?:answer|respond|reply|label|verdict|category|sentiment|score|rating|classification|result|output) ?:)",
    re.IGNORECASE,
)


def _edited(task: _Task, edits: Sequence[Edit], *, minify: bool) -> tuple[str, bool]:
    """The prompt's source with the edits and the wish for minified JSON, and whether there was no place for the wish."""
    source = apply(task.template.source, edits)
    if not same_code(source, task.template.source):
        raise AssertionError("an edit touched the template's tags")
    wished = None
    if minify and task.options.minify:
        wished = with_directive(source, minify_place(task.text), edits)
        if wished is None:
            wished = in_first_block(source)
    unwished = minify and task.options.minify and wished is None
    source = source if wished is None else wished
    return (re.sub(r"\n{3,}", "\n\n", source) if edits else source), unwished


def _economics(task: _Task, source: str, cost: SchemaCost, schema_tokens: int) -> Economics:
    from promptopt.prices import find_price

    before, after = (task.tokenizer.count(text[front_matter_end(text) :]) for text in (task.template.source, source))
    price = find_price(task.priced_as) if task.priced_as else None
    more = schema_tokens - (before - after)
    ratio = None if price is None else float(price.input_mtok / price.output_mtok)
    return Economics(before - after, cost, schema_tokens, None if ratio is None else max(0.0, more * ratio))


def _next_path(template: Template) -> Path:
    """``v3.j2`` after ``v2.j2``; ``NAME.structured.j2`` for a prompt without versions."""
    path = Path(template.path)
    if version_number(path) is None:
        return path.with_name(f"{path.stem}.structured{path.suffix}")
    return next_version(path)


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


def _without_overlaps(edits: Sequence[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def _is_free(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return "enum" not in schema and not {"string", "array"}.isdisjoint(kinds)


def _with_tables(coded: dict[str, Any], codes: Codes) -> dict[str, Any]:
    """The coded schema with what its codes stand for in the descriptions, which the model reads."""

    def visit(node: Any, path: str) -> Any:
        if not isinstance(node, dict):
            return node
        if path in codes.values:
            table = " ".join(f"{number}={label}" for number, label in enumerate(codes.values[path]))
            described = f"{node['description']}: " if "description" in node else ""
            return {**node, "description": described + table}
        changed = dict(node)
        if isinstance(node.get("properties"), dict):
            changed["properties"] = {name: visit(child, f"{path}/{name}") for name, child in node["properties"].items()}
        if "items" in node:
            changed["items"] = visit(node["items"], f"{path}/*")
        return changed

    visited = visit(coded, "")
    assert isinstance(visited, dict)
    return visited
