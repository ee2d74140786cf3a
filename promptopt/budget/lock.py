"""Lock files: what a prompt cost, case by case, when somebody last accepted it.

A file is a pure function of what was measured: it has no date, no commit and no total, so that branches that touch
different cases merge and branches that touch the same one conflict. Two new cases are seldom neighbours in it: git
cannot merge what two branches insert at one place, so that the cases are spread over fixed places, by a digest of their
names. It is TOML in one fixed layout, read line by line, so that an error names its line; each table has a checksum, so
that an edit by hand is noticed.

A later version may add fields. It gives them a default and writes them only if they differ from it; this version
ignores the fields it does not know. A change that an older version must not ignore raises ``VERSION``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from shlex import quote
from typing import Any

from promptopt.call_options import REASONING_EFFORTS, SERVICE_TIERS, VERBOSITIES, CallOptions
from promptopt.errors import LockError
from promptopt.files import decode, replace_file, show_path
from promptopt.values import canonical_json, sha256_hex

VERSION = 1
SUFFIX = ".lock.toml"
_HEADING = "# What this prompt costs. Written by `promptopt budget update`; not for editing by hand.\n"
_PLACES_HEADING = "# Cases are below the number that their name gives them, so that branches with new cases merge.\n"
_TABLE = re.compile(r'\[case\.(".*")\]')
_PAIR = re.compile(r"([a-z_]+) = (.+)")
_CHECK_DIGITS = 12
# Places that cases are spread over. With n cases, two that are new in two branches meet in about 1 of 64 + n.
_PLACES = 64
# Settings that lengthen no answer and have no price, or whose price is counted as input.
_FREE = frozenset({"temperature", "seed", "top_p", "logprobs", "top_logprobs", "detail"})
# The values of others in the order of the cost.
_ORDERED: Mapping[str, Sequence[object]] = {
    "reasoning_effort": REASONING_EFFORTS,
    "verbosity": VERBOSITIES,
    "service_tier": SERVICE_TIERS,
}


@dataclass(frozen=True, slots=True)
class LockBasis:
    """The tokenizer, model and prices that counts were made with; with another basis they cannot be compared directly.

    A field that is added needs a default: locks written before do not have it.

    Attributes:
        tokenizer: ``o200k_base@sha256:...``.
        model: The model whose tokenizer and prices are used.
        input_usd: Dollars per million input tokens, as text, exactly as in the price table.
        cached_usd: The same for input tokens from the provider's cache.
        output_usd: The same for output tokens.
    """

    tokenizer: str
    model: str
    input_usd: str
    cached_usd: str
    output_usd: str


@dataclass(frozen=True, slots=True)
class LockedCall:
    """What else of a prompt decides its bill, and is the same for all of its cases.

    Attributes:
        params: The settings of a call, as the front matter names them; those that are not set are left out.
        calls_per_month: How often production calls it; ``None`` if the front matter does not say.
        schema: Tokens of the output schema, which every input includes; 0 without one.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    calls_per_month: int | None = None
    schema: int = 0


def call_raised(old: LockedCall | None, now: LockedCall | None) -> Iterator[str]:
    """What of the settings and the volume is higher in ``now``, or cannot be said to be lower."""
    if old is None or now is None:
        return
    if old.calls_per_month is not None and (now.calls_per_month is None or now.calls_per_month > old.calls_per_month):
        yield f"calls_per_month {_number(old.calls_per_month)} → {_number(now.calls_per_month)}"
    for name in sorted({*old.params, *now.params}):
        before, after = old.params.get(name), now.params.get(name)
        if before != after and may_cost_more(name, before, after):
            if name == "max_output_tokens":
                yield f"{name} {_number(before)} → {_number(after)}"
            else:
                yield f"{name} {before or 'not set'} → {after or 'not set'}"


def may_cost_more(name: str, old: Any, now: Any) -> bool:
    """Whether a changed setting of a call may raise its cost. Of a setting that is not known here, it may."""
    if name in _FREE:
        return False
    if name == "max_output_tokens":
        return now is None or (old is not None and now > old)
    if name == "stop":
        return not set(old or ()) <= set(now or ())
    order = _ORDERED.get(name)
    if order is not None and old in order and now in order:
        return order.index(now) > order.index(old)
    # What the provider does without the setting is not known.
    return True


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


@dataclass(frozen=True, slots=True)
class LockEntry:
    """What one case costs, as it is locked.

    Attributes:
        input: Input tokens.
        cacheable: How many of them are the static prefix.
        output: Output tokens; ``None`` if unknown.
        output_is: Where ``output`` comes from: ``recorded`` answers or the declared ``cap``.
        quality: Mean quality of the recorded answers, 0 to 1; ``None`` without any.
        variables: Digest of the case's variables.
        request: Digest of the messages and the schema.
        reason: Why a count was raised.
        test: The test that built it, for a prompt that a program builds.
    """

    input: int
    cacheable: int
    output: int | None
    output_is: str
    quality: float | None
    variables: str
    request: str
    reason: str = field(default="", compare=False)
    test: str = field(default="", compare=False)


def lost(locked: LockEntry, now: LockEntry) -> int:
    """Tokens that were cacheable and are still sent, but not cacheable any more."""
    uncached = (now.input - now.cacheable) - (locked.input - locked.cacheable)
    return max(0, min(locked.cacheable - now.cacheable, uncached))


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of one prompt.

    Attributes:
        prompt: Its name, without a version.
        measured: The version that was measured; empty for a prompt without versions.
        sources: Digest of the template and its includes; empty if the cases were locked with different ones.
        program: The prompt is built by a program and has no template.
        call: Its settings and its volume; ``None`` in a lock of version 0.1.0, which does not have them.
        reason: Why a bill was raised that is not of one case: another model, other settings, more calls.
    """

    prompt: str
    measured: str
    basis: LockBasis
    cases: Mapping[str, LockEntry]
    sources: str = ""
    program: bool = False
    call: LockedCall | None = None
    reason: str = field(default="", compare=False)

    def text(self) -> str:
        """The file."""
        header: dict[str, Any] = {"version": VERSION, "prompt": self.prompt, "measured": self.measured}
        if self.program:
            header["program"] = True
        header["sources"] = self.sources
        defaults = {field.name: field.default for field in fields(LockBasis)}
        header |= {name: value for name, value in asdict(self.basis).items() if value != defaults[name]}
        if self.call is not None:
            if self.call.calls_per_month is not None:
                header["calls_per_month"] = self.call.calls_per_month
            header |= {"schema": self.call.schema, **dict(sorted(self.call.params.items()))}
        if self.reason:
            header["reason"] = self.reason
        places = [f"# {place:02x}\n" for place in range(_PLACES)]
        for name, entry in sorted(self.cases.items(), key=lambda case: (sha256_hex(case[0]), case[0])):
            table = _table(_pairs(entry), name)
            places[int(sha256_hex(name)[:4], 16) * _PLACES >> 16] += f"\n[case.{_quoted(name)}]\n{table}"
        return f"{_HEADING}{_table(header)}\n{_PLACES_HEADING}{''.join(places)}"

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises LockError if it cannot be written."""
        replace_file(path, self.text(), LockError)


def lock_path(prompts: Path, prompt: str) -> Path:
    """``prompts/support/triage.lock.toml``, next to ``triage.j2`` or next to the folder ``triage`` of its versions."""
    return prompts / f"{prompt}{SUFFIX}"


def template_lock(prompts: Path, prompt: str) -> Lock | None:
    """The lock of a prompt that has a template; ``None`` if there is none.

    Args:
        prompts: The prompts folder.

    Raises:
        LockError: The file is broken, of a prompt that a program builds, or a copy of another prompt's.
    """
    path = lock_path(prompts, prompt)
    lock = read_lock(path)
    if lock is not None and lock.program:
        raise LockError(
            f"the lock is of a prompt that a program builds, but {prompt!r} is a template",
            path=show_path(path),
            remedy="rename the template, or the prompt of the fixture prompt_budget",
        )
    # A lock that came along with a renamed prompt has the old name too, but then the old one is gone.
    if lock is not None and lock.prompt != prompt and lock_path(prompts, lock.prompt).exists():
        raise LockError(
            f"the lock is a copy of that of {lock.prompt!r}, and says nothing of {prompt!r}",
            path=show_path(path),
            remedy=f"lock the prompt itself: promptopt budget update {quote(prompt)}",
        )
    return lock


def read_lock(path: Path) -> Lock | None:
    """The lock in a file; ``None`` if there is no file.

    Raises:
        LockError: The file cannot be read, or cannot be used as it is.
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
        LockError: It is broken, contains a merge conflict, or was edited by hand.
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
                    f"contains a merge conflict: {text[:40]!r}",
                    number,
                    f"lock the prompt again: promptopt budget update {self._prompt()}, or take one side: "
                    f"git checkout --ours {quote(self._display)}, or --theirs",
                )
        tables = list(self._tables())
        header = tables[0][2]
        if header.get("version") != VERSION:
            given = header.get("version")
            raise self._error(f"its format version is {given!r}, this promptopt reads {VERSION}", 1, None)
        cases: dict[str, LockEntry] = {}
        for name, line, pairs in tables[1:]:
            assert name is not None
            if name in cases:
                raise self._error(f"two entries for the case {name!r}", line)
            cases[name] = self._entry(pairs, line)
        try:
            given = [field.name for field in fields(LockBasis) if field.name in header or field.default is MISSING]
            return Lock(
                prompt=str(header["prompt"]),
                measured=str(header["measured"]),
                basis=LockBasis(**{name: str(header[name]) for name in given}),
                cases=cases,
                sources=str(header["sources"]),
                program=header.get("program", False) is True,
                call=_call(header),
                reason=str(header.get("reason", "")),
            )
        except KeyError as error:
            raise self._error(f"has no {error.args[0]}", 1) from None

    def _tables(self) -> Iterator[tuple[str | None, int, dict[str, Any]]]:
        name: str | None = None
        start = 1
        pairs: dict[str, Any] = {}
        for number, line in enumerate(self._lines, 1):
            if not line or line.startswith("#"):
                continue
            if table := _TABLE.fullmatch(line):
                yield name, start, self._checked(name, start, pairs)
                name, start, pairs = self._value(table[1], number), number, {}
            elif (pair := _PAIR.fullmatch(line)) and pair[1] not in pairs:
                pairs[pair[1]] = self._value(pair[2], number)
            else:
                raise self._error(f"cannot be read: {line.strip()[:60]!r}", number)
        yield name, start, self._checked(name, start, pairs)

    def _value(self, text: str, line: int) -> Any:
        try:
            # TOML writes strings, integers and floats as JSON does.
            return json.loads(text)
        except ValueError:
            raise self._error(f"cannot be read: {text[:60]!r}", line) from None

    def _checked(self, name: str | None, line: int, pairs: dict[str, Any]) -> dict[str, Any]:
        check = pairs.pop("check", None)
        if check != _checksum(pairs, name):
            which = "the head" if name is None else f"the entry of case {name!r}"
            raise self._error(f"{which} was edited by hand, or only half of it was merged", line)
        return pairs

    def _entry(self, pairs: Mapping[str, Any], line: int) -> LockEntry:
        try:
            recorded = "output" in pairs
            return LockEntry(
                input=int(pairs["input"]),
                cacheable=int(pairs["cacheable"]),
                output=pairs["output"] if recorded else pairs.get("output_max"),
                output_is="recorded" if recorded else "cap",
                quality=pairs.get("quality"),
                variables=str(pairs["variables"]),
                request=str(pairs["request"]),
                reason=str(pairs.get("reason", "")),
                test=str(pairs.get("test", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(f"the entry is incomplete: {error}", line) from None

    def _error(self, message: str, line: int, remedy: str | None = "") -> LockError:
        if remedy == "":
            remedy = (
                f"restore it: git checkout -- {quote(self._display)}, or lock the prompt again: "
                f"promptopt budget update {self._prompt()}"
            )
        return LockError(message, path=self._display, line=line, remedy=remedy)

    def _prompt(self) -> str:
        """The prompt as its name is typed: the file says it, with the folders that it is in."""
        for text in self._lines:
            pair = _PAIR.fullmatch(text)
            if pair and pair[1] == "prompt":
                with suppress(ValueError):
                    return quote(str(json.loads(pair[2])))
        return quote(Path(self._display).name.removesuffix(SUFFIX))


def _call(header: Mapping[str, Any]) -> LockedCall | None:
    # Every lock that has settings has this field, which is 0 for a prompt without a schema.
    if not isinstance(header.get("schema"), int):
        return None
    params = {option.name: header[option.name] for option in fields(CallOptions) if option.name in header}
    return LockedCall(params, header.get("calls_per_month"), header["schema"])


def _pairs(entry: LockEntry) -> dict[str, Any]:
    pairs: dict[str, Any] = {"input": entry.input, "cacheable": entry.cacheable}
    if entry.output is not None:
        pairs["output" if entry.output_is == "recorded" else "output_max"] = entry.output
    if entry.quality is not None:
        pairs["quality"] = entry.quality
    pairs |= {"variables": entry.variables, "request": entry.request}
    texts = {"reason": entry.reason, "test": entry.test}
    return pairs | {name: text for name, text in texts.items() if text}


def _table(pairs: Mapping[str, Any], name: str | None = None) -> str:
    shown = {**pairs, "check": _checksum(pairs, name)}
    return "".join(f"{key} = {_quoted(value)}\n" for key, value in shown.items())


def _quoted(value: Any) -> str:
    # A JSON string is a TOML basic string, except for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checksum(pairs: Mapping[str, Any], name: str | None) -> str:
    return sha256_hex(canonical_json([name, dict(pairs)]))[:_CHECK_DIGITS]
