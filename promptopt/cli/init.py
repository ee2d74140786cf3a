"""``promptopt init``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.errors import UsageError

if TYPE_CHECKING:
    from promptopt.onboarding.proposal import Proposal


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[DIR]")
@click.option("--log", "logs", multiple=True, type=click.Path(path_type=Path), help="A request log to draw cases from.")
@click.option("--model", metavar="NAME", help="The model of prompts whose program names none.")
@click.option("-y", "--yes", is_flag=True, help="Write without asking.")
@click.option("--no-ci", is_flag=True, help="Propose no workflow of GitHub Actions.")
@click.option("--no-hook", is_flag=True, help="Propose no pre-commit hook.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposal as JSON; with --yes also write it.")
def command(
    folder: Path, logs: tuple[Path, ...], model: str | None, yes: bool, no_ci: bool, no_hook: bool, as_json: bool
) -> None:
    """Bring an existing repository under the gate.

    Finds prompts in Python calls, templates of LangChain, .prompty, promptfoo configs, chats and text files; proposes
    prompt files, suites, locks, limits, a workflow and a hook as a diff, and writes them if you say yes: all or none.
    No Python is edited: it says which call to change, and to what.

    \b
    promptopt init
    promptopt init --log calls.jsonl --yes
    """
    from promptopt.files import replace_files
    from promptopt.onboarding.proposal import propose

    if not folder.is_dir():
        raise UsageError(f"{folder}: is not a folder")
    for log in logs:
        if not log.exists():
            raise UsageError(f"{log}: there is no such file")
    # Paths are shown from the folder, as they are if it is the current one.
    logs = tuple(log.resolve() for log in logs)
    os.chdir(folder)
    proposal = propose(Path.cwd(), logs, model=model, ci=not no_ci, hook=not no_hook)
    if as_json:
        click.echo(json.dumps(_data(proposal), indent=2, ensure_ascii=False))
    else:
        _show(proposal)
    if not proposal.files or (as_json and not yes):
        return
    if not yes and not _wanted(len(proposal.files)):
        click.echo("nothing was written; --yes writes", err=True)
        return
    replace_files(proposal.files)
    if not as_json:
        click.echo(f"wrote {_count(len(proposal.files), 'file')}; the gate passes: pytest --prompt-budget")


def _wanted(files: int) -> bool:
    try:
        return click.confirm(f"write {_count(files, 'file')}?", default=False)
    except click.Abort:
        # The end of the input, as without a terminal.
        return False


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _show(proposal: Proposal) -> None:
    from promptopt.tables import fold, printable

    for path, text in proposal.files.items():
        for line in _diff(proposal, path, text):
            click.secho(printable(line), fg=_colour(line))
    parts = [*_left_out(proposal), *_calls(proposal), *_notes(proposal)]
    if parts:
        click.echo(("\n" if proposal.files else "") + printable("\n".join(parts)))
    found = _count(len(proposal.prompts), "new prompt")
    if proposal.files:
        click.echo(
            fold(f"\n{_count(proposal.read, 'file')} read, {found}, {_count(len(proposal.files), 'file')} to write")
        )
    else:
        click.echo(f"nothing to do: {_count(proposal.read, 'file')} read, {found}")


def _diff(proposal: Proposal, path: Path, text: str) -> Iterator[str]:
    shown = os.path.relpath(path, proposal.root)
    before = proposal.before.get(path)
    old = "/dev/null" if before is None else f"a/{shown}"
    if path.name.endswith(".lock.toml"):
        # Numbers and digests, which nobody reads.
        yield f"+++ b/{shown}: the lock, what the prompt costs now"
        return
    yield from unified_diff((before or "").splitlines(), text.splitlines(), old, f"b/{shown}", lineterm="")


def _colour(line: str) -> str | None:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])


def _left_out(proposal: Proposal) -> Iterator[str]:
    if proposal.left_out:
        yield "not carried over:"
        yield from (f"  {each}" for each in proposal.left_out)


def _calls(proposal: Proposal) -> Iterator[str]:
    if proposal.calls:
        yield "to change by hand (import promptopt), if the program shall send these files:"
    for call in proposal.calls:
        yield f"  {call.path}:{call.line}: {call.name}"
        yield from (f"    {line}" for line in call.code.splitlines())


def _notes(proposal: Proposal) -> Iterator[str]:
    yield from (f"note: {note}" for note in proposal.notes)
    for name in proposal.unknown:
        yield f"note: no cases of {name} are known: write them into suites/{name}.yaml, or name a log with --log"


def _data(proposal: Proposal) -> dict[str, Any]:
    return {
        "version": 1,
        "files": [
            {"path": os.path.relpath(path, proposal.root), "new": path not in proposal.before, "text": text}
            for path, text in proposal.files.items()
        ],
        "prompts": [
            {"name": name, "path": prompt.path, "line": prompt.line, "variables": prompt.variables()}
            for name, prompt in proposal.prompts.items()
        ],
        "calls": [{"path": c.path, "line": c.line, "name": c.name, "code": c.code} for c in proposal.calls],
        "left_out": [{"path": each.path, "line": each.line, "reason": each.reason} for each in proposal.left_out],
        "without_cases": list(proposal.unknown),
        "notes": list(proposal.notes),
    }
