"""A skeleton shows no text and no user, and its audit is that of the log."""

import json

import pytest
from click.testing import CliRunner

from promptopt.auditing.strategy_settings import STRATEGIES
from promptopt.cli import cli

pytest.importorskip("duckdb", reason="needs the extra audit")

SECRETS = (
    "Mrs Ottilie Quandt",
    "ottilie@example.org",
    "refund of my violin",
    "triage-prompt",
    "team-oboe",
    "night-tag",
)


def write_log(path):
    rows = []
    for number in range(60):
        text = f"{SECRETS[0]} wants a {SECRETS[2]} {number % 7}. " * 40
        rows.append(
            {
                "timestamp": 1.79e9 + number * 20,
                "model": "gpt-4o",
                "input_tokens": 2000,
                "output_tokens": 50 + number,
                "messages": [{"role": "user", "content": text}],
                "user": SECRETS[1],
                "prompt": SECRETS[3],
                "team": SECRETS[4],
                "tag": SECRETS[5],
                "latency_s": 1.5,
                "status": "ok" if number % 9 else "error",
                "session": f"{SECRETS[1]}-{number % 5}",
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def run(*arguments):
    done = CliRunner().invoke(cli, ["audit", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_audit_of_a_skeleton_is_that_of_its_log(tmp_path):
    log, skeleton = tmp_path / "log.jsonl", tmp_path / "skeleton.parquet"
    write_log(log)
    run("skeleton", log, "-o", skeleton)
    # Another layout is known of texts alone.
    names = ",".join(name for name in STRATEGIES if name != "layout")
    whole, bare = (json.loads(run(path, "--json", "--cap", 80, "--only", names)) for path in (log, skeleton))
    for data in (whole, bare):
        # Names are what a skeleton hides.
        del data["profile"]["groups"]
    assert json.dumps(whole) == json.dumps(bare)
    assert whole["steps"][1]["saved_usd"] > 0


def test_nothing_of_a_log_s_texts_is_in_its_skeleton(tmp_path):
    import duckdb

    log, skeleton = tmp_path / "log.jsonl", tmp_path / "skeleton.parquet"
    write_log(log)
    run("skeleton", log, "-o", skeleton)
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(skeleton)]).fetchall()
    shown = repr(rows) + repr(
        duckdb.connect().execute("SELECT * FROM parquet_kv_metadata(?)", [str(skeleton)]).fetchall()
    )
    shown += skeleton.read_bytes().decode("latin-1")
    for secret in SECRETS:
        for word in secret.split():
            assert word not in shown or len(word) < 4
    # Without the salt, what a name would be hashed to says nothing: two skeletons of one log have nothing in common.
    other = tmp_path / "other.parquet"
    run("skeleton", log, "-o", other)
    digests = [
        {
            row[0]
            for row in duckdb.connect().execute("SELECT DISTINCT digest FROM read_parquet(?)", [str(path)]).fetchall()
        }
        for path in (skeleton, other)
    ]
    assert len(digests[0]) == len(digests[1]) == 7
    assert not digests[0] & digests[1]
