"""``promptopt estimate``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from promptopt.cli.options import read_variables, variable_options


@click.command("estimate")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    required=True,
    metavar="PROMPT",
    help="What is sent; several are side by side.",
)
@click.option("--users", type=click.IntRange(1), required=True, help="How many users there are.")
@click.option("--calls", type=click.FloatRange(0, min_open=True), required=True, help="Calls that each makes in a day.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="A model; several are side by side [default: the prompt's].",
)
@click.option("--suite", metavar="SUITE", help="Render with its cases; by default the suite named like the prompt.")
@variable_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(
    prompts: tuple[str, ...],
    users: int,
    calls: float,
    models: tuple[str, ...],
    suite: str | None,
    variables: tuple[str, ...],
    vars_file: Path | None,
    as_json: bool,
) -> None:
    """Estimate what a prompt will cost a call, a day and a month, without a log, and show the arithmetic.

    \b
    promptopt estimate --prompt reviews --users 1000 --calls 20
    promptopt estimate --prompt reviews@v1 --prompt reviews@v3 --users 1000 --calls 20 --model gpt-4o
    """
    from promptopt.auditing.traffic import Traffic, traffic_data, traffic_text
    from promptopt.config import load_config
    from promptopt.experiment.estimate import estimate
    from promptopt.suites import find_suite, load_suite
    from promptopt.tables import fold
    from promptopt.templates import load_prompt

    config, traffic = load_config(), Traffic(users, calls)
    given = read_variables(variables, vars_file)
    found = []
    for name in prompts:
        template = load_prompt(name, config=config)
        template.check_names(given)
        named = None if given else suite or find_suite(template.origin.prompt, config=config)
        cases = None if named is None else load_suite(named, config=config)
        found += [
            (name, estimate(template, config, variables=given, suite=cases, model=model)) for model in models or (None,)
        ]
    if as_json:
        rows = [{"prompt": name, **traffic_data(each, traffic)} for name, each in found]
        click.echo(json.dumps({"version": 1, "calls_per_day": float(traffic.per_day), "estimates": rows}, indent=2))
        return
    for name in prompts:
        click.echo(f"{name}\n" if len(prompts) > 1 else "", nl=False)
        click.echo(fold(traffic_text([each for prompt, each in found if prompt == name], traffic)))
