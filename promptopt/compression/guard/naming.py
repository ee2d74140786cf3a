"""How what a rewrite has lost is named: in the words of the original."""

from __future__ import annotations

import re

from promptopt.compression.guard.asked import Asked, Marker, plain_text, words_in
from promptopt.compression.guard.one_form import PHRASES

PHRASE = 4
"""Words of a phrase by which a loss is named, at most."""
_OWN = ("amod", "advmod", "compound", "nummod", "poss")


def as_written(text: str, word: str) -> str:
    """The words of a text that are compared as ``word``: "leave out" for "omit"; ``word`` if it is there itself."""
    plain = plain_text(text)
    there = set(words_in(plain))
    for pattern, replacement in PHRASES:
        if word not in words_in(plain) and word != "not":  # "n't" is no word to name
            for match in pattern.finditer(plain):
                if word in words_in(match.expand(replacement)):
                    # "last " before a number: the phrase is not whole without it.
                    after = re.match(r"[\w-]+", plain[match.end() :]) if match[0].endswith(" ") else None
                    found = (match[0] + (after[0] if after else "")).split()
                    return " ".join(one if one in there else as_written(text, one) for one in found)
        plain = pattern.sub(replacement, plain)
    return word.replace("_", " ")


def phrase(asked: Asked, text: str, written: str) -> str:
    """A lost word with the words that it belongs to, or the words that it is compared for."""
    tokens = asked.forms.get(written)
    if not tokens:
        return repr(as_written(text, written))
    token = tokens[0]
    own = [kid for kid in token.lefts if kid.dep_ in _OWN]
    words = token.doc[min((kid.i for kid in own), default=token.i) : token.i + 1]
    return repr(words.text.lower() if len(words) <= PHRASE else written)


def described(marker: Marker, text: str = "") -> str:
    """A marker and what it says.

    Args:
        text: The text that it is from, for its own words.
    """
    said = marker.said or " ".join(word.written for word in marker.scope)
    written = as_written(text, marker.written.replace(" ", "_")) if text else marker.written
    return f"{marker.kind} {written!r}" + (f" ({said})" if said else "")
