"""YAML as its author wrote it, with line numbers.

A plain scalar becomes a boolean, a number or null only if that value prints as the very characters in the file:
``yes``, ``on``, ``1e3``, ``007``, ``1.10`` and ``2026-01-01`` stay text, because they are labels far more often than
anything else. That is YAML 1.2's core schema less its surprises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import yaml
from yaml.composer import Composer, ComposerError

from promptopt.errors import InputError
from promptopt.files import decode, show_path

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


# JSON writes 😀 as two escapes, which YAML knows only as one character.
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")


def load_json(text: str, path: Path | str, *, error: type[InputError] = InputError) -> Any:
    """As :func:`load_yaml`, for a text that is JSON: this loader knows lines."""
    return load_yaml(_joined(text), path, error=error)


def _joined(text: str) -> str:
    if "\\u" not in text:
        return text
    return _SURROGATES.sub(lambda match: str(match[1]) + str(json.loads(f'"{match[2]}"')), text)


class LongList:
    """A list in a file that is too long for memory: each pass over it reads the file, one item at a time."""

    def __init__(self, path: Path, key: str, error: type[InputError]) -> None:
        self._path, self._key, self._error = path, key, error

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            with _open(self._path) as file:
                walker = _Walker(file)
                walker.go_to(self._key)
                for item in walker.items():
                    yield item
                    count += 1
        except _UNREAD:
            # The error of the whole says what is wrong.
            document = _load_whole(self._path, self._error)
            yield from islice(document if isinstance(document, list) else document[self._key], count, None)


def load_long(path: Path, key: str, *, error: type[InputError] = InputError) -> Any:
    """The value of a YAML or JSON file, in which a long list is not in memory.

    A file that is a list is a :class:`LongList`, and so is the list that ``key`` has in a file that is a mapping. Other
    parts are read whole; all of it is, if another part has an alias of an anchor in the list.

    Raises:
        InputError: The file cannot be read, or is not YAML; as :func:`load_yaml`.
    """
    try:
        with _open(path) as file:
            walker = _Walker(file)
            node, found = walker.document(key)
            document: Any = None if node is None else walker.construct_document(node)
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", path=show_path(path)) from None
    except _UNREAD:
        return _load_whole(path, error)
    if not found:
        return document
    listed = LongList(path, key, error)
    if isinstance(document, list):
        return listed
    document[key] = listed
    return document


_UNREAD = (yaml.YAMLError, _TooDeep, RecursionError, ValueError)


def _load_whole(path: Path, error: type[InputError]) -> Any:
    shown = show_path(path)
    load = load_json if path.suffix.lower() == ".json" else load_yaml
    return load(decode(path.read_bytes(), shown, error), shown, error=error)


def _open(path: Path) -> IO[str]:
    file = path.open(encoding="utf-8-sig")
    return _JoinedFile(file) if path.suffix.lower() == ".json" else file  # type: ignore[return-value]


class _JoinedFile:
    """A JSON file as YAML reads it; only what the loader calls."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._rest = file, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> str:
        while text := self._rest + (more := self._file.read(size)):
            # An escape may go on in what is read next.
            cut = len(text.rstrip("\\uU0123456789abcdefABCDEF")) if more else len(text)
            self._rest = text[cut:]
            if cut:
                return _joined(text[:cut])
        return ""


if TYPE_CHECKING:

    class _Composing(_Loader):
        def get_event(self) -> Any: ...
        def peek_event(self) -> Any: ...
        def compose_node(self, parent: Any, index: Any) -> Any: ...
        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any: ...

elif issubclass(_SafeLoader, Composer):
    _Composing = _Loader
else:
    # libyaml's loader composes only whole documents; its events can be composed one by one.
    class _Composing(Composer, _Loader):
        def __init__(self, file: IO[str]) -> None:
            _Loader.__init__(self, file)
            Composer.__init__(self)


class _Walker(_Composing):
    """Goes through a document node by node."""

    def go_to(self, key: str) -> None:
        """Go to the list, or to the end of the document if it has none."""
        self.get_event()
        self.get_event()
        if not self._at_list():
            self.get_event()
            self._pairs(key)

    def _pairs(self, key: str) -> list[tuple[yaml.Node, yaml.Node]]:
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        while not self.check_event(yaml.MappingEndEvent):
            name = self.compose_node(None, None)
            if name.value == key and self._at_list():
                return [*pairs, (name, self._empty())]
            pairs.append((name, self.compose_node(None, name)))
        return pairs

    def document(self, key: str) -> tuple[yaml.Node | None, bool]:
        """What the document is, with an empty list in the place of the long one; and whether it has that."""
        self.get_event()
        if self.check_event(yaml.StreamEndEvent):
            return None, False
        self.get_event()
        begins = self.peek_event()
        if self._at_list():
            node: yaml.Node = self._empty()
            self._skip()
            found = True
        elif isinstance(begins, yaml.MappingStartEvent) and begins.anchor is None and begins.tag is None:
            start = self.get_event().start_mark
            pairs = self._pairs(key)
            found = not self.check_event(yaml.MappingEndEvent)
            if found:
                self._skip()
                # A second one of the name is an error, which the constructor says.
                pairs += self._pairs("")
            tag = self.resolve(yaml.MappingNode, None, True)
            node = yaml.MappingNode(tag, pairs, start, self.get_event().end_mark)
        else:
            node, found = self.compose_node(None, None), False
        self.get_event()
        if not self.check_event(yaml.StreamEndEvent):
            raise ComposerError("expected a single document")
        return node, found

    def items(self) -> Iterator[Any]:
        """The values of the list that it is at."""
        self.get_event()
        while not self.check_event(yaml.SequenceEndEvent):
            # As deep as it is in the document.
            self.depth = 2
            yield self.construct_document(self.compose_node(None, None))

    def _at_list(self) -> bool:
        event = self.peek_event()
        return isinstance(event, yaml.SequenceStartEvent) and event.anchor is None and event.tag is None

    def _empty(self) -> yaml.SequenceNode:
        mark = self.peek_event().start_mark
        return yaml.SequenceNode(self.resolve(yaml.SequenceNode, None, True), [], mark, mark)

    def _skip(self) -> None:
        depth = 0
        while True:
            event = self.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                if not depth:
                    return
