"""What a prompt says of a value where a model quotes it, and the model did not read: labels, a range, a count, null.

The other way round than licences.py: that asks whether what was read is said, this whether what is said was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.by_model.question import ReadValue
from promptopt.structured.fields import PromptText
from promptopt.structured.guard.lost_labels import labels_beside, labels_lost, words_alone
from promptopt.structured.guard.quotations import Proofs, said, said_elsewhere
from promptopt.structured.witness.keys import NUMBER_WORDS, shortened


def lost(document: PromptText, proofs: Proofs) -> Iterator[str]:
    """Facts that are lost, each with its line."""
    for value, quotes in proofs.items():
        if not quotes:
            continue
        told = said(document, value, proofs)
        words = [quoted.text for quoted in quotes]
        if value.labels:
            yield from labels_beside(document, value, proofs)
        else:
            yield from words_alone(value, quotes, f"line {quotes[0].line}: ")
        yield from _lost_of(value, told, [*told, *words], proofs, f"line {quotes[0].line}: ")
        for place in said_elsewhere(document, value, proofs):
            told = said(document, value, proofs, [place])
            yield from _lost_of(value, told, told, proofs, f"line {place.line}: ")
    yield from _null_of_some(document, proofs)


def _lost_of(value: ReadValue, told: Sequence[str], numbers: Sequence[str], proofs: Proofs, at: str) -> Iterator[str]:
    """What is lost of one value.

    Args:
        told: What the prompt says of it.
        numbers: Where its range and its count are looked for.
    """
    if not value.labels:
        yield from labels_lost(value, told, at)
    yield from _null_lost(value, told, proofs, at)
    yield from _range_lost(value, numbers, at)
    yield from _count_lost(value, numbers, at)


# ---- null ------------------------------------------------------------------------------------------------------------

_NULL = re.compile(r"\bnull\b|(?<=[`\"'])None(?=[`\"'])|\bor None\b")
_NOT = re.compile(
    r"(?:\b(?:not|never|(?-i:no)|non|without|instead of|avoid|rather than|cannot)\b|n['’]t\b)[^.;,\n]{0,15}\Z|\bnon-?\Z",
    re.IGNORECASE,
)
_OBJECT_OR_NULL = re.compile(r"\}[\s,]*(?:or |\| ?)null\b")
_LEFT_OUT = re.compile(
    r"(?<=[\s(,])optional(?=[\s,).;:]|\Z)|\A[\w-]+[\"'`]?\?\s*:|\A[\w\"'`]+ (?:may|can) be (?:omitted|left out)\b",
    re.IGNORECASE,
)
_GENERAL = re.compile(
    r"\b(?:any|all|every|each|fields?|values?|keys?|information|data|anything|something|details?|attributes?|properties|entr(?:y|ies))\b",
    re.IGNORECASE,
)


def _null_said(text: str) -> bool:
    return any(not _NOT.search(text[: match.start()]) for match in _NULL.finditer(text))


# "If a number cannot be told, put null."
_IF_NUMBER = re.compile(
    r"(?<=[.;] )[^.;\n]*\b(?:(?:a|any|the|some) (?:number|figure|amount)|numbers|figures)\b[^.;\n]*\bnull\b[^.;\n]*",
    re.IGNORECASE,
)


def _of_other(names: Sequence[str]) -> re.Pattern[str]:
    """Where null is said of one of some keys by the words around it: "leave advice null", "fix (string) - null if"."""
    key = rf"[\"'`*]*(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])[\"'`*]*"
    return re.compile(
        rf"\b(?:leave|set|make|keep|put) (?:the )?{key}(?: (?:to|as|at))? null\b"
        rf"|(?:,|\b(?:and|or|but)) (?:the )?{key}(?: ?\([^()\n]*\)\s*(?:,|[-–—]+)\s*(?:or )?| (?:is|may be|can be|must be) )null\b",
        re.IGNORECASE,
    )


def _null_lost(value: ReadValue, told: Sequence[str], proofs: Proofs, at: str) -> Iterator[str]:
    names = {other.name for other in proofs if other.name}
    within = {other.name for other in proofs if other.path[: len(value.path)] == value.path} - {value.name, ""}
    inner = "".join(rf"|(?<![\w-]){re.escape(name)}(?![\w-])" for name in sorted(within))
    if "null" in value.types or {"null", "None"} & set(value.labels) or not value.path or value.path[-1] == "*":
        return
    own = re.compile(rf"(?<![\w-]){re.escape(value.name)}(?![\w-])")
    for text in told:
        begins, whole = own.match(text), text
        if begins and {"object", "array"} & set(value.types):
            text = re.split(rf"[{{\[\n]{inner}", text)[0]  # noqa: PLW2901 - what is said of the list itself
        others = [name for name in names - {value.name} if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
        if _OBJECT_OR_NULL.search(whole) and "object" in value.types and begins:
            yield f"{at}null is said of {value.shown}, which was read without it"
        if "number" not in value.types and "integer" not in value.types:
            text = _IF_NUMBER.sub("", text)  # noqa: PLW2901 - null is for numbers only
        if others and begins:
            text = _of_other(others).sub(" ", text)  # noqa: PLW2901 - null is said of the key before that word
        if (begins or not others) and _null_said(text):
            yield f"{at}null is said of {value.shown}, which was read without it"
        elif begins and (optional := _LEFT_OUT.search(text)):
            yield f"{at}{shortened(optional[0])!r}: {value.shown} may be left out, and was read without null"


def _null_of_some(document: PromptText, proofs: Proofs) -> Iterator[str]:
    """A sentence on null for any field, quoted for some of the values, or for none."""
    names = {value.name for value in proofs if value.name}
    leaves = [
        value for value in proofs if value.path and value.path[-1] != "*" and not {"object", "array"} & set(value.types)
    ]
    if not leaves:
        return
    spoken = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in sorted(names)) or r"(?!)")
    for sentence in re.finditer(r"[^.!?\n]*(?:\.(?=\S)[^.!?\n]*)*", document.text):
        said_here = sentence[0]
        if not _null_said(said_here) or not _GENERAL.search(said_here) or spoken.search(said_here):
            continue
        if re.search(r"[\"'][\w ]+[\"']\s*:", said_here):
            continue
        lacking = [value for value in leaves if "null" not in value.types and not value.labels]
        if lacking:
            line = document.line(sentence.start() + len(said_here) - len(said_here.lstrip()))
            yield f"line {line}: {shortened(said_here)!r}: any value may be null, and {lacking[0].shown} was read without it"


# ---- numbers ---------------------------------------------------------------------------------------------------------

_N = r"-?\d+(?:\.\d+)?"
_UNITS = r"(?:words?|sentences?|characters?|chars|lines?|paragraphs?|tokens?|minutes?|hours?|days?|weeks?|months?|years?|pages?|seconds?|bullets?|bullet points?|points? long|letters?|digits?)"
_WORDED = "|".join(word for word in NUMBER_WORDS)
_M = rf"(?:{_N}|(?:{_WORDED}|zero)\b)"
_RANGE = re.compile(
    rf"(?<![\w.$€£:/-])(?P<low>{_M})\s?%?\s?(?:\([^()\n]{{1,60}}\)\s?|=\s?[A-Za-z][\w -]{{0,30}}?(?= to\b))?\s?(?:-|–|—|\bto\b|\bup to\b|\band\b|\bthrough\b|\.\.\.?|,)\s?(?P<high>{_M})(?![\w:/-])(?!\.\d)(?!\s*-?\s*{_UNITS}\b)|\bout of (?P<of>5|10|100)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\b(?:between|from|range|ranging|in|of|scale)\W*\Z|[\[(]\Z", re.IGNORECASE)


_SAMPLE_LIST = re.compile(r"[\"'”]\s*:\s*\[\s*\Z")


def _range_lost(value: ReadValue, told: Sequence[str], at: str) -> Iterator[str]:
    if not {"integer", "number"} & set(value.types) or value.labels:
        return
    if value.minimum is not None and value.maximum is not None:
        ranges = [(low, high) for text in told for low, high, _ in ranges_said(text)]
        # A number beside the range is for the odd case: "0 for anything that is not there".
        wider = any(value.minimum <= low and high <= value.maximum for low, high in ranges)
        exact = any(value.minimum == low or value.maximum == high for low, high in ranges)
        if ranges and not (wider and exact):
            low, high = ranges[0]
            yield f"{at}the range {low:g} to {high:g} is said of {value.shown}, which was read with another one"
        return
    for text in told:
        for _, _, words in ranges_said(text):
            yield f"{at}{shortened(words)!r} is said of {value.shown}, which was read without this range"


def ranges_said(text: str) -> Iterator[tuple[float, float, str]]:
    """The ranges of numbers that a text has, with its words."""
    for match in _RANGE.finditer(text):
        joined = re.search(r"and|,", re.sub(r"\([^()]*\)", "", match[0]))
        if match["low"] and joined and not _JOINED.search(text[: match.start()]):
            continue
        if _SAMPLE_LIST.search(text[: match.start()]) and "," in match[0]:
            continue  # "sources": [1, 2]
        if match["of"]:
            yield 0.0, float(match["of"]), match[0]
            continue
        low, high = (_float(match[side]) for side in ("low", "high"))
        worded = not match["low"][-1].isdigit()
        if worded and not _JOINED.search(text[: match.start()]):
            continue  # "one to two sentences"
        if low != high:
            yield min(low, high), max(low, high), match[0]


def _float(word: str) -> float:
    return float({**NUMBER_WORDS, "zero": 0}.get(word.lower(), word))


_NUMERAL = rf"(?:\d{{1,3}}|{'|'.join(NUMBER_WORDS)})"
_COUNT = re.compile(
    rf"\b(?P<how>exactly|precisely|up to|at most|no more than|not more than|never more than|maximum(?: of)?|max\.?(?: of)?|at least|no fewer than|minimum(?: of)?|min\.?(?: of)?|top|between)?\s*"
    rf"(?P<low>\b{_NUMERAL}\b)(?:\s?(?P<to>-|–|—|to|or|and)\s?(?P<high>{_NUMERAL}\b))?(?P<most>\s+or (?:fewer|less|more))?(?!\s*-?\s*{_UNITS}\b)(?!\s?[-–]\s?\w)(?!\.\d)(?P<things>\s+(?:[\w-]+\s+){{0,3}}?[a-z]+s\b)?",
    re.IGNORECASE,
)


def counts_said(text: str) -> Iterator[tuple[int | None, int | None, str]]:
    """The numbers of items that a text says of a list: least, most, and its words."""
    for match in _COUNT.finditer(text):
        how = (match["how"] or "").lower()
        things = match["things"] or ""
        if re.search(rf"\b(?:{_UNITS}|is|was|has|this|its|as|does|thus|always|whose)\s*\Z", things, re.IGNORECASE):
            continue
        if re.match(r"\s+of\b", text[match.end("low") :]) and not how:
            continue  # "one of which is right"
        if not how and not things:
            continue
        low = _number(match["low"])
        high = _number(match["high"]) if match["high"] else None
        if match["to"] == "and" and how != "between":
            high = None
        if high is not None:
            yield low, high, match[0]
        elif how.startswith(("up", "at most", "no more", "not more", "never more", "max")) or (
            match["most"] or ""
        ).endswith(("fewer", "less")):
            yield None, low, match[0]
        elif how.startswith(("at least", "no fewer", "min")) or (match["most"] or "").endswith("more"):
            yield low, None, match[0]
        elif how or things:
            yield low, low, match[0]


def _number(word: str) -> int:
    return int(word) if word.isdigit() else NUMBER_WORDS[word.lower()]


_KEYWORD = re.compile(r"\"(?P<side>min|max)Items\"\s*:\s*(?P<count>\d+)")
_EACH = re.compile(r"\b(?:each|every|per)\b", re.IGNORECASE)


def _count_lost(value: ReadValue, told: Sequence[str], at: str) -> Iterator[str]:
    if "array" not in value.types:
        return
    for text in told:
        for match in _KEYWORD.finditer(text):
            if int(match["count"]) != (value.min_items if match["side"] == "min" else value.max_items):
                yield f"{at}{match[0]!r} is said of {value.shown}, which was read {_counted(value)}"
        head = _EACH.split(text)[0]
        counts = [one for one in counts_said(head) if _is_of(one[2], head, value.name) and not _OF_KEYS.search(one[2])]
        counts = [one for one in counts if _names(one[2], value.name)] or counts
        lows = {low for low, _, _ in counts if low is not None}
        highs = {high for _, high, _ in counts if high is not None}
        words = shortened(" ".join(one[2].strip() for one in counts))
        fewer = value.min_items not in lows and not (value.min_items is None and 1 in lows)
        if (highs and value.max_items not in highs) or (lows - {0, 1} and fewer):
            yield f"{at}{words!r} is said of {value.shown}, which was read {_counted(value)}"


def _counted(value: ReadValue) -> str:
    bounds = (("at least", value.min_items), ("at most", value.max_items))
    said_so = " and ".join(f"{word} {n}" for word, n in bounds if n is not None)
    return f"with {said_so}" if said_so else "without a count"


# "exactly four keys": so many has the object
_OF_KEYS = re.compile(r"\b(?:keys|fields|properties|attributes)\Z", re.IGNORECASE)
_FIRST = 30


def _is_of(words: str, text: str, name: str) -> bool:
    """Whether a number of things is that of a list: with a word that bounds it, of its own name, or said at once."""
    if re.match(r"[a-z]", words.strip(), re.IGNORECASE) and not re.match(
        rf"{_NUMERAL}\b", words.strip(), re.IGNORECASE
    ):
        return True
    things = {_one(word) for word in re.findall(r"[a-z]+", words.lower())}
    general = things & {"item", "string", "entrie", "element", "object"}
    return bool(general) or _names(words, name) or text.find(words) < _FIRST + len(name)


def _names(words: str, name: str) -> bool:
    own = {_one(word) for word in re.findall(r"[a-z]+", name.lower())}
    return bool(own & {_one(word) for word in re.findall(r"[a-z]+", words.lower())})


def _one(word: str) -> str:
    return word.removesuffix("s")
