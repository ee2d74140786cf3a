"""Prompts for the accuracy tests: the project's own, and those of other projects, which are not in the repository."""

import json
import os
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parent.parent
# Beside the repository, and so beside each of its worktrees that lies in the same folder.
DATA = Path(os.environ.get("PROMPTOPT_DATA") or REPOSITORY.parent / "shared" / "data").resolve()
ABSENT = f"needs {{}}, which is not in {DATA}; PROMPTOPT_DATA names the folder of the real data"


def find_data(name):
    """A file or folder of the real data; ``None`` if it is not on this machine."""
    path = DATA / name
    return path if path.exists() else None


def own_prompts():
    """The project's own prompts: ``id``, ``text``, and ``fields`` or ``cannot`` as a person reads them."""
    return yaml.safe_load((REPOSITORY / "tests" / "prompts" / "own.yaml").read_text(encoding="utf-8"))


def real_prompts(path=None):
    """The prompts of other projects; ``None`` if they are not on this machine."""
    path = path or find_data("prompts/prompts.jsonl")
    return path and [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
