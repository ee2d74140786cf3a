"""A second reading of a prompt, against the fields of a first one: every witness is asked, and the first that objects refuses them.

None shares a pattern with the readers that propose: those look for forms, a witness looks for words that the fields lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.witness.accounts import unaccounted
from promptopt.structured.witness.bare import bare_doubted, other_answers, parts_of_items, value_form
from promptopt.structured.witness.beside import beside
from promptopt.structured.witness.clauses import said_in_clauses
from promptopt.structured.witness.counts import miscounted, several
from promptopt.structured.witness.exceptions import excepted
from promptopt.structured.witness.facts import left_over
from promptopt.structured.witness.foreign import conversing, unread_elsewhere
from promptopt.structured.witness.forms import gainsaid_form
from promptopt.structured.witness.further import further, other_orders
from promptopt.structured.witness.instead import denied, instead, other_values
from promptopt.structured.witness.keys import (
    KeyOfSchema,
    keys_of,
    reasons,
)
from promptopt.structured.witness.labels import codes_instead, keys_doubted, labels_added, labels_doubted
from promptopt.structured.witness.lists import masked, no_answers
from promptopt.structured.witness.names import gainsaid_names
from promptopt.structured.witness.parts import of_columns, of_parts, optional_parts
from promptopt.structured.witness.places import lines_otherwise, shown_otherwise
from promptopt.structured.witness.said_of_key import lacking, null_of_kind, null_of_none
from promptopt.structured.witness.shown import kinds_shown, labels_beside_text, set_to, shown, unlike, unsaid
from promptopt.structured.witness.told import first_key_lost, more_keys, untold
from promptopt.structured.witness.two_forms import two_forms
from promptopt.structured.witness.types import doubted, free_objects, listed_places


def gainsaid(document: PromptText, found: Inferred, *, quoted: bool = False) -> str | None:
    """The first of the :func:`objections`; ``None`` if there is none."""
    return next(objections(document, found, quoted=quoted), None)


def objections(document: PromptText, found: Inferred, *, quoted: bool = False) -> Iterator[str]:
    """What the prompt says of a key and the fields do not hold, each with its line.

    Args:
        quoted: Whether a quotation proves each value: then its type is settled, and what is said of it was looked at.
    """
    if why := masked(found):
        yield why
        return
    leaves = [leaf for item in found.fields for leaf in keys_of(item.name, item.schema)]
    plain = [leaf for leaf in leaves if "properties" not in leaf.value]
    # What is said of `size` is said of the value in {"size": {"value": 3, "seen": true}}.
    plain += [
        KeyOfSchema(leaf.name, leaf.node["properties"]["value"])
        for leaf in leaves
        if "value" in leaf.node.get("properties", ())
    ]
    keyed = found.whole in ("JSON", "keys", "labels")
    checks: tuple[tuple[Iterator[str], bool], ...] = (
        (lacking(document, plain, of_text=found.whole == "labels"), keyed and not quoted),
        (shown(document, plain), found.whole in ("JSON", "keys") and not quoted),
        (unsaid(document, plain), found.whole in ("JSON", "keys")),
        (set_to(document, plain), found.whole in ("JSON", "keys")),
        (unlike(leaves), found.whole == "JSON"),
        (kinds_shown(document, found, plain), found.whole == "JSON" and not quoted),
        (labels_beside_text(document, plain), found.whole == "JSON" and not quoted),
        (free_objects(document, leaves), found.whole == "JSON"),
        (null_of_none(document, leaves), keyed),
        (null_of_kind(document, leaves), found.whole in ("JSON", "keys")),
        (unaccounted(document, found, plain, quoted=quoted), keyed),
        (listed_places(document, plain), found.whole == "labels"),
        (doubted(document, found, plain, leaves), found.whole in ("JSON", "keys") and not quoted),
        (other_orders(document, found, leaves), found.whole in ("JSON", "keys")),
        (miscounted(document, found, leaves), found.whole in ("JSON", "keys")),
        (codes_instead(document, found), not found.whole),
        (labels_doubted(document, found), not found.whole),
        (keys_doubted(document, found, plain), found.whole in ("JSON", "keys")),
        (untold(document, found, plain), found.whole in ("JSON", "keys") and not quoted),
        (first_key_lost(document, found, leaves), found.whole in ("JSON", "keys", "") and not quoted),
        (excepted(document, found), True),
    )
    yield from reasons(checks)
    yield from gainsaid_names(document, found, quoted=quoted)
    yield from gainsaid_form(document, found, [leaf.value for leaf in plain], quoted=quoted)
    yield from beside(document, found, quoted=quoted)
    yield from _left_over(document, found, plain, leaves, quoted=quoted)


def _left_over(
    document: PromptText,
    found: Inferred,
    plain: Sequence[KeyOfSchema],
    leaves: Sequence[KeyOfSchema],
    *,
    quoted: bool,
) -> Iterator[str]:
    """What is left of the prompt's facts, places and labels when each key has what is said of it."""
    keyed = found.whole in ("JSON", "keys", "labels")
    checks: tuple[tuple[Iterator[str], bool], ...] = (
        (no_answers(document, found, leaves), not quoted),
        (shown_otherwise(document, found, leaves), found.whole == "JSON" and not quoted),
        (lines_otherwise(document, plain), found.whole == "labels" and not quoted),
        (said_in_clauses(document, found, plain), keyed and not quoted),
        (left_over(document, found, leaves), found.whole in ("JSON", "keys") and not quoted),
        (bare_doubted(document, found, leaves), not found.whole and not quoted),
        (conversing(document, found), found.whole in ("", "sections")),
        (other_answers(document, found, leaves), not found.whole),
        (parts_of_items(document, found, leaves), keyed),
        (unread_elsewhere(document, found, leaves), keyed and not quoted),
        (two_forms(document, found, leaves), found.whole == "JSON"),
        (denied(document, found), found.whole in ("JSON", "keys")),
        (instead(document, found, leaves), not quoted),
        (labels_added(document, found, leaves), not quoted),
        (value_form(document, found, leaves), not found.whole and not quoted),
        (of_parts(document, found, leaves), not quoted),
        (of_columns(document, found, leaves), found.whole == "table" and not quoted),
        (optional_parts(document, found, leaves), not quoted),
        (further(document, found, leaves), not quoted),
        (several(document, found, leaves), not quoted),
        (other_values(document, leaves), keyed and not quoted),
        (more_keys(document, found, leaves), found.whole in ("JSON", "keys") and not quoted),
    )
    return reasons(checks)
