"""``promptopt compare``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.cli.options import call_options, judge_option, read_dollars, read_settings
from promptopt.errors import INCOMPLETE, UsageError
from promptopt.money import dollars
from promptopt.tokens import release

if TYPE_CHECKING:
    from promptopt.experiment.comparison import Comparison
    from promptopt.experiment.plan import CostRange, Mode
    from promptopt.prices import Price
    from promptopt.values import Request, Response


@click.command("compare")
@click.argument("prompts", nargs=-1, metavar="PROMPT...")
@click.option("-c", "--config", "config_file", type=click.Path(path_type=Path), help="Run a promptfoo config as it is.")
@click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME=FILE", help="A local copy of a data set that it names."
)
@click.option("--suite", metavar="SUITE", help="File or name of the cases; by default the suite named like the prompt.")
@click.option("--model", "models", multiple=True, help="The model that answers; of several, each.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE,...", help="Settings of a call to compare.")
@click.option("--baseline", metavar="LABEL", help="The variant that the others are compared with [default: the first].")
@click.option("--price-as", metavar="MODEL", help="Price and count tokens as for this model.")
@click.option("--trials", type=click.IntRange(min=1), default=1, show_default=True, help="Answers to each case.")
@click.option("--by", multiple=True, metavar="KEY", help="Also compare the cases of each value of a metadata key.")
@click.option("--margin", type=float, metavar="POINTS", help="Quality that may be lost as `not worse` [default: 2].")
@click.option("--accept", type=float, default=0.0, metavar="POINTS", help="Quality that may be lost for a lower cost.")
@click.option("--cost-margin", type=float, metavar="PERCENT", help="Cost that counts as the same [default: 2].")
@click.option(
    "--max-failed", type=float, metavar="PERCENT", help="Calls that may fail, above it `incomplete` [default: 2]."
)
@click.option("--record", type=click.Choice(["none", "missing", "stale", "all"]), help="Which answers to ask for.")
@click.option("--max-cost", metavar="USD", help="Refuse a run that may cost more, before any call.")
@call_options
@click.option("--batch", is_flag=True, help="Ask through the provider's batch API: half the price, within a day.")
@click.option("--export-batch", type=click.Path(path_type=Path), metavar="DIR", help="Write files for a batch API.")
@click.option("--shards", type=click.IntRange(min=1), default=1, help="Into how many files the requests are divided.")
@judge_option
@click.option("--race", is_flag=True, help="Stop asking for a variant once another is shown to dominate it.")
@click.option("--labels", type=click.Path(path_type=Path), metavar="FILE", help="People's labels of answers.")
@click.option("--cases", is_flag=True, help="List the cases on which the prompts differ, with their answers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
@click.option(
    "-o",
    "--output",
    "outputs",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Also write FILE.(json|md|csv|html|xml); xml is JUnit. May be given again.",
)
def command(
    prompts: tuple[str, ...],
    config_file: Path | None,
    datasets: tuple[str, ...],
    suite: str | None,
    models: tuple[str, ...],
    settings: tuple[str, ...],
    baseline: str | None,
    price_as: str | None,
    trials: int,
    by: tuple[str, ...],
    margin: float | None,
    accept: float,
    cost_margin: float | None,
    max_failed: float | None,
    record: Mode | None,
    max_cost: str | None,
    jobs: int | None,
    timeout_s: float | None,
    retries: int | None,
    rpm: int | None,
    batch: bool,
    export_batch: Path | None,
    shards: int,
    judge: str | None,
    race: bool,
    labels: Path | None,
    cases: bool,
    as_json: bool,
    outputs: tuple[Path, ...],
) -> None:
    """Compare prompts over the same cases; the first is the baseline.

    A PROMPT is a path, a name (its newest version), NAME@VERSION, or REF:PATH from git.

    \b
    promptopt compare prompts/reviews/v1.j2 prompts/reviews/v2.j2
    promptopt compare HEAD~1:prompts/reviews/v2.j2 prompts/reviews/v2.j2 --record stale
    promptopt compare reviews@v1 reviews@v2 --price-as gpt-4o-mini -o report.md
    promptopt compare triage --model gpt-5.6-luna --model gpt-4o-mini --set reasoning_effort=low,high
    promptopt compare -c promptfooconfig.yaml

    Exit code 1 if a candidate regressed, 3 if too many calls failed to say anything.
    """
    from promptopt.cli.importing import read_run
    from promptopt.cli.recordings import export
    from promptopt.experiment.compare import compare
    from promptopt.experiment.report.write import check_format, write_report

    if export_batch is not None:
        if batch or race or cases or outputs or record == "none":
            left_out = "--batch, --race, --cases, --output and --record none"
            raise UsageError(f"--export-batch asks nothing: leave out {left_out}")
        from promptopt.experiment.batch_export import Compared

        compared = Compared(prompts, suite, models, _listed(settings), trials, record or "missing")
        export(compared, export_batch, shards, _within(max_cost), as_json)
        return
    if config_file is None and not prompts:
        raise UsageError("name a prompt, or a promptfoo config with -c")
    for output in outputs:
        check_format(output)
    given: dict[str, Any] = {
        "settings": read_settings(settings),
        "baseline": baseline,
        "price_as": price_as,
        "by": by,
        "margin": margin,
        "accept": accept,
        "cost_margin": cost_margin,
        "max_failed": max_failed,
        "record": record,
        "timeout_s": timeout_s,
        "retries": retries,
        "max_cost": read_dollars(max_cost),
        "batch": batch,
        "judge": judge,
        "race": race,
        "labels": labels,
        "on_plan": partial(announce, race=race),
    }
    run = None if config_file is None else read_run(config_file, prompts, suite, models, datasets)
    with asking_progress(price_as) as progress:
        given |= {**progress, "trials": trials, "jobs": jobs, "rpm": rpm}
        comparisons = [compare(*prompts, suite=suite, model=models, **given)] if run is None else run.comparisons(given)
    for number, comparison in enumerate(comparisons, 1):
        for output in outputs:
            name = output if number == 1 else output.with_name(f"{output.stem}-{number}{output.suffix}")
            write_report(comparison, name)
        _print(comparison, number, cases, as_json)
    missed = "" if run is None else run.missed_rate(comparisons)
    if missed:
        from promptopt.tables import printable

        click.echo(f"promptopt: {printable(missed)}", err=True)
    if missed or any(each.regressed for each in comparisons):
        raise click.exceptions.Exit(1)
    if any(each.incomplete for each in comparisons):
        raise click.exceptions.Exit(INCOMPLETE)


def _print(comparison: Comparison, number: int, cases: bool, as_json: bool) -> None:
    from promptopt.experiment.report.write import comparison_json
    from promptopt.experiment.text import case_differences
    from promptopt.tables import fold

    if as_json:
        click.echo(comparison_json(comparison), nl=False)
        return
    click.echo("\n" * (number > 1) + fold(str(comparison)), nl=False)
    if cases:
        click.echo("\n" + fold(case_differences(comparison.kept)), nl=False)


def _listed(given: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    return {name: tuple(values) for name, values in read_settings(given).items()}


def _within(max_cost: str | None) -> Callable[[CostRange], None]:
    """Prints what an export will cost; one that may cost more than its limit is refused."""
    limit = read_dollars(max_cost)

    def announce(expected: CostRange) -> None:
        from promptopt.experiment.plan import check_cost

        if expected.calls:
            click.echo(f"as a batch: {expected}", err=True)
        if limit is not None:
            check_cost(expected, limit)

    return announce


def announce(expected: CostRange, *, race: bool = False) -> None:
    """Say on stderr what a run will cost, if anything."""
    if not expected.whole.calls and not expected.resumed:
        return
    click.echo(f"this run: {'at most ' * race}{expected}", err=True)
    # Everything that must be counted before the calls is counted; the clients of the calls need the memory more.
    release()


class RunSpend:
    """What the answers of a run cost so far, at list price.

    Attributes:
        usd: Dollars of the answers of priced models.
        unpriced: A model without a known price has answered.
    """

    def __init__(self, price_as: str | None = None) -> None:
        self.usd = Decimal(0)
        self.unpriced = False
        self._price_as = price_as
        self._prices: dict[str, Price | None] = {}

    def add(self, request: Request, response: Response) -> None:
        """One more answer."""
        from promptopt.config import load_config
        from promptopt.prices import find_price

        model = request.model
        if model not in self._prices:
            config = load_config()
            self._prices[model] = find_price(self._price_as or config.price_as or model, config=config)
        price = self._prices[model]
        if price is None or response.usage is None:
            self.unpriced = True
        else:
            self.usd += price.cost(response.usage).total_usd

    def __str__(self) -> str:
        if self.unpriced:
            return f"at least {dollars(self.usd)} spent" if self.usd else "unpriced"
        return f"{dollars(self.usd)} spent"


@contextmanager
def asking_progress(price_as: str | None) -> Iterator[dict[str, Any]]:
    """A bar on the terminal once calls are made: how many, how fast, what they cost so far and how long the rest takes.

    Nothing if there is no terminal, or nothing to wait for.
    """
    if not sys.stderr.isatty():
        yield {}
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("asking"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[spent]}"),
        TimeRemainingColumn(),
    )
    bar, spent = Progress(*columns, console=Console(stderr=True), transient=True), RunSpend(price_as)
    task = bar.add_task("asking", pace="", spent="")

    def update(done: int, total: int) -> None:
        bar.start()
        seconds = bar.tasks[0].elapsed or 0.0
        pace = f"{done / seconds:,.1f}/s" if seconds else ""
        bar.update(task, completed=done, total=total, pace=pace, spent=str(spent))

    try:
        yield {"progress": update, "on_answer": spent.add}
    finally:
        bar.stop()
