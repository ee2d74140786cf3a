"""What a text says that doubts, denies or takes back the value that it names."""

from __future__ import annotations

import re


def _any(*alternatives: str) -> str:
    return rf"(?:{'|'.join(alternatives)})"


_IRONY = ("sarcas", "ironic", "jok")
_UNSURE = _any("not sure", "unsure")
# A text that takes back what it says has no value, wherever that is.
TAKEN_BACK = re.compile(
    r"\(\s*"
    + _any(*_IRONY, "not really")
    + r"|\b"
    + _any(
        *("no,? wait", "on (?:second thou?ghts?|reflection)", "(?:just )?kidding", "(?:have )?changed my mind"),
        *("scratch that", "correction", f"i (?:was|am) (?:wrong|mistaken|{_UNSURE})", f"i['’]m {_UNSURE}"),
        *("can(?:['’]t|not| not) (?:tell|say|decide|be sure)", "hard to (?:say|tell)"),
        "(?:may|might|could) (?:also|as well)",
    )
    + r"\b",
    re.IGNORECASE,
)
# What is said after a value that is not the last word on it.
CHANGED = re.compile(
    _any(
        r"\A\W*\(\s*" + _any(r"not\b", *_IRONY, r"(?:out )?of \d"),
        r"\b(?:unless|if|except)\b",
        r"\A\W*(?:no|nope|sorry|make that)\b,?\s*-?\d",
        r"\b(?:minus|plus|actually|instead|rather|then (?:down|up)|(?:but|now|then) \d)\b",
        r"\b(?:(?:re)?(?:duc|low|rais|chang)\w+ (?:it )?to|up to|down to)\b",
        r"\A\W*\([^()\n]*[;,]\s*(?:or |but |and )?-?\d+(?:\.\d+)?\s*"
        r"(?:in|on|at|when|if|for|during|outside|inside|without|with)\b",
    ),
    re.IGNORECASE,
)
# What is said before a value, or in a clause about it, that denies or doubts it.
DENIED = re.compile(
    r"\b(?:not|no|never|neither|nor|without|rather than|instead of|\w+n['’]t|cannot|hardly|less|far from"
    r"|anything but|lacks?|fails?|doubt|could|might|may|would|should|if|unless|whether|maybe|perhaps|possibly"
    r"|probably|likely|seems?|appears?|false|nobody|none)\b",
    re.IGNORECASE,
)
# Of "could be" what is another value: "could be shorter" is a reason and doubts nothing.
_ANOTHER = _any(
    *(r"\d", "higher", "lower", "more or", "wrong", "mistaken", "misread"),
    "(?:read|seen|taken|argued) (?:as|to|the|either|both|otherwise|differently)",
    *("either", "both", *_IRONY, "irony", "a joke", "the (?:other|opposite)", "something else", "otherwise"),
)
# Doubt that comes after a value.
_DOUBTED = re.compile(
    r"\b"
    + _any(
        *("maybe", "perhaps", "possibly", "probably", "presumably", "(?:most |very )?likely", "debatabl[ey]"),
        *("arguabl[ey]", "uncertain", "unsure", "tentative(?:ly)?", "i (?:guess|suppose)", "sort of", "kind of"),
        *("more or less", "give or take", "or (?:so|thereabouts)"),
        r"not (?:\w+ly |quite |too |so )?(?:sure|certain|clear|confident)",
        r"\w+n['’]t (?:\w+ly |quite )?(?:sure|certain|know|tell|say)",
        r"(?:could|might|may)(?: (?:also|well|just|equally|easily|even|not))* be"
        rf"(?: {_ANOTHER}|\W*(?:$|[.!?)]))",
    ),
    re.IGNORECASE,
)
_NOT_SO = re.compile(r"\b(?:it|this|that) (?:is|was)(?: not|n['’]t)\W*(?:$|[.!?])", re.IGNORECASE)
_UNDER_A_CONDITION = re.compile(
    r"\A\W*(?:(?:but|and|only|just) )*(?:unless|if(?! anything)|when|as long as|provided|assuming)\b", re.IGNORECASE
)
_TURNS = re.compile(
    r"\A\W*(?:but|however|(?:al)?though|then again|still|yet|or|and|on the other hand)\b", re.IGNORECASE
)


def doubted(rest: str) -> bool:
    """Whether what follows a value doubts it: the rest of its sentence, or a later one that turns against it."""
    own, *later = sentences_of(rest) or [""]
    if _UNDER_A_CONDITION.match(own):
        return True
    before_reasons = re.split(r"\b(?:because|since)\b", own, maxsplit=1, flags=re.IGNORECASE)[0]
    against = [each for each in later if _TURNS.match(each)]
    return any(_DOUBTED.search(part) for part in (before_reasons, *against)) or any(map(_NOT_SO.search, against))


def sentences_of(text: str) -> list[str]:
    """The sentences and lines of a text; a semicolon ends one too."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+|(?<=;)\s", text) if part.strip()]
