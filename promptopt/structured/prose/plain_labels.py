"""Labels in ordinary sentences: an order, a word such as "as", and a list that is read item by item to where it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span, begin_of, scan
from promptopt.structured.prose.label_items import Item, items_at


@dataclass(frozen=True, slots=True)
class PlainLabels:
    """Labels that a sentence asks to take one of.

    Attributes:
        name: What they are of, if the sentence says it right before them; else empty.
        listed: Where the list itself is.
        asks: Whether the sentence orders to take one of them, and does not only name them.
    """

    name: str
    values: tuple[str, ...]
    span: Span
    listed: Span
    asks: bool = True


_KIND = (
    r"(?:category|class|intent|sentiment|severity|priority|type|label|team|department|urgency|level|risk|tone|status|verdict|stance|polarity|mood|emotion"
    r"|difficulty|outcome|decision|bucket|queue|tier|impact|complexity|relevance|quality|seniority|size|frequency|colou?r|genre|gender|stage|cuisine|season|grade|accent|code|jurisdiction)"
)
_FOLLOWING = r"(?:(?:the |these |those |our )?(?:(?:following|below|two|three|four|five|six|seven|eight) ?)?(?:[\w-]+ ){0,2}?[\w-]*)"
_ONE_OF = rf"(?:(?:exactly |only |just )*(?:one of|any one of|one out of|one from)(?: {_FOLLOWING})??)"
_SORT = (
    r"(?:classify|categori[sz]e|label|tag|mark|sort|route|assign|triage|group|bucket|flag|file|judge|grade|rate|score)"
)
_DECIDE = r"(?:decide|determine|judge|assess|say|tell me|state|indicate|identify|check|estimate|evaluate|predict|find out|work out|specify|detect)"
_ANSWER = r"(?:answer|respond|reply)"
_WRITE = r"(?:return|output|print|emit|write|say|give|use|choose|pick|select|state|put|set|assign)"
_ONLY = r"(?:(?:only|just|exactly|simply|strictly|either|always|with|using|single|one|word|words|label|labels|the|of|(?-i:a)|these|following|value|values|option|options|two|three|four)\b[ :]*)"
# An order begins a clause; "the score in" and "if you classified it as" do not.
_HEAD = r"(?:(?:\A|\ufffa|[.!?:;,)]\s+|\n[ \t]*(?:[-*•#>]+[ \t]+|\d+[.)][ \t]+)?)\**(?:(?:please|then|and|now|first|next|finally|also|only|just|you (?:must|should|will|have to|need to|are to)) )*|\b(?:to|and|then|please|must|should|will|can|only|just|always|or|first|next|finally|also) )"
_THE = r"(?:the|this|that|these|each|every|all|it|its|their|them|whether|how|what|which|whichever|who|where|when|if|an?|your|my|our|\ufffc|\{\w)"
# Where a list begins, and how sure it is that it is one: after a colon or in brackets every word is a label.
_LEADS: tuple[tuple[str, regex.Pattern[str]], ...] = tuple(
    (kind, regex.compile(pattern, regex.IGNORECASE))
    for kind, pattern in (
        ("sort", rf"{_HEAD}{_SORT}\b[^.:;?!\n()\"]{{0,100}}?\b(?:(?<!such )as|into|to|under|in)\s+(?:being )?(?:either\s+)?(?=\S)"),
        ("of", rf"\b{_ONE_OF}(?:,? exactly as (?:written|shown|spelled|given))?,?\s*(?P<sign>[:(\[—–]|- )\s*"),
        ("of", r"\b(?:exactly |only |just )?(?:one|a single) (?:word|label|category|option|value|term|tag)(?: only)?\s*(?P<sign>[:(\[—–]|- )\s*"),
        ("from", rf"{_HEAD}(?:choose|pick|select|use|take)(?: only| exclusively| just| one| it| exactly)*(?: (?:value|label|category|word|tag|item)s?)? from(?: among)?(?: {_FOLLOWING})??\s*(?P<sign>[:(\[])\s*"),
        ("said", rf"{_HEAD}(?:{_ANSWER}|{_WRITE}|provide) (?:with )?(?:exactly |only |just )?(?:the|a|an|one|its|your) (?:(?! and | then )[^.:;?!\n()\"]){{1,80}}:[ \t]*(?=\S)"),
        ("colon", r"\bwhich (?:one )?(?:of (?:these|those|the following)|of the \w+)\b[^.:;?!\n()]{0,80}:[ \t]*(?=\S)"),
        ("one", r"\b(?:exactly |only |just )?one of (?=\S)"),
        ("colon", rf"{_HEAD}(?:{_SORT}|{_DECIDE}|choose|pick|select) {_THE}\b[^.:;?!\n()\"]{{1,100}}:[ \t]*(?=\S)"),
        ("of", r"\b(?:one|a single) [\w-]+ from (?:this|the following|the) (?:list|set|options)\s*(?P<sign>:)\s*"),
        ("sort", rf"{_HEAD}set\b[^.:;?!\n()\"]{{3,60}}?\bto (?:either )?(?=\S)"),
        ("coded", rf"{_HEAD}{_WRITE}\s+(?=[A-Z\"'“`])"),
        ("whether", rf"(?:{_HEAD}|\bfor each\b[^.:;?!\n(),]{{2,60}}? ){_DECIDE}(?: (?:for|of|about) (?:each|every)\b[^.:;?!\n(),]{{2,80}}?)?,?\s+(?:whether|if)\s+[^.:;?!\n(),]{{2,140}}?\b(?:is|are|was|were|should be)\s+(?:a |an |clearly |more )?(?:either\s+)?(?=\S)"),
        ("answer", rf"{_HEAD}{_ANSWER}\b\s*:?\s*{_ONLY}*(?P<sign>[(:])?\s*(?=\S)"),
        ("write", rf"{_HEAD}{_WRITE}\s+{_ONLY}+(?P<sign>[(:])?\s*(?=\S)"),
        ("kind", rf"{_HEAD}(?P<verb>{_SORT}|{_DECIDE}|{_WRITE}|{_ANSWER}|provide|add|include)\b(?:(?! for | with | using | in | like )[^.\n()]){{0,90}}?\b(?P<noun>{_KIND})s?\s*\((?:either |one of:? )?"),
        ("said", r"\b(?:which|what) [^.:;?!\n()]{3,100}\?[ \t]+(?=\S[^.:;!?\n]*\bor\b[^.:;!?\n]*\?)"),
        ("said", rf"{_HEAD}name (?:the|its|their|a) [^.:;?!\n()\"]{{1,80}}:[ \t]*(?=\S)"),
        (
            "said",
            rf"{_HEAD}(?:{_DECIDE}|choose|pick|select|answer|respond|reply|return|output)(?: with)?:[ \t]*(?=\S)",
        ),
        (
            "colon",
            r"\bwhat(?: is|['’]s| kind of| type of| sort of)\b[^.:;?!\n()]{3,80}:[ \t]*(?=\S[^.:;!\n]*\?)",
        ),
        ("question", r"\b(?:is|are|was|were)\s+(?:the|this|that|it|its|these)\b[^.:;?!\n()]{0,60}?\s(?=[\w-]+(?:\s*/\s*[\w-]+)+\s*\?)"),
    )
)  # fmt: skip
# Lists after these need no other sign that their words are labels.
_SURE = frozenset({"of", "from", "colon", "kind", "question"})
_NEGATED = re.compile(
    r"(?:n['’]t|\b(?:not|never|without|avoid|instead of|rather than|cannot|no longer))\b[^.!?\n]{0,60}\Z", re.IGNORECASE
)
_CASE = re.compile(r"\b(?:if|when|once|unless|because|after) (?:you|it|they|he|she|we)\b[^,]*\Z", re.IGNORECASE)
_SAMPLES = re.compile(
    r"\A\W*(?:e\.g|for example|for instance|such as|like|including|i\.e|for any|see|from \d|between|\d+\s?(?:-|–|to)\s?\d)",
    re.IGNORECASE,
)
_NO_LABEL = frozenset(
    re.findall(
        r"\S+",
        """your you this that these those it its their them his her my me i we us our what which who how why is are be was will should must can may each every any
    some please following below above explanation reason reasons sentence sentences paragraph json xml yaml csv list array object string integer number etc similar
    something anything being exactly one two three both not whatever more less few several many explain provide give write add return output include respond reply answer""",
    )
)
_NONE_OF = re.compile(r"none of (?:the above|these|those|them|the others?)", re.IGNORECASE)
_CONTAINER = re.compile(
    r"(?P<label>\S.*?)\s+(?:bucket|categor(?:y|ie)|class|classe|group|pile|bin|queue|team|folder|department|label|option|section|tag|priority|severity|risk|urgency|sentiment|level|tier)s?\Z",
    re.IGNORECASE,
)
_LONGEST = 4
# Of two words that a sentence sets against each other nobody says that they are the answer.
_SURELY = 2
_LONGEST_QUOTED = 8


def plain_labels(document: PromptText) -> Iterator[PlainLabels]:
    """The lists of labels in the sentences of a prompt."""
    text = document.text
    for kind, lead in _LEADS:
        for match in scan(lead, text):
            # 'Output "sound" or "lost"' beside JSON is something instead of it.
            instead = kind == "coded" and _HAS_JSON.search(text)
            if instead or is_denied(text, match.start() + 1) or _SAMPLES.match(text, match.end()):
                continue
            found = _read(text, match.end(), kind, bracket=match[0].rstrip().endswith(("(", "[")))
            if found and not repeats_line(text, match.end(), found):
                groups = match.groupdict()
                start = match.end() - len(match[0].lstrip(" \t\n.,:;!?)-*•#>"))
                asks = kind != "whether" or len(found[0]) > _SURELY or any(one.lower() in _WORDS for one in found[0])
                noun, listed = (groups.get("noun") or "").lower(), Span(match.end(), found[1])
                yield PlainLabels(noun, tuple(found[0]), Span(start, found[1]), listed, asks)


def repeats_line(text: str, start: int, found: tuple[list[str], int]) -> bool:
    """Whether the last of some labels is the label of the line once more: "ANSWER: YES or ANSWER: NO"."""
    said = re.search(r"(\w+)\s*:\s*\Z", text[:start])
    return said is not None and found[0][-1:] == [said[1]] and re.match(r"\s*:", text[found[1] :]) is not None


_HAS_JSON = re.compile(r"\bjson\b|\{\s*\"", re.IGNORECASE)


def is_denied(text: str, position: int) -> bool:
    """Whether the sentence denies up to a position what follows, or only says it of a case: "if you classified it as"."""
    begin = begin_of(text, position, ("\n", ". ", "! ", "? ", BOUNDARY))
    return bool(_NEGATED.search(text, begin, position) or _CASE.search(text, begin, position))


@dataclass(frozen=True, slots=True)
class _List:
    """A list after a lead, and what it is joined with.

    Attributes:
        codes: Whether all its items are in quotation marks or in capitals.
        into: Whether "into" leads to it: "into cargo and ferry" names two.
        sure: Whether the lead alone says that its words are labels.
    """

    items: Sequence[Item]
    kind: str
    codes: bool
    into: bool
    sure: bool

    @property
    def joints(self) -> set[str]:
        return {item.joint for item in self.items[1:]}

    @property
    def is_choice(self) -> bool:
        """Whether a sign sets its words against each other."""
        if self.kind == "whether":
            return "or" in self.joints
        if self.kind == "coded":
            return self.codes and bool(self.joints & {"or", "/", "|"})
        if self.joints & {"or", "/", "|"} or self.codes:
            return True
        several = len(self.items) > _SURELY
        if self.kind in ("colon", "kind"):
            return several
        plain = self.kind == "one" and several and all(len(item.words) == 1 for item in self.items)
        return self.sure or plain or (self.kind == "sort" and "and" in self.joints and (self.into or several))

    def is_answer(self, near: str) -> bool:
        """Whether its words may be what an answer says, after the words that are near: "answer briefly or at length" has none."""
        article = any(item.article for item in self.items)
        if self.kind == "said":
            return not article
        if self.kind not in ("answer", "write", "one") or self.codes:
            return True
        if article or any(len(item.words) > 1 for item in self.items):
            return False
        return self.kind == "one" or "one" in near.lower() or _known_words(self.items)


def _read(text: str, start: int, kind: str, *, bracket: bool) -> tuple[list[str], int] | None:
    """The labels of a list and where it ends; ``None`` if it is none."""
    items = items_at(text, start)
    if items is None or len(items) < _SURELY:
        return None
    if len(items) == _SURELY and items[0].quoted is not items[1].quoted:
        return None  # 'the number of the berth or "none"' names a place
    end = items[-1].end
    if bracket and not re.match(r"\s*[)\]]", text[end:]):
        return None
    codes = all(item.quoted or re.fullmatch(r"[A-Z][A-Z\d_ -]*", item.said(text)) for item in items)
    found = _List(
        items, kind, codes, _INTO.search(text[max(0, start - 20) : start]) is not None, kind in _SURE or bracket
    )
    if not found.is_choice or not found.is_answer(text[max(0, start - 40) : start]):
        return None
    values = _joined([item.said(text) for item in items], [item.joint for item in items])
    if len(values) < len(items):
        whole = all(_is_label(value, quoted=False) for value in values) and len(values) >= _SURELY
        return (values, end) if whole and len(set(values)) == len(values) else None
    stripped = None if items[-1].quoted else _CONTAINER.fullmatch(values[-1])
    if stripped and all(" " not in value for value in values[:-1]):
        values[-1] = stripped["label"]
    labelled = all(_is_label(value, quoted=item.quoted) for value, item in zip(values, items, strict=True))
    labelled = labelled or (len(values) > _SURELY and all(re.fullmatch(r"[a-z]{2}", value) for value in values))
    return (values, end) if labelled and len({value.casefold() for value in values}) == len(values) else None


def _joined(values: Sequence[str], joints: Sequence[str]) -> list[str]:
    """The labels of a list that commas divide, in which "Sci/Tech" and "food and drink" before its end are one."""
    if "," not in joints:
        return list(values)
    found: list[str] = []
    for number, (value, joint) in enumerate(zip(values, joints, strict=True)):
        inner = joint == "/" or (joint == "and" and number < len(values) - 1)
        if inner and found:
            found[-1] = f"{found[-1]}/{value}" if joint == "/" else f"{found[-1]} and {value}"
        else:
            found.append(value)
    return found


_INTO = re.compile(r"\b(?:into|under|in)\s+(?:either )?\Z", re.IGNORECASE)
_WORDS = frozenset(
    re.findall(
        r"\S+",
        """yes no true false maybe unknown unsure pass fail positive negative neutral mixed correct incorrect right wrong valid invalid safe unsafe high medium low
    spam ham relevant irrelevant supported unsupported approve reject approved rejected accept accepted allow deny block same different duplicate keep discard keep drop
    toxic ok bad good open closed male female urgent normal partial partially none other agree disagree""",
    )
)


def is_known_label(word: str) -> bool:
    """Whether a word is a label wherever somebody may choose: "yes", "fail", "neutral"."""
    return word.lower() in _WORDS


def _known_words(items: Sequence[Item]) -> bool:
    return any(" ".join(item.words).lower() in _WORDS for item in items)


# "YYYY-MM-DD or unknown": a form is no label
DATE_FORM = re.compile(r"[YMDHhms]{2,4}(?:[-/.: T][YMDHhms]{2,4})+Z?")


def _is_label(value: str, *, quoted: bool) -> bool:
    words = value.split()
    if DATE_FORM.fullmatch(value):
        return False
    if quoted:
        return 0 < len(words) <= _LONGEST_QUOTED and re.search(r"\w", value) is not None
    if _NONE_OF.fullmatch(value):
        return True
    if len(words) > _LONGEST or not re.match(r"\w", value):
        return False
    negated = words[0].lower() == "not" and len(words) > 1  # "relevant or not relevant"
    # "HR, IT or finance"
    return not any(word.lower() in _NO_LABEL and not (word.isupper() and len(word) > 1) for word in words[negated:])


_OF_KIND = re.compile(
    rf"(?:\A|_)(?:{_KIND}|mode|state|condition|winner|rating|answer|result|format|unit|direction|weekday|group|finish|kind)\Z",
    re.IGNORECASE,
)


def is_kind(name: str) -> bool:
    """Whether a key of this name holds a label: ``severity``, ``ageGroup``."""
    return _OF_KIND.search(re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())) is not None


def whole_list(name: str, said: str) -> list[str]:
    """The labels of a key of which nothing is said but a list: ``level: junior, senior or lead``; empty if it may name places.

    "place: city, region or country" says what belongs there, so the name or a word of the list has to be that of a label.
    """
    said = said.strip().rstrip(".")
    read = _read(said, 0, "colon", bracket=False)
    if read is None or read[1] < len(said) or re.search(r"\band\b", said) or MASK in said:
        return []
    known = any(value.lower() in _WORDS for value in read[0] if value.lower() not in ("none", "other", "unknown"))
    if re.search(r"[\"'`“]", said):
        return []
    lettered = any(re.fullmatch(r"[A-Z]", value) for value in read[0])
    return read[0] if known or lettered or is_kind(name) else []
