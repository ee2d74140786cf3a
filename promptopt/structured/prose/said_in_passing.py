"""What the task says of a key before the keys are named: "which part is hit (web, app)", "whether you need more", "S1 - all is down"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from promptopt.structured.fields import MASK, PromptText, Span
from promptopt.structured.prose.described import stated
from promptopt.structured.prose.list_counts import stem
from promptopt.structured.prose.plain_labels import is_kind, whole_list
from promptopt.structured.prose.wording import number_range


class SaidInPassing:
    """What the sentences of a prompt say of the keys that it names elsewhere.

    Args:
        names: All keys; words that fit several of them say nothing.
        covered: Where the keys are named: what is said there is no task.
    """

    def __init__(self, document: PromptText, names: Sequence[str], covered: Sequence[Span]) -> None:
        self._names = {name: _stems(name) for name in names}
        text = document.without(covered)
        self._text = text
        self._asides = list(_asides(text))
        self._whether = list(_whether(text))
        self._codes = list(_codes(text))
        self._ranges = list(_ranges(text))
        self._lists = list(_lists(text, names))

    def of(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of a key of which its own statement says nothing."""
        if schema not in ({"type": "string"}, {"type": "number"}):
            return schema
        found = [
            value
            for words, aside in self._asides
            if self._is_about(name, words) and (value := _value(name, words, aside))
        ]
        found += [
            {"type": "string", "enum": labels} for noun, labels in self._lists if _stems(noun) == self._names[name]
        ]
        found += [{"type": "string", "enum": codes} for lead, codes in self._codes if self._is_led(name, lead, codes)]
        if not found and any(self._is_about(name, words) for words in self._whether):
            found = [{"type": "boolean"}]
        found += _grades_beside(name, self._text)
        if not found:
            found = [bounds for words, bounds in self._ranges if self._is_about(name, words)]
        same = bool(found) and all(one == found[0] for one in found)
        return found[0] if same and (schema["type"] == "string" or set(found[0]) & {"minimum", "enum"}) else schema

    def _is_about(self, name: str, words: str) -> bool:
        """Whether words have all those of a key, and of no key that has more."""
        said = _stems(words)
        own = self._names[name]
        return own <= said and not any(own < other <= said for other in self._names.values())

    def _is_led(self, name: str, lead: str, codes: Sequence[str]) -> bool:
        """Whether codes are those of a key: the line above them speaks of it alone, or they begin with its first letter."""
        led = [key for key in self._names if self._is_about(key, lead)]
        if led:
            return led == [name]
        if all(len(code) == 1 for code in codes):
            return [key for key in self._names if is_kind(key)] == [name]
        initials = {code[0].lower() for code in codes if re.fullmatch(r"[A-Z]\d", code)}
        return len(initials) == 1 and [key for key in self._names if key[0].lower() in initials] == [name]


def _stems(words: str) -> set[str]:
    parts = re.findall(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+", words)
    return {stem(part.lower()) for part in parts}


# "3. The mood at the end (calm, upset)": words up to a sign, and what stands in brackets after them
_ASIDE = re.compile(r"(?P<words>[^.,;:()\n]{3,100}?)[*_\"'`]* ?\((?P<aside>[^()\n]{3,120})\)")
_SAMPLE = re.compile(r"\b(?:e\.g|for example|such as|like|i\.e|see|if|max|optional)\b", re.IGNORECASE)


def _asides(text: str) -> Iterator[tuple[str, str]]:
    for match in _ASIDE.finditer(text):
        if MASK not in match[0] and not _SAMPLE.search(match["aside"]):
            yield match["words"], match["aside"].strip()


_WHICH = re.compile(r"\b(?:which|what|one of|whether)\b", re.IGNORECASE)
_RANGE = re.compile(r"(?P<low>-?\d+(?:\.\d+)?)\s?(?:-|–|to)\s?(?P<high>-?\d+(?:\.\d+)?)")
_LABEL = r"[A-Za-z][\w-]*(?: [\w-]+)?"
_LABELS = re.compile(rf"{_LABEL}(?:\s*(?:,\s*or\b|,|/|\||\bor\b)\s*{_LABEL})+")


def _value(name: str, words: str, aside: str) -> dict[str, Any]:
    """What brackets say of a key: a range or labels; empty if they may say something else."""
    if span := _RANGE.fullmatch(aside):
        return number_range(span["low"], span["high"])
    if not _LABELS.fullmatch(aside):
        found = stated(aside) or {}
        return found if found.get("type") in ("boolean", "integer", "number", "array") else {}
    parts = re.split(r"\s*(?:,\s*or\b|,|/|\||\bor\b)\s*", aside)
    kind = is_kind(name) or any(is_kind(part) for part in name.split("_"))
    labels = parts if kind or _WHICH.search(words) or "/" in aside else whole_list(name, aside)
    return {"type": "string", "enum": labels} if len(set(labels)) == len(labels) > 1 else {}


_WHETHER = re.compile(
    r"\b(?:whether|if)(?: or not)? (?P<words>[^.,;:()\n]{3,80}?)(?= and (?:whether|if|which|what|how)\b|[.,;:()\n]|\Z)"
)
_ASKS = re.compile(
    r"\b(?:say|state|decide|determine|assess|check|tell|indicate|judge|note|identify|and|1[.)]|\d[.)]|[-*•]|predict|estimate)\W*\Z",
    re.IGNORECASE,
)


def _whether(text: str) -> Iterator[str]:
    """What the task asks to be decided: "and whether a bed is needed"."""
    for match in _WHETHER.finditer(text):
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if match[0].lower().startswith("whether") or _ASKS.search(before):
            yield match["words"]


_CODE = (
    r"[ \t]*(?:[-*•][ \t]+)?[*`\"']*(?P<code>[A-Z]\d|[A-Za-z][\w-]*)[*`\"']*[ \t]*(?:[:=]|[-–—](?=\s))[ \t]*\S[^\n]*"
)
_CODES = re.compile(rf"(?:^{_CODE.replace('?P<code>', '?:')}(?:\n|\Z)){{2,}}", re.MULTILINE)
# A list of what is to be written, or of what is given
_NO_CODES = re.compile(
    r"\b(?:keys?|fields?|json|for each|following|inputs?|rules|steps|criteria|note|format)\b", re.IGNORECASE
)


def _codes(text: str) -> Iterator[tuple[str, list[str]]]:
    """Labels that are explained below each other, with the sentence above them."""
    for match in _CODES.finditer(text):
        above = text[: match.start()].rstrip()
        lead = above.rpartition("\n")[2]
        codes = [line["code"] for line in re.finditer(f"^{_CODE}$", match[0], re.MULTILINE)]
        if MASK in match[0] or _NO_CODES.search(lead) or len(set(codes)) < len(codes):
            continue
        short = all(re.fullmatch(r"[A-Z]\d", code) for code in codes) or "".join(codes) in "ABCDEFGH"
        if short or lead:
            yield lead, codes


# "Teams: web, data, infra", "label is bug, feature or question."
_HEADED = re.compile(
    rf"^[ \t]*(?:[-*•][ \t]+)?[*_]*(?:possible |allowed |valid |available )?(?P<noun>[A-Za-z]+(?:[ _][a-z]+)?s)[*_]*:[*_]*[ \t]*(?P<list>{_LABEL}(?:, (?:or |and )?{_LABEL})+)\.?[ \t]*$",
    re.MULTILINE,
)


def _lists(text: str, names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Labels after the plural of what they are of, or in a sentence that says what a key is."""
    for match in _HEADED.finditer(text):
        yield match["noun"], re.split(r", (?:or |and )?", match["list"])
    for name in names:
        is_one = re.compile(
            rf"(?:^|(?<=[.!?] ))[\"'`*]*{re.escape(name)}[\"'`*]* (?:is|must be|should be) (?P<list>[^.\n]{{3,120}})(?=\.(?:\s|\Z)|\n|\Z)",
            re.IGNORECASE | re.MULTILINE,
        )
        for match in is_one.finditer(text):
            if labels := whole_list("kind", re.sub(r"^(?:either|one of):? ", "", match["list"])):
                yield name, labels


# "Rate tone and style on a scale of 1 to 5", "give it a priority from 1 to 4"
_RANGED = re.compile(
    r"(?P<words>[^.;:()\n]{3,120}?),? (?:on a scale (?:of|from)|from|between|in the range(?: of)?) (?P<low>-?\d+(?:\.\d+)?) ?(?:to|and|-|–) ?(?P<high>-?\d+(?:\.\d+)?)(?![\w.-]*\d)(?! (?:words|sentences|characters|items|days|minutes|hours|years))",
    re.IGNORECASE,
)
_RATES = re.compile(r"\b(?:rate|score|grade)\b", re.IGNORECASE)


def _ranges(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The words before a range, of all that is rated or else of the last thing, and the range."""
    for match in _RANGED.finditer(text):
        words = match["words"] if _RATES.search(match["words"]) else re.split(r",| and | or ", match["words"])[-1]
        if (bounds := number_range(match["low"], match["high"])) and MASK not in match[0]:
            yield words, bounds


def _grades_beside(name: str, text: str) -> list[dict[str, Any]]:
    """The whole numbers that are explained after the name of a key: "urgency: 1 (today), 2 (this week), 3 (later)"."""
    spoken = re.escape(name).replace("_", "[ _]")
    listed = re.compile(
        rf"(?<!\w){spoken}[\"'`*]*(?::| is| as|,)? (?P<list>-?\d{{1,2}} ?(?:\([^()\n]*\)|= ?[^,;\n.]+)(?:[,;] ?(?:or |and )?-?\d{{1,2}} ?(?:\([^()\n]*\)|= ?[^,;\n.]+))+)",
        re.IGNORECASE,
    )
    found = []
    for match in listed.finditer(text):
        grades = [int(one) for one in re.findall(r"(-?\d{1,2}) ?[(=]", match["list"])]
        if grades == list(range(grades[0], grades[0] + len(grades))):
            found.append({"type": "integer", "minimum": grades[0], "maximum": grades[-1]})
    return found
