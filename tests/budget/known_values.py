"""A prompt whose lock and counts of today are given as values, so that a test says what goes in and what comes out.

The project is on disk and is read once; only what would be measured is put in its place. Nothing asks git.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptopt.budget.base_project import Changed
from promptopt.budget.baseline import Base, BaseSide, History
from promptopt.budget.check import Checker
from promptopt.budget.discovery import discover
from promptopt.budget.guarded_prompt import MeasuredCase, digest
from promptopt.budget.lock import Lock, LockEntry
from promptopt.budget.result import Result
from promptopt.budget.settings import load_settings
from promptopt.budget.update import Draft
from promptopt.config import load_config
from promptopt.experiment.variant import make_variant
from promptopt.templates import load_prompt

# Dollars that can be added in the head: $10, $1 and $20 a million.
PRICES = '[tool.promptopt.prices."gpt-4o-mini"]\ninput_mtok = 10\ncache_read_mtok = 1\noutput_mtok = 20\n'
FRONT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 60\ncalls_per_month: 1000\n---\n"
TEXT = "Name the team.\n{{ ticket }}\n"
CASES = {"refund": "money", "parcel": "box", "lost": "bag"}
SUITE = "tests:\n" + "".join(f"  - {{description: {name}, vars: {{ticket: {text}}}}}\n" for name, text in CASES.items())

REFUND = LockEntry(100, 40, 60, "cap", None, digest({"ticket": "money"}), "r-refund")
PARCEL = LockEntry(200, 40, 60, "cap", None, digest({"ticket": "box"}), "r-parcel")
LOST = LockEntry(300, 40, 60, "cap", None, digest({"ticket": "bag"}), "r-lost")
ENTRIES = {"refund": REFUND, "parcel": PARCEL, "lost": LOST}


def write_project(root: Path) -> None:
    """A project with the prompt ``triage`` of three cases, and in another folder the prompt as it is on the base."""
    files = {
        "pyproject.toml": PRICES,
        "prompts/triage/v1.j2": FRONT + TEXT,
        "suites/triage.yaml": SUITE,
        "base/triage.j2": FRONT + "Name the very team.\n{{ ticket }}\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Known:
    """The prompt, and the checker with limits of its own.

    Args:
        locked: The entries in the lock; ``None``: there is no lock.
        now: What the cases cost today; those not given are as above.
        limits: As on the command line.
        statuses: Of recorded answers, by case; by default an output that is a cap has none, and others are fresh.
        base: Changes of the front matter on the base, whose text is not the locked one; ``None``: there is no base.
        params: Settings of a call that the front matter has today, in addition.
        touched: Whether this branch changed the prompt.
    """

    def __init__(
        self,
        locked: Mapping[str, LockEntry] | None = ENTRIES,
        now: Mapping[str, LockEntry] = {},
        *,
        limits: Sequence[str] = (),
        statuses: Mapping[str, Any] = {},
        reasoning: int | None = None,
        basis: Mapping[str, str] = {},
        call: Mapping[str, Any] | None = {},
        reason: str = "",
        sources: str = "locked",
        measured: str = "v1",
        params: Mapping[str, Any] = {},
        base: Mapping[str, str] | None = None,
        base_text: str | None = None,
        touched: bool = True,
        settings: Mapping[str, Any] = {},
    ) -> None:
        config = load_config()
        self.history = History(config)
        self.history.__dict__["base"] = None if base is None else Base("main", "c" * 40, apart=True)
        self.history.__dict__["_changed"] = Changed(all=touched, code=False)
        self.checker = Checker(replace(load_settings(config, limits), **settings), self.history)
        self.prompt = discover(config).guarded["triage"]
        today = {**ENTRIES, **now}
        for name, case in self.prompt.cases.items():
            fresh = "missing" if today[name].output_is == "cap" else "fresh"
            status = statuses.get(name, fresh)
            changed = "messages" if status == "stale" else ""
            self.prompt._measured[name] = MeasuredCase(case, today[name], status, changed, reasoning)
        if params:
            self.prompt.__dict__["call"] = replace(self.prompt.call, params={**self.prompt.call.params, **params})
        self.prompt.__dict__["lock"] = None
        if locked is not None:
            self.prompt.__dict__["lock"] = Lock(
                prompt="triage",
                measured=measured,
                basis=replace(self.prompt.basis, **basis),
                cases=locked,
                sources=self.prompt.sources if sources == "today" else sources,
                call=None if call is None else replace(self.prompt.call, **call),
                reason=reason,
            )
        if base is not None:
            self._put_on_base(base, base_text)

    def _put_on_base(self, changes: Mapping[str, str], text: str | None) -> None:
        path = Path("base/triage.j2")
        source = path.read_text() if text is None else FRONT + text
        for old, new in changes.items():
            source = source.replace(old, new)
        Path("base/now.j2").write_text(source)
        template = load_prompt("base/now.j2")
        variant = make_variant(template, self.prompt.suite, self.prompt.config)
        self.history._sides["triage"] = BaseSide(template, variant, self.prompt.gate_price, "base")

    def case(self, name: str = "refund") -> Result:
        return self.checker.check_case(self.prompt, name)


def said(result: Result, *, details: bool) -> str:
    """What is found, as a text that a test can compare: levels, kinds, metrics, places and every line."""
    lines = []
    for each in result.findings:
        lines.append(f"{each.level} {each.kind} {each.metric} {each.path}:{each.line}".replace("  ", " "))
        lines += [each.summary, *(f"  {detail}" for detail in each.details if details)]
    return "\n".join(lines)


def answers(*qualities: float) -> dict[str, LockEntry]:
    """The entries with recorded answers of these qualities, or all of one."""
    known = qualities * len(ENTRIES) if len(qualities) == 1 else qualities
    entries = zip(ENTRIES.items(), known, strict=True)
    return {name: replace(entry, output_is="recorded", quality=quality) for (name, entry), quality in entries}


def drafted(draft: Draft) -> str:
    """A lock that is about to be written, as a text that a test can compare."""
    lock = draft.lock
    assert lock is not None
    head = [f"raises {line}" for line in draft.raises] + [f"writes {line}" for line in draft.lines]
    call = None if lock.call is None else (lock.call.calls_per_month, lock.call.params.get("max_output_tokens"))
    texts = {"locked": "locked", "": "unknown"}
    head.append(f"{lock.basis.model} {lock.basis.input_usd}, {call}, {lock.measured}, {lock.reason!r}, text ")
    head[-1] += texts.get(lock.sources, "today")
    entries = (
        f"{name}: {entry.input} {entry.cacheable} {entry.output} {entry.output_is} {entry.quality} {entry.reason!r}"
        for name, entry in sorted(lock.cases.items())
    )
    return "\n".join([*head, *entries])
