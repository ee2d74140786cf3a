"""Examples for a prompt out of cases that fail, and the order of those that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptopt.compression.engine import with_source
from promptopt.experiment.runs import Answered
from promptopt.minimization.choices import Move, Reduced
from promptopt.minimization.confirmation import EXAMPLES
from promptopt.minimization.oracle import Oracle
from promptopt.minimization.units import Units, read_units
from promptopt.suites import Case
from promptopt.suites.variables import fill_expected
from promptopt.templates import Template
from promptopt.templates.source import read_source

SIZES = (2, 4)
"""How many examples are added at once."""

# From so many cases examples are drawn; after so many a version is left that costs half as much again.
_DRAWN, _FIRST, _FAR = 60, 30, 1.5
_TYPES = frozenset({"equals", "contains", "icontains"})
_MARKS = re.compile(r"\{[{%#]|[}%#]\}")
_LINE_STARTS = re.compile(r"\A\n|\n\Z")


@dataclass(frozen=True, slots=True)
class DrawnExample:
    """A case that the prompt fails, with an answer that passes.

    Attributes:
        case: Its position in the suite.
        question: What the user says.
        answer: What another version or model answered, or what the case expects.
    """

    case: int
    question: str
    answer: str


def draw_examples(oracle: Oracle, choice: Reduced, cases: Sequence[int], most: int) -> list[DrawnExample]:
    """Examples out of the cases that a choice fails, in the order of the cases."""
    found: list[DrawnExample] = []
    for case in cases:
        if len(found) == most:
            break
        answered = [trial for trial in oracle.trials_of(choice, case) if isinstance(trial, Answered)]
        if not answered or any(trial.passed for trial in answered):
            continue
        answer = next(oracle.passing(case), None) or _expected(oracle, choice, oracle.bench.suite.cases[case])
        variant = oracle.variant(choice)
        assert variant is not None
        question = oracle.bench.request(variant, case).messages[-1].content
        if answer and isinstance(question, str) and question.strip():
            found.append(DrawnExample(case, question, answer))
    return found


def _expected(oracle: Oracle, choice: Reduced, case: Case) -> str | None:
    """The answer that the one assert of a case names; as JSON if the prompt's schema has one field."""
    if len(case.asserts) != 1 or case.asserts[0].type not in _TYPES or case.asserts[0].negated:
        return None
    value = case.asserts[0].value
    if not isinstance(value, str):
        return None
    text = str(fill_expected(value, case.vars, whole=False))
    variant = oracle.variant(choice)
    schema = None if variant is None else variant.template.front.output_schema
    if schema is None:
        return text
    properties = schema.get("properties", {})
    if len(properties) != 1:
        return None
    [(name, field)] = properties.items()
    known = next((label for label in field.get("enum", ()) if str(label).lower() == text.lower()), None)
    return None if known is None else json.dumps({name: known}, ensure_ascii=False)


def added_examples(drawn: Sequence[DrawnExample]) -> Move:
    """The prompt with some examples before its question."""

    def rewrite(template: Template) -> Template:
        blocks = "".join(
            f'{{% chat role="user" %}}{_literal(one.question)}{{% endchat %}}\n'
            f'{{% chat role="assistant" %}}{_literal(one.answer)}{{% endchat %}}\n'
            for one in drawn
        )
        source = read_source(template.source)
        text = template.source
        if source.chats:
            users = [chat for chat in source.chats if chat.role == "user"] or list(source.chats)
            place = users[-1].start
            return with_source(template, text[:place] + blocks + text[place:])
        body = text[source.front_end :].strip("\n")
        return with_source(
            template, f'{text[: source.front_end]}{blocks}{{% chat role="user" %}}{body}{{% endchat %}}\n'
        )

    return Move(f"{EXAMPLES}{len(drawn)}", "examples", "text", rewrite=rewrite)


def _literal(text: str) -> str:
    """A text that Jinja prints as it is."""
    text = _LINE_STARTS.sub("", text)
    return f"{{% raw %}}{text}{{% endraw %}}" if _MARKS.search(text) else text


def best_with_examples(oracle: Oracle, choice: Reduced, cases: Sequence[int]) -> Reduced | None:
    """What costs least for each answer that passes: a choice with examples added, for its model or another one.

    Args:
        cases: Those of the search. What examples are drawn from says nothing of them any more.

    Returns:
        ``None`` if nothing costs less than the choice itself.

    Raises:
        OutOfMoney: The answers may cost more than is left.
    """
    models = frozenset(move.id for move in oracle.bench.moves.values() if move.kind == "model")
    own = choice.moves - models
    each = [choice.moves & models, *(frozenset({name}) for name in sorted(models)), frozenset()]
    bare = [Reduced(choice.removed, own | model) for model in dict.fromkeys(each)]
    bare = [each for each in bare if oracle.variant(each) is not None]
    for one in bare:
        oracle.ask(one, cases if one == choice else cases[:_DRAWN])
    # Whoever fails most has most to learn.
    drawn = max((draw_examples(oracle, one, oracle.asked(one), max(SIZES)) for one in bare), key=len)
    rest = [case for case in cases if case not in {one.case for one in drawn}]
    best, least = None, oracle.per_pass(choice, rest)
    for size in (size for size in SIZES if size <= len(drawn)):
        move = added_examples(drawn[:size])
        oracle.bench.moves[move.id] = move
        for one in bare:
            trial = one.plus(moves=[move.id])
            if oracle.variant(trial) is None:
                continue
            oracle.ask(trial, rest[:_FIRST])
            if oracle.per_pass(trial, rest[:_FIRST]) > _FAR * oracle.per_pass(choice, rest[:_FIRST]):
                continue
            oracle.ask(trial, rest)
            if (cost := oracle.per_pass(trial, rest)) < least:
                best, least = trial, cost
    return best


def example_orders(units: Units) -> Iterator[Move]:
    """The prompt's own examples the other way round: with the last one first."""
    own = [unit.spans[0] for unit in units.units if unit.kind == "example" and unit.spans]
    if len(own) < 2:
        return

    def rewrite(template: Template) -> Template:
        # Some may have gone.
        spans = [unit.spans[0] for unit in read_units(template).units if unit.kind == "example"]
        text = template.source
        for (start, end), (first, last) in reversed(list(zip(spans, reversed(spans), strict=True))):
            text = text[:start] + template.source[first:last] + text[end:]
        return with_source(template, text)

    yield Move("order=reversed", "order", "text", rewrite=rewrite)
