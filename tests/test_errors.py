"""Errors say what, where, and what to do."""

import pkgutil
import re
from importlib import import_module

import pytest

import promptopt
from promptopt import errors
from promptopt.errors import InputError, MissingExtra, PromptoptError, ProviderUnusable, did_you_mean


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "is wrong"),
        ({"path": "a.yaml"}, "a.yaml: is wrong"),
        ({"path": "a.yaml", "line": 3}, "a.yaml:3: is wrong"),
        ({"path": "a.yaml", "line": 3, "remedy": "fix it"}, "a.yaml:3: is wrong\n  fix it"),
        ({"line": 3, "remedy": "fix it"}, "is wrong\n  fix it"),
    ],
)
def test_an_input_error_names_file_line_and_remedy(options, text) -> None:
    error = InputError("is wrong", **options)
    assert str(error) == text
    assert (error.message, error.path, error.line) == ("is wrong", options.get("path"), options.get("line"))


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    assert str(MissingExtra("xllamacpp", "local", "the model local:smollm2")) == (
        "the model local:smollm2 needs the package 'xllamacpp', which is not installed. "
        "Install it: pip install 'promptopt-llm[local]'"
    )


@pytest.mark.parametrize(
    ("bad", "hint"),
    [("modle", " Did you mean 'model'?"), ("temprature", " Did you mean 'temperature'?"), ("zzz", ""), ("", "")],
)
def test_close_names_are_suggested_and_far_ones_are_not(bad: str, hint: str) -> None:
    assert did_you_mean(bad, ["model", "temperature"]) == hint


def exceptions() -> dict[str, type[Exception]]:
    """Every exception with a public name that a module of the package defines."""
    modules = [module.name for module in pkgutil.walk_packages(promptopt.__path__, "promptopt.")]
    return {
        name: kind
        for module in modules
        if module != "promptopt.__main__"
        for name, kind in vars(import_module(module)).items()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module and name[0] != "_"
    }


def drawn() -> dict[str, str]:
    """The parent of each error in the drawings."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([ │]*)(?:[├└]── )?([A-Z]\w+)(?: |$)", line):
            depth = len(found[1]) // 4 + ("──" in line)
            above[depth:] = [found[2]]
            if depth:
                parents[found[2]] = above[depth - 1]
    return parents


def test_an_error_that_a_caller_sees_leaves_with_2_unless_all_calls_failed() -> None:
    for kind in exceptions().values():
        if issubclass(kind, PromptoptError):
            assert kind.exit_code == (errors.INCOMPLETE if kind is errors.NothingAnswered else 2)


def test_the_drawing_holds_every_exception_of_the_package_with_its_parent() -> None:
    real = {name: kind.__bases__[0].__name__ for name, kind in exceptions().items() if kind is not PromptoptError}
    real["ValueError"] = "Exception"
    assert drawn() == real


def test_an_endpoint_that_cannot_be_used_is_an_endpoint_that_did_not_answer() -> None:
    assert issubclass(ProviderUnusable, errors.ProviderError)
