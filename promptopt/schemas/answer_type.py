"""What an answer is read as: a JSON schema, a Pydantic model, or a prompt with its schema and codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptopt.errors import AnswerInvalid, SchemaError
from promptopt.schemas.codes import Codes
from promptopt.values import JSONSchema


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
            return TypeAdapter(self.model).validate_python(value, strict=None)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            pointer = "".join(f"/{part}" for part in first["loc"])
            raise AnswerInvalid(first["msg"], text, pointer or None) from None


def target_of(given: Any) -> Target:
    """The target that a caller names.

    Raises:
        SchemaError: It is none, or a prompt without an output schema.
    """
    if isinstance(given, Mapping):
        return Target(_checked(given))
    if isinstance(given, type) and hasattr(given, "model_json_schema"):
        return Target(model_schema(given), model=given)
    front = getattr(given, "front", given)
    schema = getattr(front, "output_schema", None)
    if isinstance(schema, Mapping):
        return Target(schema, codes=getattr(front, "output_codes", None))
    if hasattr(front, "output_schema"):
        raise SchemaError("the prompt has no output_schema", path=getattr(given, "path", None))
    raise SchemaError(f"{given!r} is neither a JSON schema nor a Pydantic model nor a prompt")


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


def model_schema(model: type) -> dict[str, Any]:
    """The schema of a Pydantic model as the OpenAI SDK would send it.

    Raises:
        SchemaError: Pydantic has no JSON schema for it.
    """
    from openai.lib._pydantic import to_strict_json_schema

    try:
        return to_strict_json_schema(model)
    except Exception as error:  # noqa: BLE001 - pydantic raises its own classes
        raise SchemaError(f"{model.__name__} has no JSON schema: {str(error).splitlines()[0]}") from None
