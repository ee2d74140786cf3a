"""The cases of a config: variables read, transformed, expanded and filled in, with their asserts."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from jinja2 import TemplateError as JinjaError
from jinja2.meta import find_undeclared_variables

from promptopt.errors import SuiteError
from promptopt.functions import load_function
from promptopt.promptfoo.asserts import Asserts, code_name
from promptopt.promptfoo.chats import rendered_messages
from promptopt.promptfoo.document import ConfigFile, is_script, read_data, split_function
from promptopt.promptfoo.nunjucks import NunjucksEnvironment, has_template, render, to_jinja
from promptopt.promptfoo.nunjucks_values import js_text
from promptopt.promptfoo.prompts import expand_glob
from promptopt.promptfoo.providers import model_name
from promptopt.promptfoo.scripts import run_script
from promptopt.promptfoo.tests import default_test
from promptopt.scorers.transform import make_transform
from promptopt.suites import Case
from promptopt.suites.variables import FILE, read_file_variable
from promptopt.values import canonical_json, sha256_hex
from promptopt.yaml import line_of

PREFIX, SUFFIX = "promptfoo_prefix", "promptfoo_suffix"
"""Variables with what a test puts before and after each prompt."""

_WHOLE = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
_VIDEO = (".mp4", ".mov", ".webm", ".avi", ".mkv", ".m4v", ".mpeg", ".mpg")
_OPTIONS = ("provider", "rubricPrompt", "factuality", "transform")
# Options that are used here, or that concern promptfoo alone.
_USED = (
    "transformVars",
    "prefix",
    "suffix",
    "disableVarExpansion",
    "disableDefaultAsserts",
    "disableConversationVar",
    "postprocess",
    "repeat",
    "runSerially",
    "storeOutputAs",
)


@dataclass(frozen=True)
class ReadCase:
    """A case, and what of the config it is asked of.

    Attributes:
        providers: Names of the providers that are asked; ``None``: all. So it is with ``prompts``.
        provider: What is asked in the place of all of them.
        conversation: Cases of one conversation have this in common.
        store_as: The variable that the answer is to later tests (``storeOutputAs``); empty: none.
    """

    case: Case
    providers: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    provider: Any = None
    store_as: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)


class Cases:
    """Makes cases of tests. A test that cannot be read is left out with a note."""

    def __init__(self, document: ConfigFile, environment: NunjucksEnvironment, prompt: str) -> None:
        self._document, self._environment, self._prompt = document, environment, prompt
        self.asserts = Asserts(document, environment)
        self._names: dict[str, int] = {}

    @cached_property
    def _default(self) -> Mapping[str, Any]:
        return default_test(self._document)

    def of(self, tests: Sequence[Mapping[str, Any]]) -> list[ReadCase]:
        """The cases of all tests, in order."""
        found: list[ReadCase] = []
        for number, test in enumerate(tests, 1):
            shown = str(test.get("description") or number)
            with self._document.leaving_out(f"the test {shown[:60]!r}", test):
                found += self._cases(test)
        return found

    def _merged(self, test: Mapping[str, Any], key: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in (self._default.get(key), test.get(key)):
            if each is not None and not isinstance(each, Mapping):
                raise SuiteError(f"{key}: {str(each)[:60]!r} is not a mapping")
            found |= each or {}
        return found

    def _cases(self, test: Mapping[str, Any]) -> Iterator[ReadCase]:
        options, metadata = self._merged(test, "options"), self._merged(test, "metadata")
        variables = self._transformed(self._merged(test, "vars"), options)
        self._check_options(options, test)
        asserts = [] if options.get("disableDefaultAsserts") is True else self._list(self._default, "assert")
        asserts = [*asserts, *self._list(test, "assert")]
        threshold = test.get("threshold", self._default.get("threshold"))
        for suffix, expanded in self._expanded(variables, options):
            filled = self._filled(self._read(expanded))
            if (whole := _WHOLE.fullmatch(self._prompt.strip())) and isinstance(filled.get(whole[1]), str):
                # The prompt is a chat that the case brings.
                filled[whole[1]] = rendered_messages(filled[whole[1]])
            filled |= self._around(options, filled)
            case = Case(
                name=self._name(test, suffix, filled),
                vars=filled,
                asserts=tuple(self.asserts.of(asserts, filled)),
                threshold=None if threshold is None else min(1.0, max(0.0, float(threshold))),
                metadata=metadata,
                line=line_of(test),
                options=self._case_options(options),
            )
            yield ReadCase(
                case,
                self._filter(test, "providers"),
                self._filter(test, "prompts"),
                test.get("provider", self._default.get("provider")),
                str(options.get("storeOutputAs") or ""),
                test,
            )

    def _list(self, test: Mapping[str, Any], key: str) -> list[Any]:
        value = test.get(key)
        return list(value) if isinstance(value, list) else [] if value is None else [value]

    def _filter(self, test: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
        value = test.get(key, self._default.get(key))
        return None if value is None else tuple(map(str, value if isinstance(value, list) else [value]))

    def _check_options(self, options: Mapping[str, Any], test: Mapping[str, Any]) -> None:
        for key in options:
            if key not in (*_OPTIONS, *_USED):
                where = (
                    test.get("options")
                    if isinstance(test.get("options"), Mapping) and key in test["options"]
                    else self._default.get("options")
                )
                self._document.note("left out", f"the option `{key}` is not used", where, key)

    def _name(self, test: Mapping[str, Any], suffix: str, variables: Mapping[str, Any]) -> str:
        description = test.get("description")
        name = str(description) if description else f"case-{sha256_hex(canonical_json(_json(variables)))[:8]}"
        name += suffix
        self._names[name] = count = self._names.get(name, 0) + 1
        if count == 1:
            return name
        self._document.note("differs", f"several tests are named {name[:60]!r}: they are numbered", test)
        return f"{name} ({count})"

    def _transformed(self, variables: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        code = code_name(self._document, options.get("transformVars"))
        if not code:
            return variables
        found = make_transform(str(code), "vars")(dict(variables), {"prompt": {}, "uuid": "", "vars": dict(variables)})
        if not isinstance(found, Mapping):
            raise ValueError(f"transformVars returned {str(found)[:40]!r}, not variables by name")
        return {**variables, **found}

    def _expanded(
        self, variables: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """One case for each combination of the values of lists and patterns of files."""
        if options.get("disableVarExpansion") is True:
            yield "", dict(variables)
            return
        choices = {name: self._choices(value) for name, value in variables.items()}
        several = [name for name, values in choices.items() if len(values) > 1]
        for values in itertools.product(*choices.values()):
            chosen = dict(zip(choices, values, strict=True))
            shown = ", ".join(f"{name}={str(chosen[name])[:40]}" for name in several)
            yield f" [{shown}]" if shown else "", chosen

    def _choices(self, value: Any) -> list[Any]:
        if (
            isinstance(value, str)
            and value.startswith(FILE)
            and "*" in value
            and not self._document.find(value).exists()
        ):
            matches = expand_glob(self._document.folder, value.removeprefix(FILE))
            if not matches:
                raise ValueError(f"{value!r} matches no file")
            return [f"{FILE}{path}" for path in matches]
        # promptfoo looks at the first item only.
        return value if isinstance(value, list) and value and isinstance(value[0], str) else [value]

    def _read(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Variables with what their files hold; one newline at the end of a text is not part of it."""
        found = {name: self._variable(name, value, variables) for name, value in variables.items()}
        return {name: value.removesuffix("\n") if isinstance(value, str) else value for name, value in found.items()}

    def _variable(self, name: str, value: Any, others: Mapping[str, Any]) -> Any:
        if not isinstance(value, str) or not value.startswith(FILE):
            return value
        bare, function = split_function(str(self._document.with_env(value)))
        path = self._document.find(bare)
        if path.suffix == ".py":
            given = load_function(f"{FILE}{path}:{function or 'get_var'}")(name, self._prompt, dict(others))
            return self._output(name, given)
        if is_script(path.name):
            return self._output(name, run_script(path, function, [name, self._prompt, dict(others), {}]))
        if path.suffix in (".yaml", ".yml"):
            return json.dumps(read_data(path), ensure_ascii=False, separators=(",", ":"))
        if path.suffix.lower() in _VIDEO:
            return base64.b64encode(path.read_bytes()).decode()
        found = read_file_variable(path, value)
        if path.suffix.lower() == ".pdf":
            self._document.note("differs", f"the PDF {path.name} is sent as a file; promptfoo sends the text in it")
        return found.strip() if isinstance(found, str) else found

    def _output(self, name: str, given: Any) -> Any:
        if isinstance(given, Mapping):
            if given.get("error"):
                raise ValueError(f"the variable {name!r}: {given['error']}")
            given = given.get("output", given)
        return given.strip() if isinstance(given, str) else given

    def _filled(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Variables in variables, in the order of need; a text that names something else stays as it is."""
        needs: dict[str, set[str]] = {}
        for name, value in variables.items():
            if isinstance(value, str) and has_template(value):
                try:
                    used = find_undeclared_variables(self._environment.parse(to_jinja(value)))
                except (JinjaError, ValueError):
                    continue
                used -= self._environment.globals.keys()
                if used <= variables.keys():
                    needs[name] = used
        try:
            order = [name for name in TopologicalSorter(needs).static_order() if name in needs]
        except CycleError as error:
            raise ValueError(f"the variables {', '.join(sorted(set(error.args[1])))} lead back to themselves") from None
        for name in order:
            variables[name] = render(variables[name], variables, self._environment)
        return variables

    def _around(self, options: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
        given = {PREFIX: options.get("prefix"), SUFFIX: options.get("suffix")}
        return {name: render(str(text), variables, self._environment) for name, text in given.items() if text}

    def _case_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in _OPTIONS:
            value = options.get(key, options.get("postprocess") if key == "transform" else None)
            if value is None:
                continue
            if key == "provider":
                found[key] = model_name(self._document, value)
            elif key == "transform":
                found[key] = code_name(self._document, value)
                make_transform(str(found[key]))
            elif key == "rubricPrompt":
                found[key] = self._document.load_prompt(value)
            else:
                found[key] = self._document.load_all(value)
        return found


def _json(value: Any) -> Any:
    """A value as JSON has it, whatever code made it."""
    return json.loads(json.dumps(value, default=lambda other: str(js_text(other))))
