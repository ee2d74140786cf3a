"""Examples out of failed cases, their order, and cases that a model drafts."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from planted_model import USEFUL, Planted, Write, sentences, share

import promptopt
from promptopt import Request, Response, Usage
from promptopt.errors import UsageError
from promptopt.minimization.drafts import draft_cases, write_drafts
from promptopt.minimization.examples import DrawnExample, added_examples, example_orders
from promptopt.minimization.units import read_units
from promptopt.minimization.untested import Untested

HEAD = "---\nmodel: gpt-4o\ntemperature: 0\nmax_output_tokens: 20\n---\n"
CHAT = '{% chat role="system" %}Sort.{% endchat %}\n{% chat role="user" %}{{ q }}{% endchat %}\n'


@pytest.mark.parametrize("body", [CHAT, "Sort: {{ q }}\n"])
def test_examples_come_before_the_question_and_are_printed_as_they_are(project: Any, body: str) -> None:
    project.write({"prompts/p.j2": HEAD + body})
    drawn = [DrawnExample(0, "is {{ this }} it?", "yes"), DrawnExample(1, "and\nthat", '{"a": 1}')]
    move = added_examples(drawn)
    assert move.rewrite is not None
    messages = move.rewrite(promptopt.load_prompt("p")).render({"q": "Q"}).messages
    asked = [(message.role, message.content) for message in messages if message.role != "system"]
    assert asked[:4] == [
        ("user", "is {{ this }} it?"), ("assistant", "yes"), ("user", "and\nthat"), ("assistant", '{"a": 1}')
    ]  # fmt: skip
    assert asked[4][0] == "user"
    assert "Q" in str(asked[4][1])


def test_a_small_model_with_examples_costs_less_for_each_pass(project: Any) -> None:
    """The big model needs none; the small one needs two, and is ten times cheaper."""

    class Two(Planted):
        def complete(self, request: Request) -> Response:
            number = str(request.messages[-1].content).split()[-1]
            examples = sum(message.role == "assistant" for message in request.messages)
            small = request.model == "gpt-4o-mini"
            right = share(number) < (0.9 if not small or examples >= 2 else 0.3)
            tokens = sum(len(str(message.content)) for message in request.messages) // 4
            return Response(request.model, "right" if right else "wrong", usage=Usage(tokens, output_tokens=4))

    rows = [{"vars": {"q": f"case {n}"}, "assert": [{"type": "contains", "value": "right"}]} for n in range(260)]
    project.write(
        {
            "prompts/p/v1.j2": HEAD + CHAT,
            "suites/p.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        }
    )
    asked: Mapping[str, Any] = {"provider": Two({}), "margin": 5, "models": ["gpt-4o-mini"], "rules": False}
    without = promptopt.minimize("p", **asked)
    assert without.chosen is None or not without.chosen.choice.moves
    found = promptopt.minimize("p", add_examples=True, **asked)
    assert found.chosen is not None
    assert found.chosen.choice.moves == {"examples=2", "model=gpt-4o-mini"}
    [path] = found.write()
    written = promptopt.load_prompt(path)
    assert written.front.model == "gpt-4o-mini"
    assert len(written.render({"q": "case 1"}).messages) >= 5


def test_examples_turn_round_whatever_has_gone(project: Any) -> None:
    pairs = "".join(
        f'{{% chat role="user" %}}q{n}{{% endchat %}}\n{{% chat role="assistant" %}}a{n}{{% endchat %}}\n'
        for n in (1, 2, 3)
    )
    project.write({"prompts/p.j2": HEAD + pairs + '{% chat role="user" %}{{ q }}{% endchat %}\n'})
    units = read_units(promptopt.load_prompt("p"))
    [move] = example_orders(units)
    assert move.rewrite is not None
    for gone, expected in ([], "a3a2a1"), (["u2"], "a3a1"), (["u1", "u2", "u3"], ""):
        messages = move.rewrite(units.without(gone)).render({"q": "Q"}).messages
        assert "".join(str(each.content) for each in messages if each.role == "assistant") == expected
        assert messages[-1].content == "Q"


class Drafter:
    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[Request]()

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(request.model, self.answers.pop(0))

    def close(self) -> None: ...


GOOD = '```json\n{"vars": {"n": 7}, "assert": [{"type": "equals", "value": "none"}], "why": "It is empty."}\n```'


def drafted(planted: Write, *answers: str) -> tuple[list[Any], Path, Drafter]:
    planted(["If the text is empty, answer none."], 30)
    template, suite = promptopt.load_prompt("p"), promptopt.load_suite("p")
    untested = [Untested(read_units(template).units[0], 12)] * len(answers)
    model = Drafter(*answers)
    return draft_cases(untested, template, suite, "gpt-4o", model), suite.path.with_name("p.drafts.yaml"), model


def test_a_draft_is_a_suite_that_says_who_wrote_it(planted: Write) -> None:
    drafts, target, model = drafted(planted, GOOD)
    write_drafts(drafts, target)
    assert "If the text is empty" in str(model.asked[0].messages[1].content)
    assert target.read_text().startswith("# Drafted by gpt-4o. Nobody has read these cases")
    [case] = promptopt.load_suite(target).cases
    assert case.metadata == {
        "drafted_by": "gpt-4o",
        "tests": "If the text is empty, answer none.",
        "reviewed": False,
    }
    with pytest.raises(promptopt.PromptoptError, match=r"p\.drafts\.yaml"):
        write_drafts(drafts, target)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I cannot say.", "the answer is no case"),
        ('{"vars": {"n": 1, "m": 2}, "assert": [{"type": "equals", "value": "x"}]}', "no case has: m"),
        ('{"vars": {}, "assert": [{"type": "equals", "value": "x"}]}', "lacks the variable n"),
        ('{"vars": {"n": 1}, "assert": []}', "it has no assert"),
        ('{"vars": {"n": 1}, "assert": [{"type": "regex", "value": ".*"}]}', "pass whatever is answered"),
        (GOOD.replace("equals", "sounds-like"), "sounds-like"),
    ],
)
def test_an_answer_that_is_no_case_is_said_to_be_none(planted: Write, answer: str, problem: str) -> None:
    [draft], target, _ = drafted(planted, answer)
    assert problem in draft.problem
    with pytest.raises(UsageError, match="no case was drafted"):
        write_drafts([draft], target)
    assert not target.exists()


def test_drafts_are_held_to_what_is_left_of_the_dollars(planted: Write) -> None:
    planted(["If the text is empty, answer none."], 30)
    template, suite = promptopt.load_prompt("p"), promptopt.load_suite("p")
    untested = [Untested(read_units(template).units[0], 12)] * 3
    model = Drafter(*[GOOD] * 3)
    [one, *_] = draft_cases(untested[:1], template, suite, "gpt-4o", model)
    assert one.calls == 1
    assert one.usd > 0
    drafts = draft_cases(untested, template, suite, "gpt-4o", model, one.usd * Decimal("1.5"))
    assert len(model.asked) == 2
    assert [each.calls for each in drafts] == [1, 0, 0]
    assert "it was not asked for: it may cost $" in drafts[-1].problem


def test_no_draft_is_asked_of_a_model_without_a_price_if_dollars_are_limited(planted: Write) -> None:
    planted(["If the text is empty, answer none."], 30)
    template, suite = promptopt.load_prompt("p"), promptopt.load_suite("p")
    untested, model = [Untested(read_units(template).units[0], 12)], Drafter(GOOD)
    [draft] = draft_cases(untested, template, suite, "some-model", model, Decimal(1))
    assert not model.asked
    assert "some-model is unpriced" in draft.problem
    assert "[tool.promptopt.prices]" in draft.problem
    [draft] = draft_cases(untested, template, suite, "some-model", model)
    assert draft.calls == 1
    assert not draft.problem


def test_what_a_search_found_untested_is_drafted(planted: Write) -> None:
    planted([*sentences(), "If the text is empty, answer none."], 300)
    found = promptopt.minimize("p", provider=Planted(USEFUL), margin=5, rules=False)
    [draft] = found.draft_cases("gpt-4o", Drafter(GOOD))
    assert draft.untested.unit.shown == "If the text is empty, answer none."
    assert draft.case["vars"] == {"n": 7}
    more = found.with_drafts([draft]).outlay
    assert (more.calls, more.usd) == (found.outlay.calls + 1, found.outlay.usd + draft.usd)
