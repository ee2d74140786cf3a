"""Cases that ask the same: their answers are those of one question, asked several times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptopt.experiment.runs import Run


def question_numbers(*runs: Run) -> dict[str, int]:
    """The number of each case's question; cases whose requests are the same in each of the runs have one number.

    Two cases of one question show no more than one case that is answered twice: a model at temperature 0 gives the same
    answer again, and what makes the question hard is the same.

    Args:
        runs: Of the same cases; those that a race dropped have fewer.
    """
    longest_first = sorted(runs, key=lambda run: -len(run.trials))
    return numbered({trial.case: trial.request_sha256 for trial in run.trials} for run in longest_first)


def numbered(sent: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Of each variant, what it sends for each case: cases that are sent alike by all of them have one number.

    Args:
        sent: The first variant has all cases; of those that another one lacks, the rest decides.
    """
    first, *others = _needed(sent)
    if not others:
        numbers: dict[str, int] = {}
        return {case: numbers.setdefault(digest, len(numbers)) for case, digest in first.items()}
    questions: dict[tuple[str | None, ...], int] = {}
    return {
        case: questions.setdefault((digest, *(other.get(case) for other in others)), len(questions))
        for case, digest in first.items()
    }


def _needed(sent: Iterable[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    """Up to a variant that sends no two of all cases alike: the others need not be looked at, and seldom are."""
    most = 0
    for of_one in sent:
        yield of_one
        most = max(most, len(of_one))
        if len(set(of_one.values())) == most:
            return


def asked_again(runs: Sequence[Run]) -> int:
    """How many cases ask what an earlier one asks, of a candidate and the baseline, which comes first."""
    found = [question_numbers(runs[0], run) for run in runs[1:]] or [question_numbers(runs[0])]
    return max(len(numbers) - len(set(numbers.values())) for numbers in found)
