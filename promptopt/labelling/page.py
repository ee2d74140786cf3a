"""One page for labelling that opens offline: it knows nothing of who gave which answer, and saves JSON or CSV."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from promptopt.errors import InputError
from promptopt.files import decode, show_path
from promptopt.judges.labels import FEWEST_DIGITS
from promptopt.labelling.answers import ShownAnswer
from promptopt.labelling.table import LabelTable
from promptopt.suites.table import read_rows
from promptopt.values import canonical_json, sha256_hex

_FORMAT = 1
_PLACES = re.compile("@(SUITE|HASH|SCRIPT|DATA)@")


def label_page(suite: str, answers: Sequence[ShownAnswer], labeller: str, *, scored: bool = False) -> str:
    """The page.

    Args:
        scored: Whether answers get a score (0, 0.25, 0.5, 0.75, 1), or pass or fail.
    """
    shown = [
        {"case": each.case, "answer_sha256": each.answer_sha256, "inputs": each.inputs, "text": each.text}
        for each in answers
    ]
    identity = sha256_hex(canonical_json([scored, [(each.case, each.answer_sha256) for each in answers]]))[:16]
    data = {"suite": suite, "id": identity, "labeller": labeller, "scored": scored, "answers": shown}
    # Within a script element nothing ends it but its end tag, and a comment may hide that.
    text = json.dumps(data).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {"SUITE": html.escape(suite), "HASH": digest, "SCRIPT": script, "DATA": text}
    # In one pass: what is put into a place is not looked at again.
    return _PLACES.sub(lambda place: parts[place[1]], _file("page.html"))


def _file(name: str) -> str:
    return files("promptopt.labelling").joinpath(name).read_text(encoding="utf-8")


def import_page(
    path: Path, answers: Sequence[ShownAnswer], table: LabelTable, labeller: str
) -> tuple[int, list[tuple[str, str]]]:
    """Write the labels that a page has saved into a table.

    Args:
        labeller: Whose they are, if the page does not say.

    Returns:
        How many labels there were for answers that are recorded, and the case and the digest (its first digits) of the
        others.

    Raises:
        InputError: The file cannot be read or is not of a page, or none of its labels is of a recorded answer.
    """
    known = {each.key: each for each in answers}
    found: dict[str, list[tuple[ShownAnswer, str, str, str | None]]] = {}
    strange: list[tuple[str, str]] = []
    for line, row in _saved_rows(path):
        key = (str(row.get("case", "")), str(row.get("answer_sha256", ""))[:FEWEST_DIGITS])
        label = _checked(row.get("label"), path, line)
        if key not in known:
            strange.append(key)
            continue
        by = str(row.get("labeller") or labeller)
        found.setdefault(by, []).append(
            (known[key], label, str(row.get("note") or ""), str(row.get("at") or "") or None)
        )
    count = sum(map(len, found.values()))
    if not count:
        what = f"none of its {len(strange)} labels is of an answer that is recorded" if strange else "has no label"
        raise InputError(what, path=show_path(path))
    for by, labels in found.items():
        table.add_all(labels, by)
    return count, strange


def _saved_rows(path: Path) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    shown = show_path(path)
    try:
        text = decode(path.read_bytes(), shown, InputError)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=shown) from None
    if path.suffix.lower() == ".csv":
        yield from read_rows(text, shown, InputError)
        return
    try:
        saved = json.loads(text)
        rows = saved["labels"]
        if saved["v"] != _FORMAT or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("is not what a page of `promptopt label --html` saves", path=shown) from None
    for row in rows:
        yield None, row


def _checked(label: Any, path: Path, line: int | None) -> str:
    text = str(label).strip()
    if text not in ("pass", "fail"):
        try:
            good = 0 <= float(text) <= 1
        except ValueError:
            good = False
        if not good:
            shown = show_path(path)
            raise InputError(f"label: {text!r} is not pass, fail, or a number between 0 and 1", path=shown, line=line)
    return text
