"""The tools of a prompt: function schemas in a file or in the front matter, or Python functions by name."""

from __future__ import annotations

import inspect
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import unquote

from promptopt.errors import TemplateError
from promptopt.files import json_problem
from promptopt.functions import load_function
from promptopt.values import JSONSchema, Tool
from promptopt.yaml import load_yaml

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_DEEPEST = 50


def is_function(value: object) -> bool:
    """Whether a text names a Python function, ``package.module:function``, and not a file."""
    return isinstance(value, str) and _DOTTED.fullmatch(value) is not None


def parse_tools(text: str, path: str) -> Any:
    """What a file of tools holds, JSON or YAML.

    Raises:
        TemplateError: It is neither.
    """
    if path.endswith(".json"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            problem, line = json_problem(error)
            raise TemplateError(f"is not JSON: {problem}", path=path, line=line) from None
    return load_yaml(text, path, error=TemplateError)


def make_tools(value: object) -> tuple[Tool, ...]:
    """Tools as OpenAI, Anthropic and MCP write them, each a mapping, or Python functions by name.

    Raises:
        ValueError: One of them is none; the message names it.
    """
    entries = value if isinstance(value, list) else [value]
    found: dict[str, Tool] = {}
    for number, entry in enumerate(entries, 1):
        try:
            tool = tool_of_function(entry) if isinstance(entry, str) else _tool(entry)
        except ValueError as error:
            raise ValueError(f"tool {number}: {error}") from None
        if tool.name in found:
            raise ValueError(f"tool {number}: there are two tools {tool.name!r}")
        found[tool.name] = tool
    return tuple(found.values())


def _tool(entry: object) -> Tool:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{entry!r:.80} is not a function schema")
    inner = entry.get("function", entry)
    if not isinstance(inner, Mapping) or entry.get("type", "function") not in ("function", "custom"):
        raise ValueError(f"a tool of type {entry.get('type')!r} is run by the provider, not by a program")
    name, description = inner.get("name"), inner.get("description", "")
    if not isinstance(description, str):
        raise ValueError(f"the description of {name!r} is not a text")
    # OpenAI's key, Anthropic's, and that of the Model Context Protocol.
    given = [inner[key] for key in ("parameters", "input_schema", "inputSchema") if key in inner]
    parameters = given[0] if given else {}
    strict = inner.get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise ValueError(f"strict: {strict!r} of {name!r} is not true or false")
    return _checked(Tool(name, description.strip(), parameters, strict))  # type: ignore[arg-type]  # it is looked at


def _checked(tool: Tool) -> Tool:
    if not isinstance(tool.name, str) or not _NAME.fullmatch(tool.name):
        raise ValueError(f"its name {tool.name!r} is not 1 to 64 letters, digits, _ and -")
    check_parameters(tool.name, tool.parameters)
    return tool


def check_parameters(name: str, parameters: object) -> None:
    """Refuse what is no schema of arguments. Raises ValueError."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(parameters, Mapping):
        raise ValueError(f"the parameters of {name!r} are not a JSON schema")
    if problem := next(_schema_problems(parameters, parameters), None):
        raise ValueError(f"the parameters of {name!r} {problem}")
    try:
        Draft202012Validator.check_schema(dict(parameters))
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "the schema"
        raise ValueError(f"the parameters of {name!r} are not a JSON schema: {place}: {error.message}") from None
    if parameters.get("type", "object") != "object":
        raise ValueError(f"the parameters of {name!r} are of type {parameters['type']!r}: arguments are an object")


def _schema_problems(node: object, root: Mapping[str, Any], above: tuple[int, ...] = ()) -> Iterator[str]:
    """What JSON cannot hold, such as nodes that contain themselves, and references that lead nowhere or in a circle."""
    if id(node) in above:
        yield "have a cycle: a part contains itself"
        return
    if len(above) > _DEEPEST:
        yield f"are nested deeper than {_DEEPEST} levels"
        return
    if isinstance(node, Mapping):
        yield from _reference_problems(node, root)
        for key, value in node.items():
            if key not in _DATA or _not_json(value):
                yield from _schema_problems(value, root, (*above, id(node)))
    elif isinstance(node, list):
        for value in node:
            yield from _schema_problems(value, root, (*above, id(node)))
    elif _not_json(node):
        yield f"hold {node!r}, which is not JSON"


# Keywords whose values are data, and those whose schemas are for the same value as the schema that has them.
_DATA = ("default", "enum", "const", "examples")
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")


def _not_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return True
    return False


def _reference_problems(node: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return
    if not reference.startswith("#"):
        if "$id" not in json.dumps(root, default=str):
            yield f"refer to {reference!r}, which is outside of the schema: nobody fetches it"
    elif _referred(reference, root) is None:
        yield f"refer to {reference!r}, which is not there"
    elif circle := _circle(node, root, (), set()):
        yield f"have a cycle: {' -> '.join(name.rpartition('/')[2] or name for name in circle)}"


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    """What a reference within a schema leads to; ``None`` if it is not there."""
    pointer = unquote(reference.removeprefix("#"))
    if pointer and not pointer.startswith("/"):
        # The name of an anchor, which validators look up.
        return {} if f'"{pointer}"' in json.dumps(root, default=str) else None
    at: Any = root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, list):
            at = at[int(key)] if key.isdecimal() and int(key) < len(at) else None
        else:
            at = at.get(key) if isinstance(at, Mapping) else None
    return at


def _circle(node: object, root: Mapping[str, Any], way: tuple[str, ...], done: set[str]) -> tuple[str, ...]:
    """References that lead back to the first of them before any of the value is read, so that no end is reached."""
    if not isinstance(node, Mapping):
        return ()
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in done:
        if reference in way:
            return (*way[way.index(reference) :], reference)
        if reference.startswith("#") and (found := _circle(_referred(reference, root), root, (*way, reference), done)):
            return found
        done.add(reference)
    for key in _IN_PLACE:
        parts = node.get(key, [])
        for part in parts if isinstance(parts, list) else [parts]:
            if found := _circle(part, root, way, done):
                return found
    return ()


def tool_of_function(name: str) -> Tool:
    """The tool of a Python function, ``package.module:function``: its signature is the schema, its docstring the text.

    Raises:
        ValueError: There is no such function, or its arguments have no JSON schema.
    """
    function = load_function(name)
    if not inspect.isfunction(function):
        raise ValueError(f"{name!r} is {type(function).__name__}, not a function")
    description, *_ = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return _checked(Tool(function.__name__, " ".join(description.split()), _schema_of(function, name)))


def _schema_of(function: Any, name: str) -> JSONSchema:
    from pydantic import BaseModel, Field, PydanticUserError, create_model
    from pydantic.errors import PydanticInvalidForJsonSchema
    from pydantic.json_schema import PydanticJsonSchemaWarning

    fields: dict[str, Any] = {}
    try:
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ValueError(f"{name!r} takes {parameter}: a tool's arguments have names")
            annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
            field = parameter.name
            if field.startswith("_") or hasattr(BaseModel, field):
                # Pydantic would leave it out, or take it for something of its own.
                field, annotation = f"argument{field}", Annotated[annotation, Field(alias=field)]
            fields[field] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
        with warnings.catch_warnings():
            # A default that JSON cannot hold is left out: the argument stays optional.
            warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
            schema = create_model(function.__name__, **fields).model_json_schema()
    except (PydanticUserError, PydanticInvalidForJsonSchema, NameError, TypeError) as error:
        raise ValueError(f"the arguments of {name!r} have no JSON schema: {str(error).splitlines()[0]}") from None
    plain: JSONSchema = _untitled(schema)
    return plain


def _untitled(node: Any) -> Any:
    """A schema without the titles that Pydantic makes of names: they are billed and say nothing."""
    if isinstance(node, dict):
        return {
            key: {name: _untitled(part) for name, part in value.items()}
            if key in ("properties", "$defs")
            else value
            if key in ("default", "enum", "const", "examples")
            else _untitled(value)
            for key, value in node.items()
            if key != "title" or not isinstance(value, str)
        }
    return [_untitled(item) for item in node] if isinstance(node, list) else node
