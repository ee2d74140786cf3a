"""Counts are tiktoken's own, from the shipped vocabularies, without a network."""

import gzip
import hashlib
import inspect
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken.model import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING
from tiktoken_ext import openai_public

from promptopt import tokens, vocabularies
from promptopt.values import Message, Rendered


@pytest.mark.parametrize("name", tokens.SHIPPED)
def test_the_vocabulary_is_the_one_that_tiktoken_names(name: str) -> None:
    source = inspect.getsource(getattr(openai_public, name))
    (expected,) = re.findall(r'expected_hash="([0-9a-f]{64})"', source)
    packed = Path(tokens.__file__).parent / "data" / f"{name}.tiktoken.gz"
    assert hashlib.sha256(gzip.decompress(packed.read_bytes())).hexdigest() == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        # The examples of OpenAI's cookbook, "How to count tokens with tiktoken".
        ("cl100k_base", "antidisestablishmentarianism", 6),
        ("o200k_base", "antidisestablishmentarianism", 6),
        ("cl100k_base", "2 + 2 = 4", 7),
        ("o200k_base", "2 + 2 = 4", 7),
        ("cl100k_base", "お誕生日おめでとう", 9),
        ("o200k_base", "お誕生日おめでとう", 8),
    ],
)
def test_counts_are_the_published_ones(name: str, text: str, expected: int) -> None:
    assert tokens.Tokenizer(name, exact=True).count(text) == expected


def test_counting_neither_reads_nor_writes_a_cache_nor_calls_out(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "import promptopt; print(promptopt.count('hello world').tokens)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", [m for m, e in MODEL_TO_ENCODING.items() if e in tokens.SHIPPED])
def test_every_model_of_tiktokens_table_is_counted_with_its_encoding(model: str) -> None:
    assert tokens.tokenizer_for(model) == tokens.Tokenizer(MODEL_TO_ENCODING[model], exact=True)


@pytest.mark.parametrize("prefix", [p for p, e in MODEL_PREFIX_TO_ENCODING.items() if e in tokens.SHIPPED])
def test_dated_models_are_counted_like_their_family(prefix: str) -> None:
    expected = tokens.Tokenizer(MODEL_PREFIX_TO_ENCODING[prefix], exact=True)
    assert tokens.tokenizer_for(f"{prefix}2030-01-01") == expected


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "local:smollm2", "code-davinci-002", "gemini-2.5-pro"])
def test_a_model_without_a_shipped_tokenizer_is_estimated_and_says_so(model: str) -> None:
    counted = tokens.count_tokens("hello world", model)
    assert (counted.tokens, counted.encoding, counted.basis) == (2, "o200k_base", "estimated")


@pytest.mark.parametrize("model", ["openai:gpt-4", "openai/gpt-4", "openrouter/openai/gpt-4"])
def test_a_provider_before_the_name_changes_no_tokenizer(model: str) -> None:
    assert tokens.tokenizer_for(model).encoding == "cl100k_base"


def test_chat_framing_is_counted_as_the_cookbook_has_it() -> None:
    # The cookbook's example messages: 129 tokens for gpt-3.5-turbo and gpt-4, 124 for gpt-4o; the named examples there
    # are left out here, because promptopt's messages have no names.
    messages = [Message("system", "You are a helpful assistant."), Message("user", "hello world")]
    counted = tokens.count_tokens(messages, "gpt-4o")
    assert counted.content == 6 + 2
    assert counted.framing == 2 * (3 + 1) + 3
    assert counted.tokens == counted.content + counted.framing


def test_a_schema_is_counted_as_billed() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    rendered = Rendered((Message("user", "hi"),), model="gpt-4o", output_schema=schema)
    billed = tokens.Tokenizer("o200k_base", exact=True).count('{"properties":{"a":{"type":"string"}},"type":"object"}')
    assert tokens.count_tokens(rendered).schema == billed + tokens.TOKENS_PER_SCHEMA
    assert tokens.count_tokens(rendered).tokens == tokens.count_tokens(rendered.messages, "gpt-4o").tokens + billed + 9


@given(st.text())
def test_any_text_is_counted_as_tiktoken_counts_it(text: str) -> None:
    expected = len(tokens.encoding().encode(text, disallowed_special=()))
    assert tokens.count_tokens(text).tokens == expected


@contextmanager
def little() -> Iterator[None]:
    """As in a process that has counted nothing so far."""
    loaded, tokens._LOADED = tokens._LOADED, {}
    tokens._LITTLE.clear()
    try:
        yield
    finally:
        tokens._LOADED = loaded


@pytest.mark.parametrize("name", tokens.SHIPPED)
def test_a_little_text_is_counted_without_the_tables_of_tiktoken_as_with_them(name: str) -> None:
    """Every plain character beside letters, numbers, spaces and signs."""
    theirs = tokens.encoding(name).encode_ordinary
    starts, ends = ("", "a", "A ", "1", "'"), ("", "A", "1", "'s\n", "  x")
    characters = [chr(code) for code in range(0x2200) if vocabularies._PLAIN.fullmatch(chr(code))]
    texts = [start + one * times + end for one in characters for start in starts for end in ends for times in (1, 2)]
    with little():
        counter = tokens.Tokenizer(name, exact=True)
        assert [text for text in texts if counter.count(text) != len(theirs(text))] == []
        assert not tokens._LOADED


@given(st.text(alphabet=st.characters(max_codepoint=0x24F), max_size=200), st.sampled_from(tokens.SHIPPED))
def test_any_plain_text_is_counted_without_the_tables_of_tiktoken_as_with_them(text: str, name: str) -> None:
    expected = len(tokens.encoding(name).encode_ordinary(text))
    with little():
        assert tokens.Tokenizer(name, exact=True).count(text) == expected
        assert not tokens._LOADED


def test_the_texts_of_some_thousand_calls_are_counted_without_the_tables_of_tiktoken() -> None:
    little = vocabularies.LittleText("o200k_base")
    call = "Order {}. I bought this kettle for my sister in June and have used it nearly every day since. " * 5
    assert all(little.count(call.format(*[number] * 5)) is not None for number in range(2_000))


@pytest.mark.parametrize(
    "text", ["\u4f60\u597d", "a" * 101, "word " * 9_000], ids=["not plain", "a long piece", "more than a little"]
)
def test_what_is_not_a_little_plain_text_is_counted_by_tiktoken(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabularies, "_MOST_CHARACTERS", 44_000)
    expected = len(tokens.encoding().encode_ordinary(text))
    with little():
        counter = tokens.tokenizer_for(None)
        assert counter.count("one two") == 2
        assert not tokens._LOADED
        assert counter.count(text) == expected
        assert list(tokens._LOADED) == ["o200k_base"]
        assert not tokens._LITTLE


def test_special_tokens_in_a_text_are_text() -> None:
    assert tokens.count_tokens("<|endoftext|>").tokens > 1


def test_half_a_surrogate_pair_is_counted() -> None:
    assert tokens.count_tokens("\ud83d").tokens >= 1


@given(
    st.text(alphabet="ab1\u00e9\u4e16 \n\t.'_-/S", max_size=300), st.sampled_from(tokens.SHIPPED), st.integers(1, 40)
)
def test_pieces_have_as_many_tokens_as_the_whole(text: str, name: str, size: int) -> None:
    whole = len(tokens.encoding(name).encode_ordinary(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_PIECE", size)
        pieces = list(tokens._pieces(text))
        assert "".join(pieces) == text
        assert tokens.Tokenizer(name, exact=True).count(text) == whole


def test_a_long_text_is_counted_in_pieces() -> None:
    """Python makes the list of a piece's numbers in one go, for which every other thread waits."""
    text = " ".join(f"word{number}" for number in range(200_000))
    pieces = list(tokens._pieces(text))
    assert max(map(len, pieces)) < 250_000
    counted = tokens.tokenizer_for("gpt-4o").count(text)
    assert counted == len(tokens.encoding("o200k_base").encode_ordinary(text))


@pytest.mark.parametrize("space", [" ", "\n", "\t"])
def test_a_megabyte_of_white_space_is_counted(space: str) -> None:
    assert 0 < tokens.count_tokens("a" + space * 1_000_000 + "b").tokens < 1_000_000


def test_an_unknown_encoding_names_those_that_are_shipped() -> None:
    with pytest.raises(ValueError, match="o200k_base, cl100k_base"):
        tokens.encoding("p50k_base")


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("ft:gpt-4.1-mini-2025-04-14:acme::abc", "gpt-4.1-mini"),
        ("openai/ft:gpt-4.1-nano-2025-04-14:acme:tickets:abc:ckpt-step-80", "gpt-4.1-nano"),
        ("openai:ft:o4-mini-2025-04-16:acme::abc", "o4-mini"),
        ("ft:gpt-3.5-turbo-0125:acme::abc", "gpt-3.5-turbo"),
        ("ft:gpt-4-0613:acme::abc", "gpt-4"),
    ],
)
def test_a_fine_tuned_model_is_counted_with_the_tokenizer_of_its_base(model: str, base: str) -> None:
    assert tokens.tokenizer_for(model) == tokens.tokenizer_for(base)
    assert tokens.tokenizer_for(model).exact


def test_a_fine_tuned_model_of_an_unknown_base_is_estimated() -> None:
    assert not tokens.tokenizer_for("ft:gpt-4.9-mini:acme::abc").exact


def test_sixteen_threads_that_count_first_read_one_vocabulary() -> None:
    tokens.release()
    readings: list[str] = []
    ready, found = threading.Barrier(16), list[int]()
    real = vocabularies.shipped_text

    def noted(url: str, expected_hash: str) -> bytes:
        readings.append(url)
        return real(url, expected_hash)

    def count() -> None:
        ready.wait()
        found.append(tokens.Tokenizer("o200k_base", exact=True).count("one vocabulary for all"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabularies, "shipped_text", noted)
        threads = [threading.Thread(target=count) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(readings) == 1
    assert found == [4] * 16


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_child_forked_while_another_thread_loads_counts_too() -> None:
    tokens.release()
    with tokens._loading:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if tokens.Tokenizer("o200k_base", exact=True).count("one two") == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0


_RESIDENT = """
from pathlib import Path
from promptopt import tokens, vocabularies
def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024
tokens.encoding("o200k_base")
loaded = megabytes()
tokens.release()
print(loaded - megabytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked to give memory back")
def test_a_vocabulary_that_is_given_back_leaves_the_process() -> None:
    found = subprocess.run([sys.executable, "-c", _RESIDENT], check=True, capture_output=True, text=True)
    assert float(found.stdout) > 30


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        (None, (1024, 128)),
        ("gpt-5.4", (1024, 128)),
        ("my-model", (1024, 128)),
        ("deepseek-chat", (64, 64)),
        ("deepseek:deepseek-chat", (64, 64)),
        ("deepseek/deepseek-reasoner", (64, 64)),
        ("fireworks/deepseek-v3", (1024, 128)),
        ("deepseek-ai/DeepSeek-V3", (1024, 128)),
        ("gemini-2.5-flash", (2048, 1)),
        ("google/gemini-3.1-pro-preview", (4096, 1)),
        ("claude-sonnet-4-5-20250929", (1024, 1)),
        ("claude-sonnet-5", (1024, 1)),
        ("claude-opus-4-8", (1024, 1)),
        ("anthropic/claude-opus-4.6", (4096, 1)),
        ("claude-opus-4-7", (2048, 1)),
        ("claude-haiku-4-5", (4096, 1)),
        ("claude-3-5-haiku-latest", (2048, 1)),
        ("claude-3-5-sonnet", (1024, 1)),
        ("claude-opus-5-5", (512, 1)),
        ("claude-haiku-5-5", (512, 1)),
    ],
)
def test_a_prompt_cache_begins_where_the_model_says(model: str | None, rule: tuple[int, int]) -> None:
    assert tokens.cache_rule(model) == rule
