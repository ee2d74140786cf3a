"""``promptopt compress``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.cli.options import read_stdin

if TYPE_CHECKING:
    from promptopt.compression.by_model.rewrite import Rewrite
    from promptopt.compression.edit import Level
    from promptopt.compression.engine import Compression
    from promptopt.compression.judging.judge import JudgedEdit
    from promptopt.compression.tool_descriptions import Description, ShorterTools
    from promptopt.templates import Template


@click.command("compress")
@click.argument("prompt")
@click.option(
    "--level",
    type=click.Choice(["safe", "standard", "telegraphic"]),
    default="standard",
    show_default=True,
    help="How much: telegraphic drops articles and copulas too.",
)
@click.option("--select", multiple=True, metavar="CODE", help="Apply these rules only; PO1 means all PO1xx.")
@click.option("--ignore", multiple=True, metavar="CODE", help="Do not apply these rules.")
@click.option("--write", is_flag=True, help="Write the next version, such as v3.j2; nothing is overwritten.")
@click.option("-i", "--interactive", is_flag=True, help="Accept hunk by hunk.")
@click.option("--edits", "show_edits", is_flag=True, help="List every edit, made or refused and why, with its facts.")
@click.option("--ledger", is_flag=True, hidden=True, help="The former name of --edits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the diff.")
@click.option("--suite", metavar="SUITE", help="Compare old and new over these cases and say whether to keep the new.")
@click.option("--rewrite", metavar="MODEL", help="Let a model propose a rewrite; it is taken if it loses no fact.")
@click.option("--review", metavar="MODEL", help="With --rewrite: this model decides what may be lost.")
def command(
    prompt: str,
    level: Level,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    write: bool,
    interactive: bool,
    show_edits: bool,
    ledger: bool,
    as_json: bool,
    suite: str | None,
    rewrite: str | None,
    review: str | None,
) -> None:
    """Shorten a prompt; print what would change as a diff with the tokens of each hunk.

    `-` reads a text from stdin and writes the shorter text to stdout.

    \b
    promptopt compress triage
    promptopt compress prompts/triage/v2.j2 --level telegraphic --write
    promptopt compress triage --suite triage
    promptopt compress triage --rewrite gpt-5.6-luna --review gpt-5.6-luna
    promptopt compress - < prompt.txt > shorter.txt

    Exit code 1 if --suite says that the shorter prompt should not be kept.
    """
    from promptopt.compression.engine import compress_prompt
    from promptopt.compression.tool_descriptions import shorten_tools
    from promptopt.errors import UsageError
    from promptopt.templates import load_prompt

    _check_models(rewrite, review)
    select, ignore, show_edits = _codes(select), _codes(ignore), show_edits or ledger
    if prompt == "-":
        if write or interactive or suite or rewrite:
            raise UsageError("a text from stdin has no versions and no suite; give the prompt's file or name")
        _filter_stdin(level, select, ignore, show_edits, as_json)
        return
    template = load_prompt(prompt)
    compression = compress_prompt(template, level, select=select, ignore=ignore)
    rewritten = _rewritten(template, compression, rewrite, review) if rewrite else None
    if rewritten is not None:
        compression = rewritten.compression
    tools = shorten_tools(template, level, select=select, ignore=ignore)
    files = {template.name: _interact(template, compression) if interactive else compression.text}
    if tools is not None:
        # Of tools in the prompt itself, what is in its front matter is before all other changes.
        chosen = _chosen(tools) if interactive else tools.changed
        files[tools.name] = tools.take(chosen, files.get(tools.name))
    if as_json:
        data = _data(template.path, compression, files[template.name]) | _rewrite_data(rewritten) | _tools_data(tools)
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        _show_all(template, compression, tools, files, quiet=interactive, edits=show_edits)
    changed = files[template.name] != template.source or (tools is not None and files[tools.name] != tools.original)
    keep = True
    if suite is not None and changed:
        keep = _compared(template, files, suite)
    if write and changed and keep:
        _write(template, files, tools)
    if not keep:
        raise click.exceptions.Exit(1)


def _check_models(rewrite: str | None, review: str | None) -> None:
    from promptopt.errors import UsageError

    for option, model in (("--rewrite", rewrite), ("--review", review)):
        if model is not None and not model.strip():
            raise UsageError(f"{option} names no model")
    if review and not rewrite:
        raise UsageError("--review needs --rewrite: a model reads what another one rewrote")


def _codes(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for entry in given for code in entry.split(",") if code.strip())


def _filter_stdin(
    level: Level, select: tuple[str, ...], ignore: tuple[str, ...], show_edits: bool, as_json: bool
) -> None:
    from promptopt.compression.engine import compress

    compression = compress(read_stdin(), level, select=select, ignore=ignore)
    if as_json:
        click.echo(json.dumps(_data("<stdin>", compression, compression.text), indent=2, ensure_ascii=False))
        return
    sys.stdout.buffer.write(compression.text.encode("utf-8"))
    sys.stdout.buffer.flush()
    if show_edits:
        _show_edits(compression, err=True)


def _show(template: Template, compression: Compression, text: str, *, quiet: bool) -> None:
    from promptopt.compression.document import source_tokens
    from promptopt.compression.edit import unified
    from promptopt.compression.engine import document_of
    from promptopt.compression.lint import monthly

    document = document_of(template)
    if not quiet:
        for line in unified(
            template.source, text, template.path, f"{template.path} (compressed)", document.model
        ).splitlines():
            click.secho(line, fg=_colour(line))
    after = source_tokens(text, document.model)
    before = compression.tokens_before
    share = (before - after) / before if before else 0.0
    count = len(compression.refused)
    refused = f"; {count} {'edit' if count == 1 else 'edits'} refused (--edits)" if count else ""
    dollars = monthly(document, before - after)
    worth = f", {dollars} a month" if dollars else ""
    click.echo(
        f"{template.path}: {before:,} -> {after:,} tokens ({-share:+.1%}{worth}) at level {compression.level}{refused}",
        err=True,
    )


def _colour(line: str) -> str | None:
    if line.startswith("@@"):
        return "cyan"
    if line.startswith("+"):
        return "green"
    return "red" if line.startswith("-") else None


def _show_edits(compression: Compression, *, err: bool = False) -> None:
    from promptopt.tables import table

    rows = [_row(edit) for edit in (*compression.edits, *compression.refused)]
    if rows:
        head = ["line", "rule", "tokens", "facts", "old", "new", ""]
        click.echo(table(rows, head, left=True), err=err)


def _row(edit: JudgedEdit) -> list[str]:
    old, new = (" ".join(part.split())[:40] for part in (edit.old, edit.new))
    outcome = f"refused: {edit.refused}" if edit.refused else "made"
    return [f"{edit.line}:{edit.column}", edit.rule, str(edit.tokens), str(edit.facts), old, new, outcome]


def _data(path: str, compression: Compression, text: str) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "v": 1,
        "path": path,
        "level": compression.level,
        "tokens_before": compression.tokens_before,
        "tokens_after": compression.tokens_after,
        "text": text,
        # The name that readers of this format know.
        "ledger": [asdict(edit) | {"revertible": edit.revertible} for edit in compression.edits],
        "refused": [asdict(edit) for edit in compression.refused],
    }


def _interact(template: Template, compression: Compression) -> str:
    from promptopt.compression.edit import hunk_text, hunks, take
    from promptopt.templates.source import same_code

    chosen = []
    every = False
    for hunk in hunks(compression.original, compression.text, template.front.model):
        if not every:
            for line in hunk_text(hunk, compression.original).splitlines():
                click.secho(line, fg=_colour(line))
            answer = click.prompt("take this?", type=click.Choice(["y", "n", "a", "q"]), default="y", show_choices=True)
            if answer == "q":
                break
            every = answer == "a"
            if answer == "n":
                continue
        chosen.append(hunk)
    text = take(compression.original, chosen)
    return text if same_code(compression.original, text) else compression.original


def _chosen(tools: ShorterTools) -> list[Description]:
    chosen = []
    for one in tools.changed:
        click.secho(f"{tools.path}: {one.place}\n-{one.old.strip()}", fg="red")
        click.secho(f"+{one.new.strip()}", fg="green")
        answer = click.prompt("take this?", type=click.Choice(["y", "n", "q"]), default="y", show_choices=True)
        if answer == "q":
            break
        chosen += [one] if answer == "y" else []
    return chosen


def _show_all(
    template: Template,
    compression: Compression,
    tools: ShorterTools | None,
    files: Mapping[str, str],
    *,
    quiet: bool,
    edits: bool,
) -> None:
    _show(template, compression, files[template.name], quiet=quiet)
    if tools is not None and tools.changed:
        _show_tools(template, tools, files[tools.name], quiet=quiet, edits=edits)
    if edits:
        _show_edits(compression)


def _show_tools(template: Template, tools: ShorterTools, text: str, *, quiet: bool, edits: bool) -> None:
    from promptopt.compression.edit import unified
    from promptopt.tables import table

    if not quiet and tools.name != template.name:
        shown = unified(tools.original, text, tools.path, f"{tools.path} (compressed)", template.front.model)
        for line in shown.splitlines():
            click.secho(line, fg=_colour(line))
    before, after = tools.tokens_before, tools.tokens_after
    click.echo(f"{tools.path}: tools {before:,} -> {after:,} tokens ({after / before - 1:+.1%}, estimated)", err=True)
    if edits:
        rows = [[one.place, *_row(edit)[1:]] for one in tools.changed for edit in (*one.edits, *one.refused)]
        click.echo(table(rows, ["description", "rule", "tokens", "facts", "old", "new", ""], left=True))


def _tools_data(tools: ShorterTools | None) -> dict[str, Any]:
    if tools is None:
        return {}
    descriptions = [{"place": one.place, "old": one.old, "new": one.new} for one in tools.changed]
    counts = {"tokens_before": tools.tokens_before, "tokens_after": tools.tokens_after}
    return {"tools": {"path": tools.path, **counts, "basis": "estimated", "descriptions": descriptions}}


def _compared(template: Template, files: Mapping[str, str], suite: str) -> bool:
    """Run both over the suite and print the table; returns whether to keep the new one."""
    from dataclasses import replace

    from promptopt.compression.engine import with_files
    from promptopt.experiment.compare import compare
    from promptopt.tables import fold
    from promptopt.values import Origin

    shorter = with_files(template, files)
    shorter = replace(shorter, origin=Origin(template.origin.prompt, f"{template.origin.version or 'new'}-compressed"))
    comparison = compare(template, shorter, suite=suite)
    click.echo(fold(str(comparison)), nl=False)
    verdict = comparison.pairs[0].decision.verdict
    keep = verdict in ("improved", "equivalent", "not-worse")
    click.echo(f"{'keep' if keep else 'do not keep'} the shorter prompt: {verdict}")
    return keep


def _write(template: Template, files: Mapping[str, str], tools: ShorterTools | None) -> None:
    """The next version; its tools, if they are in a file of their own and shorter, in a new file beside it."""
    from promptopt.errors import PromptoptError, TemplateError, UsageError
    from promptopt.files import show_path, write_new
    from promptopt.templates.chat_file import without_suffix
    from promptopt.templates.frontmatter import replace_value
    from promptopt.templates.names import next_version
    from promptopt.templates.readers import FolderReader

    if not isinstance(template.reader, FolderReader):
        raise UsageError(f"{template.path} is read out of git; --write needs a file of the working tree")
    target = next_version(template.reader.root / template.name)
    text = files[template.name]
    beside = None
    if tools is not None and tools.name != template.name and files[tools.name] != tools.original:
        beside = target.with_name(f"{without_suffix(target).name}.tools{Path(tools.name).suffix}")
        text = replace_value(text, "tools", beside.name)
        write_new(beside, files[tools.name], TemplateError)
    try:
        write_new(target, text, TemplateError)
    except PromptoptError:
        if beside is not None:
            beside.unlink()
        raise
    for path in filter(None, (target, beside)):
        click.echo(f"wrote {show_path(path)}", err=True)


def _rewritten(template: Template, compression: Compression, model: str, review: str | None) -> Rewrite:
    from promptopt.compression.by_model.rewrite import rewrite_prompt

    result = rewrite_prompt(template, compression, model, review=review)
    click.echo(str(result), err=True)
    return result


def _rewrite_data(rewrite: Rewrite | None) -> dict[str, Any]:
    from dataclasses import asdict

    if rewrite is None:
        return {}
    counts = {"asked": rewrite.asked, "kept": rewrite.kept, "partly": rewrite.partly}
    costs = {"usd": None if rewrite.usd is None else float(rewrite.usd), "calls_to_repay": rewrite.calls_to_repay}
    reviewed = None if rewrite.reviewed is None else asdict(rewrite.reviewed)
    return {"rewrite": counts | costs | {"review": reviewed}}
