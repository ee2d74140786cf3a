"""The cases of a suite as a data set. What is written is read again: a case that it does not say is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from promptopt.errors import SuiteError, UsageError
from promptopt.files import show_path
from promptopt.suites.case import Assertion, Case, Suite
from promptopt.suites.datasets import SEVERAL
from promptopt.suites.load import load_suite
from promptopt.suites.table import split_list
from promptopt.suites.variables import fill_expected
from promptopt.values import Media

EXPORT_FORMATS = ("csv", "inspect", "jsonl", "langfuse", "openai-evals")

_OWN = ("csv", "jsonl")
_ONE_OF = {"contains": "contains-any", "icontains": "icontains-any"}


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """A suite as a data set.

    Attributes:
        text: The file.
        tests: What ``tests`` of a suite says to read it again; empty for a file that is a suite itself.
        moved: Variables that are metadata now, because the format has one input.
    """

    text: str
    tests: Mapping[str, str]
    moved: tuple[str, ...]


def export_suite(suite: Suite, form: str, target: Path, *, of_input: str = "input") -> DatasetFile:
    """A suite in the format of a data set.

    Args:
        form: One of :data:`EXPORT_FORMATS`.
        target: The file that it is for; it is not written.
        of_input: The variable that is the input, for the formats that have one: inspect and OpenAI evals.

    Raises:
        SuiteError: A case is not what it was when the file is read again.
        UsageError: The format is unknown, or the file's ending is not one that it has.
    """
    if form not in EXPORT_FORMATS:
        raise UsageError(f"format {form!r} is unknown; formats: {', '.join(EXPORT_FORMATS)}")
    ending = ".csv" if form == "csv" else ".jsonl"
    if target.suffix != ending:
        raise UsageError(f"{show_path(target)} does not end in {ending}, which {form} is written in")
    cases, kind = suite.cases, ""
    moved: tuple[str, ...] = ()
    if form not in _OWN:
        kinds = sorted({_ONE_OF.get(each.name, each.name) for case in cases for each in case.asserts})
        kind = kinds[0] if kinds else "contains-any"
        cases = tuple(_filled(case, kind, form, suite) for case in cases)
        if form != "langfuse":
            kept = {"input", "choices" if form == "inspect" else "system"}
            moved = tuple(dict.fromkeys(name for case in cases for name in case.vars if name not in {of_input, *kept}))
            cases = tuple(_of_one_input(case, of_input, kept, suite) for case in cases)
    rows = [_ROWS[form](case) for case in cases]
    text = _csv(rows) if form == "csv" else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    tests = {} if form in _OWN else {"path": target.name, "format": form, "assert": kind}
    _compare(suite, cases, _read(text, tests, target, suite), form)
    return DatasetFile(text, tests, moved)


def _refuse(suite: Suite, case: Case, message: str, remedy: str | None = None) -> SuiteError:
    return SuiteError(f"case {case.name!r}: {message}", path=show_path(suite.path), line=case.line, remedy=remedy)


def _filled(case: Case, kind: str, form: str, suite: Suite) -> Case:
    """The case with the variables filled into the one assert that it has."""
    kinds = [_ONE_OF.get(each.name, each.name) for each in case.asserts]
    if kinds not in ([], [kind]):
        raise _refuse(
            suite,
            case,
            f"its asserts are {', '.join(kinds)}; {form} says one expected answer a case, in all by `{kind}`",
            "jsonl says all asserts",
        )
    try:
        asserts = tuple(
            replace(
                each,
                type=kind.removeprefix("not-"),
                value=_values(kind, fill_expected(each.value, case.vars), in_one=each.type in _ONE_OF),
            )
            for each in case.asserts
        )
    except ValueError as error:
        raise _refuse(suite, case, str(error)) from None
    return replace(case, asserts=asserts)


def _values(kind: str, value: Any, *, in_one: bool) -> Any:
    """The texts that an assert compares with: in a list if it takes several, each once. One text may list them."""
    if not SEVERAL.fullmatch(kind):
        return value
    if not isinstance(value, list):
        value = split_list(str(value)) if kind.endswith(("-any", "-all")) and not in_one else [value]
    return list(dict.fromkeys(map(str, value)))


def _of_one_input(case: Case, of_input: str, kept: Iterable[str], suite: Suite) -> Case:
    if of_input not in case.vars:
        known = f"its variables are {', '.join(case.vars)}"
        raise _refuse(suite, case, f"has no variable {of_input!r}", f"--input names the one that is the input; {known}")
    variables = {"input": case.vars[of_input]}
    metadata = dict(case.metadata)
    for name, value in case.vars.items():
        if name == of_input:
            continue
        place = variables if name in kept else metadata
        if name in place:
            raise _refuse(suite, case, f"the variable {name!r} has the name of another part of the row")
        place[name] = value
    return replace(case, vars=variables, metadata=metadata)


def _jsonl(case: Case) -> dict[str, Any]:
    options = dict(case.options)
    if any(isinstance(value, list) for value in case.vars.values()):
        options["disableVarExpansion"] = True
    row = {"description": case.name, "vars": _plain(case.vars), "assert": [_assert(each) for each in case.asserts]}
    further = {"threshold": case.threshold, "metadata": dict(case.metadata), "options": options}
    return row | {key: value for key, value in further.items() if value not in (None, {})}


def _assert(assertion: Assertion) -> dict[str, Any]:
    found = {"type": assertion.name, "value": assertion.value, "threshold": assertion.threshold}
    found |= {"metric": assertion.metric, "weight": None if assertion.weight == 1 else assertion.weight}
    return {key: value for key, value in found.items() if value is not None} | dict(assertion.options)


def _columns(case: Case) -> dict[str, Any]:
    """A row of CSV. What a cell cannot say is seen when it is read again."""
    cells = {"__description": case.name, **_plain(case.vars)}
    for number, each in enumerate(case.asserts, 1):
        threshold = "" if each.threshold is None else f"({each.threshold:g})"
        value = each.value
        if isinstance(value, list):
            value = ", ".join('"' + str(item).replace("\\", "\\\\").replace('"', '""') + '"' for item in value)
        elif isinstance(value, Mapping):
            value = json.dumps(value, ensure_ascii=False)
        cells[f"__expected{number}"] = f"{each.name}{threshold}" + ("" if value is None else f": {value}")
    if case.threshold is not None:
        cells["__threshold"] = case.threshold
    metrics = {each.metric for each in case.asserts} - {None}
    return (
        cells
        | ({"__metric": metrics.pop()} if metrics else {})
        | {f"__metadata:{k}": v for k, v in case.metadata.items()}
    )


def _csv(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _sample(case: Case) -> dict[str, Any]:
    return {
        **_plain(case.vars),
        "target": _expected(case) if case.asserts else "",
        "id": case.name,
        "metadata": dict(case.metadata),
    }


def _evals(case: Case) -> dict[str, Any]:
    variables = _plain(case.vars)
    chat = [("system", variables["system"])] if "system" in variables else []
    messages = [{"role": role, "content": text} for role, text in (*chat, ("user", variables["input"]))]
    given = messages if all(isinstance(each["content"], str) for each in messages) else variables["input"]
    return {"input": given, "ideal": _expected(case), "id": case.name, "metadata": dict(case.metadata)}


def _item(case: Case) -> dict[str, Any]:
    given = {"id": case.name, "input": _plain(case.vars), "expectedOutput": _expected(case)}
    return given | {"metadata": dict(case.metadata)}


_ROWS = {"csv": _columns, "inspect": _sample, "jsonl": _jsonl, "langfuse": _item, "openai-evals": _evals}


def _expected(case: Case) -> Any:
    if not case.asserts:
        return None
    assertion = case.asserts[0]
    one = SEVERAL.fullmatch(assertion.type) and isinstance(assertion.value, list) and len(assertion.value) == 1
    return assertion.value[0] if one else assertion.value


def _plain(variables: Mapping[str, Any]) -> dict[str, Any]:
    media = [name for name, value in variables.items() if isinstance(value, Media)]
    if media:
        raise SuiteError(f"the variable {media[0]!r} is a picture, a sound or a PDF, which is not written into a row")
    return dict(variables)


def _read(text: str, tests: Mapping[str, str], target: Path, suite: Suite) -> tuple[Case, ...]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / target.name
        path.write_text(text, encoding="utf-8", newline="")
        if tests:
            path = path.with_name("suite.json")
            path.write_text(json.dumps({"tests": tests}), encoding="utf-8")
        try:
            return load_suite(path).cases
        except SuiteError as error:
            message = f"{target.name} would not be read again: {error.message}"
            if error.line and tests:
                # A row for each case, on a line of its own.
                raise _refuse(suite, suite.cases[error.line - 1], message, "jsonl says the most") from None
            raise SuiteError(message, path=show_path(suite.path), remedy=error.remedy) from None


def _compare(suite: Suite, cases: tuple[Case, ...], again: tuple[Case, ...], form: str) -> None:
    if len(cases) != len(again):
        raise SuiteError(f"{len(cases)} cases would be {len(again)} in {form}", path=show_path(suite.path))
    for case, other in zip(cases, again, strict=True):
        if form not in _OWN:
            filled = (replace(each, value=fill_expected(each.value, other.vars)) for each in other.asserts)
            other = replace(other, asserts=tuple(filled))  # noqa: PLW2901 - the same case with its texts as they are compared
        before, after = _said(case), _said(other)
        for part, value in before.items():
            if after[part] != value:
                message = f"{part} {value!r:.120} would be {after[part]!r:.120} in {form}"
                raise _refuse(suite, case, message, "jsonl says the most" if form != "jsonl" else None)


def _said(case: Case) -> dict[str, Any]:
    """The parts of a case, without its lines in the file."""
    options = {key: value for key, value in case.options.items() if key != "disableVarExpansion"}
    return {
        "description": case.name,
        "vars": dict(case.vars),
        "assert": [_assert(each) for each in case.asserts],
        "threshold": case.threshold,
        "metadata": dict(case.metadata),
        "options": options,
        "turns": case.turns,
        "tool_results": case.tool_results,
        "max_steps": case.max_steps,
    }
