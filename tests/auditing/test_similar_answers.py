"""What a semantic cache would have answered is what the gateway's own layers answer, on the same calls and clock."""

import json
from random import Random

import pytest

from promptopt.auditing.accounting import settle
from promptopt.auditing.audit import AuditInput, audit, merged, partial_text, read_partial
from promptopt.auditing.readers.files import read_log
from promptopt.auditing.similar_answers import read_similarity
from promptopt.auditing.strategy_settings import AuditSettings, needs
from promptopt.config import Config
from promptopt.errors import InputError, UsageError
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.layers.semantic import SemanticSettings
from promptopt.gateway.settings import GatewaySettings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.values import Usage

START, THRESHOLD, TTL_S = 1_790_000_000.0, 0.75, 400.0
QUESTIONS = (
    "How do I reset my password?", "how can I reset my password", "Please reset the password of my account",
    "Where is my order?", "where's my order now", "Where is order 17?", "Where is order 18?",
    "Cancel my subscription", "Please cancel the subscription", "Renew my subscription", "zzzz qqqq",
)  # fmt: skip


def workload(size, seed):
    """When, model, question, seconds, output tokens, and whether the answer is cut off."""
    random, at, rows = Random(seed), START, []
    for _ in range(size):
        at += random.expovariate(1 / 15) + 0.001
        rows.append(
            (
                at,
                random.choice(["gpt-4o", "gpt-4o", "gpt-4o-mini"]),
                random.choice(QUESTIONS),
                random.uniform(0.5, 40),
                random.randrange(5, 300),
                random.random() < 0.1,
            )
        )
    return rows


def body(model, question):
    messages = [{"role": "system", "content": "You answer customers."}, {"role": "user", "content": question}]
    return {"model": model, "messages": messages, "temperature": 0}


def written(path, rows):
    with path.open("w", encoding="utf-8") as file:
        for number, (at, model, question, takes, out, cut) in enumerate(rows):
            usage = {"prompt_tokens": 50, "completion_tokens": out, "total_tokens": 50 + out}
            choices = [{"finish_reason": "length" if cut else "stop"}]
            answer = {"id": f"a{number}", "model": model, "choices": choices, "usage": usage}
            record = {"created_at": at, "latency_s": takes, "request": body(model, question), "response": answer}
            file.write(json.dumps(record) + "\n")
    return path


def given(path, *, questions=True):
    read = read_log([path], questions=questions)
    return AuditInput(*settle(read.log, Config(path, path, path)), read.formats)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    pytest.importorskip("wordllama", reason="the local embedder is in the extra `semantic`")
    rows = workload(220, 7)
    return rows, written(tmp_path_factory.mktemp("similar") / "calls.jsonl", rows)


@pytest.mark.parametrize(
    "names",
    [
        ("semantic-cache",),
        ("exact-cache", "semantic-cache"),
        ("single-flight", "semantic-cache"),
        ("exact-cache", "single-flight", "semantic-cache"),
    ],
)
def test_the_prediction_is_what_the_layers_do(log, tmp_path, names):
    rows, path = log
    settings = AuditSettings(ttl_s=TTL_S, semantic_threshold=THRESHOLD)
    found = audit(given(path), settings, Config(tmp_path, tmp_path, tmp_path), order=names)
    assert not found.needs
    calibration = tmp_path / "semantic.json"
    calibration.write_text(
        json.dumps(
            {"threshold": THRESHOLD, "embedder": "wordllama-l2-256", "false_hits": 0.01, "bound": 0.01, "rules": 2}
        )
    )
    clock, sent = SimulatedClock(START), []
    policy = CachePolicy(ttl_s=TTL_S, time_sensitive_ttl_s=TTL_S)
    built = build_gateway(
        GatewaySettings(
            tmp_path, store="memory", ledger=None, single_flight="single-flight" in names,
            cache=policy if "exact-cache" in names else None, semantic=SemanticSettings(calibration=calibration),
        ),
        Config(tmp_path, tmp_path, tmp_path), clock=clock, random=Random(1),
    )  # fmt: skip
    if "exact-cache" not in names:
        # Without an exact cache the semantic one has the usual times.
        next(layer for layer in built.layers if type(layer).__name__ == "SemanticCache").policy = policy

    def upstream(call):
        number = int(call.labels.tag)
        sent.append(number)
        _, model, _, takes, out, cut = rows[number]
        reason = "length" if cut else "stop"
        answer = Answer(
            "ok", model, usage=Usage(50, 0, 0, out), sent_to=model, finish_reason=reason, finished=not cut
        )  # fmt: skip
        return takes, answer

    arrivals = [
        Arrival(at, Call.of("chat", "u", body(model, question), Labels(tag=str(number))))
        for number, (at, model, question, *_) in enumerate(rows)
    ]
    simulate(built.handler, arrivals, upstream, clock)
    built.close()
    bill = found.outcomes[frozenset(names)].bill
    assert bill.calls == len(sent) < len(rows)
    assert sum(sum(tokens) for tokens in bill.tokens.values()) == sum(50 + rows[number][4] for number in sent)


def test_questions_that_differ_in_a_fact_share_nothing(tmp_path):
    pytest.importorskip("wordllama")
    ask = ["Where is order 17?", "Where is order 18?"]
    rows = [(START + 60 * at, "gpt-4o", ask[at % 2], 1.0, 20, False) for at in range(2)]
    found = audit(
        given(written(tmp_path / "log.jsonl", rows)), AuditSettings(semantic_threshold=0.1), Config(*[tmp_path] * 3),
        order=("semantic-cache",),
    )  # fmt: skip
    assert found.outcomes[frozenset({"semantic-cache"})].bill.calls == 2


def test_parts_of_a_log_are_the_whole(log, tmp_path):
    _, path = log
    settings, config = AuditSettings(semantic_threshold=THRESHOLD), Config(*[tmp_path] * 3)
    names = ("exact-cache", "semantic-cache")
    whole = audit(given(path), settings, config, order=names)
    parts = []
    for number in range(1, 4):
        file = tmp_path / f"part{number}.json"
        file.write_text(partial_text(audit(given(path), settings, config, order=names, part=(number, 3)), (number, 3)))
        parts.append(read_partial(file)[0])
    together = merged(parts)
    assert {names: each.bill.usd for names, each in together.outcomes.items()} == {
        names: each.bill.usd for names, each in whole.outcomes.items()
    }
    assert together.profile.counts == whole.profile.counts
    assert together.profile.prefixes == whole.profile.prefixes


def test_texts_are_kept_only_if_they_are_asked_for(log):
    _, path = log
    plain = given(path, questions=False).log
    assert not plain.questions
    assert "texts" in needs(plain, AuditSettings(semantic_threshold=0.9))["semantic-cache"]
    assert "calibrated" in needs(given(path).log, AuditSettings())["semantic-cache"]


def test_a_threshold_is_a_number_or_a_calibration(tmp_path):
    assert read_similarity("0.8").threshold == 0.8
    for wrong in ("1.2", "0", "nan"):
        with pytest.raises(UsageError, match="cosine"):
            read_similarity(wrong)
    file = tmp_path / "semantic.json"
    file.write_text(json.dumps({"threshold": 0.9, "embedder": "openai:m", "false_hits": 0.1, "bound": 0.1}))
    with pytest.raises(InputError, match="texts would be sent"):
        read_similarity(str(file))
    with pytest.raises(InputError):
        read_similarity(str(tmp_path / "nowhere.json"))
