"""White space at the ends of a chat block: the template's is stripped, a value's is kept."""

from hypothesis import given
from hypothesis import strategies as st

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
