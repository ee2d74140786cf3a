"""What is kept of the dollars, that no more is spent, and choices that cannot be made."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from planted_model import USEFUL, Planted, Write, sentences

import promptopt
from promptopt import Request, Response, Usage

_TEAMS = {"parcel": ("delivery", "If a parcel"), "card": ("payment", "If a card"), "login": ("account", "If a login")}
_PROMPT = """---
model: gpt-5-mini
reasoning_effort: high
max_output_tokens: 2000
answer: 'Team: (payment|delivery|account|unknown)'
---
{% chat role="system" %}
You are a friendly expert who routes tickets. Classify the ticket into one of the following teams: payment, delivery, \
account, unknown.
If a parcel is mentioned, the team is delivery. If a card is mentioned, the team is payment.
If a login is mentioned, the team is account.
Please take your time and think about it carefully.
First explain your answer in three sentences. Then end with a line "Team: <team>".
{% endchat %}
{% chat role="user" %}
{{ ticket }}
{% endchat %}
"""


@dataclass
class Desk:
    """A model that thinks for 600 tokens and routes tickets by what its prompt says."""

    asked: int = 0

    def complete(self, request: Request) -> Response:
        self.asked += 1
        texts = [str(message.content) for message in request.messages]
        schema = request.output_schema or {}
        full = "\n".join(texts) + json.dumps(schema)
        words = [word for word in _TEAMS if f"the {word} " in texts[-1]]
        team = next((_TEAMS[word][0] for word in words if _TEAMS[word][1] in full), "unknown")
        if schema:
            text = json.dumps(dict.fromkeys(schema["properties"], team))
        else:
            text = f"{'Because of a reason. ' * 5}\nTeam: {team}" if "Team:" in texts[0] else team
        return Response(request.model, text, usage=Usage(len(full) // 4, output_tokens=600 + len(text) // 4))

    def close(self) -> None: ...


@pytest.fixture
def desk(project: Any) -> Any:
    rows = []
    for number in range(140):
        word, (team, _) = list(_TEAMS.items())[number % 3]
        vars_ = {"ticket": f"Customer number {number} writes about the {word} {number}.", "expected": team}
        rows.append({"description": f"c{number}", "vars": vars_, "assert": [{"type": "equals", "value": team}]})
    project.write({"prompts/t/v1.j2": _PROMPT, "suites/t.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    return project


@pytest.mark.parametrize("untested", ["keep", "remove"])
def test_what_cannot_be_put_back_by_itself_ends_no_search(desk: Any, untested: Any) -> None:
    """Half of what asks for the form of an answer cannot be made a structured answer of."""
    found = promptopt.minimize("t", provider=Desk(), margin=8, structured=True, untested=untested)
    assert any(one.choice.moves == {"structured"} and one.outcome == "done" for one in found.tried)
    assert str(found)
    for each in found.untested:
        assert each.cases in (0, len(found.plan.split.search))
    for each in (*found.steps, *(one.choice for one in found.confirmed)):
        assert found.bench.variant(each) is not None


def test_what_is_kept_for_the_confirmation_is_by_the_lengths_that_answers_have(desk: Any) -> None:
    """An answer is a third of the prompt's cap, and a fortieth of that of the structured answer."""
    found = promptopt.minimize("t", provider=Desk(), margin=8, structured=True, max_cost=2.4)
    assert found.plan.candidates
    assert not found.stopped
    assert found.confirmed
    assert float(found.outlay.usd) <= 2.4


def test_no_more_is_spent_if_answers_become_longer(planted: Write) -> None:
    planted(sentences(), 300)

    class Longer(Planted):
        def complete(self, request: Request) -> Response:
            self.output_tokens = 1 if len(self.asked) < 400 else 20
            return super().complete(request)

    for dollars in (0.0075, 0.01, 0.0125):
        found = promptopt.minimize("p", provider=Longer(USEFUL), margin=5, max_cost=dollars, rules=False)
        assert 0.8 * dollars < float(found.outlay.usd) <= dollars


def test_why_nothing_is_confirmed_is_said(planted: Write) -> None:
    fact = "If the text is empty, answer none."
    planted([fact], 150)
    found = promptopt.minimize("p", provider=Planted({}), margin=8, rules=False)
    assert not found.confirmed
    assert "nothing to confirm: all that could go are facts that no case tests" in str(found)
    planted(["Answer in capitals."], 150)
    found = promptopt.minimize("p", provider=Planted({"Answer in capitals.": 0.9}), margin=8, rules=False)
    assert "nothing to confirm: everything that was tried loses something or saves nothing" in str(found)
