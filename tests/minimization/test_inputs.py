"""What a case puts in keeps its place, and lists keep their numbers, whatever goes."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from planted_model import Planted, Write

import promptopt
from promptopt import load_prompt
from promptopt.errors import UsageError
from promptopt.minimization.choices import Reduced
from promptopt.minimization.front import FrontRow
from promptopt.minimization.text import told_apart
from promptopt.minimization.units import Units, read_units
from promptopt.templates import Template

HEAD = "---\nmodel: gpt-4o-mini\n---\n"
MAIL = (
    '{% chat role="system" %}You filter spam.{% endchat %}\n'
    '{% chat role="user" %}<mail>\n{{ mail }}\n</mail>\nAnswer in {{ lang }}: is it spam?{% endchat %}\n'
)


def units_of(project: Any, body: str) -> Units:
    project.write({"prompts/p.j2": HEAD + body})
    return read_units(load_prompt("prompts/p.j2"))


def said(template: Template, values: dict[str, Any]) -> str:
    return " ".join(str(message.content) for message in template.render(values).messages)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (MAIL, {"mail": "<m>", "lang": "<l>"}),
        (
            "Sort it.\n\n{{ mail }}\n\nYou are in {{ city }}.\n\nThe answer is for {{ city }}, please.\n",
            {"mail": "<m>", "city": "<c>"},
        ),
        (
            "Be kind.\n{% if a %}\nMail: {{ mail }}\n{% else %}\nLetter: {{ mail }}\n{% endif %}\nSort it.\n",
            {"mail": "<m>", "a": True},
        ),
        (
            "Be kind.\n{% if a %}\nMail: {{ mail }}\n{% else %}\nLetter: {{ mail }}\n{% endif %}\nSort it.\n",
            {"mail": "<m>", "a": False},
        ),
        (
            "Sort them.\n{% for row in rows %}\n- {{ row.name }}\n- {{ row.price }}\n{% endfor %}\nBe kind.\n",
            {"rows": [{"name": "<n>", "price": "<p>"}]},
        ),
        (
            "{% set short = mail | truncate(9) %}\nBe kind.\n\n{{ short }}\n\nIn {{ lang }}.\n",
            {"mail": "<m>", "lang": "<l>"},
        ),
        (
            "Be kind.\n\nWrite to {{ who.name }}.\n\nThey live in {{ who.city }}.\n",
            {"who": {"name": "<n>", "city": "<c>"}},
        ),
    ],
)
def test_any_version_puts_in_what_the_prompt_puts_in(project: Any, body: str, values: dict[str, Any]) -> None:
    units = units_of(project, body)
    assert units.units
    marks = [mark for mark in ("<m>", "<l>", "<c>", "<n>", "<p>") if mark in said(units.template, values)]
    ids = [unit.id for unit in units.units]
    for many in range(len(ids) + 1):
        for removed in combinations(ids, many):
            shown = said(units.without(removed), values)
            assert all(mark in shown for mark in marks), removed


def test_one_of_several_places_stays_and_a_value_that_no_case_puts_in_may_go(project: Any) -> None:
    units = units_of(
        project,
        '{% set tone = "kind" %}\nBe {{ tone }}.\n\nThe city is {{ city }}.\n\n{{ mail }}\n\nAnswer for {{ city }}.\n',
    )
    assert [unit.shown for unit in units.units] == ["Be {{ tone }}.", "The city is {{ city }}."]


def test_a_list_is_numbered_again_unless_somebody_refers_to_its_numbers(project: Any) -> None:
    body = "Rules:\n1. Be short.\n2. Be kind.\n3. Be sure.\n\n{{ mail }}\n"
    units = units_of(project, body)
    gone = [unit.id for unit in units.units if unit.shown == "1. Be short."]
    assert "Rules:\n1. Be kind.\n2. Be sure.\n" in units.without(gone).source
    for text in ("Rule 3 is above all.", "Mind (2).", "See step 3.", "Keep to #2."):
        units = units_of(project, f"{body}\n{text}\n")
        gone = [unit.id for unit in units.units if unit.shown == "1. Be short."]
        assert "Rules:\n2. Be kind.\n3. Be sure.\n" in units.without(gone).source


class Wrong(Planted):
    """Right in one of so many cases."""

    def __init__(self, every: int) -> None:
        super().__init__({})
        self.every = every

    def complete(self, request: promptopt.Request) -> promptopt.Response:
        answer = super().complete(request)
        number = int(str(request.messages[0].content).rsplit("case ", 1)[1].split()[0])
        return (
            answer
            if self.every and number % self.every == 0
            else promptopt.Response(request.model, "no", usage=answer.usage)
        )


@pytest.mark.parametrize("every", [0, 40])
def test_a_prompt_that_has_nothing_to_lose_is_refused_after_a_look(planted: Write, every: int) -> None:
    planted(["Be kind."], 300)
    model = Wrong(every)
    with pytest.raises(UsageError, match=r"p@v1 is right in [0-9.]+% of 120 cases, and 5 points may be lost"):
        promptopt.minimize("p", provider=model, margin=5)
    assert len(model.asked) == 120


def test_the_result_says_how_often_the_prompt_is_right(planted: Write) -> None:
    planted(["Be kind."], 300)
    found = promptopt.minimize("p", provider=Wrong(2), margin=5)
    assert found.own_quality is not None
    assert found.own_quality[0] == pytest.approx(0.5, abs=0.1)
    assert found.to_dict()["quality"] == pytest.approx(found.own_quality[0])
    assert f"p@v1 is right in {100 * found.own_quality[0]:.1f}% of {found.own_quality[1]} cases" in str(found)


def test_versions_that_are_called_the_same_are_told_apart() -> None:
    def row(*removed: str) -> FrontRow:
        return FrontRow(Reduced(frozenset(removed)), "p@v1 without 2 units", 0.1, 10, 0.0, None, None, 9, "search only")

    assert told_apart([row("u1", "u2"), row("u1", "u3")]) == ["without 2 units", "without 2 units (u3 for u2)"]
