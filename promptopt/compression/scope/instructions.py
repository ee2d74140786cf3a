"""Which sentences instruct the model: they give orders, address it or speak of its work.

A prompt says and shows, and what it shows has no sure mark. So text is known by what instructions have: orders,
the reader as "you", duties of the answer, words about the input and the output, and their place in a list, a
paragraph or a section of such sentences. Whatever is not known is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import groupby

from promptopt.compression.scope.given import given, is_foreign, lines_of_forms
from promptopt.compression.scope.groups import SentenceGroup, Speech, groups_of
from promptopt.compression.sentences import HEADING, ITEM, TEXT, Sentence
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.words import words_in


def _one_of(words: str) -> str:
    return "|".join(words.split())


_IMPERATIVES = frozenset(files("promptopt.compression.scope").joinpath("imperatives.txt").read_text("utf-8").split())
_MARKS = re.compile(rf"(?:[\s*_#>\"'“‘(\[{MASK}•–—-]|\(?\d{{1,2}}[.)])*")
# A label on the line of its text, with or without bold type: "Step 2:", "**Tone**:".
_LABEL = re.compile(r"[A-Za-z][\w'’/&() -]{0,40}[*_]*[:–—][*_]*\s+")
_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)?\b")
# What may stand before the verb of an order.
_LEAD = re.compile(
    r"(?:[a-z]+ly|if (?:possible|needed|necessary|applicable)|at least|to start|"
    + _one_of(
        "now then first second third next afterwards? also only just instead again otherwise therefore so and or "
        "but please"
    )
    + r"),?\s+",
    re.IGNORECASE,
)
_LEADS = 3
# These begin an order whatever follows.
_SURE = re.compile(r"(?:please|do not|don['’]t|never|avoid|always|no need|make sure|let['’]s)\b", re.IGNORECASE)
# "Report shows", "State of the art": nouns.
_NO_VERB = re.compile(
    r"['’]s\b|:|\s+(?:"
    + _one_of(
        "of is are was were has had have can could will would may might must should shows? says? said finds? found "
        "suggests? suggested does did began makes made gets got goes went comes came takes took helps? gives? gave "
        "provides?"
    )
    + r")\b",
    re.IGNORECASE,
)
# "If ..., list it": an order after a comma.
_CLAUSE = re.compile(
    "(?:"
    + _one_of(
        "if when whenever where once unless until while before after for in on at by with without from as to given "
        "based using under during through throughout within instead because since although rather regardless "
        "depending"
    )
    + r")\b[^.?!]{0,250}",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[,:]\s+")
_ASKS = re.compile(
    r"[,;:–—]\s+(?:and\s+|then\s+|so\s+|but\s+)?(?:please|do not|don['’]t|make sure|be sure)\s", re.IGNORECASE
)


def is_imperative(word: str) -> bool:
    """Whether a word may be the verb of an order."""
    return word.lower() in _IMPERATIVES


def gives_order(sentence: str) -> bool:
    """Whether a sentence, or what follows its label or its first clause, begins with an order."""
    begin = _end(_MARKS, sentence, 0)
    label = _LABEL.match(sentence, begin)
    return _orders(sentence, begin) or (label is not None and _orders(sentence, _end(_MARKS, sentence, label.end())))


def _orders(sentence: str, begin: int) -> bool:
    if _SURE.match(sentence, begin) or _has_verb(sentence, begin):
        return True
    lead = _LEAD.match(sentence, begin)
    clause = _CLAUSE.match(sentence, lead.end() if lead else begin)
    return clause is not None and any(
        _SURE.match(sentence, comma.end()) or _has_verb(sentence, comma.end())
        for comma in _COMMA.finditer(sentence, clause.start(), clause.end())
    )


def _has_verb(sentence: str, begin: int) -> bool:
    """Whether the verb of an order is at a place, after words such as "then" and "carefully"."""
    for _ in range(_LEADS):
        word = _WORD.match(sentence, begin)
        if word is not None and word[0].lower() in _IMPERATIVES and not _NO_VERB.match(sentence, word.end()):
            return True
        lead = _LEAD.match(sentence, begin)
        if lead is None:
            return False
        begin = lead.end()
    return False


def _end(pattern: re.Pattern[str], text: str, begin: int) -> int:
    match = pattern.match(text, begin)
    return match.end() if match else begin


_YOU_DO = _one_of(
    "are will must should shall can cannot can['’]t may might have need do don['’]t get receive want think find use "
    "output make see know write work act speak believe feel choose decide provide generate give answer respond "
    "follow help"
)
_YOURS = _one_of(
    "task job role goal objective mission purpose responses? answers? outputs? repl(?:y|ies) instructions? work "
    "report summary analysis reasoning review evaluation score rating feedback thoughts? plan code solution "
    "messages? writing tone style persona character knowledge expertise experience training responsibilit(?:y|ies) "
    "abilit(?:y|ies) capabilit(?:y|ies) tools? understanding decision judge?ment steps? explanation questions? "
    "conclusion findings suggestions? recommendations? arguments? input request query description list text "
    "translation function actions? guidelines? rules? process approach focus priority assessment critique verdict "
    "classification"
)
_GIVES = "(?:" + _one_of("give provide send show tell share ask type write paste present describe supply") + ")"
_I_WILL = r"\bi(?:['’]ll|['’]m going to|\s+(?:will|am going to|shall))"
_ADDRESS = AnyCase(
    rf"\byou(?:['’](?:re|ll|ve)|\s+(?:(?:also|always|only|never|then|now|either|both)\s+)?(?:{_YOU_DO}))\b"
    rf"|\byour\s+(?:\w+\s+){{0,3}}(?:{_YOURS})\b|{_I_WILL} {_GIVES}\b"
    r"|\A\W*(?:can|could|would|will) you\b|\bact as\b|\b(?:pretend|imagine) (?:that )?you\b",
)
# What the model reads and writes, with its article.
_THINGS = (
    r"\b(?:the|each|every|all|any|this|these|no|an?)\s+(?:(?:"
    + _one_of(
        "final expected required generated following given provided user user['’]s model['’]s entire whole overall "
        "original new input output first last next second above below correct full complete main"
    )
    + r")\s+){0,2}(?:commit message|bullet points?|search results?|"
    + _one_of(
        "inputs? outputs? answers? responses? repl(?:y|ies) results? users? assistant agent model ai prompt "
        "instructions? questions? quer(?:y|ies) requests? context summar(?:y|ies) report format json xml yaml "
        "markdown csv list array object schema fields? keys? values? sections? tools? functions? conversation chat "
        "history messages? task steps? code text documents? passage content title description scores? rating "
        "explanation reasoning analysis evaluation feedback criteria criterion rubric examples? rules? guidelines? "
        "constraints? requirements? tone style language length sentences? paragraphs? bullets? words? tags? labels? "
        "categor(?:y|ies) entit(?:y|ies) plan translation essay article story email template placeholders? "
        "variables? parameters? arguments? files? data information topic statements? claims? sources? citations? "
        "references? actions? observations? thoughts?"
    )
    + r")\b"
)
_MUST = r"(?:must|should|shall|needs? to|has to|have to)"
_DOES = _one_of(
    "be contain include have use follow match start begin end appear cover provide reflect represent return explain "
    "describe consist show list give answer focus remain stay avoid ensure"
)
_WORK = AnyCase(
    rf"{_THINGS}|\A\W*(?:it|they|there|this|these|each|all|none|nothing|both)\s+{_MUST}\b"
    rf"|\b(?:must|should|shall)\s+(?:(?:not|also|only|always|never)\s+)?(?:{_DOES})\b"
    r"|\A[\W_]*(?:here|below|above|the following)\s+(?:is|are)\b",
)
# "I want you to ...", "I will make a claim and you will question it": the author of the prompt, to the model.
_ASKED = re.compile(
    r"\bI(?:['’]d like|\s+(?:want|need|would like|expect|am asking|ask)) (?:you|your)\b"
    r"|\b(?:I|we)(?:['’]ll|\s+(?:will|am going to|shall))\s[^.?!]*\byou(?:['’]ll|r\b|\s+(?:will|should|must|are to)\b)",
    re.IGNORECASE,
)
# So the author of a prompt speaks of himself.
_AUTHOR = re.compile(
    r"\bI(?:['’]d like|\s+(?:want|need|would like|expect|ask))\b|\blet['’]s\b"
    rf"|\b(?:for|to|with|tell|give|ask|help|show|let|provide|send) (?:me|us)\b|{_I_WILL} {_GIVES}\b"
    r"|\bmy (?:first|next|request|question|task|input|instructions?|message|suggestion)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"(?<![\w.])(?:I|I['’](?:m|ve|ll|d)|[Mm]e|[Mm]y|[Mm]ine|[Mm]yself|[Ww]e|[Ww]e['’](?:re|ve|ll)|[Uu]s|[Oo]ur|[Oo]urs)\b"
)
_PERSONS = frozenset({"i", "me", "my", "mine", "myself", "we", "us", "our", "ours"})
_NARRATED = re.compile(
    r"(?i:\b(?:he|she|him|his|her|hers|himself|herself|was|were|had|did|didn['’]t|wasn['’]t|said|went|came|took|knew|"
    r"became|began|gave|felt|saw|ran|wrote|grew|fell|died|born)\b)"
    r"|\b(?:[Tt]hey|[Ii]t|who|[A-Z][a-z]+) (?:made|got|told|found|left|kept|held|won|lost|brought|bought|built|"
    r"spent|met|led)\b"
    # "The captain turned to the crew": a sentence without another verb.
    r"|\A\W*(?:The|A|An) (?:\w+ ){1,2}(?!need)[a-z]+ed (?:to|at|into|away|up|down|back|over|across|towards?|out|off|"
    r"his|her|their)\b(?![^.?!]*\b(?:is|are|be|must|should|will|can|may|has|have|does|do)\b)"
)
# What the first two of these, and the third, have in them.
_NARRATING = frozenset(
    "he she him his her hers himself herself was were had did didn wasn said went came took knew became began gave "  # noqa: SIM905 - read as words
    "felt saw ran wrote grew fell died born made got told found left kept held won lost brought bought built spent met "
    "led".split()
)
_ARTICLE = re.compile(r"\W*(?:The|A|An) ")


def _may_narrate(sentence: str) -> bool:
    return not _NARRATING.isdisjoint(words_in(sentence)) or _ARTICLE.match(sentence) is not None


# Years and sums; names of two words and more inside a sentence.
_FIGURES = re.compile(
    r"\b(?:1[5-9]\d\d|20\d\d)\b|[$€£¥]\s?\d|\d\s?(?:percent|million|billion|km|kg|miles|years old)\b"
    r"|\b\d{1,3}(?:,\d{3})+\b"
)
_NAMES = re.compile(r"[A-Z](?<=[a-z,] [A-Z])[a-z]+ (?:[A-Z][a-z]+ ){0,2}[A-Z][a-z]+\b")
_DIGIT = re.compile(r"\d")
_QUESTION = re.compile(r"\?[\"'”’)*_]*\Z")
_REQUESTS = re.compile(
    r"\W*(?:can|could|would|will) you\b(?!\s+(?:\w+ly\s+|also\s+)?(?:like|prefer|want|need|rather|mind|say)\b)",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"\b(?:best practices|do['’]?s|don['’]?ts|how to|what to|when to|tools? (?:use|usage|calling)|"
    + _one_of(
        "rules? instructions? tasks? guidelines? guidance constraints? requirements? formats? objectives? goals? "
        "roles? steps? process workflow procedure approach responsibilit(?:y|ies) principles? polic(?:y|ies) "
        "restrictions? limitations? important notes? critical reminders? criteria rubric scoring tone style persona "
        "identity capabilities protocol strategy methodology method must never always avoid your you output "
        "response answer mission purpose behaviou?r tips? considerations? checklist expectations? directives? "
        "standards? conventions? quality communication usage phase stage"
    )
    + r")\b",
    re.IGNORECASE,
)
_NO_HEAD = re.compile(
    r"\b(?:"
    + _one_of(
        "examples? samples? background data input context documents? articles? transcript conversation history "
        "about information definitions? glossary facts knowledge story scenario overview faq q&a"
    )
    + r")\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=16384)
def form_of(sentence: str) -> Speech:
    """What a sentence, masked, is by itself."""
    lower = sentence.lower()
    addressed = "you" in lower
    if gives_order(sentence) or _ASKS.search(sentence) or (addressed and _ASKED.search(sentence)):
        return "order"
    told = _is_told(sentence)
    if (addressed or any(hint in lower for hint in _HINTS)) and _ADDRESS.search(sentence):
        return "told" if told else "order"
    if told or _NAMES.search(sentence) or _QUESTION.search(sentence):
        return "told"
    if _DIGIT.search(sentence) and _FIGURES.search(sentence):
        return "told"
    return "work" if _WORK.search(sentence) else "open"


# What an address without "you" has in it.
_HINTS = ("act as", "i'", "i’", "i will", "i am", "i shall")


def _is_told(sentence: str) -> bool:
    """Whether a sentence tells of somebody: of its author only as far as he does not speak to the model."""
    if _may_narrate(sentence) and _NARRATED.search(sentence):
        return True
    if _PERSONS.isdisjoint(words_in(sentence)):
        return False
    return _FIRST_PERSON.search(sentence) is not None and _FIRST_PERSON.search(_AUTHOR.sub(" ", sentence)) is not None


@dataclass(frozen=True, slots=True)
class Instructed:
    """Where the sentences begin that are known to instruct.

    Attributes:
        strict: Those that are known by themselves, or by their paragraph, list or heading.
        loose: These, and those beside them that show nothing.
        statements: The items of lists of which none begins with an order, as under "You believe:".
    """

    strict: frozenset[int]
    loose: frozenset[int]
    statements: frozenset[int] = frozenset()


def instructed(masked: str, sentences: Sequence[Sentence], *, whole: bool = False) -> Instructed:
    """Find the sentences that instruct, in a masked text that is split into sentences.

    Args:
        whole: Whether all of the text is known to be said to the model: then all that tells nothing instructs.
    """
    if whole:
        said = frozenset(one.start for one in sentences if form_of(masked[one.start : one.end]) != "told")
        return Instructed(said, said)
    if is_foreign(masked, sentences):
        return Instructed(frozenset(), frozenset())
    units = list(groups_of(masked, sentences, form_of))
    scoped = [one or other for one, other in zip(_governed(masked, units), _listed(units), strict=True)]
    given_ones = given(masked, units, _HEAD, gives_order)
    ordering = [unit.orders and not unit.told for unit in units]
    known = [
        frozenset()
        if given_ones[index]
        else frozenset(_known(unit, scoped[index], any(ordering[max(0, index - 1) : index + 2])))
        for index, unit in enumerate(units)
    ]
    for index, unit in enumerate(units[:-1]):
        # A heading or a label is said to the model if what is under it is.
        if (unit.kind == HEADING or unit.label) and not unit.told and known[index + 1]:
            known[index] = unit.starts
    forms = lines_of_forms(masked, sentences) | frozenset(_asked(masked, sentences))
    strict = frozenset().union(*known) - forms
    beside = (
        unit.starts
        for index, unit in enumerate(units)
        if not unit.told and not given_ones[index] and any(known[max(0, index - 1) : index + 2])
    )
    return Instructed(strict, strict.union(*beside) - forms, frozenset(_stated(masked, units)))


def _asked(masked: str, sentences: Sequence[Sentence]) -> Iterator[int]:
    """Where questions begin that are no requests: "Would you like a summary?" is to be asked as it is."""
    for one in sentences:
        text = masked[one.start : one.end]
        if _QUESTION.search(text) and not gives_order(text) and not _REQUESTS.match(text):
            yield one.start


def _stated(masked: str, units: Sequence[SentenceGroup]) -> Iterator[int]:
    """Where the items of lists begin that state, each of them."""
    for is_list, members in groupby(units, key=lambda unit: unit.kind == ITEM):
        firsts = [unit.sentences[0] for unit in members] if is_list else []
        if len(firsts) > 1 and not any(gives_order(masked[one.start : one.end]) for one in firsts):
            yield from (one.start for one in firsts)


def _known(unit: SentenceGroup, scoped: bool, near: bool) -> Iterator[int]:
    """Where the sentences of a unit begin that are known to instruct.

    Args:
        near: Whether it or one beside it gives orders and tells nothing.
    """
    orders, told = unit.orders, unit.told
    for sentence, form in zip(unit.sentences, unit.forms, strict=True):
        if (form == "order" and orders) or (
            form in ("work", "open") and not told and (orders or scoped or (near and form == "work"))
        ):
            yield sentence.start


def _governed(masked: str, units: Sequence[SentenceGroup]) -> Iterator[bool]:
    """Whether each unit stands under a heading, or a line with a colon, that announces instructions."""
    section = announced = False
    for unit in units:
        if unit.kind == HEADING or unit.label:
            text = masked[unit.sentences[0].start : unit.sentences[-1].end]
            gives = (_heads(text) or (unit.label and unit.orders)) and not _heads_data(text)
            if unit.kind == HEADING:
                section, announced = gives, False
            else:
                announced = gives and not unit.told
        elif unit.kind == TEXT and unit.gap:
            announced = False
        # What tells in a section of orders ends it: data under the same heading.
        section = section and not unit.told
        yield section or (announced and not unit.told)


@lru_cache(maxsize=4096)
def _heads(text: str) -> bool:
    """Whether a heading or a label has a word of those above instructions."""
    return _HEAD.search(text) is not None


@lru_cache(maxsize=4096)
def _heads_data(text: str) -> bool:
    """Whether it has a word of those above what is given or shown."""
    return _NO_HEAD.search(text) is not None


def _listed(units: Sequence[SentenceGroup]) -> list[bool]:
    """Whether each unit is an item of a list of orders: half of its items give one, and one in five at most tells."""
    found = [False] * len(units)
    for is_list, members in groupby(enumerate(units), key=lambda one: one[1].kind == ITEM):
        items = list(members)
        if is_list and len(items) > 1:
            orders, told = sum(item.orders for _, item in items), sum(item.told for _, item in items)
            for index, _ in items:
                found[index] = orders * 2 >= len(items) and told * 5 <= len(items)
    return found
