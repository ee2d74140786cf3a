"""A unit that another move takes out of the next version is not said to be kept."""

import json
from dataclasses import replace
from typing import Any

import promptopt
from promptopt import Request, Response, Usage
from promptopt.minimization.text import heat_map, worth_table
from promptopt.providers import ProviderBase

_PROMPT = """\
---
model: gpt-4o-mini
max_output_tokens: 400
answer: 'Sentiment: (\\w+)'
calls_per_month: 100
---
{% chat role="system" %}
You read reviews with care. Never guess.
Write "Sentiment: " and one of positive, negative. Then explain your choice in one sentence.
{% endchat %}
{% chat role="user" %}{{ review }}{% endchat %}
"""


class Mood(ProviderBase):
    """Explains if it is told to; needs no word of the rest but the form of the answer."""

    def complete(self, request: Request) -> Response:
        *rest, review = (str(message.content) for message in request.messages)
        system = "\n".join(rest)
        mood = "positive" if "great" in review else "negative"
        if request.output_schema is not None:
            answer = json.dumps(dict.fromkeys(request.output_schema["properties"], mood))
        elif "Sentiment" in system:
            answer = f"Sentiment: {mood}" + "\nBecause the review says so in many words." * ("explain" in system)
        else:
            answer = mood
        return Response(request.model, answer, usage=Usage(len(system) // 4, output_tokens=len(answer) // 4))


def _found(project: Any) -> promptopt.Minimization:
    rows = [
        {"vars": {"review": f"It is {word} {number}."}, "assert": [{"type": "equals", "value": mood}]}
        for number in range(120)
        for word, mood in [("great", "positive"), ("awful", "negative")]
    ]
    project.write({"prompts/mood/v1.j2": _PROMPT, "suites/mood.json": json.dumps(rows)})
    return promptopt.minimize("mood", provider=Mood(), margin=5, structured=True, max_cost=1)


def test_what_a_structured_answer_takes_out_is_not_said_to_be_kept(project: Any) -> None:
    found = _found(project)
    assert found.chosen is not None
    assert "structured" in found.chosen.choice.moves
    [explain] = [unit for unit in found.units if unit.text.startswith("Then explain")]
    [guess] = [unit for unit in found.units if unit.text == "Never guess."]
    assert explain in [each.unit for each in found.untested]
    assert explain.text not in found.template.source
    assert guess.text in found.template.source
    fates = {each.unit.id: each.fate for each in found.worths()}
    assert (fates[explain.id], fates[guess.id]) == ("removed", "untested")
    listed = str(found).partition("facts that no case tests; kept")[2]
    assert guess.text in listed
    assert explain.text not in listed
    assert explain.id not in [each["unit"] for each in found.to_dict()["untested"]]


def test_no_line_is_longer_than_80_columns(project: Any) -> None:
    found = _found(project)
    shown = f"{found}\n{worth_table([replace(each, together=2, worth=None, lost=8) for each in found.worths()])}"
    words = " ".join(shown.split())
    assert "a month; the search has paid for itself after" in words
    assert "cases that a larger group had lost" in words
    assert max(map(len, shown.splitlines())) <= 80
    assert max(map(len, heat_map("Be kind.\n", [(0, 8, 1, True)], 2.5).splitlines())) <= 80


def test_fractions_of_a_cent_a_month_are_shown(project: Any) -> None:
    found = _found(project)
    shown = worth_table(found.worths())
    assert all(0 < (each.usd_per_month or 0) < 0.005 for each in found.worths())
    assert "0.00  " not in shown
