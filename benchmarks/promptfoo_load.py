"""How many promptfoo configs below a folder can be read, and run against the provider `echo`.

    python benchmarks/promptfoo_load.py FOLDER [--failures]

Configs that only set up a red team are not counted. Each config is read and run in a process of its own, because it may
run code; do not try configs that you would not run.
"""

import argparse
import json
import multiprocessing
import os
import queue
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptopt.errors import PromptoptError
from promptopt.suites import Assertion, Case
from promptopt.yaml import load_yaml

TIMEOUT_S = 90
MOST_CASES = 40
"""A suite's first cases: each kind of case is among them, and a run takes seconds."""
MOST_TEMPLATES = 6


def configs(folder: Path) -> Iterator[Path]:
    """The evaluations below a folder."""
    for path in sorted(folder.rglob("*")):
        if not re.search(r"promptfoo.*\.ya?ml$", path.name, re.IGNORECASE) or "node_modules" in path.parts:
            continue
        if ".github" in path.parts or not path.is_file():
            continue
        try:
            table = load_yaml(path.read_text(encoding="utf-8"), path)
        except (PromptoptError, UnicodeDecodeError):
            table = {"prompts": []}
        if not isinstance(table, dict) or ("redteam" in table and not table.get("tests")):
            continue
        if {"prompts", "tests", "providers", "targets", "scenarios"} & table.keys():
            yield path


def tried(path: Path) -> dict[str, object]:
    """What came of one config."""
    from promptopt.experiment.compare import compare
    from promptopt.promptfoo import read_evaluation
    from promptopt.providers.echo import EchoProvider

    os.chdir(path.parent)
    found: dict[str, object] = {"loads": False, "runs": False}
    try:
        evaluation = read_evaluation(path)
        lost = [note for note in evaluation.notes if note.kind == "left out"]
        found |= {"loads": True, "asserts": evaluation.asserts, "kept": evaluation.asserts_kept, "whole": not lost}
        found["asked"] = not evaluation.unavailable
        with evaluation.active(), tempfile.TemporaryDirectory() as folder:
            for part in evaluation.parts:
                cases = tuple(_plain(case) for case in part.suite.cases[:MOST_CASES])
                suite = replace(part.suite, path=Path(folder) / f"{part.suite.name}.yaml", cases=cases)
                str(compare(*part.templates[:MOST_TEMPLATES], suite=suite, provider=EchoProvider(), record="all"))
        found["runs"] = True
    except PromptoptError as error:
        found["why"] = str(error)
    except Exception as error:  # noqa: BLE001 - code of a config may raise anything
        found["why"] = f"{type(error).__name__}: {error}"
    return found


def _plain(case: Case) -> Case:
    """The case without asserts that ask a model: `echo` judges nothing."""
    from promptopt.scorers.base import make_check

    def judged(assertion: Assertion) -> bool:
        return make_check(assertion, "").asks

    turns = tuple(replace(turn, asserts=tuple(a for a in turn.asserts if not judged(a))) for turn in case.turns)
    return replace(case, asserts=tuple(a for a in case.asserts if not judged(a)), turns=turns)


def _work(path: Path, results: Any) -> None:
    # What programs of configs print is not part of the report.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        results.put(tried(path))


def apart(path: Path) -> dict[str, object]:
    """As :func:`tried`, in a process that is ended if it takes too long."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=_work, args=(path, results))
    process.start()
    try:
        return results.get(timeout=TIMEOUT_S)
    except queue.Empty:
        return {"loads": False, "runs": False, "why": f"took longer than {TIMEOUT_S} s, or ended its process"}
    finally:
        process.kill()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--failures", action="store_true", help="also say why each config fails")
    options = parser.parse_args()
    counts, failures = Counter(), []
    for path in configs(options.folder.absolute()):
        found = apart(path)
        counts.update(
            {
                "configs": 1,
                **{key: int(found.get(key) or 0) for key in ("loads", "runs", "whole", "asked", "asserts", "kept")},
            }
        )
        if not found["runs"]:
            failures.append({"config": str(path.relative_to(options.folder.absolute())), **found})
    configs_, asserts = max(counts["configs"], 1), max(counts["asserts"], 1)
    print(f"configs            {counts['configs']:6}")
    for key, label in (
        ("loads", "load"),
        ("runs", "run"),
        ("asked", "name a provider that can be asked"),
        ("whole", "lose nothing"),
    ):
        print(f"{label:34} {counts[key]:6}  {counts[key] / configs_:.1%}")
    print(f"asserts scored     {counts['kept']:6} of {counts['asserts']}  {counts['kept'] / asserts:.1%}")
    if options.failures:
        for failure in failures:
            print(json.dumps(failure, ensure_ascii=False))


if __name__ == "__main__":
    main()
