"""Labels of people in comparisons, and `promptopt judge calibrate`."""

import hashlib
import json
import re

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import InputError, UsageError
from promptopt.judges.labels import answer_sha256, read_labels

CASES = 60


def line(prompt: str, case: str, text: str) -> str:
    row = {"v": 1, "prompt": prompt, "case": case, "repetition": 0, "model_requested": "gpt-4o-mini"}
    row |= {"model_returned": "gpt-4o-mini", "params": {}, "usage": None, "latency_ms": None, "recorded_at": "undated"}
    return json.dumps(
        row | {"response": {"text": text, "finish_reason": "stop"}, "request_sha256": request(prompt, case)}
    )


def request(prompt: str, case: str) -> str:
    from promptopt.values import Message, Request

    word = {"p@v1": "Say", "p@v2": "Tell"}[prompt]
    return Request("gpt-4o-mini", (Message("user", f"{word} {case}"),)).digest


@pytest.fixture
def labelled(project):
    """Two prompts whose answers an assert judges badly: of v1 it passes what is wrong, of v2 it fails what is right."""
    cases = "\n".join(f"  - {{description: c{n}, vars: {{x: c{n}}}}}" for n in range(CASES))
    project.write(
        {
            "prompts/p/v1.j2": "---\nmodel: gpt-4o-mini\n---\nSay {{ x }}",
            "prompts/p/v2.j2": "---\nmodel: gpt-4o-mini\n---\nTell {{ x }}",
            "suites/p.yaml": f"defaultTest:\n  assert: [{{type: contains, value: ok}}]\ntests:\n{cases}\n",
        }
    )
    rows = ["case,repetition,variant,answer_sha256,label,labeller,at"]
    for version, good in (("v1", 0.2), ("v2", 0.9)):
        texts = {
            n: f"answer {n} of {version}" + (" ok" if n % 10 < (8 if version == "v1" else 3) else "")
            for n in range(CASES)
        }
        lines = "\n".join(line(f"p@{version}", f"c{n}", text) for n, text in texts.items())
        project.write({f"suites/p/recordings/p/{version}.jsonl": lines + "\n"})
        for n in range(40):
            label = "pass" if n % 10 < good * 10 else "fail"
            rows.append(f"c{n},0,p@{version},{hashlib.sha256(texts[n].encode()).hexdigest()},{label},ann,2026-11-01")
    project.write({"labels.csv": "\n".join(rows) + "\n"})
    return project


def run(*arguments: str):
    result = CliRunner().invoke(cli, arguments, env={"CI": "1"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_labels_turn_a_verdict_that_the_judge_has_wrong(labelled) -> None:
    judged = json.loads(run("compare", "p@v1", "p@v2", "--json").stdout)["comparisons"][0]
    people = json.loads(run("compare", "p@v1", "p@v2", "--labels", "labels.csv", "--json").stdout)["comparisons"][0]
    assert judged["difference"] == pytest.approx(-0.5)
    assert people["difference"] > 0.5
    assert people["low"] > 0.3
    assert (people["labels"], people["judged_difference"]) == (40, pytest.approx(-0.5))
    assert 0 <= people["judges_share"] <= 1
    assert "labels" not in judged
    text = run("compare", "p@v1", "p@v2", "--labels", "labels.csv").stdout
    assert re.search(
        r"by labels of 40 cases, as judged -50.0 points .*; \d+% of the uncertainty is the judge's\): better|: better",
        text,
    )
    assert "of the uncertainty is the judge's" in text


def test_labels_beside_the_suite_are_found(labelled) -> None:
    (labelled.root / "labels.csv").rename(labelled.root / "suites/p/labels.csv")
    assert "by labels of 40 cases" in run("compare", "p@v1", "p@v2").stdout


def test_a_file_beside_the_suite_that_has_no_label_yet_changes_nothing(labelled) -> None:
    labelled.write({"suites/p/labels.csv": "case,repetition,variant,answer_sha256,label,labeller,at,note\n"})
    assert "by labels" not in run("compare", "p@v1", "p@v2").stdout


def test_labels_of_other_answers_are_refused(labelled) -> None:
    text = (labelled.root / "labels.csv").read_text()
    labelled.write({"labels.csv": re.sub(r"[0-9a-f]{64}", "0" * 64, text)})
    with pytest.raises(UsageError, match=r"labels.csv: none of its 80 labels is of an answer that is compared here"):
        run("compare", "p@v1", "p@v2", "--labels", "labels.csv")


def test_calibrate_says_how_far_the_judge_can_be_trusted(labelled) -> None:
    found = json.loads(run("judge", "calibrate", "labels.csv", "--json").stdout)
    assert (found["answers"], found["agreement"]["both_pass"] + found["agreement"]["pass_fail"]) == (120, 44)
    assert found["agreement"]["kappa"] < 0.5
    first, second = found["qualities"]
    assert (first["variant"], first["labels"]) == ("p@v1", 40)
    assert (first["judged"], second["judged"]) == (pytest.approx(0.8), pytest.approx(0.3))
    assert first["low"] <= 0.2 <= first["high"] < 0.5 < second["low"] <= 0.9 <= second["high"]
    text = run("judge", "calibrate", "labels.csv", "p@v1", "p@v2", "--suite", "p").stdout
    assert "120 answers judged, 80 of them labelled by people" in text
    assert "repeats      not assessable: the judge is asked once" in text


def test_people_who_contradict_each_other_are_named_and_a_tie_is_no_verdict(labelled) -> None:
    once = run("judge", "calibrate", "labels.csv", "p@v1", "--suite", "suites/p.yaml", "--json")
    text = (labelled.root / "labels.csv").read_text()
    first, second, third = (row.split(",") for row in text.splitlines()[1:4])
    other = {"pass": "fail", "fail": "pass"}
    more = [
        # Two of two minds; two against one; and one who thought again.
        [*first[:4], other[first[4]], "bob", "2026-11-02"],
        [*second[:4], other[second[4]], "bob", "2026-11-02"],
        [*second[:4], second[4], "cem", "2026-11-02"],
        [*third[:4], other[third[4]], "ann", "2026-11-03"],
        [*third[:4], third[4], "ann", "2026-11-02"],
    ]
    labelled.write({"labels.csv": text + "".join(",".join(row) + "\n" for row in more)})
    done = run("judge", "calibrate", "labels.csv", "p@v1", "--suite", "suites/p.yaml")
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "labels of 2 of 2 answers that several people labelled contradict each other (c0, c1)" in said
    assert "1 without a majority; 1 labels are not counted: the same person gave another one later" in said
    assert "1 without a majority left out" in said
    found = json.loads(run("judge", "calibrate", "labels.csv", "p@v1", "--suite", "suites/p.yaml", "--json").stdout)
    before = json.loads(once.stdout)["agreement"]
    counted = ("both_pass", "pass_fail", "fail_pass", "both_fail")
    assert sum(found["agreement"][key] for key in counted) == sum(before[key] for key in counted) - 1
    assert found["people"] == {"several": 2, "contradicted": ["c0", "c1"], "ties": 1, "replaced": 1}
    compared = run("compare", "p@v1", "p@v2", "--suite", "suites/p.yaml", "--labels", "labels.csv")
    assert "note: labels of 2 of 2 answers" in " ".join(compared.stdout.split())


def test_labels_of_several_people_of_one_answer_are_not_counted_as_several_answers(project) -> None:
    rows = [f"c{n},v,{n:012x},{'pass' if n % 2 else 'fail'},{n % 2},{who}" for n in range(30) for who in ("ann", "bob")]
    project.write({"scores.csv": "case,variant,answer_sha256,label,score,labeller\n" + "\n".join(rows) + "\n"})
    found = json.loads(run("judge", "calibrate", "scores.csv", "--json").stdout)
    assert (found["answers"], found["qualities"][0]["labels"], found["people"]["several"]) == (30, 30, 30)


def test_scores_of_another_tool_are_calibrated_without_a_suite(project) -> None:
    rows = [f"{'pass' if n % 4 else 'fail'},{0.9 if n % 4 else 0.2}" for n in range(40)] + [",0.9"] * 100
    project.write({"scores.csv": "label,score\n" + "\n".join(rows) + "\n"})
    found = json.loads(run("judge", "calibrate", "scores.csv", "--json").stdout)
    assert (found["answers"], found["agreement"]["kappa"]) == (140, 1.0)
    assert found["qualities"][0]["labels"] == 40


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("case,lable\na,pass\n", r"labels.csv:1: has no column 'label'. Is it 'lable'\?"),
        ("case,LABEL\na,pass\n", r"labels.csv:1: has no column 'label'. Is it 'LABEL'\?"),
        (
            "case,answer_sha256,label\na,123456789012,good\n",
            "labels.csv:2: label: 'good' is not pass, fail, or a number",
        ),
        ("case,answer_sha256,label\na,123456789012,1.5\n", "labels.csv:2: label: '1.5' is not pass, fail"),
        ("case,answer_sha256,label\na,123456789012,nan\n", "labels.csv:2: label: 'nan' is not pass, fail"),
        ("case,answer_sha256,label\na,xyz,pass\n", "labels.csv:2: answer_sha256: 'xyz' is not a SHA-256 digest"),
        ("case,answer_sha256,label\na,,pass\n", "labels.csv:2: has neither `answer_sha256` nor `score`"),
        ("case,answer_sha256,label,repetition\na,123456789012,pass,x\n", "labels.csv:2: repetition: 'x' is not"),
        ("case,answer_sha256,label\n", "labels.csv: has no label"),
        ("case,answer_sha256,label\na,123456789012,\n", "labels.csv: has no label"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(project, text: str, why: str) -> None:
    project.write({"labels.csv": text})
    with pytest.raises(InputError, match=why):
        read_labels(project.root / "labels.csv")


def test_an_answer_is_known_by_its_text_without_white_space_around_it() -> None:
    assert answer_sha256(" yes\n") == answer_sha256("yes") == hashlib.sha256(b"yes").hexdigest()
