"""Programs and endpoints that a config puts under test, as tables of ``[tool.promptopt.providers]``."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from promptopt.promptfoo.document import ConfigFile
from promptopt.promptfoo.scripts import node_command
from promptopt.suites.variables import FILE

# promptfoo gives a command the prompt, its options and its context as arguments; this project writes them to it.
_AS_ARGUMENTS = (
    "import json,subprocess,sys\n"
    "told=json.load(sys.stdin)\n"
    "context=json.dumps({'vars':told.get('variables',{})})\n"
    "sys.exit(subprocess.call([*sys.argv[2:],told['prompt'],sys.argv[1],context]))"
)
# A provider in JavaScript is a class with callApi, an object that has it, or a function.
_IN_NODE = """
const {pathToFileURL} = require('node:url');
const [, path, config] = process.argv;
(async () => {
  let text = '';
  for await (const part of process.stdin) text += part;
  const told = JSON.parse(text), options = {config: JSON.parse(config)};
  const log = console.log; console.log = console.error;
  let found = await import(pathToFileURL(path).href);
  found = found.default?.default ?? found.default ?? found;
  const context = {vars: told.variables ?? {}, prompt: {raw: told.prompt, label: ''}};
  const called = found.prototype?.callApi ? new found(options) : found;
  const result = await (called.callApi ? called.callApi(told.prompt, context, options)
    : called(told.prompt, context, options));
  const whole = result && typeof result === 'object' && ('output' in result || 'error' in result);
  const given = whole ? result : {output: result};
  const answer = given.error ? {error: String(given.error)} : {output: given.output};
  const used = given.tokenUsage;
  if (used && used.prompt !== undefined && !given.error)
    answer.usage = {input_tokens: used.prompt, output_tokens: used.completion ?? 0};
  log(JSON.stringify(answer));
})().catch((error) => { console.error(error?.message ?? String(error)); process.exit(1); });
"""
_PATH = re.compile(
    r"(?:\(?\s*(?:json|data|response|r|\w+)\s*(?:,[^)]*)?\)?\s*=>\s*)?(?:json|data|response|r|x)((?:\??\.\w+|\[\d+\]|\[['\"][^'\"]+['\"]\])+);?"
)


def python_table(document: ConfigFile, name: str, function: str | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """A file in Python. Raises ValueError if there is none."""
    path = document.find(name)
    if not path.is_file():
        raise ValueError(f"there is no file {path.name!r}")
    table: dict[str, Any] = {"type": "python", "function": f"{FILE}{path}:{function or 'call_api'}"}
    return {**table, "config": document.with_env(dict(config))} if config else table


def exec_table(document: ConfigFile, command: str) -> dict[str, Any]:
    """A command. Raises ValueError if it is none."""
    words = shlex.split(command)
    if not words:
        raise ValueError("there is no command after `exec:`")
    words = [str(path) if (path := document.find(word)).is_file() else word for word in words]
    return {"type": "exec", "command": [sys.executable, "-c", _AS_ARGUMENTS, "{}", *words]}


def javascript_table(document: ConfigFile, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A file in JavaScript, which Node runs. Raises ValueError without the file or without Node."""
    path = document.find(name)
    if not path.is_file():
        raise ValueError(f"there is no file {path.name!r}")
    given = json.dumps(document.with_env(dict(config)), ensure_ascii=False, default=str)
    return {"type": "exec", "command": [*node_command(path), "-e", _IN_NODE, str(path), given]}


def http_table(document: ConfigFile, identity: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """An endpoint. Raises ValueError for what the provider ``http`` cannot send."""
    if isinstance(config.get("request"), str):
        config = {**_request(document, str(config["request"]), config), **config}
    url = config.get("url") or (identity.removeprefix("webhook:") if "://" in identity else None)
    url = str(document.with_env(url)) if url else ""
    if not re.match(r"https?://[^\s/]", url):
        raise ValueError(f"{url!r} is not an address: `url` in its `config` says where it is")
    if isinstance(query := config.get("queryParams"), Mapping):
        url += ("&" if "?" in url else "?") + urlencode(document.with_env(dict(query)), safe="{}")
    if "{{" in url:
        raise ValueError("an address with a variable of the case in it is not asked")
    table: dict[str, Any] = {"type": "http", "url": url}
    method = str(config.get("method") or "POST").upper()
    if method not in ("POST", "PUT", "PATCH", "GET"):
        raise ValueError(f"the method {method} is not one of POST, PUT, PATCH, GET")
    table["method"] = method
    if headers := _headers(document, config):
        table["headers"] = headers
    if method != "GET" and (body := document.with_env(config.get("body"))):
        table["body"] = body if isinstance(body, str) else dict(body)
    reader = config.get("transformResponse", config.get("responseParser"))
    if isinstance(reader, str) and reader.strip():
        pointer = json_pointer(reader)
        table["response"] = {"text": pointer or ""}
        if pointer is None:
            table["_transform"] = f"http:{reader}"
    return table


def _headers(document: ConfigFile, config: Mapping[str, Any]) -> dict[str, str]:
    """The headers of an endpoint; those that the provider sets itself are not among them."""
    found = {}
    for name, value in (config.get("headers") or {}).items():
        text = _variables(str(value))
        if "{{" in text:
            what = f"the header {name!r} has a variable of the case in it and is not sent"
            document.note("left out", what, config, "headers")
        elif str(name).lower() not in ("content-type", "content-length", "host"):
            found[str(name)] = text
    return found


def _variables(text: str) -> str:
    return re.sub(r"\{\{\s*env\.(\w+)\s*\}\}", r"${\1}", text)


def json_pointer(code: str) -> str | None:
    """The JSON pointer of a path in JavaScript, ``json.choices[0].text``; ``None`` for other code."""
    found = _PATH.fullmatch(code.strip())
    if found is None:
        return None
    parts = re.findall(r"\.(\w+)|\[(\d+)\]|\[['\"]([^'\"]+)['\"]\]", found[1])
    return "".join(f"/{name or number or quoted}" for name, number, quoted in parts)


def _request(document: ConfigFile, raw: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A request as HTTP writes it: a line with method and path, headers, and a body."""
    text = str(document.load(raw)).strip().replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, _, target = first.partition(" ")
    target = target.split(" ")[0]
    headers = dict(line.split(":", 1) for line in lines if ":" in line)
    headers = {name.strip(): value.strip() for name, value in headers.items()}
    host = next((value for name, value in headers.items() if name.lower() == "host"), "")
    scheme = "http" if config.get("useHttps") is False else "https"
    found: dict[str, Any] = {
        "method": method,
        "headers": headers,
        "url": target if "://" in target else f"{scheme}://{host}{target}",
    }
    return {**found, "body": body} if body.strip() else found
