"""A comparison as files of a batch API: the requests to which there is no answer yet.

A folder has the export of one comparison: files of requests, ``calls.jsonl`` with all calls that the comparison
makes, and ``manifest.json``. A request is known by its digest, which is its ``custom_id``. Everything is read and
written a line at a time: memory is for the suite, not for its calls.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from promptopt.config import Config, load_config
from promptopt.errors import InputError, UsageError
from promptopt.experiment.grid import make_grid
from promptopt.experiment.plan import (
    CostRange,
    Mode,
    PlannedCall,
    RecordedCall,
    RunPlan,
    cost_range,
    plan_call,
    refuse_settings,
    refuse_unrecorded,
)
from promptopt.experiment.variant import Variant, make_variant
from promptopt.files import replace_file, scratch_database, show_path
from promptopt.providers.base import batch_request
from promptopt.providers.batch import MAX_BYTES, MAX_REQUESTS, batch_line
from promptopt.providers.long_recordings import LongRecordingFiles
from promptopt.suites import Case, LongSuite, suite_of
from promptopt.templates import load_prompt
from promptopt.values import Request

VERSION = 1
MANIFEST, CALLS = "manifest.json", "calls.jsonl"
TIME = "%Y-%m-%dT%H:%M:%SZ"
_WORK = ".export"
# So many calls that may not be asked are named at most.
_MOST_NAMED = 500


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared, as the arguments of :func:`promptopt.compare` say it."""

    prompts: tuple[str, ...]
    suite: str | None = None
    models: tuple[str, ...] = ()
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)
    trials: int = 1
    record: Mode = "missing"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or AttributeError if a field is missing or wrong."""
        settings = {name: tuple(values) for name, values in row["settings"].items()}
        lists = {"prompts": tuple(row["prompts"]), "models": tuple(row["models"]), "settings": settings}
        return cls(**{**row, **lists})


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of requests to one model.

    Attributes:
        endpoint: What a batch of it is created for, such as ``/v1/chat/completions``.
    """

    file: str
    model: str
    endpoint: str
    requests: int = 0
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder has.

    Attributes:
        began_at: When the first export into it was made, in UTC. Answers from before it do not count in a comparison
            that asks for everything.
        calls: How many calls the comparison makes, as far as that is known; ``recorded`` of them have an answer.
        requests: How many requests are in the files. One that several calls send alike is there once.
    """

    compared: Compared
    began_at: str
    calls: int
    recorded: int
    requests: int
    shards: tuple[Shard, ...]

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps({"v": VERSION, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of a folder; ``None`` if it has none. Raises InputError if it is broken."""
        path = folder / MANIFEST
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            if row.pop("v") != VERSION:
                raise ValueError("its version is another one")
            shards = tuple(Shard(**shard) for shard in row["shards"])
            return cls(**{**row, "compared": Compared.of(row["compared"]), "shards": shards})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"is not the manifest of a batch: {error}",
                path=show_path(path),
                remedy="export the same comparison into another folder, and put the answers there",
            ) from None


class OpenComparison:
    """The variants and cases of what is compared; their recordings stay on disk. Close it."""

    def __init__(self, compared: Compared, config: Config, began_at: str) -> None:
        self._compared, self._began_at, self._files = compared, began_at, LongRecordingFiles()
        templates = [load_prompt(prompt, config=config) for prompt in compared.prompts]
        self.cases = LongSuite(compared.suite or suite_of(templates[0].origin.prompt, config=config), config=config)
        cells = make_grid(templates, compared.models, compared.settings, config.variants)
        self.variants = {
            cell.label: make_variant(
                cell.template,
                self.cases.suite,
                config,
                model=cell.model,
                processing="batch",
                files=self._files,
                settings=cell.settings,
                label=cell.label,
            )
            for cell in cells
        }

    def call(self, variant: Variant, case: Case, sample: int) -> PlannedCall | RecordedCall:
        """What is recorded of a call, and what of it is asked next."""
        return plan_call(variant, case, sample, self._compared.record, _Since(variant, self._began_at))

    def calls(self) -> Iterator[tuple[Variant, PlannedCall | RecordedCall]]:
        """All calls, a variant after the other."""
        for variant in self.variants.values():
            for case in self.cases:
                for sample in range(self._compared.trials):
                    yield variant, self.call(variant, case, sample)

    def close(self) -> None:
        """Sort the recordings, and give back what holds them."""
        try:
            for variant in self.variants.values():
                variant.files[0].tidy()
        finally:
            self._files.close()
            self.cases.close()


class _Since:
    """Which answers were recorded since the first export."""

    def __init__(self, variant: Variant, began_at: str) -> None:
        self._variant, self._began_at = variant, began_at

    def answered(self, request: Request) -> bool:
        found = self._variant.recorded(request)[1].find(request)
        return found is not None and found.recorded_at >= self._began_at


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did.

    Attributes:
        expected: What its requests cost at the batch price.
        again: How many of the requests were in the export before, too.
    """

    manifest: Manifest
    expected: CostRange
    again: int


def export_batch(
    compared: Compared, folder: Path, shards: int = 1, on_cost: Callable[[CostRange], None] | None = None
) -> Exported:
    """Write the requests of a comparison that have no recorded answer into files for a batch API.

    The files of an export before are replaced. Of a conversation the first step without an answer is written: once that
    is imported, the next export has the next one.

    Args:
        shards: How many files the requests to a model are divided into; more if one would be too large for the API.
        on_cost: Called with what the requests cost before files are replaced; may raise.

    Raises:
        UsageError: The folder has something else, or a model has no batch API or does not take a setting.
        RecordingError: Answers are stale, and ``record`` does not allow to ask again.
        InputError: The disk does not take the files; those of before are unchanged.
    """
    config, before = load_config(), _checked(folder, compared)
    began = before.began_at if before else datetime.now(UTC).strftime(TIME)
    try:
        with ExitStack() as stack:
            opened = stack.enter_context(closing(OpenComparison(compared, config, began)))
            writer = stack.enter_context(_Writer(folder, shards, before))
            expected = cost_range([])
            for variant, call in _asked(opened, writer):
                expected = _sum(expected, cost_range([RunPlan(variant, (call,))]))
            if on_cost is not None:
                on_cost(expected)
            manifest = writer.finish(compared, began)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=show_path(folder)) from None
    return Exported(manifest, expected, writer.again)


def _checked(folder: Path, compared: Compared) -> Manifest | None:
    before = Manifest.read(folder)
    if before is None:
        if folder.exists() and (not folder.is_dir() or any(each.name != _WORK for each in folder.iterdir())):
            raise UsageError(f"{show_path(folder)} is neither an empty folder nor one of an export: name another one")
        return None
    if before.compared != compared:
        raise UsageError(
            f"{show_path(folder)} has the export of another comparison, of {', '.join(before.compared.prompts)} with "
            "other options: name another folder"
        )
    return before


def _asked(opened: OpenComparison, writer: _Writer) -> Iterator[tuple[Variant, PlannedCall]]:
    """The calls that are asked, once each; all calls are written down."""
    checked: set[str] = set()
    blocked: list[tuple[Variant, PlannedCall]] = []
    for variant, call in opened.calls():
        if blocked and (blocked[0][0] is not variant or len(blocked) == _MOST_NAMED):
            break
        if isinstance(call, PlannedCall) and variant.label not in checked:
            refuse_settings(variant, call.request)
            checked.add(variant.label)
        if isinstance(call, PlannedCall) and not call.live:
            blocked.append((variant, call))
        elif not blocked and writer.call(variant, call) and isinstance(call, PlannedCall):
            yield variant, call
    if blocked:
        refuse_unrecorded([RunPlan(blocked[0][0], tuple(call for _, call in blocked))])


def _sum(one: CostRange, other: CostRange) -> CostRange:
    bounded = one.high_usd is not None and other.high_usd is not None
    return CostRange(
        calls=one.calls + other.calls,
        low_usd=one.low_usd + other.low_usd,
        high_usd=(one.high_usd or 0) + (other.high_usd or 0) if bounded else None,  # type: ignore[arg-type]
        free=one.free and other.free,
        unpriced=tuple(dict.fromkeys([*one.unpriced, *other.unpriced])),
        uncapped=tuple(dict.fromkeys([*one.uncapped, *other.uncapped])),
    )


class _Writer:
    """Writes files into a folder beside those of before, which they replace at the end."""

    def __init__(self, folder: Path, shards: int, before: Manifest | None) -> None:
        self._folder, self._work, self._shards, self._before = folder, folder / _WORK, shards, before
        self._parts: dict[tuple[str, str], list[_Part]] = {}
        self._turn: Counter[tuple[str, str]] = Counter()
        self._done: list[_Part] = []
        self._numbers: Counter[str] = Counter()
        self._calls = self._recorded = self.again = 0

    def __enter__(self) -> Self:
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)
        self._stack = ExitStack()
        table = "CREATE TABLE asked (digest TEXT PRIMARY KEY, before INTEGER) WITHOUT ROWID"
        self._asked = self._stack.enter_context(closing(scratch_database(table)))
        if self._before is not None:
            for row in read_calls(self._folder):
                if row["asked"]:
                    self._asked.execute("INSERT OR IGNORE INTO asked VALUES (?, 1)", (row["custom_id"],))
        self._file = self._stack.enter_context((self._work / CALLS).open("w", encoding="utf-8"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def call(self, variant: Variant, call: PlannedCall | RecordedCall) -> bool:
        """Write a call down, and its request if that is not recorded; whether it is the first call that sends it."""
        name, sample = (
            (call.case, call.sample) if isinstance(call, RecordedCall) else (call.case.name, call.request.sample)
        )
        steps = call.steps if isinstance(call, RecordedCall) else call.earlier
        digests = [(step.request_sha256, False) for step in steps]
        if isinstance(call, PlannedCall):
            digests.append((call.request.digest, True))
        for step, (digest, asked) in enumerate(digests):
            row = {"custom_id": digest, "prompt": variant.label, "case": name, "repetition": sample, "step": step}
            self._file.write(json.dumps({**row, "asked": asked}) + "\n")
        self._calls += len(digests)
        self._recorded += len(steps)
        return isinstance(call, PlannedCall) and self._request(call.request, digests[-1][0])

    def _request(self, request: Request, digest: str) -> bool:
        found = self._asked.execute("SELECT before FROM asked WHERE digest = ?", (digest,)).fetchone()
        if found == (0,):
            return False
        self._asked.execute("INSERT OR REPLACE INTO asked VALUES (?, 0)", (digest,))
        self.again += found is not None
        case = request.origin.case if request.origin else None
        try:
            sent = batch_request(request)
        except ValueError as error:
            raise UsageError(f"{request.model}: {error} (in case {case!r})") from None
        if sent is None:
            raise UsageError(
                f"{request.model}: its provider has no batch API; models of the types openai, azure, vllm and "
                "anthropic can be exported"
            )
        line = batch_line(digest, *sent)
        if len(line) > MAX_BYTES:
            raise UsageError(f"the request of case {case!r} has {len(line):,} bytes; a file has at most {MAX_BYTES:,}")
        self._part(request.model, sent[0], len(line)).add(line)
        return True

    def _part(self, model: str, url: str, size: int) -> _Part:
        """The file whose turn it is, a new one in its place if it is full."""
        parts = self._parts.setdefault((model, url), [])
        if len(parts) < self._shards:
            parts.append(self._new(model, url))
            return parts[-1]
        turn = self._turn[model, url] % self._shards
        self._turn[model, url] += 1
        part = parts[turn]
        if part.requests == MAX_REQUESTS or part.bytes + size > MAX_BYTES:
            self._done.append(part)
            part = parts[turn] = self._new(model, url)
        return part

    def _new(self, model: str, url: str) -> _Part:
        name = re.sub(r"[^\w.-]+", "_", model)
        self._numbers[name] += 1
        return _Part(self._work / f"requests-{name}-{self._numbers[name]:04}.jsonl", model, url)

    def finish(self, compared: Compared, began_at: str) -> Manifest:
        """Put the files in their place; the manifest comes last."""
        self._file.close()
        parts = [*self._done, *(part for parts in self._parts.values() for part in parts)]
        shards = tuple(sorted((part.shard() for part in parts), key=lambda shard: shard.file))
        requests = sum(shard.requests for shard in shards)
        manifest = Manifest(compared, began_at, self._calls, self._recorded, requests, shards)
        for shard in self._before.shards if self._before else ():
            (self._folder / shard.file).unlink(missing_ok=True)
        for name in [CALLS, *(shard.file for shard in shards)]:
            (self._work / name).replace(self._folder / name)
        replace_file(self._folder / MANIFEST, manifest.to_json())
        return manifest


class _Part:
    """A file of requests while it is written."""

    def __init__(self, path: Path, model: str, url: str) -> None:
        self._path, self._shard, self._hash = path, Shard(path.name, model, url), hashlib.sha256()
        self.requests = self.bytes = 0

    def add(self, line: bytes) -> None:
        # There may be more of them than a process may have open.
        with self._path.open("ab") as file:
            file.write(line)
        self._hash.update(line)
        self.requests += 1
        self.bytes += len(line)

    def shard(self) -> Shard:
        return replace(self._shard, requests=self.requests, bytes=self.bytes, sha256=self._hash.hexdigest())


def read_calls(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of ``calls.jsonl``. Raises InputError if one is broken."""
    path = folder / CALLS
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):  # noqa: B007 - for the message
                row = json.loads(line)
                yield {name: row[name] for name in ("custom_id", "prompt", "case", "repetition", "step", "asked")}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(
            "is not a call of an export",
            path=show_path(path),
            line=number,
            remedy="run the same compare --export-batch again, and the import after it",
        ) from None
