"""``promptopt count``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.cli.options import read_stdin, read_variables, variable_options
from promptopt.errors import UndefinedVariable, UsageError, did_you_mean

if TYPE_CHECKING:
    from promptopt.config import Config
    from promptopt.experiment.estimate import Estimate
    from promptopt.suites import Suite
    from promptopt.templates import Template
    from promptopt.templates.attribution import Attribution


@click.command("count")
@click.argument("prompt")
@variable_options
@click.option(
    "--suite", metavar="SUITE", help="Render with every case of it; by default the suite named like the prompt."
)
@click.option("--case", "case_name", metavar="NAME", help="Render with this case of the suite alone.")
@click.option("--model", help="Count and price for this model.")
@click.option("--lines", is_flag=True, help="Attribute tokens to template lines and variables; show the static prefix.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(
    prompt: str,
    variables: tuple[str, ...],
    vars_file: Path | None,
    suite: str | None,
    case_name: str | None,
    model: str | None,
    lines: bool,
    as_json: bool,
) -> None:
    """Count a prompt's input tokens and price its calls: one, a thousand, a month.

    The prompt is rendered with the given variables, or with the cases of its suite. `-` counts a text from stdin.

    \b
    promptopt count reviews
    promptopt count reviews@v1 --lines --case kettle-boils-fast
    promptopt count reviews --var review="Broke after two days." --model gpt-4o-mini
    """
    from promptopt.config import load_config
    from promptopt.experiment.report.estimate import attribution_text, estimate_dict, estimate_text
    from promptopt.tables import fold
    from promptopt.templates import load_prompt

    config = load_config()
    if prompt == "-":
        _count_text(read_stdin().replace("\r\n", "\n"), model or config.price_as or config.model, as_json)
        return
    template = load_prompt(prompt, config=config)
    given = read_variables(variables, vars_file)
    template.check_names(given)
    cases = None if given else _suite_of(template, suite, case_name, config)
    counted = _estimated(template, config, given, cases, model)
    attributed = _attributed(template, given, cases, model, config) if lines else None
    if as_json:
        click.echo(json.dumps(estimate_dict(template, counted, attributed), indent=2, ensure_ascii=False))
        return
    click.echo(fold(estimate_text(template, counted)))
    if attributed is not None:
        case = cases.cases[0] if cases else None
        # What a turn adds as a message is no line of the prompt.
        name = (
            None
            if case is None
            else f"{case.name}, as far as the prompt says its first turn"
            if case.turns
            else case.name
        )
        click.echo(fold("\n" + attribution_text(attributed, name)))


def _count_text(text: str, model: str | None, as_json: bool) -> None:
    from promptopt.tokens import count_tokens

    counted = count_tokens(text, model)
    if as_json:
        click.echo(json.dumps({"tokens": counted.tokens, "encoding": counted.encoding, "basis": counted.basis}))
    else:
        click.echo(f"{counted.tokens:,} tokens ({counted.encoding}, {counted.basis})")


def _suite_of(template: Template, suite: str | None, case_name: str | None, config: Config) -> Suite | None:
    """The suite to render with, reduced to one case if one is named."""
    from dataclasses import replace

    from promptopt.suites import find_suite, load_suite

    found = suite or find_suite(template.origin.prompt, config=config)
    if found is None:
        if case_name:
            raise UsageError(f"--case needs a suite: none is named {template.origin.prompt!r}; name one with --suite")
        return None
    loaded = load_suite(found, config=config)
    if case_name is None:
        return loaded
    chosen = tuple(case for case in loaded.cases if case.name == case_name)
    if not chosen:
        hint = did_you_mean(case_name, [case.name for case in loaded.cases])
        raise UsageError(f"the suite {loaded.name} has no case {case_name!r}.{hint}")
    return replace(loaded, cases=chosen)


def _estimated(
    template: Template, config: Config, given: Mapping[str, Any], suite: Suite | None, model: str | None
) -> Estimate:
    from promptopt.experiment.estimate import estimate

    try:
        return estimate(template, config, variables=given, suite=suite, model=model)
    except UndefinedVariable as error:
        if given or suite is not None:
            raise
        raise UndefinedVariable(
            error.message,
            path=error.path,
            line=error.line,
            remedy="give it with --var NAME=VALUE, or cases with --suite",
        ) from None


def _attributed(
    template: Template, given: Mapping[str, Any], suite: Suite | None, model: str | None, config: Config
) -> Attribution:
    from promptopt.experiment.conversation import case_renderings
    from promptopt.templates.attribution import attribute

    variables = case_renderings(template, suite.cases[0])[0] if suite is not None else given
    return attribute(template, variables, model or config.price_as)
