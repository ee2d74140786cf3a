"""``promptopt recordings``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptopt.errors import UsageError

if TYPE_CHECKING:
    from promptopt.experiment.batch_export import Compared
    from promptopt.experiment.plan import CostRange

_SHOWN = 5


@click.group("recordings")
def command() -> None:
    """Import and check recorded answers."""


@command.command("import")
@click.argument("file", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--prompt", help="The prompt that was answered.")
@click.option("--suite", help="The suite whose cases were answered.")
@click.option("--model", help="The model that answered.")
def import_(file: Path, prompt: str | None, suite: str | None, model: str | None) -> None:
    """Import answers: those of a batch from DIR, or those of another tool from FILE.

    DIR is the folder of `compare --export-batch`; all output and error files below it are read.

    FILE has JSONL or CSV rows with `case` and `output`, and needs --prompt, --suite and --model. A row may have `input`
    (checked against the rendered prompt), `input_tokens` and `output_tokens` (else counted), `finish_reason`,
    `repetition`, `model` and `recorded_at`.
    """
    if file.is_dir():
        if prompt or suite or model:
            raise UsageError(f"{file} is a folder: what its answers belong to is in its manifest, without options")
        _import_batch(file)
        return
    if prompt is None or suite is None or model is None:
        missing = next(
            name for name, value in (("prompt", prompt), ("suite", suite), ("model", model)) if value is None
        )
        raise UsageError(f"{file}: answers of another tool need --{missing}")
    from promptopt.experiment.importing import import_answers
    from promptopt.files import show_path
    from promptopt.suites import load_suite
    from promptopt.tables import printable
    from promptopt.templates import load_prompt

    done = import_answers(file, load_prompt(prompt), load_suite(suite), model)
    usage = "all with usage" if not done.counted else f"{done.counted} without usage: their tokens will be counted"
    click.echo(f"{show_path(done.path)}: {done.answers} answer{'s' * (done.answers != 1)} of {model}, {usage}")
    if done.missing:
        names = ", ".join(done.missing[:_SHOWN]) + (", ..." if len(done.missing) > _SHOWN else "")
        have = "case has" if len(done.missing) == 1 else "cases have"
        click.echo(f"{len(done.missing)} {have} no answer: {printable(names)}", err=True)


def _import_batch(folder: Path) -> None:
    from promptopt.experiment.batch_import import import_batch
    from promptopt.files import show_path
    from promptopt.money import dollars

    done = import_batch(folder)
    cost = f"cost {dollars(done.usd)} at the batch price"
    if done.unpriced:
        cost = f"cost unknown: no batch price of {', '.join(sorted(done.unpriced))}"
    elif done.unmeasured:
        cost += f", without {done.unmeasured:,} of them that {'says' if done.unmeasured == 1 else 'say'} no tokens"
    counts = f"{sum(done.answers.values()):,} answers recorded" + (f", {cost}" if done.answers else "")
    click.echo(f"{show_path(folder)}: {counts}" + (f"; {done.already:,} were recorded before" if done.already else ""))
    for path, count in sorted(done.answers.items()):
        click.echo(f"  {path}: {count:,}")
    if done.open:
        one = done.open == 1
        click.echo(
            f"{done.open:,} of them {'goes' if one else 'go'} on: run the same export again for "
            f"{'its next step' if one else 'their next steps'}"
        )
    for found, one_said, said in (
        (
            done.other,
            "answer is not the one that is recorded of its call, which stays",
            "answers are not those that are recorded of their calls, which stay",
        ),
        (done.missing, "call has no answer yet", "calls have no answer yet"),
        (done.failed, "call failed and can be exported again", "calls failed and can be exported again"),
        (
            done.outdated,
            "answer is not used, as its request would be sent otherwise now",
            "answers are not used, as their requests would be sent otherwise now",
        ),
        (
            done.unknown,
            "answer is not used, as it belongs to no call of this export",
            "answers are not used, as they belong to no call of this export",
        ),
        (done.broken, "line is no row of a batch", "lines are no rows of a batch"),
    ):
        if found.count:
            click.echo(f"{found.count:,} {one_said if found.count == 1 else said}: {found}", err=True)
    if done.changed:
        have = "call has" if done.changed == 1 else "calls have"
        click.echo(f"{done.changed:,} {have} changed since the export, as by an edited prompt: run it again", err=True)


def export(compared: Compared, folder: Path, shards: int, announce: Callable[[CostRange], None], as_json: bool) -> None:
    """What ``compare --export-batch`` does and prints."""
    from promptopt.experiment.batch_export import export_batch
    from promptopt.files import show_path

    done = export_batch(compared, folder, shards, announce)
    manifest, shown = done.manifest, show_path(folder)
    if as_json:
        click.echo(manifest.to_json(), nl=False)
        return
    click.echo(
        f"{shown}: {manifest.requests:,} requests; {manifest.recorded:,} of {manifest.calls:,} calls are recorded"
    )
    for shard in manifest.shards:
        click.echo(f"  {shard.file}: {shard.requests:,} requests to {shard.model}, {shard.endpoint}")
    if done.again:
        click.echo(
            f"{done.again:,} of them were exported before and have no answer: do not send them twice if that batch is "
            "still on its way",
            err=True,
        )
    if manifest.shards:
        click.echo(f"put the output and error files below {shown}, then: promptopt recordings import {shown}")


@command.command("check")
@click.argument("suites", nargs=-1, metavar="[SUITE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(suites: tuple[str, ...], as_json: bool) -> None:
    """List stale, missing and orphaned recordings, and secrets in them; exit code 1 if there are any."""
    from promptopt.config import load_config
    from promptopt.experiment.inventory import check_recordings

    findings, good = check_recordings(load_config(), list(suites) or None)
    if as_json:
        click.echo(json.dumps({"good": good, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            click.echo(str(finding))
        kinds = sorted({finding.kind for finding in findings})
        counts = [f"{sum(finding.kind == kind for finding in findings)} {kind}" for kind in kinds]
        click.echo(", ".join([f"{good} good", *counts]))
    if findings:
        raise click.exceptions.Exit(1)
