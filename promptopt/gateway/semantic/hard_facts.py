"""What two texts must have in common to share an answer, whatever their vectors say.

Embeddings are nearly blind to what changes an answer most: "5 miles" and "50 miles", "can" and "cannot", "from Alice
to Bob" and "from Bob to Alice" (the mean of word vectors is the same). So the facts of two texts are compared, and the
order of what they share.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

FactKind = Literal["numbers", "signs", "negation", "dates", "opposites", "names", "order", "words"]

_NUMBER_WORDS = {
    "zero": "0", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "twenty": "20", "thirty": "30", "fifty": "50",
    "hundred": "100", "thousand": "1000", "million": "1000000", "half": "0.5", "twice": "2x", "double": "2x",
}  # fmt: skip
_NEGATIONS = frozenset(
    ["no", "not", "none", "never", "nothing", "nobody", "without", "neither", "nor", "cannot", "cant", "dont",
     "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "wont", "wouldnt", "shouldnt", "couldnt", "hasnt", "havent",
     "except", "nicht", "kein", "keine", "keinen", "nie", "ohne", "pas", "jamais", "sans", "sin", "nunca", "jamás",
     "niet", "geen", "não", "senza", "mai"]
)  # fmt: skip
_DATES = frozenset(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march",
     "april", "june", "july", "august", "september", "october", "november", "december", "today", "tomorrow",
     "yesterday", "tonight", "weekend", "morning", "evening", "week", "month", "year", "day", "hour", "minute"]
)  # fmt: skip
# Words that turn a question into its opposite, and hardly change its embedding.
_OPPOSITES = (
    ("approve", "deny", "reject"), ("enable", "disable"), ("increase", "decrease", "reduce"), ("buy", "sell"),
    ("before", "after"), ("on", "off"), ("start", "stop"), ("open", "close"), ("add", "remove", "delete"),
    ("lock", "unlock"), ("allow", "block"), ("minimum", "maximum"), ("activate", "deactivate"), ("send", "receive"),
    ("incoming", "outgoing"), ("from", "to"), ("with", "without"), ("above", "below"), ("more", "less"),
    ("credit", "debit"), ("deposit", "withdraw"), ("login", "logout"), ("upgrade", "downgrade"), ("import", "export"),
    ("next", "last"), ("next", "previous"), ("first", "last"), ("first", "second", "third"), ("best", "worst"),
    ("more", "fewer"), ("over", "under"), ("up", "down"), ("in", "out"), ("left", "right"), ("higher", "lower"),
    ("an", "aus"), ("auf", "zu"), ("einschalten", "ausschalten"), ("öffnen", "schließen"), ("mehr", "weniger"),
    ("mit", "ohne"), ("ouvrir", "fermer"), ("plus", "moins"), ("avec", "sans"), ("avant", "après"),
    ("abrir", "cerrar"), ("más", "menos"), ("con", "sin"), ("antes", "después"), ("activar", "desactivar"),
)  # fmt: skip
_OPPOSED = frozenset(word for group in _OPPOSITES for word in group)
# Words that say how something is asked, not what; they have no place in the order of what two texts share.
_FILLERS = frozenset(
    ["i", "im", "ive", "id", "ill", "a", "an", "the", "this", "that", "these", "those", "my", "your", "our", "we",
     "you", "he", "she", "it", "they", "there", "here", "what", "whats", "which", "who", "whose", "when", "where",
     "wheres", "why", "how", "hows", "is", "are", "was", "were", "am", "be", "do", "does", "did", "can", "could", "may",
     "might", "should", "would", "will", "shall", "must", "have", "has", "had", "if", "in", "on", "at", "to", "for",
     "from", "of", "and", "or", "but", "so", "as", "by", "with", "please", "help", "hi", "hello", "hey", "thanks",
     "thank", "explain", "tell", "show", "give", "write", "list", "find", "get", "got", "let", "make", "need", "want",
     "after", "some", "someone", "something", "just", "still", "also", "yes", "ok", "okay", "any", "all", "its", "try",
     "trying", "about", "into", "than", "then", "too", "very", "much", "many", "way", "ways", "one", "like",
     "me", "us", "really"]
)  # fmt: skip
_SUFFIXES = ("ing", "ies", "ed", "es", "s")
# A number, a word, or a sign: of a category of symbols, or one that stands alone as an operator does.
_TOKEN = re.compile(
    r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|(?<=\s)[-*/](?=\s)|[+#%@<>=^~|€$£¥°±×÷≤≥≠√∞→←↑↓]|[^\w\s!-⁯　-〿＀-￯]"
)
_ENDS = frozenset(".!?:\n")
# Scripts whose texts this module can read: Latin with its marks.
_FOREIGN = re.compile(r"[^\W\d_a-zA-ZÀ-ɏḀ-ỿ]")


@dataclass(frozen=True, slots=True)
class HardFacts:
    """The facts of a text.

    Attributes:
        numbers: In their order, as all that is a tuple here.
        signs: Symbols such as currency, operators, and pictures.
        negated: Whether anything is denied.
        opposed: Words that have an opposite.
        names: Words that are capitalised as names are.
        order: The words that say what is asked, without endings, with numbers and negations where they are.
        words: All words.
        foreign: Whether it is in a script whose words are not known here.
    """

    numbers: tuple[str, ...]
    signs: tuple[str, ...]
    negated: bool
    dates: frozenset[str]
    opposed: frozenset[str]
    names: frozenset[str]
    order: tuple[str, ...]
    words: frozenset[str]
    foreign: bool = False

    def hidden(self, of: Callable[[str], str]) -> HardFacts:
        """The same facts with every word and number replaced by ``of`` it; two are compared as before."""
        return HardFacts(
            tuple(map(of, self.numbers)),
            self.signs,
            self.negated,
            self.dates,
            self.opposed,
            frozenset(map(of, self.names)),
            tuple(map(of, self.order)),
            frozenset(map(of, self.words)),
            self.foreign,
        )


def hard_facts(text: str) -> HardFacts:
    """Read the facts out of a text."""
    numbers: list[str] = []
    signs: list[str] = []
    order: list[str] = []
    words: set[str] = set()
    names: set[str] = set()
    negated, last = False, 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        word, kind, placed = _read(token)
        if kind == "sign":
            signs.append(token)
        elif kind == "filler":
            words.add(word)
        else:
            words.add(word)
            order.append(placed)
            if kind == "number":
                numbers.append(placed)
            elif kind == "negation":
                negated = True
            elif token[0].isupper() and (token.isupper() or not _begins(text, last, match.start())):
                names.add(word)
        last = match.end()
    dates = frozenset(_date(word) for word in words & _DATE_FORMS)
    return HardFacts(
        tuple(numbers),
        tuple(signs),
        negated,
        dates,
        frozenset(words & _OPPOSED),
        frozenset(names - _DATE_FORMS),
        tuple(_without_and(text, order)),
        frozenset(words),
        not text.isascii() and _FOREIGN.search(text) is not None,
    )


# The rules by which facts are read and compared; a threshold is calibrated under them.
RULES = 2
_DATE_FORMS = _DATES | {f"{word}s" for word in _DATES}


def _date(word: str) -> str:
    return word if word in _DATES else word[:-1]


@lru_cache(maxsize=1 << 15)
def _read(token: str) -> tuple[str, Literal["word", "filler", "number", "sign", "negation"], str]:
    """A token as it is compared, what it is, and what it is in the order."""
    if token[0].isdigit():
        number = token.replace(",", "")
        return number, "number", number
    if not token[0].isalpha():
        return token, "sign", token
    word = token.lower()
    if plain := word.replace("'", "").replace("’", ""):
        if plain in _NEGATIONS or (plain != word and plain.endswith("nt")):
            return plain, "negation", "not"
        word = plain
    if word in _NUMBER_WORDS:
        return word, "number", _NUMBER_WORDS[word]
    return word, "filler" if word in _FILLERS else "word", _stem(word)


def difference(a: HardFacts, b: HardFacts) -> FactKind | None:
    """What keeps two texts from sharing an answer; ``None`` if nothing does."""
    if a.foreign or b.foreign:
        # Words of a script that cannot be read here decide nothing, so that they must be the same.
        return None if (a.order, a.words, a.signs, a.numbers) == (b.order, b.words, b.signs, b.numbers) else "words"
    if a.numbers != b.numbers:
        return "order" if sorted(a.numbers) == sorted(b.numbers) else "numbers"
    if a.signs != b.signs:
        return "signs"
    if a.negated is not b.negated:
        return "negation"
    if a.dates != b.dates:
        return "dates"
    if a.opposed != b.opposed and _opposed(a.opposed, b.opposed):
        return "opposites"
    if not (a.names <= b.words and b.names <= a.words):
        return "names"
    return None if a.order == b.order or _same_order(a.order, b.order) else "order"


def _opposed(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether one text has a word where the other has its opposite."""
    for group in _OPPOSITES:
        one, other = a.intersection(group), b.intersection(group)
        if one - other and other - one:
            return True
    return False


def _same_order(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether the words that two texts share come in the same order in both."""
    once_a, once_b = _once(a), _once(b)
    return [word for word in a if word in once_a and word in once_b] == [
        word for word in b if word in once_a and word in once_b
    ]


def _once(order: tuple[str, ...]) -> set[str]:
    found = set(order)
    return found if len(found) == len(order) else {word for word in found if order.count(word) == 1}


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) >= len(suffix) + 3:
            return word[: -len(suffix)]
    return word


def _begins(text: str, last: int, start: int) -> bool:
    """Whether a word that begins at ``start``, after one that ended at ``last``, begins a sentence."""
    return last == 0 or not _ENDS.isdisjoint(text[last:start])


_PAIR = re.compile(r"([^\W\d_]+) (?:and|or|vs\.?|versus) (?:an? |the )?([^\W\d_]+)", re.IGNORECASE)


def _without_and(text: str, order: list[str]) -> list[str]:
    """The order, in which two words that are joined by "and" or "or" come by the alphabet: neither is first."""
    if " or " not in text and " and " not in text and " vs" not in text:
        return order
    for match in _PAIR.finditer(text):
        one, other = _stem(match[1].lower()), _stem(match[2].lower())
        if one > other and order.count(one) == order.count(other) == 1:
            here, there = order.index(one), order.index(other)
            if there == here + 1:
                order[here], order[there] = other, one
    return order
