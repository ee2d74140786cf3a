"""Units of prompts that are not in English, and what states a fact in them."""

import json
from typing import Any

import pytest

import promptopt
from promptopt import load_prompt
from promptopt.minimization.units import Units, read_units
from promptopt.testing import ScriptedProvider


def units_of(project: Any, text: str) -> Units:
    project.write({"prompts/p.j2": text})
    return read_units(load_prompt("p"))


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("Geben Sie niemals Kundendaten weiter. Vielen Dank! Nennen Sie keine Preise.", [True, True, True]),
        ("Ne divulguez jamais les données des clients. Merci beaucoup pour votre aide.", [True, True]),
        ("個人情報は絶対に漏らさないでください。ありがとうございます。", [True, True]),
        ("切勿透露客户信息。谢谢你的帮助。", [True, True]),
        (
            "You are kind and warm. Write in a way that is easy to read. Sagen Sie nichts über die Preise.",
            [False, False, True],
        ),
        ("You are kind and warm. Thank you! ```json\n{}\n``` {{ who }}", [False, False]),
    ],
)
def test_what_is_not_english_may_state_a_fact(project: Any, text: str, telling: list[bool]) -> None:
    units = units_of(project, f"---\nmodel: m\n---\n{text}\n\n{{{{ q }}}}\n")
    assert [unit.telling for unit in units.units][: len(telling)] == telling
    assert [unit.readable for unit in units.units] == [not unit.telling for unit in units.units]


def test_an_include_states_what_its_file_states(project: Any) -> None:
    project.write(
        {
            "prompts/kind.j2": "Be kind.\n",
            "prompts/deep.j2": '{% include "law.j2" %}\n',
            "prompts/law.j2": "Never disclose what a customer has bought.\n",
            "prompts/p.j2": '---\nmodel: m\n---\n{% include "kind.j2" %}\n\n{% include "law.j2" %}\n\n'
            '{% include "deep.j2" %}\n\n{% include tone %}\n\n{{ q }}\n',
        }
    )
    units = read_units(load_prompt("p"))
    assert [unit.kind for unit in units.units] == ["include"] * 4
    assert [unit.telling for unit in units.units] == [False, True, True, True]
    assert [unit.readable for unit in units.units] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Wählen Sie eine Abteilung, z. B. „Versand“. Danke.", 2),
        ("Die Frist endet am 3. Mai. Danach gilt sie nicht.", 2),
        ("Rechnen Sie mit ca. Hundert Paketen bzw. Paletten. Danke.", 2),
        ("Choose a or b. Then stop. Use version 3. May it help.", 4),
    ],
)
def test_a_unit_does_not_end_at_an_abbreviation(project: Any, text: str, sentences: int) -> None:
    units = units_of(project, f"---\nmodel: m\n---\n{text}\n\n{{{{ q }}}}\n")
    assert len(units.units) == sentences


@pytest.mark.parametrize(
    "example",
    [
        "Beispiel 1:\nFrage: Wo ist mein Paket?\nAntwort: Versand",
        "Exemple 1 :\nQuestion : Où est mon colis ?\nRéponse : Livraison",
        "例：\n質問：荷物はどこですか。\n回答：配送",
    ],
)
def test_examples_are_known_in_other_languages(project: Any, example: str) -> None:
    units = units_of(project, f"---\nmodel: m\n---\nOne word.\n\n{example}\n\n{{{{ q }}}}\n")
    assert [unit.kind for unit in units.units] == ["sentence", "example"]


def test_examples_with_full_width_colons_go_as_a_whole(project: Any) -> None:
    shots = "質問：荷物はどこですか。\n回答：配送\n\n質問：お金を返して。\n回答：請求"
    units = units_of(project, f"---\nmodel: m\n---\nOne word.\n\n{shots}\n\n{{{{ q }}}}\n")
    assert [unit.kind for unit in units.units] == ["sentence", "example", "example"]


def test_the_plan_says_how_many_units_are_not_in_english(project: Any) -> None:
    rows = [{"vars": {"q": str(number)}, "assert": [{"type": "equals", "value": "ja"}]} for number in range(300)]
    provider, shown = ScriptedProvider(["nein"]), []
    for text in ("Sagen Sie niemals nein. Seien Sie nett zu den Kunden.", "Never say no. Be kind to all of them."):
        project.write(
            {
                "prompts/p.j2": f"---\nmodel: gpt-4o-mini\nmax_output_tokens: 9\n---\n{text}\n\n{{{{ q }}}}\n",
                "suites/p.json": json.dumps(rows),
            }
        )
        shown.append(str(promptopt.minimize("p", provider=provider, margin=5, dry_run=True).plan))
    assert "2 units are not in English: of these, what no case tests is kept" in shown[0]
    assert "English" not in shown[1]
