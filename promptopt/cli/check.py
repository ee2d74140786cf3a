"""``promptopt check``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.cli.options import page_option
from promptopt.money import cents

if TYPE_CHECKING:
    from promptopt.compression.edit import Level
    from promptopt.compression.lint import Diagnostic
    from promptopt.templates import Template


@click.command("check")
@click.argument("paths", nargs=-1)
@click.option(
    "--level",
    type=click.Choice(["safe", "standard", "telegraphic"]),
    default="standard",
    show_default=True,
    help="Report what a compression at this level would change.",
)
@click.option("--select", multiple=True, metavar="CODE", help="Report these rules only; PO1 means all PO1xx.")
@click.option("--ignore", multiple=True, metavar="CODE", help="Do not report these rules.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text", show_default=True
)
@page_option
@click.option("--strict", is_flag=True, help="Exit with 1 if anything is found.")
@click.option("--facts", "show_facts", is_flag=True, help="Print the facts that a compression must keep.")
@click.option("--rules", "show_rules", is_flag=True, help="List the rules.")
def command(
    paths: tuple[str, ...],
    level: Level,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    form: str,
    output: tuple[Path, ...],
    strict: bool,
    show_facts: bool,
    show_rules: bool,
) -> None:
    """Lint prompts: show each place that costs too much and what it is worth a month, the most expensive first.

    PATHS are files, folders or names; by default all prompts of the prompts folder. A line is ignored with
    {# promptopt: ignore[PO205] the reason #} on it or above it, a file with ignore-file[...].

    \b
    promptopt check
    promptopt check prompts/triage --select PO1 --format sarif
    promptopt check --facts prompts/triage/v2.j2
    """
    from promptopt.cli.compress import _codes
    from promptopt.compression.engine import document_of
    from promptopt.compression.lint import by_worth, check_documents
    from promptopt.compression.rules.base import choose_rules

    if show_rules:
        _list_rules()
        return
    rules = choose_rules(_codes(select), _codes(ignore))
    templates = list(_templates(paths))
    if show_facts:
        for template in templates:
            _print_facts(template, as_json=form == "json")
        return
    documents = [document_of(template) for template in templates]
    findings = check_documents(documents, level, rules)
    lines = {template.path: template for template in templates if template.lines}
    # A chat in JSON or YAML was read as blocks, whose lines are not those of the file.
    findings = [replace(one, line=lines[one.path].line(one.line)) if one.path in lines else one for one in findings]
    findings = by_worth(findings)
    _report(findings, form, len(templates))
    if output:
        from promptopt.compression.html_report import check_page
        from promptopt.webpage.page import write_page

        write_page(check_page(findings, documents, level, rules), *output)
    if strict and findings:
        raise click.exceptions.Exit(1)


def _templates(paths: tuple[str, ...]) -> Iterator[Template]:
    from promptopt.config import load_config
    from promptopt.errors import UsageError
    from promptopt.files import show_path
    from promptopt.templates import list_prompts, load_prompt
    from promptopt.templates.names import prompt_files

    config = load_config()
    if not paths:
        # Older versions stay as they are, so only the newest is checked.
        yield from (load_prompt(prompt.newest, config=config) for prompt in list_prompts(config))
        return
    for given in paths:
        path = Path(given)
        if path.is_dir():
            jinja = [file for file in path.rglob("*") if file.suffix in (".jinja", ".jinja2")]
            files = sorted([*jinja, *prompt_files(path)])
            if not files:
                raise UsageError(f"no prompts (*.j2, or chats in JSON or YAML) in {show_path(path)}")
            yield from (load_prompt(file, config=config) for file in files)
        else:
            yield load_prompt(given, config=config)


def _report(findings: list[Diagnostic], form: str, prompts: int) -> None:
    if form == "json":
        click.echo(json.dumps({"v": 1, "findings": [_as_dict(one) for one in findings]}, indent=2, ensure_ascii=False))
    elif form == "sarif":
        click.echo(json.dumps(_sarif(findings), indent=2, ensure_ascii=False))
    elif form == "github":
        from promptopt.budget.report import command_data, command_property

        for one in findings:
            place = f"file={command_property(one.path)},line={one.line},col={one.column}"
            click.echo(f"::warning {place},title={one.code}::{command_data(f'{one.message}{_worth(one)}')}")
    else:
        from promptopt.tables import printable

        for one in findings:
            place = f"{one.path}:{one.line}:{one.column}"
            click.echo(printable(f"{place} {one.code} {one.message}{_worth(one)}").replace("\n", "\\n"))
        click.echo(_summary(findings, prompts), err=True)


def _worth(finding: Diagnostic) -> str:
    parts = []
    if finding.tokens:
        parts.append(f"-{finding.tokens:,} tokens")
    if finding.monthly_usd:
        parts.append(f"{cents(finding.monthly_usd)} a month")
    return f" [{', '.join(parts)}]" if parts else ""


def _summary(findings: list[Diagnostic], prompts: int) -> str:
    tokens = sum(one.tokens for one in findings)
    dollars = sum(one.monthly_usd or 0 for one in findings)
    worth = f", {cents(dollars)} a month" if dollars else ""
    fixable = sum(one.fixable for one in findings)
    found = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    counted = "1 prompt" if prompts == 1 else f"{prompts} prompts"
    return f"{found} in {counted}: {tokens:,} tokens a call{worth}\n`promptopt compress` makes {fixable} of the changes"


def _as_dict(finding: Diagnostic) -> dict[str, Any]:
    from dataclasses import asdict

    dollars = None if finding.monthly_usd is None else str(finding.monthly_usd)
    return asdict(finding) | {"monthly_usd": dollars}


def _sarif(findings: list[Diagnostic]) -> dict[str, Any]:
    """SARIF 2.1.0, as GitHub code scanning reads it."""
    from promptopt import __version__
    from promptopt.compression.lint import reason_of

    codes = sorted({one.code for one in findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "promptopt",
                        "version": __version__,
                        "rules": [{"id": code, "shortDescription": {"text": reason_of(code)}} for code in codes],
                    }
                },
                "results": [_sarif_result(one) for one in findings],
            }
        ],
    }


def _sarif_result(finding: Diagnostic) -> dict[str, Any]:
    from promptopt.budget.machine_report import file_uri

    region = {"startLine": finding.line, "startColumn": finding.column}
    return {
        "ruleId": finding.code,
        "level": "warning",
        "message": {"text": f"{finding.message}{_worth(finding)}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": file_uri(finding.path)}, "region": region}}],
    }


def _print_facts(template: Template, *, as_json: bool) -> None:
    from dataclasses import asdict

    from promptopt.compression.facts.stated import facts
    from promptopt.templates.frontmatter import mask_front_matter

    found = facts(mask_front_matter(template.source))
    if as_json:
        click.echo(json.dumps({"path": template.path, "facts": [asdict(fact) for fact in found]}, ensure_ascii=False))
        return
    for fact in found:
        click.echo(f"{template.path}:{fact.line} {fact}")


def _list_rules() -> None:
    from promptopt.compression.rules.base import all_rules
    from promptopt.tables import table

    rows = [[rule.code, rule.name, rule.level, rule.reason] for rule in all_rules().values()]
    click.echo(table(rows, ["code", "rule", "level", "why"], left=True))
