"""``promptopt suite``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from promptopt.cli.options import one_output


@click.group("suite")
def command() -> None:
    """Write the cases of a suite as a data set of others."""


@command.command("export")
@click.argument("suite", metavar="SUITE")
@click.option("--format", "form", required=True, help="csv, inspect, jsonl, langfuse or openai-evals.")
@one_output("The file; it must not exist.", required=True)
@click.option(
    "--input", "of_input", default="input", help="The variable that is the input of inspect and OpenAI evals."
)
def export(suite: str, form: str, output: Path, of_input: str) -> None:
    """Write SUITE as a data set. A case that the format cannot say is an error, and nothing is written.

    What is written is read again first, and must give the same cases.
    """
    from promptopt.errors import SuiteError
    from promptopt.files import show_path, write_new
    from promptopt.suites import load_suite
    from promptopt.suites.export import export_suite

    found = load_suite(suite)
    exported = export_suite(found, form, output, of_input=of_input)
    write_new(output, exported.text, SuiteError)
    click.echo(f"{show_path(output)}: {len(found.cases)} cases")
    if exported.moved:
        click.echo(f"metadata now: {', '.join(exported.moved)}")
    if exported.tests:
        click.echo(f"tests: {json.dumps(exported.tests, ensure_ascii=False)}")
