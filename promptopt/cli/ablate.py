"""``promptopt ablate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from promptopt.cli.options import page_option, read_dollars, search_options


@click.command("ablate")
@click.argument("prompt")
@click.option("--suite", metavar="SUITE", help="File or name of the cases; by default the suite named like the prompt.")
@click.option("--margin", type=float, metavar="POINTS", help="What a unit must be worth to matter [default: 2].")
@click.option("--max-cost", metavar="USD", help="Stop before more than this is spent [default: 1].")
@click.option("--model", help="The model that answers, instead of the prompt's own.")
@click.option("--price-as", metavar="MODEL", help="Price and count tokens as for this model.")
@search_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the map.")
@page_option
def command(
    prompt: str,
    suite: str | None,
    margin: float | None,
    max_cost: str | None,
    model: str | None,
    price_as: str | None,
    as_json: bool,
    output: tuple[Path, ...],
    **asking: Any,
) -> None:
    """Say what each unit of a prompt is worth: the points that it loses without it, as a heat map.

    \b
    promptopt ablate reviews --max-cost 1.00
    promptopt ablate triage@v2 --margin 5 --json
    """
    from promptopt.cli.compare import asking_progress
    from promptopt.minimization.ablation import ablate
    from promptopt.tables import fold

    with asking_progress(price_as) as progress:
        found = ablate(
            prompt,
            suite=suite,
            margin=margin,
            max_cost=read_dollars(max_cost),
            model=model,
            price_as=price_as,
            **asking,
            **progress,
            on_plan=lambda plan: click.echo(fold(str(plan)), err=True),
        )
    if output:
        from promptopt.minimization.html_report import ablation_page
        from promptopt.webpage.page import write_page

        write_page(ablation_page(found), *output)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    shown = str(found)
    if sys.stdout.isatty():
        shown = shown.replace(found.heat_map(), found.heat_map(colour=True), 1)
    click.echo(shown, nl=False)
