"""Cases that would test what no case tests, drafted by a model for a person to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from promptopt.call_options import CallOptions
from promptopt.config import load_config
from promptopt.errors import AnswerError, PromptoptError, ProviderError, ProviderUnusable, SuiteError, UsageError
from promptopt.files import write_new
from promptopt.minimization.evidence_cases import passes_anything
from promptopt.minimization.untested import Untested
from promptopt.money import dollars
from promptopt.prices import Price, find_price
from promptopt.providers import Provider, is_free, make_provider
from promptopt.providers.asking import answer_to
from promptopt.schemas.parse import parse
from promptopt.scorers import SuiteChecks
from promptopt.suites import Case, Suite, load_suite
from promptopt.templates import Template
from promptopt.tokens import count_tokens
from promptopt.values import Message, Request, Usage

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
        problem: What is wrong with the answer, or why there is none; empty if nothing is.
        calls: 1 if the model was asked; ``usd`` is what that cost at its list price.
    """

    untested: Untested
    model: str
    case: dict[str, Any]
    problem: str = ""
    calls: int = 0
    usd: Decimal = Decimal(0)


def draft_cases(
    untested: Sequence[Untested], template: Template, suite: Suite, model: str, provider: Provider | None = None,
    left: Decimal | None = None,
) -> list[CaseDraft]:  # fmt: skip
    """A case for each fact that no case tests.

    Args:
        model: Whom to ask; ``provider`` answers instead of the one that serves its name.
        left: Dollars that may be spent; ``None``: no limit.

    Raises:
        ProviderUnusable: No call can succeed.
    """
    own = provider or make_provider(model)
    free = is_free(model)
    price = None if free else find_price(model, config=load_config())
    found: list[CaseDraft] = []
    try:
        for each in untested:
            request = _request(each, template, suite, model)
            most = None if price is None else _usd(price, count_tokens(request).tokens, _TOKENS)
            spent = sum((draft.usd for draft in found), Decimal(0))
            if left is not None and (why := _too_much(model, most, left - spent, free=free)):
                found.append(CaseDraft(each, model, {}, f"it was not asked for: {why}"))
                continue
            try:
                answer = answer_to(request, own)
            except ProviderUnusable:
                raise
            except ProviderError as error:
                found.append(CaseDraft(each, model, {}, f"no answer: {error}", 1))
                continue
            usage = answer.usage
            paid = Decimal(0) if price is None else most if usage is None else price.cost(usage).total_usd
            found.append(replace(_draft(each, template, suite, model, answer.text), calls=1, usd=paid or Decimal(0)))
        return found
    finally:
        if provider is None:
            own.close()


def _too_much(model: str, most: Decimal | None, left: Decimal, *, free: bool) -> str:
    """Why a call that costs so much at most cannot be paid of what is left; empty if it can."""
    if most is None:
        unpriced = f"{model} is unpriced, and --max-cost could not be kept; give its price in [tool.promptopt.prices]"
        return "" if free else unpriced
    return f"it may cost {dollars(most)}, and {dollars(left)} is left" if most > left else ""


def _usd(price: Price, tokens: int, output: int) -> Decimal:
    return price.cost(Usage(input_tokens=tokens, output_tokens=output)).total_usd


def _request(each: Untested, template: Template, suite: Suite, model: str) -> Request:
    shown = "\n".join(json.dumps(_shown(case), ensure_ascii=False) for case in suite.cases[:_EXAMPLES])
    parts = {"prompt": template.source, "sentence": each.unit.text, "examples": shown}
    question = "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in parts.items())
    asked = (Message("system", _INSTRUCTION), Message("user", question))
    return Request(model, asked, CallOptions(temperature=0, max_output_tokens=_TOKENS))


def _draft(each: Untested, template: Template, suite: Suite, model: str, text: str) -> CaseDraft:
    try:
        found = parse(text, _SCHEMA).data
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
    if problem := _problem(case, template):
        return CaseDraft(each, model, {}, problem)
    return CaseDraft(each, model, case)


def _problem(case: dict[str, Any], template: Template) -> str:
    """Why a case tests nothing; empty if it does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "draft.yaml"
        path.write_text(yaml.safe_dump({"tests": [case]}, allow_unicode=True), encoding="utf-8")
        try:
            suite = load_suite(path)
            checks = SuiteChecks(suite)
        except PromptoptError as error:
            return f"its asserts cannot be used: {str(error).partition(': ')[2]}"
        if passes_anything(suite.cases[0], checks, template.front.answer):
            return "its asserts pass whatever is answered"
    return ""


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
    return target
