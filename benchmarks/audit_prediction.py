"""What an audit predicts, and what the gateway then does with the same calls: incurred dollars, to the cent.

A workload is drawn with a seed and run through the gateway with every strategy off; its ledger is audited. Then it is
run again with strategies on: SQLite stores, the gateway's own layers, and a clock that jumps. The model's answers are
given: how long each takes, and how many tokens it has.

    python benchmarks/audit_prediction.py --calls 100000
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

from promptopt.auditing.accounting import settle
from promptopt.auditing.audit import AuditInput, audit
from promptopt.auditing.readers.files import read_log
from promptopt.auditing.strategies import AuditSettings
from promptopt.config import Config
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.settings import GatewaySettings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.tables import table
from promptopt.values import Usage

START, TTL_S, MODEL = 1_790_000_000.0, 3600.0, "gpt-4o-mini"
SETS = (("exact-cache",), ("single-flight",), ("exact-cache", "single-flight"))


def workload(calls: int, seed: int) -> list[tuple[float, str, float, int]]:
    """When, which question, how long, how many tokens: bursts of popular questions, and a long tail."""
    draw, at, rows = random.Random(seed), START, []
    for _ in range(calls):
        at += draw.expovariate(1.5) if draw.random() < 0.9 else 0.05
        rows.append(
            (at, f"question {int(min(draw.paretovariate(0.55), 1e7))}", draw.uniform(0.4, 12), draw.randrange(400))
        )
    return rows


def run(rows: list[tuple[float, str, float, int]], folder: Path, *, cache: bool, flight: bool) -> Path:
    """The ledger of the workload."""
    clock = SimulatedClock(START)
    settings = GatewaySettings(
        folder,
        ledger=folder / "ledger.sqlite",
        cache_file=folder / "cache.sqlite",
        cache=CachePolicy(ttl_s=TTL_S, time_sensitive_ttl_s=TTL_S) if cache else None,
        single_flight=flight,
    )
    built = build_gateway(settings, Config(folder, folder, folder), clock=clock, random=random.Random(1))

    def call(number: int, question: str) -> Call:
        body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "temperature": 0}
        return Call.of("chat", "https://api.openai.com/v1/chat/completions", body, Labels(tag=str(number)))

    def upstream(asked: Call) -> tuple[float, Answer]:
        _, question, seconds, output = rows[int(asked.labels.tag or 0)]
        usage = Usage(20 + len(question), 0, 0, output)
        return seconds, Answer("ok", MODEL, usage=usage, sent_to=MODEL, finish_reason="stop")

    simulate(built.handler, [Arrival(row[0], call(number, row[1])) for number, row in enumerate(rows)], upstream, clock)
    built.close()
    return folder / "ledger.sqlite"


def main() -> None:
    """Print prediction and deed for each set of strategies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    rows, lines = workload(given.calls, given.seed), []
    with tempfile.TemporaryDirectory() as folder:
        config = Config(Path(folder), Path(folder), Path(folder))
        (off := Path(folder) / "off").mkdir()
        log, accounting = settle(read_log([run(rows, off, cache=False, flight=False)]).log, config)
        for names in SETS:
            began = time.process_time()
            found = audit(AuditInput(log, accounting, {}), AuditSettings(ttl_s=TTL_S), config, order=names)
            took = time.process_time() - began
            predicted = found.outcomes[frozenset(names)].bill
            (on := Path(folder) / "-".join(names)).mkdir()
            ledger = run(rows, on, cache="exact-cache" in names, flight="single-flight" in names)
            done = audit(
                AuditInput(settle(read_log([ledger]).log, config)[0], accounting, {}), AuditSettings(), config, order=()
            )
            deed = done.profile.bill
            off_by = abs(predicted.usd - deed.usd)
            lines.append(
                [
                    " + ".join(names),
                    f"{predicted.calls:,}",
                    f"{deed.calls:,}",
                    f"${predicted.usd:.6f}",
                    f"${deed.usd:.6f}",
                    f"${off_by:.6f}",
                    f"{took:.1f} s",
                ]
            )
    print(f"{given.calls:,} calls, ${found.profile.bill.usd:.6f} with every strategy off")
    print(table(lines, ["strategies", "predicted calls", "calls", "predicted", "incurred", "difference", "audit"]))


if __name__ == "__main__":
    main()
