"""Which cases of a suite say anything: those that an assert judges, and of those that ask the same the first one."""

from __future__ import annotations

from dataclasses import replace

from promptopt.errors import UsageError
from promptopt.experiment.variant import Variant
from promptopt.files import show_path
from promptopt.minimization.choices import Workbench
from promptopt.suites import Case, Suite


def evidence_of(bench: Workbench, whole: Variant) -> tuple[Suite, str]:
    """The suite without the other cases: a search would pay for them, and count them, as if they were evidence.

    A case that asks what another one asks would also be in both parts of the cases, seen and never seen.

    Args:
        whole: The prompt as it is.

    Returns:
        The suite, and what was left out of it as a sentence; empty if nothing was.

    Raises:
        UsageError: No case has an assert.
    """
    suite = bench.suite
    judged = [number for number, case in enumerate(suite.cases) if case.all_asserts]
    if not judged:
        raise UsageError(
            f"{show_path(suite.path)}: no case has an assert, so that nothing says whether an answer is as good. "
            "Add `assert` to its tests or to `defaultTest`"
        )
    first: dict[str, Case] = {}
    for number in judged:
        case = suite.cases[number]
        turns = repr(case.given.get("turns", ""))
        first.setdefault(f"{bench.request(whole, number).digest} {turns}", case)
    left_out = _sentence(suite, len(suite.cases) - len(judged), len(judged) - len(first))
    return replace(suite, cases=tuple(first.values())), left_out


def _sentence(suite: Suite, silent: int, repeated: int) -> str:
    parts = [f"{silent:,} have no assert"] * bool(silent) + [f"{repeated:,} ask the same as another one"] * bool(
        repeated
    )
    return f"left out of {len(suite.cases):,} cases: {' and '.join(parts)}" if parts else ""
