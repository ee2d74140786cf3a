"""For authors of scorers, providers, rules, layers and stores: checks of what promptopt relies on, and doubles.

A check raises ``AssertionError`` that names the broken promise; it returns what it saw, for further tests::

    from promptopt.testing import check_scorer

    def test_my_scorer_keeps_its_promises():
        check_scorer(MyScorer, value=12)

See docs/extending.md for a whole package of each kind.
"""

from promptopt.gateway.simulate import SimulatedClock
from promptopt.testing.checks import ANSWERS, check_layer, check_provider, check_rule, check_scorer
from promptopt.testing.doubles import ScriptedProvider, make_parts
from promptopt.testing.store_check import check_store

__all__ = [
    "ANSWERS",
    "ScriptedProvider",
    "SimulatedClock",
    "check_layer",
    "check_provider",
    "check_rule",
    "check_scorer",
    "check_store",
    "make_parts",
]
