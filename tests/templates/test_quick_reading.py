"""Templates are read and compared in fewer steps than Jinja2 takes: with the same result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError
from jinja2.lexer import Lexer, get_lexer

from promptopt.templates import marking, source
from promptopt.templates.environment import PromptEnvironment
from promptopt.templates.marking import render_static
from promptopt.templates.source import read_source, same_code

PARTS = (
    *(
        "{{ a }}",
        "{% if a %}",
        "{% endif %}",
        "{%- if b -%}",
        "{% else %}",
        "{{- c }}",
        "{# d #}",
        "{#- e -#}",
        "{{ 1 }}",
    ),
    *(
        "{% raw %}",
        "{{ x",
        "{% endraw %}",
        "}}",
        "%}",
        "{",
        "{{",
        "{%",
        "#}",
        "\n",
        "  ",
        "Words. ",
        "f } g",
        "{{ a | u }}",
    ),
    *("{% set s = 1 %}", "{% for i in a %}", "{% endfor %}", "{{ s }}", "{{% ", "---\nmodel: m\n---\n", "{}", "\r\n"),
    *('{% chat role="user" %}', "{% endchat %}", "{% if true %}"),
)
TEMPLATES = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


def _tokens(lexer: Lexer, text: str) -> list[object]:
    found: list[object] = []
    try:
        # What was found before an error counts.
        found.extend(lexer.tokeniter(text, None))
    except TemplateSyntaxError as error:
        found.append((error.message, error.lineno))
    return found


@pytest.mark.parametrize("trimmed", [False, True])
@given(text=TEMPLATES)
def test_the_quick_lexer_finds_the_tokens_of_jinja(trimmed: bool, text: str) -> None:
    environment = PromptEnvironment(None, trim_blocks=trimmed, lstrip_blocks=trimmed)
    slow = get_lexer(environment)
    assert environment.lexer is not slow
    assert environment.lexer.rules["root"][0].pattern != slow.rules["root"][0].pattern
    assert _tokens(environment.lexer, text) == _tokens(slow, text)


@given(TEMPLATES, st.lists(st.tuples(st.integers(0, 60), st.sampled_from(("", "x ", *PARTS))), max_size=3))
def test_code_that_is_seen_to_be_the_same_is_the_same_when_it_is_read(
    text: str, inserted: list[tuple[int, str]]
) -> None:
    after = text
    for place, part in inserted:
        after = after[:place] + part + after[place:]
    first = read_source(text)
    if first.is_template and source._is_all_code(first.code, after):
        again = read_source(after)
        assert again.is_template
        assert again.code == first.code


def test_the_same_code_is_seen_without_reading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (
        "---\nmodel: m\n---\nPlease name {{ a }}.\n{%- if b -%} Now. {% endif %}{# c #}{% raw %}{{ d }}{% endraw %}\n"
    )
    read_source(before)
    monkeypatch.setattr(source, "_read", None)
    assert same_code(before, before.replace("Please name", "Name").replace("Now. ", ""))


@pytest.mark.parametrize("text", ["", "a", "é", "\uffff", "\U0001f600", "a\U000f0000", "\U0010ffff", "\U000effff"])
def test_marks_are_seen_as_the_characters_that_they_are(text: str) -> None:
    assert marking.has_marks(text) == any(ord(character) >= marking.FIRST_MARK for character in text)


@given(TEMPLATES)
def test_a_literal_text_is_rendered_as_its_template_would_be(text: str) -> None:
    for nested in (False, True):
        quick = render_static(text, None, "a.j2", nested=nested)
        marking._compiled.cache_clear()
        marking._marked_code.cache_clear()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(marking, "_literal_text", lambda _: None)
            slow = render_static(text, None, "a.j2", nested=nested)
        marking._compiled.cache_clear()
        marking._marked_code.cache_clear()
        assert quick == slow


def test_what_depends_on_a_variable_is_not_compiled_where_only_the_rest_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marking._marked_code.cache_clear()
    monkeypatch.setattr(PromptEnvironment, "_generate", None)
    found = render_static("Name {{ a }}.{% if b %} Now.{% endif %} Be brief.", None, "b.j2", nested=False)
    assert found is not None
    assert "Be brief." in found.items[0].content  # type: ignore[union-attr] - one message
