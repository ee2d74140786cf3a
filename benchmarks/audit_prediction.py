"""What an audit predicts, and what the gateway then does with the same calls: incurred dollars, to the cent.

A workload is drawn with a seed and run through the gateway with every strategy off, before an upstream that writes down
requests and responses; that log is audited. Then it is run again with strategies on: SQLite stores, the gateway's own
layers, and a clock that jumps; with ``--threads`` each call has a thread of its own, and the clock jumps when all of
them sleep or wait. The upstream behaves like a provider with a cache of prompts, by text: it shares no code
with the audit's replay.

    python benchmarks/audit_prediction.py --calls 100000
"""

import argparse
import heapq
import json
import math
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from promptopt.auditing.accounting import settle
from promptopt.auditing.audit import AuditInput, audit
from promptopt.auditing.readers.files import read_log
from promptopt.auditing.strategy_settings import AuditSettings, StrategyName
from promptopt.config import Config
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.clock import Clock
from promptopt.gateway.flow import Flow, Handler, Wait
from promptopt.gateway.flow import run as run_flow
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.settings import GatewaySettings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.tables import table
from promptopt.values import Usage

START, TTL_S, MODEL, CAP = 1_794_000_000.0, 3600.0, "gpt-5-mini", 300
ALL: tuple[StrategyName, ...] = ("exact-cache", "single-flight", "provider-cache", "output-cap", "flex")
SETS: tuple[tuple[StrategyName, ...], ...] = (*((name,) for name in ALL), ("batch",), ALL[:2], ALL[:3], ALL)
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
        rows.append(
            Row(at, prompt, f"question {number}", draw.uniform(0.4, 12), draw.randrange(400) or 1, number % 5 == 0)
        )
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


class Threads:
    """Carries flows out in threads, on a clock that jumps to the next event when every thread sleeps or waits.

    Time is compressed; what threads do with locks, futures and SQLite is not.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock, self._lock, self._busy = clock, threading.Condition(), 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers, self._threads = count(), list[threading.Thread]()
        self.failures: list[BaseException] = []

    def time(self) -> float:
        return self._clock.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        """Wait until the clock has gone on so far."""
        woken = threading.Event()
        with self._lock:
            heapq.heappush(self._events, (self._clock.now + seconds, next(self._numbers), woken.set))
        self._add(-1)
        woken.wait()

    def _add(self, change: int) -> None:
        with self._lock:
            self._busy += change
            self._lock.notify_all()

    def outcomes(self, handler: Handler, arrivals: list[Arrival], upstream: Provider) -> None:
        """Make all calls; the error of the first thread that fails is raised."""
        for arrival in arrivals:
            start = partial(self._start, handler, arrival.call, upstream)
            heapq.heappush(self._events, (arrival.at, next(self._numbers), start))
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._busy == 0)
                if not self._events:
                    break
                self._clock.now, _, event = heapq.heappop(self._events)
                self._busy += 1
            event()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _start(self, handler: Handler, call: Call, upstream: Provider) -> None:
        thread = threading.Thread(target=self._work, args=(handler, call, upstream))
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _work(self, handler: Handler, call: Call, upstream: Provider) -> None:
        def ask(sent: Call) -> Answer:
            seconds, answer = upstream(sent)
            self.sleep(seconds)
            return answer

        try:
            run_flow(self._marked(handler(call)), ask, self)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self.failures.append(error)
        finally:
            self._add(-1)

    def _marked(self, flow: Flow) -> Flow:
        """The flow, with its waits marked: who waits is not busy until what it waits for is there."""
        result: Any = None
        while True:
            try:
                effect = flow.send(result)
            except StopIteration as stop:
                return stop.value
            if isinstance(effect, Wait):
                # The thread that ends the future counts for the one that waits, before it rests itself.
                effect.future.add_done_callback(lambda _: self._add(1))
                self._add(-1)
            result = yield effect


def run(
    rows: list[Row], folder: Path, on: tuple[StrategyName, ...], *, threads: bool = False
) -> tuple[Path, Decimal, int]:
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
    crew = Threads(clock)
    own: Clock = crew if threads else clock
    built = build_gateway(settings, Config(folder, folder, folder), clock=own, random=random.Random(1))
    log = folder / "log.jsonl"
    provider = Provider(rows, clock, None if on else log)

    def call(number: int, row: Row) -> Call:
        body: dict[str, Any] = {"model": MODEL, "messages": row.messages, "temperature": 0}
        if "output-cap" in on:
            body["max_completion_tokens"] = CAP
        for tier in ("flex", "batch"):
            if tier in on and row.nightly:
                body["service_tier"] = tier
        return Call.of("chat", "https://api.openai.com/v1/chat/completions", body, Labels(tag=str(number)))

    arrivals = [Arrival(row.at, call(number, row)) for number, row in enumerate(rows)]
    if threads:
        crew.outcomes(built.handler, arrivals, provider)
    else:
        simulate(built.handler, arrivals, provider, clock)
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
    parser.add_argument("--threads", action="store_true", help="each call in a thread of its own")
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
            _, paid, calls = run(rows, on, names, threads=given.threads)
            off_by = abs(predicted.usd - paid)
            said = f"{predicted.calls:,}", f"{calls:,}", f"${predicted.usd:.6f}", f"${paid:.6f}", f"${off_by:.6f}"
            name = "all five" if names == ALL else "the first three" if len(names) == 3 else " + ".join(names)
            lines.append([name, *said, f"{took:.1f} s"])
    print(f"{given.calls:,} calls, ${whole:.6f} with every strategy off")
    print(table(lines, ["strategies", "predicted calls", "calls", "predicted", "incurred", "difference", "audit"]))


if __name__ == "__main__":
    main()
