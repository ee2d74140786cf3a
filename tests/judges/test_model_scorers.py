"""What each assert asks a model, and the score that follows from its answer."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import SuiteError
from promptopt.judges.verdict import NoVerdict, read_category
from promptopt.scorers.base import make_check
from promptopt.suites import Assertion
from promptopt.values import Response

CONFIG = '[tool.promptopt.judge]\nmodel = "gpt-4o"\n'


def suite(assertion: str, **variables: Any) -> str:
    return json.dumps({"tests": [{"description": "one", "vars": {"x": "1", **variables}, "assert": ["@"]}]}).replace(
        '"@"', assertion
    )


def score(project, endpoint, assertion: str, reply: Any, *, answer: str = "Paris", **variables: Any) -> dict[str, Any]:
    """The judgement of one answer; ``reply`` is the judge's, a text or a function of the request's body."""
    project.write(
        {
            "prompts/p/v1.j2": "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\nGo {{ x }}",
            "suites/p.yaml": suite(assertion, **variables),
            "pyproject.toml": CONFIG,
        }
    )
    endpoint.requests.clear()
    endpoint.reply = lambda body: (reply(body) if callable(reply) else reply) if body["model"] == "gpt-4o" else answer
    result = run("--record", "all", **endpoint.environment)
    assert result.returncode == 0, result.stderr
    replayed = run(CI="1")
    (live,), (again,) = (json.loads(each.stdout)["judgements"] for each in (result, replayed))
    assert live == again
    return live


def run(*arguments: str, prompts: tuple[str, ...] = ("p@v1",), **environment: str) -> SimpleNamespace:
    result = CliRunner().invoke(cli, ["compare", *prompts, "--json", *arguments], env=environment)
    error = "" if result.exception is None or isinstance(result.exception, SystemExit) else str(result.exception)
    return SimpleNamespace(returncode=2 if error else result.exit_code, stdout=result.stdout, stderr=error)


def asked(endpoint) -> list[str]:
    found = [body for body in endpoint.requests if body["model"] == "gpt-4o"]
    return ["\n".join(message["content"] for message in body["messages"]) for body in found]


@pytest.mark.parametrize(
    ("letter", "passed", "value"), [("A", True, 1), ("B", True, 1), ("C", True, 1), ("D", False, 0), ("E", True, 1)]
)
@pytest.mark.parametrize("kind", ["factuality", "model-graded-factuality"])
def test_factuality_scores_the_relation_of_facts(project, endpoint, kind, letter, passed, value) -> None:
    reply = json.dumps({"reason": "so", "category": letter})
    found = score(project, endpoint, json.dumps({"type": kind, "value": "Paris, in France"}), reply)
    assert (found["passed"], found["score"]) == (passed, value)
    assert found["reason"].startswith(f"({letter}) ")
    assert "<reference>\nParis, in France\n</reference>" in asked(endpoint)[0]


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("(C) The submitted answer says the same.", "C"),
        ("It contradicts it, so (D).", "D"),
        ("B", "B"),
        ('{"category": "(A) a subset", "reason": "so"}', "A"),
        ('```json\n{"category": "e."}\n```', "E"),
        ("(B) or (D)", None),
        ("After all, A good answer", None),
        ('{"category": "F"}', None),
        ('{"category": "A or B"}', None),
        ('{"category": "A/B"}', None),
        ('{"category": "CD"}', None),
        ("I cannot say (sorry)", None),
    ],
)
def test_a_relation_may_be_said_as_promptfoos_older_prompt_asks_for_it(said: str, letter: str | None) -> None:
    reply = Response("judge", said, "stop", None)
    if letter is None:
        with pytest.raises(NoVerdict):
            read_category(reply)
    else:
        assert read_category(reply)[0] == letter


OWN = {
    "model-graded-closedqa": (
        "Does it meet {{ criteria }}? {{ input }} {{ completion }} End with Y or N.",
        "It does.\nY",
    ),
    "factuality": ("{{ ideal }} against {{ completion }}: (A) to (E)?", "(C) The same."),
    "g-eval": (
        "{{ criteria }} {{ steps }} {{ input }} {{ output }}: 0 to {{ maxScore }}",
        '{"score": 9, "reason": "so"}',
    ),
    "llm-rubric": ("{{ rubric }}: {{ output }}. A score?", '{"score": 0.6, "reason": "so"}'),
}


@pytest.mark.parametrize("kind", OWN)
def test_a_prompt_that_promptfoo_takes_is_asked_and_its_answer_read(project, endpoint, kind: str) -> None:
    prompt, reply = OWN[kind]
    entry = {"type": kind, "value": "a city", "threshold": 0.5, "rubricPrompt": prompt}
    steps = '{"steps": ["look"]}'
    found = score(
        project, endpoint, json.dumps(entry), lambda body: steps if "four short steps" in str(body) else reply
    )
    assert (found["passed"], found["error"]) == (True, None)
    assert "Paris" in asked(endpoint)[-1]
    wrong = score(
        project, endpoint, json.dumps(entry), lambda body: steps if "four short steps" in str(body) else "Hm."
    )
    assert (wrong["passed"], "no verdict" in wrong["error"]) == (None, True)


def test_a_score_alone_is_no_verdict_without_a_threshold_or_to_the_built_in_prompt(project, endpoint) -> None:
    built_in = {"type": "llm-rubric", "value": "a city", "threshold": 0.5}
    assert score(project, endpoint, json.dumps(built_in), '{"score": 0.6}')["passed"] is None
    own = {"type": "llm-rubric", "value": "a city", "rubricPrompt": "{{ rubric }}: {{ output }}"}
    assert score(project, endpoint, json.dumps(own), '{"score": 0.6}')["passed"] is None
    assert score(project, endpoint, json.dumps({**own, "threshold": 0.7}), '{"score": 0.6}')["passed"] is False


def test_the_relations_of_facts_may_have_scores_of_their_own(project, endpoint) -> None:
    assertion = {"type": "factuality", "value": "x", "factuality": {"superset": 0.3, "subset": 0}}
    found = score(project, endpoint, json.dumps(assertion), '{"category": "B"}')
    assert (found["passed"], found["score"]) == (True, 0.3)
    assert not score(project, endpoint, json.dumps(assertion), '{"category": "A"}')["passed"]
    assert score(project, endpoint, json.dumps(assertion), '{"category": "F"}')["passed"] is None


def test_g_eval_asks_for_its_steps_once_and_follows_them(project, endpoint) -> None:
    def reply(body: dict[str, Any]) -> str:
        text = str(body["messages"])
        if "short steps" in text:
            return json.dumps({"steps": ["read it", f"weigh {'tone' if 'kind' in text else 'length'}"]})
        return json.dumps({"reason": "fine", "score": 9 if "kind" in text else 4})

    found = score(project, endpoint, '{"type": "g-eval", "value": ["is kind", "is short"]}', reply)
    assert (found["passed"], found["score"], found["calls"]) == (False, pytest.approx(0.65), 4)
    assert "1. read it\n2. weigh tone" in asked(endpoint)[1]
    assert score(project, endpoint, '{"type": "g-eval", "value": "is kind"}', reply)["passed"]
    assertion = '{"type": "g-eval", "value": "is kind", "threshold": 0.95}'
    assert not score(project, endpoint, assertion, reply)["passed"]
    lines = (project.root / "suites/p/judges/p/v1.jsonl").read_text().splitlines()
    assert "*" in {json.loads(line)["case"] for line in lines}


@pytest.mark.parametrize("reply", ['{"steps": []}', '{"score": 11}', '{"reason": "x"}', "no"])
def test_g_eval_without_steps_or_a_score_from_0_to_10_is_an_error(project, endpoint, reply: str) -> None:
    def judge(body: dict[str, Any]) -> str:
        return reply if "short steps" not in str(body) or "steps" in reply else '{"steps": ["a"]}'

    assert score(project, endpoint, '{"type": "g-eval", "value": "is kind"}', judge)["passed"] is None


def test_closed_qa_shows_the_criterion(project, endpoint) -> None:
    reply = '{"reason": "yes", "pass": true, "score": 1}'
    found = score(project, endpoint, '{"type": "model-graded-closedqa", "value": "names a city"}', reply)
    assert (found["passed"], found["score"]) == (True, 1)
    assert "<criterion>\nnames a city\n</criterion>" in asked(endpoint)[0]


@pytest.mark.parametrize(
    ("reply", "threshold", "passed", "value"),
    [
        ('{"kind": 0.8, "rude": 0.2}', 0.5, True, 0.8),
        ('{"kind": 0.4, "rude": 0.6}', 0.5, False, 0.4),
        ('[{"label": "kind", "score": 0.9}, {"label": "rude", "score": 0.1}]', 0.5, True, 0.9),
        ('[[{"label": "kind", "score": 0.9}]]', 0.95, False, 0.9),
        ('{"kind": 1}', None, True, 1),
        ('{"rude": 1}', 0.5, None, None),
        ('{"kind": 7}', 0.5, None, None),
    ],
)
def test_a_classifier_scores_one_class(project, endpoint, reply, threshold, passed, value) -> None:
    assertion = {"type": "classifier", "value": "kind"} | ({} if threshold is None else {"threshold": threshold})
    found = score(project, endpoint, json.dumps(assertion), reply)
    assert (found["passed"], found["score"]) == (passed, value)
    assert asked(endpoint) == ["Paris"]


def test_a_model_classifies_by_the_classes_of_the_assert(project, endpoint) -> None:
    assertion = {"type": "classifier", "value": "kind", "classes": ["kind", "rude"], "threshold": 0.5}
    assert score(project, endpoint, json.dumps(assertion), '{"kind": 0.7, "rude": 0.3}')["passed"]
    assert "The classes: kind, rude." in asked(endpoint)[0]
    wrong = score(project, endpoint, json.dumps({**assertion, "rubricPrompt": "{{ outptu }}"}), "{}")
    assert (wrong["passed"], "'outptu' is undefined" in wrong["error"]) == (None, True)


STATEMENTS = json.dumps(
    {
        "statements": [
            {"statement": "a", "holds": True},
            {"statement": "b", "holds": False},
            {"statement": "c", "holds": True},
        ]
    }
)


@pytest.mark.parametrize(
    ("assertion", "shown"),
    [
        ({"type": "context-faithfulness"}, "<context>\nall of it\n</context>"),
        ({"type": "context-recall", "value": "the truth"}, "<answer>\nthe truth\n</answer>\n<context>\nall of it"),
        ({"type": "context-relevance"}, "<question>\nwhat?\n</question>\n<context>\nall of it"),
    ],
)
def test_contexts_are_scored_by_the_share_of_statements_that_hold(project, endpoint, assertion, shown: str) -> None:
    texts = {"query": "what?", "context": "all of it"}
    for threshold, passed in ((0.6, True), (0.7, False)):
        written = json.dumps({**assertion, "threshold": threshold})
        found = score(project, endpoint, written, STATEMENTS, **texts)
        assert (found["passed"], found["score"]) == (passed, pytest.approx(2 / 3))
        assert "2 of 3 hold" in found["reason"]
        assert shown in asked(endpoint)[0]
    assert score(project, endpoint, json.dumps(assertion), '{"statements": []}', **texts)["passed"] is None
    absent = score(project, endpoint, json.dumps(assertion), STATEMENTS)
    assert "which context-" in absent["error"]


def test_the_context_may_be_read_out_of_the_answer(project, endpoint) -> None:
    written = {"type": "context-faithfulness", "contextTransform": "[output.toUpperCase(), context.vars.query]"}
    assert score(project, endpoint, json.dumps(written), STATEMENTS, query="what?")["passed"]
    assert "<context>\nPARIS\n\nwhat?\n</context>" in asked(endpoint)[0]
    written["contextTransform"] = "output.none.at"
    assert "contextTransform: " in score(project, endpoint, json.dumps(written), STATEMENTS, query="what?")["error"]


def test_answer_relevance_is_the_likeness_of_the_questions_that_it_answers(project, endpoint) -> None:
    pytest.importorskip("wordllama")
    same = json.dumps({"questions": ["What is the capital of France?"] * 3, "evasive": False})
    query = {"query": "What is the capital of France?"}
    found = score(project, endpoint, '{"type": "answer-relevance", "threshold": 0.9}', same, **query)
    assert (found["passed"], found["score"]) == (True, pytest.approx(1, abs=1e-3))
    other = json.dumps({"questions": ["How do I bake bread?"], "evasive": False})
    assert not score(project, endpoint, '{"type": "answer-relevance", "threshold": 0.9}', other, **query)["passed"]
    evasive = json.dumps({"questions": ["What is the capital of France?"], "evasive": True})
    assert score(project, endpoint, '{"type": "answer-relevance"}', evasive, **query)["score"] == 0


def best_of(project, endpoint, answers: dict[str, str], judge: Any, **options: str) -> dict[str, dict[str, Any]]:
    files = {
        f"prompts/p/v{n}.j2": f"---\nmodel: gpt-4o-mini\n---\n{text}: {{{{ x }}}}" for n, text in enumerate(answers, 1)
    }
    assertion = json.dumps({"type": "select-best", "value": "the longest", **options})
    project.write({**files, "suites/p.yaml": suite(assertion), "pyproject.toml": CONFIG})
    endpoint.reply = lambda body: (
        judge(body) if body["model"] == "gpt-4o" else answers[body["messages"][0]["content"].partition(":")[0]]
    )
    prompts = tuple(f"p@v{n}" for n in range(1, len(answers) + 1))
    live = run(prompts=prompts, **endpoint.environment)
    assert live.returncode == 0, live.stderr
    assert json.loads(run(prompts=prompts, CI="1").stdout)["judgements"] == json.loads(live.stdout)["judgements"]
    return {row["prompt"]: row for row in json.loads(live.stdout)["judgements"]}


def longest(body: dict[str, Any]) -> str:
    text = body["messages"][-1]["content"]
    first, second = (text.partition(f"<output_{name}>\n")[2].partition("\n</output")[0] for name in "AB")
    better = "A" if len(first) > len(second) else "B" if len(second) > len(first) else "tie"
    return json.dumps({"reason": "longer", "better": better})


def test_select_best_compares_each_pair_in_both_orders_once(project, endpoint) -> None:
    found = best_of(project, endpoint, {"Say": "short", "Tell": "the longer one", "Go": "the longest of all"}, longest)
    assert {name: (row["passed"], row["score"]) for name, row in found.items()} == {
        "p@v1": (False, 0),
        "p@v2": (False, 0.5),
        "p@v3": (True, 1),
    }
    assert len(asked(endpoint)) == 6


def test_a_judge_that_goes_by_the_place_makes_a_tie(project, endpoint) -> None:
    first = json.dumps({"reason": "first", "better": "A"})
    found = best_of(project, endpoint, {"Say": "one", "Tell": "two"}, lambda _: first)
    assert {row["score"] for row in found.values()} == {0.5}
    assert all(row["passed"] for row in found.values())


def test_the_same_answer_is_as_good_as_itself_and_nobody_is_asked(project, endpoint) -> None:
    found = best_of(project, endpoint, {"Say": "one", "Tell": "one"}, longest)
    assert {row["score"] for row in found.values()} == {0.5}
    assert not asked(endpoint)


def test_a_prompt_of_ones_own_may_ask_for_the_number_of_the_best(project, endpoint) -> None:
    prompt = "By {{ criteria }}: {% for each in outputs %}({{ loop.index0 }}) {{ each }} {% endfor %}Which number?"

    def first_long(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        return "The best is 0" if text.index("A long") < text.index("Short") else "1"

    answers = {"Say": "Short.", "Tell": "A long answer."}
    found = best_of(project, endpoint, answers, first_long, rubricPrompt=prompt)
    assert {name: row["score"] for name, row in found.items()} == {"p@v1": 0, "p@v2": 1}


def test_a_choice_that_is_none_is_an_error(project, endpoint) -> None:
    found = best_of(project, endpoint, {"Say": "one", "Tell": "other"}, lambda _: '{"better": "C"}')
    assert {row["passed"] for row in found.values()} == {None}


def test_of_one_variant_nothing_is_best(project, endpoint) -> None:
    found = best_of(project, endpoint, {"Say": "one"}, longest)
    assert found == {}


@pytest.mark.parametrize(
    ("kind", "value", "options", "why"),
    [
        ("llm-rubric", None, {}, "needs a rubric as `value`"),
        ("llm-rubric", "  ", {}, "needs a rubric as `value`"),
        ("llm-rubric", "x", {"threshold": 3}, "threshold: 3 is not between 0 and 1"),
        ("llm-rubric", "x", {"vots": 3}, "unknown key 'vots'. Did you mean 'votes'"),
        ("g-eval", [], {}, "needs criteria"),
        ("factuality", None, {}, "needs a text"),
        ("factuality", "x", {"factuality": {"same": 1}}, "unknown relation 'same'"),
        ("factuality", "x", {"factuality": {"agree": 2}}, "agree: 2 is not a score"),
        ("classifier", "a", {"classes": ["b"]}, "is not a list of classes with 'a'"),
        ("select-best", None, {}, "needs a text"),
        ("context-recall", None, {}, "needs a text"),
        ("context-faithfulness", None, {"contextTransform": "file:///no/context.py"}, "context.py"),
    ],
)
def test_an_assert_that_makes_no_sense_is_refused_before_any_call(kind, value, options, why: str) -> None:
    threshold = options.pop("threshold", None)
    with pytest.raises(SuiteError) as caught:
        make_check(Assertion(kind, False, value, threshold, options=options, line=7), "s.yaml")
    assert why in str(caught.value)
    assert str(caught.value).startswith("s.yaml:7: assert")
