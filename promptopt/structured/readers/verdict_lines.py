"""A verdict in the first line of an answer and an explanation in the next one: what is decided before it is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import regex

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, UnreadForm, conditional, scan
from promptopt.structured.prose.choices import enum, labels
from promptopt.structured.prose.ranges import numbers
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
