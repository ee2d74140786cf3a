"""What a server has loaded when it takes its first call."""

import asyncio
import contextlib
import gc
import json
import subprocess
import sys

import pytest

from promptopt.gateway.serve.server import collect_when_idle

CODE = """
import asyncio, json, sys
from pathlib import Path
from promptopt.config import load_config_file
from promptopt.gateway.serve.app import Service
from promptopt.gateway.serve.routes import make_app
from promptopt.gateway.serve.settings import read_configuration
service = Service(read_configuration(load_config_file(Path(sys.argv[1]))))

async def main():
    async with service.lifespan(make_app(service)):
        names = ("genai_prices.data", "jinja2", "promptopt.scorers")
        print(json.dumps([name for name in names if name in sys.modules]))

asyncio.run(main())
"""


def test_a_server_begins_with_its_prices_and_without_what_it_does_not_use(configured):
    # Prices that the first call loads were 27,000 objects, which every full collection then looked through.
    done = subprocess.run([sys.executable, "-c", CODE, str(configured())], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["genai_prices.data"]


@pytest.fixture
def full_collections():
    """The number of collections of all objects, as a list that grows."""
    found = []

    def count(phase, info):
        if phase == "start" and info["generation"] == 2:
            found.append(1)

    before = gc.get_threshold()
    gc.callbacks.append(count)
    gc.set_threshold(50, 2, 1_000_000)
    yield found
    gc.set_threshold(*before)
    gc.callbacks.remove(count)


@pytest.mark.parametrize(("busy", "most_s", "collects"), [(False, 60, True), (True, 60, False), (True, 0.05, True)])
def test_all_objects_are_looked_through_when_nobody_waits_or_after_a_while(full_collections, busy, most_s, collects):
    async def main():
        task = asyncio.ensure_future(collect_when_idle(lambda: busy, 0.01, most_s))
        kept = [[number] for number in range(2_000)]
        await asyncio.sleep(0.2)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert kept

    gc.collect()
    full_collections.clear()
    asyncio.run(main())
    assert bool(full_collections) == collects


def test_a_server_that_does_nothing_collects_nothing(full_collections):
    async def main():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(collect_when_idle(lambda: False, 0.001), 0.1)

    gc.collect()
    gc.set_threshold(1_000_000)
    full_collections.clear()
    asyncio.run(main())
    assert not full_collections
