"""Labels of people: ``case,repetition,variant,answer_sha256,label[,labeller,at]``, as ``promptopt label`` writes them.

A label is ``pass`` or ``fail``, or a number between 0 and 1, and belongs to the text of an answer. Answers that
read the same share it. Other columns are passed over; ``score`` is a judge's score of the answer, for labels from
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptopt.errors import InputError, did_you_mean
from promptopt.files import decode, show_path
from promptopt.suites.table import read_rows
from promptopt.values import sha256_hex

_COLUMNS = ("case", "repetition", "variant", "answer_sha256", "label", "score", "labeller", "at")
_WORDS = {"pass": 1.0, "fail": 0.0, "true": 1.0, "false": 0.0}
FEWEST_DIGITS = 12
PASS = 0.5
"""The least label that is a pass."""

_SHOWN = 5


class LabelError(InputError):
    """A file of labels cannot be read."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of one answer.

    Attributes:
        answer_sha256: Of the answer's text; at least its first 12 digits.
        value: 0 (bad) to 1 (good); ``None`` for a row that has only a judge's score.
        score: A judge's score of it, if the file has one.
        labeller: Whose label it is; empty: nobody says so.
        at: When it was given, as it is written.
    """

    case: str
    variant: str
    repetition: int
    answer_sha256: str
    value: float | None
    score: float | None = None
    line: int | None = None
    labeller: str = ""
    at: str = ""

    @property
    def answer(self) -> tuple[str, str]:
        """What it belongs to: a case and the text of an answer."""
        return self.case, self.answer_sha256[:FEWEST_DIGITS]


@dataclass(frozen=True, slots=True)
class People:
    """How far people agree with each other.

    Attributes:
        several: Answers with labels of several people.
        contradicted: The cases of those of which some labels are a pass (0.5 or more) and some are not.
        ties: How many of the contradicted have no majority.
        replaced: Labels in the place of which the same person gave another one later.
    """

    several: int = 0
    contradicted: tuple[str, ...] = ()
    ties: int = 0
    replaced: int = 0

    def __str__(self) -> str:
        """What of it must be known to read the labels; empty if they agree."""
        said = []
        if self.contradicted:
            names = ", ".join(self.contradicted[:_SHOWN]) + (", ..." if len(self.contradicted) > _SHOWN else "")
            ties = f"; {self.ties:,} without a majority" if self.ties else ""
            said.append(
                f"labels of {len(self.contradicted):,} of {self.several:,} answers that several people labelled "
                f"contradict each other ({names}): their mean counts{ties}"
            )
        if self.replaced:
            said.append(f"{self.replaced:,} labels are not counted: the same person gave another one later")
        return "; ".join(said)


def by_answer(labels: Iterable[Label]) -> tuple[dict[tuple[str, str], list[float]], People]:
    """The labels of each answer, one of each person, and how far people agree.

    Of several of one person the last by ``at`` counts, or the last in the file. Those without a name are of different
    people.
    """
    found: dict[tuple[str, str], dict[str, Label]] = {}
    replaced = 0
    for label in sorted((each for each in labels if each.value is not None), key=lambda each: each.at):
        own = found.setdefault(label.answer, {})
        name = label.labeller or f"line {label.line}"
        replaced += name in own and own[name].value != label.value
        own[name] = label
    values = {answer: [own.value or 0.0 for own in given.values()] for answer, given in found.items()}
    several = {answer: each for answer, each in values.items() if len(each) > 1}
    split = [answer for answer, each in several.items() if min(each) < PASS <= max(each)]
    return values, People(
        several=len(several),
        contradicted=tuple(case for case, _ in split),
        ties=sum(is_tied(several[answer]) for answer in split),
        replaced=replaced,
    )


def is_tied(values: Sequence[float]) -> bool:
    """Whether as many of several labels are a pass as are none: there is no majority."""
    return len(values) > 1 and 2 * sum(value >= PASS for value in values) == len(values)


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
        row.get("labeller", "").strip(),
        row.get("at", "").strip(),
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
