"""The items of a list of labels: in a sentence, one after the other up to where it ends, or one a line below what leads to them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from promptopt.structured.fields import MASK

_QUOTED = (
    r"(?:\"[^\"\n]{1,60}\"|“[^”\n]{1,60}”|`[^`\n]{1,60}`|‘[^’\n]{1,60}’|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,60}'(?!\w))"
)
_MARKED = r"(?:\*\*[^*\n]{1,60}\*\*|\*[^*\n]{1,60}\*)"
_TOKEN = re.compile(
    rf"(?P<quoted>{_MARKED}|{_QUOTED})|(?P<aside>\s*\([^()\n]*\))|(?P<bar>\s*[,/|]\s*(?:or\b|and\b(?!/))?\s*)|(?P<both>\s*\band/or\b\s*)|(?P<or>\s+(?:or else|or)\s+)|(?P<and>\s+(?:and|&)\s+)"
    r"|(?P<space>[ \t]+|[ \t]*\n[ \t]*(?=[a-z\"'`“]))|(?P<word>(?=[+#&'’-]*\w)[\w+#&'’-]+(?:\.\w+)*)|(?P<end>.|\n)",
    re.IGNORECASE | re.DOTALL,
)
# A word that no unquoted label has: the sentence goes on with it.
_ON = frozenset(
    re.findall(
        r"\S+",
        """with without based depending according whichever using if when unless where for nothing followed plus along then because so that which who from
    by but while whether at after before during via per rather about regarding concerning considering given only as than depending than to do don't""",
    )
)
_INNER_OF = frozenset(("of", "in", "on", "by", "to", "for"))
_ORDERS = re.compile(
    r"\A\s*(?:also |then )*(?:rate|score|give|write|explain|state|say|provide|add|assign|list|extract|summari[sz]e|include|return|output|determine|identify|estimate|set|choose"
    r"|describe|justify|report|mark|note|tell|decide|answer|respond|reply|do|never|make|keep|use|cite|quote|suggest|pick)\b",
    re.IGNORECASE,
)
_LONGEST_LIST = 600  # characters


@dataclass(slots=True)
class Item:
    """What is between two signs of a list.

    Attributes:
        joint: What comes before it: ``,`` ``/`` ``|`` ``or`` ``and``; empty for the first.
        article: Whether "a" or "the" comes before it.
    """

    joint: str
    words: list[str] = field(default_factory=list)
    quoted: bool = False
    start: int = 0
    end: int = 0
    article: bool = False

    def said(self, text: str) -> str:
        """Its words as the text has them: "science & tech" is no "science and tech"."""
        return self.words[0] if self.quoted else " ".join(text[self.start : self.end].split())


class _NoList(Exception):
    """What is there is no list."""


def items_at(text: str, start: int) -> list[Item] | None:
    """The items of the list that begins at a position, up to the end of its clause; ``None`` if there is no list."""
    items = [Item("")]
    try:
        ended = next(
            (True for token in _TOKEN.finditer(text, start, start + _LONGEST_LIST) if _ends(text, token, items)), True
        )
    except _NoList:
        return None
    return _joined(items) if ended and len(items) > 1 else None


def _ends(text: str, token: re.Match[str], items: list[Item]) -> bool:
    """Whether a list ends before a token, which is else added to its items.

    Raises:
        _NoList: With that token it is none.
    """
    kind = token.lastgroup
    if kind == "quoted":
        return _adds_quoted(token, items)
    if kind in ("bar", "or", "and"):
        return _adds_joint(text, token, items)
    if kind == "word":
        return _adds_word(text, token, items)
    if kind == "both" or (kind == "end" and token[0] == MASK):
        raise _NoList
    return kind == "end" and not _drop_empty(items)


def _drop_empty(items: list[Item]) -> bool:
    """Takes away a last item without words, after a comma; always false.

    Raises:
        _NoList: Something else than a comma comes before it, or the list has no other sign that it is one.
    """
    if not items[-1].words:
        if items[-1].joint not in (",", "and") or not any(
            one.joint in ("or", "and") or one.quoted for one in items[:-1]
        ):
            raise _NoList
        del items[-1]
    return False


def _adds_quoted(token: re.Match[str], items: list[Item]) -> bool:
    last = items[-1]
    if last.words:
        if last.quoted or len(items) == 1:
            raise _NoList
        return True
    last.words, last.quoted, last.end = [token[0].strip("\"'`“”‘’*").rstrip(".,;")], True, token.end()
    return False


def _adds_joint(text: str, token: re.Match[str], items: list[Item]) -> bool:
    said = token[0].strip().lower()
    if not items[-1].words:
        raise _NoList
    if _ORDERS.match(text, token.end()) and ("and" in said or said == ","):
        return True  # ", and rate its urgency"
    joint = next((word for word in ("or", "and") if word in said), "and" if said == "&" else said)
    items.append(Item(joint, start=token.end()))
    return False


def _adds_word(text: str, token: re.Match[str], items: list[Item]) -> bool:
    last, said = items[-1], token[0].lower()
    if last.quoted:
        if said not in _ON and len(items) == 1:
            raise _NoList
        return True
    if not last.words and len(items) > 2 and all(item.quoted for item in items[:-1]):
        del items[-1]
        return True  # '"a" or "b", whichever'
    letter = token[0] == "A" and re.match(r"\s*[(,/|]", text[token.end() :])  # "A (excellent)" is a label
    if (
        not last.words
        and not letter
        and said in ("a", "an", "the", "either")
        and text[token.end() : token.end() + 1] == " "
    ):
        last.article = said != "either"
        return False
    inner = said in _INNER_OF and last.words and _ONE_MORE.match(text, token.end())
    if said in _ON and not inner:
        return not _drop_empty(items)
    if not last.words:
        last.start = token.start()
    last.words.append(token[0])
    last.end = token.end()
    return False


# "out of scope," is one label
_ONE_MORE = re.compile(r"[ \t]+[a-z]+\s*[,/|.)]", re.IGNORECASE)


def _joined(items: list[Item]) -> list[Item]:
    """The items with "and" put back into labels that have it: "parts and labour, delivery or other" are three."""
    joints = [item.joint for item in items[1:]]
    if "and" not in joints:
        return items
    last_and = len(joints) - 1 - joints[::-1].index("and")
    found: list[Item] = []
    for number, item in enumerate(items):
        whole = item.joint == "and" and not item.quoted and found and not found[-1].quoted
        # "A, B and C" ends with its "and"; before an "or" the word is a part of a label.
        if whole and ("or" in joints or number - 1 != last_and):
            found[-1].words += ["and", *item.words]
            found[-1].end = item.end
        else:
            found.append(item)
    return found


_BULLET = r"(?:[-*•]|\(?\d{1,2}[.)])[ \t]+"
_SIGNS = r"[*_`\"'“”\[\]]*"
# "SAME: both say it", "- SAME - both say it", "SAME"
_LINE = re.compile(
    rf"[ \t]*(?P<bullet>{_BULLET})?{_SIGNS}(?P<label>[A-Za-z][\w /&+'’-]*?){_SIGNS}[ \t]*(?P<rest>(?:[:=–—(→]|-(?=[ \t>]))[^\n]*)?,?"
)
_LONGEST = 4
_ENDS = re.compile(r"\s*(?:[.;:!?\n)\]]|\Z)")


def labels_after(text: str, start: int) -> tuple[tuple[str, ...], int] | None:
    """The labels that begin at a position and where they end; ``None`` if what is there is no list of labels."""
    gap = re.compile(r"[ \t]*\n\s*?(?=[ \t]*\S)").match(text, start)
    return _below(text, gap.end()) if gap else _beside(text, start)


def _beside(text: str, start: int) -> tuple[tuple[str, ...], int] | None:
    begin = start + len(text[start:]) - len(text[start:].lstrip(" \t"))
    items = items_at(text, begin)
    if not items:
        return None
    labels = tuple(item.said(text).rstrip(" .,;") for item in items)
    end = items[-1].end
    return (labels, end) if _are_labels(labels) and _ENDS.match(text, end) else None


def _below(text: str, start: int) -> tuple[tuple[str, ...], int] | None:
    labels: list[str] = []
    shapes: set[tuple[bool, bool]] = set()
    end = start
    for line in text[start:].split("\n"):
        match = _LINE.fullmatch(line.rstrip())
        if match is None or MASK in line or "{" in line:
            break
        labels.append(match["label"].strip())
        shapes.add((bool(match["bullet"]), bool(match["rest"])))
        end += len(line) + 1
    alike = len({bulleted for bulleted, _ in shapes}) == 1
    # Without a mark of a list, lines of which only some have a meaning may be anything.
    alike = alike and (len(shapes) == 1 or all(bulleted for bulleted, _ in shapes))
    return (tuple(labels), min(end, len(text))) if alike and _are_labels(labels) else None


def _are_labels(labels: tuple[str, ...] | list[str]) -> bool:
    distinct = {label.casefold() for label in labels}
    return len(distinct) == len(labels) > 1 and all(
        label and MASK not in label and len(label.split()) <= _LONGEST for label in labels
    )
