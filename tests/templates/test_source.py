from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.templates.source import Source, read_source, same_code

CHAT = (
    "---\nmodel: gpt-4o\n---\n{% chat role='system' %}Be brief.{% endchat %}\n"
    '{%- chat role="user" -%} {{ t }} {% endchat %}'
)


def kinds(source: Source) -> list[tuple[str, str]]:
    return [(piece.kind, source.text[piece.start : piece.end]) for piece in source.pieces]


def test_pieces_of_a_prompt_file() -> None:
    read = read_source(
        "---\na: 1\n---\nHi {{ a | f('}}') }}{# {{ no }} #}{% raw %}{{ x }}{% endraw %} x\n{% set b = 1 %}."
    )
    assert read.front_end == len("---\na: 1\n---\n")
    assert kinds(read) == [
        ("text", "Hi "),
        ("expression", "{{ a | f('}}') }}"),
        ("comment", "{# {{ no }} #}"),
        ("raw", "{% raw %}{{ x }}{% endraw %}"),
        ("text", " x\n"),
        ("tag", "{% set b = 1 %}"),
        ("text", "."),
    ]
    assert [piece.name for piece in read.pieces if piece.kind == "tag"] == ["set"]
    assert [read.inside(piece) for piece in read.pieces[1:3]] == ["a | f('}}')", "{{ no }}"]


def test_text_without_marks_is_one_piece() -> None:
    assert kinds(read_source("Plain { text }.")) == [("text", "Plain { text }.")]
    assert read_source("").pieces == ()
    assert read_source("---\nmodel: m\n---\n").pieces == ()


def test_control_flow_around_a_place() -> None:
    text = "a{% if x %}b{{ y }}{% else %}c{% for i in z %}d{% endfor %}{% endif %}e"
    read = read_source(text)
    frames = {char: read.frames_at(text.index(f"{char}{{") if char != "e" else len(text) - 1) for char in "abcde"}
    assert frames["a"] == frames["e"] == ()
    assert [frame.kind for frame in frames["d"]] == ["if", "for"]
    assert frames["b"][0].branch == 0
    assert frames["c"][0].branch == frames["d"][0].branch == 1
    assert read.frames_at(text.index("{{ y }}") + 2) == frames["b"]
    assert read.frames_at(text.index("{% else")) not in frames.values()
    assert [text[start:end] for start, end in read.repeated] == ["{% for i in z %}d{% endfor %}", text[1:-1]]


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("minus", ["", "-"])
def test_chat_blocks_are_read_however_they_are_written(quote: str, minus: str) -> None:
    text = f"{{%{minus} chat  role = {quote}user{quote}{minus}%}}Hi {{# c #}}{{%{minus}endchat{minus}%}}"
    (chat,) = read_source(text).chats
    assert (chat.role, chat.is_static) == ("user", True)
    assert text[chat.start : chat.end] == text
    assert text[chat.body_start : chat.body_end] == "Hi {# c #}"


def test_chat_blocks_of_a_prompt() -> None:
    chats = read_source(CHAT + "{% chat role=who %}x{% endchat %}").chats
    assert [(chat.role, chat.is_static) for chat in chats] == [("system", True), ("user", False), (None, True)]


@pytest.mark.parametrize("text", ["Say {{ x", "{{ $x }} and {{#if y}}z{{/if}}", "{% if x %}never closed {{ y }}"])
def test_text_that_jinja_cannot_read_is_split_at_its_delimiters(text: str) -> None:
    read = read_source(text)
    assert not read.is_template
    assert "".join(part for _, part in kinds(read)) == text
    assert all(not piece.frames for piece in read.pieces)


def test_same_code() -> None:
    assert same_code("Please say {{ a }} now.", "Say {{ a }}.")
    assert not same_code("Say {{ a }}.", "Say {{ b }}.")
    assert not same_code("---\nmodel: a\n---\nHi {{ a }}", "---\nmodel: b\n---\nHi {{ a }}")
    assert not same_code("Say {{ a }}.", "Say {{ a.")


PARTS = st.sampled_from(
    ["text ", "\n", "\r\n", "\r", "{{ a }}", "{{- b -}}", "{% if a %}", "{% endif %}", "{%- for i in c -%}",
     "{% endfor %}", "{# n #}", "{% raw %}{{{% endraw %}", "{% chat role='user' %}", "{% endchat %}",
     "{{ '%}' }}", "{{", "%}", "é"]
)  # fmt: skip


@given(st.booleans(), st.lists(PARTS, max_size=12).map("".join))
def test_every_character_is_read_once(has_front: bool, body: str) -> None:
    text = ("---\nmodel: m\n---\n" if has_front else "") + body
    read = read_source(text)
    position = read.front_end
    for piece in read.pieces:
        # Between two pieces there is only white space that a `-` mark strips.
        assert not text[position : piece.start].strip()
        assert position <= piece.start < piece.end
        position = piece.end
    assert not text[position:].strip()
    if read.is_template and "\r" not in text:
        assert "".join(text[piece.start : piece.end] for piece in read.literals).count("{{") == 0


@given(
    st.lists(st.sampled_from(["one two. ", "{{ a }}", "{% if a %}x{% endif %}", "three. "]), max_size=8).map("".join)
)
def test_an_edited_reading_is_the_reading_of_the_edited_text(text: str) -> None:
    read = read_source(text)
    edits = [(piece.start, piece.start + 3, 1) for piece in read.literals if piece.end - piece.start > 4]
    after, shift = text, 0
    for start, end, _ in edits:
        after = after[: start - shift] + "-" + after[end - shift :]
        shift += 2
    assert read.edited(after, edits) == read_source(after)
