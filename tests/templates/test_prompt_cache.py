from __future__ import annotations

import pytest

from promptopt.templates.prompt_cache import static_prefix_of
from promptopt.tokens import tokenizer_for


class OneFile:
    """A reader of one include."""

    def read(self, name: str) -> str:
        if name != "a.j2":
            raise FileNotFoundError(name)
        return "included {{ x }}"

    def display(self, name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("source", "before", "at"),
    [
        ("---\nmodel: m\n---\nSay {{ x }}", "Say ", "{{ x }}"),
        ("{% set y = 'k' %}A{{ y }} {{ y ~ x }}", "Ak ", "{{ y ~ x }}"),
        ("A {%- for i in x %}b{% endfor %}", "A", "{%- for i in x %}"),
        ("A {% if y is defined %}b{% endif %}", "A ", "{% if y is defined %}"),
        ("{% macro m(t) %}One {{ t }}{% endmacro %}A {{ m(x) }}", "A One ", "{{ m(x) }}"),
        ("A {% include 'a.j2' %} b", "A included ", "{% include 'a.j2' %}"),
        ("{% for i in [1, 2] %}{{ i }},{% endfor %}{{ x }}{{ x }}", "1,2,", "{{ x }}{{ x }}"),
        ("{% set n = namespace(v=x) %}{% set n.v = 1 %}A {{ n.v }}", "A ", "{{ n.v }}"),
        ("{% chat role='user' %}  A {{ x | compact }}{% endchat %}", "A ", "{{ x | compact }}"),
        (
            "{% if x %}{% chat role='user' %}A{% endchat %}{% endif %}{% chat role='user' %}B{% endchat %}",
            None,
            "{% if x",
        ),
    ],
)
def test_where_the_prefix_ends_in_the_file(source: str, before: str | None, at: str) -> None:
    prefix = static_prefix_of(source, OneFile(), "p.j2")
    assert prefix.end is not None
    assert source[prefix.end :].startswith(at)
    assert prefix.beginning == before


def test_a_filter_around_a_variable_ends_the_prefix() -> None:
    # What truncate leaves of the static text depends on the length of the variable.
    source = "Begin. {% filter truncate(20) %}Static text {{ x }}{% endfilter %}"
    prefix = static_prefix_of(source, None, "p.j2")
    assert prefix.beginning == "Begin. "
    assert prefix.end == source.index("{% filter")


def test_a_static_prompt_is_its_own_prefix() -> None:
    source = "{% set y = 'k' %}A{{ y }}{# note #}"
    prefix = static_prefix_of(source, None, "p.j2")
    assert (prefix.messages, prefix.broken_by, prefix.end) == (("Ak",), None, len(source))
    assert prefix.tokens(tokenizer_for(None), 0) == 4 + 3 + tokenizer_for(None).count("Ak")


@pytest.mark.parametrize(
    "source",
    [
        "---\nmodel: m\n---\nSay {{ x }} and {{ y | upper }}",
        "A {%- for i in x -%} b {{ i }}{% endfor %} c\nd",
        "{{ 'a' | upper }} b\n{% if y is defined %}c\n{% endif %}\n",
        "{% if true %}a{% if x %}b{% endif %}{% endif %} c",
        "user: hi {{ x }}\n{% for i in [1, 2] %}{{ i }}{% endfor %}",
        "A {{ x | gone }}",
        "A {% if x is gone %}b{% endif %}",
    ],
)
def test_what_is_after_the_first_variable_changes_nothing_before_it(source: str) -> None:
    # With a tag that may change it, the template is read to its end.
    tag = "{% set unused = 1 %}"
    short, whole = static_prefix_of(source, None, "p.j2"), static_prefix_of(source + tag, None, "p.j2")
    assert (short.messages, short.beginning, short.end) == (whole.messages, whole.beginning, whole.end)
    assert short.broken_by is not None
    assert whole.broken_by is not None
    assert (short.broken_by.line, short.broken_by.kind) == (whole.broken_by.line, whole.broken_by.kind)
    assert whole.broken_by.source.removesuffix(tag).rstrip() == short.broken_by.source


@pytest.mark.parametrize("source", ["A {% include 'gone.j2' %}", "A \U000f0000 {{ x }}", "{{ 1 / 0 }} A"])
def test_what_cannot_be_rendered_has_no_known_prefix(source: str) -> None:
    prefix = static_prefix_of(source, OneFile(), "p.j2")
    assert (prefix.messages, prefix.beginning, prefix.end) == ((), None, None)
    assert prefix.tokens(tokenizer_for(None), 0) == 0
