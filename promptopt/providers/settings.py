"""``[tool.promptopt.providers.NAME]``: an endpoint or a program of the user's own, and how it is reached."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptopt.config import Config, find_line
from promptopt.errors import ConfigError, ProviderUnusable, did_you_mean
from promptopt.files import show_path
from promptopt.providers.http_clients import are_headers

Checks = Mapping[str, Callable[[Any], bool]]
"""The keys of a table, and whether a value is one that the key takes."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def is_text(value: Any) -> bool:
    """Whether a value is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def is_texts(value: Any) -> bool:
    """Whether a value has a text under each key."""
    return isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values())


def is_url(value: Any) -> bool:
    """Whether a value is an address that HTTP reaches."""
    return isinstance(value, str) and re.match(r"https?://[^\s/]", value) is not None


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


# What every table may say; what its type takes beside it, the type's class says.
_COMMON: Checks = {
    "type": is_text,
    "api_key_env": is_text,
    "headers": is_texts,
    "timeout": _is_seconds,
    "free": lambda value: isinstance(value, bool),
    "version": is_text,
    # The configuration has read them.
    "prices": lambda _: True,
}
_WANTED = {
    "headers": 'names and texts, such as {"X-Team" = "search"}',
    "timeout": "a number of seconds above 0",
    "free": "true or false",
    "base_url": "an address such as https://HOST/v1",
    "url": "an address such as https://HOST/answer",
    "api": '"chat" or "responses"',
    "method": '"POST", "PUT", "PATCH" or "GET"',
    "body": "a table, or a text that is a template of JSON",
    "response": 'JSON pointers by name, such as {text = "/answer", usage = "/usage"}',
    "function": 'the name of a function, such as "file://app.py:answer" or "package.module:answer"',
    "command": 'a command as a text, or as a list of texts: ["./answer.sh", "--fast"]',
}


@dataclass(frozen=True, slots=True)
class ProviderTable:
    """One table of the configuration, as it is written.

    Attributes:
        name: The prefix of its models.
        type: The entry point of the provider that serves it.
        root: The folder of pyproject.toml, where relative paths begin.
        path: The file; ``None`` for settings that no file says.
    """

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    root: Path = field(default_factory=Path)
    path: Path | None = None

    def check(self, own: Checks) -> None:
        """Refuse keys that a type does not take, and values that its keys do not.

        Raises:
            ConfigError: There is one; the message has its line.
        """
        known = {**_COMMON, **own}
        for key, value in self.options.items():
            if key not in known:
                raise self.error(
                    f"unknown key {key!r} in {self.header} of the type {self.type!r}.{did_you_mean(key, known)}",
                    key,
                    f"known: {', '.join(known)}",
                )
            if not known[key](value):
                raise self.error(f"{key} = {value!r} in {self.header} is not {_WANTED.get(key, 'a text')}", key)

    @property
    def header(self) -> str:
        """The table as its file writes it."""
        return f"[tool.promptopt.providers.{self.name}]"

    @property
    def subject(self) -> str:
        """The provider in a message."""
        return f"the provider {self.name!r}"

    def get(self, key: str, default: Any = None) -> Any:
        """What the table says under a key."""
        return self.options.get(key, default)

    def need(self, key: str) -> Any:
        """What the table says under a key that it must have. Raises ConfigError if it has none."""
        if key not in self.options:
            raise self.error(f"{self.header} of the type {self.type!r} has no {key}", "type", f"{key} = {_WANTED[key]}")
        return self.options[key]

    def error(self, message: str, key: str, remedy: str | None = None) -> ConfigError:
        """An error about a key, with its line."""
        path = None if self.path is None else show_path(self.path)
        return ConfigError(message, path=path, line=self._line(key), remedy=remedy)

    def key_variable(self, usual: str | None) -> str | None:
        """The environment variable with the key: the table's, or the one that is usual for its type."""
        found: str | None = self.options.get("api_key_env", usual)
        return found

    def has_key(self, usual: str | None) -> bool:
        """Whether every variable that the table names is set."""
        variable = self.key_variable(usual)
        named = [name for value in self.get("headers", {}).values() for name in _VARIABLE.findall(value)]
        return all(os.environ.get(name) for name in [*named, *([variable] if variable else [])])

    def key(self, usual: str | None) -> str | None:
        """The key; ``None`` if the type needs none and the table names no variable.

        Raises:
            ProviderUnusable: The variable is not set.
        """
        variable = self.key_variable(usual)
        if variable is None:
            return None
        key = self._environment(variable, "api_key_env")
        if not are_headers({"Authorization": key}):
            raise ProviderUnusable(f"the key in {variable} has characters that HTTP does not take")
        return key

    def headers(self) -> dict[str, str]:
        """Further headers of each request; ``${NAME}`` in them is a variable of the environment.

        Raises:
            ProviderUnusable: One is not set, or HTTP does not take the header.
        """
        found = {
            name: _VARIABLE.sub(lambda found: self._environment(found[1], "headers"), value)
            for name, value in self.get("headers", {}).items()
        }
        for name, value in found.items():
            if not are_headers({name: value}):
                raise ProviderUnusable(f"the header {name!r} of {self.header} has characters that HTTP does not take")
        return found

    def _environment(self, variable: str, key: str) -> str:
        if value := os.environ.get(variable, "").strip():
            return value
        line = self._line(key)
        place = f"{show_path(self.path)}:{line}: " if self.path and line else ""
        what = "has no key" if key == "api_key_env" else "cannot send its headers"
        remedy = "set it" + (f", or name another one with api_key_env in {self.header}" if key == "api_key_env" else "")
        raise ProviderUnusable(
            f"{place}{self.subject} {what}: the environment variable {variable} is not set\n  {remedy}"
        )

    def _line(self, key: str) -> int | None:
        if self.path is None:
            return None
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        own = re.compile(rf"""\[\s*tool\.promptopt\.providers\.["']?{re.escape(self.name)}["']?\s*[.\]]""")
        inside, first = False, None
        for number, text in enumerate(lines, 1):
            stripped = text.strip()
            if stripped.startswith("["):
                inside = own.match(stripped) is not None
                first = first or (number if inside else None)
            if inside and re.match(rf"""["']?{re.escape(key)}["']?\s*[=.]|\[.*\b{re.escape(key)}\s*\]""", stripped):
                return number
        return first or find_line(lines, self.name)


def find_table(config: Config, name: str) -> ProviderTable | None:
    """The table of a provider; ``None`` if the configuration has none of that name.

    Raises:
        ConfigError: It is not a table, or its name or its type is not a text.
    """
    if name not in config.providers:
        return None
    written = config.providers[name]
    bare = ProviderTable(name, name, {}, config.root, config.path)
    if not isinstance(written, Mapping):
        raise bare.error(f"providers.{name} = {written!r} is not a table: {bare.header}", name)
    kind = written.get("type", name)
    if not is_text(kind):
        raise bare.error(f"type = {kind!r} in {bare.header} is not a text", "type")
    return ProviderTable(name, kind, written, config.root, config.path)
