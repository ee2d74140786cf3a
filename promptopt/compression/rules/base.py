"""What a rule is, where rules come from, and rules of wording as data.

Rules are registered under the entry-point group ``promptopt.rules``, the built-in ones too. The entry point's name is
the rule's code; it points to a rule, or to a class that makes one without arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from promptopt.compression.document import Document, ProseText
from promptopt.compression.edit import LEVELS, Edit, Finding, Level
from promptopt.compression.facts.reading import WEIGHTY
from promptopt.compression.facts.stated import SCOPE_WORDS
from promptopt.compression.sentences import HEADING, ITEM, TEXT, MaskedSentence
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.words import REMEMBERED, Hints, words_in
from promptopt.errors import UsageError, did_you_mean
from promptopt.registry import blaming, broken, load, registered


class Described(Protocol):
    """What every rule says about itself; plain class attributes do.

    Attributes:
        code: Such as ``PO103``: what ``--select`` and ``--ignore`` name, the same as the entry point's name.
        name: A word or two for people.
        reason: Why it saves money, in one line.
        level: The lowest level of compression that applies its edits. Findings are reported at every level.
    """

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def level(self) -> Level: ...


@runtime_checkable
class Rule(Described, Protocol):
    """Reads a whole document and proposes edits, reports findings, or both.

    A rule looks for places and nothing else. Whether an edit is made is decided later, for all rules in the same way:
    an edit that would lose a fact, touch protected text (code, quotes, expressions, examples), or save no token is
    refused and logged with the reason. A rule therefore need not count tokens, and two rules may propose edits that
    overlap: the one with the lower code wins.

    The order of the edits does not matter. A rule is asked again after each pass that changed the text, so its edits
    must not undo each other: applied to the result, it has to propose nothing more. Findings count in the first pass
    only, so that their positions are positions of the source; a rule that only reports them may inherit from
    :class:`ReportsOnly` to save time.
    """

    def propose(self, document: Document) -> Iterable[Edit | Finding]:
        """The edits and findings, with positions in ``document.text``.

        Search ``document.masked`` rather than ``document.text``: it is as long, and protected characters read as
        ``MASK``. ``document.prose`` lists the English sentences, the only ones whose wording a rule may change.
        """


class ReportsOnly:
    """Base class of a :class:`Rule` that never proposes an edit: it is asked in the first pass only."""

    __slots__ = ()


@runtime_checkable
class SentenceRule(Described, Hashable, Protocol):
    """Reads one English sentence at a time, knows nothing of the rest of the text, and proposes edits of it.

    Prefer it to :class:`Rule` if the sentence is enough: each different sentence is read once and the answer is kept,
    over all passes and texts. The rule must therefore be hashable (a plain class or a frozen dataclass is) and always
    propose the same edits for the same sentence.
    """

    def propose_in(self, sentence: MaskedSentence) -> Iterable[Edit]:
        """The edits, with positions in ``sentence.text``."""


@dataclass(frozen=True, slots=True)
class BySentence:
    """A :class:`SentenceRule` as a :class:`Rule`: it is asked about each English sentence of a document.

    Attributes:
        hints: Words without which it says nothing of a sentence; ``None`` if there are none.
    """

    rule: SentenceRule
    hints: Hints | None = None

    @property
    def code(self) -> str:
        return self.rule.code

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def reason(self) -> str:
        return self.rule.reason

    @property
    def level(self) -> Level:
        return self.rule.level

    def propose(self, document: Document) -> Iterator[Edit]:
        texts: Sequence[ProseText] = document.prose_texts
        if self.hints is not None:
            texts = self.hints.chosen(texts, document.prose_words, document.all_prose_words)
        for at, text, kind, first in texts:
            for edit in _edits_in(self.rule, text, kind, first):
                yield Edit(edit.start + at, edit.end + at, edit.new, edit.rule, edit.message)


@lru_cache(maxsize=REMEMBERED)
def _edits_in(rule: SentenceRule, text: str, kind: str, first: bool) -> tuple[Edit, ...]:
    return tuple(rule.propose_in(MaskedSentence(text, kind, first)))


def proposals(rule: Rule, document: Document) -> list[Edit | Finding]:
    """What a rule proposes for a document.

    Raises:
        UsageError: A rule of another package fails.
    """
    with blaming("rule", rule.code, f"fails on {document.path}"):
        found = list(rule.propose(document))
        wrong = next((one for one in found if not isinstance(one, (Edit, Finding))), None)
        if wrong is not None:
            raise TypeError(f"{wrong!r} is neither an Edit nor a Finding")
        return found


@lru_cache(maxsize=1)
def all_rules() -> Mapping[str, Rule]:
    """The registered rules by code, in the order of their codes, which is the order in which they are applied.

    Raises:
        UsageError: A registered rule cannot be loaded, is not a rule, or two packages register it.
    """
    return {name: _loaded(name) for name in registered("rule")}


def _loaded(name: str) -> Rule:
    rule = load("rule", name)
    if isinstance(rule, type):
        with blaming("rule", name, "cannot be loaded"):
            rule = rule()
    if isinstance(rule, Rule) == isinstance(rule, SentenceRule):
        needs = (
            "code, name, reason, level, and one of propose(document) and propose_in(sentence), for the latter a hash"
        )
        raise broken("rule", name, f"is not a rule: {type(rule).__name__} needs {needs}")
    if rule.code != name:
        problem = f"has the code {rule.code!r}: the entry point's name and the rule's code must be the same"
        raise broken("rule", name, problem)
    if rule.level not in LEVELS:
        raise broken("rule", name, f"has the level {rule.level!r}; known are: {', '.join(LEVELS)}")
    return BySentence(rule, getattr(rule, "hints", None)) if isinstance(rule, SentenceRule) else rule


def choose_rules(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules whose codes begin with one of ``select`` (all, if it is empty) and with none of ``ignore``.

    Raises:
        UsageError: A code is not the beginning of any rule's, or a registered rule cannot be loaded.
    """
    rules = all_rules()
    select, ignore = tuple(map(str.upper, select)), tuple(map(str.upper, ignore))
    for code in (*select, *ignore):
        if not code or not any(known.startswith(code) for known in rules):
            raise UsageError(f"no rule {code!r}.{did_you_mean(code, rules)} Known are: {', '.join(rules)}")
    return tuple(
        rule
        for code, rule in rules.items()
        if (not select or code.startswith(select)) and not (ignore and code.startswith(ignore))
    )


_RESTRICTED = re.compile(
    r"\b(?:only|just|except|merely|solely|exclusively|at least|at most|more than|less than|up to|exactly|"
    r"unless|must|should|may)\s*\Z",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|no|without|avoid)|n['’]t)(?:\W+\w+){0,3}\W*\Z"
    # Of a limit the number and what is counted.
    r"|\b(?:at least|at most|up to|exactly|maximum|minimum|within|between|(?:more|less|fewer|longer|shorter) than)"
    r"(?:\W+\w+)?\W*\Z",
    re.IGNORECASE,
)
_GOVERNED = re.compile(rf"(?<![\w'’-])(?:{WEIGHTY})(?:\W+\w+){{0,{SCOPE_WORDS}}}\W*\Z", re.IGNORECASE)


def negated(text: str, position: int) -> bool:
    """Whether the words at a position of a sentence closely follow a negation or a limit: they are left alone."""
    before = text[:position]
    return _NEGATED.search(before) is not None or _RESTRICTED.search(before) is not None


def governed(text: str, position: int) -> bool:
    """Whether the words at a position are within the scope of a limit, a negation, a duty or a restriction."""
    return _GOVERNED.search(text[:position]) is not None


def _nothing(_: re.Match[str]) -> str:
    return ""


@dataclass(frozen=True, eq=False, slots=True)
class Rewording:
    """A pattern of words and what to write instead.

    Attributes:
        pattern: What to look for in the masked text of a sentence.
        new: What to write instead; ``None`` leaves the match alone. An empty text removes the words: one space goes
            with them, so does a comma that served them, and the sentence keeps its capital letter.
        message: What to say about it, with ``{old}`` and ``{new}`` for the quoted texts.
        needles: In lower case; a sentence without any of them is not searched.
        hints: Words of every match; a sentence without them is not searched.
        part: A part of every match that is found quickly; a sentence without it is not searched.
        group: Which group of the match is replaced; by default all of it.
        exact: Whether a removal takes these characters and no others.
        unless: Which matches to leave alone, decided by the sentence and a position: ``negated``, ``governed`` or, with
            ``None``, no other than ``new`` says.
    """

    pattern: re.Pattern[str]
    new: Callable[[re.Match[str]], str | None] = _nothing
    message: str = ""
    needles: tuple[str, ...] = ()
    hints: Hints | None = None
    part: re.Pattern[str] | None = None
    group: str | int = 0
    exact: bool = False
    unless: Callable[[str, int], bool] | None = negated

    def may_match(self, text: str) -> bool:
        """Whether a sentence has what every match has."""
        if self.hints is not None and not self.hints.met_by(words_in(text)):
            return False
        if self.part is not None and self.part.search(text) is None:
            return False
        if not self.needles:
            return True
        lower = text.lower()
        return any(needle in lower for needle in self.needles)

    def edits(self, text: str, rule: str) -> Iterator[Edit]:
        """An edit for every match in a sentence."""
        for match in self.pattern.finditer(text):
            new = self.new(match)
            start, end = match.span(self.group)
            old = text[start:end]
            if new is None or MASK in old or (self.unless is not None and self.unless(text, start)):
                continue
            if new and old[0].isupper():
                new = new[0].upper() + new[1:]
            place = (start, end, new) if new or self.exact else removal(text, start, end)
            if place is not None:
                yield Edit(*place, rule, self._described(old, new))

    def _described(self, old: str, new: str) -> str:
        message = self.message or ("{old}: write {new}" if new else "{old} can go")
        return message.format(old=repr(" ".join(old.split())), new=repr(new))


@dataclass(frozen=True, eq=False, slots=True)
class WordingRule:
    """A rule that is a table of rewordings, tried in order, sentence by sentence.

    Attributes:
        kinds: The kinds of sentence that it reads.
    """

    code: str
    name: str
    reason: str
    level: Level
    table: tuple[Rewording, ...]
    kinds: tuple[str, ...] = (HEADING, ITEM, TEXT)

    @property
    def hints(self) -> Hints | None:
        """Words without which none of its rewordings matches; ``None`` if one may match without any."""
        found = [one.hints for one in self.table if one.hints is not None]
        return Hints(phrase for one in found for phrase in one.phrases) if len(found) == len(self.table) else None

    def propose_in(self, sentence: MaskedSentence) -> Iterator[Edit]:
        if sentence.kind in self.kinds:
            for rewording in self.table:
                if rewording.may_match(sentence.text):
                    yield from rewording.edits(sentence.text, self.code)


_BEGINS = re.compile(rf"(?:\A|[.!?:\n{MASK}])[\s*_(\"]*\Z")


def removal(text: str, start: int, end: int) -> tuple[int, int, str] | None:
    """How words are taken out of a sentence: with one space, a comma that served them, and the capital moved on.

    ``None`` if nothing would be left of the sentence.

    Returns:
        The range to replace, and the replacement: empty, or the letter that is now the first.
    """
    after = text[end:]
    before = text[:start]
    opening = not before.strip(" *_(\t")
    comma = re.match(r",[ \t]*", after)
    if comma and (opening or before.rstrip().endswith((",", ".", ";"))):
        end += comma.end()
        after = after[comma.end() :]
    if space := re.match(r"[ \t]+", after):
        end += space.end()
        after = after[space.end() :]
    elif before.endswith(" ") and (not after or after[0] in ".,;:!?)\n"):
        start -= 1
    if not (before + after).strip(" .,;:!?*_-"):
        return None
    # The capital moves on: of "I" and of words in capitals only where a sentence begins, after a template's tag for
    # example.
    capital = text[start : start + 1].isupper() and (_BEGINS.search(before) or text[start + 1 : start + 2].islower())
    if capital and (wrapped := re.match(r"\n[ \t]*(?=[a-z])", after)):
        # The next line of the same sentence.
        end += wrapped.end()
        after = after[wrapped.end() :]
    # "Please *read* it": the capital goes inside of the marks.
    if capital and (first := re.match(r"([*_]{0,3})([a-z])", after)):
        return start, end + first.end(), first[1] + first[2].upper()
    return start, end, ""
