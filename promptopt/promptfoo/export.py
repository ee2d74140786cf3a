"""A config as files of this project: prompts, suites, and tables of providers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import TemplateError as JinjaError
from jinja2 import nodes

from promptopt.errors import SuiteError, UsageError
from promptopt.files import replace_files, show_path
from promptopt.promptfoo.document import plain
from promptopt.promptfoo.evaluation import ComparedPart, Evaluation
from promptopt.promptfoo.nunjucks import MADE_PATTERN, STRICT
from promptopt.suites import Assertion, Case, Suite
from promptopt.suites.variables import FILE
from promptopt.templates import Template
from promptopt.templates.environment import PromptEnvironment
from promptopt.values import Media


def write_project(evaluation: Evaluation, folder: Path, *, replace: bool = False) -> list[str]:
    """Write the files below a folder and say which.

    Raises:
        UsageError: A file is there already, and ``replace`` is false; nothing is written.
        SuiteError: A prompt is written by code, or prints the environment of this machine, which no file holds.
    """
    files = dict(_files(evaluation, folder))
    there = [path for path in files if path.exists()]
    if there and not replace:
        raise UsageError(f"{show_path(there[0])} exists: name another folder with -o, or pass --force")
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_files(files)
    return [show_path(path) for path in files]


def _files(evaluation: Evaluation, folder: Path) -> Iterator[tuple[Path, str]]:
    written: set[str] = set()
    if functions := [prompt.name for prompt in evaluation.prompts if prompt.function]:
        raise SuiteError(
            f"the prompt {functions[0]!r} is written by code for each case, which no file holds",
            remedy="`promptopt compare -c` runs it; or write the prompt as a template",
        )
    for part in evaluation.parts:
        for template in part.templates:
            path = folder / "prompts" / template.origin.prompt / f"{template.origin.version or 'v1'}.j2"
            if str(path) not in written:
                written.add(str(path))
                yield path, prompt_text(template)
        suite = folder / "suites" / f"{part.suite.name}.yaml"
        yield suite, _suite(part.suite, default_variables(evaluation, part), suite.parent)
    tables = {provider.table[0]: provider.table[1] for provider in evaluation.providers if provider.table}
    if tables:
        name = "providers.toml" if (folder / "pyproject.toml").exists() else "pyproject.toml"
        yield folder / name, _toml(tables)


def prompt_text(template: Template) -> str:
    """The source of its file; what Jinja2 has under another name has that.

    Raises:
        SuiteError: It has what only Nunjucks knows.
    """
    source = template.source.replace("| dump", "| tojson").replace("|dump", "|tojson").rstrip("\n") + "\n"
    source = source.replace(f"== {STRICT} ==", "==").replace(f"!= {STRICT} !=", "!=")
    try:
        PromptEnvironment(None).from_string(source)
        why = "it has a pattern such as r/x/g" if MADE_PATTERN in source else ""
    except JinjaError as error:
        why = str(error)
    if why:
        raise SuiteError(
            f"the prompt {template.origin.prompt!r} is a template that only Nunjucks reads: {why}",
            remedy="`promptopt compare -c` runs it; or write the prompt as a template of Jinja2",
        )
    return source


def _environment(template: Template, known: Mapping[str, str]) -> set[str]:
    """The names under ``env`` that a prompt prints.

    Raises:
        SuiteError: One of them is not set in the config: what this machine has under it is not written into a file.
    """
    tree = PromptEnvironment(None).parse(prompt_text(template))
    found: dict[int, object] = {id(name): None for name in tree.find_all(nodes.Name) if name.name == "env"}
    for node in tree.find_all(nodes.Getattr):
        found |= {id(node.node): node.attr} if id(node.node) in found else {}
    for item in tree.find_all(nodes.Getitem):
        found |= {id(item.node): getattr(item.arg, "value", None)} if id(item.node) in found else {}
    for name in found.values():
        if name not in known:
            raise SuiteError(
                f"the prompt {template.origin.prompt!r} prints {f'env.{name}' if name else 'env'}, which the config "
                "does not set",
                remedy="set it under `env` in the config, or write it as a variable of the tests",
            )
    return {str(name) for name in found.values()}


def default_variables(evaluation: Evaluation, part: ComparedPart) -> dict[str, Any]:
    """What a suite gives all its cases: empty texts for what promptfoo prints nothing for, and the config's ``env``.

    Raises:
        SuiteError: A prompt prints a variable of this machine's environment.
    """
    names = sorted({name for template in part.templates for name in template.variables()} - {"_conversation"})
    cases = part.suite.cases
    given: dict[str, Any] = {
        name: "" for name in names if name.isidentifier() and any(name not in case.vars for case in cases)
    }
    asked = sorted({name for template in part.templates for name in _environment(template, evaluation.env)})
    return {**given, "env": {name: evaluation.env[name] for name in asked}} if asked else given


def _suite(suite: Suite, given: Mapping[str, Any], folder: Path) -> str:
    cases = suite.cases
    document: dict[str, Any] = {"defaultTest": {"vars": dict(given)}} if given else {}
    if suite.derived:
        document["derivedMetrics"] = [{"name": each.name, "value": each.value} for each in suite.derived]
    document["tests"] = [_test(case, folder) for case in cases]
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _test(case: Case, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"description": case.name, "vars": _variables(case.vars)}
    options = dict(plain(case.options))
    if any(isinstance(value, list) for value in case.vars.values()):
        options["disableVarExpansion"] = True
    if options:
        found["options"] = _relative(options, folder)
    if case.turns:
        found["turns"] = [
            {"vars": _variables(turn.vars), "assert": [_assert(each, folder) for each in turn.asserts]}
            for turn in case.turns
        ]
    if case.asserts:
        found["assert"] = [_assert(assertion, folder) for assertion in case.asserts]
    if case.threshold is not None:
        found["threshold"] = case.threshold
    if case.metadata:
        found["metadata"] = plain(case.metadata)
    return found


def _variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in variables.items():
        if isinstance(value, Media):
            raise SuiteError(
                f"the variable {name!r} is {value.name or value.media_type}, which is not written into a suite"
            )
        found[name] = (
            f"{{% raw %}}{value}{{% endraw %}}" if isinstance(value, str) and _names(value, variables) else plain(value)
        )
    return found


def _names(text: str, variables: Mapping[str, Any]) -> bool:
    """Whether braces in a text would name a variable of the case."""
    return "{{" in text and any(name in text for name in variables)


def _assert(assertion: Assertion, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"type": assertion.name}
    if assertion.value is not None:
        found["value"] = _relative(plain(assertion.value), folder)
    if assertion.threshold is not None:
        found["threshold"] = assertion.threshold
    if assertion.weight != 1:
        found["weight"] = assertion.weight
    if assertion.metric:
        found["metric"] = assertion.metric
    return {**found, **_relative(plain(assertion.options), folder)}


def _relative(value: Any, folder: Path) -> Any:
    """Values in which files are named from the suite's folder."""
    if isinstance(value, str) and value.startswith(f"{FILE}/"):
        return FILE + os.path.relpath(value.removeprefix(FILE), folder.absolute())
    if isinstance(value, list):
        return [_relative(item, folder) for item in value]
    if isinstance(value, Mapping):
        return {key: _relative(item, folder) for key, item in value.items()}
    return value


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, as people write them; every other text in quotes where YAML needs them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    block = "\n" in text and not any(line != line.rstrip() for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _text)


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The tables as pyproject.toml has them."""
    blocks = []
    for name, table in tables.items():
        lines = [
            f"[tool.promptopt.providers.{name}]",
            *(f"{key} = {toml_value(value)}" for key, value in table.items()),
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML writes it, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
