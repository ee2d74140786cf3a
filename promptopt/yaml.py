"""YAML as its author wrote it, with line numbers.

A plain scalar becomes a boolean, a number or null only where that value prints as the very characters in the file:
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
        lines: Where each of its keys stands.
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


class _Loader(_SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML declares it
    first_line = 1


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> Located:
    loader.flatten_mapping(node)
    result = Located(node.start_mark.line + loader.first_line)
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            key = str(key_node.value)
        if key in result:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} appears twice", key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
        result.lines[key] = key_node.start_mark.line + loader.first_line
    return result


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
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
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = first_line + mark.line if mark else None
        raise error(f"is not YAML: {problem.problem or problem.context}", path=path, line=line) from None
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise error(f"is not YAML: {str(problem).splitlines()[0]}", path=path, line=first_line) from None
    finally:
        loader.dispose()
