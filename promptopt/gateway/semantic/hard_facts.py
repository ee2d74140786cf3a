"""What the semantic cache compares first: two texts may share an answer only if their hard facts are the same.

Embeddings are nearly blind to what changes an answer most: "5 miles" and "50 miles", "can" and "cannot".
"""

from __future__ import annotations

import re

from promptopt.values import canonical_json, sha256_hex

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_NUMBER_WORDS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "twenty": "20", "thirty": "30",
    "fifty": "50", "hundred": "100", "thousand": "1000", "million": "1000000", "half": "0.5", "twice": "2x",
    "double": "2x", "once": "1x", "first": "1st", "second": "2nd", "third": "3rd", "last": "last", "next": "next",
    "previous": "last",
}  # fmt: skip
_NEGATIONS = frozenset(
    ["no", "not", "none", "never", "nothing", "nobody", "without", "neither", "nor", "cannot", "cant", "dont", "doesnt",
     "didnt", "isnt", "arent", "wasnt", "werent", "wont", "wouldnt", "shouldnt", "couldnt", "hasnt", "havent", "except"]
)  # fmt: skip
_DATES = frozenset(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march",
     "april", "june", "july", "august", "september", "october", "november", "december", "today", "tomorrow",
     "yesterday", "tonight", "weekend", "morning", "evening", "week", "month", "year", "day", "hour", "minute"]
)  # fmt: skip
# Words that turn a question into its opposite, and hardly change its embedding.
_POLES = (
    ("approve", "deny", "reject"), ("enable", "disable"), ("increase", "decrease", "reduce"), ("buy", "sell"),
    ("before", "after"), ("on", "off"), ("start", "stop"), ("open", "close"), ("add", "remove", "delete"),
    ("lock", "unlock"), ("allow", "block"), ("minimum", "maximum"), ("activate", "deactivate"), ("send", "receive"),
    ("incoming", "outgoing"), ("from", "to"), ("with", "without"), ("above", "below"), ("more", "less"),
    ("credit", "debit"), ("deposit", "withdraw"), ("login", "logout"), ("upgrade", "downgrade"), ("import", "export"),
)  # fmt: skip
_POLE_OF = {word: word for group in _POLES for word in group}
_STARTERS = frozenset(
    ["i", "im", "ive", "id", "ill", "a", "an", "the", "this", "that", "these", "those", "my", "your", "our", "we",
     "you", "he", "she", "it", "they", "there", "here", "what", "whats", "which", "who", "whose", "when", "where",
     "wheres",
     "why", "how", "hows", "is", "are", "was", "were", "am", "be", "do", "does", "did", "can", "could", "may", "might",
     "should", "would", "will", "shall", "must", "have", "has", "had", "if", "in", "on", "at", "to", "for", "from",
     "of", "and", "or", "but", "so", "as", "by", "with", "please", "help", "hi", "hello", "hey", "thanks", "thank",
     "explain",
     "tell", "show", "give", "write", "list", "find", "get", "let", "make", "need", "want", "please", "after", "some",
     "someone", "something", "just", "still", "also", "yes", "ok", "okay", "any", "all", "its", "try", "trying"]
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?:\n]\s*$")


def hard_facts(text: str) -> dict[str, list[str]]:
    """The hard facts of a text: numbers, negations, dates, names and poles such as on and off, sorted."""
    numbers = [match[0].replace(",", "") for match in _NUMBER.finditer(text)]
    negations, dates, names, poles = [], [], [], []
    for match in _WORD.finditer(text):
        word = match[0]
        plain = word.lower().replace("'", "").replace("’", "")
        singular = plain.removesuffix("s")
        if plain in _NEGATIONS or (plain.endswith("nt") and "'" in word.replace("’", "'")):
            negations.append("not")
        elif plain in _DATES or singular in _DATES:
            dates.append(singular if singular in _DATES else plain)
        elif plain in _NUMBER_WORDS:
            numbers.append(_NUMBER_WORDS[plain])
        elif plain in _POLE_OF:
            poles.append(plain)
        elif word[0].isupper() and _is_name(text, match.start(), word, plain):
            names.append(plain)
    return {
        "numbers": sorted(numbers),
        "negations": negations,
        "dates": sorted(set(dates)),
        "names": sorted(set(names)),
        "poles": sorted(set(poles)),
    }


def _is_name(text: str, start: int, word: str, plain: str) -> bool:
    """A capitalised word, unless it only begins a sentence as most sentences begin."""
    if plain in _STARTERS:
        return False
    begins = start == 0 or _SENTENCE_END.search(text[:start]) is not None
    return not begins or word.isupper()


def fingerprint(text: str) -> str:
    """Digest of a text's hard facts; two texts may share an answer only if it is the same."""
    return sha256_hex(canonical_json(hard_facts(text)))
