"""What a prompt asks for beside the values that a model read: prose, a greeting, a question back, several answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.by_model.question import FormReading
from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.form_elsewhere import form_in_variable, part_beside
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import shortened

_SENTENCE = re.compile(r"[^.!?\n]*(?:\.(?=\S)[^.!?\n]*)*")
_AMOUNT = re.compile(
    r"\b(?:in|with|of) (?:about |at most |around )?(?:an? |one |two |three |four |\d+ )(?:\w+ )?(?:paragraphs?|sentences?|pages?|lines of prose)\b",
    re.IGNORECASE,
)
_WRITES = re.compile(
    r"(?:\A|\n|[.!?:;]\s|\bthen |\band |\bfirst,? )\W*(?P<verb>explain|summari[sz]e|write|describe|greet|thank|welcome|apologi[sz]e|answer|draft|tell|compose|discuss)\b",
    re.IGNORECASE,
)
# What the verbs leave in an answer, as keys are called for it.
_LEAVES = {
    "expla": r"expla|reason|rationale|why|justif|comment|note|feedback|analysis|thought|cause",
    "summa": r"summar|tldr|abstract|overview|brief|gist|headline",
    "descr": r"descr|caption|text|summary",
    "answe": r"answer|reply|response|text",
    "write": r"text|content|body|message|story|article|email|draft|reply|summary|comment|note|feedback|title|reason|advice|entry|line",
    "draft": r"draft|text|body|message|email|reply|content",
    "compo": r"text|body|message|email|poem|content",
    "tell": r"text|story|message|answer|reason",
    "discu": r"discussion|analysis|text",
    "greet": r"greet|message|reply|text|response|opening|salutation",
    "thank": r"message|reply|text|response|thanks|closing",
    "welco": r"message|reply|text|response|greet",
    "apolo": r"message|reply|text|response|apolog",
}
_GREETS = ("greet", "thank", "welco", "apolo")
_AT_END = re.compile(
    r"\b(?:at the (?:very )?end|finally|after that|afterwards|below (?:it|that))\b[^.\n]{0,40}\b(?:add|append|include|attach|put|give|write|output)\b[^.\n]{0,25}\bjson\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"\b(?:may|can|should|please|if [^.\n]{3,60},)\s+(?:then )?ask (?:one |a |the user |the customer |back\b|for )[^.\n]{0,40}\b(?:questions?|clarif\w+)\b",
    re.IGNORECASE,
)
_ONE_EACH = re.compile(
    r"\b(?:one|each) (?:per|on (?:its|a) (?:own|new|separate)) line\b|\bfor (?:each|every) (?:one )?(?:of the )?(?:\w+ )?\w+ (?:below|above)\b|\bone (?:json )?objects? (?:per|for each|for every)\b",
    re.IGNORECASE,
)
_MAPS = re.compile(r"\bmaps? (?:the|each|every|all)\b[^.\n]{0,40}\bto\b|\bkeyed by\b", re.IGNORECASE)
_BY_OTHERS = re.compile(
    r"\b(?:format|structure|schema)\b (?:that )?(?:the )?(?:user|system|client)(?:'s)?(?: (?:message|prompt))?\b[^.\n]{0,12}\b(?:describes|specifies|gives|asks|requests|wants|defines)\b",
    re.IGNORECASE,
)
_ALSO = re.compile(
    r"(?<!they )(?<!who )(?<!that )(?<!he )(?<!she )\b(?:also|additionally|in addition),? (?:please )?(?:write|give|explain|add|state|say|list|include|provide|mention|tell|name)\b",
    re.IGNORECASE,
)


def asked_beside(document: PromptText, reading: FormReading, read: Inferred) -> Iterator[str]:
    """Orders that no value carries out, each with its line."""
    text = instructions(document, read)
    names = " ".join(value.name.lower() for value in reading.values)
    yield from _prose(document, text, reading, names)
    json_form = reading.form == "json"
    lists = any("array" in value.types for value in reading.values)
    patterns = (
        (_AT_END, json_form, "the JSON comes after another text"),
        (
            _ASKS_BACK,
            not re.search(r"question|clarif|message|reply|response|text", names),
            "the answer may be a question",
        ),
        (_ONE_EACH, json_form and not lists, "one object was read, and several are wanted"),
        (_MAPS, json_form, "the keys depend on the input"),
        (_BY_OTHERS, True, "the form is given elsewhere"),
        (_ALSO, not json_form and len(reading.values) == 1, "more than one value is asked for"),
    )
    for pattern, applies, meaning in patterns:
        match = pattern.search(text) if applies else None
        if match and MASK not in match[0]:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {meaning}"
    variable = form_in_variable(document) or (part_beside(document, read.fields) if json_form else None)
    if variable:
        yield variable


def _prose(document: PromptText, text: str, reading: FormReading, names: str) -> Iterator[str]:
    """Orders to write a text of some length, or to greet, which no key is for."""
    if reading.form == "text" and len(reading.values) > 1:
        return
    words = [word for word in names.split() if len(word) > 1]
    for sentence in _SENTENCE.finditer(text):
        for order in _WRITES.finditer(text, max(0, sentence.start() - 2), sentence.end()):
            verb = order["verb"].lower()[:5]
            clause = _NEXT.split(text[order.start("verb") : sentence.end()])[0]
            leaves = next((said for stem, said in _LEAVES.items() if verb.startswith(stem)), r"(?!)")
            long = verb in _GREETS or _AMOUNT.search(clause)
            spoken = any(re.search(rf"(?<![\w-]){re.escape(word)}", clause, re.IGNORECASE) for word in words)
            if long and not spoken and not re.search(leaves, names):
                line = document.line(order.start("verb"))
                yield f"line {line}: {shortened(clause)!r} is asked for, and no value holds it"


_NEXT = re.compile(
    r",? (?:and|then|and then) (?:give|return|output|provide|respond|reply|add|state|say|answer)\b", re.IGNORECASE
)
