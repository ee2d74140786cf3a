"""What `promptopt structure` infers, costs and saves, and what `promptopt.parse` recovers.

    python benchmarks/structure.py [PROMPTS.jsonl]

The public prompts are not part of the repository (see README.md beside this file); without them their rows are left
out. The small model's answers to the structured versions of both suites are in benchmarks/structured.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

import promptopt
from promptopt.errors import AnswerError, PromptoptError
from promptopt.structured.build import structure
from promptopt.structured.proposal import Options, Structured
from promptopt.structured.recommendation import proposed_template
from promptopt.templates import load_prompt

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "schemas")]
from corpora import real_prompts  # noqa: E402 - prompts and judgement are those of the tests
from judged import f1, half, judged, judged_own  # noqa: E402 - see above

MODEL = "gpt-5.6-luna"
Row = tuple[str, str]


def inference(rows: list[Any]) -> Iterator[Row]:
    asking = [row for row in rows if row[3]]
    named = [row for row in asking if "fields" in row[3]]
    silent = [row for row in rows if "fields" not in row[3]]
    guessed = sum(bool(found.fields) for _, _, found, _ in silent)
    yield (
        "public prompts",
        f"{len(rows)}, of which {len(asking)} ask for a form and {len(named)} say enough to name its fields",
    )
    yield "F1 of the fields", f"{f1(rows):.3f} (half 0 {_half(rows, 0):.3f}, half 1 {_half(rows, 1):.3f})"
    yield "fields guessed although there are none", f"{guessed} of {len(silent)} prompts"


def own_inference() -> Iterator[Row]:
    rows = judged_own()
    named = sum("fields" in row[3] for row in rows)
    yield (
        "F1 on prompts of the project's own",
        f"{f1(rows):.3f} ({named} of {len(rows)} name their fields)",
    )


def _half(rows: list[Any], number: int) -> float:
    return float(f1([row for row in rows if half(row[0]) == number]))


def proposals(rows: list[Any], form: Any) -> Iterator[Structured]:
    """What is proposed for the prompts that ask for a form; those whose task needs reasoning keep none here."""
    options = Options(form=form, reasoning=0, price_as=MODEL)
    with tempfile.TemporaryDirectory() as folder:
        for number, (_, text, _, expected) in enumerate(rows):
            if not expected:
                continue
            path = Path(folder) / f"p{number}" / "v1.j2"
            path.parent.mkdir()
            path.write_text(text)
            try:
                yield structure(load_prompt(path), options=options)
            except PromptoptError:
                continue


def growth(rows: list[Any]) -> Iterator[Row]:
    for form, name in (("auto", "input with --form auto"), ("schema", "input with --form schema")):
        found = list(proposals(rows, form))
        more = sorted(proposal.economics.input_difference for proposal in found)
        grows = sum(difference > 0 for difference in more)
        schemas = sum(proposal.form == "schema" for proposal in found)
        said = (
            f"{len(found)} proposals, {schemas} with a schema; grows in {grows} ({1 - grows / len(found):.0%} do not)"
        )
        yield name, f"{said}, median {more[len(more) // 2]:+d}, in all {sum(more):+d} tokens"


def suites(folder: Path) -> Iterator[Row]:
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    shutil.copytree(ROOT / "suites", folder / "suites")
    shutil.copy(ROOT / "pyproject.toml", folder)
    os.chdir(folder)
    for name in ("reviews", "tickets"):
        proposal = structure(load_prompt(f"{name}@v1"), options=Options(price_as=MODEL))
        answers = ROOT / "benchmarks" / "structured" / f"{name}.jsonl"
        shutil.copy(answers, folder / "suites" / name / "recordings" / name / f"{proposal.path.stem}.jsonl")
        answered = {json.loads(line)["case"] for line in answers.read_text().splitlines()}
        suite = promptopt.load_suite(name)
        # The suites have grown since: the figures are of the cases that both versions have answers to.
        suite = replace(suite, cases=tuple(case for case in suite.cases if case.name in answered))
        found = promptopt.compare(proposal.template, proposed_template(proposal), suite=suite, record="none")
        before, after = found.variants
        output, cost = (
            (getattr(after, what) / getattr(before, what) - 1) * 100 for what in ("output_tokens", "usd_per_1k_calls")
        )
        quality = f"quality {before.quality * 100:.1f} to {after.quality * 100:.1f}%"
        tokens = f"output {before.output_tokens:.1f} to {after.output_tokens:.1f} tokens ({output:+.0f}%)"
        yield f"{name}@v1 and its structured version, {before.cases} cases", f"{tokens}, cost {cost:+.0f}%, {quality}"


def reading() -> Iterator[Row]:
    from test_schema_parse import CONTACT, GOOD, RECOVERED, REFUSED, REVIEW

    recovered = sum(_data(text, REVIEW) == GOOD for text in RECOVERED.values())
    refused = sum(_data(text, REVIEW) is None for text, _ in REFUSED.values())
    yield "kinds of broken answers", f"{recovered} of {len(RECOVERED)} recovered, {refused} of {len(REFUSED)} refused"
    real = [json.loads(line) for line in (ROOT / "tests/schemas/real_answers.jsonl").read_text().splitlines()]
    found = [(_data(row["text"], REVIEW if row["schema"] == "review" else CONTACT), row["data"]) for row in real]
    wrong = sum(data is not None and data != right for data, right in found)
    read = sum(data == right for data, right in found)
    holding = sum(right is not None for _, right in found)
    yield (
        "answers of a small model at temperature 0.6 to 1.6",
        f"{read} of {len(real)} read or refused rightly, {wrong} wrong ({holding} hold the data)",
    )


def _data(text: str, schema: Any) -> Any:
    try:
        return promptopt.parse(text, schema).data
    except AnswerError:
        return None


def main() -> int:
    prompts = real_prompts(*sys.argv[1:2])
    table: list[Row] = []
    if prompts is not None:
        rows = judged(prompts)
        table += [*inference(rows), *growth(rows)]
    with tempfile.TemporaryDirectory() as folder:
        table += suites(Path(folder))
        os.chdir(ROOT)
    table += [*own_inference(), *reading()]
    print(tabulate(table, tablefmt="github", headers=("", "")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
