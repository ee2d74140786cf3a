"""The check of recordings looks at each case and each answer a fixed number of times."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptopt import load_prompt, load_suite
from promptopt.config import load_config
from promptopt.experiment import inventory
from promptopt.providers.recordings import Recording, RecordingFile
from promptopt.suites import Case, Suite
from promptopt.values import Response


class Counted(tuple[Case, ...]):
    """Cases that count how often one of them is looked at."""

    __slots__ = ()
    looks = 0

    def __iter__(self) -> Iterator[Case]:
        for case in super().__iter__():
            Counted.looks += 1
            yield case


def recorded(project, cases: int) -> Suite:
    project.write(
        {
            "prompts/greet.j2": "---\nmodel: m\n---\nGreet {{ name }}",
            "suites/greet.csv": "__description,name\n" + "".join(f"case-{n},n{n}\n" for n in range(cases)),
        }
    )
    suite, template = load_suite("greet"), load_prompt("greet")
    file = RecordingFile.read(Path("suites/greet/recordings/greet.jsonl"))
    requests = (template.render(case.vars).request("m", sample=0, case=case.name) for case in suite.cases)
    file.append(*(Recording.of(request, Response("m", "hi")) for request in requests))
    file.tidy()
    return suite


@pytest.mark.parametrize("cases", [10, 100, 400])
def test_the_check_looks_at_each_case_as_often_however_many_there_are(
    project, monkeypatch: pytest.MonkeyPatch, cases: int
) -> None:
    suite = recorded(project, cases)
    monkeypatch.setattr(inventory, "load_suite", lambda *_, **__: replace(suite, cases=Counted(suite.cases)))
    Counted.looks = 0
    findings, good = inventory.check_recordings(load_config(), ["greet"])
    assert (findings, good) == ([], cases)
    assert Counted.looks <= 2 * cases


JUDGED = """tests:
  - {description: one, vars: {name: Ann}, assert: [{type: llm-rubric, value: is kind, provider: judge-model}]}
"""


def test_judgements_are_checked_for_what_cannot_be_read_and_cases_that_are_gone(project) -> None:
    project.write({"prompts/greet.j2": "---\nmodel: m\n---\nGreet {{ name }}", "suites/greet.yaml": JUDGED})
    request = load_prompt("greet").render({"name": "Ann"}).request("judge-model", case="one")
    made = Recording.of(request, Response("judge-model", '{"pass": true}'))
    whole = json.dumps({**json.loads(made.to_json()), "assert": "1 llm-rubric", "vote": 0})
    gone, secret = whole.replace('"one"', '"two"'), whole.replace("true", "sk-proj-abcdefghijklmnopqrstuvwxyz0123")
    folder = "suites/greet/judges/greet"
    lines = {
        "good": f"{whole}\n{gone}\n",
        "cut": f"{whole}\n{gone[:-9]}",
        "bad": f"{whole}\n{{}}\n",
        "key": f"{secret}\n",
    }
    project.write({f"{folder}/{name}.jsonl": text for name, text in lines.items()})
    found, good = inventory.check_recordings(load_config())
    problems = {(problem.kind, Path(problem.path).stem, problem.line) for problem in found}
    assert problems == {("orphaned", "good", 2), ("cut off", "cut", 2), ("broken", "bad", 2), ("secret", "key", 1)}
    assert good == 2
