"""What a prompt asks for beside the values that a model read, or in their place: prose, a greeting, a question back, several answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.by_model.question import FormReading
from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.guard.quotations import spoken_by_others
from promptopt.structured.unread import form_in_variable, part_beside
from promptopt.structured.witness.instructions import instructions
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


_ORDER = r"(?P<order>return|respond|reply|output|answer|print|write|say|give|emit)"
_LITERAL = r"(?:\*{0,2}[\"“`'](?P<quoted>[^\"”`'\n{}\[\]<>]{2,60})[\"”`']|(?P<capitals>(?-i:[A-Z][A-Z_]{2,}(?: [A-Z_]{2,})*))\b|(?P<empty>\{\s*\}|\[\s*\]|(?:an )?empty (?:json )?(?:list|array|object|dictionary|response|answer|output)\b|nothing\b))"
_CASE = re.compile(
    rf"\b(?:if|when|where|unless|otherwise|in case|for)\b[^.!?\n]{{3,120}}?\b{_ORDER}\b(?: (?:with|only|exactly|just|simply|the|a|word|string|text|phrase|single|message|line|literal))*:?\s*{_LITERAL}",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"\b{_ORDER}\b(?: (?:with|only|exactly|just|simply|the|a|word|string|text|phrase))*:?\s*{_LITERAL}[*\s]*\b(?:if|when|where|in case)\b",
    re.IGNORECASE,
)
_AROUND = re.compile(
    r"\b(?:followed by|and then|, then|along with|together with|ending (?:in|with)|ends? with)\b[^.\n]{0,20}\b(?:an?|the) (?:\w+ )?json\b",
    re.IGNORECASE,
)
_PLAIN = frozenset({"null", "true", "false", "yes", "no", "json", "the"})


def instead_of(document: PromptText, reading: FormReading) -> Iterator[str]:
    """Answers of some case that no value can have, and text before JSON; each with its line."""
    text = document.text
    others = spoken_by_others(document)
    names = {value.name for value in reading.values if value.name}
    if reading.form == "text" and len(reading.values) == 1:
        names = set()  # a bare value has no key
    labels = {label.casefold() for value in reading.values for label in value.labels}
    lists = any("array" in value.types for value in reading.values)
    listed = bool(reading.values) and (
        reading.values[0].path[:1] in ((), ("*",)) and "array" in reading.values[0].types
    )
    for pattern in (_CASE, _AFTER):
        for match in pattern.finditer(text):
            said = (match["quoted"] or match["capitals"] or match["empty"]).strip(" .,")
            if any(span.start <= match.start() < span.end for span in others) or MASK in match[0]:
                continue
            if reading.form == "text" and len(reading.values) > 1 and match["order"].lower() in ("write", "say"):
                continue  # in one of the parts
            # "Decision: unreadable" is a label after its name.
            said = said.rpartition(": ")[2] if said.rpartition(": ")[2].casefold() in labels else said
            folded = said.casefold()
            null = folded == "none" and any("null" in value.types for value in reading.values)
            if null or folded in labels | _PLAIN or said in names or _of_value(text, match.start(), names):
                continue
            empty = match["empty"] is not None
            if empty and ((lists and re.search(r"\[|list|array", said)) or listed):
                continue
            yield f"line {document.line(match.start())}: the answer may be {shortened(said)!r} instead: {shortened(match[0])!r}"
    if reading.form == "json" and (around := _AROUND.search(text)):
        yield f"line {document.line(around.start())}: {shortened(around[0])!r}: the JSON is a part of a longer answer"


def _of_value(text: str, position: int, names: set[str]) -> bool:
    """Whether the line of a position, or the item of a list that it belongs to, speaks of a value."""
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[begin : len(text) if end < 0 else end]
    # In a list the whole item is about one value, elsewhere a sentence is.
    if not re.match(r"[ \t]*(?:[-*•]|\d+[.)])", line):
        begin = max(begin, text.rfind(". ", 0, position) + 2)
        line = re.split(r"[.!?] (?=[A-Z])", text[begin : len(text) if end < 0 else end])[0]
    above = text[:begin].rstrip("\n").rsplit("\n", 6)[1:] if line[:1] in (" ", "\t") else []
    return any(
        re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", one) for name in names for one in (line, *above)
    ) or bool(re.search(r"\b(?:fields?|keys?|values?|sections?)\b", line))
