"""What is no evidence is neither paid for nor counted, and what is said of a unit is true of the file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from planted_model import Planted, Write

import promptopt
from promptopt import Request, Response, Usage
from promptopt.config import load_config
from promptopt.errors import ProviderError, RecordingError, UsageError
from promptopt.minimization.choices import Reduced
from promptopt.minimization.front import UnitWorth
from promptopt.minimization.minimize import Allowed, Asking, open_search
from promptopt.minimization.text import worth_table, worth_text

HEAD = "---\nmodel: gpt-4o-mini\ntemperature: 0\nmax_output_tokens: 20\n---\n"


def rows(project: Any, *cases: dict[str, Any], body: str = "Be kind. Say hello. case {{ n }}") -> None:
    project.write({"prompts/p/v1.j2": HEAD + body, "suites/p.jsonl": "".join(json.dumps(row) + "\n" for row in cases)})


def test_a_suite_without_asserts_is_refused_before_the_first_call(project: Any) -> None:
    rows(project, *({"description": f"c{n}", "vars": {"n": n}} for n in range(200)))
    model = Planted({})
    with pytest.raises(UsageError, match=r"p\.jsonl: no case has an assert.*Add `assert`"):
        promptopt.minimize("p", provider=model, margin=5)
    with pytest.raises(UsageError, match="no case has an assert"):
        promptopt.ablate("p", provider=model, margin=5)
    assert not model.asked


def test_cases_without_asserts_are_neither_asked_nor_counted(project: Any) -> None:
    judged = {"assert": [{"type": "contains", "value": "right"}]}
    rows(
        project,
        *({"description": f"c{n}", "vars": {"n": n}} | (judged if n < 100 else {}) for n in range(200)),
    )
    model = Planted({})
    found = promptopt.minimize("p", provider=model, margin=5)
    assert found.plan.left_out == "left out of 200 cases: 100 have no assert"
    assert len(found.plan.split.search) + len(found.plan.split.confirm) == 100
    assert {int(request.origin.case[1:]) for request in model.asked} <= set(range(100))  # type: ignore[union-attr]


@pytest.mark.parametrize("pattern", [".*", "(?s).", "right|wrong|.+"])
def test_asserts_that_pass_whatever_is_answered_are_no_evidence(project: Any, pattern: str) -> None:
    idle: dict[str, Any] = {"type": "regex", "value": pattern}
    judged = {"type": "contains", "value": "right"}
    cases = [{"description": f"c{n}", "vars": {"n": n}, "assert": [idle]} for n in range(200)]
    rows(project, *cases)
    model = Planted({})
    with pytest.raises(UsageError, match="the asserts of all cases pass whatever is answered"):
        promptopt.minimize("p", provider=model, margin=5)
    assert not model.asked
    # Beside another one it says nothing, and the case does.
    rows(project, *(case | {"assert": [judged, idle] if n < 120 else [idle]} for n, case in enumerate(cases)))
    found = promptopt.minimize("p", provider=model, margin=5, dry_run=True)
    assert found.plan.left_out == "left out of 200 cases: 80 pass whatever is answered"
    ablated: list[str] = []
    promptopt.ablate("p", provider=model, margin=5, on_plan=ablated.append)
    assert "80 pass whatever is answered" in ablated[0]


@pytest.mark.parametrize(
    "assertion",
    [
        {"type": "not-contains", "value": "sorry"},
        {"type": "not-regex", "value": "[0-9]{9}"},
        {"type": "contains", "value": "right"},
        {"type": "javascript", "value": "true"},
        {"type": "regex", "value": "(?s)^.{0,400}$"},
    ],
)
def test_what_some_answer_can_fail_counts(project: Any, assertion: dict[str, Any]) -> None:
    rows(project, *({"description": f"c{n}", "vars": {"n": n}, "assert": [assertion]} for n in range(200)))
    assert promptopt.minimize("p", provider=Planted({}), margin=5, dry_run=True).plan.left_out == ""


def test_a_case_that_asks_the_same_is_not_both_seen_and_never_seen(project: Any) -> None:
    judged = {"assert": [{"type": "contains", "value": "right"}]}
    rows(project, *({"description": f"c{n}", "vars": {"n": n % 120, "id": n}, **judged} for n in range(240)))
    model = Planted({})
    found = promptopt.minimize("p", provider=model, margin=5)
    assert "120 ask the same as another one" in str(found.plan)
    cases = found.bench.suite.cases
    split = found.plan.split
    seen, unseen = ({cases[number].vars["n"] for number in part} for part in (split.search, split.confirm))
    assert not seen & unseen
    texts = [str(request.messages) for request in model.asked]
    assert len(texts) == len(set(texts))


def test_of_cases_that_ask_the_same_each_says_what_is_expected(project: Any) -> None:
    """A sentence that only the asserts of the second of each pair need is needed."""

    class Both(Planted):
        def complete(self, request: Request) -> Response:
            text = str(request.messages[0].content)
            return Response(request.model, "right, hello" if "Say hello." in text else "right", usage=Usage(len(text)))

    asserts = [[{"type": "contains", "value": "right"}], [{"type": "contains", "value": "{{ wanted }}"}]]
    cases = [
        {"description": f"c{n}-{m}", "vars": {"n": n, "wanted": "hello"}, "assert": each}
        for n in range(120)
        for m, each in enumerate(asserts)
    ]
    body = "Be kind. Say hello.\n\ncase {{ n }}"
    rows(project, *cases, body=body)
    found = promptopt.minimize("p", provider=Both({}), margin=5, rules=False, untested="remove")
    assert {unit.shown for unit in found.removed} == {"Be kind."}
    assert {each.unit.shown: each.fate for each in promptopt.ablate("p", provider=Both({}), margin=5).worths} == {
        "Be kind.": "spare", "Say hello.": "matters"
    }  # fmt: skip
    rows(project, *(case | {"threshold": m % 2} for m, case in enumerate(cases)))
    with pytest.raises(UsageError, match="'c0-0' and 'c0-1' ask the same, and their asserts cannot be put together"):
        promptopt.minimize("p", provider=Both({}), margin=5)


def test_too_few_cases_says_which_do_not_count(project: Any) -> None:
    rows(
        project,
        *(
            {"description": f"c{n}", "vars": {"n": n % 3}, "assert": [{"type": "contains", "value": "r"}]}
            for n in range(300)
        ),
    )
    with pytest.raises(UsageError, match=r"(?s)3 cases can confirm nothing.*left out of 300 cases: 297 ask the same"):
        promptopt.minimize("p", provider=Planted({}), margin=5)


def test_a_description_goes_with_its_field(project: Any) -> None:
    """It is in no file any more, so that it is not said to be kept for want of a case."""
    schema = {
        "type": "object",
        "properties": {
            "label": {"type": "string"},
            "reason": {"type": "string", "description": "Why it was chosen. At most 10 words."},
        },
        "required": ["label", "reason"],
        "additionalProperties": False,
    }
    front = (
        f"---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\nanswer: /label\noutput_schema: {json.dumps(schema)}\n---\n"
    )
    case = {"assert": [{"type": "equals", "value": "right"}]}
    cases = ({"description": f"c{n}", "vars": {"n": n}, **case} for n in range(150))
    project.write(
        {
            "prompts/p/v1.j2": front + "Say so. case {{ n }}",
            "suites/p.jsonl": "".join(json.dumps(row) + "\n" for row in cases),
        }
    )  # fmt: skip

    class Labels(Planted):
        def complete(self, request: Request) -> Response:
            properties = request.output_schema["properties"] if request.output_schema else {}
            return Response(
                "m",
                json.dumps(dict.fromkeys(properties, "right")),
                usage=Usage(40 + len(str(request.output_schema)), output_tokens=9),
            )

    found = promptopt.minimize("p", provider=Labels({}), margin=5, price_as="gpt-4o-mini")
    assert found.chosen is not None
    assert "10 words" not in found.template.source
    fates = {each.unit.text: each.fate for each in found.worths()}
    assert fates["At most 10 words."] == "removed"
    assert not found.untested


def test_rules_that_change_nothing_are_not_named_and_a_bare_variable_is_refused(project: Any) -> None:
    judged = {"assert": [{"type": "contains", "value": "right"}]}
    cases = [{"description": f"c{n}", "vars": {"n": n}, **judged} for n in range(150)]
    rows(project, *cases, body="case {{ n }}")
    model = Planted({})
    with pytest.raises(UsageError, match="there is nothing that may go"):
        promptopt.minimize("p", provider=model, margin=5)
    assert not model.asked
    rows(project, *cases)
    assert all("rules" not in one.choice.moves for one in promptopt.minimize("p", provider=model, margin=5).tried)


def test_one_call_that_fails_does_not_end_a_search(planted: Write) -> None:
    """Late in a search single cases are asked: of a model that answers, one may fail."""
    path = planted(["Be kind.", "Say hello."], 100)

    class Failing(Planted):
        broken = False

        def complete(self, request: Request) -> Response:
            if self.broken:
                raise ProviderError("over capacity")
            return super().complete(request)

    model = Failing({})
    how = Asking(provider=model, retries=0)
    _, oracle = open_search(path, "p", how, Allowed(), load_config(), None)
    with oracle:
        oracle.ask(Reduced(), range(20))
        model.broken = True
        oracle.ask(Reduced(), [30])
        assert np.isnan(oracle.quality(Reduced(), [30])).all()
        # That nothing is answered any more is another thing.
        with pytest.raises(ProviderError, match="not one of 15 calls was answered"):
            oracle.ask(Reduced(), range(50, 65))


def test_what_a_group_lost_is_not_said_of_one_unit(planted: Write) -> None:
    path = planted(["Be kind."], 200)
    [unit] = promptopt.minimize(path, provider=Planted({}), margin=5, dry_run=True).units
    lost = UnitWorth(unit, "kept", 3.0, 0.1, None, cases=6, together=5, lost=6)
    assert worth_text(lost) == "lost 6 of 6 [5]"
    assert "[2], [3]: of so many units, tried together" in worth_table([lost])


def test_answers_that_cannot_be_kept_are_not_paid_for(
    planted: Write, project: Any, endpoint: Any, monkeypatch: Any
) -> None:
    path = planted(["Be kind.", "Say hello."], 200)
    (project.root / ".promptopt").write_text("a file where a folder is needed")
    asked = []
    monkeypatch.setattr("promptopt.minimization.oracle.asking", lambda *given: asked.append(given))
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with pytest.raises(RecordingError, match="cannot be written"):
        promptopt.minimize(path, suite="p", margin=5, max_cost=1, record="missing")
    assert not asked
