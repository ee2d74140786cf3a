"""Why a bill changed: the difference between two periods, split exactly into its causes by Shapley values.

The bill of a period is a product of factors: how many calls, of which kinds, by which models, how many input tokens
each has, which share of them is cached, how many tokens are answered, at which rates. A cause's part is the mean, over
all orders, of what changes when its factor goes from the first period to the second (Shapley 1953); the parts add up to
the difference, whatever the order.

Input tokens are characters times tokens per character. A model that is in one of the periods only has a tokenizer that
the other period does not have: what it makes of a character against what the other period's calls of that kind have is
the part of the tokenizer. A model that is in both has one tokenizer, and what changes is the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import factorial
from typing import Literal

import numpy as np

from promptopt.auditing.bill import KINDS, TokenRate, logged, rates_of
from promptopt.auditing.log import CallLog, Integers
from promptopt.auditing.replays import text_lengths
from promptopt.config import Config

ChangeCause = Literal["traffic", "mix", "model", "tokenizer", "prompt", "cache", "output length", "price"]
CAUSES: tuple[ChangeCause, ...] = (
    "traffic", "mix", "model", "tokenizer", "prompt", "cache", "output length", "price",
)  # fmt: skip
_MTOK = 1_000_000
_OUTPUTS = ("output", "reasoning")
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BillChange:
    """Two bills and what their difference is made of.

    Attributes:
        parts: Dollars by cause; they add up to ``after_usd - before_usd``.
        unpriced: Calls of both periods without a price, which are in no sum.
        textless: Calls of both periods whose texts are not in the log: what their tokenizers change is in ``model``.
    """

    before_usd: float
    after_usd: float
    before_calls: int
    after_calls: int
    parts: Mapping[ChangeCause, float]
    unpriced: int
    textless: int


@dataclass(frozen=True)
class _Cell:
    """The calls of one kind and model: exact means; ``characters`` is ``None`` if the log lacks one of their texts."""

    calls: int
    input: Fraction
    characters: Fraction | None
    shares: Mapping[str, Fraction]
    output: Fraction
    output_shares: Mapping[str, Fraction]
    usd: Mapping[str, Fraction]


def explain(before: CallLog, after: CallLog, config: Config) -> BillChange:
    """Split the difference of two settled logs' bills."""
    first, unpriced_first = _cells(before, config)
    second, unpriced_second = _cells(after, config)
    game = _Game(first, second)
    values: dict[ChangeCause, float] = {}
    size = len(CAUSES)
    for cause in CAUSES:
        others = [each for each in CAUSES if each != cause]
        total = Fraction(0)
        for count in range(size):
            weight = factorial(count) * factorial(size - 1 - count)
            for held in combinations(others, count):
                total += weight * (game.usd(frozenset((*held, cause))) - game.usd(frozenset(held)))
        values[cause] = float(total / factorial(size))
    return BillChange(
        float(game.usd(frozenset())),
        float(game.usd(frozenset(CAUSES))),
        sum(cell.calls for cell in first.values()),
        sum(cell.calls for cell in second.values()),
        values,
        unpriced_first + unpriced_second,
        sum(cell.calls for period in (first, second) for cell in period.values() if cell.characters is None),
    )


class _Game:
    """The bill with some factors of the second period, and the others of the first."""

    def __init__(self, first: Mapping[_Key, _Cell], second: Mapping[_Key, _Cell]) -> None:
        self._periods = first, second
        self._kinds = sorted({kind for kind, _ in (*first, *second)})
        self._models = {
            kind: sorted({model for each, model in (*first, *second) if each == kind}) for kind in self._kinds
        }
        self._totals = [sum(cell.calls for cell in period.values()) for period in self._periods]
        self._by_kind = [
            {kind: sum(cell.calls for (each, _), cell in period.items() if each == kind) for kind in self._kinds}
            for period in self._periods
        ]
        self._means = [_means(period) for period in self._periods]
        self._texted = set(self._kinds) - {
            kind for period in self._periods for (kind, _), cell in period.items() if not cell.characters
        }
        self._known: dict[frozenset[ChangeCause], Fraction] = {}
        # Each is the same in most of the bills.
        self._input_rate = cache(self._find_input_rate)
        self._output_usd = cache(self._find_output_usd)

    def usd(self, changed: frozenset[ChangeCause]) -> Fraction:
        if changed not in self._known:
            self._known[changed] = self._usd(changed)
        return self._known[changed]

    def _usd(self, changed: frozenset[ChangeCause]) -> Fraction:
        def period(cause: ChangeCause) -> int:
            return int(cause in changed)

        calls = self._totals[period("traffic")]
        whole = Fraction(0)
        for kind in self._kinds:
            share = self._share(kind, period("mix"))
            for model in self._models[kind]:
                held = self._model_share(kind, model, period("model"))
                if calls and share and held:
                    whole += calls * share * held * self._per_call(kind, model, changed)
        return whole

    def _share(self, kind: str, period: int) -> Fraction:
        total = self._totals[period]
        return Fraction(self._by_kind[period][kind], total) if total else Fraction(0)

    def _model_share(self, kind: str, model: str, period: int) -> Fraction:
        """The share of a model in the calls of a kind; a kind that a period does not have is taken from the other."""
        for each in (period, 1 - period):
            if self._by_kind[each][kind]:
                cell = self._periods[each].get((kind, model))
                return Fraction(cell.calls if cell else 0, self._by_kind[each][kind])
        return Fraction(0)

    def _per_call(self, kind: str, model: str, changed: frozenset[ChangeCause]) -> Fraction:
        def period(cause: ChangeCause) -> int:
            return int(cause in changed)

        texted = kind in self._texted
        given = self._input(kind, model, changed) if texted else self._cell(kind, model, period("prompt")).input
        rate = self._input_rate(kind, model, period("cache"), period("price"))
        return given * rate + self._output_usd(kind, model, period("output length"), period("price"))

    def _cell(self, kind: str, model: str, period: int) -> _Cell:
        found = self._periods[period].get((kind, model)) or self._periods[1 - period].get((kind, model))
        assert found is not None
        return found

    def _find_input_rate(self, kind: str, model: str, cache: int, price: int) -> Fraction:
        """What a token of the input costs, by the shares that the periods' caches served."""
        rates = self._cell(kind, model, price).usd
        shares = self._cell(kind, model, cache).shares
        return sum((share * rates[name] for name, share in shares.items()), Fraction(0))

    def _find_output_usd(self, kind: str, model: str, length: int, price: int) -> Fraction:
        """What the answer of a call costs."""
        rates, cell = self._cell(kind, model, price).usd, self._cell(kind, model, length)
        return cell.output * sum((share * rates[name] for name, share in cell.output_shares.items()), Fraction(0))

    def _input(self, kind: str, model: str, changed: frozenset[ChangeCause]) -> Fraction:
        """Input tokens of a call: its characters, times what the tokenizer makes of one."""
        cells = [period.get((kind, model)) for period in self._periods]
        prompt, tokenizer = (int(cause in changed) for cause in ("prompt", "tokenizer"))
        by = prompt if all(cells) else tokenizer
        characters, _ = self._text_of(kind, cells, prompt)
        length, tokens = self._text_of(kind, cells, by)
        return characters * tokens / length

    def _text_of(self, kind: str, cells: Sequence[_Cell | None], period: int) -> tuple[Fraction, Fraction]:
        """Characters and input tokens of a call of some kind and model in a period.

        Those of all models in that period if it does not have the model, and of the other period if not the kind.
        """
        cell = cells[period]
        if cell is None:
            found = self._means[period].get(kind)
            if found is not None:
                return found
            cell = cells[1 - period]
        assert cell is not None
        assert cell.characters is not None
        return cell.characters, cell.input


def _means(period: Mapping[_Key, _Cell]) -> dict[str, tuple[Fraction, Fraction]]:
    """Characters and input tokens of a call of each kind, whatever the model."""
    sums: dict[str, tuple[int, Fraction, Fraction]] = {}
    for (kind, _), cell in period.items():
        calls, characters, tokens = sums.get(kind, (0, Fraction(0), Fraction(0)))
        held = cell.characters or Fraction(0)
        sums[kind] = calls + cell.calls, characters + cell.calls * held, tokens + cell.calls * cell.input
    return {kind: (characters / calls, tokens / calls) for kind, (calls, characters, tokens) in sums.items()}


def _cells(log: CallLog, config: Config) -> tuple[dict[_Key, _Cell], int]:
    """The calls of a period by kind and model, and how many have no price."""
    usages = logged(log, rates_of(log, config))
    billed = usages.billed & usages.rates.priced
    column = "prompt" if (log.codes["prompt"] >= 0).any() else "tag"
    # Versions of a prompt are one kind: what differs between them is the prompt.
    known: dict[str, int] = {}
    bare = [known.setdefault(_without_version(name), len(known)) for name in log.names[column]]
    kinds, named = np.array([*bare, -1], np.int64)[log.codes[column]], tuple(known)
    keys = np.stack([kinds, log.codes["model"]], axis=1)
    texts = text_lengths(log)[billed]
    cells: dict[_Key, _Cell] = {}
    unique, places = np.unique(keys[billed], axis=0, return_inverse=True)
    numbers = usages.rates.numbers[billed]
    tokens = np.stack([each[billed] for each in usages.by_kind], axis=1)
    # A log may have a million models: each call is looked at once, not once for each.
    order = np.argsort(places.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(places.reshape(-1), minlength=len(unique)))
    for (kind, model), rows in zip(unique.tolist(), np.split(order, ends[:-1]) if len(unique) else (), strict=True):
        name = named[kind] if kind >= 0 else ""
        cells[name, log.names["model"][model]] = _cell(tokens[rows], numbers[rows], usages.rates.rates, texts[rows])
    return cells, int((usages.billed & ~usages.rates.priced).sum())


def _without_version(prompt: str) -> str:
    name, at, version = prompt.rpartition("@")
    return name if at and name and version else prompt


def _cell(tokens: np.ndarray, numbers: np.ndarray, rates: tuple[TokenRate, ...], texts: Integers) -> _Cell:
    calls = len(tokens)
    sums = dict(zip(KINDS, (int(each) for each in tokens.sum(axis=0)), strict=True))
    given = sum(count for name, count in sums.items() if name not in _OUTPUTS)
    made = sum(sums[name] for name in _OUTPUTS)
    # A price that changed within a period, or is another above a length, is what its tokens were billed at on average.
    paid = dict.fromkeys(KINDS, Fraction(0))
    for number in np.unique(numbers).tolist():
        held = tokens[numbers == number].sum(axis=0).tolist()
        for name, count, rate in zip(KINDS, held, rates[number].usd_mtok, strict=True):
            paid[name] += count * Fraction(rate) / _MTOK
    listed = dict(zip(KINDS, (Fraction(rate) / _MTOK for rate in rates[int(numbers[0])].usd_mtok), strict=True))
    return _Cell(
        calls=calls,
        input=Fraction(given, calls),
        characters=Fraction(int(texts.sum()), calls) if (texts > 0).all() else None,
        shares={
            name: Fraction(sums[name], given) if given else Fraction(int(name == "input"))
            for name in KINDS
            if name not in _OUTPUTS
        },
        output=Fraction(made, calls),
        output_shares={
            name: Fraction(sums[name], made) if made else Fraction(int(name == "output")) for name in _OUTPUTS
        },
        usd={name: paid[name] / sums[name] if sums[name] else listed[name] for name in KINDS},
    )
