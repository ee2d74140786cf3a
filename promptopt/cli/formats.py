"""``promptopt formats``."""

from __future__ import annotations

import json
from importlib.resources import files

import click


@click.command("formats")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """Print the JSON Schema of a file format, for editors and other programs; without NAME, list them.

    promptopt formats suite > suite.schema.json
    """
    folder = files("promptopt") / "data" / "schemas"
    known = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))
    if name in known:
        click.echo((folder / f"{name}.json").read_text(encoding="utf-8"), nl=False)
        return
    if name is not None:
        from promptopt.errors import UsageError, did_you_mean

        raise UsageError(f"no format {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}")
    from promptopt.tables import table

    schemas = [json.loads((folder / f"{each}.json").read_text(encoding="utf-8")) for each in known]
    click.echo(
        table([[each, found["title"]] for each, found in zip(known, schemas, strict=True)], ["name", "of"], left=True)
    )
