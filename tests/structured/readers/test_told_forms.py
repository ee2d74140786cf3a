"""Forms that prompts tell in words: lists to choose from, codes, lines with labels, keys with what is said of them."""

from pathlib import Path

import pytest
import yaml
from forms import short

from promptopt.errors import SchemaError, UsageError
from promptopt.structured.build import structure
from promptopt.structured.proposal import Options
from promptopt.templates import load_prompt

_FILES = [
    yaml.safe_load((Path(__file__).parent / name).read_text()) for name in ("told_forms.yaml", "stated_keys.yaml")
]
CASES = {kind: [case for cases in _FILES for case in cases[kind]] for kind in ("read", "refused")}


def proposed(text: str, path: Path) -> str:
    path.write_text(text)
    made = structure(load_prompt(path), options=Options(form="schema"))
    return ", ".join(f"{item.name} {short(dict(item.schema))}" for item in made.fields)


@pytest.mark.parametrize("case", CASES["read"], ids=lambda case: case["text"].strip()[:50])
def test_what_is_told_is_read(case: dict, tmp_path: Path) -> None:
    assert proposed(case["text"], tmp_path / "v1.j2") == case["form"]


@pytest.mark.parametrize("text", CASES["refused"], ids=lambda text: text.strip()[:50])
def test_what_is_told_otherwise_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises((SchemaError, UsageError), match=r"cannot infer|bare answers would lose it"):
        proposed(text, tmp_path / "v1.j2")
