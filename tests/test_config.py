"""[tool.promptopt] in pyproject.toml: what holds, and what is refused with its line."""

from decimal import Decimal
from pathlib import Path

import pytest

from promptopt.config import Config, OwnPrice, in_ci, load_config
from promptopt.errors import ConfigError

FULL = """\
[project]
name = "shop"

[tool.promptopt]
prompts = "src/prompts"
suites = "evals"
model = "gpt-4o-mini"
price_as = "gpt-4o"
margin = 1
jobs = 4

[tool.promptopt.prices."my-model"]
input_mtok = 0.15
cache_read_mtok = 0
output_mtok = 1
"""


def test_every_key_is_read(project) -> None:
    project.write({"pyproject.toml": FULL})
    root = project.root.resolve()
    assert load_config() == Config(
        root=root,
        prompts=root / "src/prompts",
        suites=root / "evals",
        model="gpt-4o-mini",
        price_as="gpt-4o",
        margin=1.0,
        jobs=4,
        prices={"my-model": OwnPrice(Decimal("0.15"), Decimal(1), cache_read_mtok=Decimal(0))},
    )


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "[project]\nname = 'x'\n", "tool = 1\n"])
def test_without_the_table_the_defaults_hold(project, text: str) -> None:
    project.write({"pyproject.toml": text})
    root = project.root.resolve()
    assert load_config() == Config(root=root, prompts=root / "prompts", suites=root / "suites")


def test_the_nearest_file_above_holds(project) -> None:
    project.write({"pyproject.toml": "[tool.promptopt]\njobs = 3\n", "a/b/x": "", "a/pyproject.toml": ""})
    assert load_config(project.root / "a" / "b").jobs == 16
    assert load_config(project.root).jobs == 3


def test_without_a_file_the_current_folder_is_the_project(project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda self: False if self.name == "pyproject.toml" else self.exists())
    assert load_config() == Config(
        root=project.root.resolve(), prompts=project.root / "prompts", suites=project.root / "suites"
    )


def test_a_changed_file_is_read_again(project) -> None:
    import os

    for second, jobs in enumerate((1, 2)):
        project.write({"pyproject.toml": f"[tool.promptopt]\njobs = {jobs}\n"})
        os.utime(project.root / "pyproject.toml", (second, second))
        assert load_config().jobs == jobs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.promptopt]\njobs = 1\nmodle = 'x'\n", r":3: unknown key 'modle' .* Did you mean 'model'\?"),
        ("[tool.promptopt]\nzzz = 1\n", r":2: unknown key 'zzz'"),
        ("[tool.promptopt]\njobs = '4'\n", r":2: jobs = '4' is not of the right type"),
        ("[tool.promptopt]\njobs = true\n", r":2: jobs = True is not of the right type"),
        ("[tool.promptopt]\njobs = 1.5\n", r":2: jobs = 1\.5 is not of the right type"),
        ("[tool.promptopt]\njobs = 0\n", r":2: jobs = 0 is not a positive number"),
        ("[tool.promptopt]\nmargin = 0\n", r":2: margin = 0\.0 is not between 0 and 100"),
        ("[tool.promptopt]\nmargin = 100\n", r":2: margin = 100\.0 is not between"),
        ("[tool.promptopt]\nmargin = nan\n", r":2: margin = nan is not between"),
        ("[tool.promptopt]\nmodel = 1\n", r":2: model = 1 is not of the right type"),
        ("[tool.promptopt]\nprompts = ['a']\n", r":2: prompts = \['a'\] is not of the right type"),
        ("[tool]\npromptopt = 3\n", r":2: promptopt = 3 is not a table"),
        ("[tool.promptopt]\nprices = 3\n", r":2: prices = 3 is not a table"),
        ("[tool.promptopt.prices]\nx = 3\n", r':2: \[tool\.promptopt\.prices\."x"\] is not a table'),
        ("[tool.promptopt.prices.x]\ninput_mtok = 1\n", r":1: .* has no output_mtok"),
        ("[tool.promptopt.prices.x]\noutput_mtok = 1\n", r":1: .* has no input_mtok"),
        ("[tool.promptopt.prices.x]\ninput_mtok = 1\nouput_mtok = 1\n", r":3: .* Did you mean 'output_mtok'"),
        ("[tool.promptopt.prices.x]\ninput_mtok = -1\noutput_mtok = 1\n", r":2: input_mtok = -1 .* is not a price"),
        ("[tool.promptopt.prices.x]\ninput_mtok = '1'\noutput_mtok = 1\n", r":2: input_mtok = '1' .* is not a price"),
        (
            "[tool.promptopt.prices.x]\ninput_mtok = 1\noutput_mtok = 1\ncontext_window = 8.5\n",
            r":4: context_window = 8.5 .* is not a number of tokens",
        ),
        ("[tool.promptopt.prices.x]\ninput_mtok = true\noutput_mtok = 1\n", r":2: input_mtok = True"),
        ("[tool.promptopt.prices.x]\ninput_mtok = nan\noutput_mtok = 1\n", r":2: input_mtok = nan .* is not a price"),
        ("[tool.promptopt.prices.x]\ninput_mtok = 1\noutput_mtok = inf\n", r":3: output_mtok = inf .* is not a price"),
        ("[tool.promptopt\n", r": is not TOML: .*line 1"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_line(project, text: str, message: str) -> None:
    project.write({"pyproject.toml": text})
    with pytest.raises(ConfigError, match=rf"pyproject\.toml{message}"):
        load_config()


def test_a_file_that_is_not_utf_8_is_refused(project) -> None:
    project.write({"pyproject.toml": b"# caf\xe9\n"})
    with pytest.raises(ConfigError, match=r"pyproject\.toml: is not UTF-8"):
        load_config()


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("", False), ("0", False), ("False", False)]
)
def test_in_ci(monkeypatch, value, expected):
    monkeypatch.setenv("CI", value)
    assert in_ci() is expected
    monkeypatch.delenv("CI")
    assert not in_ci()
