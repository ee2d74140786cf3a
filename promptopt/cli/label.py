"""``promptopt label``."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptopt.cli.options import one_output
from promptopt.errors import UsageError

if TYPE_CHECKING:
    from promptopt.labelling import LabelTable, ShownAnswer

_SHOWN = 5
# What is asked with `--score`.
_SCORES = {"1": "0", "2": "0.25", "3": "0.5", "4": "0.75", "5": "1"}
_WORDS = {"p": "pass", "f": "fail"}
_ACTIONS = "s skip  u undo  n note  q quit"


@click.command("label")
@click.argument("suite")
@one_output("The labels [default: suites/NAME/labels.csv].")
@click.option("--prompt", "prompts", multiple=True, help="Only answers of this prompt, or NAME@VERSION.")
@click.option("--most", type=click.IntRange(min=1), metavar="N", help="Show at most N answers [default: all].")
@click.option("--score", "scored", is_flag=True, help="Ask for a score (0 to 1 in five steps) instead of pass or fail.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the order.")
@click.option("--labeller", metavar="NAME", help="Who labels [default: your name on this machine].")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one offline page to label in, instead.")
@click.option("--import", "saved", type=click.Path(path_type=Path), help="Read what such a page has saved, instead.")
def command(
    suite: str,
    output: Path | None,
    prompts: tuple[str, ...],
    most: int | None,
    scored: bool,
    seed: int,
    labeller: str | None,
    page: Path | None,
    saved: Path | None,
) -> None:
    """Label the recorded answers to SUITE by hand: one after the other, shuffled, without saying who gave them.

    Each label is written at once, so that the same command goes on from there. Answers that read the same are shown
    once. `compare` and `judge calibrate` read the labels.

    \b
    promptopt label reviews
    promptopt label reviews --html reviews.html
    promptopt label reviews --import reviews-labels.json
    """
    from promptopt.files import replace_file, show_path
    from promptopt.labelling import LabelTable, answers_to_label, import_page, label_page
    from promptopt.suites import load_suite

    if page is not None and saved is not None:
        raise UsageError("--html writes a page and --import reads one back: give one of them")
    found = load_suite(suite)
    answers = answers_to_label(found, prompts=prompts, seed=seed)
    who = labeller or _own_name()
    table = LabelTable(output or found.recordings.with_name("labels.csv"))
    if saved is not None:
        count, strange = import_page(saved, answers, table, who)
        click.echo(f"{show_path(table.path)}: {count:,} label{'s' * (count != 1)} of {show_path(saved)}")
        if strange:
            names = ", ".join(case for case, _ in strange[:_SHOWN])
            click.echo(f"{len(strange):,} are of no answer that is recorded now, and are left out: {names}", err=True)
        return
    done = table.labelled_by(who)
    left = [each for each in answers if each.key not in done][:most]
    if page is not None:
        replace_file(page, label_page(found.name, left, who, scored=scored))
        click.echo(f"{show_path(page)}: {len(left):,} answers to label; {len(done):,} are labelled already", err=True)
        return
    if not left:
        click.echo(f"all {len(answers):,} answers are labelled in {show_path(table.path)}", err=True)
        return
    _Session(left, table, who, _SCORES if scored else _WORDS).run()
    count = len(table.labelled_by(who))
    click.echo(f"{count:,} of {len(answers):,} answers are labelled in {show_path(table.path)}", err=True)


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may have no user of this number.
        return "somebody"


class _Session:
    """Asks for one answer after the other."""

    def __init__(self, answers: list[ShownAnswer], table: LabelTable, labeller: str, keys: dict[str, str]) -> None:
        self._answers = answers
        self._table = table
        self._labeller = labeller
        self._keys = keys
        # What was labelled, or skipped.
        self._past: list[tuple[int, bool]] = []
        self._notes: dict[int, str] = {}
        self._waiting = list(range(len(answers)))

    def run(self) -> None:
        """Until all are labelled, or the labeller leaves."""
        read = _key if sys.stdin.isatty() else _line
        while self._waiting:
            self._show(self._waiting[0])
            if not self._do(read):
                return
        if skipped := sum(not labelled for _, labelled in self._past):
            click.echo(f"{skipped:,} skipped; the same command shows them again")

    def _show(self, number: int) -> None:
        from promptopt.tables import printable

        answer, done = self._answers[number], len(self._answers) - len(self._waiting)
        click.echo()
        click.secho(f"{done + 1} of {len(self._answers)}", bold=True)
        for name, text in answer.inputs:
            click.secho(printable(name), dim=True)
            click.echo(_indented(printable(text)))
        click.secho("answer", bold=True)
        click.echo(_indented(printable(answer.text) or "(empty)"))

    def _do(self, read: Callable[[], str]) -> bool:
        """Whether to go on, after a key that means something."""
        labels = "  ".join(f"{key} {label}" for key, label in self._keys.items())
        while True:
            click.echo(f"{labels}   {_ACTIONS}: ", nl=False)
            key = read()
            if key == "q":
                return False
            if key in self._keys or key in self._keys.values():
                self._label(self._keys.get(key, key))
            elif key == "s":
                click.echo("skipped")
                self._past.append((self._waiting.pop(0), False))
            elif key == "u":
                self._undo()
            elif key == "n":
                click.echo("note: ", nl=False)
                self._notes[self._waiting[0]] = _line(lower=False)
                continue
            else:
                click.echo(f"{key!r} is not one of {', '.join([*self._keys, 's', 'u', 'n', 'q'])}")
                continue
            return True

    def _label(self, label: str) -> None:
        number = self._waiting[0]
        self._table.add(self._answers[number], label, self._labeller, note=self._notes.get(number, ""))
        click.echo(label)
        self._past.append((self._waiting.pop(0), True))

    def _undo(self) -> None:
        if not self._past:
            click.echo("nothing to undo")
            return
        number, labelled = self._past.pop()
        if labelled:
            self._table.remove(self._answers[number], self._labeller)
        click.echo("taken back")
        self._waiting.insert(0, number)


def _key() -> str:
    key = click.getchar()
    if key in ("\x03", "\x04"):
        return "q"
    return key.lower()


def _line(*, lower: bool = True) -> str:
    line = sys.stdin.readline()
    if not line:
        return "q" if lower else ""
    return line.strip().lower() if lower else line.strip()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
