"""A verdict and an explanation, by lines of the answer or one after the other: "Answer yes or no on the first line, then why"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import regex

from promptopt.structured.fields import (
    BOUNDARY,
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    UnreadForm,
    conditional,
    field_name,
    scan,
)
from promptopt.structured.prose.choices import Choice, enum, labels
from promptopt.structured.prose.ranges import numbers
from promptopt.structured.prose.wording import ranged_number
from promptopt.structured.readers.labelled import read_pattern
from promptopt.structured.reasoning import needs_reasoning

_WRITE = r"(?:respond|answer|reply|output|write|return|print|put|state|give|start|begin)"
_LINE = r"(?:on|in|as) (?:the first line|line (?:1|one))"
_QUOTE = r"[\"'`“”‘’*]{0,3}"
_WORD = rf"{_QUOTE}[A-Za-z][\w-]*(?: [A-Z][\w-]*)?{_QUOTE}"
_LIST = rf"(?P<list>{_WORD}(?:\s*(?:,\s*(?:or\s+)?|/|\||\bor\b)\s*{_WORD})+)"
_HEADS = (
    # "Answer with YES or NO on the first line."
    rf"\b{_WRITE}\b[^.:\n]{{0,40}}?\b(?:with )?(?:only |exactly |just |either |one word[:,]? )*{_LIST},? {_LINE}\b",
    # "Respond with one of these two words on the first line: PASS / FAIL"
    rf"\b{_WRITE}\b[^.:\n]{{0,60}}?{_LINE}[^.:\n]{{0,60}}?:[ \t]*{_LIST}(?=\s*(?:[.;\n]|\Z))",
    # "On the first line, write either ACCEPT or REJECT."
    rf"\b{_LINE},? (?:please )?{_WRITE}\b(?: (?:with|only|exactly|just|either|one word[:,]?|the words?))* {_LIST}(?=\s*(?:[.;\n]|\Z))",
)
_SAME_LINE = tuple(regex.compile(head, regex.IGNORECASE) for head in _HEADS)
# "... on the first line:" and below it "KEEP - the loan may stay"
_BELOW = regex.compile(
    rf"\b{_WRITE}\b[^.:\n]{{0,80}}?\bone of\b[^.:\n]{{0,40}}?{_LINE}:[ \t]*\n(?P<items>(?:[ \t]*(?:[-*•][ \t]+)?{_QUOTE}[A-Z][\w-]*{_QUOTE}[ \t]*(?:[-–—:=(][^\n]*)?(?:\n|\Z)){{2,}})",
    regex.IGNORECASE,
)
_NOUN = r"(?P<noun>explanation|reasoning|reason|justification|rationale)"
_NEXT = r"\s*(?:(?:then|next|after that|and),? )*(?:(?:on|in) (?:a|the) (?:new|next|second|following|separate) line|(?:on|in) line (?:2|two)|below (?:it|that)|after that|afterwards),? "
# "Then on a new line, briefly explain your reasoning in one sentence."
_EXPLAINS = re.compile(
    rf"{_NEXT}(?:please |also )?(?:briefly |shortly |concisely )*(?:(?:explain|justify|say|state|give|write|provide|add|include)\b)(?P<what>[^.;\n]*)",
    re.IGNORECASE,
)
_VERBS = (("justify", "justification"), ("explain", "explanation"))


def _part(said: str) -> str:
    """What the part after the verdict is called; empty if it is no explanation."""
    for verb, part in _VERBS:
        if re.search(rf"\b{verb}\b", said, re.IGNORECASE):
            return part
    noun = re.search(_NOUN, said, re.IGNORECASE)
    if noun:
        return noun["noun"].lower()
    return "explanation" if re.search(r"\bwhy\b", said, re.IGNORECASE) else ""


def verdict_line(document: PromptText) -> Inferred | None:
    """The verdict and its explanation; ``None`` if the prompt does not ask for these two in this order."""
    if any(score.asks for score in numbers(document)):
        return None  # a score is wanted as well
    for values, head in _verdicts(document):
        after = _EXPLAINS.match(document.text, _skip_stop(document.text, head.end))
        if after is None:
            continue
        noun = _part(after[0])
        if not noun:
            continue
        line, below = document.line(head.start), document.line(after.start())
        verdict = Field("verdict", enum(values), f"first line in the prose, line {line}", line)
        why = Field(noun, {"type": "string"}, f"next line in the prose, line {below}", line)
        return decided_first(document, verdict, why, Span(head.start, after.end()), "verdict")
    return None


# "Start your response with YES or NO. If NO, add a second line with the part that is wrong."
_STARTS = regex.compile(
    rf"\b(?:start|begin) (?:(?:your|the) (?:response|answer|reply|output) )?with (?:(?:only|either|exactly|just|the words?) )*{_LIST}(?=\s*(?:[.;\n]|\Z))",
    regex.IGNORECASE,
)
_ONLY_IF = re.compile(
    rf"[.;]?\s*(?:and |then )?if (?:(?:it is|the (?:answer|verdict|response) is|you (?:say|answer)) )?{_QUOTE}(?P<case>[A-Za-z][\w-]*){_QUOTE},? (?:then )?(?:please |also )?(?:add|write|give|append|continue with|include|provide|state|quote|explain|list|say)\b(?P<what>[^.\n]*)",
    re.IGNORECASE,
)


def verdict_with_detail(document: PromptText) -> Inferred | None:
    """The verdict with which an answer begins, and what is added in one case of it; ``None`` if the prompt asks for no such two."""
    for match in scan(_STARTS, document.text):
        values = [value.strip("*") for value in labels(match["list"])]
        only = _ONLY_IF.match(document.text, match.end())
        folded = {value.casefold() for value in values}
        if len(values) != _PAIR or only is None or only["case"].casefold() not in folded or MASK in only[0]:
            continue
        if _ONLY_IF.match(document.text, only.end()) or any(score.asks for score in numbers(document)):
            return None
        line, below = document.line(match.start()), document.line(only.start("what"))
        verdict = Field("verdict", enum(values), f"begin of the answer, line {line}", line)
        what = _LEADS_TO.sub("", only["what"]).strip(" .,")
        schema = {"type": ["string", "null"], **({"description": what} if " " in what else {})}
        detail = Field(_part(only[0]) or "detail", schema, f"only in one case, line {below}", below)
        return decided_first(document, verdict, detail, Span(match.start(), only.end()), "verdict")
    return None


_LEADS_TO = re.compile(
    r"\A\s*(?:(?:on )?(?:a|the) (?:second|new|next|separate|following) line,?(?: with| containing| that has)?|with)\s+",
    re.IGNORECASE,
)
_PAIR = 2


def decided_first(document: PromptText, verdict: Field, why: Field, span: Span, called: str) -> Inferred:
    """A value at the begin of an answer, and its explanation after it.

    Args:
        called: What the value is called where it cannot be read.

    Raises:
        UnreadForm: The task needs its reasoning before the value.
    """
    if bad := conditional(document, span):
        return bad
    if needed := needs_reasoning(replace(document, text=document.without([span]))):
        raise UnreadForm(f"{needed}, and the {called} comes before its explanation")
    pattern = rf"(?i)\A\W*{read_pattern(verdict.schema)}(?!\w)"
    return Inferred((replace(verdict, pattern=pattern), why), covered=(span,))


def _skip_stop(text: str, end: int) -> int:
    return end + 1 if text[end : end + 1] in (".", ";") else end


def _verdicts(document: PromptText) -> Iterator[tuple[list[str], Span]]:
    for match in scan(_BELOW, document.text):
        heads = [
            re.match(rf"[ \t]*(?:[-*•][ \t]+)?{_QUOTE}(?P<head>[A-Za-z][\w-]*)", line)
            for line in match["items"].splitlines()
        ]
        values = [head["head"] for head in heads if head]
        if len(values) == len(heads) and len(set(values)) == len(values) and MASK not in match["items"]:
            yield values, Span(*match.span())
    for pattern in _SAME_LINE:
        for match in scan(pattern, document.text):
            values = [value.strip("*") for value in labels(match["list"])]
            if len(values) > 1:
                yield values, Span(*match.span())


_LINKS = re.compile(
    r"\bfollowed by\b|\b(?:on|in) (?:a|the) (?:new|next|second|following|separate) line\b|\b(?:on|in) line (?:2|two)\b|\bbelow (?:it|that)\b",
    re.IGNORECASE,
)
# A sentence that goes on with what comes after the verdict.
_GOES_ON = re.compile(
    r"\s*(?:then|on|in|below|after|write|give|state|explain|provide|add|include|put|next)\b", re.IGNORECASE
)
_PARTS = (
    ("justification", re.compile(r"\bjustif\w+", re.IGNORECASE)),
    ("explanation", re.compile(r"\b(?:explain|explanation|why)\b", re.IGNORECASE)),
    ("rationale", re.compile(r"\brationale\b", re.IGNORECASE)),
    ("reasoning", re.compile(r"\breasoning\b", re.IGNORECASE)),
    ("reason", re.compile(r"\breasons?\b", re.IGNORECASE)),
)
_FURTHER = re.compile(
    r"\b(?:and|plus|or|as well as)\s+(?:also\s+)?(?:an?|the|your|its|their|one|two|three|suggest\w*|list|give|quote|rate|name|cite)\b|\b(?:if|when|unless|where)\b|\beach\b|\bcolon\b|\bquot\w+|\bscore\b|\bcodes?\b|\bconfidence\b|\bjson\b",
    re.IGNORECASE,
)


def verdict_then_why(document: PromptText, said: Sequence[Choice]) -> Inferred | None:
    """The value and its explanation; ``None`` if the prompt does not ask for just these two in this order.

    Raises:
        UnreadForm: The task needs its reasoning before the value.
    """
    ranges = [choice for choice in numbers(document) if choice.asks]
    lists = [choice for choice in said if choice.asks and "enum" in choice.schema]
    values = lists or ranges
    if any(dict(one.schema) != dict(values[0].schema) for one in values) or (lists and ranges):
        return None
    for choice in values:
        rest = _after(document.text, choice.span.end)
        words = document.text[rest.start : rest.end]
        part = next((part for part, pattern in _PARTS if pattern.search(words)), "")
        if not part or not _LINKS.search(words) or _FURTHER.search(words) or MASK in words:
            continue
        line = document.line(choice.span.start)
        name = "verdict" if "enum" in choice.schema else choice.name or "score"
        verdict = Field(name, choice.schema, choice.source, line)
        why = Field(part, {"type": "string"}, f"after it, line {document.line(rest.start)}", line)
        return decided_first(document, verdict, why, Span(choice.span.start, rest.end), "value")
    return None


def _after(text: str, end: int) -> Span:
    """The rest of the sentence, or the next one if that goes on."""
    stop = re.compile(rf"[.;](?=\s|\Z)|[\n{BOUNDARY}]|\Z")
    first = stop.search(text, end)
    close = first.start() if first else len(text)
    if text[end:close].strip(" \"'`*”)]"):
        return Span(end, close)
    after = re.compile(r"[.;]?[ \t]*\n?").match(text, close)
    begin = after.end() if after else close
    following = stop.search(text, begin)
    return Span(begin, following.start() if following and _GOES_ON.match(text, begin) else begin)


_HEAD = r"(?:line (?P<{0}>\d)|(?:the )?(?P<{1}>first|second|third|fourth|1st|2nd|3rd|4th) line)"
_BLOCK = regex.compile(
    rf"(?:^|(?<=[.:] ))(?P<lines>(?:[ \t]*(?:[-*•][ \t]+)?[*_]*{_HEAD.format('n', 'w')}[*_]*[ \t]*(?::|[-–—](?= )|=)[*_]*[ \t]*[^\n]+(?:\n|\Z)){{2,5}})",
    regex.IGNORECASE | regex.MULTILINE,
)
_NUMBERED_LINE = re.compile(
    rf"[ \t]*(?:[-*•][ \t]+)?[*_]*{_HEAD.format('n', 'w')}[*_]*[ \t]*(?::|[-–—](?= )|=)[*_]*[ \t]*(?P<said>[^\n]+)",
    re.IGNORECASE,
)
_NUMBERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_LEAD = re.compile(
    r"\b(?:respond|reply|answer|output|return|write|print|format|give|provide|lines?)\b[^\n]*(?::|\.)?[ \t]*\n\s*\Z",
    re.IGNORECASE,
)
_NOUN_OF_LINE = re.compile(
    r"(?:write |give |state |only |just )*(?:an?|the|your|one|its) (?:(?:short|brief|one[- ]sentence|one[- ]line|single|concise|clear|final|main|short|exact) )*(?P<noun>[a-z]+(?: [a-z]+)?)\b(?: (?:of|for|why|that|in|on|with|about|from)\b[^\n]*|\W*)\Z",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:and|then|plus|followed|each|json|if|or)\b", re.IGNORECASE)


def numbered_lines(document: PromptText) -> Inferred | None:
    """A field for each line; ``None`` if there are no such lines, or what one of them holds is not told plainly."""
    blocks = [block for block in scan(_BLOCK, document.text) if MASK not in block["lines"]]
    if len(blocks) != 1 or not _LEAD.search(document.text[: blocks[0].start("lines")]):
        return None
    block = blocks[0]
    lines = [match for line in block["lines"].splitlines() if (match := _NUMBERED_LINE.fullmatch(line.rstrip()))]
    numbers = [int(match["n"]) if match["n"] else _NUMBERS[match["w"].lower()] for match in lines]
    if numbers != list(range(1, len(lines) + 1)):
        return None
    fields = []
    at = document.line(block.start("lines"))
    for number, match in enumerate(lines):
        told = _told(match["said"].strip())
        if told is None:
            return None
        name, schema = told
        pattern = rf"(?im)\A\s*(?:[^\n]*\S[^\n]*\n\s*){{{number}}}\W*{read_pattern(schema)}"
        fields.append(Field(name, schema, f"line {number + 1} of the answer, line {at + number}", at + number, pattern))
    if len({field.name for field in fields}) < len(fields):
        return None
    span = Span(block.start("lines"), block.end("lines"))
    return conditional(document, span) or Inferred(tuple(fields), covered=(span,), whole="labels")


def _told(said: str) -> tuple[str, dict[str, Any]] | None:
    """The name of a line and what it holds: labels, a number, or a text with a noun; ``None`` if that is not clear."""
    said = re.sub(r"\s*\([^()]*\)", "", said).strip(" .<>[]")
    values = labels(
        re.sub(
            r"\A(?:only |just |either |one of:? |the word |(?:your|the|a) (?:verdict|decision|label|answer|rating)[,:]? )+",
            "",
            said,
            flags=re.IGNORECASE,
        )
    )
    if len(values) > 1 and re.search(r"\bor\b|[/|]", said) and all(len(value.split()) == 1 for value in values):
        return "verdict", enum(values)
    if ranged := ranged_number(said):
        return "score", ranged
    noun = _NOUN_OF_LINE.fullmatch(said)
    if noun is None or _MORE.search(said):
        return None
    return field_name(noun["noun"]), {"type": "string"}
