"""Statements of keys, one after the other: the name of each, what brackets beside it say, and what follows a colon or dash.

A sentence joins them with commas, "and" or semicolons; else each has a line of its own, with a bullet or without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptopt.structured.fields import MASK, field_name


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """A key and what is said of it.

    Attributes:
        aside: What stands in brackets after the name.
        told: What follows a colon, a dash, or a word such as "as".
        marked: Whether the name is in quotation marks, or no word is spelled like it.
        start: Where the statement begins in the text.
        end: Where it ends.
    """

    name: str
    aside: str
    told: str
    marked: bool
    start: int
    end: int

    @property
    def said(self) -> str:
        """All that is said of the key, the brackets first."""
        return f"({self.aside}) {self.told}" if self.aside and self.told else self.aside or self.told


_Q = "[\"'`“”‘’]"
_NAME = rf"(?:[*_]{{0,2}}{_Q}(?P<quoted>[A-Za-z_][\w -]{{0,40}}?){_Q}[*_]{{0,2}}|[*]{{0,2}}(?P<plain>[A-Za-z]\w*)[*]{{0,2}})"
_BRACKETS = r"(?:\((?P<round>[^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)|\[(?P<square>[^\[\]\n]*)\])"
_KEY = re.compile(
    rf"(?:(?:and|an?|the|your|its|both|also|another) )*(?:(?:short|brief|final|concise|overall) (?=[a-z]\w*(?:[ ,.(;]|\Z))(?!and\b|or\b))?{_NAME}(?: (?:keys?|fields?|property|attribute)(?= ?[,(:]| with\b| for\b| and\b|[.;\n]|\Z))?(?: ?{_BRACKETS})?"
)
_JOINT = r"(?:[ \t]*,[ \t]*(?:\n[ \t]*)?(?:(?:and|as well as|plus)[ \t]+|&[ \t]*)?|[ \t]+(?:and|as well as|plus|&)[ \t]+(?:\n[ \t]*)?)"
_COMMA = re.compile(_JOINT)
_SEMICOLON = re.compile(rf"[ \t]*;[ \t]*(?:\n[ \t]*)?(?:and[ \t]+)?|{_JOINT}")
_SIGN = re.compile(r"(?:[ \t]*(?::(?!\S*//)|=)[ \t]*|[ \t]+[-–—][ \t]+)")
# What may follow the last name: "with your remarks", "of the box below"
_ON = r"(?:with|of|for|from|in|about|that|which|where|who|whether|describing|explaining|listing|giving|indicating|based|according|per|said|to)"
_AFTER = re.compile(
    rf"[ \t]+(?P<told>{_ON}\b(?:(?!, (?:and )?)[^.;\n()]|\.\d)*?)(?={_JOINT}|[ \t]*(?:[.;)\n]|\Z))",
    re.IGNORECASE,
)
_AS = re.compile(
    r"[ \t]*,?[ \t]+(?P<told>(?:between|from) -?\d[\d.]* (?:and|to) -?\d+(?:\.\d+)?|as (?:an? |the |one |true|false|yes|list|number|integer)[^,;.()\n]{0,40}?|or (?:null|none)\b[^,;.()\n]{0,40}?)(?=[ \t]*[,;.)\n]|\Z|[ \t]+and\b)",
    re.IGNORECASE,
)
# '"tags" an array of short labels, "open" a boolean'
_PLAINLY = re.compile(
    r"[ \t]+(?P<told>(?:an?|the|my|your|how|whether|what|array|list|string|boolean|integer|number)\b[^\"“`\n]*?)(?=,?[ \t]+(?:and[ \t]+)?[\"“`]|[ \t]*(?:\n|\Z))",
    re.IGNORECASE,
)
_END = re.compile(r"[ \t]*(?:[.!?](?=\s|[\"'`)]|\Z)|[;)]|\n|\Z|[ \t][-–—][ \t])")
_SENTENCE = re.compile(rf"{_NAME}(?: ?{_BRACKETS})?[ \t]*[:=][ \t]*(?P<told>[^.;\n]{{2,120}})[.;]?(?=\s|\Z)")
# Words that no key is: what JSON is written with, and orders that the sentence goes on with.
_NO_KEY = frozenset(
    re.findall(
        r"\S+",
        """a an the and or of in on to for from with as into by at is are be it its this that these those if when where not no only any all each every one two three
    key keys field fields value values json object objects array list lists properties property attribute attributes following exactly below above
    use set return respond omit leave write put give include add make do don never ensure null none nothing
    quotes commas braces brackets indentation indent whitespace newlines comments markdown backticks syntax formatting explanations prose preamble structure schema format
    double single valid proper escaped care
    quotation spaces extra additional accurate concise clear relevant correct high they you your we them us there here please then otherwise""",
    )
)


def _bracketed(match: re.Match[str]) -> str:
    """What the brackets after a name say: "(number)", "[low, mid, high]", "[]"."""
    if match["square"] is None:
        return (match["round"] or "").strip()
    inner = match["square"].strip()
    return "list" if not inner else f"one of {inner}" if "," in inner else inner


def _statement(match: re.Match[str], end: int, told: str = "") -> KeyStatement | None:
    name = match["quoted"] or match["plain"]
    if MASK in match[0] or (match["plain"] and name.lower() in _NO_KEY) or not name.strip():
        return None
    aside = _bracketed(match)
    marked = match["quoted"] is not None or re.search(r"_|[a-z][A-Z]", name) is not None
    return KeyStatement(name, aside, told.strip(" ,"), marked, match.start(), end)


def stated_in_sentence(text: str, start: int, *, enclosed: bool = False) -> list[KeyStatement]:
    """The keys that are stated from a position on, up to the end of their sentence; empty if something else is there.

    Args:
        enclosed: Whether a bracket that was opened before encloses them.
    """
    line = text.find("\n", start)
    rest = text[start : line if line >= 0 else len(text)]
    if len(found := _by_sentences(text, start)) > 1:
        return found
    signed = re.match(rf"{_KEY.pattern}{_SIGN.pattern}", rest)
    if signed:
        found = _with_signs(text, start, semicolons=";" in rest)
    else:
        found = _joined(text, start, _SEMICOLON if ";" in rest else _COMMA)
    shut = not enclosed or (found and text[found[-1].end :].lstrip(" .").startswith(")"))
    return found if shut else []


def _by_sentences(text: str, start: int) -> list[KeyStatement]:
    """Keys of which each has a sentence: "language: ISO code. formal: true or false."."""
    found: list[KeyStatement] = []
    while match := _SENTENCE.match(text, start):
        one = _statement(match, match.end(), match["told"])
        if one is None or re.search(r"[,;] [a-z]\w*:", match["told"]):
            return []
        found.append(one)
        space = re.compile(r"[ \t]+").match(text, match.end())
        if space is None:
            break
        start = space.end()
    return found


def _with_signs(text: str, start: int, *, semicolons: bool) -> list[KeyStatement]:
    """Keys of which each has a colon or a dash: "city - the name of the town; rain - boolean"."""
    joint = re.compile(r"[ \t]*;[ \t]*(?:and[ \t]+)?") if semicolons else re.compile(_JOINT)
    found: list[KeyStatement] = []
    while match := _KEY.match(text, start):
        sign = _SIGN.match(text, match.end())
        if sign is None:
            return []
        further = next(
            (
                one
                for one in joint.finditer(text, sign.end(), _line_end(text, sign.end()))
                if (key := _KEY.match(text, one.end())) and _SIGN.match(text, key.end())
            ),
            None,
        )
        stop = re.compile(r"\.(?=\s|\Z)|\)(?=[.\s]*(?:\n|\Z))|\n|\Z" if not semicolons else r"\.(?=\s|\Z)|[;\n]|\Z")
        ends = stop.search(text, sign.end())
        end = further.start() if further else ends.start() if ends else len(text)
        one = _statement(match, end, text[sign.end() : end])
        if one is None:
            return []
        found.append(one)
        if further is None:
            return found
        start = further.end()
    return []


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _joined(text: str, start: int, joint: re.Pattern[str]) -> list[KeyStatement]:
    """Keys with commas and "and" between them."""
    found: list[KeyStatement] = []
    while match := _KEY.match(text, start):
        end, told = match.end(), ""
        plainly = _PLAINLY.match(text, end) if match["quoted"] and not match["round"] else None
        if said := _AS.match(text, end) or _AFTER.match(text, end) or plainly:
            end, told = said.end(), said["told"]
        one = None if _ANSWERS.match(match["plain"] or "", 0) and _IN_FORM.match(told) else _statement(match, end, told)
        if one is None:
            # ", use null for what is missing" is the next order
            ends = match["plain"] and (match["plain"].lower() in _ORDERS or _ANSWERS.match(match["plain"]))
            return found if found and ends else []
        found.append(one)
        further = joint.match(text, end)
        if further is None:
            return _shared(_of_pairs(found, text)) if _END.match(text, end) else []
        start = further.end()
    return []


def _of_pairs(found: list[KeyStatement], text: str) -> list[KeyStatement]:
    """The statements with the brackets after "start and end (seconds), name" said of both."""
    result = list(found)
    for number in range(1, len(found) - 1):
        between = text[found[number - 1].end : found[number].start]
        if found[number].aside and not found[number - 1].said and "," not in between and ";" not in between:
            result[number - 1] = replace(found[number - 1], aside=found[number].aside)
    return result


# "..., answer in English": an order, and no key
_ANSWERS = re.compile(r"(?:answer|reply|output|response)\Z", re.IGNORECASE)
_IN_FORM = re.compile(r"(?:in|with|as|only|using)\b", re.IGNORECASE)


# Words that begin the next order.
_ORDERS = frozenset(("use", "set", "return", "omit", "leave", "write", "put", "give", "null", "if", "do", "never"))


_KINDS = {
    "strings": "string",
    "texts": "string",
    "numbers": "number",
    "numeric": "number",
    "floats": "float",
    "decimals": "number",
    "integers": "integer",
    "ints": "integer",
    "booleans": "boolean",
    "bools": "boolean",
    "true/false": "true/false",
}
_OF_ALL = re.compile(
    r"(?:all|both|each|every one|each one)(?: of them)?,?\s+(?:are |as |an? )?(?P<what>.+)", re.IGNORECASE
)


def _shared(found: Sequence[KeyStatement]) -> list[KeyStatement]:
    """The statements with what brackets say of several: "width, height (numbers)", "tone, style (each 1-5)"."""
    result = list(found)
    for number, one in enumerate(found):
        words = one.aside.strip().lower()
        every = _OF_ALL.fullmatch(one.aside)
        kind = every["what"] if every else _KINDS.get(words) if words.endswith("s") else None
        if kind is None:
            continue
        first = number
        while first and not found[first - 1].said:
            first -= 1
        if first == number and not every:
            continue  # "scores (numbers)": a list
        for each in range(first, number + 1):
            result[each] = replace(result[each], aside=_KINDS.get(kind.strip().lower(), kind))
    return result


_MARK = r"(?:[-*•+][ \t]+|\d+[.)][ \t]+)"
_LINE = re.compile(
    rf"(?P<indent>[ \t]*)(?P<mark>{_MARK})?(?P<open>[*_`\"'“]*)(?P<name>[A-Za-z_][\w /-]{{0,40}}?)(?P<shut>[*_`\"'”]*)"
    rf"(?:[ \t]*{_BRACKETS})?[*_]*[ \t]*(?P<sign>:|=|[-–—](?=[ \t])|(?=\n|\Z))[*_]*[ \t]*(?P<told>[^\n]*)"
)


def stated_in_lines(text: str, start: int) -> list[KeyStatement]:
    """The keys of the lines that begin at a position, one a line, up to a blank line; empty if a line states no key."""
    found: list[KeyStatement] = []
    layout: tuple[str, bool] | None = None
    while start < len(text):
        end = _line_end(text, start)
        line = text[start:end]
        if not line.strip():
            break
        match = _LINE.fullmatch(line)
        marked = bool(match and re.search(r"[`\"'“]", match["open"]))
        if match is None or layout not in (None, (match["indent"], bool(match["mark"]))):
            deeper = layout and len(line) - len(line.lstrip()) > len(layout[0])
            if found and deeper and not re.match(rf"[ \t]*{_MARK}", line):
                found[-1] = replace(found[-1], told=f"{found[-1].told} {line.strip()}".strip(), end=end)
                start = end + 1
                continue
            if found and layout and layout[1] and not deeper and not re.match(_MARK, line.lstrip()):
                break  # a sentence below the list
            return []
        layout = (match["indent"], bool(match["mark"]))
        one = _of_line(match, marked, start)
        if one is None or one.name in {other.name for other in found}:
            return []
        found.append(one)
        start = end + 1
    return found


def _of_line(match: re.Match[str], marked: bool, start: int) -> KeyStatement | None:
    """The key of a line; ``None`` if it is a sentence, or a line of a text."""
    plain = match["name"].strip()
    own = re.fullmatch(r"[a-z]\w*", plain) is not None
    aside = _bracketed(match)
    bold = "*" in match["open"]
    if MASK in match[0] or (not marked and plain.lower() in _NO_KEY | _HEADS):
        return None
    if not (own or marked or bold or match["mark"]) or (not own and not marked and len(plain.split()) > 3):
        return None  # "Dear Sir:" begins a letter
    if not (match["sign"] or aside or own or marked):
        return None
    name = plain if own or marked or re.fullmatch(r"\w+", plain) else field_name(plain)
    return KeyStatement(name, aside, match["told"].strip(), marked or "_" in name, start, start + len(match[0]))


_HEADS = frozenset(
    re.findall(
        r"\S+",
        "input output note notes: example examples rules important remember answer question user assistant system context task instructions format",
    )
)
