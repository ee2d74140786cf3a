"""``[tool.promptopt.serve]``: where the server listens, and what it does beside the layers."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptopt.config import Config, find_line
from promptopt.errors import ConfigError, UsageError, did_you_mean
from promptopt.gateway.call import Upstream
from promptopt.gateway.settings import GatewaySettings, read_settings, seconds

DEFAULT_URL = "https://api.openai.com/v1"
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What the server does.

    Attributes:
        host: The address it listens on; one that other machines reach needs virtual keys.
        grace_s: How long calls in flight may take after the server was told to stop.
        timeout_s: Seconds without a byte after which an upstream has failed; ``connect_timeout_s`` to reach it.
        max_body: Bytes that a request's body may have.
        body_timeout_s: Seconds within which a request must come whole: its head, and then its body.
        passed: Paths below ``/v1`` that go to the upstream as they are: no layer sees them, nothing counts them.
        shared_ids: Ids of the provider's (files, vector stores, ...) that all virtual keys may use.
        viewers: Names of the virtual keys that may see the page at ``/`` and the metrics, which show what all teams do.
        otlp: Address of an OpenTelemetry collector that gets a trace of each call; by default what the variables of
            OpenTelemetry say.
    """

    host: str = "127.0.0.1"
    port: int = 4141
    grace_s: float = 30.0
    timeout_s: float = 600.0
    connect_timeout_s: float = 5.0
    max_body: int = 64 * _MB
    body_timeout_s: float = 120.0
    passed: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    shared_ids: tuple[str, ...] = ()
    otlp: str | None = None

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that a server goes by, read at one time.

    Attributes:
        upstream: Where calls go if no list of upstreams says it.
        secrets: The API key of each upstream by its name, from the environment.
    """

    config: Config
    gateway: GatewaySettings
    serve: ServeSettings
    upstream: Upstream
    secrets: Mapping[str, str]


def read_configuration(config: Config, *, host: str | None = None, port: int | None = None) -> Configuration:
    """The configuration of a server; ``host`` and ``port`` are over what the file says.

    Raises:
        ConfigError: Something in the file is wrong, a variable with a key is not set, or the address is open to other
            machines and there are no virtual keys.
        UsageError: An argument is wrong.
    """
    gateway = read_settings(config)
    serve = _read_table(config)
    if host is not None:
        serve = replace(serve, host=host)
    if port is not None:
        serve = replace(serve, port=port)
    if not serve.local and not gateway.keys:
        raise UsageError(
            f"host = {serve.host!r} is open to other machines, and there are no virtual keys: anybody could spend your "
            "money. Make a key with `promptopt gateway key`, or listen on 127.0.0.1"
        )
    names = [key.name for key in gateway.keys]
    if unknown := next((name for name in serve.viewers if name not in names), None):
        raise ConfigError(
            f"[tool.promptopt.serve]: viewers: {unknown!r} is not a virtual key.{did_you_mean(unknown, names)}",
            path=config.path,
            line=_line(config, "viewers"),
        )
    upstreams = gateway.upstreams or (_default_upstream(),)
    secrets = {upstream.name: _secret(config, upstream) for upstream in upstreams if upstream.key_env is not None}
    return Configuration(config, gateway, serve, upstreams[0], secrets)


def is_loopback(host: str) -> bool:
    """Whether an address, or a name of it, is that of this machine alone."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _default_upstream() -> Upstream:
    """What an OpenAI SDK would ask with this environment."""
    url = os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    # An endpoint of one's own may want no key; OpenAI's always does.
    needs_key = "OPENAI_API_KEY" in os.environ or url.startswith(DEFAULT_URL)
    return Upstream("openai", url.rstrip("/"), "OPENAI_API_KEY" if needs_key else None)


def _secret(config: Config, upstream: Upstream) -> str:
    assert upstream.key_env is not None
    secret = os.environ.get(upstream.key_env, "").strip()
    if not secret:
        raise ConfigError(
            f"the key of the upstream {upstream.name!r} is not there: the environment variable {upstream.key_env} is "
            "not set",
            path=config.path,
            line=_line(config, upstream.key_env),
            remedy=f"export {upstream.key_env}=... before `promptopt serve`; keys are read from the environment only",
        )
    return secret


def _line(config: Config, text: str) -> int | None:
    if config.path is None:
        return None
    lines = config.path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if text in line), None)


def _read_table(config: Config) -> ServeSettings:
    settings = ServeSettings()
    for name, value in config.serve.items():
        try:
            reader = _READERS.get(name)
            if reader is None:
                raise UsageError(f"unknown key {name!r}.{did_you_mean(name, _READERS)} Known: {', '.join(_READERS)}")
            settings = replace(settings, **reader(name, value))
        except UsageError as error:
            path = config.path or Path("pyproject.toml")
            line = find_line(path.read_text(encoding="utf-8").splitlines(), name)
            raise ConfigError(f"[tool.promptopt.serve]: {error}", path=path, line=line) from None
    return settings


_Changes = dict[str, Any]


def _text(name: str, value: Any) -> _Changes:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} = {value!r} is not a text")
    return {name: value}


def _port(name: str, value: Any) -> _Changes:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 65536:
        raise UsageError(f"{name} = {value!r} is not a port: a whole number from 0 (any free one) to 65535")
    return {name: value}


def _seconds(name: str, value: Any) -> _Changes:
    found = seconds(value, name)
    if found <= 0:
        raise UsageError(f"{name} = {value!r} is not above 0")
    return {f"{name}_s": found}


def _max_body(name: str, value: Any) -> _Changes:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10_000:
        raise UsageError(f"{name} = {value!r} is not a number of megabytes above 0")
    return {"max_body": int(value * _MB)}


def _passed(name: str, value: Any) -> _Changes:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.startswith("/v1/") for each in value):
        raise UsageError(f"{name} = {value!r} is not a list of paths such as '/v1/files'")
    return {"passed": tuple(each.rstrip("/") for each in value)}


def _texts(what: str) -> Callable[[str, Any], _Changes]:
    def read(name: str, value: Any) -> _Changes:
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise UsageError(f"{name} = {value!r} is not a list of {what}")
        return {name: tuple(value)}

    return read


def _otlp(name: str, value: Any) -> _Changes:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise UsageError(f"{name} = {value!r} is not an address like 'http://localhost:4318'")
    return {name: value}


_READERS: Mapping[str, Callable[[str, Any], _Changes]] = {
    "host": _text,
    "port": _port,
    "grace": _seconds,
    "timeout": _seconds,
    "connect_timeout": _seconds,
    "body_timeout": _seconds,
    "max_body_mb": _max_body,
    "pass": _passed,
    "viewers": _texts("names of virtual keys"),
    "shared_ids": _texts("ids such as 'file-abc'"),
    "otlp": _otlp,
}
