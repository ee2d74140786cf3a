"""When words may leave a sentence: predicates on its parse, each with a reason.

A licence knows nothing of the rules. It reads the words that leave, their part of speech and what hangs on them, and
the words that come. What no licence covers stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptopt.compression.witness.change import (
    HELPING,
    Change,
    Licence,
    beside,
    is_mark,
    is_order,
    is_seconded,
    lemma,
    subject_of,
    words_of,
)
from promptopt.compression.witness.parser import base_form
from promptopt.compression.witness.senses import REPLACEMENTS

if TYPE_CHECKING:
    from spacy.tokens import Token


def _polite(change: Change) -> bool:
    if not change.lemmas <= {"please", "kindly"}:
        return False
    word, before = change.words[0], change.before
    verb, subject = word.head, subject_of(word.head)
    if word.i > verb.i:
        return before is not None and before.text == "," and verb.dep_ == "ROOT" and is_order(verb)
    question = subject is not None and subject.lower_ == "you"
    if word.tag_ not in ("UH", "RB", "VB") or word == verb or not (question or is_order(verb)):
        return False
    # "the customer says please stop" is what he says.
    spoken = before is not None and before.pos_ == "VERB"
    close = all(token.dep_ in ("advmod", "aux", "neg", "punct") for token in verb.doc[word.i + 1 : verb.i])
    return change.opens or question or (close and not spoken and verb.dep_ in ("ROOT", "conj"))


_ITS_OWNERS = words_of("mine yours ours theirs hers")
_WISH = frozenset({"want", "need", "like", "wish", "ask"})
_WISHING = _WISH | frozenset({"i", "we", "you", "would", "will", "'d", "be", "go", "to", "for", "a"})
_TASK = words_of("task job goal objective mission role responsibility assignment duty ask request instruct invite")
_TASKS = _TASK | frozenset({"your", "you", "be", "will", "to", "main", "primary", "overall", "now", "here", "today"})
_WEIGHT = frozenset({"important", "crucial", "essential", "vital", "critical", "imperative", "worth", "note"})
_WEIGHTS = _WEIGHT | words_of(
    "it be very really extremely critically absolutely especially also to that you mention mentioning noting "
    "remember understand know keep in mind should"
)
_HEED = words_of("sure certain ensure see care note remember mind aware advise advised understand")
_HEEDING = _HEED | words_of("make be it take to that you keep bear in also please kindly")
# What one is or has is not done: "make sure you have it" is not "have it".
_STATES = words_of("be have know understand need want see get receive find notice like feel")
# What nobody can be told to do: "I want you to want this".
_INVOLUNTARY = words_of("have know need want like feel believe")
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
    # "Your role is to ask, and mine is to answer": the noun is meant again, or the two are set against each other.
    if change.lemmas & _TASK and any(map(_is_of_another, change.words[0].doc)):
        return False
    if len(clauses) != 1 or clauses[0].i < change.gone[-1].i or any(_has_to(other) for other in others):
        return False
    verb, last = clauses[0], change.words[-1].lower_
    if last == "to":
        return verb.tag_ == "VB" and base_form(verb) not in _INVOLUNTARY and not is_seconded(verb, "to")
    if last == "you":
        helped = any(child.dep_ in HELPING and base_form(child) != "do" for child in verb.children)
        return verb.pos_ == "VERB" and base_form(verb) not in _STATES and not helped and not is_seconded(verb, "you")
    if change.before is not None and change.before.text == ",":
        return False
    # "Note that this is a test and grade it": an order cannot go on from a statement.
    goes_on = any(child.dep_ == "conj" and subject_of(child) is None and child.tag_ == "VB" for child in verb.children)
    return subject_of(verb) is not None and not goes_on and not is_seconded(verb, "that")


def _is_of_another(token: Token) -> bool:
    """Whether a word owns another task: "mine is to answer", "my role is to answer"."""
    owns = token.dep_ == "poss" and token.lower_ != "your" and lemma(token.head) in _TASK
    return owns or token.lower_ in _ITS_OWNERS


def _has_to(verb: Token) -> bool:
    return any(child.tag_ == "TO" for child in verb.lefts)


def _order_not_to(change: Change) -> bool:
    """For "Take care to not shout" one may write "Do not shout"."""
    after = change.after
    last = change.words[-1].lower_
    return (
        change.new_text == "do" and last == "to" and after is not None and after.lower_ == "not" and _announces(change)
    )


_REMINDER = frozenset({"as", "just", "a", "quick", "friendly", "gentle", "reminder"})


def _attention(change: Change) -> bool:
    """A label that asks for attention, with its colon or comma, in front of a whole sentence."""
    named = change.old_text in ("note", "n.b.", "remember", "reminder", "keep in mind", "please note")
    named = named or ("reminder" in change.lemmas and change.lemmas <= _REMINDER)
    return named and change.gone[-1].text in (":", ",") and change.before is None and change.after is not None


_BREATH = frozenset({"take", "a", "deep", "breath", "step", "back", "and"})
_ACHIEVING = words_of("about how to achieve accomplish the this good best well possible outcome result goal")


def _encouragement(change: Change) -> bool:
    after, lemmas = change.after, change.lemmas
    if after is not None and lemmas <= _BREATH and lemmas & {"breath", "step"}:
        return change.opens and change.words[-1].lower_ == "and" and after.tag_ in ("VB", "VBP", "NN")
    if not lemmas <= _ACHIEVING or not lemmas & {"achieve", "accomplish"}:
        return False
    return any(base_form(token) in ("think", "reason") for token in change.gone[0].doc[: change.gone[0].i])


_REMARKS = frozenset(
    {"additionally", "furthermore", "moreover", "in addition", "of course", "by the way", "as you know", "as we know",
     "as already mentioned", "needless to say", "what is more", "on top of that"}
)  # fmt: skip


def _remark(change: Change) -> bool:
    """A remark that commas set apart: it links sentences and asks for nothing."""
    first = change.before is None or change.before.text in (",", ";", ".")
    return first and change.old_text in _REMARKS and any(token.text == "," for token in change.gone)


# A clause follows these with or without "that"; after most other words it would not be known for one.
_GOVERNING = words_of("ensure assume think believe know say sure certain hope suppose guess feel guarantee tell")
_DEGREES = words_of("so such too enough how")


def _that(change: Change) -> bool:
    """The word "that" in front of a clause which is the object of the word right before it."""
    words, before, after = change.words, change.before, change.after
    if change.old_text != "that" or before is None or after is None:
        return False
    verb = words[0].head
    if subject_of(verb) is None or is_seconded(verb, "that", "which", "who"):
        return False
    if any(child.dep_ == "auxpass" for child in verb.head.children):
        # "It is required that you sign"
        return False
    if verb.dep_ == "ccomp":
        # "It is so late that you must go": the clause says how late.
        degree = any(token.lower_ in _DEGREES for token in words[0].doc[: words[0].i])
        governs = lemma(before) in _GOVERNING and not degree
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
        or lemma(words[1]) != "be"
        or before is None
        or after is None
    ):
        return False
    verb = words[0].head
    if before.pos_ not in ("NOUN", "PROPN", "PRON") or verb.dep_ != "relcl" or verb.head != before:
        return False
    # "links in the text that are long": the verb agrees with the links.
    if words[1].lower_ in (("are", "were") if before.tag_ in ("NN", "NNP") else ("is", "was", "'s", "’s")):
        return before.tag_ not in ("NN", "NNP", "NNS", "NNPS")
    if any(child.dep_ in ("conj", "neg") for child in verb.children):
        return False
    completed = any(child.dep_ in ("prep", "xcomp") for child in after.children)
    return (after.tag_ in ("VBN", "VBG") and after == verb) or (after.dep_ == "acomp" and completed)


def _subject_of_order(change: Change) -> bool:
    words = change.words
    if words[0].lower_ != "you" or change.old_text not in ("you", "you will") or not change.opens:
        return False
    verb = words[0].head
    helped = any(child.dep_ in HELPING and child not in words for child in verb.children)
    asked = verb.doc[-1].text == "?"
    orders = verb.dep_ in ("ROOT", "conj", "ccomp") and verb.pos_ == "VERB" and verb.tag_ in ("VB", "VBP")
    return orders and not helped and not asked and base_form(verb) not in _STATES


_COUNTED = frozenset({"few", "little", "lot", "bit", "couple", "only", "very"})
_ANNOUNCING = words_of("here below this these the following what follow be a an your")


def _announcement(change: Change) -> bool:
    """The words "Here is the" in front of a noun that a colon announces."""
    last = next((token for token in reversed(change.gone[0].doc) if token.text.strip(" *_")), None)
    announced = last is not None and last.text == ":" and change.before is None
    # "a few examples" are not "few examples".
    counted = change.after is not None and change.after.lower_ in _COUNTED
    # "Here is an example, but change the names:" has a second verb.
    seconded = any(child.dep_ == "conj" for word in change.words if lemma(word) == "be" for child in word.children)
    return announced and not counted and not seconded and "be" in change.lemmas and change.lemmas <= _ANNOUNCING


_PARTICLES = frozenset({"write down", "note down", "refer back", "as per"})
_SHOWN = words_of("list give show provide define describe mention specify outline present locate")
_HANDED = words_of("give provide pass send show present assign available ask")


def _pleonasm(change: Change) -> bool:
    """A word that the one beside it says already."""
    text, word, before, after = change.old_text, change.words[0], change.before, change.after
    if before is not None:
        if f"{base_form(before).lower()} {text}" in _PARTICLES:
            return word.dep_ in ("prt", "advmod", "prep")
        if text in ("to you", "of you"):
            return base_form(before).lower() in _HANDED and before.tag_ in ("VBN", "JJ") and word.head == before
        if text in ("called", "named", "titled"):
            return before.lower_ == "section" and word.head == before
        if text == "of":
            return before.lower_ in ("all", "both") and word.head == before
    # "the rules listed below": where they are says that they are listed.
    place = after is not None and after.lower_ in ("below", "above", "in") and after.head == word
    return text == word.lower_ and word.tag_ == "VBN" and base_form(word) in _SHOWN and place


# What may be said of a thing or, in "-ing", of what one does.
_DOING = words_of(
    "avoid begin consider continue enjoy finish include involve keep like mention mind prefer recommend require resist "
    "risk start stop suggest try"
)


def _article(change: Change) -> bool:
    word = change.words[0]
    if change.old_text not in ("a", "an", "the") or word.dep_ != "det":
        return False
    noun, after = word.head, change.after
    if after is None or after.lower_ in _COUNTED:
        return False
    # "a twist the skill has", "the way old pages do": right after a noun the article alone shows that more begins.
    before = change.before
    if before is not None and before.tag_.startswith("NN") and not _is_object_after(noun, before):
        return False
    if before is not None and _begins_after(noun, before, change.old_text):
        return False
    # "Prefer a failing test": without its article one would prefer to fail.
    if after.tag_ == "VBG" and before is not None and lemma(before) in _DOING:
        return False
    follows = beside(noun, 1)
    # "A claim that has no source is false" is not "Claim that ...".
    if change.before is None and noun.tag_ == "NN" and follows is not None and follows.lower_ == "that":
        return False
    return noun.pos_ in ("NOUN", "PROPN", "X") and noun.i > word.i


def _begins_after(noun: Token, before: Token, article: str) -> bool:
    """Whether the article of a noun shows that what is before it has ended."""
    subject = noun.dep_ in ("nsubj", "nsubjpass")
    # "if you wrote the note and the oven is hot": a clause; "text a rule needs": another subject of the same verb.
    if subject and (before.tag_ == "CC" or (before.dep_ == noun.dep_ and before.head == noun.head)):
        return True
    # "rather than one a rule opens"; "it is knowingly a stub".
    return before.tag_ == "CD" or (article != "the" and noun.dep_ == "attr" and before.tag_ == "RB")


def _is_object_after(noun: Token, before: Token) -> bool:
    """Whether a noun is an object after a noun: of an order that was read as one ("Query"), of "take into account"."""
    return noun.dep_ == "dobj" and (noun.head == before or (before.dep_ == "pobj" and noun.head.i < before.i))


def _copula(change: Change) -> bool:
    word = change.words[0]
    # A passive keeps its verb: "raters were asked" is not "raters asked".
    subject = subject_of(word)
    if change.old_text not in ("is", "are") or word.dep_ in HELPING or subject is None:
        return False
    # "unless the job is small or the guest pays": the second clause shows that the first is one.
    if any(child.dep_ in ("conj", "cc") for child in word.children):
        return False
    # "say which cake is better": the question is what the verb says.
    if any(child.tag_ in ("WDT", "WP$", "WRB") for child in subject.subtree):
        return False
    # "if the answer you give is short": beside a clause the verb shows where it ends.
    return not any(child.dep_ in ("relcl", "acl") for child in subject.children)


def _pronoun(change: Change) -> bool:
    text, word = change.old_text, change.words[0]
    if text == "your":
        return word.dep_ == "poss"
    if text in ("there is", "there are"):
        # "if there are still open points": what is left would be no noun.
        return word.dep_ == "expl" and change.after is not None and change.after.pos_ != "ADV"
    if text not in ("you", "you are") or word.dep_ != "nsubj":
        return False
    # "the guest may call and you should answer": without its subject the second verb is the guest's.
    first = word.head.head if word.head.dep_ == "conj" else None
    others = first is not None and (subject := subject_of(first)) is not None and subject.lower_ != "you"
    return not others and (change.opens or word.head in change.gone)


def _spare(change: Change) -> bool:
    text, word, after = change.old_text, change.words[0], change.after
    if text in ("given", "provided"):
        return word.dep_ in ("amod", "acl") and not change.hanging
    if text == "also":
        return word.dep_ == "advmod" and word.head.pos_ in ("VERB", "AUX")
    if text == "section":
        return after is not None and after.is_upper
    return text in ("the following", "as follows")


def _marks(change: Change) -> bool:
    """Marks alone, and no comma between a thing and what is done: "use names, titles, or ask"."""
    after = change.after
    if change.words or after is None or after.dep_ != "cc":
        return not change.words
    last = next((word for word in after.head.children if word.dep_ == "conj" and word.i > after.i), None)
    return last is None or {_is_done(last), _is_done(after.head)} != {True, False}


def _is_done(token: Token) -> bool | None:
    """Whether a word is a verb, or a noun; ``None`` for others, and for what may be either."""
    if token.tag_.startswith("NN"):
        return False
    return True if token.tag_ in ("VB", "VBP", "VBZ") else None


ORDER_NOT_TO = Licence("an order not to do it", _order_not_to, keeps="")
MARKS = Licence("marks: the relations of the words show whether they were needed", _marks)
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


def licence(change: Change) -> Licence | None:
    """What covers a change; ``None`` if nothing does."""
    if not change.words:
        return MARKS if all(is_mark(token) for token in change.new) and MARKS.covers(change) else None
    licences = (*REPLACEMENTS, ORDER_NOT_TO) if change.new_text else DELETIONS
    allowed = (one for one in licences if change.level == "telegraphic" or not one.telegraphic)
    return next((one for one in allowed if one.covers(change)), None)
