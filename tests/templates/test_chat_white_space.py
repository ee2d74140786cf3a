"""White space at the ends of a chat block: the template's is stripped, a value's is kept."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.errors import TemplateError
from promptopt.templates.attribution import attribute
from promptopt.templates.template import Template
from promptopt.values import Origin

BLOCK = '{% chat role="user" %}\n  <>\n{% endchat %}\n'
SPACES = st.text(" \n\t\r\x0b\u00a0\u3000ab", max_size=8)


class OneFile:
    """A reader of one file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, name: str) -> str:
        return self.text

    def display(self, name: str) -> str:
        return name


def prompt(inner: str) -> Template:
    return Template.load("p.j2", OneFile(BLOCK.replace("<>", inner)), Origin("p"))


def content(inner: str, **variables: object) -> str:
    (message,) = prompt(inner).render(variables).messages
    return message.content


@given(SPACES)
def test_a_value_is_sent_as_it_is(value: str) -> None:
    assert content("{{ x }}", x=value) == value
    assert content("{% if x is defined %}{{ x }}{% endif %}", x=value) == value
    assert content("{{ x }}.", x=value) == value + "."
    assert content("{% for y in x %}\n{{ y }}{% endfor %}", x=[value, value]) == value * 2


def test_a_macro_and_a_set_block_print_the_templates_own_white_space() -> None:
    assert content("{% macro m(x) %}\n  {{ x }}\n{% endmacro %}{{ m(1) }}") == "1"
    assert content("{% set t %}\n  a {{ x }}\n{% endset %}{{ t }}", x=1) == "a 1"


def test_tokens_are_attributed_to_a_value_with_its_white_space() -> None:
    template = prompt("{{ x }}")
    found = attribute(template, {"x": "    return 1\n\n"})
    assert found.exact
    assert sum(part.tokens for part in found.parts) + found.framing == found.total


@given(
    st.lists(st.sampled_from(["a", " ", "\n", "{{ x }}", "{{ y }}", "{# note #}", "\u00a0", "ä"]), max_size=6),
    st.text(" \n\tab{}\u00a0\u3000\U000eff20\ufdd0", max_size=6),
    st.sampled_from(["plain", " two words\n", "data:,x", 7, None, ["a"], True]),
)
def test_a_chat_is_filled_in_as_jinja_renders_it(pieces: list[str], x: str, y: object) -> None:
    template = prompt("".join(pieces))
    assert template.plain is not None
    rendered = replace(template, plain=None)
    assert template.render({"x": x, "y": y}).messages == rendered.render({"x": x, "y": y}).messages


@pytest.mark.parametrize(
    "inner", ["{{ x | upper }}", "{{ x.y }}", "{% if x %}a{% endif %}", "{{ caller }}", "{{ self }}", "{{ 3 }}"]
)
def test_only_text_and_names_are_filled_in(inner: str) -> None:
    assert prompt(inner).plain is None


def test_a_name_that_is_not_given_is_an_error_and_one_of_jinjas_own_is_not() -> None:
    with pytest.raises(TemplateError, match="'x' is undefined"):
        prompt("{{ x }}").render({})
    assert content("{{ range }}").startswith("<")
    assert content("{{ range }}", range="mine") == "mine"
