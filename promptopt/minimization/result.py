"""What a search found: the next version with what each unit cost and was worth, the front, and what it took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptopt.compression.edit import unified
from promptopt.errors import TemplateError, UsageError
from promptopt.experiment.verdict import ALPHA
from promptopt.files import check_writable, write_new
from promptopt.minimization import text
from promptopt.minimization.choices import Reduced, Workbench
from promptopt.minimization.confirmation import Confirmed
from promptopt.minimization.drafts import CaseDraft, draft_cases
from promptopt.minimization.front import (
    NO_OUTLAY,
    FrontRow,
    Outlay,
    UnitWorth,
    front_rows,
    rounded,
    row_dict,
    unit_worths,
    worth_dict,
)
from promptopt.minimization.oracle import Oracle
from promptopt.minimization.plan import SearchPlan
from promptopt.minimization.tried import Tried
from promptopt.minimization.units import Unit
from promptopt.minimization.untested import Untested
from promptopt.money import usd
from promptopt.providers import Provider
from promptopt.tables import fold
from promptopt.templates import Template
from promptopt.templates.chat_file import without_suffix
from promptopt.templates.frontmatter import replace_value
from promptopt.templates.names import next_version
from promptopt.templates.readers import FolderReader

FORMAT_VERSION = 1
"""Of :meth:`Minimization.to_dict`. Within a version, keys are added and never changed or removed."""


@dataclass(frozen=True)
class Minimization:
    """The result of :func:`promptopt.minimize`.

    Attributes:
        plan: What was known before the first call.
        margin: Points of quality that may be lost.
        tried: All that was tried, in order.
        steps: Nested choices that the search was content with; the first is the prompt as it is.
        confirmed: Verdicts on cases never seen, from the choice that changes least on.
        untested: Facts that were taken out and that no case exercises; they were put back but for ``untested_removed``.
        stopped: Why the search ended early; empty if it did not.
        unconfirmed: Why nothing was to be confirmed, in words; empty if something was.
    """

    bench: Workbench = field(repr=False)
    plan: SearchPlan
    margin: float
    tried: tuple[Tried, ...] = ()
    steps: tuple[Reduced, ...] = (Reduced(),)
    confirmed: tuple[Confirmed, ...] = ()
    untested: tuple[Untested, ...] = ()
    untested_removed: bool = False
    outlay: Outlay = NO_OUTLAY
    stopped: str = ""
    oracle: Oracle | None = field(default=None, repr=False)
    unconfirmed: str = ""

    @property
    def chosen(self) -> Confirmed | None:
        """The cheapest choice that is shown to be not worse; ``None`` if none is."""
        accepted = [each for each in self.confirmed if each.accepted]
        return accepted[-1] if accepted else None

    @property
    def incomplete(self) -> bool:
        """Whether so many calls failed that nothing is known."""
        return any(each.decision.verdict == "incomplete" for each in self.confirmed)

    @property
    def template(self) -> Template:
        """The next version of the prompt; the prompt itself if nothing was confirmed."""
        return self.bench.template(self.chosen.choice if self.chosen else Reduced())

    @property
    def units(self) -> tuple[Unit, ...]:
        """All that might have gone."""
        return self.bench.units.units

    @property
    def removed(self) -> tuple[Unit, ...]:
        """What went: by itself, with what holds it, or by another move."""
        choice = self.chosen.choice if self.chosen else Reduced()
        gone = choice.removed | self.bench.rewritten(choice)
        return tuple(unit for unit in self.units if unit.id in gone or not self.bench.holds(choice, unit.id))

    @property
    def unsure(self) -> tuple[Untested, ...]:
        """Facts that no case tests, but for those that another move took out of the next version."""
        gone = self.bench.rewritten(self.chosen.choice) if self.chosen else ()
        return tuple(each for each in self.untested if each.unit.id not in gone)

    @property
    def unused_variables(self) -> tuple[str, ...]:
        """Variables that the next version has no place for any more."""
        return self.bench.units.unused([unit.id for unit in self.removed])

    def diff(self) -> str:
        """The next version as a diff of all files; empty if nothing was confirmed."""
        if self.chosen is None:
            return ""
        return self.diff_of(self.chosen.choice)

    def diff_of(self, choice: Reduced) -> str:
        """A choice as a diff of all files that it changes."""
        template = self.bench.units.template
        parts = []
        for name, after in sorted(self.bench.written(choice).items(), key=lambda pair: pair[0] != template.name):
            path = template.reader.display(name)
            before = template.source if name == template.name else template.reader.read(name)
            parts.append(unified(before, after, path, f"{path} (minimized)", template.front.model))
        return "".join(parts)

    def saved_per_call(self) -> float | None:
        """Dollars that a call of the next version costs less; ``None`` if the model is unpriced or nothing went."""
        dollars = self._of_chosen("usd_per_1k_calls")
        return None if dollars is None else -dollars / 1000

    def _of_chosen(self, metric: str) -> float | None:
        if self.chosen is None:
            return None
        return next(each for each in self.chosen.differences if each.metric == metric).difference

    def draft_cases(self, model: str, provider: Provider | None = None) -> list[CaseDraft]:
        """A case for each fact that no case tests, drafted by a model; :func:`write_drafts` writes them.

        What is left of the search's dollars may be spent.

        Raises:
            ProviderUnusable: No call can succeed.
        """
        left = None if self.plan.limit is None else self.plan.limit - self.outlay.usd
        return draft_cases(self.unsure, self.bench.units.template, self.bench.suite, model, provider, left)

    def with_drafts(self, drafts: Sequence[CaseDraft]) -> Minimization:
        """The same with what drafts took among its calls and dollars."""
        calls, spent = sum(each.calls for each in drafts), sum((each.usd for each in drafts), self.outlay.usd)
        return replace(self, outlay=replace(self.outlay, calls=self.outlay.calls + calls, usd=spent))

    def calls_to_repay(self) -> int | None:
        """Calls of the next version after which it has paid for this search and the earlier ones of the prompt.

        ``None`` if it is not known.
        """
        saved, spent = self.saved_per_call(), self.outlay.usd + self.outlay.earlier
        return None if saved is None or saved <= 0 else math.ceil(float(spent) / saved)

    def worths(self) -> list[UnitWorth]:
        """Each unit with what it costs and is worth."""
        untested = [each.unit for each in self.untested]
        return unit_worths(self.bench, self.tried, self.removed, untested)

    @property
    def own_quality(self) -> tuple[float, int] | None:
        """Mean quality of the prompt as it is, 0 to 1, and of how many cases; ``None`` before anything was asked."""
        return None if self.oracle is None else self.oracle.mean_quality(Reduced(), self.oracle.asked(Reduced()))

    def front(self) -> list[FrontRow]:
        """What was asked about, the cheapest first; whether it is on the front, as measured."""
        if self.oracle is None:
            return []
        return front_rows(self.oracle, self.tried, self.confirmed, self.plan.split.confirm)

    def write(self, target: Path | str | None = None) -> list[Path]:
        """Write the next version, and beside it the files with tools and schemas that change.

        Args:
            target: Where; by default the next number beside the prompt.

        Raises:
            UsageError: Nothing was confirmed, or the prompt is no file of the working tree.
            TemplateError: A file is there already, or the disk does not take it.
        """
        if self.chosen is None:
            raise UsageError("nothing was confirmed: there is no next version to write")
        template = self.bench.units.template
        target = place_of_next(template, None if target is None else Path(target))
        files = self.bench.written(self.chosen.choice)
        version, beside = files.pop(template.name), []
        for name, other in files.items():
            key, word = ("tools", "tools") if name == self._name_of("tools") else ("output_schema", "schema")
            path = target.with_name(f"{without_suffix(target).name}.{word}{Path(name).suffix}")
            version = replace_value(version, key, path.name)
            beside.append((path, other))
        written: list[Path] = []
        try:
            for path, content in [*beside, (target, version)]:
                write_new(path, content, TemplateError)
                written.append(path)
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        return written

    def _name_of(self, key: str) -> str:
        return next((each.name for each in self.bench.units.schemas if each.key == key), "")

    def __str__(self) -> str:
        rows = self.front()
        parts = [text.front_table(rows), text.plot(rows), text.worth_table(self.worths())]
        parts += [text.verdict(self.bench.label(each.choice), each) for each in self.confirmed]
        if not self.confirmed and self.tried:
            parts.append(fold(self.unconfirmed, text.WIDTH))
        parts += [text.untested_lines(self.unsure, self.untested_removed), fold("\n".join(self.footer()), text.WIDTH)]
        return "\n\n".join(filter(None, parts)) + "\n"

    def footer(self) -> Iterator[str]:
        """What it took, what it saves, and what else is to be said, in lines."""
        if (own := self.own_quality) is not None:
            share, cases = own
            yield f"{self.plan.prompt} is right in {100 * share:.1f}% of {cases:,} cases as it is"
        yield str(self.outlay) + (f"; stopped {self.stopped}" if self.stopped else "")
        if self.stopped:
            yield "what was answered is kept: the same command goes on from there, with as many dollars again"
        saved, repay = self.saved_per_call(), self.calls_to_repay()
        if saved is not None and saved > 0:
            calls = self.bench.units.template.front.calls_per_month
            month = f", {usd(saved * calls)} a month" if calls else ""
            search = "the search has paid for itself"
            if self.outlay.earlier:
                search = f"with {usd(self.outlay.earlier)} of earlier searches it has paid for itself"
            again = f"; {search} after {repay:,} calls" if self.outlay.paid and repay else ""
            yield f"saves {usd(saved * 1000)} per 1,000 calls{month}{again}"
        per_pass = self._of_chosen("usd_per_pass")
        if per_pass is not None and saved is not None and saved <= 0:
            yield f"saves {usd(-1000 * per_pass)} for each 1,000 answers that pass"
        for one in self.tried:
            if one.outcome == "cannot be made" and one.moves:
                yield f"{', '.join(one.moves)} cannot be made: {self.bench.refused.get(one.choice, '')}"
        if self.unused_variables:
            yield f"variables without a place now: {', '.join(self.unused_variables)}"
        if self.chosen is None:
            yield "no cheaper version is confirmed"

    def to_dict(self) -> dict[str, Any]:
        """The documented, versioned form that ``--json`` prints."""
        chosen = self.chosen
        return {
            "version": FORMAT_VERSION,
            "prompt": self.plan.prompt,
            "suite": self.bench.suite.name,
            "margin": self.margin,
            "plan": {
                "search_cases": len(self.plan.split.search),
                "confirmation_cases": len(self.plan.split.confirm),
                "trials": self.plan.trials,
                "fewest_cases": self.plan.split.fewest,
                "candidates": self.plan.candidates,
                "limit_usd": None if self.plan.limit is None else float(self.plan.limit),
                "unrecorded_calls": self.plan.unrecorded,
            },
            "quality": None if (own := self.own_quality) is None else rounded(own[0]),
            "units": [worth_dict(each) for each in self.worths()],
            "front": [row_dict(row) for row in self.front()],
            "confirmed": [_confirmed_dict(self.bench, each) for each in self.confirmed],
            "chosen": None if chosen is None else self.bench.label(chosen.choice),
            "text": None if chosen is None else self.bench.written(chosen.choice)[self.bench.units.template.name],
            "untested": [
                {"unit": each.unit.id, "line": each.unit.line, "text": each.unit.text, "cases": each.cases}
                | {"removed": self.untested_removed}
                for each in self.unsure
            ],
            "unused_variables": list(self.unused_variables),
            "calls": self.outlay.calls,
            "spent_usd": round(float(self.outlay.usd), 10),
            "earlier_usd": round(float(self.outlay.earlier), 10),
            "saved_usd_per_call": self.saved_per_call(),
            "calls_to_repay": self.calls_to_repay(),
            "stopped": self.stopped or None,
            "unconfirmed": self.unconfirmed or None,
        }


def place_of_next(template: Template, target: Path | None = None) -> Path:
    """Where the next version of a prompt is to be written, in a folder that takes it: known before a call is paid.

    Raises:
        UsageError: The prompt is no file of the working tree.
        TemplateError: There is no such folder, and none can be made, or it does not take a file.
    """
    if not isinstance(template.reader, FolderReader):
        raise UsageError(f"{template.path} is read out of git; --write needs a file of the working tree")
    target = next_version(template.reader.root / template.name) if target is None else target
    check_writable(target, TemplateError)
    return target


def _confirmed_dict(bench: Workbench, each: Confirmed) -> dict[str, Any]:
    return {
        "label": bench.label(each.choice),
        "removed": sorted(each.choice.removed),
        "moves": sorted(each.choice.moves),
        "verdict": each.decision.verdict,
        "accepted": each.accepted,
        "cases": each.cases,
        "error": each.error or None,
        "failed_cases": each.failed,
        "level": ALPHA / each.shared_by,
        "judged_before": each.before,
        "differences": [
            {"metric": one.metric, "difference": rounded(one.difference), "low": rounded(one.low)}
            | {"high": rounded(one.high), "p_value": rounded(one.p_value)}
            for one in each.differences
        ],
    }
