"""What an answer is read as: a JSON schema, a Pydantic model, or a prompt with its schema and codes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from promptopt.errors import AnswerInvalid, SchemaError
from promptopt.schemas.codes import Codes
from promptopt.values import JSONSchema, Rendered, Request

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Target:
    """A schema and what becomes of data that is valid under it.

    Attributes:
        model: A Pydantic model whose object is wanted.
        codes: Labels and keys that the codes stand for which the model was asked to write.
    """

    schema: JSONSchema
    model: Any = None
    codes: Codes | None = None

    def finish(self, value: Any, text: str) -> Any:
        """The data as the program sees it.

        Raises:
            AnswerInvalid: The Pydantic model has a rule that refuses it.
        """
        if self.codes is not None:
            value = self.codes.decode(value)
        if self.model is None:
            return value
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(self.model).validate_json(json.dumps(value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            pointer = "".join(f"/{part}" for part in first["loc"])
            raise AnswerInvalid(first["msg"], text, pointer or None) from None


@runtime_checkable
class _PromptOptions(Protocol):
    """The front matter of a prompt, as far as it says what answers are."""

    output_schema: JSONSchema | None
    output_codes: Codes | None


@runtime_checkable
class _PromptFile(Protocol):
    """A prompt with its front matter."""

    front: _PromptOptions
    path: str


def is_pydantic_model(given: object) -> TypeGuard[type[BaseModel]]:
    """Whether something is a class of Pydantic models."""
    if not isinstance(given, type):
        return False
    from pydantic import BaseModel

    return issubclass(given, BaseModel)


def target_of(given: Any) -> Target:
    """The target that a caller names.

    Raises:
        SchemaError: It is none, or a prompt without an output schema.
    """
    if isinstance(given, Mapping):
        return Target(_checked(given))
    if is_pydantic_model(given):
        return Target(_own_schema(given), model=given)
    path, codes = None, None
    if isinstance(given, _PromptFile):
        path, given = given.path, given.front
    if isinstance(given, _PromptOptions):
        schema, codes = given.output_schema, given.output_codes
    elif isinstance(given, Rendered | Request):
        schema = given.output_schema
    else:
        raise SchemaError(f"{given!r} is neither a JSON schema nor a Pydantic model nor a prompt")
    if schema is None:
        raise SchemaError("the prompt has no output_schema", path=path)
    return Target(schema, codes=codes)


def _checked(schema: Mapping[str, Any]) -> JSONSchema:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError as NotASchema

    try:
        Draft202012Validator.check_schema(dict(schema))
    except NotASchema as error:
        raise SchemaError(f"not a JSON schema: {error.message[:200]}") from None
    except RecursionError:
        raise SchemaError("the schema is nested too deeply", remedy="flatten it") from None
    return schema


def _own_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What the class itself accepts, in which a field with a default may be left out."""
    try:
        own: dict[str, Any] = _without_uniqueness(model.model_json_schema())
    except Exception as error:  # noqa: BLE001 - pydantic raises its own classes
        raise SchemaError(f"{model.__name__} has no JSON schema: {str(error).splitlines()[0]}") from None
    return own


def _without_uniqueness(node: Any) -> Any:
    """A schema of sets that takes an item twice, as the class does; strict mode cannot forbid it."""
    if isinstance(node, list):
        return [_without_uniqueness(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_uniqueness(part) for key, part in node.items() if (key, part) != ("uniqueItems", True)}


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a Pydantic model as the OpenAI SDK would send it.

    Raises:
        SchemaError: Pydantic has no JSON schema for it.
    """
    from openai.lib._pydantic import to_strict_json_schema

    try:
        return to_strict_json_schema(model)
    except Exception as error:  # noqa: BLE001 - pydantic raises its own classes
        raise SchemaError(f"{model.__name__} has no JSON schema: {str(error).splitlines()[0]}") from None
