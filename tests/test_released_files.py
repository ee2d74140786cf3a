"""What earlier versions wrote is still read: locks, recordings, ledgers, caches.

``data/VERSION`` is a small project whose files that version made. They are never written again.
"""

import json
import os
import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import forks
import openai
import pytest

import promptopt
from promptopt.gateway.stores.ledger import open_ledger

DATA = Path(__file__).parent / "data"
VERSIONS = sorted(folder.name for folder in DATA.iterdir() if folder.is_dir())
CHAT = """import pytest


@pytest.mark.prompt_budget("chat")
def test_chat(prompt_budget):
    messages = [{"role": "system", "content": "You answer politely."}, {"role": "user", "content": "Hi."}]
    prompt_budget.check(messages, case="hi")
"""


@pytest.fixture(params=VERSIONS)
def released(request: pytest.FixtureRequest, project: Any) -> Any:
    """A copy of the project that a version made."""
    shutil.copytree(DATA / request.param, project.root, dirs_exist_ok=True)
    return project


def gate(project: Any, *arguments: str) -> str:
    project.write({"test_chat.py": CHAT})
    options = ["-q", "-p", "no:cacheprovider", *arguments]
    done = forks.run("pytest", options, cwd=project.root, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_locks_and_recordings_are_read(released: Any) -> None:
    """One template with every parameter that the version knew, and one prompt that a program builds."""
    text = gate(released, "--prompt-budget")
    assert "3 ok · 0 failed · 0 stale · 0 new · 0 removed" in text
    assert "missing" not in text
    assert "NOTE" not in text


def test_an_update_leaves_locks_as_they_are(released: Any) -> None:
    locks = {path: path.read_bytes() for path in released.root.rglob("*.lock.toml")}
    assert len(locks) == 2
    assert "nothing to write" in gate(released, "--prompt-budget-update")
    assert locks == {path: path.read_bytes() for path in released.root.rglob("*.lock.toml")}


def test_recordings_still_fit_their_requests(released: Any) -> None:
    found = json.loads(released.run("recordings", "check", "--json").stdout)
    assert found["good"] == 2
    assert [finding["kind"] for finding in found["findings"]] == ["missing"]


def test_a_ledger_is_read(released: Any) -> None:
    ledger = open_ledger(released.root / "gateway/ledger.sqlite")
    rows = list(ledger.rows())
    ledger.close()
    assert [(row.cache, row.input_tokens, row.output_tokens) for row in rows] == [
        ("miss", 12, 2),
        ("cache", 12, 2),
        ("miss", 12, 2),
        ("miss", 52, 6),
    ]
    done = released.run("usage", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["calls"] == 4


def test_a_cache_is_read(released: Any) -> None:
    """The call that was answered then is answered from the file, if the callers with different keys share.

    What that version kept belongs to no key: by default each key has only its own answers.
    """
    with (released.root / "pyproject.toml").open("a") as settings:
        settings.write('partition = ["tenant"]\n')
    with closing(sqlite3.connect(released.root / "gateway/cache.sqlite")) as database, database:
        database.execute("UPDATE answers SET created = :now, expires = :now + 3600", {"now": time.time()})
    database.close()
    done = released.run("cache", "list", "--json")
    assert len(json.loads(done.stdout)) == 3
    # Nobody listens there.
    options = {"base_url": "http://llm.invalid/v1", "api_key": "test", "max_retries": 0}
    messages = [{"role": "user", "content": "Where is my parcel?"}]
    with openai.OpenAI(**options, http_client=promptopt.http_client()) as client:  # type: ignore[arg-type]
        answer = client.chat.completions.create(
            model="gpt-4o-mini", temperature=0, max_completion_tokens=60, messages=messages
        )  # type: ignore[call-overload]
    assert answer.choices[0].message.content == "billing"


def test_a_field_that_a_later_version_adds_is_ignored(released: Any) -> None:
    (path,) = released.root.rglob("v1.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**line, "later": [1]}) + "\n" for line in lines))
    for name, table in (("ledger", "calls"), ("cache", "answers")):
        with closing(sqlite3.connect(released.root / f"gateway/{name}.sqlite")) as database, database:
            database.execute(f"ALTER TABLE {table} ADD COLUMN later TEXT")
        database.close()
    assert json.loads(released.run("recordings", "check", "--json").stdout)["good"] == 2
    assert json.loads(released.run("usage", "--json").stdout)["total"]["calls"] == 4
    assert len(json.loads(released.run("cache", "list", "--json").stdout)) == 3


def test_recordings_of_a_later_format_are_refused(released: Any) -> None:
    (path,) = released.root.rglob("v1.jsonl")
    path.write_text(path.read_text().replace('{"v": 1,', '{"v": 2,'))
    done = released.run("recordings", "check")
    assert done.returncode != 0
    assert re.search(r"v1\.jsonl:1: .*its format version is 2, this promptopt reads 1", done.stdout + done.stderr)
