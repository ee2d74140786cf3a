"""Checks of scorers, providers, layers and rules."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from promptopt.compression.document import Document
from promptopt.compression.edit import LEVELS, Edit, Finding
from promptopt.compression.engine import compress_document
from promptopt.compression.rules.base import BySentence, Rule, SentenceRule
from promptopt.compression.sentences import MaskedSentence
from promptopt.errors import ProviderError
from promptopt.gateway.assembly import LayerFactory
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed, LimitExceeded, Refused
from promptopt.gateway.flow import Handler, Send, run, run_async, stack
from promptopt.providers import Provider, ProviderBase
from promptopt.scorers import ScorerFactory, Subject
from promptopt.suites import Assertion
from promptopt.testing.doubles import make_parts
from promptopt.values import Message, Request, Response, Score, Usage

ANSWERS = (
    "",
    " ",
    "yes",
    "No.",
    "12.5",
    '{"label": "spam", "reasons": ["link", "sender"]}',
    "```json\n[]\n```",
    "First line.\nSecond line, with a comma; and a semicolon!",
    "Grüße aus Köln 🚲\u200b",
    "word " * 2000,
)
"""Answers as models give them: empty, short, JSON, several lines, other scripts, long."""
_AT_ONCE = 8


def check_scorer(
    factory: ScorerFactory,
    value: Any = None,
    *,
    threshold: float | None = None,
    options: Mapping[str, Any] | None = None,
    refused: Iterable[Any] = (),
    answers: Iterable[str] = ANSWERS,
) -> list[Score | None]:
    """Check what promptopt relies on in a scorer, and return its scores of the answers.

    - The factory takes the options that it names, and answers a value that makes no sense with ``ValueError``.
    - A score is between 0 and 1; one that did not pass says why, in one line.
    - Any answer can be scored, also that of a replay, which has neither duration nor cost.
    - The same answer gets the same score, in any order and from many threads at once.

    Args:
        value: The assert's ``value``; ``threshold`` and ``options`` are its other keys.
        refused: Values that must be refused.
        answers: Answers that are scored.
    """
    options = dict(options or {})
    known = getattr(factory, "options", options)
    assert all(name in known for name in options), f"options {sorted(options)} are given, {sorted(known)} are known"
    for bad in refused:
        wrong = Assertion("scorer", value=bad, threshold=threshold, options=options)
        problem = _raised(ValueError, partial(factory, wrong))
        assert str(problem), f"the value {bad!r} is refused without a message"
    scorer = factory(Assertion("scorer", value=value, threshold=threshold, options=options))
    assert isinstance(scorer.reads_answer, bool), "`reads_answer` is not a boolean"
    subjects = [Subject(answer, Response("model", answer)) for answer in answers]
    if not scorer.reads_answer:
        subjects.append(Subject(None, Response("model", ""), no_answer="no match"))
    scores = [scorer(subject) for subject in subjects]
    for subject, score in zip(subjects, scores, strict=True):
        _check_score(score, subject)
    assert scores == [scorer(subject) for subject in reversed(subjects)][::-1], "a second look gives other scores"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        assert scores == list(pool.map(scorer, subjects)), "threads that score at once get other scores"
    return scores


def _check_score(score: Score | None, subject: Subject) -> None:
    if score is None:
        return
    of = f"the score of {(subject.answer or '')[:40]!r}"
    assert isinstance(score, Score), f"{of} is {score!r}, not a Score"
    assert 0 <= score.value <= 1, f"{of} is {score.value}, not between 0 and 1"
    assert isinstance(score.passed, bool), f"{of}: `passed` is {score.passed!r}"
    assert "\n" not in score.explanation, f"{of} is explained in more than one line"
    assert score.passed or score.explanation, f"{of} did not pass and does not say why"


def check_provider(
    make: Callable[[], Provider],
    request: Request | None = None,
    *,
    failing: Request | None = None,
) -> Response:
    """Check what promptopt relies on in a provider, and return an answer.

    - An answer names its model, has a text, and reports tokens only if the provider measured them.
    - A request that cannot be answered raises ``ProviderError`` (``ProviderUnusable`` if no other can be either).
    - Many threads may ask at once; each gets an answer of its own.
    - Closing twice is allowed. What the class says of itself (``free``, ``is_configured``) is a boolean.

    Args:
        make: Makes the provider.
        request: What is asked; by default one user message.
        failing: A request that the provider cannot answer.
    """
    request = request or Request("model", (Message("user", "Say hello."),))
    provider = make()
    if isinstance(provider, ProviderBase):
        assert isinstance(provider.free, bool), "`free` is not a boolean"
        assert isinstance(provider.is_configured(request.model), bool), "`is_configured` does not return a boolean"
    try:
        response = provider.complete(request)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            responses = [response, *pool.map(provider.complete, [request] * _AT_ONCE)]
        for each in responses:
            _check_response(each)
        if failing is not None:
            assert str(_raised(ProviderError, partial(provider.complete, failing))), "the failure has no message"
    finally:
        provider.close()
        provider.close()
    return response


def _check_response(response: Response) -> None:
    assert isinstance(response, Response), f"{response!r} is not a Response"
    assert response.model, "the answer does not name its model"
    assert isinstance(response.text, str), f"the answer's text is {response.text!r}"
    assert response.finish_reason, "the answer does not say why it ended"
    assert response.usage is None or isinstance(response.usage, Usage), f"the usage is {response.usage!r}"
    assert response.duration_s is None or response.duration_s >= 0, f"the call took {response.duration_s} s"


def check_layer(
    factory: LayerFactory, call: Call | None = None, *, refused: Call | None = None, **settings: Any
) -> list[Call]:
    """Check what promptopt relies on in a layer, and return what it sent for ``call``.

    - A call gets one answer, the same from a thread and from an event loop, and from many threads at once.
    - A failure from inside (``CallFailed``, ``Refused``) is passed on or answered; nothing else is raised.
    - A refusal is a ``Refused``, and nothing is sent for it.
    - A flow that is thrown away ends at once, and the next call is answered all the same.
    - The call that came in is not changed: what is sent is another one.

    Args:
        factory: What the entry point leads to.
        call: What is asked; by default one user message without labels.
        refused: A call that the layer must refuse.
        settings: Of the gateway, as in ``[tool.promptopt.gateway]``.
    """
    call = call or Call.of("chat", "", {"model": "model", "messages": [{"role": "user", "content": "Say hello."}]})
    parts = make_parts(**settings)
    layer = factory(parts)
    assert layer is not None, "the factory makes no layer with these settings"
    handler = stack([layer])
    before = copy.deepcopy(call)
    sent: list[Call] = []
    expected = run(handler(call), partial(_answered, sent), parts.clock)
    assert isinstance(expected, Answer), f"the call is answered with {expected!r}, not with an Answer"
    seen = list(sent)
    _check_failures(handler, call)
    _check_abandoned(handler, call)
    if refused is not None:
        _raised(Refused, lambda: run(handler(refused), partial(_answered, sent), parts.clock))
        assert len(sent) == len(seen), "a call was sent before it was refused"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ask = partial(_answered, [])
        answers = list(pool.map(lambda _: run(handler(call), ask, parts.clock), range(_AT_ONCE)))
    answers.append(asyncio.run(run_async(handler(call), _answered_async)))
    for answer in answers:
        assert answer.text == expected.text, f"the same call is answered {expected.text!r} and {answer.text!r}"
    assert call == before, "the layer changes the call that it was given"
    return seen


def _answered(sent: list[Call], call: Call) -> Answer:
    sent.append(call)
    return Answer("hello", call.model, usage=Usage(3, output_tokens=1))


async def _answered_async(call: Call) -> Answer:
    return _answered([], call)


def _check_failures(handler: Handler, call: Call) -> None:
    for failure in (CallFailed("server", status=500), LimitExceeded("too many calls")):

        def fail(sent: Call, failure: Exception = failure) -> Answer:  # noqa: ARG001 - no call succeeds
            raise failure

        try:
            run(handler(call), fail, make_parts().clock)
        except (CallFailed, Refused):
            continue
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} is raised after {type(failure).__name__}: {error}") from error


def _check_abandoned(handler: Handler, call: Call) -> None:
    """Throw a flow away at its first call."""
    flow = handler(call)
    for effect in flow:
        if isinstance(effect, Send):
            break
    try:
        flow.close()
    except RuntimeError as error:
        raise AssertionError("a flow that is thrown away yields once more") from error


def _raised(kind: type[Exception], call: Callable[[], Any]) -> Exception:
    """The exception of this kind that a call raises."""
    try:
        result = call()
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} is raised, which is not a {kind.__name__}: {error}") from error
    raise AssertionError(f"no {kind.__name__} is raised; the result is {result!r}")


TEXTS = (
    "",
    "\n\n",
    "Please make sure that you answer in no more than 50 words, and do not mention prices.",
    "# Task\n\n- Classify the ticket: `billing` or \"other\".\n- Never guess.\n\n```python\nprint('please')\n```\n",
    '---\nmodel: gpt-4o\n---\n{% chat role="user" %}\nIf {{ name }} is missing, stop.\n{% endchat %}\n',
    "{% for item in items %}\n* {{ item }}\n{% endfor %}\n",
    "Antworte bitte immer auf Deutsch und nenne nie mehr als 3 Beispiele.",
    'Answer with JSON: {"label": "a", "reasons": []}. It\'s important to keep the keys\' order!',
)
"""Prompts of different kinds: empty, prose, Markdown, templates, another language, JSON."""


def check_rule(rule: type[Rule | SentenceRule] | Rule | SentenceRule, *texts: str) -> list[str]:
    """Check what promptopt relies on in a rule, and return ``texts`` as they are with its edits made.

    - It has a code, a name, a reason and a level, and reads either whole documents or single sentences.
    - An edit lies inside the text, and changes at least one character.
    - Edits and findings carry the rule's code and a message in one line.
    - The same text gets the same edits. Made in a text, they leave nothing for the rule to propose in the result.

    Args:
        rule: What the entry point leads to.
        texts: Prompts that the rule is asked about, beside prompts of all kinds.
    """
    made = rule() if isinstance(rule, type) else rule
    for name in ("code", "name", "reason"):
        value = getattr(made, name, None)
        assert isinstance(value, str), f"`{name}` of the rule is {value!r}"
        assert len(value.splitlines()) == 1, f"`{name}` of the rule is {value!r}, not one line"
    assert getattr(made, "level", None) in LEVELS, f"`level` of the rule is not one of {', '.join(LEVELS)}"
    reads_document, reads_sentence = isinstance(made, Rule), isinstance(made, SentenceRule)
    assert reads_document != reads_sentence, "a rule has one of `propose(document)` and `propose_in(sentence)`"
    if isinstance(made, SentenceRule):
        for each in made.propose_in(MaskedSentence(" ".join([*texts, *TEXTS]))):
            assert isinstance(each, Edit), f"{each!r} is not an Edit, and a sentence gets nothing else"
    whole: Rule = BySentence(made) if isinstance(made, SentenceRule) else made
    shortened = [_checked(whole, text) for text in (*texts, *TEXTS)]
    return shortened[: len(texts)]


def _checked(rule: Rule, text: str) -> str:
    document = Document(text)
    found = list(rule.propose(document))
    for each in found:
        assert isinstance(each, Edit | Finding), f"{each!r} is neither an Edit nor a Finding"
        assert each.rule == rule.code, f"the rule {rule.code} proposes an edit of {each.rule}"
        assert each.message, f"{each} has no message"
        assert "\n" not in each.message, f"the message of {each} has more than one line"
        assert 0 <= each.start <= len(text), f"{each} is outside of the text"
        if isinstance(each, Edit):
            assert each.start < each.end <= len(text), f"{each} replaces nothing, or lies outside of the text"
            assert each.new != text[each.start : each.end], f"{each} changes nothing"
    assert found == list(rule.propose(Document(text))), f"the same text gets other edits: {text[:60]!r}"
    after = compress_document(document, rule.level, [rule]).text
    again = compress_document(Document(after), rule.level, [rule]).text
    assert again == after, f"its own result is edited once more: {after[:60]!r} becomes {again[:60]!r}"
    return after
