"""When shorter words may take the place of others: those of one sense, in the same relations."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from promptopt.compression.witness.change import HELPING, Change, Licence, is_mark, lemma, words_of
from promptopt.compression.witness.parser import base_form

if TYPE_CHECKING:
    from spacy.tokens import Token


@lru_cache(maxsize=2)
def _groups(name: str) -> tuple[frozenset[str], ...]:
    text = files("promptopt.compression.witness").joinpath(name).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(frozenset(phrase.strip() for phrase in line.split("|")) for line in lines)


def _of_one_group(name: str, old: str, new: str) -> bool:
    return any(old in group and new in group for group in _groups(name))


def _same_words(change: Change) -> bool:
    return change.old_text == change.new_text


def _same_sense(change: Change) -> bool:
    old, new = change.old_text.replace(" - ", " "), change.new_text
    if new == "to" or not _of_one_group("senses.txt", old, new):
        return False
    if new == "about" and change.before is not None and change.before.pos_ == "ADJ":
        # "Neutral with regard to the text" is not "neutral about the text".
        return False
    if old in ("concerning", "regarding"):
        return change.words[0].dep_ == "prep" and change.before is not None
    if old.endswith(" that") and new in ("because", "although", "if"):
        return change.words[-1].dep_ == "mark"
    return True


def _purpose(change: Change) -> bool:
    """The words "in order to" are "to" in front of a verb; in front of a place they are an order."""
    after = change.after
    same = _of_one_group("senses.txt", change.old_text, "to") and change.new_text == "to"
    return same and after is not None and after.tag_ in ("VB", "VBP") and change.words[-1].tag_ == "TO"


def _same_verb(change: Change) -> bool:
    old, new = (
        " ".join(map(lemma, words)) for words in (change.words, [word for word in change.new if not is_mark(word)])
    )
    if not _of_one_group("verbs.txt", old, new):
        return False
    if old.startswith("make") and change.after is not None and change.after.lower_ in ("to", "not", "of", "about"):
        # One makes sure to lock the door, and ensures that it is locked.
        return False
    if new.startswith("you "):
        # "you are given that x is 3" is not "you get that".
        objects = (child for word in change.words for child in word.children if child.i > change.gone[-1].i)
        return any(child.dep_ in ("dobj", "pobj", "oprd") for child in objects)
    return _ending(_verb_of(change.words)) == _ending(_verb_of(change.new))


def _verb_of(words: Iterable[Token]) -> Token:
    found = list(words)
    return next((word for word in found if word.pos_ in ("VERB", "AUX")), found[0])


def _ending(word: Token) -> str:
    if word.lower_.endswith("ing"):
        return "ing"
    return "s" if word.tag_ == "VBZ" or word.lower_ == "is" else ""


_LIGHT = words_of(
    "make give provide do perform conduct carry write create generate produce output offer take have come reach"
)


def _nominal(change: Change) -> bool:
    """A light verb and the noun of an action: "provide a summary of" is "summarize"."""
    verb, new = change.words[0], [word for word in change.new if not is_mark(word)]
    noun = next((word for word in change.words if word.dep_ in ("dobj", "pobj") and word.pos_ == "NOUN"), None)
    if noun is None or base_form(verb) not in _LIGHT or verb.pos_ not in ("VERB", "AUX"):
        return False
    acts = [word for word in new if word.lower_[:4] == noun.lower_[:4]]
    manner = [_MANNER.get(word.lower_, word.lower_)[:4] for word in change.words if word.dep_ == "amod"]
    # "the list" is there already; what else hangs on the verb or the noun would hang on the action.
    definite = any(child.lower_ not in ("a", "an") for child in noun.children if child.dep_ == "det")
    alone = all(child in change.gone for child in noun.children) and not any(
        child.dep_ == "dative" or child.lower_ == "to" for child in verb.children if child not in change.gone
    )
    said = all(how in change.new_text for how in manner) and len(new) <= 2 * len(manner) + 2
    same = len(acts) == 1 and _ending(verb) == _ending(acts[0])
    return same and alone and said and not definite and not any(map(_may_be_of_the_noun, change.hanging))


_MANNER = {"short": "brief"}


def _may_be_of_the_noun(thing: Token) -> bool:
    """Whether what is said of the object may be said of the noun: "a summary of the log that fits on a card"."""
    more = [child for child in thing.children if child.dep_ in ("relcl", "conj")]
    return any(one.dep_ == "relcl" or any(word.lower_ in ("a", "an") for word in one.lefts) for one in more)


def _able(change: Change) -> bool:
    """The words "is able to" are "can", unless another modal verb comes before them."""
    words, after = change.words, change.after
    if change.new_text != "can" or [lemma(word) for word in words] != ["be", "able", "to"]:
        return False
    helped = any(child.dep_ in HELPING for child in words[0].children)
    return words[0].tag_ in ("VBP", "VBZ") and not helped and after is not None and after.tag_ == "VB"


def _these(change: Change) -> bool:
    """For "the following steps" one may write "these steps"."""
    named = change.old_text == "the following" and change.new_text in ("this", "these")
    return named and change.words[1].dep_ == "amod"


REPLACEMENTS = (
    Licence("the same words", _same_words, keeps=""),
    Licence("a purpose", _purpose, keeps="kinds"),
    Licence("the same sense", _same_sense),
    Licence("the same verb", _same_verb),
    Licence("an action as a verb", _nominal),
    Licence("ability", _able, keeps="kinds"),
    Licence("what follows", _these),
)
