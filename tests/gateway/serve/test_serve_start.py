"""What a server has loaded when it takes its first call."""

import json
import subprocess
import sys

CODE = """
import asyncio, json, sys
from pathlib import Path
from promptopt.config import load_config_file
from promptopt.gateway.serve.app import Service, make_app
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
