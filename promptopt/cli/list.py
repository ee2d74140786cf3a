"""``promptopt list``."""

from __future__ import annotations

import json
from typing import Any

import click


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(as_json: bool) -> None:
    """List the prompts of the prompts folder with their versions, models and suites."""
    from promptopt.config import load_config
    from promptopt.files import show_path
    from promptopt.suites import find_suite
    from promptopt.tables import table
    from promptopt.templates import list_prompts, load_prompt

    config = load_config()
    rows: list[dict[str, Any]] = []
    for prompt in list_prompts(config):
        newest = load_prompt(prompt.newest, config=config)
        suite = find_suite(prompt.name, config=config)
        rows.append(
            {
                "prompt": prompt.name,
                "versions": [version for version, _ in prompt.versions if version],
                "model": newest.front.model or config.model,
                "variables": sorted(newest.variables()),
                "suite": show_path(suite) if suite else None,
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        cells = [[", ".join(cell) if isinstance(cell, list) else cell or "-" for cell in row.values()] for row in rows]
        click.echo(table(cells, list(rows[0]), left=True))
    else:
        click.echo(f"no prompts in {show_path(config.prompts)}", err=True)
