"""The commands and the budget name one static prefix for one file."""

import json
import re

from click.testing import CliRunner

from promptopt.budget.discovery import discover
from promptopt.cli import cli
from promptopt.config import load_config

STATIC = "Answer each question about the birds of the northern islands in full. " * 50
PROMPT = (
    "---\nmodel: gpt-4o-mini\noutput_schema: {type: object, properties: {a: {type: string}}, required: [a], "
    "additionalProperties: false}\n---\n{% set shop = 'Corner Shop' %}\n{% from 'rules.j2' import rules %}\n"
    "{% chat role='system' %}You work for {{ shop }}.\n{{ rules('kind') }}\n{% include 'tone.j2' %}"
    f"{STATIC}{{% endchat %}}\n{{% chat role='user' %}}Hello {{{{ name }}}}!\n{STATIC}{STATIC}{{% endchat %}}\n"
)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_check_count_and_the_budget_name_the_same_static_prefix(project) -> None:
    project.write(
        {
            "prompts/answer/v1.j2": PROMPT,
            "prompts/rules.j2": "{% macro rules(how) %}Be {{ how }}.{% endmacro %}",
            "prompts/tone.j2": "Be brief.\n",
            "suites/answer.yaml": "tests: [{vars: {name: Ann}, assert: [{type: contains, value: x}]}]\n",
        }
    )
    counted = json.loads(run("count", "answer", "--var", "name=Ann", "--lines", "--json"))["static_prefix_tokens"]
    assert counted > len(STATIC.split())
    checked = re.search(r"only ([\d,]+) of ([\d,]+) static tokens", run("check", "prompts/answer/v1.j2"))
    assert checked is not None
    assert int(checked[1].replace(",", "")) == counted
    assert int(checked[2].replace(",", "")) > 3 * len(STATIC.split())
    prompt = discover(load_config(), ["answer"]).guarded["answer"]
    assert prompt.measure(prompt.suite.cases[0].name).entry.cacheable == counted
