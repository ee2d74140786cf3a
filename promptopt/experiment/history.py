"""A prompt over its versions and git commits, and what differs between two versions."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from promptopt.config import Config
from promptopt.errors import PromptoptError, UsageError
from promptopt.experiment.compare import compare
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.estimate import Estimate, OutputBasis, estimate
from promptopt.experiment.runs import Answered
from promptopt.files import run_git, show_path
from promptopt.suites import find_suite, load_suite
from promptopt.templates import Template, list_prompts, load_prompt
from promptopt.tokens import tokenizer_for

_FIELD, _START = "\x1f", "\x1e"


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A prompt at one time.

    Attributes:
        version: ``v2``; empty for a prompt without versions.
        commit: Ten letters of the commit that wrote it so; empty if it is not committed.
        when: The day of the commit, ``2026-11-21``; empty if it is not committed.
        subject: Of the commit.
        path: Where it was then.
        input_tokens: The mean of today's cases; of the prompt alone, if none can be rendered.
        output_tokens: Recorded answers, or the cap (``output_basis`` says which); ``None`` if neither is known.
        usd_per_call: At today's list price; ``None`` if unpriced, or without a known output.
        usd_per_month: With its ``calls_per_month``; ``None`` if that is not said.
        quality: Of recorded answers, 0 to 1; ``None`` if there are none to exactly these requests.
        why: Why a number is missing; empty if none is.
    """

    version: str
    commit: str
    when: str
    subject: str
    path: str
    input_tokens: float | None
    output_tokens: float | None
    output_basis: OutputBasis
    usd_per_call: float | None
    usd_per_month: float | None
    quality: float | None
    why: str = ""


def prompt_history(prompt: str, config: Config, most: int = 20) -> list[HistoryPoint]:
    """A prompt's versions and what commits made of each, the oldest first; renamed files are followed.

    All are measured with today's suite, prices and tokenizers, so that what changes is the prompt.

    Args:
        prompt: Its name.
        most: The newest so many.

    Raises:
        UsageError: There is no such prompt.
    """
    files = next((each for each in list_prompts(config) if each.name == prompt), None)
    if files is None:
        load_prompt(prompt, config=config)
        raise UsageError(f"{prompt!r} is a file or a version; a history is of a prompt by its name (promptopt list)")
    found: list[tuple[str, int, str, str, str, str]] = []
    for number, (version, path) in enumerate(files.versions):
        # In the order of the commits, several of which may have one time.
        commits = list(_commits(path))[::-1]
        found += [(when, number, version, commit, subject, then) for commit, when, subject, then in commits]
        if not commits or _differs(path):
            found.append(("9999", number, version, "", "not committed", show_path(path)))
    found.sort(key=lambda each: each[:2])
    return [_point(prompt, config, *each[2:5], each[5], each[0]) for each in found[-most:]]


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        printed = run_git(folder, "-c", "core.quotePath=off", *arguments)
    except OSError:
        return None
    return None if printed is None else printed.decode("utf-8", "replace")


def _commits(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Commit, time, subject and the path then, the newest first."""
    form = _START + _FIELD.join(("%H", "%cI", "%s"))
    printed = _git(path.parent, "log", "--follow", "--name-status", f"--format={form}", "--", path.name) or ""
    for block in printed.split(_START)[1:]:
        head, _, rest = block.partition("\n")
        commit, when, subject = head.split(_FIELD, 2)
        names = [line.split("\t") for line in rest.splitlines() if "\t" in line]
        if names and not names[0][0].startswith("D"):
            yield commit, when, subject, names[0][-1]


def _differs(path: Path) -> bool:
    return bool((_git(path.parent, "status", "--porcelain", "--", path.name) or "").strip())


def _point(prompt: str, config: Config, version: str, commit: str, subject: str, path: str, when: str) -> HistoryPoint:
    day = when[:10] if commit else ""
    known = (version, commit[:10], day, subject, path)
    try:
        template = load_prompt(f"{commit}:{_from_here(path)}" if commit else path, config=config)
        counted = _estimate(template, prompt, config)
    except PromptoptError as error:
        return HistoryPoint(*known, None, None, "unknown", None, None, None, _first_line(error))
    quality, why = _quality(template, prompt, config)
    cost = counted.cost(counted.price) if counted.output_tokens is not None else None
    usd = None if cost is None else float(cost.total_usd)
    month = None if usd is None or not counted.calls_per_month else usd * counted.calls_per_month
    return HistoryPoint(
        *known, counted.input_tokens, counted.output_tokens, counted.output_basis, usd, month, quality, why
    )


def _from_here(path: str) -> str:
    """A path from the root of the repository, from the current folder."""
    top = _git(Path.cwd(), "rev-parse", "--show-toplevel")
    whole = Path((top or "").strip()) / path
    try:
        return whole.relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path


def _first_line(error: PromptoptError) -> str:
    return str(error).splitlines()[0]


def _estimate(template: Template, prompt: str, config: Config) -> Estimate:
    suite = find_suite(prompt, config=config)
    return estimate(template, config, suite=None if suite is None else load_suite(suite, config=config))


def _quality(template: Template, prompt: str, config: Config) -> tuple[float | None, str]:
    suite = find_suite(prompt, config=config)
    if suite is None:
        return None, "no suite"
    try:
        return compare(template, suite=str(suite), record="none").variants[0].quality, ""
    except PromptoptError as error:
        return None, _first_line(error)


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of two prompts: ``same``, or of one of them; ``tokens`` are of the line as it is written."""

    kind: Literal["same", "old", "new"]
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class ChangedCase:
    """A case whose recorded answers differ; ``old`` and ``new`` are the answers."""

    case: str
    old: str
    new: str
    old_passed: bool
    new_passed: bool

    @property
    def flips(self) -> bool:
        """One passes and the other fails."""
        return self.old_passed != self.new_passed


@dataclass(frozen=True, slots=True)
class PromptDiff:
    """What differs between two prompts.

    Attributes:
        lines: Of both files, in order.
        input_tokens: Means of the cases of each; ``output_tokens``, ``usd_per_call`` and ``usd_per_month`` likewise,
            ``None`` if unknown.
        cases: The cases whose recorded answers differ, those that pass or fail otherwise first; ``compared`` is how
            many have answers of both.
        why: Why no answers are compared; empty if they are.
    """

    old: str
    new: str
    lines: tuple[DiffLine, ...]
    input_tokens: tuple[float | None, float | None]
    output_tokens: tuple[float | None, float | None]
    usd_per_call: tuple[float | None, float | None]
    usd_per_month: tuple[float | None, float | None]
    cases: tuple[ChangedCase, ...]
    compared: int
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data: what ``--json`` prints."""
        cases = [asdict(case) | {"flips": case.flips} for case in self.cases]
        return {"version": 1, **asdict(self), "cases": cases}


def diff_prompts(old: str, new: str, config: Config, suite: str | None = None) -> PromptDiff:
    """Two prompts line by line, what each costs, and the cases whose recorded answers differ.

    Raises:
        PromptoptError: One of them cannot be read or rendered.
    """
    templates = [load_prompt(old, config=config), load_prompt(new, config=config)]
    named = suite or next(
        (str(found) for each in templates if (found := find_suite(each.origin.prompt, config=config))), None
    )
    loaded = None if named is None else load_suite(named, config=config)
    counted = [estimate(each, config, suite=loaded) for each in templates]
    usd = [
        None if each.output_tokens is None or (cost := each.cost(each.price)) is None else float(cost.total_usd)
        for each in counted
    ]
    months = [
        None if dollars is None or not each.calls_per_month else dollars * each.calls_per_month
        for dollars, each in zip(usd, counted, strict=True)
    ]
    cases: tuple[ChangedCase, ...] = ()
    compared, why = 0, ""
    if loaded is None:
        why = "no suite"
    else:
        try:
            compared, cases = _changed(compare(*templates, suite=named, record="none"))
        except PromptoptError as error:
            why = _first_line(error)
    return PromptDiff(
        old=templates[0].origin.label,
        new=templates[1].origin.label,
        lines=tuple(_lines(*templates)),
        input_tokens=(counted[0].input_tokens, counted[1].input_tokens),
        output_tokens=(counted[0].output_tokens, counted[1].output_tokens),
        usd_per_call=(usd[0], usd[1]),
        usd_per_month=(months[0], months[1]),
        cases=cases,
        compared=compared,
        why=why,
    )


def _lines(old: Template, new: Template) -> Iterator[DiffLine]:
    count = tokenizer_for(new.front.model or old.front.model).count
    before, after = old.source.splitlines(), new.source.splitlines()
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (DiffLine("same", line, count(line)) for line in before[a:b])
        else:
            yield from (DiffLine("old", line, count(line)) for line in before[a:b])
            yield from (DiffLine("new", line, count(line)) for line in after[c:d])


def _changed(comparison: Comparison) -> tuple[int, tuple[ChangedCase, ...]]:
    compared = 0
    found = []
    for first, second in zip(*(run.trials for run in comparison.runs), strict=True):
        if not (isinstance(first, Answered) and isinstance(second, Answered)):
            continue
        compared += 1
        old, new = first.shown, second.shown
        if old != new or first.passed != second.passed:
            found.append(ChangedCase(first.case, old, new, first.passed, second.passed))
    return compared, tuple(sorted(found, key=lambda case: not case.flips))


def history_svg(prompt: str, points: Sequence[HistoryPoint]) -> str:
    """A picture of a history: tokens, dollars and quality over the points, one above the other."""
    from html import escape

    width, height, left, top = 760, 120, 140, 40
    panels: tuple[tuple[str, list[float | None], str], ...] = (
        ("input tokens", [each.input_tokens for each in points], "{:,.0f}"),
        ("output tokens", [each.output_tokens for each in points], "{:,.0f}"),
        ("$ per 1,000 calls", [None if p.usd_per_call is None else p.usd_per_call * 1000 for p in points], "${:,.4f}"),
        ("quality, %", [None if p.quality is None else p.quality * 100 for p in points], "{:,.1f}"),
    )
    step = (width - left - 60) / max(len(points) - 1, 1)
    parts = [f'<text x="16" y="24" class="h">{escape(prompt)}</text>']
    for number, (name, values, form) in enumerate(panels):
        base = top + number * height
        known = [value for value in values if value is not None]
        parts.append(f'<text x="16" y="{base + 50}">{name}</text>')
        if not known:
            parts.append(f'<text x="{left + 20}" y="{base + 50}" class="s">not known</text>')
            continue
        most = max(known) or 1.0
        spots = [
            (left + 20 + at * step, base + 90 - value / most * 60, form.format(value))
            for at, value in enumerate(values)
            if value is not None
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)
        parts.append(f'<path d="M{left} {base + 90.5}H{width - 20}" class="a"/><polyline points="{line}"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/><text x="{x:.1f}" y="{y - 8:.1f}" class="m">{said}</text>'
            for x, y, said in spots
        ]
    below = top + len(panels) * height
    for at, each in enumerate(points):
        x = left + 20 + at * step
        parts.append(f'<text x="{x:.1f}" y="{below}" class="m">{escape(each.version or "-")}</text>')
        parts.append(f'<text x="{x:.1f}" y="{below + 16}" class="m s">{each.commit[:7] or "new"}</text>')
    style = (
        "text{font:13px system-ui,sans-serif;fill:#222}.h{font-size:16px;font-weight:600}.s{fill:#666;font-size:11px}"
        ".m{text-anchor:middle;font-size:11px}polyline{fill:none;stroke:#1f6feb;stroke-width:2}circle{fill:#1f6feb}"
        ".a{stroke:#bbb}svg{background:#fff}@media(prefers-color-scheme:dark){svg{background:#111}text{fill:#eee}"
        ".s{fill:#aaa}}"
    )
    title = f"<title>{escape(prompt)}: tokens, dollars and quality over its versions</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {below + 30}" role="img">{title}'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )
