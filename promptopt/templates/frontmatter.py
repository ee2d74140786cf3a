"""The YAML block between two ``---`` lines at the top of a prompt file.

Only Jinja comments and empty lines may be before it; such a block counts if it has a key of front matter. Between two
rules of Markdown there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from promptopt.call_options import NO_OPTIONS, TOOL_CHOICES, CallOptions
from promptopt.errors import SchemaError, TemplateError, did_you_mean
from promptopt.files import json_problem
from promptopt.schemas import strict_findings
from promptopt.schemas.codes import Codes, read_codes
from promptopt.templates.answer import AnswerExtractor, PointerAnswer, parse_answer
from promptopt.templates.readers import Reader
from promptopt.templates.tools import is_function, make_tools, parse_tools
from promptopt.values import JSONSchema, Tool
from promptopt.yaml import line_of, load_yaml

# A comment ends at its first `#}`: what is atomic takes linear time.
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_LEAD = r"\A(?P<lead>(?:\s|\{#(?>.*?#\}))*+)^---"
_BLOCK = re.compile(_LEAD + r"[ \t]*\n(?P<yaml>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(_LEAD + r"\n(?P<yaml>.*)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a prompt file says about itself.

    Attributes:
        model: The model it is written for.
        params: The settings of a call, each its own key in the file.
        output_schema: A schema valid in strict mode, or ``None`` for free text.
        output_codes: The labels and keys that the codes of the schema stand for.
        answer: How the answer is read out of a response; ``None``: it is the whole text.
        tools: Functions that the model may call: a file of function schemas, the schemas themselves, or Python
            functions by name.
        calls_per_month: How often production calls it.
    """

    model: str | None = None
    params: CallOptions = NO_OPTIONS
    output_schema: JSONSchema | None = field(default=None, hash=False)
    output_codes: Codes | None = field(default=None, hash=False)
    answer: AnswerExtractor | None = None
    tools: tuple[Tool, ...] = ()
    calls_per_month: int | None = None
    description: str | None = None


_OPTIONS = tuple(CallOptions.__dataclass_fields__)
KEYS = tuple(key for name in FrontMatter.__dataclass_fields__ for key in (_OPTIONS if name == "params" else (name,)))


_KEY = re.compile(rf"^(?:{'|'.join(KEYS)})[ \t]*:", re.MULTILINE)


def _block(text: str, pattern: re.Pattern[str] = _BLOCK) -> re.Match[str] | None:
    block = pattern.match(text)
    return block if block is not None and (not block["lead"] or _KEY.search(block["yaml"])) else None


def front_matter_end(text: str) -> int:
    """Where the front matter ends, its last ``---`` line included; 0 if there is none."""
    block = _block(text)
    return 0 if block is None else block.end()


def comments_before(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each comment before the front matter."""
    block = _block(text)
    if block is not None:
        yield from (match.span() for match in _COMMENT.finditer(block["lead"]))


def mask_front_matter(text: str) -> str:
    """``text`` with its front matter as a Jinja comment of as many lines: lines keep their numbers."""
    end = front_matter_end(text)
    return "{#" + "\n" * (text.count("\n", 0, end) - 1) + "#}\n" + text[end:] if end else text


def set_front_matter(source: str, changes: Mapping[str, Any]) -> str:
    """``source`` with these keys in its front matter; a key that is ``None`` is removed.

    A key that is there stays where it is, with the comments around it and beside it; others come last.
    """
    block = _block(source)
    lead, lines = ("", []) if block is None else (block["lead"], block["yaml"].splitlines(keepends=True))
    body = source[front_matter_end(source) :]
    entries = {key: "" if value is None else _entry(key, value) for key, value in changes.items()}
    kept: list[str] = []
    dropping = False
    for line in lines:
        key = re.match(r"([A-Za-z_]\w*)[ \t]*:", line)
        if key:
            dropping = key[1] in changes
            kept.append(_with_comment(entries.pop(key[1], ""), line))
        # No value goes on with such a line: it is a comment of the file.
        if not dropping or line.startswith("#"):
            kept.append(line)
    return f"{lead}---\n{''.join(kept)}{''.join(entries.values())}---\n{body}"


def _with_comment(entry: str, line: str) -> str:
    """A new entry of one line, with the comment at the end of the line that it replaces."""
    comment = re.search(r"[ \t]+#[^\n]*\n?\Z", line)
    if not comment or entry.count("\n") != 1:
        return entry
    try:
        # In a quoted text, "#" is no comment.
        same = yaml.safe_load(line) == yaml.safe_load(line[: comment.start()])
    except yaml.YAMLError:
        return entry
    return f"{entry.rstrip()}{comment[0].rstrip()}\n" if same else entry


def _entry(key: str, value: Any) -> str:
    # Mappings of scalars in one line, as people write them; a lone scalar is not a mapping.
    style = None if isinstance(value, (dict, list)) else False
    text = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=100, default_flow_style=style)
    # The loader of prompt files has its own rules; if the two differ, JSON is read the same by both.
    if load_yaml(text, "front matter") != {key: value}:
        text = f"{key}: {json.dumps(value, ensure_ascii=False)}\n"
    return text


def read_front_matter(text: str, name: str, reader: Reader) -> FrontMatter:
    """The front matter of the prompt file ``name``; all defaults if it has none.

    Raises:
        TemplateError: It is not YAML, has an unknown key, or a value of the wrong type.
        SchemaError: The output schema cannot be read or is refused by strict mode.
    """
    block = _block(text)
    path = reader.display(name)
    if block is None:
        if opening := _block(text, _OPENING):
            line = opening["lead"].count("\n") + 1
            raise TemplateError("the front matter has no closing `---`", path=path, line=line)
        return FrontMatter()
    first = block["lead"].count("\n") + 2
    table = load_yaml(block["yaml"], path, error=TemplateError, first_line=first)
    if table is None:
        return FrontMatter()
    if not isinstance(table, Mapping):
        raise TemplateError("the front matter is not `key: value` lines", path=path, line=first)
    return _Reader(table, name, path, reader).front_matter()


def replace_value(source: str, key: str, value: str) -> str:
    """``source`` with the one-line value of a key of its front matter replaced."""
    end = front_matter_end(source)
    return re.sub(rf"(?m)^({key}[ \t]*:).*$", lambda found: f"{found[1]} {value}", source[:end], count=1) + source[end:]


def tools_source(text: str, name: str, reader: Reader) -> tuple[str, str, int, int] | None:
    """Where the schemas of a prompt's tools are written.

    Returns:
        The file by its path below the root, its text, and where in it they begin and end: a file of their own, or the
        prompt itself. ``None`` if there are none, or they are Python functions.
    """
    block = _block(text)
    table = None if block is None else load_yaml(block["yaml"], name)
    value = table.get("tools") if isinstance(table, Mapping) else None
    if block is None or value is None or is_function(value):
        return None
    if isinstance(value, str):
        for candidate in _candidates(name, value):
            try:
                written = reader.read(candidate)
            except (OSError, TemplateError):
                continue
            return candidate, written, 0, len(written)
        return None
    # The value of the key, as YAML writes it.
    root: Any = yaml.compose(block["yaml"], Loader=yaml.SafeLoader)
    node = next(value for key, value in root.value if key.value == "tools")
    start = block.start("yaml")
    return name, text, start + node.start_mark.index, start + node.end_mark.index


def _candidates(name: str, file: str) -> tuple[str, ...]:
    """Where a file that a prompt names may be: beside the prompt, or in the folder of prompts."""
    file = file.removeprefix("file://")
    return tuple(dict.fromkeys((str(PurePosixPath(name).parent / file), file)))


def written_schema(text: str, name: str, reader: Reader, key: str) -> tuple[str, str, Any] | None:
    """The ``tools`` or the ``output_schema`` of a prompt as they are written.

    Returns:
        The file that they are in, by its path below the root, its text, and the data; the prompt itself if they are in
        its front matter. Mappings know their lines in the file. ``None`` if there are none, or Python functions.
    """
    block = _block(text)
    table = None if block is None else load_yaml(block["yaml"], name, first_line=block["lead"].count("\n") + 2)
    value = table.get(key) if isinstance(table, Mapping) else None
    if value is None or is_function(value):
        return None
    if not isinstance(value, str):
        return name, text, value
    for candidate in _candidates(name, value):
        try:
            written = reader.read(candidate)
        except (OSError, TemplateError):
            continue
        return candidate, written, load_yaml(written, candidate)
    return None


class _Reader:
    def __init__(self, table: Mapping[str, Any], name: str, path: str, reader: Reader) -> None:
        self._table = table
        self._name = name
        self._path = path
        self._reader = reader

    def front_matter(self) -> FrontMatter:
        for key in self._table:
            if key not in KEYS:
                raise self._error(
                    f"unknown key {key!r} in the front matter.{did_you_mean(key, KEYS)}",
                    key,
                    remedy=f"known keys: {', '.join(KEYS)}",
                )
        params, tools = CallOptions(**{name: self._option(name) for name in _OPTIONS}), self._tools()
        names, choice = [tool.name for tool in tools], params.tool_choice
        if names and choice is not None and choice not in (*TOOL_CHOICES, *names):
            message = f"tool_choice: the prompt has no tool {choice!r}.{did_you_mean(choice, names)}"
            raise self._error(message, "tool_choice", remedy=f"it has {', '.join(names)}")
        return FrontMatter(
            model=self._text("model"),
            params=params,
            output_schema=self._schema(),
            output_codes=self._codes(),
            answer=self._answer(),
            tools=tools,
            calls_per_month=self._count("calls_per_month"),
            description=self._text("description"),
        )

    def _error(self, message: str, key: str, remedy: str | None = None) -> TemplateError:
        return TemplateError(message, path=self._path, line=line_of(self._table, key), remedy=remedy)

    def _text(self, key: str) -> str | None:
        value = self._table.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error(f"{key}: {value!r} is not a text", key)
        return value

    def _option(self, name: str) -> Any:
        try:
            return CallOptions.read(name, self._table.get(name))
        except ValueError as error:
            raise self._error(f"{name}: {error}", name) from None

    def _count(self, key: str) -> int | None:
        value = self._table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._error(f"{key}: {value!r} is not a whole number of at least 1", key)
        return value

    def _answer(self) -> AnswerExtractor | None:
        text = self._text("answer")
        if text is None:
            return None
        try:
            answer = parse_answer(text)
            codes = self._codes()
            return PointerAnswer(answer.pointer, codes) if isinstance(answer, PointerAnswer) and codes else answer
        except ValueError as error:
            raise self._error(f"answer: {error}", "answer") from None

    def _codes(self) -> Codes | None:
        value = self._table.get("output_codes")
        if value is None:
            return None
        try:
            return read_codes(value)
        except ValueError as error:
            raise self._error(f"output_codes: {error}", "output_codes") from None

    def _schema(self) -> JSONSchema | None:
        value = self._table.get("output_schema")
        if value is None:
            return None
        line = line_of(self._table, "output_schema")
        path = self._path
        if isinstance(value, str):
            (path, text), line = self._file("output_schema", value), None
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as error:
                problem, line = json_problem(error)
                raise SchemaError(f"is not JSON: {problem}", path=path, line=line) from None
        if not isinstance(value, Mapping):
            raise SchemaError("the output schema is not an object", path=path, line=line)
        if findings := strict_findings(value):
            listed = "\n    ".join(map(str, findings))
            raise SchemaError(f"strict mode refuses the output schema:\n    {listed}", path=path, line=line)
        return value

    def _tools(self) -> tuple[Tool, ...]:
        value = self._table.get("tools")
        if value is None:
            return ()
        path, line = self._path, line_of(self._table, "tools")
        try:
            if isinstance(value, str) and not is_function(value):
                (path, text), line = self._file("tools", value), None
                value = parse_tools(text, path)
            return make_tools(value)
        except ValueError as error:
            where = "tools: " if path == self._path else ""
            raise TemplateError(f"{where}{error}", path=path, line=line) from None

    def _file(self, key: str, file: str) -> tuple[str, str]:
        """Path and text of a file that a key names; it is looked for beside the prompt, then in the prompts folder."""
        candidates = _candidates(self._name, file)
        for candidate in candidates:
            try:
                return self._reader.display(candidate), self._reader.read(candidate)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                continue
            except TemplateError as error:
                raise self._error(f"{key}: {error.message}", key, remedy=error.remedy) from None
        looked = f"looked for {' and '.join(map(self._reader.display, candidates))}"
        if ".py:" in file:
            looked = "a Python function is named `package.module:function`"
        raise self._error(f"{key}: the file {file!r} does not exist", key, remedy=looked)
