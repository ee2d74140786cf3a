"""Lock files: what a prompt cost, case by case, when somebody last agreed to it.

A file is a pure function of what was measured: it has no date, no commit and no total, so that branches that touch
different cases merge and branches that touch the same one conflict. It is TOML in one fixed layout, read line by line,
so that an error names its line; each table carries a checksum, so that an edit by hand is seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptopt.errors import LockError
from promptopt.files import decode, replace_file, show_path
from promptopt.values import canonical_json, sha256_hex

VERSION = 1
SUFFIX = ".lock.toml"
_HEADING = "# What this prompt costs. Written by `promptopt budget update`; not for editing by hand.\n"
_TABLE = re.compile(r'\[case\.(".*")\]')
_PAIR = re.compile(r"([a-z_]+) = (.+)")
_CHECK_DIGITS = 12
_REWRITE = "write it anew: promptopt budget update {prompt}"


@dataclass(frozen=True, slots=True)
class Basis:
    """What counts were made with; where it differs, counts cannot be compared as they are.

    Attributes:
        tokenizer: ``o200k_base@sha256:...``.
        model: The model whose tokenizer and rates hold.
        input_usd: Dollars per million input tokens, as text, as exact as the price table; so are the next two.
    """

    tokenizer: str
    model: str
    input_usd: str
    cached_usd: str
    output_usd: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One case as it was locked.

    Attributes:
        input: Input tokens.
        cacheable: Of them, the static prefix.
        output: Output tokens; ``None`` where nothing is known of them.
        output_is: Where the output is from: ``recorded`` answers or the declared ``cap``.
        quality: Mean quality of the recorded answers, 0 to 1; ``None`` without any.
        variables: Digest of the case's variables.
        request: Digest of the messages and the schema.
        reason: Why a count was raised.
    """

    input: int
    cacheable: int
    output: int | None
    output_is: str
    quality: float | None
    variables: str
    request: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of one prompt.

    Attributes:
        prompt: Its name, without a version.
        measured: The version that was measured; empty for a prompt without versions.
        sources: Digest of the template and its includes; empty where cases were locked with different ones.
        program: The prompt is built by a program and has no template.
    """

    prompt: str
    measured: str
    basis: Basis
    cases: Mapping[str, Entry]
    sources: str = ""
    program: bool = False

    def text(self) -> str:
        """The file."""
        header: dict[str, Any] = {"version": VERSION, "prompt": self.prompt, "measured": self.measured}
        if self.program:
            header["program"] = True
        basis = self.basis
        header |= {"sources": self.sources}
        header |= {"tokenizer": basis.tokenizer, "model": basis.model, "input_usd": basis.input_usd}
        header |= {"cached_usd": basis.cached_usd, "output_usd": basis.output_usd}
        tables = [_HEADING + _table(header)]
        for name, entry in sorted(self.cases.items()):
            tables.append(f"[case.{_quoted(name)}]\n" + _table(_fields(entry), name))
        return "\n".join(tables)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises LockError where the disk does not take it."""
        replace_file(path, self.text(), LockError)


def lock_path(prompts: Path, prompt: str) -> Path:
    """``prompts/support/triage.lock.toml``, beside ``triage.j2`` or beside the folder ``triage`` of its versions."""
    return prompts / f"{prompt}{SUFFIX}"


def read_lock(path: Path) -> Lock | None:
    """The lock in a file; ``None`` where there is none.

    Raises:
        LockError: It cannot be used as it is.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LockError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
    return parse_lock(decode(data, show_path(path), LockError), show_path(path))


def parse_lock(text: str, display: str) -> Lock:
    """The lock in a text.

    Args:
        display: The file, for messages.

    Raises:
        LockError: It is broken, in conflict, or was edited by hand.
    """
    return _Parser(text, display).lock()


class _Parser:
    def __init__(self, text: str, display: str) -> None:
        self._lines = text.split("\n")
        self._display = display

    def lock(self) -> Lock:
        for number, text in enumerate(self._lines, 1):
            if text.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
                raise self._error(
                    f"holds a merge conflict: {text[:40]!r}",
                    number,
                    "take either side (git checkout --ours/--theirs FILE), then run: promptopt budget update",
                )
        tables = list(self._tables())
        header = tables[0][2]
        if header.get("version") != VERSION:
            given = header.get("version")
            raise self._error(f"its format version is {given!r}, this promptopt reads {VERSION}", 1, None)
        cases: dict[str, Entry] = {}
        for name, line, fields in tables[1:]:
            assert name is not None
            if name in cases:
                raise self._error(f"two entries for the case {name!r}", line)
            cases[name] = self._entry(fields, line)
        try:
            basis = Basis(*(str(header[key]) for key in Basis.__dataclass_fields__))
            program = header.get("program", False) is True
            return Lock(str(header["prompt"]), str(header["measured"]), basis, cases, str(header["sources"]), program)
        except KeyError as error:
            raise self._error(f"has no {error.args[0]}", 1) from None

    def _tables(self) -> Iterator[tuple[str | None, int, dict[str, Any]]]:
        name: str | None = None
        start = 1
        fields: dict[str, Any] = {}
        for number, line in enumerate(self._lines, 1):
            if not line or line.startswith("#"):
                continue
            if table := _TABLE.fullmatch(line):
                yield name, start, self._checked(name, start, fields)
                name, start, fields = self._value(table[1], number), number, {}
            elif (pair := _PAIR.fullmatch(line)) and pair[1] not in fields:
                fields[pair[1]] = self._value(pair[2], number)
            else:
                raise self._error(f"cannot be read: {line.strip()[:60]!r}", number)
        yield name, start, self._checked(name, start, fields)

    def _value(self, text: str, line: int) -> Any:
        try:
            # Texts, whole numbers and decimals are written in TOML as in JSON.
            return json.loads(text)
        except ValueError:
            raise self._error(f"cannot be read: {text[:60]!r}", line) from None

    def _checked(self, name: str | None, line: int, fields: dict[str, Any]) -> dict[str, Any]:
        check = fields.pop("check", None)
        if check != _checksum(fields, name):
            which = "its head" if name is None else f"the entry of case {name!r}"
            raise self._error(f"{which} was edited by hand, or only half of it was merged", line)
        return fields

    def _entry(self, fields: Mapping[str, Any], line: int) -> Entry:
        try:
            output, output_is = fields.get("output"), "recorded"
            if output is None and "output_max" in fields:
                output, output_is = fields["output_max"], "cap"
            return Entry(
                input=int(fields["input"]),
                cacheable=int(fields["cacheable"]),
                output=output,
                output_is=output_is,
                quality=fields.get("quality"),
                variables=str(fields["variables"]),
                request=str(fields["request"]),
                reason=str(fields.get("reason", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(f"the entry is incomplete: {error}", line) from None

    def _error(self, message: str, line: int, remedy: str | None = "") -> LockError:
        if remedy == "":
            prompt = Path(self._display).name.removesuffix(SUFFIX)
            remedy = f"restore it (git checkout -- {self._display}), or " + _REWRITE.format(prompt=prompt)
        return LockError(message, path=self._display, line=line, remedy=remedy)


def _fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = {"input": entry.input, "cacheable": entry.cacheable}
    if entry.output is not None:
        fields["output" if entry.output_is == "recorded" else "output_max"] = entry.output
    if entry.quality is not None:
        fields["quality"] = entry.quality
    fields |= {"variables": entry.variables, "request": entry.request}
    return fields | ({"reason": entry.reason} if entry.reason else {})


def _table(fields: Mapping[str, Any], name: str | None = None) -> str:
    shown = {**fields, "check": _checksum(fields, name)}
    return "".join(f"{key} = {_quoted(value)}\n" for key, value in shown.items())


def _quoted(value: Any) -> str:
    # JSON's texts are TOML's basic strings, but for the one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checksum(fields: Mapping[str, Any], name: str | None) -> str:
    return sha256_hex(canonical_json([name, dict(fields)]))[:_CHECK_DIGITS]
