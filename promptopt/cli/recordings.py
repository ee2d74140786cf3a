"""``promptopt recordings``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

_SHOWN = 5


@click.group("recordings")
def command() -> None:
    """Import and check recorded answers."""


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prompt", required=True, help="The prompt that was answered.")
@click.option("--suite", required=True, help="The suite whose cases were answered.")
@click.option("--model", required=True, help="The model that answered.")
def import_(file: Path, prompt: str, suite: str, model: str) -> None:
    """Import answers from FILE, JSONL or CSV rows with `case` and `output`.

    A row may have `input` (checked against the rendered prompt), `input_tokens` and `output_tokens` (else counted),
    `finish_reason`, `repetition`, `model` and `recorded_at`.
    """
    from promptopt.experiment.importing import import_answers
    from promptopt.files import show_path
    from promptopt.suites import load_suite
    from promptopt.templates import load_prompt

    done = import_answers(file, load_prompt(prompt), load_suite(suite), model)
    usage = "all with usage" if not done.counted else f"{done.counted} without usage: their tokens will be counted"
    click.echo(f"{show_path(done.path)}: {done.answers} answers of {model}, {usage}")
    if done.missing:
        names = ", ".join(done.missing[:_SHOWN]) + (", ..." if len(done.missing) > _SHOWN else "")
        click.echo(f"{len(done.missing)} cases have no answer: {names}", err=True)


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
