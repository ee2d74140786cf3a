"""Cases that would test what no case tests, drafted by a model for a person to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from promptopt.call_options import CallOptions
from promptopt.errors import AnswerError, PromptoptError, SuiteError, UsageError
from promptopt.files import write_new
from promptopt.minimization.untested import Untested
from promptopt.providers import Provider, make_provider
from promptopt.schemas.parse import parse
from promptopt.scorers import SuiteChecks
from promptopt.suites import Case, Suite, load_suite
from promptopt.templates import Template
from promptopt.values import Message, Request

_INSTRUCTION = (
    "A prompt is tested with cases. No case depends on one of its sentences: with and without it, all answers are the "
    "same. Write one case in which the answer must be another one if the sentence is missing. Answer with JSON: "
    '{"vars": the variables of the case, "assert": a list of {"type": "equals", "contains", "icontains", '
    '"not-contains" or "regex", "value": a text}, "why": one sentence}. '
    "Use the variables of the examples, and no others."
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "vars": {"type": "object"},
        "assert": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "value": {"type": "string"}},
                "required": ["type", "value"],
            },
        },
        "why": {"type": "string"},
    },
    "required": ["vars", "assert"],
}
_EXAMPLES, _TOKENS, _SHOWN = 2, 600, 1_500


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """A case that a model proposes, or why its proposal is none.

    Attributes:
        case: As a suite has it; empty if there is none.
        problem: What is wrong with the answer; empty if nothing is.
    """

    untested: Untested
    model: str
    case: dict[str, Any]
    problem: str = ""


def draft_cases(
    untested: Sequence[Untested], template: Template, suite: Suite, model: str, provider: Provider | None = None
) -> list[CaseDraft]:
    """A case for each fact that no case tests.

    Args:
        model: Whom to ask; ``provider`` answers instead of the one that serves its name.

    Raises:
        ProviderError: The endpoint did not answer.
    """
    own = provider or make_provider(model)
    try:
        return [_draft(each, template, suite, model, own) for each in untested]
    finally:
        if provider is None:
            own.close()


def _draft(each: Untested, template: Template, suite: Suite, model: str, provider: Provider) -> CaseDraft:
    shown = "\n".join(json.dumps(_shown(case), ensure_ascii=False) for case in suite.cases[:_EXAMPLES])
    parts = {"prompt": template.source, "sentence": each.unit.text, "examples": shown}
    question = "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in parts.items())
    asked = (Message("system", _INSTRUCTION), Message("user", question))
    answer = provider.complete(Request(model, asked, CallOptions(temperature=0, max_output_tokens=_TOKENS)))
    try:
        found = parse(answer.text, _SCHEMA).data
    except AnswerError as error:
        return CaseDraft(each, model, {}, f"the answer is no case: {error}")
    unit = each.unit
    case = {
        "description": f"draft-line-{unit.line}-{unit.id}",
        "vars": found["vars"],
        "assert": found["assert"],
        "metadata": {"drafted_by": model, "tests": unit.shown, "reviewed": False},
    }
    expected = set(suite.cases[0].vars) if suite.cases else set()
    if unknown := set(found["vars"]) - expected:
        return CaseDraft(each, model, {}, f"it has a variable that no case has: {min(unknown)}")
    if missing := template.variables() & expected - set(found["vars"]):
        return CaseDraft(each, model, {}, f"it lacks the variable {min(missing)}")
    if not found["assert"]:
        return CaseDraft(each, model, {}, "it has no assert")
    return CaseDraft(each, model, case)


def _shown(case: Case) -> dict[str, Any]:
    asserts = [{"type": one.name, "value": one.value} for one in case.asserts]
    texts = {name: value[:_SHOWN] if isinstance(value, str) else str(value) for name, value in case.vars.items()}
    return {"vars": texts, "assert": asserts}


def write_drafts(drafts: Sequence[CaseDraft], target: Path) -> Path:
    """Write drafts as a suite of their own, marked as such; nothing is overwritten.

    Raises:
        UsageError: There is none to write.
        SuiteError: The file is there already, or the disk does not take it.
    """
    cases = [each.case for each in drafts if each.case]
    if not cases:
        reasons = "; ".join(each.problem for each in drafts)
        raise UsageError(f"no case was drafted: {reasons or 'there is nothing that no case tests'}")
    head = (
        f"# Drafted by {drafts[0].model}. Nobody has read these cases: check the answers that they expect, then\n"
        "# move them to the suite and take `reviewed: false` away.\n"
    )
    text = head + yaml.safe_dump({"tests": cases}, sort_keys=False, allow_unicode=True, width=120)
    write_new(target, text, SuiteError)
    try:
        # An assert that is unknown, or makes no sense, is said now.
        SuiteChecks(load_suite(target))
    except PromptoptError:
        target.unlink()
        raise
    return target
