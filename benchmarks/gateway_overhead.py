"""Own time of the gateway: bare SDK, all layers (cache miss), cache hit, against one instant server, in one run.

Run: python benchmarks/gateway_overhead.py
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
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
ROUNDS, CALLS = 15, 40


def ask(client: openai.OpenAI, text: str) -> None:
    client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], temperature=0, max_completion_tokens=20
    )


def seconds(client: openai.OpenAI, texts: list[str]) -> list[float]:
    times = []
    for text in texts:
        started = time.perf_counter()
        ask(client, text)
        times.append(time.perf_counter() - started)
    return times


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


def main() -> None:
    os.chdir(tempfile.mkdtemp())
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()

    def told(line: str) -> int:
        server.stdin.write(line + "\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    def make(**options: object) -> openai.OpenAI:
        http_client = promptopt.http_client(**options) if options else None
        return openai.OpenAI(base_url=url, api_key="k", http_client=http_client)

    clients = {"bare SDK": make(), "default, miss": make(path="a"), "all layers, miss": make(path="b", **ALL)}
    hits = make(path="c")
    times: dict[str, list[float]] = {name: [] for name in [*clients, "cache hit"]}
    for round_ in range(ROUNDS):
        # In turns, so that whatever else the machine does meets all of them.
        for name, client in clients.items():
            found = seconds(client, [f"{round_} {number} {name}" for number in range(CALLS)])
            times[name] += found if round_ else []
        times["cache hit"] += seconds(hits, ["the same"] * CALLS) if round_ else []
    bare = times["bare SDK"]
    for name, found in times.items():
        # What a gateway writes later slows some of its calls; the mean includes that.
        ratios = f"{median(found) / median(bare):5.2f} x bare  (mean {fmean(found) / fmean(bare):4.2f} x)"
        print(f"{name:22} {median(found) * 1000:7.3f} ms  {ratios}")
    print(f"{'own time of a hit':22} {own_hit_time(hits) * 1000:7.3f} ms")
    told("delay 0.3")
    before = told("calls")
    threads = [threading.Thread(target=ask, args=(clients["all layers, miss"], "at once")) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"100 identical requests at once: {told('calls') - before} upstream call(s)")
    server.kill()


if __name__ == "__main__":
    main()
