"""The next version of a prompt: under a strict schema, or in the form that its text states."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptopt.compression.edit import Edit, apply
from promptopt.schemas.codes import Codes, code_schema
from promptopt.schemas.cost import SchemaCost, advice, output_cap, schema_cost, with_headroom
from promptopt.structured.completeness import wants_json
from promptopt.structured.edits.carried import carried_edits
from promptopt.structured.edits.directive import in_first_block, minify_place, with_directive
from promptopt.structured.edits.layout import form_left
from promptopt.structured.edits.shown_json import block_edits, example_edits
from promptopt.structured.edits.whole_edits import whole, without_empty_sections
from promptopt.structured.proposal import Economics, Structured
from promptopt.structured.readers.json_blocks import answer_blocks
from promptopt.structured.scored_field import reading, text_cap
from promptopt.structured.task import AnswerForm, Task, is_scored, unscored
from promptopt.templates import Template
from promptopt.templates.frontmatter import front_matter_end, set_front_matter
from promptopt.templates.names import next_version, version_number
from promptopt.templates.source import same_code


def as_schema(task: Task, form: AnswerForm) -> Structured:
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
    pointer = reading(form.fields, form.scored, json_form=True) if is_scored(task, form) else None
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
        unscored=unscored(task, form),
        unbounded=tuple(free) or ("the answer",) if cap is None else (),
        form_left=left,
        as_written=task.options.as_written,
        unwished=unwished,
    )


def _parts_left(task: Task, edits: Sequence[Edit]) -> str | None:
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


def as_text(task: Task, form: AnswerForm, rejected: Economics | None = None) -> Structured:
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
    if task.template.front.answer is None and not task.lists and is_scored(task, form):
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
        unscored=unscored(task, form),
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


def _edited(task: Task, edits: Sequence[Edit], *, minify: bool) -> tuple[str, bool]:
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


def _economics(task: Task, source: str, cost: SchemaCost, schema_tokens: int) -> Economics:
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
