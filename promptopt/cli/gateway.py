"""``promptopt gateway``: its money, and keys for its clients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptopt.errors import UsageError
from promptopt.tables import printable

if TYPE_CHECKING:
    from promptopt.gateway.layers.budget import Budget, Standing
    from promptopt.gateway.settings import GatewaySettings


@click.group("gateway")
def command() -> None:
    """Show the gateway's money, and make keys for its clients."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def status(as_json: bool) -> None:
    """Show what is left of each budget: of all calls, and by team, user, key, tag and model.

    Budgets are those of [tool.promptopt.gateway.budget] that are in force now.
    """
    with _budget() as budget:
        found = budget.standings()
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], indent=2, ensure_ascii=False))
    elif found:
        click.echo(_table(found))
    else:
        click.echo("no budget was used yet", err=True)


@command.command("key")
@click.argument("name")
def key(name: str) -> None:
    """Make a virtual key: its secret, which is shown once, and the lines for pyproject.toml, which hold its hash only.

    \b
    promptopt gateway key search
    """
    from promptopt.gateway.keys import key_sha256, new_key

    secret = new_key()
    click.echo(f"secret, shown only now: {secret}", err=True)
    click.echo(f'[tool.promptopt.gateway.keys.{json.dumps(name)}]\nsha256 = "{key_sha256(secret)}"')


@command.command("reset-budget")
@click.option("--yes", is_flag=True, help="Do it without asking.")
def reset_budget(yes: bool) -> None:
    """Begin the budget again, with what the ledger says was paid in the periods in force.

    For a file that was deleted or damaged, or a Redis that was emptied; what is there of a file is set aside. Calls
    whose end the ledger never saw are not counted, and their number is said.
    """
    import time

    from promptopt.files import show_path
    from promptopt.gateway.costs import from_nano
    from promptopt.gateway.layers.budget_scopes import paid_in_force
    from promptopt.gateway.stores.budget import begin_again
    from promptopt.gateway.stores.ledger import open_ledger
    from promptopt.money import usd

    settings = _settings()
    store = settings.store or ("redis" if settings.redis else "sqlite")
    if store not in ("sqlite", "redis"):
        raise UsageError("the budgets are not in a file: only those of store = 'sqlite' or 'redis' are counted again")
    if settings.ledger is None or (isinstance(settings.ledger, Path) and not settings.ledger.exists()):
        raise UsageError("no ledger says what was spent; delete budget.sqlite and budget.*.mark to begin at $0")
    if not yes:
        click.confirm("Set what the budget has counted aside and count again from the ledger?", abort=True)
    assert settings.budget is not None
    ledger = open_ledger(settings.ledger)
    try:
        paid = paid_in_force(settings.budget, ledger.rows(), time.time())
    finally:
        ledger.close()
    file = settings.ledger if isinstance(settings.ledger, Path) else None
    if store == "redis":
        aside = None
        _begin_again_in_redis(settings, paid.spent)
    else:
        aside = begin_again(settings.path / "budget.sqlite", file, paid.spent)
    if aside is not None:
        click.echo(f"the old file is {show_path(aside)}", err=True)
    total = ", ".join(f"{name} {usd(from_nano(spent))}" for name, spent in sorted(paid.spent.items())) or "nothing"
    click.echo(printable(f"counted again from {paid.rows:,} calls in the ledger: {total}"))
    if paid.unknown:
        click.echo(f"{paid.unknown:,} calls are not counted: what they cost is not known", err=True)


def _begin_again_in_redis(settings: GatewaySettings, spent: Mapping[str, int]) -> None:
    from promptopt.gateway.assembly import open_store
    from promptopt.gateway.stores.base import StoreDown
    from promptopt.gateway.stores.redis_budget import RedisBudgets

    store = open_store(settings)
    try:
        budgets = store.budgets()
        assert isinstance(budgets, RedisBudgets)
        budgets.begin_again(spent)
    except StoreDown as error:
        raise UsageError(str(error)) from None
    finally:
        store.close()


def _settings() -> GatewaySettings:
    from promptopt.config import load_config
    from promptopt.gateway.settings import read_settings

    settings = read_settings(load_config())
    if settings.budget is None:
        raise UsageError("[tool.promptopt.gateway] has no budget: budget = {day = 50}")
    return settings


@contextmanager
def _budget() -> Iterator[Budget]:
    from promptopt.config import load_config
    from promptopt.gateway.assembly import open_store
    from promptopt.gateway.costs import Costs
    from promptopt.gateway.layers.budget import Budget
    from promptopt.gateway.stores.base import StoreDown

    settings = _settings()
    assert settings.budget is not None
    store = open_store(settings)
    try:
        yield Budget(settings.budget, store.budgets(), Costs(load_config()))
    except StoreDown as error:
        raise UsageError(str(error)) from None
    finally:
        store.close()


def _table(found: list[Standing]) -> str:
    from promptopt.money import usd
    from promptopt.tables import table

    rows = [
        [
            each.scope,
            usd(each.spent_usd),
            usd(each.reserved_usd) if each.reserved_usd else "-",
            usd(each.limit_usd),
            f"{each.spent_usd / each.limit_usd:.0%}" if each.limit_usd else "-",
            "-" if each.ends is None else f"{datetime.fromtimestamp(each.ends, UTC):%m-%d %H:%MZ}",
        ]
        for each in found
    ]
    return table(rows, ["budget", "spent", "reserved", "limit", "used", "until"])


def _as_json(standing: Standing) -> dict[str, object]:
    ends = None if standing.ends is None else datetime.fromtimestamp(standing.ends, UTC).isoformat()
    return {
        "budget": standing.scope,
        "spent_usd": float(standing.spent_usd),
        "reserved_usd": float(standing.reserved_usd),
        "limit_usd": float(standing.limit_usd),
        "ends": ends,
    }
