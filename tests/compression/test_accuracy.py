"""What the compressor keeps, on the project's own prompts and, if they are on this machine, on real ones."""

import pytest
from corpora import ABSENT, REPOSITORY, own_prompts, real_prompts

import promptopt


@pytest.fixture(scope="module", params=["own", "real"])
def texts(request):
    rows = own_prompts() if request.param == "own" else real_prompts()
    if rows is None:
        pytest.skip(ABSENT.format("prompts/prompts.jsonl"))
    # Long prompts cost most of the time and hold the same kinds of places.
    return [row["text"] for row in rows if len(row["text"]) < 2000]


@pytest.fixture
def benchmarks(monkeypatch):
    """The benchmark's own count of facts and its planted edits, which share no code with the compressor's."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))


@pytest.mark.usefixtures("benchmarks")
def test_planted_losses_are_caught_and_harmless_edits_are_not(texts):
    import planted

    caught, losses, _ = planted.measure(texts, planted.LOSSES, 200)
    alarms, harmless, _ = planted.measure(texts, planted.HARMLESS, 100)
    assert losses.total() == 200
    assert caught.total() >= 0.99 * losses.total()
    assert alarms.total() <= 0.05 * harmless.total()


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(("level", "saved"), [("safe", 0.0005), ("standard", 0.003), ("telegraphic", 0.04)])
def test_shorter_prompts_pass_the_gate(texts, level, saved):
    """The gate puts an output back that loses a fact, a sentence or a list line (see benchmarks/gate.py)."""
    from gate import failures

    after = [promptopt.compress(text, level=level).text for text in texts]
    passed = [pair for pair in zip(texts, after, strict=True) if not failures(*pair)]
    assert len(passed) >= 0.93 * len(texts)
    before = sum(map(len, texts))
    assert sum(len(text) - len(short) for text, short in passed) >= saved * before
