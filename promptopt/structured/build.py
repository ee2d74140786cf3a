"""From a prompt that is answered in prose to its next version, answered in strict JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from promptopt.compression.edit import Edit
from promptopt.compression.judge import apply
from promptopt.errors import SchemaError, UsageError
from promptopt.schemas import strict_findings
from promptopt.schemas.codes import Codes, code_schema
from promptopt.schemas.cost import SchemaCost, advice, cheapen, output_cap, schema_cost, with_headroom
from promptopt.structured.field_sources import Evidence
from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.infer import infer
from promptopt.structured.json_blocks import answer_blocks
from promptopt.structured.proposal import Economics, Options, Structured, next_version
from promptopt.structured.reasoning import needs_reasoning
from promptopt.structured.redundant_format import CODE, carried_edits, example_edits
from promptopt.structured.text_form import block_edits, reading, text_cap
from promptopt.templates import Template
from promptopt.templates.answer import PatternAnswer
from promptopt.templates.front_edit import set_front_matter
from promptopt.templates.frontmatter import front_matter_end
from promptopt.templates.source import read_source, same_code
from promptopt.tokens import tokenizer_for

MINIFY = "Minify the JSON."
REASONING = "reasoning"
_EXPLAINS = re.compile(
    r"\b(?:explanation\b|explain\b|justif\w+|rationale\b|reasons? for\b|and why(?=\s*\?))", re.IGNORECASE
)
_NO_EXPLANATION = re.compile(
    r"\b(?:no|not|n['’]t|without|never|ignore|omit|skip)\b[^.\n]{0,40}\b(?:expla\w+|justif\w+|rationale|reasons)\b",
    re.IGNORECASE,
)
# Sources of fields that the text wants as JSON; sections, labels and tables it wants as they are.
_JSON_SOURCE = re.compile(r"JSON|key\b")
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
    if options.form == "text" and evidence is not None:
        raise UsageError("--form text keeps the form that the prompt states; a form from elsewhere needs a schema")
    if template.front.output_schema is not None:
        raise UsageError(f"{template.path} has an output_schema already; see `promptopt schema check {template.path}`")
    document = PromptText.of(template.source)
    why = reason_to_reason(template)
    if why is not None and options.reasoning is None:
        raise UsageError(
            f"{template.path}: {why}; bare answers would lose it. Keep it with --reasoning 100 (a field before the "
            "answer, 100 tokens long), or measure what is lost with --reasoning 0 --suite SUITE"
        )
    inferred = infer(template.source, examples=False)
    if evidence is None and not inferred.fields:
        raise SchemaError(
            f"cannot infer the form of the answer: {'; '.join(inferred.problems)}",
            path=template.path,
            remedy="name it: --schema FILE, --schema module:Model, --from-recordings, --suite SUITE or --ask MODEL",
        )
    return _Proposal(template, document, inferred, evidence, options).build()


def reason_to_reason(template: Template) -> str | None:
    """Why the prompt's task needs reasoning; ``None`` where nothing says so."""
    return needs_reasoning(PromptText.of(template.source, examples=False))


class _Proposal:
    def __init__(
        self, template: Template, document: PromptText, inferred: Inferred, evidence: Evidence | None, options: Options
    ) -> None:
        self._template = template
        self._document = document
        self._evidence = _named(evidence, inferred) if evidence else Evidence(inferred.fields)
        self._inferred = replace(inferred, fields=self._evidence.fields) if evidence else inferred
        self._options = options
        self._named = evidence is not None
        self._free_text = False
        self._model = options.price_as if template.front.model is None else template.front.model
        self._tokenizer = tokenizer_for(options.price_as or template.front.model)
        self._notes: list[str] = list(inferred.problems) if evidence and inferred.fields else []

    def build(self) -> Structured:
        fields, explained = self._fields()
        evidence = replace(self._evidence, fields=fields)
        schema = cheapen(evidence.schema())
        if findings := strict_findings(schema):
            raise SchemaError(f"strict mode refuses the schema: {findings[0]}", path=self._template.path)
        scored = self._scored(fields)
        self._check_labels(scored)
        if self._options.form == "text":
            return self._as_text(fields, scored, schema)
        proposal = self._as_schema(fields, scored, schema, explained=explained)
        if self._options.form == "schema" or self._pays(proposal.economics):
            return proposal
        return self._as_text(fields, scored, schema, proposal.economics)

    def _pays(self, economics: Economics) -> bool:
        """Whether a schema makes calls cheaper, as far as the recorded answers or else the prompt alone can tell.

        Where the text states the form, answers have it already and there is next to no output to save; where it asks
        for a label and an explanation that nobody reads, there is. Who names a schema wants one.
        """
        wanted = self._named or self._options.codes or self._options.reasoning
        if wanted or economics.input_difference <= 0:
            return True
        now = self._options.answer_tokens
        if now is None:
            now = _FREE_TEXT_TOKENS if self._free_text else 0
        ratio = economics.input_difference * _USUAL_RATIO
        needed = ratio if economics.break_even is None else economics.break_even
        return now - economics.cost.typical_tokens > needed

    def _as_schema(
        self, fields: tuple[Field, ...], scored: Field, schema: dict[str, Any], *, explained: bool
    ) -> Structured:
        edits = carried_edits(self._document, replace(self._inferred, fields=fields), drop_explanation=not explained)
        shown = [item for item in fields if item.name != REASONING]
        if len(shown) == 1 and len(fields) == 1:
            edits += example_edits(self._template.source, scored.name, scored.schema)
        edits = _without_overlaps(edits)
        codes, notes = Codes(), list(self._notes)
        coded, possible = code_schema(schema, self._tokenizer)
        if possible and self._options.codes:
            schema, codes = _with_tables(coded, possible), possible
        elif possible:
            notes.append("labels or keys are several tokens each: --codes would shorten answers")
        notes.extend(advice(schema))
        source = self._source(edits, minify=not any(edit.new for edit in edits))
        cost = schema_cost(schema, self._tokenizer)
        pointer = reading(fields, scored, json_form=True)
        cap = self._cap(cost, fields, notes)
        front: dict[str, Any] = {"max_output_tokens": cap, "answer": pointer, "output_schema": schema}
        if codes:
            front["output_codes"] = codes.to_dict()
        return Structured(
            template=self._template,
            source=set_front_matter(source, front),
            path=next_version(self._template),
            schema=schema,
            fields=fields,
            edits=tuple(edits),
            economics=self._economics(source, cost, cost.input_tokens),
            answer=pointer,
            max_output_tokens=cap,
            codes=codes,
            notes=tuple(dict.fromkeys(notes)),
        )

    def _as_text(
        self, fields: tuple[Field, ...], scored: Field, schema: dict[str, Any], dearer: Economics | None = None
    ) -> Structured:
        """The form as the prompt states it: no schema is billed, and nothing keeps the model to it."""
        front = self._template.front
        json_form = all(_JSON_SOURCE.match(item.source) for item in fields)
        edits = _without_overlaps(list(block_edits(self._document))) if json_form and self._options.minify else []
        cost = schema_cost(schema, self._tokenizer)
        shown = bool(answer_blocks(self._document))
        source = self._source(edits, minify=json_form and not shown)
        notes = list(self._notes)
        if dearer is not None:
            recorded = self._options.answer_tokens
            short = "have their form already" if recorded is None else f"take {recorded:.1f} tokens as recorded"
            notes.append(
                f"kept as text: a schema would be billed {dearer.schema_tokens} tokens, {dearer.input_difference} more "
                f"than it replaces, and answers {short}; --form schema guarantees it"
            )
        cap = output_cap(cost, self._model) if json_form else text_cap(fields, self._tokenizer)
        if cap is not None and not json_form:
            cap = with_headroom(cap, self._model)
        if front.params.max_output_tokens is not None:
            cap = min(cap or front.params.max_output_tokens, front.params.max_output_tokens)
        changes: dict[str, Any] = {}
        if cap != front.params.max_output_tokens:
            changes["max_output_tokens"] = cap
        answer = None if front.answer is not None else reading(fields, scored, json_form=json_form)
        if answer is not None:
            changes["answer"] = answer
        return Structured(
            template=self._template,
            source=set_front_matter(source, changes) if changes else source,
            path=next_version(self._template),
            schema=schema,
            fields=fields,
            edits=tuple(edits),
            economics=self._economics(source, cost, 0),
            answer=answer,
            max_output_tokens=cap,
            form="text",
            notes=tuple(dict.fromkeys(notes)),
        )

    def _fields(self) -> tuple[tuple[Field, ...], bool]:
        """The fields with a reasoning field first where one is wanted, and whether an explanation stays asked for."""
        fields = self._evidence.fields
        text = self._document.text
        asked = _EXPLAINS.search(_NO_EXPLANATION.sub("", text))
        has_one = any(_EXPLAINS.search(item.name) or item.name in ("reason", "why") for item in fields)
        explained = has_one
        if asked and not has_one and not self._options.reasoning and len(fields) == 1:
            self._free_text = True
            line = self._document.line(asked.start())
            if isinstance(self._template.front.answer, PatternAnswer):
                self._notes.append(
                    f"line {line}: an explanation is asked for that `answer:` never reads; it is left out"
                )
            else:
                fields = (*fields, Field("explanation", {"type": "string"}, f"asked for in line {line}", line))
                explained = True
        if self._options.reasoning and not any(item.name == REASONING for item in fields):
            characters = self._options.reasoning * _CHARACTERS_PER_TOKEN
            first = {"type": "string", "maxLength": characters, "description": f"at most {characters // 6} words"}
            fields = (Field(REASONING, first, f"--reasoning {self._options.reasoning}"), *fields)
        return fields, explained

    def _scored(self, fields: Sequence[Field]) -> Field:
        """The field that a suite scores: the one that can say its labels, else the first enum, else the first."""
        wanted = {label.casefold() for label in self._options.labels}
        candidates = [item for item in fields if item.name != REASONING]
        enums = [item for item in candidates if "enum" in item.schema]
        for item in enums:
            if wanted and wanted <= {str(label).casefold() for label in item.schema["enum"]}:
                return item
        return (enums or candidates)[0]

    def _check_labels(self, scored: Field) -> None:
        labels = {str(label).casefold() for label in scored.schema.get("enum", ())}
        missing = [label for label in self._options.labels if label.casefold() not in labels]
        if labels and missing:
            raise SchemaError(
                f"the suite expects {', '.join(map(repr, missing[:5]))}, "
                f"which {scored.name!r} ({scored.source}) cannot say",
                path=self._template.path,
                remedy="correct the list of labels in the prompt or the expected values in the suite",
            )

    def _source(self, edits: Sequence[Edit], *, minify: bool) -> str:
        source = apply(self._template.source, edits)
        if not same_code(source, self._template.source):
            raise AssertionError("an edit touched the template's tags")
        if edits:
            source = re.sub(r"\n{3,}", "\n\n", source)
        # Examples of minified JSON are the better directive.
        return _with_directive(source) if minify and self._options.minify else source

    def _cap(self, cost: SchemaCost, fields: Sequence[Field], notes: list[str]) -> int | None:
        front = self._template.front
        cap = output_cap(cost, self._model)
        if cap is None:
            free = [item.name for item in fields if item.schema.get("type") in ("string", "array")]
            kept = (
                f"the prompt's own {front.params.max_output_tokens} stays"
                if front.params.max_output_tokens
                else "none is set"
            )
            notes.append(f"max_output_tokens: nothing bounds {', '.join(free) or 'the answer'}; {kept}")
            return front.params.max_output_tokens
        return cap

    def _economics(self, source: str, cost: SchemaCost, schema_tokens: int) -> Economics:
        from promptopt.prices import find_price

        before, after = (
            self._tokenizer.count(text[front_matter_end(text) :]) for text in (self._template.source, source)
        )
        model = self._options.price_as or self._template.front.model
        price = find_price(model) if model else None
        more = schema_tokens - (before - after)
        ratio = None if price is None else float(price.input_mtok / price.output_mtok)
        return Economics(before - after, cost, schema_tokens, None if ratio is None else max(0.0, more * ratio))


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


def _with_tables(coded: dict[str, Any], codes: Codes) -> dict[str, Any]:
    """The coded schema with what its codes stand for, where the model reads it."""

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


def _with_directive(source: str) -> str:
    """The wish for minified JSON, after the last words of the first chat block, or of a prompt without blocks."""
    if chats := read_source(source).chats:
        end = chats[0].body_end
        return f"{source[:end].rstrip()} {MINIFY}{source[len(source[:end].rstrip()) :].lstrip(' ')}"
    return f"{source.rstrip()}\n{MINIFY}\n"


__all__ = ["CODE", "Economics", "Options", "Structured", "next_version", "structure"]
