"""Whether a stretch of text is English: the only language that the wording rules know."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    "the of and to in is are be that this these those with for from as on or by an it its your you not if "  # noqa: SIM905 - read as words
    "should must when which what how all any each only do does will can may into at have has then than their "
    "there use using between about provide following given based output list write".split()
)
# Function words of languages in Latin script that are not English words.
_FOREIGN = frozenset(
    "der die das und ist nicht ein eine einen mit für auf sie ich wir zu den dem des von im auch wird werden "  # noqa: SIM905 - read as words
    "le la les et est pas une des du pour dans avec vous nous qui que sur au aux ne ce cette sont votre "
    "el los las y es una del para con por su sus como más usted lo se "
    "il gli che di della per non sono con una nel "
    "o os um uma não para com você seu sua dos das em "
    "het een en niet van voor met zijn op de "
    "och att det som på är av inte till jag "
    "nie jest się na że z do oraz".split()
)


@lru_cache(maxsize=4096)
def is_english(text: str) -> bool:
    """Whether ``text`` reads as English. Short labels without any function word count as English in ASCII only."""
    words = _WORDS.findall(text.lower())
    if not words:
        return True
    plain = letters = 1
    if not text.isascii():
        letters = sum(map(len, words))
        plain = sum(len(word) for word in words if word.isascii())
        if plain < 0.8 * letters:
            return False
    english = foreign = 0
    for word in words:
        if word in _ENGLISH:
            english += 1
        elif word in _FOREIGN:
            foreign += 1
    if english == foreign == 0:
        return plain == letters
    return english > foreign
