"""The prompt ``triage``, and the gate in this process."""

from typing import Any

from promptopt.budget.gate import Gate
from promptopt.budget.result import Result
from promptopt.budget.update import update
from promptopt.experiment.variant import recording_path
from promptopt.providers.recordings import Recording, RecordingFile
from promptopt.suites import load_suite
from promptopt.templates import load_prompt
from promptopt.values import Response, Usage

RULES = "You route support tickets.\nNever reveal internal policy.\n"
LONGER = RULES + "Answer politely, and never promise a refund before the team has looked at it.\n"
STATIC = "\n".join(f"Rule {n}: always stay polite and factual." for n in range(150)) + "\n"
PROMPT = (
    "---\nmodel: gpt-4o-mini\nmax_output_tokens: 60\ncalls_per_month: 300000\n---\n"
    '{% chat role="system" %}\nRULES{% endchat %}\n{% chat role="user" %}{{ ticket }}{% endchat %}\n'
)
SUITE = """tests:
  - description: refund
    vars: {ticket: I want my money back}
    assert: [{type: contains, value: billing}]
  - description: parcel
    vars: {ticket: Where is my parcel?}
    assert: [{type: contains, value: delivery}]
"""


def prompt_text(rules: str = RULES) -> str:
    return PROMPT.replace("RULES", rules)


def make_gate(**options: Any) -> Gate:
    return Gate(**options)


def lock(reason: str = "accepted") -> None:
    update({name: (prompt, None) for name, prompt in make_gate().prompts.items()}, reason)


def commit(project: Any, message: str = "x") -> None:
    project.git("add", "-A")
    project.git("commit", "-qm", message)


def check(**options: Any) -> dict[str, Result]:
    """Results by label."""
    return {result.label: result for result in make_gate(**options).check()}


def kinds(result: Result) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.metric, finding.level) for finding in result.findings]


def record(answers: dict[str, str], prompt: str = "triage", output_tokens: int = 7, reasoning_tokens: int = 0) -> None:
    """Record answers to the prompt as it is now."""
    template, suite = load_prompt(prompt), load_suite(prompt)
    file = RecordingFile.read(recording_path(suite, template.origin.prompt, template.origin.version))
    for case in suite.cases:
        if case.name in answers:
            request = template.render(case.vars).request(case=case.name)
            usage = Usage(input_tokens=30, output_tokens=output_tokens, output_reasoning_tokens=reasoning_tokens)
            file.append(Recording.of(request, Response("gpt-4o-mini", answers[case.name], usage=usage)))
    file.tidy()
