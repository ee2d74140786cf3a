"""Which cases of a suite say anything: those that an answer can fail, and of those that ask the same the first one."""

from __future__ import annotations

from dataclasses import replace

from promptopt.errors import UsageError
from promptopt.experiment.conversation import question_digest
from promptopt.experiment.variant import Variant
from promptopt.files import show_path
from promptopt.minimization.choices import Workbench
from promptopt.scorers import SuiteChecks
from promptopt.suites import Case, Suite
from promptopt.templates.answer import AnswerExtractor
from promptopt.values import Response

# A word, a number, data, and more than anybody asks for. An answer of nothing passes no assert.
_ANSWERS = ("qzx", "-7", "{}", "[0]", "qzx vwk. " * 5_000)


def evidence_of(bench: Workbench, whole: Variant, checks: SuiteChecks) -> tuple[Suite, str]:
    """The suite without the other cases: a search would pay for them, and count them, as if they were evidence.

    A case that asks what another one asks would also be in both parts of the cases, seen and never seen.

    Args:
        whole: The prompt as it is.

    Returns:
        The suite, and what was left out of it as a sentence; empty if nothing was.

    Raises:
        UsageError: No case has an assert, or none has one that an answer can fail.
    """
    suite = bench.suite
    judged = [number for number, case in enumerate(suite.cases) if case.all_asserts]
    if not judged:
        raise UsageError(
            f"{show_path(suite.path)}: no case has an assert, so that nothing says whether an answer is as good. "
            "Add `assert` to its tests or to `defaultTest`"
        )
    answer = whole.template.front.answer
    failing = [number for number in judged if not passes_anything(suite.cases[number], checks, answer)]
    if not failing:
        raise UsageError(
            f"{show_path(suite.path)}: the asserts of all cases pass whatever is answered, so that nothing could show "
            "a loss. Assert what only a good answer has"
        )
    first: dict[str, Case] = {}
    for number in failing:
        case = suite.cases[number]
        asked = question_digest(whole, case, 0, bench.request(whole, number).digest)
        first[asked] = _with_asserts_of(first[asked], case, checks) if asked in first else case
    counts = {
        "have no assert": len(suite.cases) - len(judged),
        "pass whatever is answered": len(judged) - len(failing),
        "ask the same as another one": len(failing) - len(first),
    }
    parts = [f"{count:,} {why}" for why, count in counts.items() if count]
    left_out = f"left out of {len(suite.cases):,} cases: {' and '.join(parts)}" if parts else ""
    return replace(suite, cases=tuple(first.values())), left_out


def _with_asserts_of(case: Case, other: Case, checks: SuiteChecks) -> Case:
    """A case that expects what another one expects too, which asks the same: one answer has to do for both.

    Raises:
        UsageError: They cannot be one case.
    """
    expected, more = (checks.assertions(each.name) for each in (case, other))
    new = [each for each in more if not any(replace(each, line=known.line) == known for known in expected)]
    if not new:
        return case
    # Code sees the variables of the case that it is in.
    alike = case.vars == other.vars or checks.reads_text(other.name)
    if not alike or case.turns or (case.threshold, case.options) != (other.threshold, other.options):
        raise UsageError(
            f"the cases {case.name!r} and {other.name!r} ask the same, and their asserts cannot be put together: make "
            "one case of them"
        )
    # What they say is filled in already.
    return replace(case, asserts=(*case.asserts, *new))


def passes_anything(case: Case, checks: SuiteChecks, answer: AnswerExtractor | None) -> bool:
    """Whether all that is asserted is about the text of an answer, and holds of any text, as ``regex: .*`` does."""
    if not checks.reads_text(case.name) or any(each.negated for each in checks.assertions(case.name)):
        return False
    return all(checks.score(case.name, Response("", text), answer, None).quality == 1 for text in _ANSWERS)
