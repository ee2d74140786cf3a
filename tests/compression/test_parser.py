"""The parser of English: loaded once, on first use, and named if it is missing."""

import subprocess
import sys

import pytest

from promptopt.compression.witness import parser

WITHOUT = """
import importlib.machinery

find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = (
    lambda name, *rest: None if name.split(".")[0] in {hidden!r} else find(name, *rest)
)
from promptopt.compression.witness import parser
print(parser.available())
try:
    parser.parse("Read it.")
except Exception as error:
    print(type(error).__name__, error)
"""


def _without(*hidden: str) -> list[str]:
    code = WITHOUT.format(hidden=hidden)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_a_text_is_parsed_once() -> None:
    first, other = parser.parse_all(["The driver opens the gate.", "Close it."])
    assert [token.lemma_ for token in first if token.dep_ == "ROOT"] == ["open"]
    assert parser.parse("Close it.") is other


def test_without_the_extra_the_message_names_it() -> None:
    assert _without("spacy") == [
        "False",
        (
            "MissingExtra a parse of English needs the package 'spacy', which is not installed. "
            "Install it: pip install 'promptopt-llm[grammar]'"
        ),
    ]


def test_without_the_pipeline_the_message_says_how_to_get_it() -> None:
    printed = _without(*parser.PIPELINES)
    assert printed[0] == "False"
    assert printed[1].startswith(
        "UsageError spaCy's English pipeline is not installed: python -m spacy download en_core"
    )


@pytest.mark.parametrize(
    "code",
    ["import promptopt", "from promptopt.compression.witness import parser; parser.available()"],
)
def test_nothing_is_loaded_before_it_is_used(code: str) -> None:
    check = f"import sys\n{code}\nprint('spacy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
