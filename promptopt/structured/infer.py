"""The form of an answer out of a prompt's words, without a model: what is certain, else nothing and the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from promptopt.structured.completeness import asks_for_more
from promptopt.structured.fields import (
    Field,
    Inferred,
    PromptText,
    Span,
    TooSlow,
    UnreadForm,
    conditional,
    of_fields,
)
from promptopt.structured.guard.rules import doubted
from promptopt.structured.other_form import other_form
from promptopt.structured.prose.choices import Choice, choices
from promptopt.structured.prose.formats import with_formats, with_steps
from promptopt.structured.prose.list_counts import with_count_of_items, with_counts
from promptopt.structured.prose.ranges import numbers, scale
from promptopt.structured.readers.bare_values import from_values, plain_order
from promptopt.structured.readers.blank_forms import criteria_scores, form_lines, with_told
from promptopt.structured.readers.free_keys import keys_of_labels
from promptopt.structured.readers.headings import bold_sections, plain_headings, told_parts
from promptopt.structured.readers.json_blocks import ORDERS_JSON, Block
from promptopt.structured.readers.json_blocks import blocks as json_blocks
from promptopt.structured.readers.label_lines import bracket_labels, label_lines, quoted_verdicts, with_reasoning
from promptopt.structured.readers.labelled import forms, read_pattern
from promptopt.structured.readers.lists_of_texts import list_of_them, several_labels, with_commas
from promptopt.structured.readers.pseudo_json import merge
from promptopt.structured.readers.refine import (
    refined,
    refined_field,
)
from promptopt.structured.readers.sections import headed, parted, ruled, sections, tables, titled
from promptopt.structured.readers.set_apart import bracketed, delimited, ending, lettered_end, tuples
from promptopt.structured.readers.tags import tagged
from promptopt.structured.readers.told_keys import items_told, items_under_key, told_keys
from promptopt.structured.readers.variants import (
    check_described,
    check_one_form,
    each_of_list,
    with_nulls,
    with_variants,
    without_samples,
    without_values,
)
from promptopt.structured.readers.verdict_lines import (
    numbered_lines,
    verdict_line,
    verdict_then_why,
    verdict_with_detail,
)
from promptopt.structured.unread import form_in_variable, format_in_variable, part_beside, unread_json, why_unread
from promptopt.structured.witness.second_reading import gainsaid

# Two lists of labels that share this much are meant to be one list.
_SAME_LIST = 0.5
MOST_CHARACTERS = 400_000
"""Of a prompt's source; a longer one is data."""
_FREE_KEYS = re.compile(
    r"\b(?:string|numeric|integer|number) keys\b|\bkeys? (?:must |should )?match(?:es|ing)? (?:the )?(?:input|index|id)"
    r"|\bkeys are (?:the )?\w+ (?:ids?|names|indices)\b|\bwith (?:the |each )?(?:<\w+>|(?:\w+ )?(?:ids?|index|indices)) as (?:the )?keys?\b"
    r"|\bwith (?:the |these |its |all )?(?:[\w-]+ ){0,2}(?:criteria|aspects|dimensions|categories|metrics|topics|questions|items|attributes|names|labels) as (?:the |its )?keys?\b"
    r"|\b(?:json|object|dict(?:ionary)?)\b[^.\n]{0,30}\b(?:mapp?(?:s|ing)? (?:the |each |every |all )?[^.\n]{1,40}? to|keyed by)\b|\beach [<\w> ]{1,30} (?:should |must |will )?maps? to an? (?:json )?object\b",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"^[ \t]*\w+: (?:List|Literal|Optional|Union|Dict)\[[^\n]*\] = Field\(", re.MULTILINE)
# An object is shown, or the keys are spoken of.
_KEYS_MEANT = re.compile(
    r"\{\s*[\"']?\w+[\"']?\s*:\s*\S|\b(?:keys|fields|properties)\b|\bjson\b(?: \w+)? (?:with|containing) (?:an? |the )?\w+ ?[(,]",
    re.IGNORECASE,
)
_ROWS = re.compile(r"\bone (?:json )?object (?:per|on each|a) line\b|\bjson ?lines\b|\bjsonl\b", re.IGNORECASE)
_SEVERAL_FORMS = re.compile(
    r"\b(?:exactly )?(?:one|either) of (?:the |these )?(?:following )?(?:two|three|four|following) (?:formats|templates|forms|structures|response types)\b",
    re.IGNORECASE,
)
_OTHER_FORM = re.compile(
    r"\b(?:valid yaml|yaml (?:object|schema|format|with|list|array|file|document)|(?:in|into|as|return|output) yaml|markdown tables?|(?:in|as) (?:an? )?tsv|tsv format|well[ -]formed xml|xml tags|(?:in|as) xml|(?:in|as|a) csv"
    r"|interface \w+ \{|class \w+\(BaseModel\))|```ya?ml\b",
    re.IGNORECASE,
)


def infer(source: str, *, examples: bool = True) -> Inferred:
    """What a prompt's source says about the form of its answers.

    If it says nothing certain, contradicts itself, or says it under a condition of the template, there are no
    fields, and ``problems`` says why.

    Args:
        examples: Whether to read the turns of a few-shot prompt too.
    """
    if len(source) > MOST_CHARACTERS:
        return Inferred(problems=(f"the prompt has {len(source):,} characters (limit {MOST_CHARACTERS:,})",))
    try:
        return _inferred(PromptText.of(source, examples=examples))
    except UnreadForm as error:
        return Inferred(problems=(str(error),))
    except TooSlow:
        return Inferred(problems=("the prompt's text takes too long to read; is it data?",))


def _inferred(document: PromptText) -> Inferred:
    if rows := _ROWS.search(document.text):
        return Inferred(problems=(f"line {document.line(rows.start())}: the answer is one JSON object a line",))
    if several := no_one_form(document):
        return Inferred(problems=(several,))
    if program := _PROGRAM.search(document.text):
        return Inferred(problems=(f"line {document.line(program.start())}: types of a program are not read",))
    said = list(choices(document))
    if contradiction := _contradiction(document, said):
        return Inferred(problems=(contradiction,))
    readers: tuple[Callable[[], Inferred | None], ...] = (
        lambda: items_under_key(document),
        lambda: keys_of_labels(document),
        lambda: _from_json(document, said),
        lambda: items_told(document),
        lambda: told_keys(document, said),
        lambda: numbered_lines(document),
        lambda: verdict_line(document) or verdict_with_detail(document),
        lambda: verdict_then_why(document, said),
        lambda: quoted_verdicts(document),
        lambda: label_lines(document),
        lambda: _from_labels(document, said),
        lambda: _from_sections(document),
        lambda: told_parts(document),
        lambda: form_lines(document),
        lambda: _from_tables(document),
        lambda: criteria_scores(document),
        lambda: several_labels(document),
        lambda: bracket_labels(document),
        lambda: from_values(document, said),
        lambda: plain_order(document),
        lambda: with_commas(document, said),
        lambda: list_of_them(document, said),
    )
    for read in readers:
        found = read()
        if found is not None:
            counted = _counted(document, found)
            checked = _checked(document, counted)
            if not checked.fields:
                return replace(checked, doubted=counted if counted.fields else None)
            denied = gainsaid(document, checked) or doubted(document, checked)
            return Inferred(problems=(denied,), doubted=checked) if denied else checked
    if other := _OTHER_FORM.search(document.text):
        line = document.line(other.start())
        return Inferred(
            problems=(f"line {line}: {other[0]!r}: YAML, XML, tables, CSV and types of a program are not read",)
        )
    unread = form_in_variable(document) or why_unread(document)
    return Inferred(problems=(unread,))


def no_one_form(document: PromptText) -> str | None:
    """Why no schema says what a prompt wants: it has several forms, or keys that depend on the input."""
    if several := _SEVERAL_FORMS.search(document.text):
        return f"line {document.line(several.start())}: the answer has one of several forms"
    if (free := _FREE_KEYS.search(document.text)) and keys_of_labels(document) is None:
        return f"line {document.line(free.start())}: the JSON of the answer has free keys"
    return None


def _counted(document: PromptText, found: Inferred) -> Inferred:
    """The fields with the counts that the prompt orders for their lists, formats of dates, lengths of texts and steps."""
    if found.whole not in ("JSON", "keys", "") or not found.fields:
        return found
    if found.wrapped:
        schema = with_formats(document, with_counts(document, found.fields[0].schema, found.covered, wrapped=True))
        return replace(found, fields=(replace(found.fields[0], schema=schema),))
    whole = with_counts(document, found.schema(), found.covered, wrapped=False)
    whole = (with_formats(document, whole) if found.whole else with_steps(document, whole))["properties"]
    return replace(found, fields=tuple(replace(item, schema=whole[item.name]) for item in found.fields))


def _checked(document: PromptText, found: Inferred) -> Inferred:
    """What was found, unless the prompt asks for more than that: of one value for all, of a whole form before it."""
    if not found.fields:
        return found
    if found.fields[0].source.startswith("JSON example") and (variable := format_in_variable(document)):
        return Inferred(problems=(variable,))
    other = other_form(document, found)
    more = asks_for_more(document, found.fields, found.covered)
    shown = "JSON " in found.fields[0].source
    if shown and other is None:
        return replace(found, beside=more or part_beside(document, found.fields))
    if unread := unread_json(document, found.fields) or (
        part_beside(document, found.fields) if found.whole == "JSON" else None
    ):
        return Inferred(problems=(unread,))
    if other is not None:
        return Inferred(problems=(other,))
    if found.whole == "JSON":
        return replace(found, beside=more)
    if variable := form_in_variable(document):
        return Inferred(problems=(variable,))
    if not found.whole and (ordered := ORDERS_JSON.search(document.text)) and _KEYS_MEANT.search(document.text):
        line = document.line(ordered.start())
        return Inferred(problems=(f"line {line}: an answer in JSON is asked for, and its keys are not read",))
    if more is None or (found.whole and found.whole != "keys"):
        return replace(found, beside=more or found.beside)
    return Inferred(problems=(more,))


def _contradiction(document: PromptText, said: list[Choice]) -> str | None:
    """Two lists of labels for one thing that differ: nobody can say which one holds."""
    lists = [choice for choice in said if "enum" in choice.schema]
    for number, first in enumerate(lists):
        for second in lists[number + 1 :]:
            one, two = ({str(v).casefold() for v in choice.schema["enum"]} for choice in (first, second))
            same_name = bool(first.name) and first.name == second.name
            overlap = len(one & two) / len(one | two)
            if one != two and (overlap >= _SAME_LIST or (same_name and overlap > 0)) and not (one < two or two < one):
                only = ", ".join(sorted(map(repr, one ^ two)))
                lines = f"lines {document.line(first.span.start)} and {document.line(second.span.end)}"
                return f"{lines}: two lists of labels contradict each other: {only} are in one of them only"
    return None


def _from_json(document: PromptText, said: list[Choice]) -> Inferred | None:
    blocks = list(json_blocks(document))
    if not blocks:
        return None
    if all(block.example for block in blocks) and _outside_tags(document, blocks):
        return None
    if bad := next((found for block in blocks if (found := conditional(document, block.span))), None) or _unreadable(
        document, blocks
    ):
        return bad
    merged: dict[str, Any] = {}
    for block in sorted(blocks, key=lambda block: bool(block.example)):
        joined = merge(merged, block.schema)
        if joined is None:
            lines = f"lines {document.line(blocks[0].span.start)} and {document.line(block.span.start)}"
            return Inferred(problems=(f"{lines}: the examples of the answer have different keys or types",))
        merged = joined
    check_one_form(document, blocks)
    first = blocks[0]
    kind = "schema" if first.is_schema else "example" if first.example else "template"
    source = f"JSON {kind}, line {document.line(first.span.start)}"
    line = document.line(first.span.start)
    spans = tuple(block.span for block in blocks)
    check_described(document, merged)
    merged = with_variants(document, merged, blocks)
    shown = "".join(document.text[span.start : span.end] for span in spans)
    if "//" not in shown and not first.is_schema:
        merged = without_samples(merged, shown)
    merged = without_values(shown, merged, refined(document, merged, said, spans))
    merged = with_count_of_items(with_nulls(document, merged, blocks))
    only = len(blocks) == 1 and not first.example and _says_all(document, first, merged)
    templates = (first.span,) if only else ()
    if merged.get("type") != "array" and each_of_list(document, first, merged):
        merged = {"type": "array", "items": merged}
    if merged.get("type") == "array":
        fields: tuple[Field, ...] = (Field("items", merged, source, line),)
    else:
        fields = tuple(Field(name, child, source, line) for name, child in merged["properties"].items())
    wrapped, schemas = merged.get("type") == "array", all(block.is_schema for block in blocks)
    return Inferred(fields, templates, wrapped=wrapped, covered=spans, whole="JSON", schema_shown=schemas)


# Words of a template that a schema says in other words.
_OF_TYPES = frozenset(
    re.findall(
        r"\w+",
        """a an and array arrays bool boolean brief detailed false float from in int integer list lists none null number numeric object of one only
    optional or short str string strings text the to true value between""",
    )
)


def _says_all(document: PromptText, block: Block, schema: dict[str, Any]) -> bool:
    """Whether a schema has every word of the template that it was read from, so that the template can go."""
    if block.is_schema:
        return True
    said = set(re.findall(r"[a-z]+|\d+", json.dumps(schema, ensure_ascii=False).lower()))
    shown = re.sub(r":\s*-?\d[\d.]*(?=\s*[,}\n])", " ", document.text[block.span.start : block.span.end])
    return set(re.findall(r"[a-z]+|\d+", shown.lower())) <= said | _OF_TYPES


def _unreadable(document: PromptText, blocks: list[Block]) -> Inferred | None:
    """Why one of the blocks cannot be read."""
    if unread := next((block for block in blocks if block.is_schema and not block.schema), None):
        line = document.line(unread.span.start)
        return Inferred(problems=(f"line {line}: the JSON schema cannot be read, or strict mode has no such schema",))
    if unread := next((block for block in blocks if not block.schema), None):
        line = document.line(unread.span.start)
        return Inferred(problems=(f"line {line}: the JSON of the answer has free keys, or cannot be read",))
    return None


def _outside_tags(document: PromptText, blocks: list[Block]) -> bool:
    """Whether the answer is in several tags, and the examples of JSON are beside them: they show something else."""
    try:
        marked = tagged(document)
    except UnreadForm:
        return False
    return len(marked) > 1 and not any(block.span.overlaps(span) for block in blocks for _, span in marked)


def _from_labels(document: PromptText, said: list[Choice]) -> Inferred | None:
    """Parts of a text with labels of any kind."""
    found = list(ruled(document))
    if found:
        return replace(of_fields(document, found, carried=True), whole="labels")
    marked = tagged(document)
    found = list(forms(document)) or list(delimited(document))
    carried = bool(found)
    if not found:
        found = list({field.name: (field, span) for field, span in (*tuples(document), *marked)}.values())
    ranges = list(numbers(document))
    if not found:
        asked = [dict(choice.schema) for choice in ranges if choice.asks]
        single = (
            bracketed(document, asked)
            or lettered_end(document)
            or ending(document, asked or [grades for grades, _ in scale(document)])
        )
        if single is None:
            return None
        inferred = of_fields(document, [single], carried=False)
        near = tuple(choice.span for choice in ranges)
        return with_reasoning(document, replace(inferred, covered=(*inferred.covered, *near), whole="labels"))
    lists = [choice for choice in said if "enum" in choice.schema]
    if len(found) == 1 and not carried:
        found = [_only_part(*found[0], ranges, lists)]
    if found:
        found = [(refined_field(document, field, ranges, lists), span) for field, span in found]
        found = with_told(document, found)
    return replace(of_fields(document, found, carried=False), whole="labels")


def _only_part(field: Field, span: Span, ranges: list[Choice], lists: list[Choice]) -> tuple[Field, Span]:
    """The one tag of an answer holds the one list of labels, or the one range, that the prose gives."""
    schemas = [dict(choice.schema) for choice in (*lists, *ranges) if choice.asks]
    if field.schema != {"type": "string"} or not schemas or any(schema != schemas[0] for schema in schemas):
        return field, span
    pattern = (field.pattern or "").replace("(.*?)", read_pattern(schemas[0]))
    return replace(field, schema=schemas[0], pattern=pattern), span


def _from_sections(document: PromptText) -> Inferred | None:
    found = sorted(sections(document), key=lambda pair: pair[1].start) or list(titled(document))
    if len(found) < 2:
        found = list(headed(document)) or list(plain_headings(document)) or list(bold_sections(document))
        found = found or list(parted(document))
    names = [field.name for field, _ in found]
    if len(found) < 2 or len(set(names)) < len(names):
        return None
    return replace(of_fields(document, found, carried=False), whole="sections")


def _from_tables(document: PromptText) -> Inferred | None:
    found = list(tables(document))
    if len(found) != 1:
        return None
    inferred = of_fields(document, found, carried=False)
    return replace(inferred, wrapped=bool(inferred.fields), whole="table")
