"""`promptopt serve` beside LiteLLM's proxy: the same upstream, the same client, one worker each, one after the other.

Run: python benchmarks/serve.py --litellm VENV/bin/litellm     (pip install 'litellm[proxy]' into a venv of its own)
     python benchmarks/serve.py                                promptopt alone
     python benchmarks/serve.py --minutes 10                   its memory over ten minutes, and nothing else
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

AT_ONCE, STREAMS, EVENTS = 20, 500, 20
# Both ask for a key, and know one.
KEY = "sk-" + os.urandom(32).hex()
HEADERS = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
# An upstream that answers at once shows what a server can do; one that takes its time shows what it adds.
DELAY_S = 0.05
UPSTREAM = """
import asyncio, json, sys
delay = float(sys.argv[1])
head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}
answer = json.dumps({**head, "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "ok " * 40}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}}).encode()
lines = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
reply = lines % len(answer) + answer
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n"

def event(delta, reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini", "choices": [choice]}
    data = b"data: " + json.dumps(body).encode() + b"\\n\\n"
    return b"%x\\r\\n" % len(data) + data + b"\\r\\n"

class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, b""
    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\\r\\n\\r\\n")) >= 0:
            lines = self.data[:end].lower().split(b"\\r\\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4 : end + 4 + length], self.data[end + 4 + length :]
            if b'"stream":true' in body.replace(b" ", b""):
                asyncio.ensure_future(self.stream())
            elif delay:
                asyncio.get_running_loop().call_later(delay, self.transport.write, reply)
            else:
                self.transport.write(reply)
    async def stream(self):
        self.transport.write(head)
        for _ in range(EVENTS):
            self.transport.write(event({"role": "assistant", "content": "ok "}))
            await asyncio.sleep(0.1)
        done = b"data: [DONE]\\n\\n"
        self.transport.write(event({}, "stop") + b"%x\\r\\n" % len(done) + done + b"\\r\\n0\\r\\n\\r\\n")

async def main():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

try:
    import uvloop
    uvloop.run(main())
except ImportError:
    asyncio.run(main())
""".replace("EVENTS", str(EVENTS))


Server = tuple[str, subprocess.Popen]


@dataclass(frozen=True)
class Result:
    """What one repetition measured; times in milliseconds."""

    per_second: float
    p50: float
    p99: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--litellm", help="the program `litellm` of an environment with litellm[proxy]")
    options.add_argument("--calls", type=int, default=4000, help="calls in a repetition (a quarter of it for LiteLLM)")
    options.add_argument("--repetitions", type=int, default=3)
    options.add_argument("--minutes", type=float, help="only keep promptopt busy for this time, and show its memory")
    options.add_argument("--rate", type=float, default=0.0, help="with --minutes: calls a second; 0 is no limit")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp())
    with _upstream(0) as instant, _upstream(DELAY_S) as slow:
        if given.minutes:
            with _promptopt(folder, instant) as (url, process):
                asyncio.run(_soak(url, process, given.minutes * 60, given.rate))
            return
        print(f"{os.cpu_count()} cores; {AT_ONCE} calls at once; medians of {given.repetitions} repetitions")
        found = {"upstream alone": _measured(f"http://127.0.0.1:{instant}", None, given.calls, given.repetitions)}
        _show("upstream alone", *found["upstream alone"])
        servers = {"promptopt serve": (_promptopt, given.calls)}
        if given.litellm:
            servers["litellm"] = (lambda folder, port: _litellm(folder, port, given.litellm), given.calls // 4)
        for name, (start, calls) in servers.items():
            with start(folder, instant) as (url, process):
                found[name] = _measured(url, process, calls, given.repetitions)
                _show(name, *found[name])
                asyncio.run(_many_streams(name, url))
                memory = _megabytes(process)
                print(f"{name:18} memory after the streams {memory:6.0f} MB")
            with start(folder, slow) as (url, _):
                _show_added(name, url, slow, calls)
        if "litellm" in found:
            ours, theirs = found["promptopt serve"], found["litellm"]
            print(f"requests a second: {ours[0].per_second / theirs[0].per_second:.1f} times LiteLLM's")
            print(f"memory: {ours[1] / theirs[1]:.2f} of LiteLLM's")


@contextlib.contextmanager
def _upstream(delay_s: float) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", UPSTREAM, str(delay_s)], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        _end(process)


@contextlib.contextmanager
def _promptopt(folder: Path, upstream: int) -> Iterator[Server]:
    port, config = _free_port(), folder / f"promptopt-{upstream}.toml"
    config.write_text(f'[tool.promptopt.gateway.keys.bench]\nsha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"\n')
    command = [sys.executable, "-m", "promptopt", "serve", "--config", str(config), "--port", str(port)]
    environment = {**os.environ, "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1", "OPENAI_API_KEY": "sk-x"}
    with _running(command, environment, f"http://127.0.0.1:{port}", "/readyz", folder) as process:
        yield f"http://127.0.0.1:{port}", process


@contextlib.contextmanager
def _litellm(folder: Path, upstream: int, program: str) -> Iterator[Server]:
    port, config = _free_port(), folder / f"litellm-{upstream}.yaml"
    entry = {"model": "openai/gpt-4o-mini", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-x"}
    settings = {"model_list": [{"model_name": "gpt-4o-mini", "litellm_params": entry}]}
    config.write_text(json.dumps(settings))
    command = [program, "--config", str(config), "--port", str(port), "--num_workers", "1", "--host", "127.0.0.1"]
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
    with _running(command, environment, f"http://127.0.0.1:{port}", "/health/liveliness", folder) as process:
        yield f"http://127.0.0.1:{port}", process


@contextlib.contextmanager
def _running(
    command: list[str], environment: dict[str, str], url: str, ready: str, folder: Path
) -> Iterator[subprocess.Popen]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        asyncio.run(_ready(url + ready, process, folder / "log"))
        yield process
    finally:
        _end(process)


async def _ready(url: str, process: subprocess.Popen, log: Path) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            if process.poll() is not None:
                break
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    sys.exit(f"it did not start: {log.read_text()[-2000:]}")


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _body(text: str, **options: object) -> bytes:
    messages = [{"role": "user", "content": f"{text} " + "word " * 50}]
    return json.dumps({"model": "gpt-4o-mini", "messages": messages, "temperature": 0, **options}).encode()


async def _calls(url: str, count: int) -> tuple[list[float], float]:
    """Seconds of each call, and of all of them."""
    times, numbers = [], iter(range(count))
    mark = os.urandom(6).hex()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for number in numbers:
                started = time.perf_counter()
                data = _body(f"{mark} {number}")
                async with session.post(f"{url}/v1/chat/completions", data=data, headers=HEADERS) as response:
                    content = await response.read()
                    if response.status != 200:
                        sys.exit(f"{url} answered {response.status}: {content[:500]!r}")
                times.append(time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(*[work() for _ in range(AT_ONCE)])
        return times, time.perf_counter() - started


def _measured(url: str, process: subprocess.Popen | None, calls: int, repetitions: int) -> tuple[Result, float]:
    asyncio.run(_calls(url, calls // 10))
    results = []
    for _ in range(repetitions):
        times, seconds = asyncio.run(_calls(url, calls))
        times.sort()
        results.append(Result(calls / seconds, times[calls // 2] * 1000, times[int(calls * 0.99)] * 1000))
    middle = Result(*(median(getattr(each, name) for each in results) for name in ("per_second", "p50", "p99")))
    return middle, 0.0 if process is None else _megabytes(process)


def _show(name: str, result: Result, memory: float) -> None:
    shown = f"  {memory:6.0f} MB" if memory else ""
    print(
        f"{name:18} {result.per_second:8.0f} /s  p50 {result.p50:7.2f} ms  p99 {result.p99:7.2f} ms{shown}", flush=True
    )


def _show_added(name: str, url: str, upstream: int, calls: int) -> None:
    """What a call takes longer through a server than without it, if its upstream takes its time."""
    asyncio.run(_calls(url, calls // 10))
    times = {}
    for key, address in {"alone": f"http://127.0.0.1:{upstream}", "through": url}.items():
        times[key] = sorted(asyncio.run(_calls(address, calls))[0])
    p50, p99 = (
        (times["through"][int(calls * at)] - times["alone"][int(calls * at)]) * 1000 for at in (0.5, 0.99)
    )  # fmt: skip
    print(
        f"{name:18} added to an upstream of {DELAY_S * 1000:.0f} ms: p50 {p50:6.2f} ms  p99 {p99:6.2f} ms", flush=True
    )


async def _many_streams(name: str, url: str) -> None:
    """Many streams at once: how long until the first event, and how many end whole."""
    first, whole, mark = [], 0, os.urandom(6).hex()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def read(number: int) -> None:
            nonlocal whole
            started, data = time.perf_counter(), _body(f"{mark} {number}", stream=True)
            async with session.post(f"{url}/v1/chat/completions", data=data, headers=HEADERS) as response:
                content = b""
                async for part in response.content.iter_any():
                    if not content:
                        first.append(time.perf_counter() - started)
                    content += part
            whole += content.count(b'"content"') >= EVENTS and b"[DONE]" in content

        started = time.perf_counter()
        await asyncio.gather(*[read(number) for number in range(STREAMS)], return_exceptions=True)
        seconds = time.perf_counter() - started
    first.sort()
    late = f"first event p99 {first[int(len(first) * 0.99)] * 1000:.0f} ms" if first else "no event"
    print(
        f"{name:18} {STREAMS} streams of {EVENTS * 0.1:.0f} s at once: {whole} whole in {seconds:.1f} s, {late}",
        flush=True,
    )


async def _soak(url: str, process: subprocess.Popen, seconds: float, rate: float) -> None:
    """Keep a server busy, and show its memory ten times."""
    until, some = time.monotonic() + seconds, 100
    for part in range(1, 11):
        calls = 0
        while (started := time.monotonic()) < until - seconds * (10 - part) / 10:
            await _calls(url, some)
            calls += some
            if rate:
                await asyncio.sleep(max(0.0, some / rate - (time.monotonic() - started)))
        print(f"{part * seconds / 10:7.0f} s  {calls:8,} calls  {_megabytes(process):6.1f} MB", flush=True)


def _megabytes(process: subprocess.Popen) -> float:
    """Resident memory of a process and its children."""
    total = 0.0
    pids = [process.pid]
    while pids:
        pid = pids.pop()
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e6
            pids += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return total


if __name__ == "__main__":
    main()
