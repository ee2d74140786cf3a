"""JavaScript of suites, run by QuickJS (extra ``js``): without Node, without files and without a network.

Nothing of one run is left for the next: each has an interpreter of its own, but for code that can leave nothing, which
one interpreter of the thread runs again and again. Runs are limited in time, memory and depth. Values go in and come
out as JSON.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from promptopt.errors import MissingExtra, SuiteError
from promptopt.files import decode, show_path

TIME_LIMIT_S = 5.0
"""Processor time of one run."""

MEMORY_LIMIT_BYTES = 128 * 1024 * 1024
"""Memory of one run; far above what a check needs."""

SUFFIXES = (".js", ".cjs", ".mjs")
"""Files that are run."""


class JavaScriptError(ValueError):
    """JavaScript is not valid, throws, runs too long, or returns what is not JSON."""


def function_body(code: str) -> str:
    """The body of the function that promptfoo makes of an inline text.

    Several lines are a body already and say ``return``. One line is an expression; if it begins with a declaration,
    what follows its last semicolon is what is returned.
    """
    code = code.rstrip()
    if "\n" in code:
        return code
    line = re.sub(r";+\s*$", "", code.strip())
    if re.match(r"(const|let|var)\s", line) is None:
        return f"return {line}"
    end = _last_semicolon(line)
    expression = line[end + 1 :].strip()
    return f"{line[: end + 1]} return {expression}" if end >= 0 and expression else line


def run_code(code: str, arguments: Mapping[str, Any]) -> Any:
    """What inline JavaScript returns.

    Args:
        code: An expression, or the body of a function (see :func:`function_body`); it may ``await`` nothing, but a
            promise that it returns is waited for.
        arguments: The names that it may use, each with a value that JSON can hold.

    Raises:
        JavaScriptError: It is not valid, throws, runs too long or returns what is not JSON.
        MissingExtra: QuickJS is not installed.
    """
    call = {"names": [*arguments, "process"], "body": function_body(code), "arguments": list(arguments.values())}
    if _leaves_nothing(code, tuple(arguments)):
        return _limited(lambda run: run.finish("code", call), "", kept=True)
    return _limited(lambda run: run.finish("code", call), "")


def run_file(path: Path, name: str | None, arguments: Sequence[Any]) -> Any:
    """What a function of a JavaScript file returns: the export of that name, or else what the file exports by default.

    The file is a CommonJS module (``module.exports = ...``) or an ES module (``export default ...``); the function may
    be ``async``.

    Raises:
        JavaScriptError: As :func:`run_code`; or the file cannot be read, or exports no such function.
        MissingExtra: QuickJS is not installed.
    """
    shown = show_path(path)
    if path.suffix.lower() not in SUFFIXES:
        typed = path.suffix.lower() in (".ts", ".mts", ".cts")
        remedy = "; compile TypeScript first: npx tsc FILE" if typed else ""
        raise JavaScriptError(f"{shown} is not JavaScript ({', '.join(SUFFIXES)}){remedy}")
    try:
        source = decode(path.read_bytes(), shown, SuiteError)
    except OSError as error:
        raise JavaScriptError(f"{shown} cannot be read: {error.strerror}") from None
    # The line by which a shell finds Node is not JavaScript.
    source = f"//{source}" if source.startswith("#!") else source
    call = {"source": source, "name": name or "", "arguments": list(arguments), "file": path.name}
    module = path.suffix.lower() == ".mjs" or (path.suffix.lower() == ".js" and _MODULE.search(source))
    way = "module" if module else "commonjs"
    kept = way == "commonjs" and _leaves_nothing(_EXPORTED.sub(" ", source), ())
    return _limited(lambda run: run.finish(way, call), shown, kept=kept)


# A line that only an ES module can have.
_MODULE = re.compile(
    r"^\s*(?:export\s+(?:default|const|let|var|function|async|class|\{|\*)|import\s*[\w{*'\"])", re.MULTILINE
)


def _last_semicolon(line: str) -> int:
    """Where the last semicolon is that is not in quotes; -1 if there is none."""
    quote, last, escaped = "", -1, False
    for position, char in enumerate(line):
        if not escaped and char in "'\"`" and quote in ("", char):
            quote = "" if quote else char
        elif char == ";" and not quote:
            last = position
        escaped = char == "\\" and not escaped
    return last


# What may reach beyond the code's own names: other objects' members, what is built in, or a later time.
_REACHES = re.compile(
    r"""(?:[\])}] | \.\s*\#?\w+)\s*(?:[-+*/%&|^?<>]{0,3}=(?![=>]) | \+\+ | --)  # a.b = 1, [a] = b, a[0]++
    | (?:\+\+ | --)\s*[\w$]+\s*[.[(?] | (?:\+\+ | --)\s*[([]                  # ++a.b
    | \]\s*(?:\?\.)?\s*\( | \b[A-Z]\w*\s*(?:\?\.)?\s*\[                      # a[b](c), Math[x]
    | \bfor\s*(?:await\b | \(\s*(?!(?:const|let|var)\b|;)) | \bwith\s*\(
    | __ | \b(?:this|globalThis|delete|prototype|constructor|eval|Function|Reflect|Proxy|process)\b
    | \b(?:assign|define\w*|set[A-Z]\w*|freeze|seal|preventExtensions|import|require)\b
    | \b(?:async|await|then|Promise|queueMicrotask)\b | \\u""",
    re.VERBOSE,
)
_EXPORTED = re.compile(r"\b(?:module\s*\.\s*exports|exports)(?:\s*\.\s*\w+)?\s*=(?![=>])")
# const { a, b: [c] } = ... gives names, as const a = ... does.
_TAKEN_APART = re.compile(r"\b(?:const|let|var)\s*[\[{][\w\s,:$\[\]{}]*[\]}]\s*=(?![=>])")
_ASSIGNED = re.compile(r"([\w$]+)\s*(?:(?:[-+*/%&|^?<>]{0,3})(?<![=!<>])=(?![=>])|\+\+|--)|(?:\+\+|--)\s*([\w$]+)")
_DECLARED = re.compile(r"\b(?:const|let|var)\s+([\w$]+)")


@lru_cache(maxsize=4096)
def _leaves_nothing(code: str, names: tuple[str, ...]) -> bool:
    """Whether code surely changes nothing but its own names; doubt is a no, which only costs time."""
    plain = _TAKEN_APART.sub(" ", code)
    if _REACHES.search(plain):
        return False
    assigned = {name for match in _ASSIGNED.finditer(plain) for name in match.groups() if name}
    return assigned <= {*names, *_DECLARED.findall(plain)}


class _Kept(threading.local):
    """The interpreter that a thread keeps. It may not be used by another one."""

    run: _Run | None = None


_KEPT = _Kept()


def _limited(work: Callable[[_Run], Any], shown: str, *, kept: bool = False) -> Any:
    """The result of a run within its limits; ``shown`` is the file, for messages."""
    try:
        import quickjs
    except ImportError:
        raise MissingExtra("quickjs-ng", "js", "JavaScript in a suite") from None
    place, allowed_s = f"{shown}: " if shown else "", TIME_LIMIT_S
    while True:
        run, _KEPT.run = (_KEPT.run if kept else None), None if kept else _KEPT.run
        run = run or _Run(quickjs.Context())
        started = run.start(allowed_s, shown)
        try:
            result = work(run)
        except quickjs.StackOverflow:
            raise JavaScriptError(f"{place}calls itself too deeply") from None
        except quickjs.JSException as error:
            message = str(error)
            if "interrupted" not in message:
                # QuickJS has no memory left for the error itself.
                memory = "out of memory" in message or message.strip() == "null"
                raise JavaScriptError(place + (_NO_MEMORY if memory else message.strip())) from None
            # QuickJS looks at the clock of the whole process, where other threads work too.
            if time.thread_time() - started >= TIME_LIMIT_S / 2:
                raise JavaScriptError(f"{place}ran longer than {TIME_LIMIT_S:g} s") from None
            allowed_s *= 4
        else:
            # One that failed is not kept, whatever it had begun.
            if kept:
                _KEPT.run = run
            return result


_NO_MEMORY = f"needs more than {MEMORY_LIMIT_BYTES >> 20} MB"
_NO_NODE = (
    "JavaScript is run without Node, files and network: write it in plain JavaScript in this file, "
    "or as a `python` assert"
)

# Everything is in one line, so that a place in the user's code has a line above 1. What the outside world would give is
# refused by name; a timer does not wait.
_HARNESS = " ".join(
    line.strip()
    for line in """
(function () {
  const compiled = new Map();
  let state = {}, timers = [], last = 0;
  const settle = (promise) => Promise.resolve(promise).then(keep).catch(fail);
  const keep = (value) => {
    const type = typeof value;
    if (type === "number") { state.number = String(value); }
    else if (type !== "bigint") { state.json = JSON.stringify(value); }
    state.type = type;
  };
  const fail = (error) => {
    let text, stack = "";
    try {
      const named = error instanceof Error;
      text = named ? `${error.name}: ${error.message}`
        : typeof error === "object" ? JSON.stringify(error) : String(error);
      stack = named ? String(error.stack) : "";
    } catch { text = "an error that cannot be shown"; }
    state.type = "error"; state.json = JSON.stringify(text); state.stack = stack;
  };
  const compile = (names, body) => {
    const key = names.join() + ";" + body;
    let made = compiled.get(key);
    if (!made) {
      if (compiled.size > 100) { compiled.clear(); }
      compiled.set(key, made = new Function(...names, body));
    }
    return made;
  };
  const refuse = (what) => { throw new Error(what + ": " + REMEDY); };
  globalThis.require = (name) => refuse(`require(${JSON.stringify(name)})`);
  globalThis.fetch = () => refuse("fetch");
  globalThis.process = { env: {}, argv: [], platform: "", cwd: () => "", mainModule: { require } };
  globalThis.console = Object.fromEntries(
    ["log", "info", "warn", "error", "debug", "trace", "dir", "table"].map((name) => [name, () => undefined]));
  globalThis.setTimeout = (job, after = 0, ...given) => {
    timers.push({ id: ++last, at: Number(after) || 0, job, given });
    return last;
  };
  globalThis.clearTimeout = (id) => { timers = timers.filter((each) => each.id !== id); };
  globalThis.setImmediate = (job, ...given) => setTimeout(job, 0, ...given);
  globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value));
  const pick = (exported, call) => {
    const named = call.name && exported != null ? exported[call.name] : undefined;
    const found = [named, exported, exported?.default, exported?.default?.[call.name], exported?.default?.default]
      .find((each) => typeof each === "function");
    if (!found) {
      const names = Object.keys(Object(exported)).join(", ") || "nothing";
      throw new Error(`exports no function${call.name ? " " + call.name : ""}; it exports ${names}`);
    }
    return found(...call.arguments);
  };
  const ways = {
    code: (call) => {
      return compile(call.names, call.body)(...call.arguments, process);
    },
    commonjs: (call) => {
      const module = { exports: {} };
      const names = ["module", "exports", "require", "__filename", "__dirname"];
      compile(names, call.source)(module, module.exports, require, call.file, ".");
      return pick(module.exports, call);
    },
    loaded: (call) => pick(globalThis.__exports, call),
    timer: () => {
      const due = timers.reduce((first, each) => (each.at < first.at ? each : first));
      clearTimeout(due.id);
      due.job(...due.given);
    },
  };
  return (way, text, promise) => {
    try {
      if (way === "state") { return JSON.stringify(state); }
      if (way === "evaluated") { promise.then(() => 0, fail); return ""; }
      if (way === "timer") { return timers.length ? (ways.timer(), "true") : "false"; }
      state = {};
      const result = ways[way](JSON.parse(text));
      if (result instanceof Promise || typeof result?.then === "function") { settle(result); return ""; }
      keep(result);
      return JSON.stringify(state);
    } catch (error) { fail(error); }
    return JSON.stringify(state);
  };
})()
""".replace("REMEDY", json.dumps(_NO_NODE)).splitlines()
)
# Lines that come before the user's own in what is compiled.
_BEFORE = {"code": 2, "commonjs": 2, "module": 1}


class _Run:
    """An interpreter, and how far the run in it is."""

    def __init__(self, context: Any) -> None:
        context.set_memory_limit(MEMORY_LIMIT_BYTES)
        self._context = context
        self._shown = ""
        self._step = context.eval(_HARNESS)
        self._started = 0.0

    def start(self, allowed_s: float, shown: str) -> float:
        """Begins a run of a file that may take so long; its beginning, by the thread's clock."""
        self._shown = shown
        self._context.set_time_limit(allowed_s)
        self._started = time.thread_time()
        return self._started

    def finish(self, way: str, call: Mapping[str, Any]) -> Any:
        """The result of a call; ``way`` says of what kind its code is."""
        text = json.dumps(call, default=_unserializable)
        if way == "module":
            if not self._load(str(call["source"])):
                return self._result(way, self._state())
            done = self._step("loaded", text)
        else:
            done = self._step(way, text)
        if done:
            return self._result(way, json.loads(done))
        self._work()
        return self._result(way, self._state())

    def _load(self, source: str) -> bool:
        """Whether the module is loaded: one that imports itself shows what it exports."""
        import quickjs

        own = '\n;import * as __own from "<input>"; globalThis.__exports = __own;'
        try:
            self._step("evaluated", "", self._context.module("\n" + source + own))
        except quickjs.JSException as error:
            message = str(error)
            if "interrupted" in message:
                raise
            found = re.search(r"could not load module '([^']*)'", message)
            why = f"import {found[1]!r}: {_NO_NODE}" if found else message.partition("\n")[0]
            raise JavaScriptError(self._at(why, message, "module")) from None
        self._work()
        return "type" not in self._state()

    def _work(self) -> None:
        """Runs the jobs of promises and timers until there are none, or a result is there."""
        import quickjs

        while True:
            if time.thread_time() - self._started > TIME_LIMIT_S:
                raise quickjs.JSException("interrupted")
            if not self._context.execute_pending_job() and (
                "type" in self._state() or self._step("timer", "") != "true"
            ):
                return

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self._step("state", ""))
        return state

    def _result(self, way: str, state: Mapping[str, Any]) -> Any:
        kind = state.get("type")
        if kind == "number":
            return _number(state["number"]) if state["number"].lstrip("-").isdigit() else float(state["number"])
        value = json.loads(state["json"], parse_int=_number) if "json" in state else None
        if kind == "error":
            why = "throws null" if value is None else str(value)
            if value == "null" and not state["stack"]:
                why = f"throws null, as it does if it {_NO_MEMORY}"
            elif "out of memory" in why or why == "InternalError: string too long":
                why = _NO_MEMORY
            elif "could not load module" in why:
                why = f"import: {_NO_NODE}"
            raise JavaScriptError(self._at(why, state["stack"], way))
        if kind is None:
            raise JavaScriptError(self._at("its promise is never settled", "", way))
        if kind in ("function", "symbol", "bigint"):
            raise JavaScriptError(self._at(f"returned a {kind}, which is not JSON", "", way))
        return value

    def _at(self, why: str, stack: str, way: str) -> str:
        """A message with the file and the line of the innermost place in the user's code."""
        places = [int(line) - _BEFORE[way] for line in re.findall(r"<input>:(\d+)", stack)]
        line = next((place for place in places if place > 0), None)
        if self._shown:
            return f"{self._shown}:{line}: {why}" if line else f"{self._shown}: {why}"
        return f"line {line}: {why}" if line else why


def _number(text: str) -> float:
    # Every number of JavaScript is a float; beyond this one, not all of its digits are meant.
    number = int(text)
    return number if abs(number) <= 2**53 else float(text)


def _unserializable(value: object) -> str:
    # YAML gives dates, which promptfoo's parser leaves as texts.
    return str(value)
