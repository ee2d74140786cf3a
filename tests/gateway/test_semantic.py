import csv
import importlib.util
import json

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream import Reply, answer, ask

from promptopt.cli import cli
from promptopt.errors import InputError, MissingExtra, UsageError
from promptopt.gateway.layers.semantic import OpenAIEmbedder, fingerprint, hard_facts, make_embedder
from promptopt.gateway.semantic.calibrate import QuestionPair, calibrate, read_pairs, upper_bound

LOCAL = importlib.util.find_spec("wordllama") and importlib.util.find_spec("safetensors")
needs_local = pytest.mark.skipif(not LOCAL, reason="the extra semantic is not installed")


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("How far is 5 miles?", "How far is 50 miles?", False),
        ("How do I approve the refund?", "How do I deny the refund?", False),
        ("Can I cancel?", "Why can't I cancel?", False),
        ("I did pay", "I did not pay", False),
        ("Flights to Paris", "Flights to London", False),
        ("meet on Monday", "meet on Tuesdays", False),
        ("turn it on", "turn it off", False),
        ("two cards", "2 cards", True),
        ("How do I reset my password?", "how can I reset the password", True),
        ("Where is my card?", "Has my card been shipped?", True),
    ],
)
def test_hard_facts(a, b, same):
    assert (fingerprint(a) == fingerprint(b)) is same


@given(st.text(max_size=60), st.integers(0, 10**6), st.integers(0, 10**6))
def test_other_numbers_are_other_facts(text, one, other):
    assert (fingerprint(f"{text} {one} x") == fingerprint(f"{text} {other} x")) is (one == other)


@given(st.text(max_size=60))
def test_any_text_has_facts(text):
    assert set(hard_facts(text)) == {"numbers", "negations", "dates", "names", "poles"}


@settings(deadline=None)  # the first example imports scipy
@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.05, 0.01, 0.004]))
def test_bound_is_clopper_pearsons(wrong, total, level):
    from scipy.stats import beta

    wrong = min(wrong, total)
    expected = 1.0 if wrong == total else beta.ppf(1 - level, wrong + 1, total - wrong)
    assert upper_bound(wrong, total, level) == pytest.approx(expected, abs=1e-9)


class Letters:
    """An embedder whose similarity is known: texts with the same first letter are the same."""

    name, networked = "letters", False

    def __call__(self, texts):
        import numpy as np

        vectors = np.zeros((len(texts), 26), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row, ord(text[0]) - 97] = 1
        return vectors


def test_calibration_takes_the_lowest_threshold_within_the_budget():
    pairs = [QuestionPair("apple", "able", True)] * 900 + [QuestionPair("apple", "bear", False)] * 300
    search = calibrate(pairs, Letters(), 0.01)
    assert search.chosen.threshold == 1.0
    assert search.chosen.false_hits == 0
    assert search.chosen.bound <= 0.01


def test_calibration_refuses():
    mixed = [QuestionPair("apple", "able", True)] * 300 + [QuestionPair("apple", "able", False)] * 30
    assert calibrate(mixed, Letters(), 0.01).chosen is None
    # Too few pairs to be sure, although none is wrong.
    assert calibrate([QuestionPair("apple", "able", True)] * 50, Letters(), 0.01).chosen is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n", "has no columns text_a, text_b and same"),
        ("text_a,text_b,same\na,b,maybe\n", "pairs.csv:2: same = 'maybe' is not 1 or 0"),
        ("text_a,text_b,same\n", "has no pair"),
        ("", "has no columns"),
    ],
)
def test_bad_pairs(folder, text, message):
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_pairs(folder / "pairs.csv")
    assert message in str(caught.value)


def test_off_until_it_is_calibrated(client, folder):
    with pytest.raises(InputError, match=r"not calibrated.*\n.*promptopt cache calibrate"):
        client(semantic={})
    (folder / ".promptopt").mkdir(exist_ok=True)
    other = {"threshold": 0.9, "embedder": "openai:other", "false_hits": 0.01, "bound": 0.01}
    (folder / ".promptopt" / "semantic.json").write_text(json.dumps(other))
    if LOCAL:
        with pytest.raises(UsageError, match="calibrated for 'openai:other', not for 'wordllama-l2-256'"):
            client(semantic={"embedder": "wordllama"})
    with pytest.raises(UsageError, match="unknown embedder"):
        client(semantic={"embedder": "magic"})


def test_without_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"promptopt\[semantic\]"):
        make_embedder("wordllama")


@needs_local
def test_calibrate_then_hit_if_the_hard_facts_are_the_same(client, upstream, folder):
    with (folder / "pairs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text_a", "text_b", "same"])
        for number in range(800):
            writer.writerow([f"how do I reset my password {number}", f"how can I reset my password {number}", 1])
            writer.writerow([f"how do I reset my password {number}", f"the weather was rather nice {number}", 0])
    result = CliRunner().invoke(cli, ["cache", "calibrate", "pairs.csv"])
    assert result.exit_code == 0, result.output
    assert "chosen" in result.output
    sdk = client(semantic={})
    ask(sdk, "how do I reset my password 7")
    ask(sdk, "how can I reset my password 7")
    assert upstream.calls == 1
    ask(sdk, "how can I reset my password 8")
    ask(sdk, "how can I not reset my password 7")
    ask(sdk, "how can I reset my password 7", seed=3)
    assert upstream.calls == 4
    found = [(row.cache, row.incurred_usd) for row in sdk._client.gateway.ledger.rows()]
    assert found[1] == ("semantic", 0.0)


@needs_local
def test_the_command_refuses_with_exit_code_1(folder):
    (folder / "pairs.csv").write_text("text_a,text_b,same\nwhere is my card,where is the card,0\n")
    result = CliRunner().invoke(cli, ["cache", "calibrate", "pairs.csv"])
    assert result.exit_code == 1
    assert "stays off" in result.output
    assert not (folder / ".promptopt" / "semantic.json").exists()


def test_embeddings_of_an_endpoint(upstream):
    import openai

    def on(path, body):
        data = [{"object": "embedding", "index": n, "embedding": [3.0, 4.0]} for n, _ in enumerate(body["input"])]
        return Reply(
            body={"object": "list", "model": "e", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        )

    upstream.on = on
    embedder = OpenAIEmbedder("e", openai.OpenAI(base_url=upstream.url, api_key="k"))
    assert embedder(["a"])[0].tolist() == pytest.approx([0.6, 0.8])
    upstream.on = lambda path, body: answer(body)
