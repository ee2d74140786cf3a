"""``promptopt budget``: the gate without pytest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from promptopt.cli.options import page_option

if TYPE_CHECKING:
    from promptopt.budget.gate import Gate
    from promptopt.budget.guarded_prompt import GuardedPrompt
    from promptopt.budget.result import Result


@click.group("budget")
def command() -> None:
    """Guard prompts: compare what they cost today with what is locked, offline.

    \b
    promptopt budget update                        lock what every prompt with a suite costs now
    promptopt budget check                         exit code 1 if one costs more than it may
    promptopt budget check --against origin/main   say how much of the growth is this branch's
    """


def _common(function: Any) -> Any:
    function = click.option("--against", metavar="REF", help="The git reference to compare this branch with.")(function)
    function = click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="[PROMPT:]METRIC=LIMIT",
        help='Override a limit, as in "input=5% & 50".',
    )(function)
    return click.argument("prompts", nargs=-1, metavar="[PROMPT]...")(function)


def _enter(_context: click.Context, _option: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _gate(prompts: tuple[str, ...], against: str | None, limits: tuple[str, ...], *, strict: bool = False) -> Gate:
    from promptopt.budget.gate import Gate

    return Gate(against=against, overrides=limits, names=prompts, strict=strict)


@command.command("check")
@_common
@click.option(
    "-C",
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    expose_value=False,
    is_eager=True,
    callback=_enter,
    help="Run in DIR, as in a repository of several projects.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="KIND:PATH",
    help="Also write a report: json, md, html, github, sarif or gitlab.",
)
@page_option
@click.option("--strict", is_flag=True, help="A prompt that is not guarded, or a looser limit, is a failure.")
def check(
    prompts: tuple[str, ...],
    against: str | None,
    limits: tuple[str, ...],
    reports: tuple[str, ...],
    output: tuple[Path, ...],
    strict: bool,
) -> None:
    """Compare today's cost with the locks; exit code 1 if a limit is exceeded, 2 if input cannot be used."""
    from promptopt.budget.impact_report import impact_lines
    from promptopt.budget.report import parse_report, summary_lines, write_report
    from promptopt.budget.result import cannot_be_used, unusable
    from promptopt.errors import PromptoptError
    from promptopt.tables import fold

    wanted = [*map(parse_report, reports), *(("html", path) for path in output)]
    try:
        gate = _gate(prompts, against, limits, strict=strict)
        results = list(gate.check())
        impact = gate.impact()
    except PromptoptError as error:
        # Nothing was checked, and the reports say so too.
        for kind, path in wanted:
            click.echo("\n".join(write_report(kind, path, [unusable("", error)])))
        raise
    click.echo(fold("\n".join(summary_lines(results, failures=True))))
    if impact is not None:
        click.echo(fold("".join(f"{line}\n" for line in impact_lines(impact))), nl=False)
    for kind, path in wanted:
        for line in write_report(kind, path, results, impact):
            click.echo(line)
    if cannot_be_used(results):
        raise click.exceptions.Exit(PromptoptError.exit_code)
    if any(result.failed for result in results):
        raise click.exceptions.Exit(1)


@command.command("diff")
@click.argument("operands", nargs=-1, metavar="[REF] [PROMPT]...")
@click.option("--against", metavar="REF", help="The same as REF, for one that is named like a prompt.")
def diff(operands: tuple[str, ...], against: str | None) -> None:
    """Show what a branch changes: tokens, dollars, causes and reasons against REF, accepted raises included.

    Without REF: every change since the locks, also within the limits. The exit code is always 0.
    """
    from promptopt.budget.impact_report import impact_lines
    from promptopt.budget.result import one_line
    from promptopt.config import load_config
    from promptopt.errors import UsageError, did_you_mean
    from promptopt.tables import fold
    from promptopt.templates import list_prompts

    names = {prompt.name for prompt in list_prompts(load_config())}
    if against is None and operands and operands[0] not in names:
        against, operands = operands[0], operands[1:]
    if against is None:
        _diff_locks(operands)
        return
    try:
        gate = _gate(operands, against, ())
    except UsageError as error:
        raise UsageError(f"{error}{did_you_mean(against, names)}") from None
    impact = gate.impact()
    lines = [] if impact is None else list(impact_lines(impact))
    lines = lines or [f"against {against}: no prompt changed"]
    for finding in (finding for result in gate.loosened for finding in result.findings):
        lines += [one_line(finding.summary), *(f"  {one_line(detail)}" for detail in finding.details)]
    click.echo(fold("\n".join(lines)))


def _diff_locks(prompts: tuple[str, ...]) -> None:
    from promptopt.tables import fold

    results = list(_gate(prompts, None, ()).check())
    changed = [result for result in results if _changes(result) or result.findings]
    for result in changed:
        if result.label:
            click.echo(f"{result.label}  {_changes(result) or 'no number changed'}")
        for line in result.text.splitlines():
            click.echo(fold(f"  {line}"))
    cases = [result for result in results if result.case]
    same = sum(not _changes(result) for result in cases)
    click.echo(f"{len(cases) - same} of {len(cases)} cases changed")


def _changes(result: Result) -> str:
    from decimal import Decimal

    from promptopt.budget.failure_text import metric_change
    from promptopt.budget.limits import METRICS

    parts = []
    for metric in METRICS:
        old, now = result.numbers.get(metric, (None, None))
        if old is not None and now is not None and old != now:
            parts.append(metric_change(metric, Decimal(str(old)), Decimal(str(now))))
    return ", ".join(parts)


@command.command("fetch")
@click.argument("ref", required=False)
def fetch(ref: str | None) -> None:
    """Fetch into a shallow clone the commits that a comparison with REF needs, and those that a drift looks back to.

    The only command of the budget that uses the network. REF: `origin/main`, or a branch, tag or commit of origin.
    """
    from promptopt.budget.fetch import fetch_base, fetch_days
    from promptopt.budget.settings import load_settings
    from promptopt.config import load_config

    config = load_config()
    lines = [fetch_base(config, ref) if ref else None, fetch_days(config, load_settings(config))]
    for line in filter(None, lines):
        click.echo(line)


@command.command("log")
@click.argument("prompt")
@click.option("--since", metavar="DATE|REF", help="Only what changed since a date, a commit or a tag.")
def log(prompt: str, since: str | None) -> None:
    """Show the history of a prompt's lock with its reasons, and what all changes add up to."""
    from promptopt.budget.drift import log_lines
    from promptopt.budget.result import one_line
    from promptopt.config import load_config

    for line in log_lines(load_config(), prompt, since):
        click.echo(one_line(line))


@command.command("update")
@click.argument("prompts", nargs=-1, metavar="[PROMPT]...")
@click.option("--case", "cases", multiple=True, metavar="CASE", help="Only this case; needs exactly one PROMPT.")
@click.option("--new", is_flag=True, help="Only cases that are not locked yet; no other count changes.")
@click.option("--removed", is_flag=True, help="Only remove the entries of cases that are gone; no count changes.")
@click.option("--reason", default="", help="Why a count rises; required if one does.")
def update(prompts: tuple[str, ...], cases: tuple[str, ...], new: bool, removed: bool, reason: str) -> None:
    """Lock what prompts cost now, and remove the entries of cases that are gone. Refused in CI."""
    if new + removed + bool(cases) > 1:
        from promptopt.errors import UsageError

        raise UsageError("--case, --new and --removed choose other cases: give one of them")
    _write(prompts, cases, reason, only="new" if new else "removed" if removed else "")


@command.command("trim")
@click.argument("prompts", nargs=-1, metavar="[PROMPT]...")
def trim(prompts: tuple[str, ...]) -> None:
    """Lower locked counts to what prompts cost now, raise none. Refused in CI."""
    _write(prompts, (), "", trim=True)


def _write(
    prompts: tuple[str, ...],
    cases: tuple[str, ...],
    reason: str,
    *,
    trim: bool = False,
    only: Literal["new", "removed", ""] = "",
) -> None:
    from promptopt.budget.discovery import discover, nothing_to_guard
    from promptopt.budget.update import draft_removals, draft_updates, refuse_in_ci, write_locks
    from promptopt.config import load_config
    from promptopt.errors import UsageError

    refuse_in_ci()
    if cases and len(prompts) != 1:
        raise UsageError("--case needs exactly one prompt")
    config = load_config()
    # A lock whose prompt is gone is removed, but not by a command for other prompts.
    removals = [] if trim or cases else draft_removals(config, prompts or None)
    gone = {draft.prompt for draft in removals}
    wanted = [name for name in prompts if name not in gone]
    guarded = {} if prompts and not wanted else discover(config, wanted).guarded
    if not guarded and not removals:
        raise nothing_to_guard(config)
    if only == "removed":
        guarded = {name: prompt for name, prompt in guarded.items() if prompt.lock is not None}
    chosen = {name: (prompt, _chosen_cases(prompt, cases, only)) for name, prompt in guarded.items()}
    drafts = [*([] if only else removals), *draft_updates(chosen, reason, trim=trim)]
    written = write_locks(drafts, reason)
    for file in written:
        click.echo(f"{file.path}: {len(file.lines)} change{'s' * (len(file.lines) != 1)}")
        for line in file.lines[:10]:
            click.echo(f"  {line}")
        if len(file.lines) > 10:
            click.echo(f"  and {len(file.lines) - 10} more")
    if not written:
        click.echo("nothing to trim: no prompt costs less" if trim else "nothing to update: all locks are up to date")


def _chosen_cases(
    prompt: GuardedPrompt, cases: tuple[str, ...], only: Literal["new", "removed", ""]
) -> set[str] | None:
    """The cases to lock; ``None``: all. A case that only the lock has is removed from it."""
    from promptopt.budget.result import one_line
    from promptopt.errors import UsageError, did_you_mean

    if not cases and not only:
        # Even if the lock is broken: it is written again.
        return None
    locked = set(prompt.lock.cases if prompt.lock else ())
    if only:
        return set(prompt.cases) - locked if only == "new" else locked - set(prompt.cases)
    # Messages show line ends and other control characters of a name as escapes.
    known = {**{one_line(name): name for name in (*prompt.cases, *locked)}, **dict.fromkeys((*prompt.cases, *locked))}
    for case in cases:
        if case not in known:
            raise UsageError(f"{prompt.name} has no case {case!r}.{did_you_mean(case, known)}")
    return {known[case] or case for case in cases}
