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
        *("no,? wait", "on (?:a )?(?:second thou?ghts?|reflection|second reading)", "(?:just )?kidding"),
        *(
            "(?:have )?changed my mind",
            "(?:sorry|oops|wait),? i (?:actually )?mean[t]?",
            "i (?:actually |really )?meant",
        ),
        "(?:disregard|ignore|forget) (?:my|what i|the above(?! \\w))",
        *("my mistake", "i take (?:that|it) back", "reading it again", "i lean"),
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
        # "7 - 1", but not "7 - 2 typos".
        r"\A\s*[-–—;]\s*[+-]?\d+(?:\.\d+)?\s*(?:\Z|[^\w\s]|(?:for|in|on|at|if|when|with|without)\b)",
        r"\A[!.\s]*\?",
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
        *("more or less", "give or take", "or (?:so|thereabouts)", rf"but\b[^.\n]*\b{_any(*_IRONY)}\w*"),
        # Other languages; what they say otherwise is not read as a value in the first place.
        *("vielleicht", "möglicherweise", "wahrscheinlich", "peut-être", "probablement", "quizás?", "tal vez"),
        *("probablemente", "forse", "probabilmente", "talvez", "misschien", "waarschijnlijk"),
        r"not (?:\w+ly |quite |too |so )?(?:sure|certain|clear|confident)",
        r"\w+n['’]t (?:\w+ly |quite )?(?:sure|certain|know|tell|say)",
        r"(?:could|might|may)(?: (?:also|well|just|equally|easily|even|not))* be"
        rf"(?: {_ANOTHER}|\W*(?:$|[.!?)]))",
    ),
    re.IGNORECASE,
)
_NOT_SO = re.compile(r"\b(?:it|this|that) (?:is|was)(?: not|n['’]t)\W*(?:$|[.!?])", re.IGNORECASE)
_NOT = re.compile(r"\W*not\W*", re.IGNORECASE)
# "No, it is spam": yes and no that the rest of the sentence contradicts.
_CLAUSE = re.compile(r"\A,\s+(?:it|this|that|they|the \w+)\s*(?:['’]s|is|are|was|were|does|do|did|has|have)")
_UNDER_A_CONDITION = re.compile(
    r"\A\W*(?:(?:but|and|only|just) )*(?:unless|if(?! anything)|when|as long as|provided|assuming)\b"
    r"|\A\W*(?:but )?only (?:on|in|at|for|after|before|during|under|with|from|until|once)\b",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"\A\W*(?:but|however|(?:al)?though|then again|still|yet|or|and|on the other hand|that said|even so)\b",
    re.IGNORECASE,
)
# How a sentence begins that says another value than the one before it; the first only add to it.
_ADDS = r"(?:but|however|that said|even so|then again|rather|instead|or)\b"
_CORRECTS = (
    r"(?:(?:actually|sorry|oops|wait|make that|p\.?s)\b|no\s*[,.:;!–—-]"
    r"|(?:edit|update|erratum|revised|final)\b[^:\n]{0,20}:)"
)


def doubted(rest: str) -> bool:
    """Whether what follows a value doubts it: the rest of its sentence, or a later one that turns against it."""
    own, *later = sentences_of(rest) or [""]
    if _UNDER_A_CONDITION.match(own):
        return True
    before_reasons = re.split(r"\b(?:because|since)\b", own, maxsplit=1, flags=re.IGNORECASE)[0]
    against = [each for each in later if _TURNS.match(each)]
    if any(map(_NOT.fullmatch, (own, *later))):
        return True
    return any(_DOUBTED.search(part) for part in (before_reasons, *against)) or any(map(_NOT_SO.search, against))


def contradicted(rest: str, *, yes: bool) -> bool:
    """Whether a clause that follows "yes" or "no" says the other."""
    return _CLAUSE.match(rest) is not None and (DENIED.search(rest) is not None) == yes


def corrections(rest: str, *, turns: bool) -> list[str]:
    """The sentences of a text that begin as a correction does.

    Args:
        turns: Whether one that begins with "but" or "however" is one, too.
    """
    begins = re.compile(rf"\A\W*(?:{_CORRECTS}{f'|{_ADDS}' if turns else ''})", re.IGNORECASE)
    return [each for each in sentences_of(rest) if begins.match(each)]


def sentences_of(text: str) -> list[str]:
    """The sentences and lines of a text; a semicolon ends one too."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+|(?<=;)\s", text) if part.strip()]
