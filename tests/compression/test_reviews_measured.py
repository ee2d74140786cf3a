"""benchmarks/rewrites_review.py: what is asked tells nothing, and the answers are counted as what they are."""

import json
import re
import sys

import pytest

FILE = """
task: launderette
passages:
- was: |
    Please be so kind as to describe the washing of the guest, and make sure to name the price of each piece.
  now: |
    Describe the guest's washing, and name the price of each piece.
- was: |
    You should always take care that you never promise a time for washing that was collected on a Sunday.
  now: |
    Never promise a time for washing collected on a Sunday.
losses:
- kind: how many
  lost: the price of each piece
  named_by: [each]
  was: the price of each piece.
  becomes: the price.
- kind: denial
  lost: never
  named_by: [never]
  was: Never promise a time
  becomes: Promise a time
"""


@pytest.fixture
def measure(tmp_path, repository, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    from rewrites_review import main

    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/1-laundry.yaml").write_text(FILE)

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["rewrites_review", "--folder", str(tmp_path / "prompts"), *options])
        main()
        return capsys.readouterr().out

    return run


def answered(folder, lost):
    """An answer beside each question; ``lost`` says of a passage and its rewrite which words it lacks."""
    for path in folder.rglob("*.txt"):
        asked = path.read_text()
        texts = (re.search(rf"<{name}>\n(.*)\n</{name}>", asked, re.DOTALL)[1] for name in ("passage", "rewrite"))
        named = [{"words": words, "why": "it may be another"} for words in lost(*texts)]
        path.with_suffix(".json").write_text(json.dumps({"lost": named, "added": []}))


def right(passage, rewrite):
    return [words for words in ("each piece", "never promise") if words in passage and words not in rewrite.lower()]


def blind(passage, rewrite):
    return []


def strict(passage, rewrite):
    return ["so kind" if "so kind" in passage else "take care"]


def test_each_passage_is_asked_about_once_a_folder_and_under_a_name_that_tells_nothing(measure, tmp_path):
    assert "4 questions" in measure("--unguarded", "--requests", str(tmp_path / "out"))
    folders = sorted((tmp_path / "out").iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [2, 2]
    for folder in folders:
        texts = [path.read_text() for path in folder.iterdir()]
        assert len({re.search(r"<passage>(.*)</passage>", text, re.DOTALL)[1] for text in texts}) == 2
        assert not any("twin" in text or "laundry" in text for text in texts)
        assert all(re.fullmatch(r"[0-9a-f]{12}\.txt", path.name) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("lost", "faithful", "twins"),
    [
        (right, "2 taken whole", "2 of 2 refused (100.0%): 2 by review, named"),
        (blind, "2 taken whole", "0 of 2 refused (0.0%): 2 PASSED"),
        (strict, "0 taken whole", "2 of 2 refused (100.0%): 2 by review, unnamed"),
    ],
)
def test_answers_are_counted(measure, tmp_path, lost, faithful, twins):
    out = tmp_path / "out"
    measure("--unguarded", "--requests", str(out))
    answered(out, lost)
    said = measure("--unguarded", "--answers", str(out))
    assert faithful in said
    assert f"twins with one loss: {twins}" in said
    assert "0 questions have no answer" in said


def test_what_the_guard_refuses_is_counted_as_its_own_and_is_not_asked_about(measure, tmp_path):
    out = tmp_path / "out"
    measure("--requests", str(out))
    assert not any("\nPromise a time" in path.read_text() for path in out.rglob("*.txt"))
    answered(out, right)
    assert "1 by guard" in measure("--answers", str(out))


def test_what_has_no_answer_is_not_taken(measure, tmp_path):
    (tmp_path / "none").mkdir()
    said = measure("--unguarded", "--answers", str(tmp_path / "none"), "--requests", str(tmp_path / "out"))
    assert "0 taken whole" in said
    assert "2 by review, not reviewed" in said
    assert "4 questions have no answer" in said
    assert len(list((tmp_path / "out").rglob("*.txt"))) == 4
