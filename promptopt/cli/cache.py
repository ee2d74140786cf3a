"""``promptopt cache``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptopt.cli.options import one_output
from promptopt.errors import UsageError

if TYPE_CHECKING:
    from promptopt.gateway.semantic.calibrate import Search
    from promptopt.gateway.stores.base import CacheStore


@click.group("cache")
def command() -> None:
    """List and clear kept answers; calibrate the semantic cache."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def list_(as_json: bool) -> None:
    """List what is kept, the newest first."""
    from datetime import UTC, datetime

    from promptopt.tables import table

    with _store() as store:
        entries = list(store.entries())
    rows = [
        {
            "created": datetime.fromtimestamp(entry.created, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            "expires": datetime.fromtimestamp(entry.expires, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            "prompt": entry.prompt,
            "model": entry.model,
            "text": entry.excerpt,
        }
        for entry in entries
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        cells = [[str(cell or "-").replace("\n", " ")[:60] for cell in row.values()] for row in rows]
        # Times are never broken over two lines: texts give way.
        click.echo(table(cells, list(rows[0]), columns=["right", "right", "left", "left", "left"]))
    else:
        click.echo("nothing is kept", err=True)


@command.command("clear")
@click.option("--prompt", help="Only answers to this prompt (all versions), or NAME@VERSION.")
@click.option("--model", help="Only answers of this model.")
@click.option("--older-than", metavar="AGE", help="Only answers older than 90s, 30m, 12h or 7d.")
@click.option("--all", "everything", is_flag=True, help="All answers.")
def clear(prompt: str | None, model: str | None, older_than: str | None, everything: bool) -> None:
    """Forget kept answers: those that match every option."""
    import time

    from promptopt.gateway.layers.semantic import forget_questions
    from promptopt.gateway.settings import seconds

    if not (prompt or model or older_than or everything):
        raise UsageError("say what to clear: --prompt, --model, --older-than, or --all")
    before = None if older_than is None else time.time() - seconds(older_than, "--older-than")
    with _store() as store:
        count = store.clear(prompt=prompt, model=model, before=before)
    count += forget_questions(_folder(), prompt=prompt, model=model, before=before)
    click.echo(f"{count:,} answer{'s' * (count != 1)} cleared")


@command.command("calibrate")
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option("--embedder", default="wordllama", show_default=True, help="wordllama, or openai:MODEL.")
@click.option("--false-hits", type=float, default=0.01, show_default=True, help="Share of hits that may be wrong.")
@one_output("Where to write the calibration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def calibrate_(pairs: Path, embedder: str, false_hits: float, output: Path | None, as_json: bool) -> None:
    """Find the semantic cache's threshold for an embedder, or refuse.

    PAIRS is CSV with text_a, text_b and same (1 or 0). Take pairs as your traffic makes them: a question and its
    nearest earlier question. Exit code 1 if no threshold keeps false hits within the budget.
    """
    from dataclasses import asdict

    from promptopt.files import show_path
    from promptopt.gateway.semantic.calibrate import calibrate, read_pairs, write_calibration
    from promptopt.gateway.semantic.embedders import make_embedder

    if not 0 < false_hits < 1:
        raise UsageError(f"--false-hits {false_hits:g} is not a share between 0 and 1")
    found = read_pairs(pairs)
    search = calibrate(found, make_embedder(embedder), false_hits)
    path = output or _folder() / "semantic.json"
    if search.chosen is not None:
        write_calibration(search, path)
    elif path.exists():
        path.unlink()
    click.echo(json.dumps(asdict(search), indent=2) if as_json else _search_text(search))
    if search.chosen is None:
        click.echo(
            f"no threshold keeps false hits within the budget; the semantic cache stays off{_larger(search)}", err=True
        )
        raise click.exceptions.Exit(1)
    click.echo(f"written to {show_path(path)}; switch it on: [tool.promptopt.gateway] semantic = {{}}", err=True)


def _larger(search: Search) -> str:
    if search.smallest is None:
        return ""
    budget, found = search.smallest
    return (
        f". --false-hits {budget:g} could be met: threshold {found.threshold:.4f}, "
        f"{found.hits / search.pairs:.1%} of the pairs are hits"
    )


def _search_text(search: Search) -> str:
    from promptopt.tables import table

    rows = [
        [
            f"{each.threshold:.4f}",
            f"{each.hits:,}",
            f"{each.false_hits:,}",
            f"{each.false_hits / each.hits:.2%}",
            f"{each.bound:.2%}",
            "chosen" if each == search.chosen else "within" if each.bound <= search.budget else "",
        ]
        for each in search.candidates
    ]
    head = (
        f"{search.pairs:,} pairs, embedder {search.embedder}; {search.guarded:,} have different hard facts "
        f"({search.guarded_false:,} of them have different answers)\n"
    )
    if search.guarded:
        by = ", ".join(
            f"{name} {count:,} ({search.guarded_same.get(name, 0):,} with one answer)"
            for name, count in search.guarded_by.items()
        )
        head += f"what differs first: {by}\n"
    return head + table(rows, ["threshold", "hits", "false", "share", "95% bound", f"budget {search.budget:.2%}"])


def _folder() -> Path:
    from promptopt.config import load_config
    from promptopt.gateway.settings import read_settings

    return read_settings(load_config()).path


@contextmanager
def _store() -> Iterator[CacheStore]:
    from promptopt.config import load_config
    from promptopt.gateway.assembly import open_store
    from promptopt.gateway.settings import read_settings
    from promptopt.gateway.stores.base import StoreDown

    store = open_store(replace(read_settings(load_config()), on_store_down="refuse"))
    try:
        yield store.cache()
    except StoreDown as error:
        raise UsageError(str(error)) from None
    finally:
        store.close()
