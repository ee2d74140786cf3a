"""The fault run: 10,000 calls against an upstream that fails in every way it can, while leaders and Redis are killed.

By the SDK in threads, in event loops, and through ``promptopt serve``.
Checked: every caller has an answer or a typed error; the ledger adds up to what the upstream was asked and billed; the
budget is never overspent. Run: python benchmarks/gateway_faults.py [calls]
"""

import asyncio
import json
import logging
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "gateway"))

import openai
from upstream import Reply, Upstream, chat, chat_events, error

import promptopt
from promptopt.gateway.costs import from_nano
from promptopt.gateway.stores.budget import SqliteBudgets
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.redis_budget import RedisBudgets
from promptopt.gateway.stores.redis_link import RedisLink

CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
THREADS, CAP, TIMEOUT_S, HELD = 16, 40, 0.5, 8
AGAIN = "refused while the budget's store was away, and asked again"
RATES = (Decimal("0.15"), Decimal("0.60"))


class Faulty:
    """Fails one call in four, and keeps the bill of what it worked for."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.billed = Decimal(0)
        self.did: Counter[str] = Counter()
        self.held: Counter[str] = Counter()

    def __call__(self, _path: str, body: dict) -> Reply:
        text = body["messages"][0]["content"]
        if text.startswith("held"):
            return self.hold(text, body)
        fault = self.random.choice(FAULTS) if self.random.random() < 0.25 else "answer"
        self.did[fault] += 1
        if fault in ("answer", "hang", "half body", "broken json", "wrong encoding", "reset"):
            # It worked for these, whether or not anybody got to see it.
            self.bill(text, self.random.randint(1, CAP))
        return self.reply(fault, body)

    def bill(self, text: str, out: int) -> None:
        self.billed += ((len(text.split()) + 7) * RATES[0] + out * RATES[1]) / 1_000_000

    def hold(self, text: str, body: dict) -> Reply:
        """Keep the first who asks this waiting, and answer the next."""
        self.held[text] += 1
        self.bill(text, CAP)
        self.did["held" if self.held[text] == 1 else "answer"] += 1
        reply = self.reply("answer", body)
        reply.hang_s = 60 if self.held[text] == 1 else 0
        return reply

    def reply(self, fault: str, body: dict) -> Reply:
        whole = json.dumps(chat(body, "fine", prompt_tokens=11, completion_tokens=CAP)).encode()
        if fault == "answer":
            if body.get("stream"):
                return Reply(events=chat_events(body, prompt_tokens=11, completion_tokens=CAP))
            return Reply(body=whole)
        return {
            "hang": Reply(hang_s=TIMEOUT_S + 0.3, body=whole),
            "reset": Reply(reset=True),
            "429": error(429, "rate_limit_exceeded"),
            "429 with retry-after": error(429, "rate_limit_exceeded", retry_after="0.05"),
            "quota": error(429, "insufficient_quota"),
            "500": error(500, "server_error"),
            "half body": Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + whole[:60]),
            "broken json": Reply(body=b'{"choices": [{"mess'),
            "wrong encoding": Reply(body=whole.replace(b"fine", b"f\xff\xfe\xe9")),
        }[fault]


FAULTS = ["hang", "reset", "429", "429 with retry-after", "quota", "500", "half body", "broken json", "wrong encoding"]


def ask_once(client: openai.OpenAI, dice: random.Random, outcomes: Counter[str]) -> bool:
    """One call; False if it is to be made again, since the budget's store was away."""
    try:
        found = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": f"question {dice.randint(1, 2 * CALLS // 3)} of"}],
            temperature=0,
            max_completion_tokens=CAP,
            stream=dice.random() < 0.1,
        )
        if isinstance(found, openai.Stream):
            list(found)
        outcomes["answer"] += 1
    except openai.APIError as problem:
        # The gateway's own error, or what its server made of it.
        if problem.code == "gateway_unavailable":
            outcomes[AGAIN] += 1
            return False
        outcomes[f"{type(problem).__name__} {problem.code or ''}".strip()] += 1
    except BaseException as problem:  # noqa: BLE001 - what must not be
        outcomes[f"UNTYPED {type(problem).__name__}: {problem}"[:80]] += 1
    return True


def work(url: str, options: dict, calls: int, seed: int, report: str) -> None:
    """One process: threads that call, and count what they get."""
    logging.disable(logging.CRITICAL)
    client = openai.OpenAI(
        base_url=url, api_key="k", max_retries=0, timeout=TIMEOUT_S, http_client=promptopt.http_client(**options)
    )
    outcomes = ask_in_threads(client, calls, seed)
    Path(report).write_text(json.dumps(outcomes))
    client.close()


def ask_in_threads(client: openai.OpenAI, calls: int, seed: int) -> Counter[str]:
    """Make the calls, say when they have begun, and count what they get."""
    outcomes: Counter[str] = Counter()

    def one(thread: int) -> None:
        dice = random.Random(seed * 100 + thread)
        for _ in range(calls // THREADS):
            while not ask_once(client, dice, outcomes):
                time.sleep(0.2)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    print("calling", flush=True)
    for thread in threads:
        thread.join()
    return outcomes


def configuration(options: dict) -> str:
    """Options as a server's configuration has them."""
    lines = [f"redis = {json.dumps(options['redis'])}"] if "redis" in options else []
    lines += [f"budget = {{run = {options['budget']['run']}}}"] if "budget" in options else []
    return "\n".join(["[tool.promptopt.gateway]", *lines, ""])


def work_through_server(url: str, options: dict, calls: int, seed: int, report: str) -> None:
    """As ``work``, with the bare SDK through a ``promptopt serve`` of its own on the same files."""
    path = Path(f"server-{seed}.toml")
    path.write_text(configuration(options))
    command = [sys.executable, "-m", "promptopt", "serve", "--config", str(path), "--port", "0"]
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}
    with Path(f"server-{seed}.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    while "serves http" not in (said := Path(f"server-{seed}.log").read_text()):
        assert server.poll() is None, said
        time.sleep(0.05)
    client = openai.OpenAI(
        base_url=said.partition("serves ")[2].split()[0], api_key="k", max_retries=0, timeout=TIMEOUT_S
    )
    outcomes = ask_in_threads(client, calls, seed)
    server.terminate()
    outcomes[f"UNTYPED server ended with {server.wait(60)}"] += server.returncode != 0
    outcomes["UNTYPED the server failed inside"] += "Traceback" in Path(f"server-{seed}.log").read_text()
    Path(report).write_text(json.dumps(+outcomes))


def work_in_loop(url: str, options: dict, calls: int, seed: int, report: str) -> None:
    """As ``work``, with tasks of one event loop."""
    logging.disable(logging.CRITICAL)
    outcomes: Counter[str] = Counter()

    async def one(client: openai.AsyncOpenAI, task: int) -> None:
        dice = random.Random(seed * 100 + task)
        for _ in range(calls // THREADS):
            while not await ask_once_in_loop(client, dice, outcomes):
                await asyncio.sleep(0.2)

    async def main() -> None:
        client = openai.AsyncOpenAI(
            base_url=url,
            api_key="k",
            max_retries=0,
            timeout=TIMEOUT_S,
            http_client=promptopt.async_http_client(**options),
        )
        await asyncio.gather(*(one(client, task) for task in range(THREADS)))
        await client.close()

    asyncio.run(main())
    Path(report).write_text(json.dumps(outcomes))


async def ask_once_in_loop(client: openai.AsyncOpenAI, dice: random.Random, outcomes: Counter[str]) -> bool:
    """As ``ask_once``; one stream in two is left in the middle, and one call in twenty is cancelled."""
    left, cancelled = dice.random() < 0.5, dice.random() < 0.05
    asking = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": f"question {dice.randint(1, 2 * CALLS // 3)} of"}],
        temperature=0,
        max_completion_tokens=CAP,
        stream=dice.random() < 0.1,
    )
    try:
        found = await asyncio.wait_for(asking, 0.05 if cancelled else None)
        if isinstance(found, openai.AsyncStream):
            async for _ in found:
                if left:
                    break
        outcomes["answer"] += 1
    except TimeoutError:
        outcomes["cancelled"] += 1
    except promptopt.GatewayUnavailable:
        outcomes[AGAIN] += 1
        return False
    except openai.APIError as problem:
        outcomes[f"{type(problem).__name__} {problem.code or ''}".strip()] += 1
    except BaseException as problem:  # noqa: BLE001 - what must not be
        outcomes[f"UNTYPED {type(problem).__name__}: {problem}"[:80]] += 1
    return True


def ask_held(url: str, options: dict, number: int, report: str) -> None:
    """One process of which each thread asks one question that the upstream does not answer yet."""
    logging.disable(logging.CRITICAL)
    client = openai.OpenAI(
        base_url=url, api_key="k", max_retries=0, timeout=60, http_client=promptopt.http_client(**options)
    )
    answers: Counter[str] = Counter()

    def one(thread: int) -> None:
        message = {"role": "user", "content": f"held {number} {thread}"}
        while True:
            try:
                found = client.chat.completions.create(
                    model="gpt-4o-mini", messages=[message], temperature=0, max_completion_tokens=CAP
                )
            except promptopt.GatewayUnavailable:
                time.sleep(0.2)
                continue
            answers[found.choices[0].message.content] += 1
            return

    threads = [threading.Thread(target=one, args=(number,)) for number in range(HELD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Path(report).write_text(json.dumps(answers))
    client.close()


def spawn(function: str, *arguments: object) -> subprocess.Popen:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); sys.argv = ['x', '{CALLS}']\n"
        f"from gateway_faults import {function}; {function}(*{arguments!r})"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def start_redis(port: int, folder: Path) -> subprocess.Popen:
    # What it has acknowledged outlives it: a budget must not be forgotten.
    arguments = ["redis-server", "--port", str(port), "--dir", str(folder), "--save", ""]
    arguments += ["--appendonly", "yes", "--appendfsync", "always"]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL)


def fill(ballast: Path) -> None:
    """Take all that is left of the disk."""
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(b"0" * 65536)
                file.flush()
        except OSError:
            return


class Disturbance:
    """What goes wrong around the calls of a phase: ``kill`` processes, ``redis``, fill the ``disk``."""

    def __init__(self, kind: str, folder: Path, server: Upstream, faulty: Faulty, calls: int) -> None:
        self.kind, self.folder, self.server, self.faulty, self.calls = kind, folder, server, faulty, calls
        self.busy_killed = 0
        self.followers: list[tuple[subprocess.Popen, Path]] = []
        self.times = 0
        self.over = threading.Event()
        self.ballast = folder / "ballast"
        self.options: dict = {}
        self.redis: subprocess.Popen | None = None
        if kind in ("redis", "hang"):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.redis = start_redis(self.port, self.folder)
            time.sleep(0.5)
            self.options["redis"] = f"redis://127.0.0.1:{self.port}/0"
        if kind == "disk":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(folder)], check=True)
        os.chdir(folder)

    def begin(self, options: dict) -> threading.Thread:
        """Disturb in a thread, while others call."""
        thread = threading.Thread(target=self.disturb, args=(options,))
        thread.start()
        return thread

    def disturb(self, options: dict) -> None:
        """One trouble after the other; each waits until calls are under way again."""
        for trouble in {
            "kill": [self.kill_leaders, self.kill_leaders, self.kill_leaders, self.kill_a_busy_process],
            "redis": [self.kill_redis, self.kill_leaders, self.kill_redis],
            "disk": [self.fill_disk],
            "hang": [self.hang_redis, self.hang_redis],
            "lock": [self.lock_files, self.lock_files],
        }.get(self.kind, []):
            self.wait_for(self.calls // 20)
            trouble(options)
            self.times += 1

    def wait_for(self, calls: int) -> None:
        """Return when the upstream was asked so often again, or the callers have finished."""
        before = self.server.calls
        while self.server.calls < before + calls and not self.over.is_set():
            time.sleep(0.01)

    def fill_disk(self, _options: dict) -> None:
        fill(self.ballast)
        self.wait_for(self.calls // 5)
        self.ballast.unlink()

    def kill_leaders(self, options: dict) -> None:
        """Kill a process whose calls the upstream does not answer yet, while another one's wait for it."""
        leader = spawn("ask_held", self.server.url, options, self.times, "/dev/null")
        while self.faulty.did["held"] < HELD * (len(self.followers) + 1):
            time.sleep(0.01)
        report = Path(tempfile.mkdtemp()) / "report.json"
        self.followers.append((spawn("ask_held", self.server.url, options, self.times, str(report)), report))
        time.sleep(3)  # it loads prices and a tokenizer first, and then waits
        os.kill(leader.pid, signal.SIGKILL)
        leader.wait()

    def kill_a_busy_process(self, options: dict) -> None:
        """Kill a process in the middle of its calls, whatever they are at."""
        victim = spawn("work", self.server.url, options, self.calls, 90 + self.times, "/dev/null")
        victim.stdout.readline()
        time.sleep(2.5)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        self.busy_killed += 1

    def hang_redis(self, _options: dict) -> None:
        """Redis takes no command for a while, and does all of them then."""
        os.kill(self.redis.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(self.redis.pid, signal.SIGCONT)

    def lock_files(self, _options: dict) -> None:
        """Another program has the files of cache, budget and ledger locked for a while."""
        found = [
            sqlite3.connect(self.folder / ".promptopt" / f"{name}.sqlite", isolation_level=None, timeout=30)
            for name in ("cache", "budget", "ledger")
        ]
        for connection in found:
            connection.execute("BEGIN IMMEDIATE")
        time.sleep(2)
        for connection in found:
            connection.execute("ROLLBACK")
            connection.close()

    def kill_redis(self, _options: dict) -> None:
        self.redis.kill()
        self.redis.wait()
        time.sleep(0.4)
        self.redis = start_redis(self.port, self.folder)

    def successions(self) -> tuple[int, int]:
        """Answers that followers of killed leaders got, and the requests that they made for them."""
        answers = 0
        for process, report in self.followers:
            process.wait(60)
            answers += sum(json.loads(report.read_text()).values())
        return answers, sum(self.faulty.held.values()) - HELD * len(self.followers)

    def end(self) -> None:
        """Leave the machine as it was."""
        os.chdir("/")
        if self.kind == "disk":
            subprocess.run(["umount", str(self.folder)], check=False)
        if self.redis is not None:
            self.redis.kill()
            self.redis.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def phase(name: str, calls: int, budget: float | None, kind: str = "", by: str = "work") -> bool:
    """Run one part of the calls, in two processes of 16 threads, and check it."""
    faulty = Faulty()
    # An answer takes its time, so that there is a middle to disturb.
    server = Upstream(faulty, delay_s=0.15)
    disturbance = Disturbance(kind, Path(tempfile.mkdtemp(prefix="faults-")), server, faulty, calls)
    options = disturbance.options | ({"budget": {"run": budget}} if budget is not None else {})
    started = time.monotonic()
    reports = [str(Path(tempfile.mkdtemp()) / "report.json") for _ in range(2)]
    workers = [spawn(by, server.url, options, calls // 2, seed, report) for seed, report in enumerate(reports)]
    disturbing = disturbance.begin(options)
    for worker in workers:
        worker.wait()
    disturbance.over.set()
    disturbing.join()
    outcomes: Counter[str] = Counter()
    for report in reports:
        outcomes.update(json.loads(Path(report).read_text()))
    seconds = time.monotonic() - started
    again = outcomes.pop(AGAIN, 0)
    print(f"\n== {name}: {sum(outcomes.values()):,} calls in {seconds:.0f} s, {disturbance.times} times disturbed")
    print("   upstream did:", ", ".join(f"{what} {count:,}" for what, count in faulty.did.most_common()))
    print("   callers got:", ", ".join(f"{what} {count:,}" for what, count in outcomes.most_common()))
    if again:
        print(f"   {again:,} {AGAIN}")
    good = check(disturbance, outcomes, faulty, budget, calls // 2 // THREADS * THREADS * 2)
    server.close()
    disturbance.end()
    return good


def check(disturbance: Disturbance, outcomes: Counter[str], faulty: Faulty, budget: float | None, wanted: int) -> bool:
    """Whether everybody got something, and ledger and budget have what the upstream did."""
    answers, requests = disturbance.successions()
    folder, calls = disturbance.folder / ".promptopt", disturbance.server.calls
    ledger = open_ledger(folder / "ledger.sqlite")
    asked = [row for row in ledger.rows() if row.upstream]
    ledger.close()
    billed = float(faulty.billed)
    open_rows = sum(row.status == "sent" for row in asked)
    # Cancelled, or out of time, before the request was on its way: no bytes of it left, and it costs nothing.
    unsent = sum(row.status in ("error", "abandoned") and not row.incurred_usd and not row.http_status for row in asked)
    incurred = sum(row.incurred_usd or 0 for row in asked)
    counted: Decimal | None = None
    if budget is not None:
        link = RedisLink(disturbance.options["redis"]) if disturbance.redis is not None else None
        store = SqliteBudgets(folder / "budget.sqlite") if link is None else RedisBudgets(link)
        counted = from_nano(sum(store.spent("run:default")))
    print(
        f"   ledger: {len(asked):,} calls ({open_rows} never ended; {unsent} ended before they were sent, for $0), "
        f"upstream was asked {calls:,}"
    )
    print(f"   dollars: upstream billed {billed:.6f}, ledger {incurred:.6f}, budget counted {counted}, limit {budget}")
    untyped = sum(count for what, count in outcomes.items() if what.startswith("UNTYPED"))
    if disturbance.followers:
        held = HELD * len(disturbance.followers)
        print(f"   {held} calls in flight killed: their followers got {answers} answers for {requests} requests")
    # Of a connection that is closed in the moment of the request the server may read nothing: a row more, never one
    # less, but for a process that was killed while it asked: that loses the rows of its last 20 ms.
    lost = calls - (len(asked) - unsent)
    good = not untyped and lost <= 2 * THREADS * disturbance.busy_killed and sum(outcomes.values()) == wanted
    good = good and answers == requests == HELD * len(disturbance.followers)
    good = good and (budget is None or billed <= counted <= budget)
    print(f"   {'good' if good else 'FAILED'}: {untyped} untyped, {max(0, lost)} missing in the ledger", flush=True)
    return good


def main() -> None:
    share = CALLS // 10
    results = [
        phase("leaders killed", share * 4, 10.0, "kill"),
        phase("a budget that ends in the middle", share, 2e-5 * share * 0.4),
        phase("Redis killed twice", share, 10.0, "redis"),
        phase("event loops, files locked twice", share, 10.0, "lock", "work_in_loop"),
        phase("event loops, Redis hangs twice", share, 10.0, "hang", "work_in_loop"),
        phase("event loops, a budget that ends in the middle", share, 2e-5 * share * 0.4, "", "work_in_loop"),
        phase("servers, leaders killed", share, 10.0, "kill", "work_through_server"),
        phase("servers, Redis killed twice", share, 10.0, "redis", "work_through_server"),
    ]
    if os.geteuid() == 0:
        # Without a budget: one that cannot be counted refuses every call, and nothing would be seen of the rest.
        results.append(phase("a disk that is full for a while", share, None, "disk"))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
