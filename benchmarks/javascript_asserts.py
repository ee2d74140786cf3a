"""What a `javascript` assert adds to a run: `python javascript_asserts.py [CASES]`.

Two prompts over 1,000 recorded cases, with the asserts of `compare_scale.py`, without and with one in JavaScript, in
turns. The ratio of processor times within one run says what the assert costs, whatever machine this is.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import SYSTEM, write_project
from compare_scale import write_recorded_suite

CODE = (
    "['positive', 'negative'].includes(output.trim().replace(/[.]$/, '').toLowerCase())"
    " && context.vars.review.length > 9"
)


def seconds(folder: Path, suite: str) -> float:
    """Processor time of one comparison, its children's included."""
    before = os.times()
    prompts = [f"reviews@{version}" for version in SYSTEM]
    command = [sys.executable, "-m", "promptopt", "compare", *prompts, "--suite", suite, "--record", "none"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def main() -> None:
    """Prints the two times and their ratio."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, "http://127.0.0.1:9")
        write_recorded_suite(folder, cases)
        plain = folder / f"suites/scale{cases}.jsonl"
        rows = [json.loads(line) for line in plain.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            row["assert"].append({"type": "javascript", "value": CODE})
        coded = folder / f"suites/coded{cases}.jsonl"
        coded.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        coded.with_suffix("").symlink_to(plain.with_suffix(""))
        times = [(seconds(folder, plain.stem), seconds(folder, coded.stem)) for _ in range(5)]
    without, with_code = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"2 x {cases:,} without: {without:.2f} s, with: {with_code:.2f} s, ratio {with_code / without:.2f}")


if __name__ == "__main__":
    main()
