"""Real answers of a large model to real prompts: published accuracies come out exactly, and verdicts follow.

Suzgun et al., "Challenging BIG-Bench Tasks and Whether Chain-of-Thought Can Solve Them" (2022): code-davinci-002, a
few-shot prompt with reasoning (v1) against one without (v2).
"""

import json
from pathlib import Path

import pytest

from promptopt import Comparison, compare, load_prompt, load_suite
from promptopt.experiment.importing import import_answers

MODEL = "code-davinci-002"
# Accuracy in percent with reasoning and without, and what the comparison says of leaving the reasoning out.
PUBLISHED = {
    "sports_understanding": (97.6, 72.8, "regressed"),
    "navigate": (96.4, 50.4, "regressed"),
    "date_understanding": (87.2, 63.6, "regressed"),
    "snarks": (59.55, 61.24, "inconclusive"),
}


def common_start(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next(i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)]


def few_shot(inputs: list[str]) -> tuple[str, str]:
    """What all inputs of a prompt begin and end with."""
    start = common_start(inputs)
    start = start[: start.rindex("\nQ: ") + len("\nQ: ")]
    end = common_start([text[::-1] for text in inputs])[::-1]
    return start, end[end.rindex("\nA:") :]


def reproduce(task: str, data: Path, root: Path) -> Comparison:
    """The two prompts, the suite and the answers of a task, imported with every input checked."""
    answers = {
        version: json.loads((data / "bbh" / kind / f"{task}.json").read_text())["outputs"]
        for version, kind in (("v1", "cot"), ("v2", "direct"))
    }
    prompts = root / "prompts" / task
    prompts.mkdir(parents=True)
    (root / "suites").mkdir()
    for version, rows in answers.items():
        start, end = few_shot([row["input"] for row in rows])
        pattern = r"So the answer is (.*?)\.?$" if version == "v1" else r"(?s)^\s*(.*?)\s*$"
        front = f"---\nmodel: {MODEL}\nanswer: '{pattern}'\n---\n"
        body = f"{{% raw %}}{start}{{% endraw %}}{{{{ question }}}}{{% raw %}}{end}{{% endraw %}}"
        (prompts / f"{version}.j2").write_text(front + body)
    start, end = few_shot([row["input"] for row in answers["v1"]])
    with (root / "suites" / f"{task}.jsonl").open("w") as suite:
        for number, row in enumerate(answers["v1"]):
            question = row["input"].removeprefix(start).removesuffix(end)
            case = {
                "description": f"{task}-{number:03}",
                "vars": {"question": question},
                "assert": [{"type": "equals", "value": row["target"]}],
            }
            suite.write(json.dumps(case) + "\n")
    for version, rows in answers.items():
        file = root / f"{version}.jsonl"
        lines = (
            {"case": f"{task}-{number:03}", "input": row["input"], "output": row["prediction"]}
            for number, row in enumerate(rows)
        )
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        imported = import_answers(file, load_prompt(f"{task}@{version}"), load_suite(task), MODEL)
        assert (imported.answers, imported.missing) == (len(rows), ())
    return compare(f"{task}@v1", f"{task}@v2", price_as="gpt-4o-mini", record="none")


@pytest.mark.parametrize("task", PUBLISHED)
def test_published_accuracies_are_reproduced(
    task: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    compared = reproduce(task, data, tmp_path)
    reasoning, direct, verdict = PUBLISHED[task]
    assert [round(variant.pass_rate * 100, 2) for variant in compared.variants] == [reasoning, direct]
    (pair,) = compared.pairs
    assert pair.decision.verdict == verdict
    # Every one of the short prompts is cheaper; only three of them are worse for it.
    first, second = compared.variants
    assert second.usd_per_1k_calls < first.usd_per_1k_calls
    assert compared.regressed == (verdict == "regressed")
    assert all(variant.basis == ("counted",) for variant in compared.variants)
