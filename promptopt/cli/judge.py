"""``promptopt judge``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptopt.cli.options import judge_option, read_dollars
from promptopt.errors import UsageError
from promptopt.tables import fold, table

if TYPE_CHECKING:
    from promptopt.experiment.calibration import JudgeCalibration, JudgedAnswer, Leaning
    from promptopt.experiment.plan import Mode
    from promptopt.judges.labels import Label, People


@click.group("judge")
def command() -> None:
    """Find out how far the models can be trusted that judge answers."""


@command.command("calibrate")
@click.argument("labels", type=click.Path(path_type=Path), metavar="LABELS.csv")
@click.argument("prompts", nargs=-1, metavar="[PROMPT...]")
@click.option("--suite", metavar="SUITE", help="File or name of the cases; by default the suite named like the prompt.")
@click.option("--model", "models", multiple=True, help="The model that answered; of several, each.")
@click.option("--trials", type=click.IntRange(min=1), default=1, show_default=True, help="Answers to each case.")
@judge_option
@click.option("--record", type=click.Choice(["none", "missing", "stale", "all"]), help="Which answers to ask for.")
@click.option("--max-cost", metavar="USD", help="Refuse a run that may cost more, before any call.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the text.")
def calibrate_command(
    labels: Path,
    prompts: tuple[str, ...],
    suite: str | None,
    models: tuple[str, ...],
    trials: int,
    judge: str | None,
    record: Mode | None,
    max_cost: str | None,
    as_json: bool,
) -> None:
    """Compare a judge with people's labels, and estimate quality with both.

    LABELS.csv has the columns case, repetition, variant, answer_sha256 and label (pass, fail, or 0 to 1), as
    `promptopt label` writes it. All recorded answers of the prompts are judged, by default those of the column
    variant; the labelled ones must have been drawn at random. With a column score, the judge's own, no suite is needed.

    \b
    promptopt judge calibrate suites/reviews/labels.csv
    promptopt judge calibrate labels.csv reviews@v1 reviews@v2 --judge gpt-5.6-luna
    """
    from promptopt.experiment.calibration import calibrate
    from promptopt.judges.labels import read_labels

    found = read_labels(labels)
    if any(label.score is not None for label in found):
        answers, people = _scored(labels, found)
    else:
        answers, people = _judged(labels, found, prompts, suite, models, trials, judge, record, max_cost)
    result = calibrate(answers, people)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2))
    else:
        click.echo(fold("\n".join(_text(result))))


def _scored(path: Path, labels: Sequence[Label]) -> tuple[list[JudgedAnswer], People]:
    """Each answer with its score; rows of one variant's one answer, by its digest, are labels of several people."""
    from promptopt.experiment.calibration import JudgedAnswer
    from promptopt.judges.labels import PASS, by_answer, is_tied

    answers: dict[tuple[object, ...], Label] = {}
    for label in labels:
        if label.score is None:
            raise UsageError(f"{path}:{label.line}: has no score, which other rows have")
        own = (label.case, label.answer_sha256, label.variant, label.repetition, label.score)
        answers.setdefault(own if label.answer_sha256 else (label.line,), label)
    known, people = by_answer(label for label in labels if label.answer_sha256)
    found = []
    for label in answers.values():
        given = known.get(label.answer, []) if label.answer_sha256 else []
        value = sum(given) / len(given) if given else label.value
        score = label.score or 0.0
        found.append(JudgedAnswer(label.variant or "answers", score, score >= PASS, value, tied=is_tied(given)))
    return found, people


def _judged(
    path: Path,
    labels: Sequence[Label],
    prompts: tuple[str, ...],
    suite: str | None,
    models: tuple[str, ...],
    trials: int,
    judge: str | None,
    record: Mode | None,
    max_cost: str | None,
) -> tuple[list[JudgedAnswer], People]:
    """The answers of the labelled prompts, judged as a comparison judges them."""
    from promptopt.cli.compare import announce
    from promptopt.experiment.calibration import judged_answers
    from promptopt.experiment.compare import compare
    from promptopt.experiment.labelled import LabelledAnswers

    # A variant of a grid, `triage@v2 · gpt-4o`, is named by its prompt; its model is --model.
    named = prompts or tuple(dict.fromkeys(label.variant.split(" · ")[0] for label in labels if label.variant))
    if not named:
        raise UsageError(f"{path}: names no variant: name the prompts whose answers are labelled")
    comparison = compare(
        *named,
        suite=suite,
        model=models,
        trials=trials,
        record=record,
        max_cost=read_dollars(max_cost),
        judge=judge,
        on_plan=announce,
    )
    labelled = LabelledAnswers(tuple(labels), path)
    return judged_answers(comparison.runs, labelled), labelled.people


def _text(found: JudgeCalibration) -> Iterator[str]:
    agreement = found.agreement
    who = ", ".join(found.judges) or "the scores"
    labels = agreement.labels + agreement.ties
    yield f"{who}: {found.answers:,} answers judged, {labels:,} of them labelled by people"
    if said := str(found.people):
        yield f"people: {said}"
    yield ""
    rows = [
        ["judge: pass", agreement.both_pass, agreement.pass_fail],
        ["judge: fail", agreement.fail_pass, agreement.both_fail],
    ]
    yield table(rows, ["", "label: pass", "label: fail"])
    yield ""
    ties = f"; {agreement.ties:,} without a majority left out" if agreement.ties else ""
    yield f"agreement    {agreement.share * 100:.1f}% of labels, kappa {_kappa(found)}{ties}"
    yield f"length       {_leaning(found.length, 'the longer half', 'the shorter')}"
    yield f"own model    {_leaning(found.own, 'its own answers', 'those of others')}"
    yield f"batch order  {_leaning(found.place, 'late in a batch', 'early')}"
    yield f"position     {_orders(found.orders)}"
    yield f"repeats      {_repeats(found)}"
    yield f"scores       {_scores(found)}"
    yield ""
    yield _qualities(found)


def _kappa(found: JudgeCalibration) -> str:
    agreement = found.agreement
    if agreement.kappa is None or agreement.low is None or agreement.high is None:
        return "not assessable: the labels, or the verdicts, are all the same"
    return f"{agreement.kappa:.2f} (95%: {agreement.low:.2f} to {agreement.high:.2f})"


def _leaning(found: Leaning | None, one: str, other: str) -> str:
    if found is None:
        return "not assessable: too few answers of each sort"
    numbers = (
        f"{found.difference:+.2f} (95%: {found.low:+.2f} to {found.high:+.2f}; {found.counts[0]} and {found.counts[1]})"
    )
    said = "is shown" if found.shown else "no leaning is shown"
    favoured = one if found.difference > 0 else other
    return f"{numbers} {one} against {other}: " + (f"a leaning to {favoured} {said}" if found.shown else said)


def _orders(orders: tuple[int, int, int] | None) -> str:
    if orders is None:
        return "not assessable: no pair was judged in both orders (select-best)"
    first, second, same = orders
    whole = first + second + same
    if not whole:
        return "every pair is a tie"
    places = f"{first:,} to the first place, {second:,} to the second"
    return f"{first + second:,} of {whole:,} pairs go with the order: {places}"


def _repeats(found: JudgeCalibration) -> str:
    if found.flip_rate is None:
        return "not assessable: the judge is asked once (votes = 3 in [tool.promptopt.judge] asks it again)"
    return (
        f"{found.split:,} of {found.repeated:,} answers have votes on both sides; two votes differ "
        f"{found.flip_rate * 100:.1f}% of the time"
    )


def _scores(found: JudgeCalibration) -> str:
    ends = f"{found.at_ends * 100:.0f}% within 0.1 of 0 or 1"
    if found.bimodality is None:
        return f"{ends}; all are the same"
    shape = "two heaps: a threshold between them decides little" if found.bimodality > 5 / 9 else "not in two heaps"
    return f"{ends}; bimodality {found.bimodality:.2f} (above 0.56: two heaps): {shape}"


def _qualities(found: JudgeCalibration) -> str:
    rows = [
        [
            quality.variant,
            f"{quality.judged * 100:.1f}%",
            f"{quality.labels:,}",
            "-" if quality.alone is None else f"{quality.alone[0] * 100:.1f}% to {quality.alone[1] * 100:.1f}%",
            "too few labels"
            if quality.low is None or quality.high is None
            else f"{quality.low * 100:.1f}% to {quality.high * 100:.1f}%",
            "-" if quality.effective_labels is None else f"{quality.effective_labels:,.0f}",
        ]
        for quality in found.qualities
    ]
    headers = ["quality, 95%", "as judged", "labels", "labels alone", "with the judge", "worth labels"]
    return table(rows, headers)
