"""A project with a prompt of known useless and essential sentences."""

import json
from pathlib import Path
from typing import Any

import pytest
from planted_model import Write


@pytest.fixture
def planted(project: Any) -> Write:
    """Writes a prompt of some sentences and a suite of so many cases."""

    def write(
        sentences: list[str], cases: int = 300, front: str = "", body: str = "{}\n\ncase {{{{ n }}}} ends\n"
    ) -> Path:
        rows = [
            {
                "description": f"case-{number}",
                "vars": {"n": number},
                "metadata": {"kind": "odd" if number % 2 else "even"},
                "assert": [{"type": "contains", "value": "right"}],
            }
            for number in range(cases)
        ]
        head = f"---\nmodel: gpt-4o-mini\ntemperature: 0\nmax_output_tokens: 20\n{front}---\n"
        project.write(
            {
                "prompts/p/v1.j2": head + body.format(" ".join(sentences)),
                "suites/p.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
            }
        )
        return project.root / "prompts/p/v1.j2"

    return write
