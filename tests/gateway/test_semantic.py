import base64
import csv
import importlib.util
import json
import sqlite3
import struct
from contextlib import closing

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream import Reply, answer, ask, chat

import promptopt
from promptopt.cli import cli
from promptopt.errors import InputError, MissingExtra, UsageError
from promptopt.gateway.semantic.calibrate import QuestionPair, calibrate, read_pairs, upper_bound
from promptopt.gateway.semantic.embedders import OpenAIEmbedder, make_embedder, unit
from promptopt.gateway.semantic.hard_facts import difference, hard_facts
from promptopt.gateway.semantic.index import VectorIndex

LOCAL = importlib.util.find_spec("wordllama") and importlib.util.find_spec("safetensors")
needs_local = pytest.mark.skipif(not LOCAL, reason="the extra semantic is not installed")


def differs(a, b):
    found = difference(hard_facts(a), hard_facts(b))
    assert found == difference(hard_facts(b), hard_facts(a))
    # What is kept of a text decides the same.
    assert found == difference(hard_facts(a).hidden(str.swapcase), hard_facts(b).hidden(str.swapcase))
    return found


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("How far is 5 miles?", "How far is 50 miles?", "numbers"),
        ("How do I approve the refund?", "How do I deny the refund?", "opposites"),
        ("Can I cancel?", "Why can't I cancel?", "negation"),
        ("I did pay", "I did not pay", "negation"),
        ("Darf ich das?", "Darf ich das nicht?", "negation"),
        ("Flights to Paris", "Flights to London", "names"),
        ("meet on Monday", "meet on Tuesdays", "dates"),
        ("turn it on", "turn it off", "opposites"),
        ("Mach das Licht an", "Mach das Licht aus", "opposites"),
        ("the flight to Rome", "the flight from Rome", "opposites"),
        ("last order", "next order", "opposites"),
        ("price in €", "price in $", "signs"),
        ("is a < b", "is a > b", "signs"),
        ("how do I feel 😀", "how do I feel 😡", "signs"),
        # Which way round.
        ("Pay Alice before Bob", "Pay Bob before Alice", "order"),
        ("change GBP into JPY", "change JPY into GBP", "order"),
        ("what is 10 minus 4", "what is 4 minus 10", "order"),
        ("did the cat chase the mouse", "did the mouse chase the cat", "order"),
        ("does every dog chase cats", "does every cat chase dogs", "order"),
        ("not sick and insured", "sick and not insured", "order"),
        # A script that cannot be read here.
        ("可以喝酒吗", "不可以喝酒吗", "words"),
        ("открой счёт", "закрой счёт", "words"),
        # What says the same.
        ("two cards", "2 cards", None),
        ("How do I reset my password?", "how can I reset the password", None),
        ("Where is my card?", "Has my card been shipped?", None),
        ("the best way to learn python", "What's the best way to learn Python?", None),
        ("Which is the best book to learn from?", "What is the best book to learn", None),
        ("What is the difference between night and day?", "difference between day and night", None),
        ("How many grams are 1,000 mg", "how many grams are 1000 mg?", None),
        ("可以喝酒吗？", "可以喝酒吗", None),
    ],
)
def test_hard_facts(a, b, expected):
    assert differs(a, b) == expected


@given(st.text(max_size=60), st.integers(0, 10**6), st.integers(0, 10**6))
def test_other_numbers_are_other_facts(text, one, other):
    assert (differs(f"{text} {one} x", f"{text} {other} x") is None) is (one == other)


@given(
    st.lists(st.sampled_from(["alpha", "bravo", "cargo", "delta", "echo", "fox"]), unique=True, min_size=2), st.data()
)
def test_names_in_another_order_are_other_facts(names, data):
    other = data.draw(st.permutations(names))
    one, two = (" pays ".join(each) for each in (names, other))
    assert (differs(one, two) is None) is (list(names) == list(other))


@given(st.text(max_size=60))
def test_every_text_is_itself(text):
    assert differs(text, text) is None


@given(st.integers(1, 400), st.integers(2, 80), st.floats(0.3, 0.99), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_an_index_finds_what_a_comparison_with_all_finds(count, dimensions, threshold, seed):
    import numpy as np

    dice = np.random.default_rng(seed)
    # Vectors of texts lie near a few directions.
    centres = dice.normal(size=(5, dimensions))
    vectors = unit(
        (centres[dice.integers(0, 5, count)] + dice.normal(size=(count, dimensions)) * 0.3).astype("float32")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promptopt.gateway.semantic.index._LARGE", 50 * dimensions)
        patch.setattr("promptopt.gateway.semantic.index._HEAD", 8)
        index = VectorIndex(dimensions)
        for start in range(0, count, 37):
            index.add(vectors[start : start + 37])
        question = unit((centres[0] + dice.normal(size=dimensions) * 0.3).astype("float32")[None])[0]
        found = index.similar(question, threshold)
    cosines = vectors @ question
    close = {place for place in range(count) if cosines[place] >= threshold + 1e-4}
    near = {place for place in range(count) if cosines[place] >= threshold - 1e-4}
    places = [place for _, place in found]
    assert close <= set(places) <= near
    assert [value for value, _ in found] == sorted((value for value, _ in found), reverse=True)


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
        ("text_a,text_b,same\na,b,1\na, ,1\n", "pairs.csv:3: text_b is empty"),
        ("text_a,text_b,same\na,b\n", "pairs.csv:2: has no value for same: the row ends before it"),
        ("text_a,text_b,same\na,well, b,1\n", "pairs.csv:2: has 1 value more than the header has columns"),
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
    monkeypatch.setattr("promptopt.gateway.semantic.embedders._LOCAL", [])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"promptopt-llm\[semantic\]"):
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


def test_calibration_says_what_keeps_pairs_apart():
    pairs = [
        QuestionPair("apple for Ann and 2", "apple for Ann and 3", False),
        QuestionPair("apple for Bob", "apple for Ann", True),
        QuestionPair("apple", "able", True),
    ]
    search = calibrate(pairs, Letters(), 0.01)
    assert (search.guarded, search.guarded_false) == (2, 1)
    assert (search.guarded_by, search.guarded_same) == ({"numbers": 1, "names": 1}, {"names": 1})


class Flat:
    """An embedder to which all texts are the same, apart from those that it cannot read."""

    name, networked = "flat", False

    def __call__(self, texts):
        import numpy as np

        return np.array([[float("nan") if "void" in text else 0.6, 0.8] for text in texts], dtype=np.float32)


@pytest.fixture
def flat(client, folder, monkeypatch):
    """Makes clients with a semantic cache that takes all texts for the same."""
    monkeypatch.setattr("promptopt.gateway.layers.semantic.make_embedder", lambda name: Flat())
    (folder / ".promptopt").mkdir(exist_ok=True)
    found = {"threshold": 0.99, "embedder": "flat", "false_hits": 0.01, "bound": 0.01, "rules": 2}
    (folder / ".promptopt" / "semantic.json").write_text(json.dumps(found))
    return lambda **options: client(semantic={}, **options)


def user(text, *parts, **more):
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts] if parts else text, **more}


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def called(city):
    function = {"name": "weather", "arguments": json.dumps({"city": city})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}


SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
SAID = [{"role": "tool", "tool_call_id": "c", "content": "20 degrees"}, user("and where")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([user("what is it", image("https://x/1.png"))], [user("what is it", image("https://x/2.png"))]),
        ([user("what is it", image("https://x/1.png"))], [user("what is it")]),
        ([user("say it", SOUND)], [user("say it", {**SOUND, "input_audio": {"data": "BBBB", "format": "wav"}})]),
        (
            [user("sum it up", {"type": "file", "file": {"file_id": "f1"}})],
            [user("sum it up", {"type": "file", "file": {"file_id": "f2"}})],
        ),
        ([user("look", image("https://x/1.png")), user("so")], [user("look", image("https://x/2.png")), user("so")]),
        ([user("weather"), called("Oslo"), *SAID], [user("weather"), called("Rome"), *SAID]),
        ([user("who am I", name="ann")], [user("who am I", name="bob")]),
        ([user("one text", {"type": "text", "text": "a"})], [user("one text", {"type": "text", "text": "b"})]),
        ([user("void")], [user("void again")]),
        ([user("pay Ann for Bob")], [user("pay Bob for Ann")]),
        ([user("x" * 5000)], [user("y" * 5000)]),
    ],
)
def test_what_never_shares_an_answer(flat, upstream, one, other):
    sdk = flat()
    for messages in (one, other):
        sdk.chat.completions.create(model="gpt-4o-mini", temperature=0, messages=messages)
    assert upstream.calls == 2


def test_the_same_picture_and_another_wording_share_an_answer(flat, upstream):
    sdk = flat()
    for text in ("what is it", "what might this be"):
        messages = [user(text, image("data:image/png;base64,AAAA"))]
        sdk.chat.completions.create(model="gpt-4o-mini", temperature=0, messages=messages)
    assert upstream.calls == 1


def test_tenants_share_no_meaning(flat, upstream):
    sdk = flat()
    for tenant in ("a", "b"):
        with promptopt.labels(tenant=tenant):
            ask(sdk, f"my last order {tenant}")
    assert upstream.calls == 2


def test_an_answer_that_calls_a_tool_serves_its_own_question_only(flat, upstream):
    def on(path, body):
        found = chat(body, finish="tool_calls")
        call = {"id": "c", "type": "function", "function": {"name": "pay", "arguments": "{}"}}
        found["choices"][0]["message"]["tool_calls"] = [call]
        return Reply(body=found)

    upstream.on = on
    sdk = flat()
    ask(sdk, "pay it")
    ask(sdk, "please do pay it")
    assert upstream.calls == 2


def test_what_another_process_kept_is_found_and_what_it_spoiled_is_not(flat, upstream, folder):
    one, other = flat(), flat()
    ask(one, "a question")
    ask(other, "the question")
    assert upstream.calls == 1
    with closing(sqlite3.connect(folder / ".promptopt" / "semantic.sqlite")) as file, file:
        assert b"question" not in b"".join(str(row).encode() for row in file.execute("SELECT facts FROM questions"))
        for column, value in (("vector", b"\0\0\xc0\x7f" * 2), ("facts", "[]"), ("meta", "{")):
            scope = file.execute("SELECT scope FROM questions").fetchone()[0]
            file.execute("DELETE FROM questions")
            row = {"vector": struct.pack("<2f", 0.6, 0.8), "facts": "[]", "meta": "{", column: value}
            file.execute(
                "INSERT INTO questions (scope, created, expires, vector, facts, content_type, meta, content) "
                "VALUES (?, 0, 1e12, ?, ?, '', ?, '')",
                (scope, row["vector"], row["facts"], row["meta"]),
            )
    ask(flat(), "some question")
    assert upstream.calls == 2


def test_what_is_over_is_deleted_and_the_oldest_go_first(flat, upstream, folder, monkeypatch):
    monkeypatch.setattr("promptopt.gateway.layers.semantic._MOST", 3)
    sdk = flat()
    layer = next(each for each in sdk._client.gateway.layers if type(each).__name__ == "SemanticCache")
    for number in range(6):
        ask(sdk, f"question {number}")
        layer._tidy(0.0)
    with closing(sqlite3.connect(folder / ".promptopt" / "semantic.sqlite")) as file:
        assert file.execute("SELECT COUNT(*), MIN(id) FROM questions").fetchone() == (3, 4)
    layer._tidy(1e12)
    ask(sdk, "question 5 again")
    assert upstream.calls == 7


@needs_local
def test_words_are_embedded_as_texts_are():
    embedder = make_embedder("wordllama")
    texts = ["How do I reset it?", "two  spaces", " begins", "ends ", "a\nb c", "", "naïve 東京 x", "don't—stop 3.5"]
    for text in texts:
        whole = embedder._tokenizer.encode(text, add_special_tokens=False).ids
        assert embedder._ids(text) == whole
    assert make_embedder("wordllama") is embedder


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


@pytest.fixture
def three(flat, folder):
    """Questions of two prompts and three models are kept."""
    sdk = flat(cache=False)
    for prompt, version, model in (("a", "v1", "gpt-4o"), ("a%", None, "gpt-4o-mini"), ("b", None, "gpt-4.1")):
        with promptopt.labels(prompt=prompt, version=version):
            ask(sdk, "hello", model=model)
    sdk.close()
    (folder / "pyproject.toml").write_text("[tool.promptopt]\n")
    return flat


def questions():
    with closing(sqlite3.connect(".promptopt/semantic.sqlite")) as connection:
        return connection.execute("SELECT count(*) FROM questions").fetchone()[0]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--all"], 0),
        (["--prompt", "a"], 2),
        (["--prompt", "a@v1"], 2),
        (["--prompt", "%"], 3),
        (["--model", "gpt-4o"], 2),
        (["--older-than", "1h"], 3),
        (["--older-than", "0s"], 0),
        (["--prompt", "b", "--model", "gpt-4o"], 3),
    ],
    ids=str,
)
def test_clearing_the_cache_clears_what_was_asked_alike(three, upstream, options, left):
    done = CliRunner().invoke(cli, ["cache", "clear", *options])
    assert done.exit_code == 0
    assert done.output.startswith(f"{3 - left} answer")
    assert questions() == left
    ask(three(cache=False), "hello", model="gpt-4o-mini")
    assert upstream.calls == (4 if left < 2 else 3)


def test_what_is_cleared_is_not_answered_from_memory(flat, upstream, folder):
    (folder / "pyproject.toml").write_text("[tool.promptopt]\n")
    sdk = flat(cache=False)
    for text in ("one way", "one other way"):
        ask(sdk, text)
    assert upstream.calls == 1
    CliRunner().invoke(cli, ["cache", "clear", "--all"])
    ask(sdk, "one more way")
    assert upstream.calls == 2


def test_an_encrypted_question_is_found_with_its_key_alone(flat, upstream, folder, monkeypatch):
    first, other = (base64.urlsafe_b64encode(bytes([each]) * 32).decode() for each in (1, 2))
    upstream.on = lambda path, body: answer(body, text="John has the flu")
    monkeypatch.setenv("CACHE_KEY", first)
    sealed = {"cache": False, "encrypt": "CACHE_KEY"}
    sdk = flat(**sealed)
    ask(sdk, "what is it")
    assert ask(sdk, "what is it then").choices[0].message.content == "John has the flu"
    ask(flat(**sealed), "so what is it")
    assert upstream.calls == 1
    vector = struct.pack("<2f", *Flat()([""])[0])
    for part in (folder / ".promptopt").glob("semantic.sqlite*"):
        assert b"John" not in part.read_bytes()
        assert vector not in part.read_bytes()
    ask(flat(cache=False), "what is it")
    monkeypatch.setenv("CACHE_KEY", other)
    ask(flat(**sealed), "what is it")
    assert upstream.calls == 3
    monkeypatch.setenv("CACHE_KEY", f"{other},{first}")
    ask(flat(**sealed), "what is it again")
    assert upstream.calls == 3


def test_a_file_of_an_earlier_version_still_answers(flat, upstream, folder):
    sdk = flat(cache=False)
    ask(sdk, "one way")
    sdk.close()
    with closing(sqlite3.connect(".promptopt/semantic.sqlite")) as connection:
        connection.execute("DROP TABLE about")
    ask(flat(cache=False), "one other way")
    assert upstream.calls == 1
    (folder / "pyproject.toml").write_text("[tool.promptopt]\n")
    assert CliRunner().invoke(cli, ["cache", "clear", "--model", "gpt-4o-mini"]).output.startswith("0 answers")
    assert CliRunner().invoke(cli, ["cache", "clear", "--all"]).output.startswith("1 answer cleared")
