"""What an audit predicts, and what the gateway then does with the same calls: incurred dollars, to the cent.

A workload is drawn with a seed and run through the gateway with every strategy off, before an upstream that writes down
requests and responses; that log is audited. Then it is run again with strategies on: SQLite stores, the gateway's own
layers, and a clock that jumps. The upstream behaves like a provider with a cache of prompts, by text: it shares no code
with the audit's replay.

    python benchmarks/audit_prediction.py --calls 100000
"""

import argparse
import json
import math
import random
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from promptopt.auditing.accounting import settle
from promptopt.auditing.audit import AuditInput, audit
from promptopt.auditing.readers.files import read_log
from promptopt.auditing.strategy_settings import AuditSettings, StrategyName
from promptopt.config import Config
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.settings import GatewaySettings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.tables import table
from promptopt.values import Usage

START, TTL_S, MODEL, CAP = 1_794_000_000.0, 3600.0, "gpt-5-mini", 300
ALL: tuple[StrategyName, ...] = ("exact-cache", "single-flight", "provider-cache", "output-cap", "flex")
SETS: tuple[tuple[StrategyName, ...], ...] = (*((name,) for name in ALL), ALL[:2], ALL[:3], ALL)
_CHARACTERS_OF_A_TOKEN, _UNIT, _MINIMUM, _LIFETIME_S = 4, 128, 1024, 300.0
_RULES = [" ".join(f"Prompt {prompt}, rule {each}." for each in range(150 + 40 * prompt)) for prompt in range(8)]


@dataclass(frozen=True, slots=True)
class Row:
    """One call of the workload; ``output`` are tokens without a cap."""

    at: float
    prompt: int
    question: str
    seconds: float
    output: int
    nightly: bool

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": _RULES[self.prompt]}, {"role": "user", "content": self.question}]


def workload(calls: int, seed: int) -> list[Row]:
    """Bursts of popular questions and a long tail, to prompts that are asked each minute or each hour."""
    draw, at, rows = random.Random(seed), START, []
    for _ in range(calls):
        at += draw.expovariate(1.5) if draw.random() < 0.9 else 0.05
        number = int(min(draw.paretovariate(0.55), 1e7))
        prompt = min(7, int(draw.expovariate(0.9)) + number % 2)
        rows.append(Row(at, prompt, f"question {number}", draw.uniform(0.4, 12), draw.randrange(400), number % 5 == 0))
    return rows


class Provider:
    """An upstream that counts tokens by characters and, if it is asked to, keeps prefixes for some minutes."""

    def __init__(self, rows: list[Row], clock: SimulatedClock, log: Path | None) -> None:
        self._rows, self._clock, self._kept = rows, clock, dict[str, float]()
        self._log = None if log is None else log.open("w", encoding="utf-8")

    def __call__(self, call: Call) -> tuple[float, Answer]:
        row = self._rows[int(call.labels.tag or 0)]
        text = "\n".join(part for message in call.body["messages"] for part in (message["role"], message["content"]))
        size = math.ceil(len(text) / _CHARACTERS_OF_A_TOKEN)
        cached = self._cached(text) if "prompt_cache_key" in call.body else 0
        output = min(row.output, call.body.get("max_completion_tokens", row.output))
        if self._log is not None:
            self._write(row, dict(call.body), size, output)
        reason = "length" if output < row.output else "stop"
        answer = Answer("ok", MODEL, usage=Usage(size, cached, 0, output), sent_to=MODEL, finish_reason=reason,
                        finished=reason == "stop")  # fmt: skip
        return row.seconds, answer

    def _cached(self, text: str) -> int:
        unit, now, read = _UNIT * _CHARACTERS_OF_A_TOKEN, self._clock.time(), 0
        prefixes = [text[:end] for end in range(unit, len(text) + 1, unit)]
        for prefix in prefixes:
            if now - self._kept.get(prefix, -math.inf) > _LIFETIME_S:
                break
            read += _UNIT
        self._kept.update(dict.fromkeys(prefixes, now))
        return read if read >= _MINIMUM else 0

    def _write(self, row: Row, body: dict[str, Any], size: int, output: int) -> None:
        usage = {"prompt_tokens": size, "completion_tokens": output, "total_tokens": size + output}
        answer = {"model": MODEL, "choices": [{"finish_reason": "stop"}], "usage": usage}
        record = {"created_at": row.at, "latency_s": row.seconds, "tag": "nightly" if row.nightly else "live",
                  "request": body, "response": answer}  # fmt: skip
        assert self._log is not None
        self._log.write(json.dumps(record) + "\n")

    def close(self) -> None:
        if self._log is not None:
            self._log.close()


def run(rows: list[Row], folder: Path, on: tuple[StrategyName, ...]) -> tuple[Path, Decimal, int]:
    """The upstream's log of the workload (with every strategy off), the dollars that were paid, and how many calls."""
    clock = SimulatedClock(START)
    settings = GatewaySettings(
        folder,
        ledger=folder / "ledger.sqlite",
        cache_file=folder / "cache.sqlite",
        cache=CachePolicy(ttl_s=TTL_S, time_sensitive_ttl_s=TTL_S) if "exact-cache" in on else None,
        single_flight="single-flight" in on,
        prompt_caching="provider-cache" in on,
    )
    built = build_gateway(settings, Config(folder, folder, folder), clock=clock, random=random.Random(1))
    log = folder / "log.jsonl"
    provider = Provider(rows, clock, None if on else log)

    def call(number: int, row: Row) -> Call:
        body: dict[str, Any] = {"model": MODEL, "messages": row.messages, "temperature": 0}
        if "output-cap" in on:
            body["max_completion_tokens"] = CAP
        if "flex" in on and row.nightly:
            body["service_tier"] = "flex"
        return Call.of("chat", "https://api.openai.com/v1/chat/completions", body, Labels(tag=str(number)))

    simulate(built.handler, [Arrival(row.at, call(number, row)) for number, row in enumerate(rows)], provider, clock)
    built.close()
    provider.close()
    with closing(open_ledger(folder / "ledger.sqlite")) as ledger:
        paid = [Decimal(str(row.incurred_usd or 0)) for row in ledger.rows() if row.upstream]
    return log, sum(paid, Decimal(0)), len(paid)


def main() -> None:
    """Print prediction and deed for each set of strategies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    rows, lines = workload(given.calls, given.seed), []
    settings = AuditSettings(ttl_s=TTL_S, lifetime_s=_LIFETIME_S, cap=CAP, no_wait=("nightly",))
    with tempfile.TemporaryDirectory() as folder:
        config = Config(Path(folder), Path(folder), Path(folder))
        (off := Path(folder) / "off").mkdir()
        path, whole, _ = run(rows, off, ())
        log, accounting = settle(read_log([path]).log, config)
        for names in SETS:
            began = time.process_time()
            found = audit(AuditInput(log, accounting, {}), settings, config, order=names)
            took = time.process_time() - began
            predicted = found.outcomes[frozenset(names)].bill
            (on := Path(folder) / "-".join(names)).mkdir()
            _, paid, calls = run(rows, on, names)
            off_by = abs(predicted.usd - paid)
            said = f"{predicted.calls:,}", f"{calls:,}", f"${predicted.usd:.6f}", f"${paid:.6f}", f"${off_by:.6f}"
            name = "all five" if names == ALL else "the first three" if len(names) == 3 else " + ".join(names)
            lines.append([name, *said, f"{took:.1f} s"])
    print(f"{given.calls:,} calls, ${whole:.6f} with every strategy off")
    print(table(lines, ["strategies", "predicted calls", "calls", "predicted", "incurred", "difference", "audit"]))


if __name__ == "__main__":
    main()
