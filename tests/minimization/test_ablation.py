"""What each unit is worth, and the map of it."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from planted_model import USEFUL, Planted, Write, sentences
from wire import completion

import promptopt
from promptopt.cli import cli
from promptopt.errors import CostLimitError, UsageError
from promptopt.minimization.ablation import shade


def test_each_unit_gets_what_it_is_worth(planted: Write) -> None:
    planted(sentences(), 300)
    model = Planted(USEFUL)
    found = promptopt.ablate("p", provider=model, margin=5)
    for each in found.worths:
        truth = 95 * USEFUL.get(each.unit.shown, 0.0)
        assert each.low <= truth <= each.high, each
        assert each.fate == ("matters" if each.unit.shown in USEFUL else "spare")
    # What is plain is not asked of all cases.
    strongest = next(each for each in found.worths if each.unit.shown == "Answer in capitals.")
    assert strongest.cases < 100
    assert len(model.asked) < 300 * len(found.worths)


def test_the_map_needs_no_colours(planted: Write) -> None:
    planted(sentences(), 300)
    found = promptopt.ablate("p", provider=Planted(USEFUL), margin=5)
    shown = found.heat_map()
    assert "█Answer in capitals." in shown
    assert "·You are a kind assistant." in shown
    assert "\x1b" not in shown
    coloured = found.heat_map(colour=True)
    assert "\x1b[48;5;160mAnswer in capitals.\x1b[0m" in coloured
    source = found.template.source
    assert [source[span.start : span.end] for span in found.heat] == [each.unit.text for each in found.worths]


@pytest.mark.parametrize(
    ("worth", "expected"), [(None, 0), (-5, -1), (-4, 0), (2.4, 0), (2.5, 1), (5, 2), (10, 3), (20, 4), (90, 4)]
)
def test_shades_are_in_margins(worth: float | None, expected: int) -> None:
    assert shade(worth, 5) == expected


def test_it_stops_at_its_dollars(planted: Write) -> None:
    planted(sentences(), 300)
    with pytest.raises(CostLimitError, match="does not pay the prompt as it is"):
        promptopt.ablate("p", provider=Planted(USEFUL), margin=5, max_cost=0.001)
    found = promptopt.ablate("p", provider=Planted(USEFUL, output_tokens=20), margin=5, max_cost=0.01)
    assert found.stopped == "at the limit of dollars"
    assert float(found.outlay.usd) <= 0.01
    assert {"not tried"} < {each.fate for each in found.worths}


def test_a_prompt_without_units_is_refused(planted: Write) -> None:
    planted([], 40)
    with pytest.raises(UsageError, match="nothing to leave out"):
        promptopt.ablate("p", provider=Planted({}))


def test_the_command_prints_the_map_and_goes_on_from_its_recordings(
    planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(["Answer in capitals.", "Thank you very much!"], 60)
    model = Planted({"Answer in capitals.": 0.6})

    def reply(body: dict[str, Any]) -> Any:
        messages = tuple(promptopt.Message(each["role"], each["content"]) for each in body["messages"])
        text = model.complete(promptopt.Request(body["model"], messages)).text
        return 200, {"content-type": "application/json"}, completion(text, body["model"])

    endpoint.reply = reply
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    done = CliRunner().invoke(cli, ["ablate", "p", "--margin", "10"], catch_exceptions=False)
    assert "█Answer in capitals. ·Thank you very much!" in done.stdout
    assert "2 units, up to 60 cases each, until $1.0000 is spent; 60 calls" in done.stderr
    asked = len(endpoint.requests)
    again = CliRunner().invoke(cli, ["ablate", "p", "--margin", "10", "--json"], catch_exceptions=False)
    data = json.loads(again.stdout)
    assert len(endpoint.requests) == asked
    assert data["calls"] == 0
    assert [(span["unit"], span["shade"]) for span in data["heat"]] == [("u1", 4), ("u2", 0)]
