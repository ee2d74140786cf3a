"""Settings of a provider's `config` as front matter: settings of a call, a form of the answer, tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from promptopt.call_options import PROMPTS_OWN, CallOptions, setting_names
from promptopt.dialects import anthropic_arguments, google_arguments, responses_arguments
from promptopt.messages import Message, Request
from promptopt.promptfoo.document import ConfigFile
from promptopt.schemas import strict_findings
from promptopt.templates.tools import make_tools

# What says what an API has no place for.
_ARGUMENTS = {"anthropic": anthropic_arguments, "google": google_arguments, "responses": responses_arguments}
# Settings that an API takes under this very name, beside those of every model.
_BODY = (
    *("logit_bias", "n", "user", "metadata", "store", "top_k", "modalities"),
    *("audio", "prediction", "web_search_options", "thinking", "min_p", "repetition_penalty", "provider", "plugins"),
    *("search_parameters", "reasoning", "text", "truncation", "include", "background", "min_tokens", "best_of"),
)
# Settings in a mapping of their own.
_GROUPS = (
    "generationConfig",
    "inferenceConfig",
    "inferenceConfiguration",
    "textGenerationConfig",
    "parameters",
    "completion_params",
)
# What concerns promptfoo and not the answer.
_SILENT = (
    "cost",
    "inputCost",
    "outputCost",
    "showThinking",
    "basePath",
    "apiKeyRequired",
    "cache",
    "timeout",
    "linkedTargetId",
)
INPUTS = (
    "apiKey",
    "apiKeyEnvar",
    "apiBaseUrl",
    "apiHost",
    "baseUrl",
    "base_url",
    "headers",
    "organization",
    "apiVersion",
)
"""Keys that say where an endpoint is and how it is paid."""


class ConfigSettings:
    """The settings of one provider.

    Attributes:
        front: Keys of front matter.
        system: A message of the system that comes before each prompt.
    """

    def __init__(self, document: ConfigFile, identity: str, config: Mapping[str, Any], place: tuple[Any, str]) -> None:
        self._document, self._identity, self._config, self._place = document, identity, config, place
        self.front: dict[str, Any] = {}
        self.system = ""
        self._body: dict[str, Any] = {}

    def read(self, kind: str) -> None:
        """Read the config of a provider of that type; what has no place is left out with a note.

        Args:
            kind: The type of its table, or ``responses``.
        """
        self._settings(kind)
        if self._body:
            self.front["extra_body"] = self._body
        if kind in _ARGUMENTS:
            self._leave_refused_out(_ARGUMENTS[kind])

    def _leave_refused_out(self, arguments: Callable[[Request], object]) -> None:
        """Leave out what the provider's API has no place for: no prompt could be asked with it."""
        for name in [name for name in self.front if name in CallOptions.__dataclass_fields__]:
            options = CallOptions(**{name: CallOptions.read(name, self.front[name])})
            try:
                arguments(Request("model", (Message("user", "hi"),), options))
            except ValueError as error:
                self._left_out(name, str(error), "")
                del self.front[name]

    def _settings(self, kind: str) -> None:
        config = dict(self._config)
        for key in _GROUPS:
            if isinstance(config.get(key), Mapping):
                config |= config.pop(key)
        if isinstance(reasoning := config.get("reasoning"), Mapping) and "effort" in reasoning:
            config.setdefault("reasoning_effort", reasoning["effort"])
            config.pop("reasoning")
        if isinstance(text := config.get("text"), Mapping):
            config |= {"verbosity": text["verbosity"]} if "verbosity" in text else {}
            config |= {"response_format": text["format"]} if "format" in text else {}
            config.pop("text")
        for key, value in config.items():
            self._setting(key, value, kind)

    def _setting(self, key: str, value: Any, kind: str) -> None:
        if key in setting_names():
            self._option(setting_names()[key], value)
        elif key in ("response_format", "responseSchema", "response_schema"):
            self._format(value)
        elif key in ("tools", "functions"):
            self._tools(value)
        elif key in ("tool_choice", "function_call"):
            chosen = (
                value.get("function", value).get("name", value.get("type")) if isinstance(value, Mapping) else value
            )
            self._option("tool_choice", {"any": "required"}.get(str(chosen), chosen))
        elif key in ("passthrough", "extra_body", "extraBody") and isinstance(value, Mapping):
            for name in value.keys() & set(PROMPTS_OWN):
                self._left_out(key, f"{key}: {name} would take the place of the prompt's own", "")
            self._body |= {name: each for name, each in value.items() if name not in PROMPTS_OWN}
        elif key in ("systemPrompt", "system", "systemInstruction", "system_instruction", "instructions"):
            self.system = value if isinstance(value, str) else ""
        elif (key in _BODY and kind not in ("google", "anthropic")) or (key == "thinking" and kind == "anthropic"):
            self._body[key] = value
        elif key not in (*_SILENT, *INPUTS, "transform", "region", "accountId", "workspaceUrl", "modelName"):
            self._left_out(
                key, f"{key}: this project has no such setting", "name it in `passthrough` if the API takes it"
            )

    def _option(self, name: str, value: Any) -> None:
        value = self._document.with_env(value) if isinstance(value, str) else value
        if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
            value = float(value) if "." in value else int(value)
        if value is None:
            return
        try:
            if isinstance(value, float) and value.is_integer() and isinstance(CallOptions.read(name, int(value)), int):
                value = int(value)
            CallOptions.read(name, value)
        except ValueError as error:
            self._left_out(name, f"{name}: {error}", "")
            return
        self.front[name] = value

    def _format(self, value: Any) -> None:
        """A form of the answer: any JSON, or a schema; one that strict mode refuses travels as it is."""
        if not isinstance(value, Mapping):
            self._left_out("response_format", f"response_format: {str(value)[:40]!r} is not a mapping", "")
            return
        kind = value.get("type")
        if kind == "json_object":
            self.front["response_format"] = "json_object"
            return
        inner = value.get("json_schema", value)
        schema = inner.get("schema", inner.get("json_schema")) if isinstance(inner, Mapping) else None
        if isinstance(schema, Mapping) and "schema" in schema:
            schema = schema["schema"]
        if kind == "json_schema" and isinstance(schema, Mapping) and not strict_findings(schema):
            self.front["output_schema"] = schema
        elif kind in ("json_schema", "text"):
            if kind == "json_schema":
                self._body["response_format"] = value
        elif kind in ("object", "OBJECT") and not strict_findings(value):
            self.front["output_schema"] = value
        else:
            self._left_out("response_format", f"response_format: the type {kind!r} is not known", "")

    def _tools(self, value: Any) -> None:
        found = []
        for tool in _flat_tools(value):
            try:
                make_tools([tool])
            except ValueError as error:
                self._left_out("tools", str(error), "")
                continue
            found.append(tool)
        if found:
            self.front["tools"] = [*self.front.get("tools", []), *found]

    def _left_out(self, key: str, message: str, remedy: str) -> None:
        where = self._config if hasattr(self._config, "lines") else self._place[0]
        self._document.note("left out", f"the provider {self._identity[:60]!r}: {message}", where, key, remedy)


def _flat_tools(value: Any) -> Iterator[Any]:
    """Tools one by one, those of Google and of Bedrock's Converse in OpenAI's form."""
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, Mapping):
            declared = entry.get("functionDeclarations", entry.get("function_declarations"))
            if isinstance(declared, list):
                yield from ({"type": "function", "function": _lower_types(each)} for each in declared)
                continue
            spec = entry.get("toolSpec")
            if isinstance(spec, Mapping):
                schema = spec.get("inputSchema", {})
                yield {
                    "name": spec.get("name"),
                    "description": spec.get("description", ""),
                    "parameters": schema.get("json", schema),
                }
                continue
        yield entry


def _lower_types(value: Any) -> Any:
    """A schema of Google's with the types of JSON Schema."""
    if isinstance(value, list):
        return [_lower_types(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: item.lower() if key == "type" and isinstance(item, str) else _lower_types(item)
        for key, item in value.items()
    }
