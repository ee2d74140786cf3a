"""The prompts of a config: texts, files of every kind, globs, and functions that write a prompt for each case."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptopt.errors import SuiteError
from promptopt.files import show_path
from promptopt.functions import load_function
from promptopt.promptfoo.document import ConfigFile, is_script, read_data, read_text, split_function
from promptopt.promptfoo.scripts import is_typed, node_command, run_script
from promptopt.suites.variables import FILE

PromptFunction = Callable[[Mapping[str, Any]], str]
"""Writes the prompt for the variables of a case."""

_GLOB = re.compile(r"[*?]|\[[^\]]+\]|\{[^{}]+,[^{}]+\}")
_KINDS = (
    ".txt",
    ".md",
    ".j2",
    ".jinja",
    ".jinja2",
    ".json",
    ".jsonl",
    ".yaml",
    ".yml",
    ".csv",
    ".py",
    ".js",
    ".cjs",
    ".mjs",
)
_REMOTE = ("langfuse://", "portkey://", "helicone://", "pf://")
_PROGRAM_TIMEOUT_S = 60
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class ConfigPrompt:
    """One prompt of a config.

    Attributes:
        name: Unique in the config, and fit for a file's name.
        labels: What the filters of tests and providers may call it.
        text: A Nunjucks template.
        function: Writes the prompt in the place of a text.
        config: Settings of a call that it asks for.
        file: Where its text is from, if it is from a file of its own.
    """

    name: str
    labels: tuple[str, ...]
    text: str
    function: PromptFunction | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None


def read_prompts(document: ConfigFile) -> list[ConfigPrompt]:
    """The prompts of a config, in order. What cannot be read is left out with a note."""
    written = document.table.get("prompts")
    if isinstance(written, str):
        written = [written]
    elif isinstance(written, Mapping) and not {"raw", "id", "label"} & written.keys():
        written = [{"raw": raw, "label": label} for raw, label in written.items()]
    elif isinstance(written, Mapping):
        written = [written]
    found: list[ConfigPrompt] = []
    for entry in written or ["{{prompt}}"]:
        with document.leaving_out(
            f"the prompt {_shown(entry)}", entry if isinstance(entry, Mapping) else document.table, _key(entry)
        ):
            found += _entry(document, entry)
    return _named(found)


def _key(entry: object) -> str | None:
    return None if isinstance(entry, Mapping) else "prompts"


def _shown(entry: object) -> str:
    text = (
        str(entry.get("label") or entry.get("raw") or entry.get("id") or entry)
        if isinstance(entry, Mapping)
        else str(entry)
    )
    first = text.strip().splitlines()[0] if text.strip() else ""
    return repr(first if len(first) <= 60 else f"{first[:59]}…")


def _entry(document: ConfigFile, entry: Any) -> Iterator[ConfigPrompt]:
    if isinstance(entry, str):
        yield from _text(document, entry)
        return
    if isinstance(entry, list):
        yield ConfigPrompt("", (), json.dumps(entry, ensure_ascii=False))
        return
    if not isinstance(entry, Mapping):
        raise ValueError("is neither a text nor a mapping")
    raw = entry.get("raw", entry.get("id", entry.get("content")))
    if not isinstance(raw, str):
        yield ConfigPrompt("", (), json.dumps(dict(entry), ensure_ascii=False))
        return
    label, identity = entry.get("label"), entry.get("id")
    prompts = list(_text(document, raw))
    for number, prompt in enumerate(prompts, 1):
        names = [str(name) for name in (label, identity) if name]
        numbered = [f"{name} {number}" for name in names[:1]] if len(prompts) > 1 else []
        yield replace(
            prompt,
            name=(numbered or names or [prompt.name])[0],
            labels=(*numbered, *names, *prompt.labels),
            config=document.load_all(entry.get("config") or {}),
        )


def _text(document: ConfigFile, raw: str) -> Iterator[ConfigPrompt]:
    """The prompts that one text gives: those of the files that it names, or itself."""
    if raw.startswith(_REMOTE):
        raise ValueError(f"it is kept by a service, {raw.partition('://')[0]}: save its text in a file and name that")
    if raw.startswith("exec:"):
        yield _program(document, raw)
        return
    files = _files(document, raw)
    if files is None:
        yield ConfigPrompt("", (raw,), raw)
        return
    for path, function in files:
        for prompt in _file(path, function):
            # promptfoo's own label begins with the path as it is written.
            yield replace(prompt, labels=(*prompt.labels, raw, raw.removeprefix(FILE), show_path(path), path.name))


def _files(document: ConfigFile, raw: str) -> list[tuple[Path, str | None]] | None:
    """The files that a text names, each with the function in it; ``None`` if it is a prompt itself."""
    named = raw.startswith(FILE)
    bare, function = split_function(raw.strip())
    if not named and ("\n" in raw.strip() or len(raw) > 300):
        return None
    path = document.find(bare)
    if path.is_file():
        return [(path, function)] if named or path.suffix.lower() in _KINDS else None
    if path.is_dir() and (named or bare.startswith(("./", "../")) or bare.endswith("/")):
        return [(file, None) for file in sorted(path.iterdir()) if file.suffix.lower() in _KINDS]
    if _GLOB.search(bare) and ("{{" not in bare):
        matches = expand_glob(document.folder, str(document.with_env(bare)).removeprefix(FILE))
        if matches:
            return [(file, function) for file in matches]
    if named:
        raise SuiteError(f"{raw!r} names no file: {show_path(path)} does not exist")
    return None


def expand_glob(folder: Path, pattern: str) -> list[Path]:
    """The files that a pattern matches, by name; ``{a,b}`` is one of several."""
    braces = re.search(r"\{([^{}]+,[^{}]+)\}", pattern)
    if braces:
        found = [
            path
            for choice in braces[1].split(",")
            for path in expand_glob(folder, pattern[: braces.start()] + choice.strip() + pattern[braces.end() :])
        ]
        return list(dict.fromkeys(found))
    # `**` within a name is one `*`.
    pattern = "/".join(part if part == "**" else part.replace("**", "*") for part in pattern.split("/"))
    root = folder
    while pattern.startswith(("./", "../")):
        step, pattern = pattern.split("/", 1)
        root = root.parent if step == ".." else root
    if pattern.startswith("/"):
        root, pattern = Path("/"), pattern.lstrip("/")
    return sorted(path for path in root.glob(pattern) if path.is_file())


def _file(path: Path, function: str | None) -> Iterator[ConfigPrompt]:
    suffix, name = path.suffix.lower(), path.name.partition(".")[0]
    # `v1.txt` of a folder of versions says little without its folder.
    if suffix == ".py":
        yield ConfigPrompt(f"{name}-{function}" if function else name, (), "", _python(path, function), file=path)
        return
    if is_script(path.name):
        yield ConfigPrompt(f"{name}-{function}" if function else name, (), "", _javascript(path, function), file=path)
        return
    text = read_text(path)
    if suffix == ".txt":
        parts = _parts(text)
    elif suffix == ".jsonl":
        parts = [line for line in text.splitlines() if line.strip()]
    elif suffix == ".csv":
        yield from _rows(text, name)
        return
    elif suffix in (".yaml", ".yml", ".json"):
        parts = [_data(path, text)]
    else:
        parts = [text]
    if not parts:
        raise SuiteError("has no prompt", path=show_path(path))
    for number, part in enumerate(parts, 1):
        yield ConfigPrompt(f"{name}-{number}" if len(parts) > 1 else name, (), part, file=path)


def _parts(text: str) -> list[str]:
    """The prompts of a text file: lines of ``---`` separate them, and white space around them is none of theirs."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == "---":
            found.append([])
        else:
            found[-1].append(line)
    return [part for lines in found if (part := "\n".join(lines).strip())]


def _data(path: Path, text: str) -> str:
    """A chat in a file as JSON; what is not data yet, because tags write it, as it is."""
    try:
        data = read_data(path)
    except SuiteError:
        return text
    return text if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def _rows(text: str, name: str) -> Iterator[ConfigPrompt]:
    if "," not in text:
        lines = [line for line in text.splitlines() if line.strip()]
        start = 1 if lines and lines[0].strip().lower() == "prompt" else 0
        for number, line in enumerate(lines[start:], 1):
            yield ConfigPrompt(f"{name}-{number}", (), line)
        return
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True), 1):
        cells = {str(key).strip(): value for key, value in row.items()}
        if cells.get("prompt"):
            label = cells.get("label")
            yield ConfigPrompt(label or f"{name}-{number}", (label,) if label else (), cells["prompt"].strip())


def _written(result: Any) -> str:
    """What a function returned as the text of a prompt."""
    if isinstance(result, Mapping) and "prompt" in result:
        result = result["prompt"]
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


def _python(path: Path, name: str | None) -> PromptFunction:
    if name is None:
        return lambda context: _run([sys.executable, str(path)], context, path)
    function = load_function(f"{FILE}{path}:{name}")
    return lambda context: _written(function(dict(context)))


def _javascript(path: Path, name: str | None) -> PromptFunction:
    if is_typed(path):
        node_command(path)
    return lambda context: _written(run_script(path, name, [dict(context)]))


def _program(document: ConfigFile, raw: str) -> ConfigPrompt:
    import shlex

    command = shlex.split(raw.removeprefix("exec:"))
    path = document.find(command[-1])
    if not path.is_file():
        raise ValueError(f"{raw!r} names no file")
    words = [*command[:-1], str(path)]
    return ConfigPrompt(path.stem, (raw,), "", lambda context: _run(words, context, path), file=path)


def _run(words: list[str], context: Mapping[str, Any], path: Path) -> str:
    given = json.dumps(context, ensure_ascii=False, default=str)
    done = subprocess.run(  # noqa: S603 - a program of the user's own config, as promptfoo runs it
        [*words, given], capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT_S, cwd=path.parent, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ValueError(f"{path.name} ended with exit code {done.returncode}: {said[-1] if said else ''}")
    return done.stdout


def slug(text: str) -> str:
    """A text as a part of a file's name."""
    plain = re.sub(r"[^\w.-]+", "-", text.strip()).strip("-.").lower()
    return plain[:_LONGEST_NAME].rstrip("-.")


def _named(prompts: list[ConfigPrompt]) -> list[ConfigPrompt]:
    """The prompts, each with a name of its own."""
    taken: set[str] = set()
    found = []
    for number, prompt in enumerate(prompts, 1):
        wanted = slug(prompt.name) or f"prompt-{number}"
        name, again = wanted, 2
        while name in taken:
            name, again = f"{wanted}-{again}", again + 1
        taken.add(name)
        found.append(replace(prompt, name=name))
    return found
