"""When words may leave a sentence, or shorter ones take their place: predicates on its parse, each with a reason.

A licence knows nothing of the rules. It reads the words that leave, their part of speech and what hangs on them, and
the words that come. What no licence covers stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from promptopt.compression.edit import Level

if TYPE_CHECKING:
    from spacy.tokens import Token

_WRITTEN_OUT = {"'ll": "will", "'re": "are", "'m": "am", "'ve": "have", "'s": "is", "n't": "not", "'d": "would"}
_HELPING = ("aux", "auxpass")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Change:
    """What one edit does to a sentence.

    Attributes:
        gone: The words and marks that leave, as the sentence was parsed before.
        new: Those that come, as it is parsed afterwards.
        level: The level of compression.
    """

    gone: tuple[Token, ...]
    new: tuple[Token, ...]
    level: Level

    @property
    def words(self) -> tuple[Token, ...]:
        """The words that leave, without punctuation."""
        return tuple(token for token in self.gone if not _is_mark(token))

    @property
    def old_text(self) -> str:
        """The words that leave, in lower case and with contractions written out."""
        return _plain(self.words)

    @property
    def new_text(self) -> str:
        """The words that come, in the same form."""
        return _plain(token for token in self.new if not _is_mark(token))

    @property
    def lemmas(self) -> frozenset[str]:
        return frozenset(_lemma(token) for token in self.words)

    @property
    def hanging(self) -> list[Token]:
        """Words that stay and whose head leaves."""
        found = (child for token in self.gone for child in token.children)
        return [child for child in found if child not in self.gone and not (_is_mark(child) or child.is_space)]

    @property
    def before(self) -> Token | None:
        """The word or mark right before the words that leave."""
        return _beside(self.gone[0], -1)

    @property
    def after(self) -> Token | None:
        """The word or mark right after them."""
        return _beside(self.gone[-1], 1)

    @property
    def opens(self) -> bool:
        """Whether a clause begins with the words that leave."""
        before = self.before
        return before is None or before.is_punct or before.dep_ == "cc" or before.lower_ in ("then", "so")


def _is_mark(token: Token) -> bool:
    """Whether a token is punctuation; signs such as % and & are words."""
    return all(character in ",.;:!?\"'’“”()[]*_-–—…" for character in token.text)


def _beside(token: Token, step: int) -> Token | None:
    index = token.i + step
    while 0 <= index < len(token.doc):
        if not token.doc[index].is_space:
            return token.doc[index]
        index += step
    return None


def _plain(tokens: Iterable[Token]) -> str:
    words = (token.lower_.replace("’", "'") for token in tokens)
    return " ".join(_WRITTEN_OUT.get(word, word) for word in words)


def _lemma(token: Token) -> str:
    return "be" if token.lower_ in ("'s", "’s") else token.lemma_.lower()


def _subject(verb: Token) -> Token | None:
    return next((child for child in verb.children if child.dep_ in ("nsubj", "nsubjpass", "csubj", "expl")), None)


def _is_order(verb: Token) -> bool:
    return verb.tag_ in ("VB", "VBP") and _subject(verb) is None


def _seconded(verb: Token, *openings: str) -> bool:
    """Whether a second verb has its own opening: "to read and to decide", "that it is late and that he is tired"."""
    seconds = (child for child in verb.children if child.dep_ == "conj")
    return any(word.lower_ in openings for second in seconds for word in second.lefts)


def _polite(change: Change) -> bool:
    if not change.lemmas <= {"please", "kindly"}:
        return False
    word, before = change.words[0], change.before
    verb, subject = word.head, _subject(word.head)
    if word.i > verb.i:
        return before is not None and before.text == "," and verb.dep_ == "ROOT" and _is_order(verb)
    question = subject is not None and subject.lower_ == "you"
    if word.tag_ not in ("UH", "RB", "VB") or word == verb or not (question or _is_order(verb)):
        return False
    # "the customer says please stop" is what he says.
    spoken = before is not None and before.pos_ == "VERB"
    close = all(token.dep_ in ("advmod", "aux", "neg", "punct") for token in verb.doc[word.i + 1 : verb.i])
    return change.opens or question or (close and not spoken and verb.dep_ in ("ROOT", "conj"))


_WISH = frozenset({"want", "need", "like", "wish", "ask"})
_WISHING = _WISH | frozenset({"i", "we", "you", "would", "will", "'d", "be", "go", "to", "for", "a"})
_TASK = _words("task job goal objective mission role responsibility assignment duty ask request instruct invite")
_TASKS = _TASK | frozenset({"your", "you", "be", "will", "to", "main", "primary", "overall", "now", "here", "today"})
_WEIGHT = frozenset({"important", "crucial", "essential", "vital", "critical", "imperative", "worth", "note"})
_WEIGHTS = _WEIGHT | _words(
    "it be very really extremely critically absolutely especially also to that you mention mentioning noting "
    "remember understand know keep in mind should"
)
_HEED = _words("sure certain ensure see care note remember mind aware advise advised understand")
_HEEDING = _HEED | _words("make be it take to that you keep bear in also please kindly")
# What one is or has is not done: "make sure you have it" is not "have it".
_STATES = _words("be have know understand need want see get receive find notice like feel")
_LOOSE = frozenset({"prep", "advcl", "advmod", "npadvmod", "cc", "conj", "intj", "mark", "dep"})


def _announces(change: Change) -> bool:
    """Whether the words announce an instruction: a wish, a task, its weight, a call to heed it."""
    lemmas, first = change.lemmas, change.words[0].lower_
    return change.opens and any(
        (
            first in ("i", "we") and lemmas <= _WISHING and bool(lemmas & _WISH),
            lemmas <= _TASKS and bool(lemmas & _TASK),
            first == "it" and lemmas <= _WEIGHTS and bool(lemmas & _WEIGHT),
            lemmas <= _HEEDING and bool(lemmas & _HEED),
        )
    )


def _opener(change: Change) -> bool:
    if not _announces(change):
        return False
    # What else hangs on the announcement moves to the verb that stays: "As a lecturer, your task is to name topics."
    clauses = [word for word in change.hanging if word.dep_ not in _LOOSE]
    others = [word for word in change.hanging if word.dep_ == "conj"]
    if len(clauses) != 1 or clauses[0].i < change.gone[-1].i or any(_has_to(other) for other in others):
        return False
    verb, last = clauses[0], change.words[-1].lower_
    if last == "to":
        return verb.tag_ == "VB" and not _seconded(verb, "to")
    if last == "you":
        helped = any(child.dep_ in _HELPING and child.lemma_ != "do" for child in verb.children)
        return verb.pos_ == "VERB" and verb.lemma_ not in _STATES and not helped and not _seconded(verb, "you")
    return _subject(verb) is not None and not _seconded(verb, "that")


def _has_to(verb: Token) -> bool:
    return any(child.tag_ == "TO" for child in verb.lefts)


def _order_not_to(change: Change) -> bool:
    """For "Take care to not shout" one may write "Do not shout"."""
    after = change.after
    return change.new_text == "do" and after is not None and after.lower_ == "not" and _announces(change)


_REMINDER = frozenset({"as", "just", "a", "quick", "friendly", "gentle", "reminder"})


def _attention(change: Change) -> bool:
    """A label that asks for attention, with its colon or comma, in front of a whole sentence."""
    named = change.old_text in ("note", "n.b.", "remember", "reminder", "keep in mind", "please note")
    named = named or ("reminder" in change.lemmas and change.lemmas <= _REMINDER)
    return named and change.gone[-1].text in (":", ",") and change.before is None and change.after is not None


_BREATH = frozenset({"take", "a", "deep", "breath", "step", "back", "and"})
_ACHIEVING = _words("about how to achieve accomplish the this good best well possible outcome result goal")


def _encouragement(change: Change) -> bool:
    after, lemmas = change.after, change.lemmas
    if after is not None and lemmas <= _BREATH and lemmas & {"breath", "step"}:
        return change.opens and change.words[-1].lower_ == "and" and after.tag_ in ("VB", "VBP", "NN")
    thought = any(token.lemma_ in ("think", "reason") for token in change.gone[0].doc[: change.gone[0].i])
    return thought and lemmas <= _ACHIEVING and bool(lemmas & {"achieve", "accomplish"})


_REMARKS = frozenset(
    {"additionally", "furthermore", "moreover", "in addition", "of course", "by the way", "as you can see",
     "as you know", "as we know", "as already mentioned", "to be clear", "to be honest", "needless to say",
     "what is more", "on top of that"}
)  # fmt: skip


def _remark(change: Change) -> bool:
    """A remark that commas set apart: it links sentences and asks for nothing."""
    first = change.before is None or change.before.text in (",", ";", ".")
    return first and change.old_text in _REMARKS and any(token.text == "," for token in change.gone)


def _that(change: Change) -> bool:
    """The word "that" in front of a clause which is the object of the word right before it."""
    words, before, after = change.words, change.before, change.after
    if change.old_text != "that" or before is None or after is None:
        return False
    verb = words[0].head
    if _subject(verb) is None or _seconded(verb, "that", "which", "who"):
        return False
    if verb.dep_ == "ccomp":
        governs = before.pos_ in ("VERB", "ADJ") and before.lower_ not in ("so", "such", "provided", "given")
        return words[0].dep_ == "mark" and verb.head == before and governs
    # "the tools that you need": the object of a clause with a subject of its own.
    relative = verb.dep_ == "relcl" and verb.head == before and before.pos_ in ("NOUN", "PROPN")
    return relative and words[0].dep_ in ("dobj", "pobj") and after.pos_ == "PRON"


def _relative_be(change: Change) -> bool:
    """The words "that is" in front of a participle, or an adjective with a complement, right after the noun."""
    words, before, after = change.words, change.before, change.after
    if (
        len(words) != 2
        or words[0].tag_ not in ("WDT", "WP")
        or _lemma(words[1]) != "be"
        or before is None
        or after is None
    ):
        return False
    verb = words[0].head
    if before.pos_ not in ("NOUN", "PROPN", "PRON") or verb.dep_ != "relcl" or verb.head != before:
        return False
    if any(child.dep_ in ("conj", "neg") for child in verb.children):
        return False
    completed = any(child.dep_ in ("prep", "xcomp") for child in after.children)
    return (after.tag_ in ("VBN", "VBG") and after == verb) or (after.dep_ == "acomp" and completed)


def _subject_of_order(change: Change) -> bool:
    words = change.words
    if words[0].lower_ != "you" or change.old_text not in ("you", "you will") or not change.opens:
        return False
    verb = words[0].head
    helped = any(child.dep_ in _HELPING and child not in words for child in verb.children)
    asked = verb.doc[-1].text == "?"
    orders = verb.dep_ in ("ROOT", "conj", "ccomp") and verb.pos_ == "VERB" and verb.tag_ in ("VB", "VBP")
    return orders and not helped and not asked and verb.lemma_ not in _STATES


_ANNOUNCING = _words("here below this these the following what follow be a an some your all")


def _announcement(change: Change) -> bool:
    """The words "Here is the" in front of a noun that a colon announces."""
    last = next((token for token in reversed(change.gone[0].doc) if token.text.strip(" *_")), None)
    announced = last is not None and last.text == ":" and change.before is None
    return announced and "be" in change.lemmas and change.lemmas <= _ANNOUNCING


_PARTICLES = frozenset(
    {"list out", "write down", "note down", "narrow down", "return back", "refer back", "start off", "start out",
     "combine together", "join together", "inside of", "off of", "as per"}
)  # fmt: skip
_SHOWN = _words("list give show provide define describe mention specify outline present locate")
_HANDED = _words("give provide pass send show present assign available ask")


def _pleonasm(change: Change) -> bool:
    """A word that the one beside it says already."""
    text, word, before, after = change.old_text, change.words[0], change.before, change.after
    if before is not None:
        if f"{before.lemma_.lower()} {text}" in _PARTICLES:
            return word.dep_ in ("prt", "advmod", "prep")
        if text in ("to you", "of you"):
            return before.lemma_.lower() in _HANDED and before.tag_ in ("VBN", "JJ") and word.head == before
        if text in ("called", "named", "titled"):
            return before.lower_ == "section" and word.head == before
        if text == "of":
            return before.lower_ in ("all", "both") and word.head == before
    # "the rules listed below": where they are says that they are listed.
    place = after is not None and after.lower_ in ("below", "above", "in") and after.head == word
    return text == word.lower_ and word.tag_ == "VBN" and word.lemma_ in _SHOWN and place


@lru_cache(maxsize=2)
def _groups(name: str) -> tuple[frozenset[str], ...]:
    text = files("promptopt.compression").joinpath(name).read_text(encoding="utf-8")
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
        " ".join(map(_lemma, words)) for words in (change.words, [word for word in change.new if not _is_mark(word)])
    )
    if not _of_one_group("verbs.txt", old, new):
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


_LIGHT = _words(
    "make give provide do perform conduct carry write create generate produce output offer take have come reach"
)


def _nominal(change: Change) -> bool:
    """A light verb and the noun of an action: "provide a summary of" is "summarize"."""
    verb, new = change.words[0], [word for word in change.new if not _is_mark(word)]
    noun = next((word for word in change.words if word.dep_ in ("dobj", "pobj") and word.pos_ == "NOUN"), None)
    if noun is None or verb.lemma_ not in _LIGHT or verb.pos_ not in ("VERB", "AUX"):
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
    if change.new_text != "can" or [_lemma(word) for word in words] != ["be", "able", "to"]:
        return False
    helped = any(child.dep_ in _HELPING for child in words[0].children)
    return words[0].tag_ in ("VBP", "VBZ") and not helped and after is not None and after.tag_ == "VB"


def _participle(change: Change) -> bool:
    """The words "that describes" are "describing", right after the noun that does it."""
    words, before, new = change.words, change.before, change.new_text
    if len(words) != 2 or words[0].tag_ not in ("WDT", "WP") or words[0].dep_ != "nsubj":
        return False
    verb = words[1]
    if verb.dep_ != "relcl" or verb.head != before or verb.tag_ not in ("VBZ", "VBP"):
        return False
    if any(child.dep_ in ("conj", "neg", *_HELPING) for child in verb.children):
        return False
    return (new == "with" and verb.lemma_ in ("contain", "include")) or (
        new.endswith("ing") and new[:3] == verb.lower_[:3]
    )


def _these(change: Change) -> bool:
    """For "the following steps" one may write "these steps"."""
    named = change.old_text == "the following" and change.new_text in ("this", "these")
    return named and change.words[1].dep_ == "amod"


def _containing(change: Change) -> bool:
    return change.old_text == "containing" and change.new_text == "with" and change.words[0].dep_ == "acl"


def _article(change: Change) -> bool:
    word = change.words[0]
    if change.old_text not in ("a", "an", "the") or word.dep_ != "det":
        return False
    noun, after = word.head, change.after
    if after is None or after.lower_ in ("few", "little", "lot", "bit", "couple"):
        return False
    return noun.pos_ in ("NOUN", "PROPN", "X") and noun.i > word.i


def _copula(change: Change) -> bool:
    word = change.words[0]
    if change.old_text == "will":
        return word.dep_ == "aux" and word.head.tag_ == "VB"
    # A passive keeps its verb: "raters were asked" is not "raters asked".
    return change.old_text in ("is", "are") and word.dep_ not in _HELPING and _subject(word) is not None


def _pronoun(change: Change) -> bool:
    text, word = change.old_text, change.words[0]
    if text == "your":
        return word.dep_ == "poss"
    if text in ("there is", "there are"):
        return word.dep_ == "expl"
    return text in ("you", "you are") and word.dep_ == "nsubj" and (change.opens or word.head in change.gone)


def _spare(change: Change) -> bool:
    text, word, after = change.old_text, change.words[0], change.after
    if text in ("given", "provided"):
        return word.dep_ in ("amod", "acl") and not change.hanging
    if text == "also":
        return word.dep_ == "advmod" and word.head.pos_ in ("VERB", "AUX")
    if text == "section":
        return after is not None and after.is_upper
    return text in ("the following", "as follows")


@dataclass(frozen=True, slots=True)
class Licence:
    """Why words may go.

    Attributes:
        reason: What they are.
        covers: Whether a change is one of these.
        telegraphic: Whether only notes may lose them.
        keeps: What must be as before among the words that stay: their ``relations``, only what is a noun and what a
            verb (``kinds``), or nothing, if the words go around a clause that stays whole.
    """

    reason: str
    covers: Callable[[Change], bool]
    telegraphic: bool = False
    keeps: Literal["relations", "kinds", ""] = "relations"


MARKS = Licence("marks: the relations of the words show whether they were needed", lambda change: not change.words)
DELETIONS = (
    Licence("politeness in an order", _polite, keeps=""),
    Licence("an announcement of the instruction that stays", _opener, keeps=""),
    Licence("a call for attention", _attention, keeps=""),
    Licence("encouragement", _encouragement, keeps=""),
    Licence("a remark set apart", _remark, keeps=""),
    Licence("a conjunction or pronoun that the clause does not need", _that),
    Licence("the pronoun and verb of a relative clause", _relative_be),
    Licence("the subject of an order", _subject_of_order, keeps=""),
    Licence("an announcement of a label", _announcement, keeps=""),
    Licence("said by the word beside it", _pleonasm),
    Licence("an article", _article, telegraphic=True, keeps="kinds"),
    Licence("a copula", _copula, telegraphic=True, keeps="kinds"),
    Licence("a pronoun", _pronoun, telegraphic=True, keeps="kinds"),
    Licence("a word that a note leaves out", _spare, telegraphic=True, keeps="kinds"),
)
REPLACEMENTS = (
    Licence("the same words", _same_words, keeps=""),
    Licence("a purpose", _purpose, keeps="kinds"),
    Licence("the same sense", _same_sense),
    Licence("the same verb", _same_verb),
    Licence("an action as a verb", _nominal),
    Licence("ability", _able, keeps="kinds"),
    Licence("a relative clause as a participle", _participle),
    Licence("what follows", _these),
    Licence("what is contained", _containing),
    Licence("an order not to do it", _order_not_to, keeps=""),
)


def licence(change: Change) -> Licence | None:
    """What covers a change; ``None`` if nothing does."""
    if not change.words:
        return MARKS if all(_is_mark(token) for token in change.new) else None
    licences = REPLACEMENTS if change.new_text else DELETIONS
    allowed = (one for one in licences if change.level == "telegraphic" or not one.telegraphic)
    return next((one for one in allowed if one.covers(change)), None)
