"""Labels of people: ``case,repetition,variant,answer_sha256,label[,labeller,at]``, as ``promptopt label`` writes them.

A label is ``pass`` or ``fail``, or a number between 0 and 1, and belongs to the text of an answer. Answers that
read the same share it. Other columns are passed over; ``score`` is a judge's score of the answer, for labels from
elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from promptopt.errors import InputError, did_you_mean
from promptopt.files import decode, show_path
from promptopt.suites.table import read_rows
from promptopt.values import sha256_hex

_COLUMNS = ("case", "repetition", "variant", "answer_sha256", "label", "score", "labeller", "at")
_WORDS = {"pass": 1.0, "fail": 0.0, "true": 1.0, "false": 0.0}
FEWEST_DIGITS = 12


class LabelError(InputError):
    """A file of labels cannot be read."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of one answer.

    Attributes:
        answer_sha256: Of the answer's text; at least its first 12 digits.
        value: 0 (bad) to 1 (good); ``None`` for a row that has only a judge's score.
        score: A judge's score of it, if the file has one.
    """

    case: str
    variant: str
    repetition: int
    answer_sha256: str
    value: float | None
    score: float | None = None
    line: int | None = None


def answer_sha256(answer: str) -> str:
    """What a label calls an answer by: the SHA-256 of its text without white space around it."""
    return sha256_hex(answer.strip())


def read_labels(path: Path, *, needed: bool = True) -> tuple[Label, ...]:
    """The labels of a file.

    Args:
        needed: Whether it must have one.

    Raises:
        LabelError: It cannot be read, has no column ``label``, or a row makes no sense.
    """
    shown = show_path(path)
    try:
        text = decode(path.read_bytes(), shown, LabelError)
    except OSError as error:
        raise LabelError(f"cannot be read: {error.strerror}", path=shown) from None
    found = [_label(row, shown, line) for line, row in read_rows(text, shown, LabelError)]
    if needed and not any(label.value is not None for label in found):
        raise LabelError("has no label", path=shown, remedy="write them with: promptopt label SUITE")
    return tuple(found)


def _label(row: Mapping[str, str], path: str, line: int) -> Label:
    if "label" not in row:
        near = next((f" Is it {name!r}?" for name in row if name and did_you_mean(name.lower(), ["label"])), "")
        raise LabelError(f"has no column 'label'.{near}", path=path, line=1, remedy=f"columns: {', '.join(_COLUMNS)}")
    digest = row.get("answer_sha256", "").strip()
    if not digest and not row.get("score", "").strip():
        raise LabelError("has neither `answer_sha256` nor `score`: nothing is labelled", path=path, line=line)
    if digest and (len(digest) < FEWEST_DIGITS or set(digest.lower()) - set("0123456789abcdef")):
        raise LabelError(f"answer_sha256: {digest!r} is not a SHA-256 digest", path=path, line=line)
    repetition = row.get("repetition", "").strip() or "0"
    if not repetition.isdecimal():
        raise LabelError(f"repetition: {repetition!r} is not a whole number", path=path, line=line)
    value = _number(row["label"], "label", path, line)
    return Label(
        row.get("case", ""),
        row.get("variant", ""),
        int(repetition),
        digest.lower(),
        value,
        _number(row.get("score", ""), "score", path, line),
        line,
    )


def _number(text: str, column: str, path: str, line: int) -> float | None:
    text = text.strip()
    if not text:
        return None
    value = _WORDS.get(text.lower())
    if value is None:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
    if not 0 <= value <= 1:
        raise LabelError(f"{column}: {text!r} is not pass, fail, or a number between 0 and 1", path=path, line=line)
    return value
