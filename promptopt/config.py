"""``[tool.promptopt]`` in the nearest pyproject.toml."""

from __future__ import annotations

import math
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from promptopt.errors import ConfigError, check_argument, did_you_mean

PRICE_KEYS = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok", "context_window")


def in_ci() -> bool:
    """Whether this runs in CI: the variable ``CI`` is set, as every service sets it."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """Dollars per million tokens from ``[tool.promptopt.prices."MODEL"]``; named as genai-prices names them.

    Attributes:
        context_window: Tokens that input and output may have together; ``None`` if nobody said.
        source: Where it is said.
    """

    input_mtok: Decimal
    output_mtok: Decimal
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    context_window: int | None = None
    source: str = "[tool.promptopt.prices]"

    @classmethod
    def of(cls, rates: Mapping[str, Any], source: str = "[tool.promptopt.prices]") -> OwnPrice:
        """A price of numbers that were checked by :func:`price_fault`."""
        window = rates.get("context_window")
        # Decimal of the text, not of the binary float: 0.15 stays 0.15.
        dollars = {key: Decimal(str(value)) for key, value in rates.items() if key != "context_window"}
        return cls(**dollars, context_window=window, source=source)


def price_fault(key: str, value: object) -> str | None:
    """What is wrong with the value of one of ``PRICE_KEYS``; ``None`` if nothing is."""
    if key == "context_window":
        good = isinstance(value, int) and not isinstance(value, bool) and value > 0
        return None if good else "is not a number of tokens"
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)
    good = number and value >= 0  # type: ignore[operator]  # it is a number
    return None if good else "is not a price in dollars per million tokens"


@dataclass(frozen=True, slots=True)
class OwnVariants:
    """``[tool.promptopt.variants]``: what a comparison varies if its caller names neither models nor settings.

    Attributes:
        settings: The values of each setting, the key ``set``.
        baseline: The label of the variant that the others are compared with.
    """

    models: tuple[str, ...] = ()
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The project's settings.

    Attributes:
        root: The folder of pyproject.toml; the current folder if there is none.
        prompts: The folder that prompt names and includes are looked up in.
        suites: The folder that suite names are looked up in.
        model: The model of prompts that name none.
        price_as: The model whose prices and tokenizer are used instead of the answering model's.
        margin: Points of quality (0 to 100) that a candidate may lose and still be "not worse".
        cost_margin: Percent of the baseline's cost that counts as the same.
        max_failed: Percent of a prompt's calls that may fail before a comparison is incomplete.
        jobs: Calls in flight at once.
        retries: How often a call that failed is sent again; ``None``: as often as its provider does so by itself.
        rpm: The most calls that a comparison sends in a minute; ``None`` does not bound them.
        gateway: The table ``[tool.promptopt.gateway]`` as it is written; the gateway reads it.
        serve: The table ``[tool.promptopt.serve]`` likewise; the server reads it.
        variants: Models and settings that comparisons vary.
        judge: The table ``[tool.promptopt.judge]`` likewise; the judges read it.
        providers: The tables ``[tool.promptopt.providers.NAME]`` likewise; ``prices`` has the prices that they state.
        path: The file that says all this; ``None`` if there is none.
    """

    root: Path
    prompts: Path
    suites: Path
    model: str | None = None
    price_as: str | None = None
    margin: float = 2.0
    cost_margin: float = 2.0
    max_failed: float = 2.0
    jobs: int = 16
    retries: int | None = None
    rpm: int | None = None
    prices: Mapping[str, OwnPrice] = field(default_factory=dict)
    gateway: Mapping[str, Any] = field(default_factory=dict)
    serve: Mapping[str, Any] = field(default_factory=dict)
    variants: OwnVariants = OwnVariants()
    judge: Mapping[str, Any] = field(default_factory=dict)
    providers: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = field(default=None, compare=False)


_SCALARS: dict[str, type | tuple[type, ...]] = {
    "prompts": str,
    "suites": str,
    "model": str,
    "price_as": str,
    "margin": (int, float),
    "cost_margin": (int, float),
    "max_failed": (int, float),
    "jobs": int,
    "retries": int,
    "rpm": int,
}


# Tables that their own rooms read.
_VARIANT_KEYS = ("models", "set", "baseline")
_TABLES = ("prices", "budget", "gateway", "serve", "variants", "judge", "providers")


_in_use: list[Config] = []


@contextmanager
def using_config(config: Config) -> Iterator[None]:
    """While this is open, :func:`load_config` without a folder gives ``config``, in every thread."""
    _in_use.append(config)
    try:
        yield
    finally:
        _in_use.pop()


def load_config(start: Path | None = None) -> Config:
    """The configuration of ``start`` (by default the current folder): the nearest pyproject.toml above.

    Raises:
        ConfigError: The file is not TOML, or a key or value in it is wrong.
    """
    if start is None and _in_use:
        return _in_use[-1]
    # What the system says of the current folder is resolved already. This is asked for each call of a large run.
    folder = os.getcwd() if start is None else str(start.resolve())  # noqa: PTH109 - a text, which is looked up
    for path in _places(folder):
        try:
            found = os.stat(path)  # noqa: PTH116 - as above: one look for both questions
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            return _load(path, found.st_mtime_ns)
    here = Path(folder)
    return Config(root=here, prompts=here / "prompts", suites=here / "suites")


@lru_cache(maxsize=16)
def _places(folder: str) -> tuple[Path, ...]:
    """Where the configuration of a folder may be, the nearest first."""
    here = Path(folder)
    return tuple(each / "pyproject.toml" for each in (here, *here.parents))


def load_config_file(path: Path) -> Config:
    """The configuration in a file of any name, written as pyproject.toml is.

    Raises:
        ConfigError: It cannot be read, or as :func:`load_config`.
    """
    try:
        # Not what a link leads to: that may be another folder after each deployment, and with it other budgets.
        return _load(path.absolute(), path.stat().st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=path) from None


def check_config(config: object) -> None:
    """Refuse what is neither a configuration nor ``None``. Raises TypeError."""
    check_argument(config is None or isinstance(config, Config), "config", config, "a Config")


@lru_cache(maxsize=16)
def _load(path: Path, _mtime_ns: int) -> Config:
    try:
        text = path.read_text(encoding="utf-8")
        tool = tomllib.loads(text).get("tool", {})
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 ({error.reason} at byte {error.start})", path=path) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=path) from None
    return _Reader(path, text).config(tool)


class _Reader:
    """Turns the table into a ``Config`` and knows the lines for its errors."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def config(self, tool: Any) -> Config:
        table = tool.get("promptopt", {}) if isinstance(tool, Mapping) else {}
        if not isinstance(table, Mapping):
            raise self._error(f"promptopt = {table!r} is not a table [tool.promptopt]", "promptopt")
        prices = table.get("prices", {})
        if not isinstance(prices, Mapping):
            raise self._error(f"prices = {prices!r} is not a table [tool.promptopt.prices.MODEL]", "prices")
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key in _TABLES:
                if not isinstance(value, Mapping):
                    raise self._error(f"{key} = {value!r} is not a table: [tool.promptopt.{key}]", key)
                continue
            if key not in _SCALARS:
                known = [*_SCALARS, *_TABLES]
                raise self._error(f"unknown key {key!r} in [tool.promptopt].{did_you_mean(key, known)}", key)
            if not isinstance(value, _SCALARS[key]) or isinstance(value, bool):
                raise self._error(f"{key} = {value!r} is not of the right type", key)
            values[key] = value
        root = self._path.parent
        margin, jobs = float(values.get("margin", 2.0)), int(values.get("jobs", 16))
        if not 0 < margin < 100:
            raise self._error(f"margin = {margin} is not between 0 and 100 points, both excluded", "margin")
        if jobs < 1:
            raise self._error(f"jobs = {jobs} is not a positive number", "jobs")
        return Config(
            root=root,
            prompts=root / values.get("prompts", "prompts"),
            suites=root / values.get("suites", "suites"),
            model=values.get("model"),
            price_as=values.get("price_as"),
            margin=margin,
            cost_margin=self._percent(values, "cost_margin"),
            max_failed=self._percent(values, "max_failed"),
            jobs=jobs,
            retries=self._at_least(values, "retries", 0),
            rpm=self._at_least(values, "rpm", 1),
            prices={
                **self._provider_prices(table.get("providers", {})),
                **{model: self._price(model, rates) for model, rates in prices.items()},
            },
            gateway=table.get("gateway", {}),
            serve=table.get("serve", {}),
            variants=self._variants(table.get("variants", {})),
            judge=table.get("judge", {}),
            providers=table.get("providers", {}),
            path=self._path,
        )

    def _variants(self, table: Mapping[str, Any]) -> OwnVariants:
        for key in table:
            if key not in _VARIANT_KEYS:
                hint = did_you_mean(key, _VARIANT_KEYS)
                raise self._error(f"unknown key {key!r} in [tool.promptopt.variants].{hint}", key)
        models, settings, baseline = table.get("models", []), table.get("set", {}), table.get("baseline")
        if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
            raise self._error(f"models = {models!r} is not a list of models", "models")
        if not isinstance(settings, Mapping) or not all(isinstance(values, list) for values in settings.values()):
            raise self._error(
                f"set = {settings!r} is not a table of lists: {{reasoning_effort = ['low', 'high']}}", "set"
            )
        if baseline is not None and not isinstance(baseline, str):
            raise self._error(f"baseline = {baseline!r} is not the label of a variant", "baseline")
        return OwnVariants(tuple(models), {name: tuple(values) for name, values in settings.items()}, baseline)

    def _provider_prices(self, providers: Mapping[str, Any]) -> dict[str, OwnPrice]:
        """Prices by ``NAME:model``, and by ``NAME`` those that all models of a provider have."""
        found: dict[str, OwnPrice] = {}
        for name, table in providers.items():
            prices = table.get("prices", {}) if isinstance(table, Mapping) else {}
            where = f"[tool.promptopt.providers.{name}.prices]"
            if not isinstance(prices, Mapping):
                raise self._error(f"{where} = {prices!r} is not a table of dollars per million tokens", "prices")
            of_all = {key: rate for key, rate in prices.items() if not isinstance(rate, Mapping)}
            if of_all:
                found[name] = self._price(name, of_all, where)
            elif not prices and isinstance(table, Mapping) and table.get("free") is True:
                said = f"free = true in [tool.promptopt.providers.{name}]"
                found[name] = OwnPrice(Decimal(0), Decimal(0), source=said)
            for model in prices.keys() - of_all.keys():
                found[f"{name}:{model}"] = self._price(model, prices[model], f'{where[:-1]}."{model}"]')
        return found

    def _price(self, model: str, rates: object, where: str = "") -> OwnPrice:
        source, where = where or "[tool.promptopt.prices]", where or f'[tool.promptopt.prices."{model}"]'
        if not isinstance(rates, Mapping):
            raise self._error(f"{where} is not a table of dollars per million tokens", model)
        for key, value in rates.items():
            if key not in PRICE_KEYS:
                raise self._error(f"unknown key {key!r} in {where}.{did_you_mean(key, PRICE_KEYS)}", key)
            if fault := price_fault(key, value):
                raise self._error(f"{key} = {value!r} in {where} {fault}", key)
        for key in ("input_mtok", "output_mtok"):
            if key not in rates:
                raise self._error(f"{where} has no {key} (dollars per million tokens)", model)
        return OwnPrice.of(rates, source)

    def _at_least(self, values: dict[str, Any], key: str, least: int) -> int | None:
        value: int | None = values.get(key)
        if value is not None and value < least:
            raise self._error(f"{key} = {value} is not a number of at least {least}", key)
        return value

    def _percent(self, values: Mapping[str, Any], key: str) -> float:
        value = float(values.get(key, 2.0))
        if not 0 <= value < 100:
            raise self._error(f"{key} = {value:g} is not a percentage from 0 to below 100", key)
        return value

    def _error(self, message: str, key: str) -> ConfigError:
        return ConfigError(message, path=self._path, line=find_line(self._lines, key))


def find_line(lines: Sequence[str], key: str) -> int | None:
    """The line of pyproject.toml, counted from 1, that sets a key; ``None`` if none does."""
    line = next((n for n, text in enumerate(lines, 1) if text.strip().startswith((key, f'"{key}"'))), None)
    return line or next((n for n, text in enumerate(lines, 1) if key in text), None)
