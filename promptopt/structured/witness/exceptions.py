"""A second reading of what may be answered instead, of scales and orders that differ, and of answers that are shown.

It shares no pattern with the readers that propose: it looks for values that an order sets for a case, for every scale
that is called one, for orders to answer with a word, and for what stands beside the label of the answer elsewhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import VARIABLE, KeyOfSchema, keys_of, shortened, words_read


def excepted(document: PromptText, found: Inferred) -> Iterator[str]:
    """Values that the prompt has for a case, or shows, and that no field can hold; each with its line."""
    leaves = [leaf for item in found.fields for leaf in keys_of(item.name, item.schema)]
    text = instructions(document, found)
    yield from _cases(document, text, found, leaves)
    yield from _other_scales(document, text, leaves)
    yield from _shown_otherwise(document, found, leaves)
    if found.whole in ("JSON", "keys"):
        yield from _word_alone(document, text, leaves)
        yield from _before_json(document, text)
        yield from _layout_of_text(document, text, found)
        yield from _capitals(document, text, leaves)
        yield from _short_keys(document, text, leaves)
    if not found.whole:
        yield from _of_a_part(document, text, found)
        yield from _labelled(document, leaves)
        yield from _defined_beside(document, text, leaves)


# ---- cases -------------------------------------------------------------------------------------------------------------

_IF = r"\b(?:if|when|whenever|unless|in case|where|(?-i:Should)|for (?:an?|any|all)|without)\b"
# Verbs of the whole answer; a key is filled with others ("set", "use", "write").
_SAYS = r"(?:answer|return|respond|reply|output|say|print|give|emit)(?:s|ed|ing)?"
_HOW = r"(?:\s+(?:with|only|just|exactly|simply|the|a|an|word|number|text|string|value|literal|code|back|as|instead|single|label))*:?\s*"
_VALUE = (
    r"(?:[\"'`“](?P<quoted>[^\"'`”\n]{1,40})[\"'`”]|(?P<braces>\{\s*\}|\[\s*\])(?!\w)"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w%]|[.,:/-]\d|\s*(?:-|–|to|or)\s*\d|\s+[a-z])"
    r"|(?P<capitals>(?-i:[A-Z][A-Z_/]{2,}))\b|(?P<empty>(?:empty|blank) (?:json )?(?:list|array|object|string|dict\w*|response|answer|output|text))|(?P<null>null|none|nothing)\b(?! (?:else|but|other|more|besides?)\b))"
)
_CASE = re.compile(
    rf"(?:{_IF}(?P<case>[^.!?\n]{{0,160}}?)(?:[,:]|\bthen\b)\s*(?:then |please |you (?:must|should|may|can) |just |simply |only )*|\b(?:otherwise|else|exception:),?\s+)\b{_SAYS}{_HOW}{_VALUE}|\b{_SAYS}{_HOW}{_VALUE.replace('?P<', '?P<late_')}\s*,?\s*(?:if|when|unless)\b",
    re.IGNORECASE,
)
_ROOT_LIST = re.compile(r"list|array|\[", re.IGNORECASE)


def _cases(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Values that an order sets for a case: "If it is not in English, answer -1"."""
    known = {label.casefold() for leaf in leaves for label in leaf.labels}
    known |= {name.casefold() for leaf in leaves for name in (leaf.name, leaf.name.replace("_", " "))}
    for match in _CASE.finditer(text):
        group = next((name for name, value in match.groupdict().items() if value and name != "case"), "")
        value, kind = match[group].strip(" .,"), group.removeprefix("late_")
        begin = match.start(group)
        if _is_known(value.casefold(), known):
            continue
        if kind == "null" and value.lower() != "null":
            # A label is read by those that propose; an answer of a list or a number has none.
            kind = "capitals" if value.isupper() else "nothing"
        if _is_lost(kind, value, found, leaves):
            line = document.line(begin)
            yield f"line {line}: {shortened(match[0])!r}: no value that was read can be {value!r}"


def _is_known(value: str, known: set[str]) -> bool:
    """Whether a value is a label or a key, or has one in it."""
    return value in known or any(
        value in label or re.search(rf"(?<!\w){re.escape(label)}(?!\w)", value) for label in known if len(value) > 1
    )


def _is_lost(kind: str, value: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> bool:
    """Whether no answer of the form can be a value that is set for a case."""
    # Without keys or labels the whole answer is one value, and such an order sets it.
    whole = not found.whole
    lists = any(leaf.listed for leaf in leaves) or found.wrapped
    free = any(leaf.kinds & {"string"} and not leaf.labelled for leaf in leaves)
    if kind == "number":
        return whole and not _holds(leaves, float(value))
    if kind == "null":
        return not any(leaf.nullable for leaf in leaves)
    if kind in ("braces", "empty"):
        if _ROOT_LIST.search(value):
            return not lists
        return not (_ROOT_TEXT.search(value) and free and found.whole)
    return found.wrapped or (not lists and not (free and (found.whole or kind != "nothing"))) or (whole and lists)


_ROOT_TEXT = re.compile(r"string|text|answer|response|output", re.IGNORECASE)


def _holds(leaves: Sequence[KeyOfSchema], number: float) -> bool:
    for leaf in leaves:
        for one in leaf.alternatives:
            if number in one.get("enum", ()) or str(int(number)) in map(str, one.get("enum", ())):
                return True
            if leaf.kinds & {"number", "integer"} and one.get("minimum", number) <= number <= one.get(
                "maximum", number
            ):
                return True
    return any(leaf.kinds & {"string"} and not leaf.labelled for leaf in leaves)


# ---- scales ------------------------------------------------------------------------------------------------------------

_N = r"-?\d{1,3}(?:\.\d+)?"
_SCALE = re.compile(
    rf"\b(?:scale|range)\b(?: (?:of|from|between|is|goes from|runs from))* \(?(?P<low>{_N})\)?\s?(?:-|–|to|and|\.\.)\s?\(?(?P<high>{_N})(?!\d|\.\d|%)"
    rf"|\b(?:rate|score|grade)\b[^.\n]{{0,60}}?\b(?:from|between) (?P<low2>{_N})(?: \([^()\n]*\))? (?:to|and) (?P<high2>{_N})(?!\d|\.\d|%)",
    re.IGNORECASE,
)


def _other_scales(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A scale that is called one, if the only number that was read has another."""
    bounded = {
        (float(one["minimum"]), float(one["maximum"]))
        for leaf in leaves
        for one in leaf.alternatives
        if {"minimum", "maximum"} <= set(one)
    }
    numbers = [leaf for leaf in leaves if leaf.kinds & {"number", "integer"}]
    if not bounded or len(numbers) > len(bounded) + 1:
        return
    for match in _SCALE.finditer(text):
        low, high = float(match["low"] or match["low2"]), float(match["high"] or match["high2"])
        if low < high and (low, high) not in bounded:
            least, most = min(bounded)
            line = document.line(match.start())
            yield f"line {line}: {shortened(match[0])!r}, and {least:g} to {most:g} was read"


# ---- what is shown -----------------------------------------------------------------------------------------------------

_ANCHOR = re.compile(r"(?:\A|\n)[ \t]*[*_#]*(?P<name>[A-Za-z][\w /-]{0,30}?)[*_]*[ \t]*:[*_ \t]*\Z")


def _shown_otherwise(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Answers beside the label that ends the prompt, of which one is none of the values that were read."""
    anchor = _ANCHOR.search(document.text.rstrip().rstrip(MASK).rstrip())
    if anchor is None or len(found.fields) != 1 or found.whole:
        return
    labels = {label.casefold() for leaf in leaves for label in leaf.labels}
    numeric = any(leaf.kinds & {"number", "integer"} for leaf in leaves)
    name = re.escape(anchor["name"])
    for shown in re.finditer(
        rf"^[ \t]*[*_#]*{name}[*_]*[ \t]*:[*_ \t]*(?P<value>[^\n]+)$", document.text, re.MULTILINE
    ):
        value = shown["value"].strip(" \t\"'`*.").casefold()
        if not value or MASK in value or VARIABLE.search(value) or re.search(r"[\[<{(|]", value):
            continue
        number = re.fullmatch(r"-?\d+(?:\.\d+)?", value)
        # "RIGHT or FALSE here" says what belongs there.
        told = any(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", value) for label in labels)
        if (labels and not told) or (numeric and not labels and not (number and _holds(leaves, float(value)))):
            line = document.line(shown.start("value"))
            yield f"line {line}: {shortened(shown[0])!r} is shown as an answer, and is none of the values that were read"


# ---- JSON and something else -------------------------------------------------------------------------------------------

_WORD = re.compile(
    r"\b(?:answer|respond|reply|return|output)\b(?: (?:only|just|strictly|simply|always))* (?:with|in|as) (?:only |just |exactly )*(?:a |an |one |the )?(?:single |one )?(?P<what>word|number|digit|letter|token|integer|label|yes or no|true or false)\b(?P<rest>[^.\n]*)",
    re.IGNORECASE,
)


def _word_alone(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """An order to answer with one word or number, beside keys of JSON."""
    for match in _WORD.finditer(text):
        begin = begin_of(text, match.start(), (". ", "? ", "! ", "\n", ";"))
        end = re.compile(r"[.\n]|\Z").search(text, match.end())
        sentence = text[begin : end.start() if end else len(text)]
        named = any(re.search(rf"(?<!\w){re.escape(leaf.name)}(?!\w)", sentence, re.IGNORECASE) for leaf in leaves)
        if not named and not re.search(r"json|key|field|\bif\b|each|every|per\b", sentence, re.IGNORECASE):
            line = document.line(match.start())
            yield f"line {line}: {shortened(match[0])!r}, and JSON with {leaves[0].name!r} was read"


_FIRST = re.compile(
    r"\b(?:respond|reply|answer|return|output|write|provide|give|start|begin)\b(?: \w+){0,4} (?:an? |the |your |some )?(?:[\w-]+ )?(?P<what>narrative|story|narration|prose|paragraph|sentence|essay|message|text|explanation|reasoning|analysis|summary|answer|response|reply|thought\w*)\b"
    r"(?! (?:in|as|is|must|should|with|format))[^.\n]{0,40}?\b(?:followed by|and then|then|and after (?:that|it))\b[^.\n]{0,30}\bjson\b",
    re.IGNORECASE,
)


def _before_json(document: PromptText, text: str) -> Iterator[str]:
    for match in _FIRST.finditer(text):
        line = document.line(match.start())
        yield f"line {line}: {shortened(match[0])!r}: the answer has a part before its JSON"


_APART = re.compile(
    r"\b(?:on (?:one|a single) line|separated by (?:commas|semicolons|spaces|newlines)|one per line|in plain text|as (?:a )?comma[- ]separated)\b",
    re.IGNORECASE,
)


def _layout_of_text(document: PromptText, text: str, found: Inferred) -> Iterator[str]:
    """A layout in text, if JSON is only shown in examples and nothing asks for it."""
    if found.whole != "JSON" or "example" not in found.fields[0].source or re.search(r"\bjson\b", text, re.IGNORECASE):
        return
    if apart := _APART.search(text):
        yield f"line {document.line(apart.start())}: {shortened(apart[0])!r}, and the examples show JSON"


# "SPAM or HAM", "LOW, MID or HIGH", after words that say that it is one of them
_CHOSEN = re.compile(
    r"\b(?:whether|as|is|either|be|decide|choose|classify|between|into|one of)\b(?:(?!\b(?:about|inside|mention|contain|include|in|on)\b)[^.\n]){0,40}?(?P<list>\b[A-Z][A-Z_]{2,}(?:, [A-Z][A-Z_]{2,})*,? or [A-Z][A-Z_]{2,})\b"
)


_SUCH = len("for example, ")
_SAMPLES = re.compile(r"\b(?:such as|like|e\.g\.?,?|for example|for instance)\W+\Z", re.IGNORECASE)


def _capitals(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels in capitals in the task, if a text was read that has none and no field has them."""
    open_texts = [leaf for leaf in leaves if leaf.kinds & {"string"} and not leaf.labelled]
    known = words_read(leaves)
    for match in _CHOSEN.finditer(text) if open_texts else ():
        labels = re.findall(r"[A-Z_]{3,}", match["list"])
        if all(label.endswith("ING") for label in labels):
            continue  # "the user is CONFIRMING or APPROVING it": what somebody does
        if _SAMPLES.search(text, max(0, match.start() - _SUCH), match.start("list")):
            continue
        if not any(label.casefold() in known for label in labels):
            line = document.line(match.start("list"))
            yield f"line {line}: {shortened(match['list'])!r} are labels, and no field has them"


_EXPLAINS_KEY = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?[\"'`*]*(?P<name>[A-Za-z]\w*)[\"'`*]*[ \t]*(?:=|[-–—:](?=[ \t]))[ \t]*(?P<said>[^\n]+)$",
    re.MULTILINE,
)
_LISTED = re.compile(
    r"\b\w+, (?:\w+, )*\w+,? or \w+\b|\b(?:one of|pick from|yes if|either)\b|\b\w+ or \w+\W*\Z", re.IGNORECASE
)
_RANGED = re.compile(
    r"\b\d+ (?:up )?to \d+\b(?! (?:words|sentences|characters))|\b\d+\s?[-–]\s?\d+\b(?! (?:words|sentences|characters))",
    re.IGNORECASE,
)


def _short_keys(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Keys of a letter or two that are explained one a line below the form: "r = the stars, 1 up to 5"."""
    own = {leaf.name: leaf for leaf in leaves if len(leaf.name) <= 2}
    for match in _EXPLAINS_KEY.finditer(text) if own else ():
        leaf = own.get(match["name"])
        if leaf is None:
            continue
        line = f"line {document.line(match.start())}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read"
        if leaf.kinds & {"string"} and not leaf.labelled and _LISTED.search(match["said"]):
            yield f"{line} without labels"
        if leaf.kinds & {"number", "integer"} and not leaf.bounded and _RANGED.search(match["said"]):
            yield f"{line} without a range"


# ---- bare values -------------------------------------------------------------------------------------------------------

_TABLE = re.compile(
    r"\b(?:answer|respond|reply|return|output|give|write|provide|make|create|produce)\b[^.\n]{0,60}\b(?:markdown |html )?table\b(?! (?:names?|ids?)\b)|\bthe columns (?:are|of)\b|^[ \t]*\|[^|\n]+\|[^|\n]+\|",
    re.IGNORECASE | re.MULTILINE,
)


def _of_a_part(document: PromptText, text: str, found: Inferred) -> Iterator[str]:
    """A bare value where a table is wanted, or whose range is said of something else."""
    if found.wrapped:
        return
    labels = {str(label) for item in found.fields for label in item.schema.get("enum", ())}
    heads = set(re.findall(r"^[ \t]*\|[ \t*_`\"']*([^|\n]*?)[ \t*_`\"']*\|", text, re.MULTILINE))
    if (table := _TABLE.search(text)) and not (labels and labels <= heads):
        yield f"line {document.line(table.start())}: {shortened(table[0])!r}: a table is asked for, and one value was read"


_LINE = re.compile(
    r"^[ \t]*[*_#]{0,3}(?P<name>[A-Z][A-Za-z ]{1,25})[*_]{0,2}:[*_]{0,2}[ \t]*(?P<said>[^\n]*)$", re.MULTILINE
)


def _labelled(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Two lines with labels one below the other, of which one has the values that were read as the whole answer."""
    labels = [label.casefold() for leaf in leaves for label in leaf.labels]
    lines = list(_LINE.finditer(document.text)) if len(labels) > 1 else []
    for first, second in itertools.pairwise(lines):
        if document.text.count("\n", first.end(), second.start()) > 2 or MASK in first[0] + second[0]:
            continue
        if VARIABLE.search(first[0]) or VARIABLE.search(second[0]):
            continue
        for line, other in ((first, second), (second, first)):
            said = line["said"].casefold()
            if (
                all(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", said) for label in labels)
                and len(said) < 120
                and _ASKED.search(other[0])
            ):
                yield f"line {document.line(line.start())}: {shortened(line[0])!r} and {shortened(other[0])!r} are parts of the answer, and one value was read"


_ASKED = re.compile(
    r"\b(?:explanation|reason(?:ing)?|rationale|justification|analysis|critique|feedback|thought|confidence|evidence|score)\b",
    re.IGNORECASE,
)


_HEAD = re.compile(
    r"^(?P<indent>[ \t]*)(?:[-*•]|\d+[.)])[ \t]+[*_]*(?!(?:examples?|notes?|rules?|important|criteria|if|when)\b)[*_\"'`“]*(?P<head>[A-Za-z][\w -]{0,25}?)[*_\"'`”]*[ \t]*(?::|=|–|—|-[ ])[*_]*[ \t]*\S",
    re.MULTILINE | re.IGNORECASE,
)


def _defined_beside(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A label that is explained in a list with the others, and was not read."""
    labels = {label.casefold() for leaf in leaves for label in leaf.labels}
    heads = list(_HEAD.finditer(text)) if len(labels) > 1 else []
    for first, second in itertools.pairwise(heads):
        pair = [head["head"].casefold() for head in (first, second)]
        known = [head in labels for head in pair]
        near = text.count("\n", first.end(), second.start()) <= 1 and first["indent"] == second["indent"]
        if near and any(known) and not all(known):
            lost, other = (first, second) if known[1] else (second, first)
            both = sum(head["head"].casefold() in labels for head in heads)
            if both > 1 and len(lost["head"].split()) <= len(other["head"].split()):
                line = document.line(lost.start("head"))
                yield f"line {line}: {lost['head']!r} is explained with the labels, and was not read as one"
