"""`promptopt compare` beside the bare OpenAI SDK and promptfoo, on a local server that answers at once.

Every figure is taken in a fresh process and everything in one run, because only ratios of one run travel from machine
to machine. `python benchmarks/compare.py` does it all in some four minutes; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODEL = "gpt-4o-mini"
CASES = 1_000
JOBS = 20
# Cases of replayed suites, with the most seconds and MB that a comparison of two prompts may take.
SCALES = {1_000: (1.2, 150), 20_000: (5, 250), 200_000: (60, 1000)}
# What promptfoo 0.123.1 took for this on two quiet cores; the yardstick for memory where it is not installed.
PROMPTFOO_S, PROMPTFOO_MB = 11.98, 505

# Two chat prompts over one variable: the one that people write, and a terse one.
SYSTEM = {
    "v1": """You are an experienced analyst of customer feedback who works for a large online shop. Your task is to read
the review that a customer has written about one of our products, and to decide whether the sentiment that the customer
expresses in it is, taken as a whole, positive or negative. Please read the review carefully and completely before you
decide. Take sarcasm into account, and weigh mixed feelings against each other. If the customer praises some things and
criticises others, decide by what matters most to them. It is very important that you answer with the sentiment only:
please do not explain your decision, do not add a greeting, and do not repeat the review.""",
    "v2": "One word, positive or negative: the sentiment of this review as a whole.",
}
PRAISE = ["works perfectly", "arrived a day early", "feels solid and well made", "is worth every cent", "looks great"]
BLAME = ["broke after two days", "arrived scratched", "feels cheap", "is far too loud", "does not fit at all"]
THINGS = ["kettle", "lamp", "backpack", "keyboard", "blender", "jacket", "speaker", "desk"]


# The project that is measured.


def reviews() -> list[tuple[str, str]]:
    """Reviews of some 60 tokens with their sentiment; each holds a number that tells the server what to answer."""
    pick = random.Random(1)
    found = []
    for number in range(CASES):
        sentiment, says = pick.choice([("positive", PRAISE), ("negative", BLAME)])
        claims = ", ".join(f"it {claim}" for claim in pick.sample(says, 3))
        text = (
            f"Order {number:04d}. I bought this {pick.choice(THINGS)} for my {pick.choice(['sister', 'team', 'kids'])}"
            f" in {pick.choice(['May', 'June', 'autumn'])} and have used it nearly every day since: {claims}. "
            f"I gave it {pick.randint(1, 5)} stars out of 5, and I would tell a friend exactly the same thing."
        )
        found.append((text, sentiment))
    return found


def write_project(folder: Path, url: str) -> None:
    """Prompts and a suite of 1,000 cases with three asserts; the suite is promptfoo's configuration at once."""
    (folder / "prompts/reviews").mkdir(parents=True)
    (folder / "suites").mkdir()
    (folder / "pyproject.toml").write_text("[tool.promptopt]\n")
    for version, system in SYSTEM.items():
        (folder / f"prompts/reviews/{version}.j2").write_text(
            f"---\nmodel: {MODEL}\ntemperature: 0\nmax_output_tokens: 10\n---\n"
            f'{{% chat role="system" %}}\n{system}\n{{% endchat %}}\n'
            '{% chat role="user" %}{{ review }}{% endchat %}\n'
        )
        # The same messages as promptfoo writes them.
        (folder / f"{version}.json").write_text(
            f'[{{"role": "system", "content": {json.dumps(system)}}},\n'
            ' {"role": "user", "content": {{ review | dump }}}]\n'
        )
    provider = {"id": f"openai:chat:{MODEL}", "config": {"apiBaseUrl": url, "temperature": 0, "max_tokens": 10}}
    lines = [
        "prompts: [file://../v1.json, file://../v2.json]",
        f"providers: [{json.dumps(provider)}]",
        "defaultTest:",
        "  assert:",
        '    - {type: regex, value: "^(positive|negative)[.]?$"}',
        "    - {type: not-contains, value: sorry}",
        "tests:",
    ]
    for number, (text, sentiment) in enumerate(reviews()):
        lines += [
            f"  - description: case {number:04d}",
            f"    vars: {{review: {json.dumps(text)}}}",
            f"    assert: [{{type: icontains, value: {sentiment}}}]",
        ]
    (folder / "suites/reviews.yaml").write_text("\n".join(lines) + "\n")


# The server.


class Answers(asyncio.Protocol):
    """Just enough of HTTP/1.1 to answer chat completions on kept-alive connections; GET gives the count so far."""

    served = 0
    sentiments = tuple(sentiment for _, sentiment in reviews())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            size = int(length[1]) if length else 0
            if not found or len(rest) < size:
                return
            self._buffer = rest[size:]
            body = self._answer(rest[:size]) if size else str(Answers.served)
            text = body.encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)
            )

    def _answer(self, request: bytes) -> str:
        """The review's sentiment, wrong now and then and not for the same reviews with both prompts."""
        Answers.served += 1
        order = re.search(rb"Order (\d+)", request)
        number = int(order[1]) if order else 0
        sentiment = self.sentiments[number]
        if number % 50 == 25 * (b"One word" in request):
            sentiment = "negative" if sentiment == "positive" else "positive"
        return json.dumps(
            {
                "id": f"chatcmpl-{Answers.served}",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": f"{MODEL}-2024-07-18",
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": sentiment}}
                ],
                "usage": {
                    "prompt_tokens": len(request) // 5,
                    "completion_tokens": 1,
                    "total_tokens": len(request) // 5 + 1,
                    "prompt_tokens_details": {"cached_tokens": 0},
                },
            }
        )


async def serve() -> None:
    """Print the address, then answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


@contextmanager
def server() -> Iterator[str]:
    with subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


# What is run in fresh processes.


def bare_sdk(folder: Path) -> None:
    """The calls of both prompts with the SDK and twenty threads, and nothing else."""
    calls = json.loads((folder / "calls.json").read_text())
    from concurrent.futures import ThreadPoolExecutor

    import openai

    client = openai.OpenAI()
    with ThreadPoolExecutor(JOBS) as executor:
        answers = list(executor.map(lambda call: client.chat.completions.create(**call), calls))
    assert all(answer.choices[0].message.content for answer in answers)


def write_calls(folder: Path) -> None:
    """The SDK's arguments for every call that `promptopt compare` makes."""
    calls = [
        {
            "model": MODEL,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": review}],
            "temperature": 0,
            "max_completion_tokens": 10,
        }
        for system in SYSTEM.values()
        for review, _ in reviews()
    ]
    (folder / "calls.json").write_text(json.dumps(calls))


def counting() -> None:
    """Print the CPU seconds of promptopt.count and of tiktoken alone for texts that neither has seen before."""
    import promptopt
    from promptopt.tokens import encoding

    encode = encoding("o200k_base").encode_ordinary
    best = [float("inf"), float("inf")]
    for turn in range(25):
        # Fresh texts each turn: a remembered count would measure the memory.
        texts = [f"{turn}: {text}" for text, _ in reviews()] + [f"{SYSTEM['v1']} {turn} {n}" for n in range(200)]
        started = time.process_time()
        own = [promptopt.count(text, model=MODEL).tokens for text in texts]
        between = time.process_time()
        theirs = [len(encode(text)) for text in texts]
        ended = time.process_time()
        assert own == theirs
        best = [min(best[0], between - started), min(best[1], ended - between)]
    print(json.dumps(best))


# Measuring.


@dataclass(frozen=True)
class Measured:
    """The best of some runs of one command: seconds of wall time and of CPU, and its largest process in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s wall, {self.cpu_s:.2f} s CPU, {self.peak_mb:.0f} MB"


def once(command: Sequence[str], folder: Path, environment: dict[str, str], codes: Sequence[int] = (0,)) -> Measured:
    """One run; what wait4 reports as the peak is never below this process's own size, which is why that stays small."""
    with (folder / "output.txt").open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{(folder / 'output.txt').read_text()[-2000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def best(runs: Sequence[Measured]) -> Measured:
    """The least of each: what other processes on the machine add is noise, and noise only adds."""
    return Measured(min(r.wall_s for r in runs), min(r.cpu_s for r in runs), max(r.peak_mb for r in runs))


def find_promptfoo() -> str | None:
    """The program itself, so that npx's own start is not measured."""
    if found := shutil.which("promptfoo"):
        return found
    if shutil.which("npx") is None:
        return None
    known = subprocess.run(["npx", "--no-install", "promptfoo", "--version"], capture_output=True, check=False)
    if known.returncode:
        return None
    where = subprocess.run(
        ["npx", "--no-install", "-c", "command -v promptfoo"], capture_output=True, text=True, check=False
    )
    return where.stdout.strip() or None


class Benchmark:
    """The temporary project, and a run of each command in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PROMPTFOO_"))}
        kept.pop("CI", None)
        # An installed package has its bytecode: to compile it in each process is no part of what is measured.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environment = {
            **kept,
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "none",
            "PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo"),
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_DISABLE_SHARING": "1",
        }
        write_project(folder, url)
        write_calls(folder)

    def _calling(self, command: Sequence[str], codes: Sequence[int] = (0,)) -> Measured:
        """A run that must have made every call."""
        before = self._served()
        measured = once(command, self.folder, self.environment, codes)
        made = self._served() - before
        if made != len(SYSTEM) * CASES:
            output = (self.folder / "output.txt").read_text()[-2000:]
            sys.exit(f"{' '.join(command)}: made {made:,} calls, not {len(SYSTEM) * CASES:,}\n{output}")
        return measured

    def _served(self) -> int:
        with urllib.request.urlopen(self.url) as answer:
            return int(answer.read())

    def sdk(self) -> Measured:
        return self._calling([sys.executable, __file__, "sdk", str(self.folder)])

    def live(self) -> Measured:
        return self._calling([*self._compare("all"), "-j", str(JOBS)])

    def replay(self) -> Measured:
        return once(self._compare("none"), self.folder, self.environment)

    def scale(self, cases: int) -> Measured:
        """A replay of a suite of so many cases."""
        maker = Path(__file__).with_name("compare_scale.py")
        subprocess.run([sys.executable, maker, self.folder, str(cases)], check=True, cwd=self.folder)
        return once([*self._compare("none"), "--suite", f"scale{cases}"], self.folder, self.environment)

    @staticmethod
    def _compare(record: str) -> list[str]:
        prompts = [f"prompts/reviews/{version}.j2" for version in SYSTEM]
        return [sys.executable, "-m", "promptopt", "compare", *prompts, "--record", record]

    def help(self) -> Measured:
        return once([sys.executable, "-m", "promptopt", "--help"], self.folder, self.environment)

    def promptfoo(self, program: str) -> Measured:
        options = ["-j", str(JOBS), "--no-cache", "--no-progress-bar", "--no-table"]
        # 100: some asserts failed, as they should here.
        return self._calling([program, "eval", "-c", "suites/reviews.yaml", *options], codes=(0, 100))

    def counting(self) -> tuple[float, float]:
        found = subprocess.run([sys.executable, __file__, "count"], check=True, capture_output=True, text=True)
        own, theirs = json.loads(found.stdout)
        return own, theirs


def note(text: str) -> None:
    print(text, flush=True)


def measure(benchmark: Benchmark, runs: int) -> list[tuple[str, str, str, bool]]:
    """Rows of the table: what, found, target, met."""
    pairs = [(benchmark.sdk(), benchmark.live()) for _ in range(runs)]
    sdk, live = best([pair[0] for pair in pairs]), best([pair[1] for pair in pairs])
    note(f"bare OpenAI SDK, {JOBS} threads:   {sdk}")
    note(f"promptopt compare, live:      {live}")
    replay = best([benchmark.replay() for _ in range(runs)])
    note(f"promptopt compare, replayed:  {replay}")
    help_text = best([benchmark.help() for _ in range(5)])
    note(f"promptopt --help:             {help_text}")
    own, theirs = benchmark.counting()
    note(f"counting 1,200 texts:         {own * 1000:.1f} ms CPU, tiktoken alone {theirs * 1000:.1f} ms")
    rows = [_row("live wall time / bare SDK", live.wall_s / sdk.wall_s, 1.3)]
    program = find_promptfoo()
    if program:
        promptfoo = benchmark.promptfoo(program)
        note(f"promptfoo eval:               {promptfoo}")
        rows.append(_row("live wall time / promptfoo", live.wall_s / promptfoo.wall_s, 0.45))
    else:
        promptfoo = Measured(PROMPTFOO_S, PROMPTFOO_S, PROMPTFOO_MB)
        note(f"promptfoo is not installed; on two quiet cores it took {PROMPTFOO_S} s and {PROMPTFOO_MB} MB")
    against = "promptfoo" if program else f"promptfoo's {PROMPTFOO_MB} MB elsewhere"
    rows += [
        _row(f"peak memory, live / {against}", live.peak_mb / promptfoo.peak_mb, 0.25),
        _row("live CPU time / bare SDK", live.cpu_s / sdk.cpu_s, 1.3),
        _row("replay, from process start", replay.wall_s, 1.5, " s"),
        _row("promptopt --help, CPU", help_text.cpu_s, 0.15, " s"),
        _row("counting, CPU / tiktoken alone", own / theirs, 1.2),
    ]
    for cases, (most_s, most_mb) in SCALES.items():
        large = benchmark.scale(cases)
        note(f"replay of 2 x {cases:,} cases:  {large}")
        rows.append(_row(f"replay of 2 x {cases:,}", large.wall_s, most_s, " s"))
        rows.append(_row(f"replay of 2 x {cases:,}, peak memory", large.peak_mb, most_mb, " MB"))
    return rows


def _row(what: str, found: float, limit: float, unit: str = "") -> tuple[str, str, str, bool]:
    return what, f"{found:.2f}{unit}", f"{limit:g}{unit}", found <= limit


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the best counts (default: 3)")
    parser.add_argument("role", nargs="?", choices=["serve", "sdk", "count"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "serve":
        asyncio.run(serve())
    elif arguments.role == "sdk":
        bare_sdk(arguments.folder)
    elif arguments.role == "count":
        counting()
    else:
        load = os.getloadavg()[0]
        note(f"2 prompts x {CASES:,} cases, 3 asserts, {JOBS} calls at a time; load average {load:.1f} at the start\n")
        with tempfile.TemporaryDirectory() as folder, server() as url:
            rows = measure(Benchmark(Path(folder), url), arguments.runs)
        width = max(len(row[0]) for row in rows)
        note(f"\n{'':{width}}  {'found':>8}  {'at most':>8}")
        for what, found, limit, met in rows:
            note(f"{what:{width}}  {found:>8}  {limit:>8}  {'met' if met else 'MISSED'}")
        sys.exit(0 if all(row[3] for row in rows) else 1)


if __name__ == "__main__":
    main()
