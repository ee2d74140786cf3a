"""Errors say what, where, and what to do."""

import inspect
import re

import pytest

from promptopt import errors
from promptopt.errors import InputError, MissingExtra, PromptoptError, ProviderUnusable, did_you_mean


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "is wrong"),
        ({"path": "a.yaml"}, "a.yaml: is wrong"),
        ({"path": "a.yaml", "line": 3}, "a.yaml:3: is wrong"),
        ({"path": "a.yaml", "line": 3, "remedy": "mend it"}, "a.yaml:3: is wrong\n  mend it"),
        ({"line": 3, "remedy": "mend it"}, "is wrong\n  mend it"),
    ],
)
def test_an_input_error_names_file_line_and_remedy(options, text) -> None:
    error = InputError("is wrong", **options)
    assert str(error) == text
    assert (error.message, error.path, error.line) == ("is wrong", options.get("path"), options.get("line"))


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    assert str(MissingExtra("xllamacpp", "local", "the model local:smollm2")) == (
        "the model local:smollm2 needs the package 'xllamacpp', which is not installed. "
        "Install it: pip install 'promptopt[local]'"
    )


@pytest.mark.parametrize(
    ("bad", "hint"),
    [("modle", " Did you mean 'model'?"), ("temprature", " Did you mean 'temperature'?"), ("zzz", ""), ("", "")],
)
def test_close_names_are_suggested_and_far_ones_are_not(bad: str, hint: str) -> None:
    assert did_you_mean(bad, ["model", "temperature"]) == hint


def test_every_error_is_one_class_to_catch_and_leaves_with_2() -> None:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, Exception):
            assert issubclass(kind, PromptoptError)
            assert kind.exit_code == 2


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn = re.findall(r"^[ │├└─]+([A-Z]\w+) {2,}", errors.__doc__ or "", re.MULTILINE)
    real = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PromptoptError)]
    assert sorted(drawn) == sorted(real)


def test_an_endpoint_that_cannot_be_used_is_an_endpoint_that_did_not_answer() -> None:
    assert issubclass(ProviderUnusable, errors.ProviderError)
