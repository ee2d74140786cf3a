"""What a unit costs is the mean over the cases, whatever order they are in."""

from typing import Any

import pytest
from planted_model import Planted, Write

import promptopt


def tokens_of(sentence: str, options: Any) -> float:
    bench = promptopt.minimize("p", **options).bench
    [unit] = (each for each in bench.units.units if each.text.strip() == sentence)
    return bench.unit_tokens[unit.id]


@pytest.mark.parametrize(("cases", "every", "spare"), [(96, 4, 0), (1_000, 5, 0.08), (1_000, 1, 0)])
def test_a_sentence_in_a_branch_costs_the_share_of_cases_that_take_it(
    planted: Write, cases: int, every: int, spare: float
) -> None:
    """Also if its kind of cases comes again and again in the suite: every fourth, or every fifth."""
    sentence = "Treat the customer as a gold customer with care."
    planted([f"Be kind. {{% if n % {every} == 0 %}}{sentence}{{% endif %}}"], cases)
    options: Any = {"provider": Planted({}), "margin": 5, "rules": False, "dry_run": True}
    taken = tokens_of(sentence, options)
    planted([sentence, "Be kind."], cases)
    whole = tokens_of(sentence, options)
    assert taken / whole == pytest.approx(1 / every, abs=spare + 1 / whole)


def test_of_a_long_prompt_fewer_cases_are_counted(planted: Write) -> None:
    planted(["We are glad to have you with us today, as always, " * 700, "Be kind."], 100)
    model = Planted({})
    found = promptopt.minimize("p", provider=model, margin=5, rules=False, dry_run=True)
    assert found.bench.unit_tokens
    assert len(found.bench._counted) < 40
    assert not model.asked
