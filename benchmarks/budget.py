"""The gate over 200 prompts of 50 cases each: seconds with one process and with two, and peak memory.

Run on an idle machine: ``python benchmarks/budget.py [PROMPTS CASES]``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RULE = "Rule {n}: answer politely, name the product, and never promise what the team has not agreed to.\n"
TICKET = "Ticket {n}: the parcel of order {n} has not arrived and nobody answers my messages since last week."


def make_project(root: Path, prompts: int, cases: int) -> None:
    """Prompts of some 500 tokens, and suites."""
    root.joinpath("pyproject.toml").write_text("")
    root.joinpath("prompts").mkdir()
    root.joinpath("suites").mkdir()
    rules = "".join(RULE.format(n=n) for n in range(20))
    for number in range(prompts):
        front = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 60\ncalls_per_month: 1000\n---\n"
        root.joinpath(f"prompts/p{number:03}.j2").write_text(f"{front}Prompt {number}.\n{rules}\n{{{{ ticket }}}}\n")
        tests = "".join(
            f"- {{description: case-{n:02}, vars: {{ticket: '{TICKET.format(n=n)}'}}}}\n" for n in range(cases)
        )
        root.joinpath(f"suites/p{number:03}.yaml").write_text(tests)


def run(root: Path, *arguments: str) -> tuple[float, int]:
    """Wall seconds of a command, and the peak memory of its largest process in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=root, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with exit code {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss // 1024


def main() -> None:
    prompts, cases = (int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else (200, 50)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, prompts, cases)
        locking, _ = run(root, "promptopt", "budget", "update")
        command, memory = run(root, "promptopt", "budget", "check")
        # Plugins that have no part in the gate: hypothesis alone takes half a second in each process.
        others = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
        pytest = ("pytest", "--prompt-budget-only", "-q", *others)
        one, one_memory = run(root, *pytest, "-p", "no:xdist")
        two, _ = run(root, *pytest, "-n", "2")
    print(f"{prompts} prompts x {cases} cases")
    print(f"promptopt budget update   {locking:6.2f} s")
    print(f"promptopt budget check    {command:6.2f} s  {memory} MB")
    print(f"pytest, one process       {one:6.2f} s  {one_memory} MB")
    print(f"pytest -n 2               {two:6.2f} s  {one / two:.2f} times faster")


if __name__ == "__main__":
    main()
