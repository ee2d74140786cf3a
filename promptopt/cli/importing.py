"""``promptopt import``, and promptfoo's configs for ``promptopt compare -c``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.cli.options import one_output
from promptopt.errors import UsageError

if TYPE_CHECKING:
    from promptopt.experiment.comparison import Comparison
    from promptopt.promptfoo import Evaluation
    from promptopt.promptfoo.document import Note

_SHOWN = 6


@click.command("import")
@click.argument("config_file", type=click.Path(path_type=Path), metavar="CONFIG")
@one_output("Where the files go.", metavar="DIR")
@click.option(
    "--explain", is_flag=True, help="Write nothing; list what is left out or read differently, with remedies."
)
@click.option("--model", "models", multiple=True, help="The model of the prompts, in the place of the providers.")
@click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME=FILE", help="A local copy of a data set that it names."
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def command(
    config_file: Path,
    output: Path | None,
    explain: bool,
    models: tuple[str, ...],
    datasets: tuple[str, ...],
    force: bool,
) -> None:
    """Write a promptfoo config as prompts, suites and providers of this project.

    \b
    promptopt import promptfooconfig.yaml --explain
    promptopt import promptfooconfig.yaml -o evaluation

    `promptopt compare -c promptfooconfig.yaml` runs it where it is, without new files.
    """
    from promptopt.promptfoo import read_evaluation
    from promptopt.promptfoo.export import write_project
    from promptopt.promptfoo.moved import printed_otherwise

    evaluation = read_evaluation(config_file, models=models, datasets=read_datasets(datasets))
    click.echo(_summary(evaluation))
    if explain:
        click.echo(_explained(evaluation.notes), nl=False)
        return
    for path in write_project(evaluation, output or Path(), replace=force):
        click.echo(f"wrote {path}")
    lost = [note for note in evaluation.notes if note.kind == "left out"]
    if lost:
        click.echo(f"{len(lost)} things are left out; `promptopt import {config_file} --explain` lists them", err=True)
    if otherwise := printed_otherwise(evaluation):
        lines = [
            *otherwise,
            f"write there what is meant; `promptopt compare -c {config_file}` prints what promptfoo does",
        ]
        click.echo("\n".join(lines), err=True)


def read_datasets(given: Sequence[str]) -> dict[str, Path]:
    """``--dataset NAME=FILE`` by name. Raises UsageError if one is written otherwise."""
    found = {}
    for entry in given:
        name, equals, path = entry.partition("=")
        if not equals or not path:
            raise UsageError(f"--dataset {entry!r} is not written NAME=FILE")
        found[name] = Path(path)
    return found


def _summary(evaluation: Evaluation) -> str:
    cases = sum(len(part.suite.cases) for part in evaluation.parts)
    kept, all_of = evaluation.asserts_kept, evaluation.asserts
    asserts = f"{kept} asserts" if kept == all_of else f"{kept} of {all_of} asserts"
    counts = f"{len(evaluation.prompts)} prompts, {len(evaluation.providers)} providers, {cases} cases, {asserts}"
    return counts + (f"; no provider can be asked: {evaluation.unavailable}" if evaluation.unavailable else "")


def _explained(notes: Sequence[Note]) -> str:
    if not notes:
        return "everything is carried over\n"
    return "".join(f"{note}\n" for note in sorted(notes, key=lambda note: (note.kind != "left out", note.line or 0)))


@dataclass(frozen=True)
class ConfigRun:
    """A config that is about to be compared."""

    evaluation: Evaluation
    path: Path

    @property
    def said(self) -> str:
        """What a user must know before the run."""
        lost = [note for note in self.evaluation.notes if note.kind == "left out"]
        others = len(self.evaluation.notes) - len(lost)
        lines = [f"{note}\n" for note in lost[:_SHOWN]]
        hidden = len(lost) - len(lines)
        more = [f"{hidden} more are left out"] * bool(hidden) + [f"{others} are read differently"] * bool(others)
        if more:
            lines.append(f"{', '.join(more)}: promptopt import {self.path} --explain\n")
        return "".join(lines)

    def comparisons(self, given: Mapping[str, Any]) -> list[Comparison]:
        """One comparison for each part."""
        from promptopt.experiment.compare import compare

        own = {"jobs": self.evaluation.jobs, "rpm": self.evaluation.rpm}
        settings = {**given, **{key: given[key] or value for key, value in own.items()}}
        if settings["trials"] == 1:
            settings["trials"] = self.evaluation.trials
        click.echo(self.said, err=True, nl=False)
        with self.evaluation.active():
            return [compare(*part.templates, suite=part.suite, **settings) for part in self.evaluation.parts]

    def missed_rate(self, comparisons: Sequence[Comparison]) -> str:
        """What is below the config's `passRateThreshold`; empty if nothing is."""
        least = self.evaluation.pass_rate
        if least is None:
            return ""
        below = [
            f"{summary.prompt} passes {summary.pass_rate:.0%}"
            for comparison in comparisons
            for summary in comparison.variants
            if summary.pass_rate is not None and summary.pass_rate < least
        ]
        return f"{', '.join(below)}; passRateThreshold is {least:.0%}" if below else ""


def read_run(
    path: Path, prompts: Sequence[str], suite: str | None, models: Sequence[str], datasets: Sequence[str]
) -> ConfigRun:
    """A config as it will be run.

    Raises:
        UsageError: None of its providers can be asked, and no other model is named; or prompts and a suite are.
        SuiteError: Nothing of it can be compared.
    """
    from promptopt.promptfoo import read_evaluation

    if prompts or suite:
        raise UsageError("-c has prompts and tests of its own: leave out PROMPT and --suite")
    evaluation = read_evaluation(path, models=models, datasets=read_datasets(datasets))
    if evaluation.unavailable:
        reasons = "".join(f"\n  {note}" for note in evaluation.notes if note.message.startswith("the provider "))
        remedy = "ask another model: --model MODEL; `--model echo` tries it without any"
        why = evaluation.unavailable
        raise UsageError(f"{path}: none of its providers can be asked: {why}{reasons}\n  {remedy}")
    return ConfigRun(evaluation, path)
