"""What a page is made of: frozen values that know nothing of prompts or models.

All texts are plain: the page escapes them, and shows control and direction marks as escapes such as ``\\u202e``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Tone = Literal["good", "bad", "mixed", "unclear"]
"""Whether something is good news. It is never said by a colour alone."""

PlotKind = Literal["front", "bars", "intervals", "histogram", "waterfall", "curve", "ranges"]
"""The plots that ``plots.js`` draws; :class:`PlotBlock` says what each takes."""


@dataclass(frozen=True, slots=True)
class VerdictBlock:
    """A verdict with its reasons.

    Attributes:
        verdict: One or two words.
        about: What it is about, on the same line.
    """

    verdict: str
    about: str
    reasons: tuple[str, ...] = ()
    tone: Tone = "unclear"


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table that is written out, so that it is there without scripts and on paper.

    Attributes:
        headers: One for each column.
        rows: Cells as shown.
        caption: What the table shows, above it.
        left: How many columns from the left are texts; the others are numbers, aligned to the right.
        note: What a reader must know, below it.
        texts: Further columns of texts, counted from 0.
        most: How many rows are shown; how many were left out is said.
    """

    headers: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    left: int = 1
    note: str = ""
    texts: tuple[int, ...] = ()
    most: int = 1000


@dataclass(frozen=True, slots=True)
class PlotBlock:
    """A plot.

    Attributes:
        data: ``front``: ``points`` of label, x (dollars), y, low, high (shares), front, baseline; ``x`` and ``y`` name
            other axes, and with ``points_of_quality`` y is a difference.
            ``bars``: ``kinds``, and ``bars`` of label, kind, value; ``unit`` names the axis.
            ``intervals``: ``rows`` of label, value, low, high, tone; ``band`` is half the width of the grey band.
            ``histogram``: ``bins`` of group, low, high, count; ``x`` names the axis.
            ``waterfall``: ``steps`` of label, from, to (dollars) and kind: ``total`` or ``saving``.
            ``curve``: ``lines`` of label and ``points`` (x and y, shares from 0 to 1); ``x`` and ``y`` name the axes.
            ``ranges``: ``rows`` of label, value, low, high (dollars); ``x`` names the axis.
        summary: What the plot shows, in words: for those who cannot see it.
    """

    kind: PlotKind
    title: str
    data: Mapping[str, Any]
    summary: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class DiffBlock:
    """Two texts line by line, with a weight for each line (such as its tokens), shown as heat.

    Attributes:
        before: Lines of the first text, each with its weight; ``None`` if it is not known.
        after: Likewise.
        unit: What a weight counts.
    """

    title: str
    before: Sequence[tuple[str, float | None]]
    after: Sequence[tuple[str, float | None]]
    unit: str = "tokens"
    note: str = ""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A text as it is: lines are kept if it is preformatted."""

    text: str
    preformatted: bool = False


AnswerState = Literal["p", "f", "e", "b", "u"]
"""Passed, failed, no answer (an error), a scorer broke, or nobody judged it."""


@dataclass(frozen=True, slots=True)
class CaseAnswers:
    """The answers of one variant, one for each trial, in the same order for all variants.

    Attributes:
        texts: The answers; of a call that failed, why.
        states: See :data:`AnswerState`.
        endings: Why an answer ended; empty for a normal end. ``length`` is one that was cut off.
        said: What is said of it, such as why it did not pass.
        measures: For each metric the value of each trial; ``None`` if unknown.
        scores: Of each trial, what each assert says: its number in ``asserts``, its value, passed (1), not (0) or
            broken (2), and an explanation.
    """

    label: str
    texts: Sequence[str]
    states: Sequence[AnswerState]
    endings: Sequence[str]
    said: Sequence[str]
    measures: Sequence[Sequence[float | None]]
    scores: Sequence[Sequence[tuple[int, float, int, str]]] = ()


@dataclass(frozen=True, slots=True)
class CasesBlock:
    """Cases with the answers of one or more variants: searched, filtered and sorted in the page.

    Attributes:
        names: Of the cases; ``inputs`` and ``notes`` are what was asked and what else is known of each.
        repeats: How many trials each case has; they follow each other.
        metrics: Name and unit (``percent``, ``number`` or ``dollars``) of each.
        asserts: Names that scores point to.
    """

    title: str
    names: Sequence[str]
    inputs: Sequence[str]
    notes: Sequence[str]
    repeats: Sequence[int]
    metrics: Sequence[tuple[str, str]]
    answers: Sequence[CaseAnswers]
    asserts: Sequence[str] = ()


PageBlock = VerdictBlock | TableBlock | PlotBlock | DiffBlock | TextBlock | CasesBlock


@dataclass(frozen=True, slots=True)
class PageSection:
    """Blocks below a heading; without blocks it is left out."""

    title: str
    blocks: Sequence[PageBlock]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A whole page.

    Attributes:
        kind: What made it, such as ``promptopt compare``.
        title: Its heading.
        lead: Blocks above all sections: the verdict comes first.
        footer: Where everything comes from.
    """

    kind: str
    title: str
    lead: Sequence[PageBlock]
    sections: Sequence[PageSection] = ()
    footer: Sequence[str] = field(default=())
