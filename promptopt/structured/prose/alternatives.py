"""Words that are set against each other in the place of a value: "positive|negative", "yes/no", "one of held, paid, void"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from promptopt.structured.fields import MASK

TYPES: Mapping[str, str] = {
    **dict.fromkeys(("str", "string", "text", "date"), "string"),
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number", "double", "decimal", "numeric"), "number"),
    **dict.fromkeys(("bool", "boolean", "true/false", "true|false", "true or false"), "boolean"),
}
QUOTE = r"[\"'`“”‘’]"
ONE_QUOTED = rf"{QUOTE}([^\"'`“”‘’\n]{{1,40}}){QUOTE}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.-])")
# "Satisfied/Not Satisfied", "not relevant / relevant".
_AND_NOT = re.compile(r"(?:(\w+)\s*[/|]\s*not\s+\1|not\s+(\w+)\s*[/|]\s*\2)", re.IGNORECASE)
WORD_LABEL = re.compile(r"[\w][\w .'/&%-]{0,40}")
PLAIN_WORD = re.compile(r"[A-Za-z][\w-]*")
# Words that are labels wherever they are set against each other by "or" or a slash.
LABELS = frozenset(
    re.findall(
        r"\S+",
        """yes no maybe unknown unsure none pass fail passed failed positive negative neutral mixed correct incorrect partially
    right wrong valid invalid safe unsafe high medium low moderate good bad fair poor excellent supported unsupported
    refuted relevant irrelevant approve reject approved rejected accept accepted allow deny block male female open closed
    minor major critical easy hard urgent normal agree disagree enabled disabled win lose tie first second""",
    )
)
# Two words set against each other are labels unless they name what belongs there.
_PLACED = frozenset(
    (
        "name",
        "title",
        "text",
        "email",
        "phone",
        "id",
        "url",
        "number",
        "string",
        "none",
        "null",
        "empty",
        "value",
        "date",
        "word",
        "phrase",
        "sentence",
        "paragraph",
        "code",
        "address",
        "description",
        "summary",
        "label",
        "person",
        "place",
        "more",
        "less",
        "topic",
        "domain",
        "role",
        "background",
        "goal",
        "reason",
        "question",
        "answer",
    )
)
_NO_LABELS = frozenset(
    "and or path src text html application json xml input output http https n a he she his her yyyy mm dd".split()  # noqa: SIM905 - read as words
)
_MUST_BE = re.compile(
    r"\b(?:one of|must be|has to be|either|allowed(?: values)?|options?|possible values|values?)\b\s*:?\s*(?P<list>.+)",
    re.IGNORECASE,
)


# A list in quotation marks up to its end: what comes in the next sentence are other things.
_QUOTED_RUN = re.compile(
    rf"[^\"'`“”‘’]*{QUOTE}[^\"'`“”‘’]+{QUOTE}(?:\s*(?:\([^()\n]*\))?\s*(?:,\s*(?:or|and)\b|,|/|\||;|\bor\b|\band\b)\s*{QUOTE}[^\"'`“”‘’]+{QUOTE})*"
)


def noted_labels(note: str) -> list[str]:
    """The labels that a note lists: ``one of held, paid, void``."""
    listed = _MUST_BE.search(note)
    if listed is None:
        return []
    first = _QUOTED_RUN.match(listed["list"])
    quoted = re.findall(rf"{QUOTE}([^\"'`“”‘’]+){QUOTE}", first[0]) if first else []
    # Commas or bars are what divides: "Junior, Senior, Lead/Principal" are three.
    dividers = r"[,|]" if re.search(r"[,|]", listed["list"]) else "[/]"
    parts = quoted or [
        part.strip(" .[]") for part in re.split(rf"\s*{dividers}\s*(?:or\s+|and\s+)?|\s+or\s+", listed["list"])
    ]
    known = all(part and WORD_LABEL.fullmatch(part) and len(part.split()) <= 3 for part in parts)
    return list(dict.fromkeys(parts)) if known and len(parts) > 1 else []


# "overall state of the hull, 'good' or 'bad'"
_ENDS_WITH_LABELS = re.compile(
    r"[,:;(–—-]\s*(?:either |one of:? )?(?P<list>'[\w -]{1,30}'(?:\s*(?:,\s*or\b|,|/|\||\bor\b)\s*'[\w -]{1,30}')*\s*(?:,?\s*\bor\b|/|\|)\s*'[\w -]{1,30}')[).]*\s*\Z"
)
# "your view of the hull. One of following: sound, leaky, lost"
_ENDS_WITH_ONE = re.compile(
    r"[.;,:(–—-]\s*one of(?: the)?(?: following)?:\s*(?P<list>[\w][\w -]*(?:,\s*(?:or )?[\w][\w -]*)+)[).]*\s*\Z",
    re.IGNORECASE,
)


def labels_at_end(text: str) -> list[str]:
    """The labels with which the words of a place end."""
    if ends := _ENDS_WITH_LABELS.search(text):
        return re.findall(r"'([^']+)'", ends["list"])
    listed = _ENDS_WITH_ONE.search(text)
    return noted_labels(f"one of {listed['list']}") if listed else []


def alternatives(text: str) -> list[str]:
    """``positive|negative``, ``yes/no`` or ``"A" or "B"`` as labels; empty if the text is something else."""
    text = re.sub(r"\A\W*fill(?: it| this)?(?: in)? with\s+", "", text.strip(), flags=re.IGNORECASE).strip(" <>")
    text = re.sub(r"\A(?:string|str|text)\s*[-–—:,]\s*(?=(?:exactly )?one of\b)", "", text, flags=re.IGNORECASE)
    if MASK in text:
        return []
    if listed := re.match(
        r"(?:exactly |only |must be )?(?:one of|either)\b:?\s*(?P<list>.{3,200})\Z", text, re.IGNORECASE | re.DOTALL
    ):
        return noted_labels(f"one of {listed['list']}")
    parts = [part.strip().strip("\"'`<>") for part in re.split(r"\s*\|\s*", text)]
    if len(parts) >= 2:
        if not all(WORD_LABEL.fullmatch(part) or part == "?" for part in parts):
            return []
        # "date" among four words is a label as they are.
        types = sum(part.lower() in TYPES for part in parts)
        open_list = any(part in ("...", "etc") for part in parts)
        return [] if open_list or types > 1 or (types and len(parts) <= _SEVERAL) else list(dict.fromkeys(parts))
    return _opposites(text)


_SEVERAL = 3


def _opposites(text: str) -> list[str]:
    phrases = re.split(r"\s+/\s+", text.strip(" ."))
    if len(phrases) >= _SEVERAL and all(re.fullmatch(r"[A-Za-z][a-z]*(?: [a-z]+){0,3}", part) for part in phrases):
        return list(dict.fromkeys(phrases))
    if _AND_NOT.fullmatch(text.strip()):
        return [part.strip() for part in re.split(r"[/|]", text)]
    slashes = [part.strip() for part in text.split("/")]
    if len(slashes) > 1:
        if any(part.lower() in _NO_LABELS or not PLAIN_WORD.fullmatch(part) for part in slashes):
            return []
        # "Domain/topic" names what belongs there.
        places = len(slashes) == 2 and (
            not _PLACED.isdisjoint(part.lower() for part in slashes) or len({part[0].isupper() for part in slashes}) > 1
        )
        short = 0 if len(slashes) < _SEVERAL else sum(len(part) == 2 and part.islower() for part in slashes)
        long = sum(len(part) > 2 for part in slashes) + short == len(slashes) > short and not places
        return list(dict.fromkeys(slashes)) if long or _are_labels(slashes) else []
    parts = re.split(r"\s*,\s*(?:or\s+)?|\s+or\s+", re.sub(r"[.!]$", "", text))
    if len(parts) < 2 or not re.search(r"\bor\b", text):
        return []
    bare = [part.strip().strip("\"'`“”‘’") for part in parts]
    if any(part.lower() in TYPES for part in bare):
        return []  # 'integer or "unknown"'
    if all(re.fullmatch(r"[A-Za-z]+_[A-Za-z\d]+", part) for part in bare):
        return list(dict.fromkeys(bare))
    if all(NUMBER.fullmatch(part) for part in bare):
        return list(dict.fromkeys(bare))
    if len(parts) >= _SEVERAL and len(re.findall(r"\s+or\s+", text)) == len(parts) - 1 and _are_values(bare):
        return list(dict.fromkeys(bare))  # "A or B or tie"
    quoted = all(re.fullmatch(rf"{QUOTE}[^\"'`“”‘’]{{1,40}}{QUOTE}", part.strip()) for part in parts)
    return list(dict.fromkeys(bare)) if quoted or _are_labels(bare) else []


def _are_values(parts: list[str]) -> bool:
    """Whether single words may be values and do not say what belongs in a place."""
    return all(PLAIN_WORD.fullmatch(part) for part in parts) and _PLACED.isdisjoint(part.lower() for part in parts)


def _are_labels(parts: list[str]) -> bool:
    if all(re.fullmatch(r"[A-Z]{2,}(?:[ _-][A-Z]{2,}){0,2}", part) for part in parts):
        return True  # "SUPPORTED or NOT SUPPORTED"
    words = all(PLAIN_WORD.fullmatch(part) for part in parts)
    plain = (
        len(parts) == 2 and _PLACED.isdisjoint(part.lower() for part in parts) and all(part.islower() for part in parts)
    )
    return words and (plain or all(part.isupper() for part in parts) or all(part.lower() in LABELS for part in parts))
