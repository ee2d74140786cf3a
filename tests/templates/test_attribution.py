from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from promptopt.errors import TemplateError
from promptopt.templates.attribution import Attribution, attribute
from promptopt.templates.readers import FolderReader
from promptopt.templates.template import Template
from promptopt.tokens import cacheable_tokens, count_tokens
from promptopt.values import Origin


class MemoryReader:
    """Files of a mapping: what a folder reads, without the disk."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, name: str) -> str:
        try:
            return self.files[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    def display(self, name: str) -> str:
        return name


def template(main: str, **files: str) -> Template:
    named = {name.replace("_", "."): text for name, text in files.items()}
    return Template.load("main.j2", MemoryReader({"main.j2": main, **named}), Origin("main"))


def check_sum(prompt: Template, variables: dict[str, Any], model: str | None = "gpt-4o") -> Attribution:
    found = attribute(prompt, variables, model)
    assert found.total == count_tokens(prompt.render(variables), model).tokens
    assert sum(part.tokens for part in found.parts) + found.framing + found.schema == found.total
    assert 0 <= found.static_prefix_tokens <= found.total
    assert all(part.tokens >= 0 and part.times >= 1 for part in found.parts)
    return found


def lines(found: Attribution) -> dict[tuple[str, int, str], int]:
    return {(part.path, part.line, part.kind): part.tokens for part in found.parts if part.tokens}


def test_lines_and_variables_of_a_chat_prompt() -> None:
    found = check_sum(
        template(
            '---\nmodel: gpt-4o\n---\n{% chat role="system" %}\nYou route tickets.\nBe brief.\n{% endchat %}\n'
            '{% chat role="user" %}Ticket: {{ ticket }}{% endchat %}\n'
        ),
        {"ticket": "Where is my parcel?"},
    )
    assert found.exact
    assert lines(found) == {
        ("main.j2", 5, "text"): 4,
        ("main.j2", 6, "text"): 3,
        ("main.j2", 8, "text"): 2,
        ("main.j2", 8, "variable"): 5,
    }
    assert found.framing == 11
    assert [part.source for part in found.parts if part.kind == "variable"] == ["{{ ticket }}"]


def test_includes_and_macros_count_for_their_own_file() -> None:
    found = check_sum(
        template(
            '{% from "m.j2" import bullet %}\n{% include "rules.j2" %}\n\n{% for item in items %}\n{{ bullet(item) }}\n'
            "{% endfor %}\nEnd of the list.",
            m_j2="{% macro bullet(text) %}\n- an item called {{ text }}\n{% endmacro %}",
            rules_j2="---\ndescription: shared\n---\nRule one holds.\nRule two holds.",
        ),
        {"items": ["apples", "pears", "figs"]},
    )
    assert found.exact
    counted = lines(found)
    assert counted["rules.j2", 4, "text"] == 4
    assert counted["rules.j2", 5, "text"] > 0
    assert counted["m.j2", 2, "text"] == pytest.approx(3 * 5, abs=3)
    assert counted["m.j2", 2, "variable"] >= 3
    assert next(part.times for part in found.parts if part.path == "m.j2" and part.kind == "text") == 3
    assert next(part.times for part in found.parts if part.path == "m.j2" and part.kind == "variable") == 3


def test_a_token_of_two_parts_belongs_to_the_larger() -> None:
    found = check_sum(template("Review: {{ review }}"), {"review": "wonderful"})
    # " wonderful" is one token, of which the template gives the space.
    assert lines(found) == {("main.j2", 1, "text"): 2, ("main.j2", 1, "variable"): 1}


def test_kept_text_that_a_filter_changes_is_counted_from_outside() -> None:
    found = check_sum(
        template(
            "{% set kept %}one two three {{ x }}{% endset %}\n{{ kept|length }} characters\n"
            "{% filter indent(2, first=true) %}\n\na\n\n\nb{{ x }}\n{% endfilter %}"
        ),
        {"x": "four"},
    )
    assert found.exact
    assert found.prefix_broken_by is not None
    assert found.prefix_broken_by.source == "{{ kept|length }}"


def test_what_no_mark_survives_is_attributed_to_rendered_lines() -> None:
    found = check_sum(
        template(
            '{% set kept %}{% include "a.j2" %}{% endset %}\n{{ kept|length }}\n{{ kept }}', a_j2="Hello {{ x }}."
        ),
        {"x": "you"},
    )
    assert not found.exact
    assert {part.path for part in found.parts} == {"main.j2 (rendered)"}
    assert [part.source for part in found.parts] == ["10", "Hello you."]


def test_private_use_characters_of_the_user_are_no_marks() -> None:
    found = check_sum(template("A {{ x }}\nB"), {"x": "\U000f0000\U0010fffd"})
    assert not found.exact
    assert found.static_prefix_tokens == 3 + 1
    assert found.prefix_broken_by is not None


def test_whole_prompt_without_variables_is_a_static_prefix() -> None:
    found = check_sum(template("Say {{ 'hello' }}.{% if true %} Now.{% endif %}"), {})
    assert found.static_prefix_tokens == found.total
    assert found.prefix_broken_by is None


@pytest.mark.parametrize(
    ("source", "static", "broken_by"),
    [
        ("Static text. {{ x }}", "Static text.", "{{ x }}"),
        ("Static text.\n{% if x %}\nyes\n{% endif %}", "Static text.\n", "{% if x %}"),
        ("Static text.\n{% for i in x %}\n{{ i }}\n{% endfor %}", "Static text.\n", "{% for i in x %}"),
        ("A{% for i in range(3) %} B{{ i }}{% endfor %} C {{ x }}", "A B0 B1 B2 C", "{{ x }}"),
        ("{% set y = 'k' %}A{{ y }} {{ x }}", "Ak", "{{ x }}"),
        ("{% set y = x %}A {{ y }}", "A", "{{ y }}"),
        ("A {{ x|default('none') }}", "A", "{{ x|default('none') }}"),
        ("A {{ ['b', 'c']|random }} B", "A", "{{ ['b', 'c']|random }}"),
        ("{% macro m(t) %}One {{ t }}{% endmacro %}{{ m('two') }} three. {{ x }}", "One two three.", "{{ x }}"),
        ("{% macro m(t) %}One {{ t }}{% endmacro %}{{ m(x) }}", "One", "{{ t }}"),
        ("{% macro m() %}One {{ x }}{% endmacro %}{{ m() }}", "One", "{{ x }}"),
        ("{% macro m(t) %}One {{ t }}{% endmacro %}A {{ m(x)|upper }}", "A", "{{ m(x)|upper }}"),
        (
            "{% macro m() %}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}A{% call m() %}b{{ x }}{% endcall %}",
            "",
            "",
        ),
        ("{% set k %}A {{ x }}{% endset %}B {{ k }}", "B", "{{ k }}"),
        ("{% set k %}A{% endset %}B {{ k }} C {{ x }}", "B A C", "{{ x }}"),
        ("{% if true %}{% set k = 'k' %}{% endif %}B {{ k }} C {{ x }}", "B", "{{ k }}"),
        ("{% set n = namespace(v='w') %}A {{ n.v }}{% set n.v = x %}", "A", "{{ n.v }}"),
        ("{% include name %}", "", "{% include name %}"),
        ("A {% include 'a.j2' %}", "A included", "{{ x }}"),
    ],
)
def test_where_the_static_prefix_ends(source: str, static: str, broken_by: str) -> None:
    variables = {"x": "zebra", "name": "a.j2"}
    found = check_sum(template(source, a_j2="included {{ x }}"), variables)
    assert found.prefix_broken_by is not None
    if broken_by:
        assert found.prefix_broken_by.source == broken_by
        assert found.static_prefix_tokens == 3 + count_tokens(static, "gpt-4o").tokens


def test_static_messages_count_with_their_framing() -> None:
    found = check_sum(
        template(
            '{% chat role="system" %} Be brief. {% endchat %}{% chat role="user" %}One{% endchat %}'
            '{% if x %}{% chat role="assistant" %}Two{% endchat %}{% endif %}{% chat role="user" %}Three{% endchat %}'
        ),
        {"x": False},
    )
    assert found.prefix_broken_by is not None
    assert found.prefix_broken_by.kind == "break"
    assert found.static_prefix_tokens == 4 + 3 + 4 + 1


def test_a_schema_stands_before_the_first_message() -> None:
    schema = "type: object\n  properties: {a: {type: string}}\n  required: [a]\n  additionalProperties: false"
    found = check_sum(template(f"---\noutput_schema:\n  {schema}\n---\n{{{{ x }}}}"), {"x": "y"})
    assert found.schema > 0
    assert found.static_prefix_tokens == found.schema + 3


@pytest.mark.parametrize(("static", "served"), [(0, 0), (1023, 0), (1024, 1024), (1151, 1024), (1152, 1152)])
def test_cache_serves_steps_above_a_minimum(static: int, served: int) -> None:
    assert cacheable_tokens(static) == served


@pytest.mark.parametrize(
    "expression", ["{{ rows | compact }}", "{{ rows | fit(50) }}", "{{ rows | fit(50, query=q) }}"]
)
def test_filters_of_prompts_keep_the_attribution_exact(expression: str) -> None:
    prompt = template(f"---\nmodel: gpt-4\n---\nThe rows of the table follow.\n{expression}\nWhich is best?")
    found = check_sum(prompt, {"rows": [{"name": "Zoë", "n": 1}, {"name": "Özil", "n": 2}], "q": "Zoë"})
    assert found.exact
    assert found.prefix_broken_by is not None
    assert found.prefix_broken_by.source == expression
    assert found.static_prefix_tokens > 6
    assert [part.source for part in found.parts if part.kind == "variable"] == [expression]


def test_the_prefix_is_the_same_for_all_variables() -> None:
    prompt = template("Rules: be kind.\n{% if x %}Hi {{ x }}{% endif %}\nBye")
    assert {check_sum(prompt, {"x": x}).static_prefix_tokens for x in ("", "Ann", "\n\n", "1 2 3")} == {3 + 5}


def test_errors_are_those_of_rendering(tmp_path: Path) -> None:
    (tmp_path / "p.j2").write_text("{{ missing }}")
    prompt = Template.load("p.j2", FolderReader(tmp_path), Origin("p"))
    with pytest.raises(TemplateError, match=r"p\.j2:1: the variable 'missing' is undefined"):
        attribute(prompt, {})


WORDS = st.sampled_from(
    ["alpha ", "Beta", " gamma\n", "\n", "  ", "- item\n", "😀", "naïve", "\t", "1,234.5", "<b>", "\n\n", "é\u0301"]
)
TEXT = st.lists(WORDS, max_size=4).map("".join)
SIGN = st.sampled_from(["", "-", "+"])
NAMES = st.sampled_from(["a", "b"])


BLOCKS = {
    "if": "{{%{0} if {name}|length > 3 {1}%}}{body}{{% else %}}{body}!{{% endif %}}",
    "for": "{{%{0} for i in items {1}%}}{body}{{{{ i }}}}{{%{0} endfor {1}%}}",
    "include": '{{% include "inc.j2" %}}',
    "call": "{{% call wrap({name}) {1}%}}{body}{{% endcall %}}",
    "filter": "{{%{0} filter {filter}|string %}}{body}{{% endfilter {1}%}}",
    "set": "{{% set kept %}}{body}{{% endset {1}%}}{{{{ kept|{filter} }}}}",
    "raw": "{{% raw %}}{{{{ raw }}}}{{% endraw %}}{{# a comment #}}\n",
}
FILTERS = ["upper", "trim", "indent(2)", "replace('a', 'o')", "title", "length"]


@st.composite
def sources(draw: st.DrawFn, depth: int = 3) -> str:
    parts = []
    for kind in draw(st.lists(st.sampled_from(["text", "text", "expression", *(BLOCKS if depth else [])]), max_size=4)):
        left, right, name = draw(SIGN), draw(st.sampled_from(["", "-"])), draw(NAMES)
        if kind == "text":
            parts.append(draw(TEXT))
        elif kind == "expression":
            parts.append("{{" + left + f" {draw(st.sampled_from(EXPRESSIONS)).format(name)} " + right + "}}")
        else:
            body, chosen = draw(sources(depth - 1)), draw(st.sampled_from(FILTERS))
            parts.append(BLOCKS[kind].format(left, right, name=name, body=body, filter=chosen))
    return "".join(parts)


EXPRESSIONS = [
    "{0}", "{0}|upper", "{0}|trim", "bullet({0})", "bullet('x')|length", "{0} ~ bullet({0})", "'lit'",
    "{0}|default('d')", "items|join(', ')", "bullet({0})|indent",
]  # fmt: skip
MACROS = "{% macro bullet(t) %}\n- {{ t }}\n{% endmacro %}{% macro wrap(t) %}<{{ t }}>\n{{ caller() }}</>{% endmacro %}"
# Shrinking a template inside a template takes minutes and shows little.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
VARIABLES = st.fixed_dictionaries({"a": TEXT, "b": TEXT, "items": st.lists(TEXT, max_size=3)})


@settings(max_examples=100, deadline=None, phases=PHASES)
@given(body=sources(), included=sources(depth=1), chat=st.booleans(), variables=VARIABLES)
@example(body="{{ a }}", included="", chat=False, variables={"a": "\ud83d\ude00 x", "b": "", "items": []})
def test_parts_add_up_over_generated_templates(body: str, included: str, chat: bool, variables: dict[str, Any]) -> None:
    main = MACROS + (f'{{% chat role="user" %}}{body}{{% endchat %}}' if chat else body)
    found = check_sum(template(main, inc_j2=MACROS + included.replace("inc.j2", "empty.j2"), empty_j2=""), variables)
    rendered = any(part.path.endswith("(rendered)") for part in found.parts)
    assert rendered == (not found.exact) or not found.parts


@settings(max_examples=80, deadline=None, phases=PHASES)
@given(body=sources(), included=sources(depth=1), one=VARIABLES, other=VARIABLES)
def test_the_prefix_really_is_static(body: str, included: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    prompt = template(MACROS + body, inc_j2=MACROS + included.replace("inc.j2", "empty.j2"), empty_j2="")
    first, second = check_sum(prompt, one), check_sum(prompt, other)
    texts = [prompt.render(variables).messages[0].content for variables in (one, other)]
    same = next((i for i, (x, y) in enumerate(zip(*texts, strict=False)) if x != y), min(map(len, texts)))
    for found in (first, second):
        if found.prefix_broken_by is None:
            assert texts[0] == texts[1]
        else:
            # Framing of the message's beginning, and as many tokens as the common text may have at most.
            assert found.static_prefix_tokens <= 3 + count_tokens(texts[0][:same], "gpt-4o").tokens + 1
    assert (first.prefix_broken_by is None) == (second.prefix_broken_by is None)
