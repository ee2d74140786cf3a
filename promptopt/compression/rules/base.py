"""What a rule is, and where rules come from.

Rules are registered under the entry-point group ``promptopt.rules``, the built-in ones too. The entry point's name is
the rule's code; it points to a rule, or to a class that makes one without arguments.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from promptopt.compression.document import Document
from promptopt.compression.edit import LEVELS, Edit, Finding, Level
from promptopt.compression.sentences import MaskedSentence
from promptopt.errors import UsageError, did_you_mean
from promptopt.registry import blaming, broken, load, registered

REMEMBERED = 65_536
"""Sentences, counted once for each rule that reads them."""


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
    """A :class:`SentenceRule` as a :class:`Rule`: it is asked about each English sentence of a document."""

    rule: SentenceRule

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
        masked = document.masked
        for sentence in document.prose:
            at = sentence.start
            for edit in _edits_in(self.rule, masked[at : sentence.end], sentence.kind, sentence.first):
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
        wrong = next((one for one in found if not isinstance(one, Edit | Finding)), None)
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
    return BySentence(rule) if isinstance(rule, SentenceRule) else rule


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
