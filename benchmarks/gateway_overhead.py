"""Own time of the gateway, as ratios to the bare SDK, against one server that answers at once, in one run.

Sync, async at 20 at once, and with a shared Redis; misses with the default settings and with all layers; the own time
of a hit; the longest pause of an event loop at first use and with bodies of 5 MB.

Run: python benchmarks/gateway_overhead.py
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median

import openai

import promptopt

HERE = Path(__file__).parent
SERVER = (
    f"import sys, time; sys.path.insert(0, {str(HERE.parent / 'tests' / 'gateway')!r})\n"
    "from upstream import Upstream\nu = Upstream()\nprint(u.url, flush=True)\n"
    "for line in sys.stdin:\n"
    "    if line.startswith('delay'): u.delay_s = float(line.split()[1])\n"
    "    print(u.calls, flush=True)\n"
)
ALL = {
    "budget": {"day": 1000, "month": 10000},
    "limits": {"per_user": "10000000/hour"},
    "concurrency": 200,
    "prompt_caching": True,
    "router": [{"model": "gpt-4o", "task": "law"}],
    "fallback": ["gpt-4o"],
    "cascade": [{"model": "gpt-4o-mini", "validators": {"finished": True}}, {"model": "gpt-4.1"}],
}
# The first rounds warm up caches, of Python and of the machine, and are not counted.
ROUNDS, WARM, CALLS, AT_ONCE = 50, 10, 40, 20


def arguments(text: str) -> dict:
    message = {"role": "user", "content": text}
    return {"model": "gpt-4o-mini", "messages": [message], "temperature": 0, "max_completion_tokens": 20}


class Clocked:
    """Wall and processor seconds of calls, by who made them."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}

    @contextlib.contextmanager
    def measure(self, name: str, calls: int) -> Iterator[None]:
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall.setdefault(name, []).append((time.perf_counter() - wall) / calls)
        self.processor.setdefault(name, []).append((time.process_time() - processor) / calls)

    def show(self, title: str) -> None:
        print(f"\n{title}")
        bare = self.wall["bare SDK"], self.processor["bare SDK"]
        for name, wall in self.wall.items():
            # Each round in turn, so that whatever else the machine does meets all of them.
            ratio = median(one / other for one, other in zip(wall[WARM:], bare[0][WARM:], strict=True))
            used = fmean(self.processor[name][WARM:]) / fmean(bare[1][WARM:])
            print(f"  {name:22} {median(wall[WARM:]) * 1000:7.3f} ms  {ratio:5.2f} x bare  (processor {used:4.2f} x)")


def sync_rounds(url: str, made: dict[str, dict | None]) -> Clocked:
    """Calls one after the other; ``None`` is the bare SDK, ``repeat`` asks the same again."""
    clocked = Clocked()
    clients = {
        name: openai.OpenAI(
            base_url=url, api_key="k", http_client=None if options is None else promptopt.http_client(**options)
        )
        for name, options in made.items()
    }
    for round_ in range(ROUNDS):
        for name, client in clients.items():
            texts = ["the same" if "hit" in name else f"{round_} {number} {name}" for number in range(CALLS)]
            with clocked.measure(name, CALLS):
                for text in texts:
                    client.chat.completions.create(**arguments(text))
    for client in clients.values():
        client.close()
    return clocked


async def ask_some(client: openai.AsyncOpenAI, text: str) -> None:
    for number in range(4):
        await client.chat.completions.create(**arguments(f"{text} {number}"))


async def async_rounds(url: str, made: dict[str, dict | None]) -> Clocked:
    """As ``sync_rounds``, so many at once."""
    clocked = Clocked()
    clients = {
        name: openai.AsyncOpenAI(
            base_url=url, api_key="k", http_client=None if options is None else promptopt.async_http_client(**options)
        )
        for name, options in made.items()
    }
    for round_ in range(ROUNDS):
        for name, client in clients.items():
            with clocked.measure(name, AT_ONCE * 4):
                await asyncio.gather(*(ask_some(client, f"{round_} {part} {name}") for part in range(AT_ONCE)))
    for client in clients.values():
        await client.close()
    return clocked


PAUSES = """
import asyncio, json, os, sys, time
url, options, megabytes, warm = sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "warm"
import openai, promptopt
# The types that the SDK loads at its first call are not the gateway's.
openai.resources.chat.completions
def client(options):
    made = None if options is None else promptopt.async_http_client(**options)
    return openai.AsyncOpenAI(base_url=url, api_key="k", http_client=made)
async def main():
    bare = client(None)
    ask = dict(model="gpt-4o-mini", temperature=0, max_completion_tokens=20)
    await bare.chat.completions.create(messages=[{"role": "user", "content": "warm"}], **ask)
    sdk = bare if options is None else client(options)
    if warm:
        await sdk.chat.completions.create(messages=[{"role": "user", "content": "warmer"}], **ask)
        await asyncio.sleep(0.2)
    words = " ".join(f"word{number}" for number in range(int(megabytes * 100_000)))
    longest = 0.0
    async def tick():
        nonlocal longest
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - started)
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    longest = 0.0
    await sdk.chat.completions.create(messages=[{"role": "user", "content": "x " + words}], **ask)
    await asyncio.sleep(0.3)
    ticking.cancel()
    print(longest * 1000)
asyncio.run(main())
"""


def longest_pause(url: str, options: dict | None, megabytes: float, *, warm: bool) -> float:
    """Milliseconds for which an event loop stood still, the median of three processes."""
    found = []
    for _ in range(3):
        folder = tempfile.mkdtemp()
        command = [sys.executable, "-c", PAUSES, url, json.dumps(options), str(megabytes), "warm" if warm else "cold"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        found.append(float(done.stdout))
    return median(found)


def own_hit_time(client: openai.OpenAI) -> float:
    """Seconds from a request to its kept answer's response, without the SDK around it."""
    http = client._client
    request = http.build_request(
        "POST",
        f"{client.base_url}chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "own"}], "temperature": 0},
    )
    http.send(request)
    times = []
    for _ in range(1000):
        started = time.perf_counter()
        http.send(request)
        times.append(time.perf_counter() - started)
    return median(times)


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def main() -> None:
    os.chdir(tempfile.mkdtemp())
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()

    def told(line: str) -> int:
        server.stdin.write(line + "\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    made = {"bare SDK": None, "default, miss": {"path": "a"}, "all layers, miss": {"path": "b", **ALL}}
    sync_rounds(url, made | {"cache hit": {"path": "c"}}).show("one after the other")
    asyncio.run(async_rounds(url, made | {"default, miss": {"path": "d"}})).show(f"event loop, {AT_ONCE} at once")
    if shutil.which("redis-server"):
        with redis_server() as address:
            shared = {name: None if each is None else each | {"redis": address} for name, each in made.items()}
            sync_rounds(url, shared).show("with a shared Redis, one after the other")
    with contextlib.closing(openai.OpenAI(base_url=url, api_key="k", http_client=promptopt.http_client(path="e"))) as c:
        print(f"\nown time of a hit {own_hit_time(c) * 1000:7.3f} ms")
    print("\nlongest pause of the event loop")
    for title, megabytes, warm in (("first use", 0.0, False), ("5 MB body", 5.0, True)):
        bare, default, everything = (
            longest_pause(url, options, megabytes, warm=warm) for options in (None, {"path": "f"}, {"path": "g", **ALL})
        )
        more = f"default {default - bare:+6.1f} ms  all layers {everything - bare:+6.1f} ms"
        print(f"  {title:12} bare {bare:6.1f} ms  {more}")
    told("delay 0.3")
    before = told("calls")
    client = openai.OpenAI(base_url=url, api_key="k", http_client=promptopt.http_client(path="h", **ALL))
    threads = [threading.Thread(target=client.chat.completions.create, kwargs=arguments("at once")) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"\n100 identical requests at once: {told('calls') - before} upstream call(s)")
    client.close()
    server.kill()


if __name__ == "__main__":
    main()
