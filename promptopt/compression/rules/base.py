"""What a rule is, and where rules come from.

Rules are registered under the entry-point group ``promptopt.rules``, the built-in ones too; the entry point's name is
the rule's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import ClassVar, Protocol

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.errors import UsageError, did_you_mean

GROUP = "promptopt.rules"


class Rule(Protocol):
    """Reads a document and proposes edits.

    Attributes:
        code: Such as ``PO103``; what ``--select`` and ``--ignore`` name.
        name: A word or two for people.
        reason: Why it saves money, in one line.
        level: The lowest level of compression that applies it.

    A rule that only ever reports may say so with ``advice = True``: it is then asked once, not in every pass.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    reason: ClassVar[str]
    level: ClassVar[Level]

    def edits(self, document: Document) -> Iterable[Edit]:
        """The edits that it proposes, in any order; an edit that would lose a fact is refused later, by the engine."""


@lru_cache(maxsize=1)
def all_rules() -> Mapping[str, Rule]:
    """The registered rules by code, in the order of their codes, which is the order in which they are applied."""
    return {point.name: point.load()() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def choose_rules(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules whose codes begin with one of ``select`` (all, where there is none) and with none of ``ignore``.

    Raises:
        UsageError: A code is not the beginning of any rule's.
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
