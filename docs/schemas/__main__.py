"""Writes the published JSON Schemas: ``python docs/schemas [FOLDER]``, by default into promptopt/data/schemas.

The names of keys are those that the loaders know; what a key holds is said here, and tests hold it against the loaders.
Keys that installed packages may add (asserts, layers, providers of others) stay open.
"""

import json
import sys
from pathlib import Path

import files
import printed
import settings

ADDRESS = "https://raw.githubusercontent.com/promptopt/promptopt/main/promptopt/data/schemas"
# What the YAML language server and taplo read.
DRAFT = "http://json-schema.org/draft-07/schema#"
MADE = {
    "suite": (files.suite, "A suite of cases: suites/NAME.yaml"),
    "front-matter": (files.front_matter, "The front matter of a prompt"),
    "pyproject": (settings.pyproject, "pyproject.toml with the table [tool.promptopt]"),
    "budget": (settings.budget, "budget.toml: limits of what prompts cost"),
    "lock": (files.lock, "What a prompt costs, as it is locked: prompts/NAME.lock.toml"),
    "recording": (files.recording, "One recorded answer: a line of suites/NAME/recordings/PROMPT/VERSION.jsonl"),
    "comparison": (printed.comparison, "What promptopt compare --json prints"),
    "audit": (printed.audit, "What promptopt audit --json prints"),
}


def main(folder: Path) -> None:
    """Write every schema into a folder."""
    for name, (make, title) in MADE.items():
        schema = {"$schema": DRAFT, "$id": f"{ADDRESS}/{name}.json", "title": title, **make()}
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path([*sys.argv, str(Path(__file__).parents[2] / "promptopt" / "data" / "schemas")][1]))
