"""How long `promptopt audit` takes, and how much memory: made-up logs of many calls, each read by a process of its own.

    python benchmarks/audit.py              # 250,000 and 1,000,000 calls; two minutes and 1 GB of disk
    python benchmarks/audit.py --large      # 10,000,000 from Parquet as well

The calls are of eight prompts, three models and 5,000 users, over a week; a few requests come often and most of them
once. Every figure is of a process from its start to its end. The exit code is 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

AUDIT = (sys.executable, "-m", "promptopt", "audit", "--json", "--quiet")
SHORT = ("--only", "exact-cache,single-flight,provider-cache")
ALL = ("--cap", "300", "--no-wait", "nightly", "--input-ratio", "0.95", "--output-ratio", "0.8")
_KB_IN_GB = 1 << 20
# Numbers out of the row's own hash: the log is the same wherever it is made.
_CALLS = """
    SELECT 1794000000 + i * 604800.0 / {rows} AS at,
           ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5'][(1 + hash(i, 1) % 3)::INTEGER] AS model,
           1500 + 100 * prompt AS input_tokens,
           (hash(i, 2) % 400)::BIGINT AS output_tokens,
           'p' || prompt AS prompt,
           if(prompt = 3, 'nightly', 'live') AS tag,
           'u' || hash(i, 3) % 5000 AS user,
           prompt || '-' || question AS digest,
           [prompt, prompt + 100, question] AS prefix,
           0.4 + (hash(i, 4) % 11600) / 1000 AS latency_s,
           200 AS status
    FROM (SELECT i, (hash(i, 5) % 8)::BIGINT AS prompt,
                 least(pow((1 + hash(i, 6) % 1000000) / 1000000.0, -1.8), 1e7)::BIGINT AS question
          FROM range({rows}) AS numbers(i))
"""


@dataclass(frozen=True)
class Measure:
    """One log and how it is audited.

    Attributes:
        limits: The most seconds and GB that it may take; ``None``: nobody said.
    """

    rows: int
    form: str
    what: str
    arguments: tuple[str, ...]
    limits: tuple[float | None, float | None]


MEASURES = (
    Measure(250_000, "jsonl", "cache, flights, prompt cache", SHORT, (None, None)),
    Measure(1_000_000, "jsonl", "cache, flights, prompt cache", SHORT, (15, 1)),
    Measure(1_000_000, "parquet", "cache, flights, prompt cache", SHORT, (15, 1)),
    Measure(1_000_000, "parquet", "all that numbers can assess", ALL, (60, None)),
)
LARGE = Measure(10_000_000, "parquet", "cache, flights, prompt cache", SHORT, (None, 4))


def write_log(path: Path, rows: int) -> None:
    """A log of so many calls."""
    import duckdb

    kind = "PARQUET" if path.suffix == ".parquet" else "JSON"
    duckdb.connect().execute(f"COPY ({_CALLS.format(rows=rows)}) TO '{path}' (FORMAT {kind})")


def once(command: Sequence[str]) -> tuple[float, float, float]:
    """Seconds by the clock and of the processor, and the peak in GB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _KB_IN_GB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="ten million calls as well")
    parser.add_argument("--write", type=Path, help="only write a log there", metavar="FILE")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of so many calls")
    given = parser.parse_args()
    if given.write is not None:
        write_log(given.write, given.rows)
        return
    print(f"load average {os.getloadavg()[0]:.1f}; a limit in brackets\n", flush=True)
    print(f"{'calls':>10}  {'form':8} {'strategies':30} {'seconds':>13}  {'processor':>9}  {'peak, GB':>12}")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for each in (*MEASURES, *([LARGE] if given.large else [])):
            path = Path(folder) / f"calls{each.rows}.{each.form}"
            if not path.exists():
                # By a process of its own: the peak of a child is never below the size of its parent.
                once([sys.executable, __file__, "--write", str(path), "--rows", str(each.rows)])
            seconds, cpu, peak = once([*AUDIT, str(path), *each.arguments])
            most = [f" ({limit:g})" if limit is not None else "" for limit in each.limits]
            missed |= any(
                limit is not None and value > limit for value, limit in zip((seconds, peak), each.limits, strict=True)
            )
            print(
                f"{each.rows:>10,}  {each.form:8} {each.what:30} {seconds:>8.1f}{most[0]:5}  {cpu:>9.1f}"
                f"  {peak:>8.2f}{most[1]:4}",
                flush=True,
            )
    sys.exit(missed)


if __name__ == "__main__":
    main()
