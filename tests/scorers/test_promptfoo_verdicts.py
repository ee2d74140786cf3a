"""What promptfoo said of answers, told once by `benchmarks/promptfoo_asserts.py --record`, is what is said here."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from promptopt.errors import SuiteError
from promptopt.scorers import SuiteChecks
from promptopt.suites.load import parse_suite
from promptopt.values import Cost, Response

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "promptfoo_verdicts.jsonl").read_text(encoding="utf-8").splitlines()
]
KINDS = sorted({row["kind"].removeprefix("not-") for row in ROWS if not row["difference"]})


def verdict(row: dict[str, Any]) -> tuple[bool, float]:
    told = row["told"]
    response = Response(
        "m", row["output"], told.get("finishReason", "stop"), duration_s=0.001, logprobs=tuple(told.get("logProbs", ()))
    )
    try:
        if isinstance(row["entry"], str):
            table = io.StringIO()
            csv.writer(table).writerows([["q", "__expected"], ["x", row["entry"]]])
            suite = parse_suite(table.getvalue(), Path("cells.csv"))
        else:
            test = {"vars": row["vars"] or {"q": "x"}, "assert": [row["entry"]]}
            test |= {} if row["threshold"] is None else {"threshold": row["threshold"]}
            suite = parse_suite(json.dumps({"tests": [test]}), Path("tests.json"))
        score = SuiteChecks(suite).score(
            suite.cases[0].name, response, None, Cost(Decimal(str(told.get("cost", 0))), Decimal(0))
        )
    except SuiteError:
        # promptfoo fails the case when it runs; here nothing is called.
        return False, 0.0
    return score.passed, pytest.approx(score.quality, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_is_the_one_that_promptfoo_gives(kind: str) -> None:
    rows = [row for row in ROWS if row["kind"].removeprefix("not-") == kind and not row["difference"]]
    assert rows
    assert [(row["entry"], row["output"], verdict(row)) for row in rows] == [
        (row["entry"], row["output"], (row["passed"], row["score"])) for row in rows
    ]


def test_there_are_verdicts_of_both_kinds_for_nearly_every_type() -> None:
    assert len(ROWS) > 400
    assert sum({row["passed"] for row in ROWS if row["kind"].endswith(kind)} == {True, False} for kind in KINDS) > 20
