"""What can be taken out of a prompt, and that any of it can go together."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptopt import load_prompt
from promptopt.errors import UsageError
from promptopt.minimization.units import Units, read_units

RICH = """\
---
model: gpt-4o-mini
answer: /label
output_schema:
  type: object
  properties:
    label: {type: string, enum: [a, b], description: "The label. It is a or b."}
    reason: {type: string, description: "Why."}
  required: [label, reason]
  additionalProperties: false
tools:
- name: look
  description: Looks something up. Use it first.
  parameters: {type: object, properties: {id: {type: string, description: "A number."}}, required: [id]}
---
{% chat role="system" %}
# Role
You sort mail for {{ company }}. Be kind{% if vip %}, very kind{% endif %}.

# Rules
Follow these rules:
- Be short.
- Name no prices. They change.
  - Not even old ones.
{% if strict %}
1. Answer in one word.
{% else %}
Explain yourself.
{% endif %}

<tone>
Friendly.
</tone>
{% for hint in hints %}
Hint: {{ hint }}
{% endfor %}
{% set place = "here" %}
Write from {{ place }}.
{% endchat %}
{% chat role="user" %}Where is it?{% endchat %}
{% chat role="assistant" %}a{% endchat %}
{% chat role="user" %}How much?{% endchat %}
{% chat role="assistant" %}b{% endchat %}
{% chat role="user" %}
Here is the mail:

Input: one
Output: a

Input: two
Output: b

Input: {{ mail }}
Output:
{% endchat %}
"""
VARIABLES = {"company": "Acme", "vip": True, "strict": False, "hints": ["x", "y"], "mail": "Hello"}


def units_of(project: Any, text: str, name: str = "p") -> Units:
    project.write({f"prompts/{name}.j2": text})
    return read_units(load_prompt(project.root / f"prompts/{name}.j2"))


def kinds(units: Units) -> list[tuple[str, str]]:
    return [(unit.kind, unit.shown) for unit in units.units]


def test_each_part_is_a_unit_of_its_kind(project: Any) -> None:
    found = kinds(units_of(project, RICH))
    assert ("sentence", "You sort mail for {{ company }}.") not in found
    assert ("sentence", "Be kind{% if vip %}, very kind{% endif %}.") in found
    assert ("list item", "- Be short.") in found
    assert ("sentence", "Friendly.") in found
    assert ("sentence", "Explain yourself.") in found
    assert ("description", "It is a or b.") in found
    assert ("description", "Use it first.") in found
    assert ("example", "Input: one Output: a") in found
    assert [kind for kind, _ in found].count("example") == 4
    # Nothing reads the reason, as `answer:` says; the label is read.
    assert [shown.split(":")[0] for kind, shown in found if kind == "field"] == ["reason"]


def test_what_a_case_puts_in_stays(project: Any) -> None:
    units = units_of(project, RICH)
    assert not any("{{ mail }}" in unit.text for unit in units.units)
    everything = units.without([unit.id for unit in units.units])
    [last] = everything.render(VARIABLES).messages[-1:]
    assert last.role == "user"
    assert "Hello" in str(last.content)


def test_headings_tags_and_empty_messages_go_with_the_last_unit_in_them(project: Any) -> None:
    units = units_of(project, RICH)
    text = units.without([unit.id for unit in units.units]).source
    for gone in ("Follow these rules", "<tone>", "{% if strict %}", "Where is it?", "description"):
        assert gone not in text


def test_white_space_is_what_a_person_would_leave(project: Any) -> None:
    units = units_of(
        project, "---\nmodel: m\n---\nOne is here. Two is here. Three is here.\n\n- a b\n- c d\n\nAsk: {{ q }}\n"
    )
    by_text = {unit.shown: unit.id for unit in units.units}
    assert "\nOne is here. Three is here.\n" in units.without([by_text["Two is here."]]).source
    assert "\nTwo is here. Three is here.\n" in units.without([by_text["One is here."]]).source
    assert "One is here. Two is here.\n\n" in units.without([by_text["Three is here."]]).source
    assert units.without([by_text["- a b"], by_text["- c d"]]).source.endswith("Three is here.\n\nAsk: {{ q }}\n")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_subset_leaves_a_prompt_that_renders(project: Any, data: st.DataObject) -> None:
    units = units_of(project, RICH, "rich")
    names = [unit.id for unit in units.units]
    removed = data.draw(st.sets(st.sampled_from(names)))
    flags = {"vip": data.draw(st.booleans()), "strict": data.draw(st.booleans())}
    template = units.without(removed)
    rendered = template.render({**VARIABLES, **flags})
    # All that stays of the first message may be in a branch that this case does not take: it has no text then.
    assert all(message.content.strip() for message in rendered.messages[1:])
    assert rendered.messages[0].content.strip() or "{% if " in template.source
    text = template.source
    for name in removed:
        unit = units[name]
        if unit.kind in ("sentence", "list item") and RICH.count(unit.text) == 1:
            assert unit.text not in text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{% if a %}Be kind.{% else %}Be short.{% endif %} {{ q }}", ["Be kind.", "Be short."]),
        ("Say it. {% for x in c %}See it.{% endfor %} Go on.\n{{ q }}", ["Say it.", "See it.", "Go on."]),
        ("Say it{% if a %}, kindly{% endif %}. Go on.\n{{ q }}", ["Say it{% if a %}, kindly{% endif %}.", "Go on."]),
    ],
)
def test_the_branches_of_a_block_inside_a_line_are_units_if_they_are_sentences(
    project: Any, body: str, expected: list[str]
) -> None:
    units = units_of(project, f"---\nmodel: m\n---\n{body}\n")
    assert [unit.shown for unit in units.units] == expected
    everything = units.without([unit.id for unit in units.units]).source
    assert everything.split("---\n")[-1].strip() == "{{ q }}"


@pytest.mark.parametrize(
    "sentences",
    [
        ["Übersetze den Text.", "Überprüfe ihn."],
        ["पाठ को ध्यान से पढ़ो।", "फिर उत्तर दो।"],
        ["ما هذا؟", "اقرأ النص.", "أجب بنعم."],
        ["متن را بخوان۔", "پاسخ بده۔"],
        ["仔细阅读。", "回答问题！"],
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_sentences_of_any_language_end_where_they_end(project: Any, sentences: list[str], gap: str) -> None:
    units = units_of(project, f"---\nmodel: m\n---\n{' '.join(sentences)}{gap}{{{{ q }}}}\n")
    assert kinds(units) == [("sentence", sentence) for sentence in sentences]


def test_code_is_a_unit_of_its_own_and_goes_with_what_leads_to_it(project: Any) -> None:
    for gap in ("", "\n"):
        text = f"Be kind. Answer as this:\n{gap}```yaml\n- a: 1\n\n- b: 2\n```\nBe short. Be calm.\n\n{{{{ q }}}}\n"
        units = units_of(project, f"---\nmodel: m\n---\n{text}")
        assert kinds(units) == [
            ("sentence", "Be kind."), ("block", "```yaml - a: 1 - b: 2 ```"),
            ("sentence", "Be short."), ("sentence", "Be calm."),
        ]  # fmt: skip
        without = units.without(["u2"]).source
        assert "Answer as this" not in without
        assert "Be kind." in without


def test_code_below_a_list_item_stays_with_it(project: Any) -> None:
    units = units_of(project, "---\nmodel: m\n---\nDo:\n- one\n  ```\n  - x\n\n  - y\n  ```\n- two\n\n{{ q }}\n")
    assert kinds(units) == [("list item", "- one ``` - x - y ```"), ("list item", "- two")]


@pytest.mark.parametrize(
    "text",
    [
        "Example 1:\nInput: one\nOutput: a\n\nExample 2:\nInput: two\nOutput: b\n\n",
        "Example 1:\n\nInput: one\n\nOutput: a\n\nExample 2:\n\nInput: two\n\nOutput: b\n\n",
        "**Example 1:**\nThe cat sat. It is a.\n\n**Example 2:**\nThe dog ran. It is b.\n\n",
        "## Example 1\nThe cat sat.\n\n## Example 2\nThe dog ran.\n\n",
        "Example 1: the cat sat -> a\nExample 2: the dog ran -> b\n\n",
    ],
)
def test_what_heads_an_example_goes_with_it(project: Any, text: str) -> None:
    units = units_of(project, f"---\nmodel: m\n---\n{text}Be kind to all.\n\nInput: {{{{ q }}}}\n")
    assert [kind for kind, _ in kinds(units)[:2]] == ["example", "example"]
    assert [shown for _, shown in kinds(units)[2:]] == ["Be kind to all."]
    without = units.without(["u2"]).source
    assert "xample 1" in without
    assert "xample 2" not in without
    assert "Be kind to all." in without


def test_what_leads_to_examples_goes_with_the_last(project: Any) -> None:
    text = "---\nmodel: m\n---\nLearn from these:\nInput: a\nOutput: b\nInput: c\nOutput: d\n\n{{ q }}\n"
    units = units_of(project, text)
    assert [kind for kind, _ in kinds(units)] == ["example", "example"]
    assert "Learn from these" in units.without(["u1"]).source
    assert "Learn from these" not in units.without(["u1", "u2"]).source


def test_a_list_stays_if_something_in_it_cannot_go(project: Any) -> None:
    text = "---\nmodel: m\n---\nFollow:\n- one\n- two {% if a %}x\n- three{% endif %}\n\n{{ q }}\n"
    units = units_of(project, text)
    assert kinds(units) == [("list item", "- one")]
    assert "- two {% if a %}x\n- three{% endif %}" in units.without(["u1"]).source


PIECES = [
    *("Do this.", "Never do that! ", "- item one\n", "- item {{ b }}\n", "\n\n", "# Head\n", "{{ a }}", "Note: x\n"),
    *("{% if a %}", "{% endif %}", "{% else %}", "{% for x in c %}", "{% endfor %}", "<t>\n", "</t>\n", "List:\n"),
    *(
        "```\ncode\n```\n",
        "```\n- a\n\n- b\n```\n",
        "Example 1:\n",
        "## Example\n",
        "{# why #}",
        " ",
        "\n",
        "{% set d = 1 %}",
        "1. first\n",
        "Q: one\nA: two\n\n",
        "{{ d }}",
    ),
]


def test_what_comes_last_stays_beside_what_is_put_in_before_it(project: Any) -> None:
    units = units_of(project, "---\nmodel: m\n---\nNote: x\n{{ a }}\n\n{{ q }}\n")
    assert [unit.text for unit in units.units] == ["Note: x"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=14), st.randoms(use_true_random=False))
def test_any_prompt_can_lose_any_of_its_units(project: Any, pieces: list[str], random: Any) -> None:
    from promptopt.errors import TemplateError

    project.write({"prompts/any.j2": "---\nmodel: m\n---\n" + "".join(pieces) + "\n{{ q }}\n"})
    variables = {"a": "A", "b": "B", "c": [1, 2], "d": "D", "q": "Q"}
    try:
        template = load_prompt(project.root / "prompts/any.j2")
        template.render(variables)
    except TemplateError:
        return
    units = read_units(template)
    removed = [unit.id for unit in units.units if random.random() < 0.5]
    shorter = units.without(removed)
    assert "Q" in str(shorter.render(variables).messages[-1].content)
    assert len(shorter.source) <= len(template.source)


def test_tools_and_schemas_of_their_own_files_lose_descriptions(project: Any) -> None:
    project.write(
        {
            "prompts/p/v1.j2": "---\nmodel: m\ntools: v1.tools.yaml\n---\n{{ q }}\n",
            "prompts/p/v1.tools.yaml": "- name: look\n  description: Looks up. Use it first.\n"
            "  parameters: {type: object}\n",
        }
    )
    units = read_units(load_prompt("p"))
    assert [unit.shown for unit in units.units] == ["Looks up.", "Use it first."]
    [tool] = units.without(["u2"]).front.tools
    assert tool.description == "Looks up."
    [tool] = units.without(["u1", "u2"]).front.tools
    assert tool.description == ""
    assert units.template.front.tools[0].description == "Looks up. Use it first."


def test_a_variable_that_nothing_uses_any_more_is_known(project: Any) -> None:
    units = units_of(project, "---\nmodel: m\n---\n{% if who %}Write to them.{% endif %} Be kind.\n\n{{ q }}\n")
    assert units.unused(["u1"]) == ("who",)
    assert units.unused(["u2"]) == ()


def test_facts_tell_and_pleasantries_do_not(project: Any) -> None:
    units = units_of(
        project, "---\nmodel: m\n---\nThank you very much! If it is empty, say no. Never guess.\n\n{{ q }}\n"
    )
    assert [unit.telling for unit in units.units] == [False, True, True]


def test_units_may_be_given(project: Any, tmp_path: Path) -> None:
    project.write({"prompts/p.j2": "---\nmodel: m\n---\nBe kind. Be short.{% if a %} x{% endif %}\n{{ q }}\n"})
    template = load_prompt("p")
    assert kinds(read_units(template, ["Be short.", "Be kind."])) == [("given", "Be short."), ("given", "Be kind.")]
    with pytest.raises(UsageError, match="0 times"):
        read_units(template, ["Be gone."])
    with pytest.raises(UsageError, match="overlap"):
        read_units(template, ["Be kind. Be", "kind. Be short."])
    with pytest.raises(UsageError, match="in half"):
        read_units(template, ["Be short.{% if a %} x"])


def test_groups_are_coarse_first(project: Any) -> None:
    text = textwrap.dedent(
        """\
        ---
        model: m
        ---
        # One
        A is here. B is here.
        - c d
        - e f

        # Two
        G is here.

        {{ q }}
        """
    )
    units = units_of(project, text)
    assert units.groups[0] == ("u1", "u2", "u3", "u4")
