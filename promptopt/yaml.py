"""YAML as its author wrote it, with line numbers.

A plain scalar becomes a boolean, a number or null only if that value prints as the very characters in the file:
``yes``, ``on``, ``1e3``, ``007``, ``1.10`` and ``2026-01-01`` stay text, because they are labels far more often than
anything else. That is YAML 1.2's core schema less its surprises.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from promptopt.errors import InputError

if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    # The C loader is some ten times faster; a build without libyaml still works.
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Located(dict[str, Any]):
    """A mapping that knows its lines, counted from 1.

    Attributes:
        line: Where the mapping begins.
        lines: The line of each of its keys.
    """

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


def line_of(mapping: object, key: str | None = None) -> int | None:
    """The line of a mapping or of a key in it; ``None`` for one that did not come out of a YAML file."""
    if not isinstance(mapping, Located):
        return None
    return mapping.lines.get(key, mapping.line) if key else mapping.line


_DEEPEST = 500


class _TooDeep(Exception):
    """A document is nested deeper than any that is meant."""


class _Loader(_SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML declares it
    # Nothing but what JSON has: other tags (!!timestamp, !!binary, !!set, ...) are errors.
    yaml_constructors = {  # noqa: RUF012 - as PyYAML declares it
        tag: constructor
        for tag, constructor in _SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("null", "bool", "str")
    }
    first_line = 1
    depth = 0

    # Called around each node as it is composed, by libyaml's loader too: it recurses, and would overrun its stack.
    def descend_resolver(self, *_: Any) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _TooDeep

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> Located:
    written = {id(key) for key, _ in node.value}
    loader.flatten_mapping(node)
    result = Located(node.start_mark.line + loader.first_line)
    own: set[str] = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            key = str(key_node.value)
        # A key that is written here replaces one that `<<` brought.
        if id(key_node) in written:
            if key in own:
                message = f"the key {key!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
            own.add(key)
        result[key] = loader.construct_object(value_node, deep=True)
        result.lines[key] = key_node.start_mark.line + loader.first_line
    return result


def _construct_sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _construct_number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    kind = int if node.tag.endswith(":int") else float
    try:
        value = kind(node.value)
        # More digits than a float holds are no number but a label.
        return value if str(value) == node.value else loader.construct_scalar(node)
    except ValueError:
        return loader.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _construct_sequence)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_number)
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"0|-?[1-9][0-9]*", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)\.(?:0|[0-9]*[1-9])", "-0123456789"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def load_yaml(text: str, path: Path | str, *, error: type[InputError] = InputError, first_line: int = 1) -> Any:
    """The value of a YAML text; its mappings are :class:`Located`.

    Args:
        path: The file, for messages.
        error: The error to raise.
        first_line: The line of the file that the text begins on.

    Raises:
        InputError: The text is not YAML, or a mapping has a key twice.
    """
    loader = _Loader(text)
    loader.first_line = first_line
    try:
        return loader.get_single_data()
    except (_TooDeep, yaml.MarkedYAMLError) as problem:
        # libyaml's scanner, which reads ahead, has a limit of its own.
        if isinstance(problem, _TooDeep) or "nesting depth" in str(problem.problem):
            raise error(f"is nested deeper than {_DEEPEST} levels", path=path, line=first_line) from None
        mark = problem.problem_mark or problem.context_mark
        line = first_line + mark.line if mark else None
        raise error(f"is not YAML: {problem.problem or problem.context}", path=path, line=line) from None
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise error(f"is not YAML: {str(problem).splitlines()[0]}", path=path, line=first_line) from None
    finally:
        loader.dispose()
