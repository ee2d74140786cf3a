"""``promptopt schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.group("schema")
def command() -> None:
    """Check and fix JSON schemas for strict mode, and show what they cost."""


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", help="Count tokens as for this model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(files: tuple[str, ...], model: str | None, as_json: bool) -> None:
    """Say what strict mode refuses of a schema, where, and the smallest change that fixes it; exit code 1 if anything.

    A FILE is a JSON schema, a prompt with an `output_schema`, or a Pydantic model written MODULE:MODEL.
    """
    from promptopt.schemas.cost import advice, schema_cost
    from promptopt.schemas.strict import strict_findings, strict_warnings
    from promptopt.tokens import tokenizer_for

    rows: list[dict[str, Any]] = []
    for file in files:
        schema, name = _load(file)
        findings = strict_findings(schema)
        row: dict[str, Any] = {
            "file": name,
            "valid": not findings,
            "findings": [_row(finding) for finding in findings],
            "warnings": [_row(finding) for finding in strict_warnings(schema)],
            "advice": list(advice(schema)),
        }
        if not findings:
            cost = schema_cost(schema, tokenizer_for(model))
            row |= {
                "input_tokens": cost.input_tokens,
                "answer_tokens": cost.typical_tokens,
                "longest_tokens": cost.longest_tokens,
            }
        rows.append(row)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for row in rows:
            _print(row)
    if not all(row["valid"] for row in rows):
        raise click.exceptions.Exit(1)


@command.command("fix")
@click.argument("file", metavar="FILE")
@click.option("--write", is_flag=True, help="Replace FILE; otherwise the schema is printed.")
@click.option("--cheap", is_flag=True, help="Also drop what is billed and says nothing: titles, defaults, examples.")
def fix(file: str, write: bool, cheap: bool) -> None:
    """Fix a schema for strict mode, and say what was changed; exit code 1 if something is left for you."""
    from promptopt.errors import SchemaError, UsageError
    from promptopt.files import replace_file
    from promptopt.schemas.cost import cheapen
    from promptopt.schemas.make_strict import fix_schema

    schema, name = _load(file)
    fixed = fix_schema(schema)
    repaired = cheapen(fixed.schema) if cheap else fixed.schema
    for change in fixed.changes:
        click.echo(f"{name}: {change}", err=True)
    for finding in fixed.remaining:
        click.echo(f"{name}: left for you: {finding}", err=True)
    text = json.dumps(repaired, indent=2, ensure_ascii=False) + "\n"
    if not write:
        click.echo(text, nl=False)
    elif Path(file).suffix != ".json":
        raise UsageError(f"--write: {file} is no .json file")
    elif not fixed.remaining:
        replace_file(Path(file), text, SchemaError)
    if fixed.remaining:
        raise click.exceptions.Exit(1)


def _load(file: str) -> tuple[dict[str, Any], str]:
    from promptopt.structured.field_sources import load_schema

    if not file.endswith(".j2"):
        return load_schema(file)
    from promptopt.errors import SchemaError
    from promptopt.templates import load_prompt

    template = load_prompt(file)
    if template.front.output_schema is None:
        raise SchemaError("has no output_schema", path=template.path, remedy="propose one: promptopt structure " + file)
    return dict(template.front.output_schema), template.path


def _row(finding: Any) -> dict[str, str]:
    return {"pointer": finding.pointer, "problem": finding.problem, "remedy": finding.remedy}


def _print(row: dict[str, Any]) -> None:
    name = row["file"]
    for kind in ("findings", "warnings"):
        for finding in row[kind]:
            label = "warning: " if kind == "warnings" else ""
            click.echo(f"{name}: {label}{finding['pointer'] or 'the root'}: {finding['problem']}; {finding['remedy']}")
    for line in row["advice"]:
        click.echo(f"{name}: {line}")
    if row["valid"]:
        longest = "unbounded" if row["longest_tokens"] is None else f"{row['longest_tokens']} at most"
        click.echo(
            f"{name}: valid in strict mode; {row['input_tokens']} input tokens a call, "
            f"an answer of some {row['answer_tokens']} ({longest})"
        )
