"""What variables and values as written become: texts of the files that they name, and variables in variables."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from promptopt.errors import SuiteError
from promptopt.files import decode, show_path
from promptopt.media import is_media_file, read_media
from promptopt.values import Media
from promptopt.yaml import load_yaml

FILE = "file://"
# As much as says what a file is.
_BEGINNING = 2048
_CODE = frozenset({".py", ".js", ".ts", ".mjs", ".cjs"})
_DATA = frozenset({".yaml", ".yml", ".json"})


def is_file(value: object) -> bool:
    """Whether a value names a file."""
    return isinstance(value, str) and value.startswith(FILE)


def find_file(reference: str, folders: tuple[Path, ...]) -> Path:
    """The file that a ``file://`` names, in the first of the folders that has it; a ``:function`` after it stays."""
    name = reference.removeprefix(FILE)
    bare = re.sub(r":\w+$", "", name)
    return next((folder / name for folder in folders if (folder / bare).exists()), folders[0] / name)


def expand_patterns(value: Any, folders: tuple[Path, ...]) -> Any:
    """A ``file://`` with ``*`` as the list of those that match; anything else, and each item of a list, as it is.

    Raises:
        ValueError: A pattern matches no file.
    """
    if isinstance(value, list):
        found = [(item, expand_patterns(item, folders)) for item in value]
        return [new for item, many in found for new in (many if is_file(item) and isinstance(many, list) else [many])]
    if not is_file(value) or "*" not in value or find_file(value, folders).exists():
        return value
    if value.startswith((f"{FILE}/", f"{FILE}~")):
        raise ValueError(f"{value!r}: a pattern is relative to the suite's folder")
    for folder in folders:
        if matches := sorted(folder.glob(value.removeprefix(FILE))):
            return [f"{FILE}{match.relative_to(folder).as_posix()}" for match in matches]
    raise ValueError(f"{value!r} matches no file")


def read_variable(value: Any, folders: tuple[Path, ...]) -> Any:
    """A variable's value; of a ``file://`` the file's text, or the image, sound or PDF that it is; of a list each item.

    Raises:
        ValueError: The file is code, cannot be read, or is not what its name says.
    """
    if isinstance(value, list):
        return [read_variable(item, folders) for item in value]
    return read_file_variable(find_file(value, folders), value) if is_file(value) else value


def read_file_variable(path: Path, reference: str) -> str | Media:
    """The value of a variable that names a file: an image, a sound or a PDF by its type, else its text.

    Raises:
        ValueError: The file is code, cannot be read, or is not what its name says.
    """
    if path.suffix.lower() not in _CODE and path.is_file():
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
        if is_media_file(path.name, beginning):
            return read_media(path)
    return _text(path, reference)


def read_value(value: Any, folders: tuple[Path, ...]) -> Any:
    """An assert's value; of a ``file://`` what YAML or JSON says, else the file's text without white space around it.

    Raises:
        ValueError: The file is code, or cannot be read.
        SuiteError: It is not YAML.
    """
    if isinstance(value, list):
        return [read_value(item, folders) for item in value]
    if not is_file(value):
        return value
    path = find_file(value, folders)
    text = _text(path, value)
    return load_yaml(text, show_path(path), error=SuiteError) if path.suffix.lower() in _DATA else text.strip()


def read_prompt(reference: str, folders: tuple[Path, ...]) -> Any:
    """As :func:`read_value`; a file that is JSON or YAML only once its variables are filled in is its text."""
    try:
        return read_value(reference, folders)
    except SuiteError:
        text = _text(find_file(reference, folders), reference)
        if "{%" in text or "{{" in text:
            return text.strip()
        raise


def _text(path: Path, reference: str) -> str:
    if path.suffix.lower() in _CODE:
        raise ValueError(f"{reference!r}: code is not run to make a value")
    try:
        return decode(path.read_bytes(), show_path(path), SuiteError)
    except OSError as error:
        raise ValueError(f"{reference!r} cannot be read: {error.strerror}") from None


def render_variables(
    variables: Mapping[str, Any], data: Collection[str] = ()
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Variables with variables filled in, and the names of those that have braces but name no variable of the case.

    A text that names none is not a template: texts about templates stay as they are.

    Args:
        data: Variables that stay as they are, whatever is in them.

    Raises:
        ValueError: A text names a variable that is not there beside one that is, or they lead back to themselves.
    """
    texts = {name: value for name, value in variables.items() if isinstance(value, str) and name not in data}
    written = [name for name, value in texts.items() if "{{" in value or "{%" in value]
    if not written:
        return variables, ()
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.meta import find_undeclared_variables
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    needs: dict[str, set[str]] = {}
    for name in written:
        try:
            needed = find_undeclared_variables(environment.parse(variables[name])) & variables.keys()
        except TemplateError:
            continue
        if needed:
            needs[name] = needed
    rendered = dict(variables)
    try:
        order = [name for name in TopologicalSorter(needs).static_order() if name in needs]
    except CycleError as error:
        names = ", ".join(sorted(set(error.args[1])))
        raise ValueError(f"the variables {names} lead back to themselves; {{% raw %}} keeps braces as text") from None
    for name in order:
        try:
            rendered[name] = environment.from_string(variables[name]).render(rendered)
        except Exception as error:  # noqa: BLE001 - what a template computes may raise anything
            raise ValueError(f"the variable {name!r}: {error}") from None
    return rendered, tuple(name for name in written if name not in needs)


def fill(value: Any, variables: Mapping[str, Any]) -> Any:
    """A value of a case with ``{{ variables }}`` filled into all its texts.

    Raises:
        ValueError: A text names a variable that is not there.
    """
    return _filled(value, variables, _Filling())


def fill_expected(value: Any, variables: Mapping[str, Any], *, whole: bool = True, code: bool = False) -> Any:
    """The value of an assert with variables filled in: true, false, null and whole numbers as JSON has them.

    Args:
        whole: A text that is one variable, which is a list or a mapping, is that list or mapping.
        code: It is Python, which writes them otherwise.

    Raises:
        ValueError: A text names a variable that is not there.
    """
    if whole and isinstance(value, str) and (one := _ONE.fullmatch(value)):
        found = variables.get(one[1])
        if isinstance(found, list | Mapping):
            return found
    return _filled(value, variables, _Filling(as_json=not code, keep_trailing_newline=False))


_ONE = re.compile(r"\s*\{\{-?\s*([A-Za-z_]\w*)\s*-?\}\}\s*")


class _Filling(NamedTuple):
    as_json: bool = False
    keep_trailing_newline: bool = True


def _filled(value: Any, variables: Mapping[str, Any], filling: _Filling) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(item, variables, filling) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables, filling) for item in value]
    if not isinstance(value, str) or not has_template(value):
        return value
    try:
        return _template(value, filling).render(variables)
    except Exception as error:  # noqa: BLE001 - what a template computes may raise anything
        raise ValueError(f"{value!r}: {error}") from None


def has_template(value: object) -> bool:
    """Whether there is something to fill in, in a value or in what it holds."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(map(has_template, value.values()))
    return isinstance(value, list) and any(map(has_template, value))


@lru_cache(maxsize=1024)
def _template(text: str, filling: _Filling) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=filling.keep_trailing_newline,
        finalize=_json_name if filling.as_json else None,
    )
    return environment.from_string(text)


def _json_name(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e21
    return int(value) if whole else value
