"""Answers of a batch API as recordings: of any files below the folder of an export, by the digests of requests.

Answers may come in any order, in parts, and twice. One whose request would not be sent now is not used.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from promptopt.config import load_config
from promptopt.errors import InputError, ProviderError, SecretRecorded, TemplateError
from promptopt.experiment.batch_export import CALLS, MANIFEST, TIME, Manifest, OpenComparison, read_calls
from promptopt.experiment.conversation import next_request
from promptopt.experiment.plan import PlannedCall, RecordedCall
from promptopt.experiment.variant import Variant
from promptopt.files import scratch_database, show_path
from promptopt.gateway.batch import BatchAnswer, batch_row
from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.settings import read_settings
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerStore
from promptopt.providers.batch import read_row
from promptopt.providers.recordings import Recording
from promptopt.values import Cost, Response

_SHOWN = 5
_EXPIRED = "batch_expired: the batch did not get to it in time"


@dataclass(slots=True)
class Named:
    """How many there are of something, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(name)

    def __str__(self) -> str:
        return "; ".join(self.first) + (f" and {self.count - len(self.first):,} more" * (self.count > _SHOWN))


@dataclass(slots=True)
class BatchImported:
    """What an import did.

    Attributes:
        answers: How many answers it recorded, by the file that they are in.
        already: How many were recorded before.
        other: Answers that are not the one that is recorded of their call, which stays.
        failed: Calls that have an error in the place of an answer; they may be exported again.
        missing: Calls of which no file says anything.
        unknown: Answers to requests that are none of this export; ``outdated`` to requests that would be sent
            otherwise now. Neither is used.
        broken: Lines that are no rows of a batch.
        changed: How many requests of the export would be sent otherwise now, answered or not.
        open: How many conversations have a next step.
        usd: What the answers cost at the batch price, apart from the ``unpriced`` models, and from ``unmeasured``
            answers: those that say no tokens.
    """

    answers: dict[str, int] = field(default_factory=dict)
    already: int = 0
    other: Named = field(default_factory=Named)
    failed: Named = field(default_factory=Named)
    missing: Named = field(default_factory=Named)
    unknown: Named = field(default_factory=Named)
    outdated: Named = field(default_factory=Named)
    broken: Named = field(default_factory=Named)
    changed: int = 0
    open: int = 0
    usd: Decimal = Decimal(0)
    unpriced: set[str] = field(default_factory=set)
    unmeasured: int = 0


def import_batch(folder: Path) -> BatchImported:
    """Record the answers in the files below the folder of an export: all ``.jsonl`` and ``.json`` but its own.

    Raises:
        InputError: The folder has no export, or a file cannot be read.
        RecordingError: The disk does not take an answer. What was recorded before stays.
    """
    manifest = Manifest.read(folder)
    if manifest is None:
        raise InputError(
            f"has no {MANIFEST}", path=show_path(folder), remedy="promptopt compare ... --export-batch DIR writes one"
        )
    config = load_config()
    with ExitStack() as stack:
        database = scratch_database(
            "CREATE TABLE call (digest TEXT, prompt TEXT, name TEXT, sample INTEGER, asked INTEGER)",
            "CREATE INDEX by_digest ON call (digest)",
            "CREATE TABLE failed (digest TEXT PRIMARY KEY, said TEXT) WITHOUT ROWID",
        )
        calls = stack.enter_context(closing(database))
        for row in read_calls(folder):
            values = row["custom_id"], row["prompt"], json.dumps(row["case"]), row["repetition"], row["asked"]
            calls.execute("INSERT INTO call VALUES (?, ?, ?, ?, ?)", values)
        opened = stack.enter_context(closing(OpenComparison(manifest.compared, config, manifest.began_at)))
        place = read_settings(config).ledger
        ledger = None if place is None else stack.enter_context(closing(open_ledger(place)))
        work = _Import(manifest, opened, calls, ledger)
        for path in _answers(folder, manifest):
            work.read(path)
        work.look_for_missing()
    return work.done


def _answers(folder: Path, manifest: Manifest) -> Iterator[Path]:
    own = {MANIFEST, CALLS, *(shard.file for shard in manifest.shards)}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix in (".jsonl", ".json") and path.is_file() and not hidden and str(inside) not in own:
            yield path


class _Import:
    """One import."""

    def __init__(
        self, manifest: Manifest, opened: OpenComparison, calls: sqlite3.Connection, ledger: LedgerStore | None
    ) -> None:
        self._opened, self._calls, self._ledger = opened, calls, ledger
        self._began_at = manifest.began_at
        self.done = BatchImported()

    def read(self, path: Path) -> None:
        """Take the answers of a file."""
        shown = show_path(path)
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        self._row(line, f"{shown}:{number}")
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=shown) from None

    def _row(self, line: bytes, place: str) -> None:
        try:
            row = json.loads(line)
            digest = row["custom_id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.done.broken.add(place)
            return
        if not row.keys() & {"response", "error", "result"}:
            # A copy of the requests.
            return
        found = self._calls.execute(
            "SELECT DISTINCT prompt, name, sample FROM call WHERE digest = ?", (str(digest),)
        ).fetchall()
        if not found:
            self.done.unknown.add(f"{str(digest)[:12]} ({place})")
            return
        try:
            answer = read_row(row, "")
        except ProviderError as error:
            self._fail(digest, str(error))
            return
        if answer is None:
            self._fail(digest, _EXPIRED)
            return
        for label, name, sample in found:
            self._answer((digest, label, json.loads(name), sample), *answer, place)

    def _fail(self, digest: str, said: str) -> None:
        self._calls.execute("INSERT OR IGNORE INTO failed VALUES (?, ?)", (digest, said))

    def _answer(self, of: tuple[str, str, str, int], response: Response, made_at: int | None, place: str) -> None:
        digest, label, name, sample = of
        call = self._call(label, name, sample)
        if isinstance(call, PlannedCall) and call.request.digest == digest:
            self._record(call, self._opened.variants[label], response, made_at)
        elif call is None or (recorded := _recorded(call, digest)) is None:
            self.done.outdated.add(_shown(label, name, sample))
        elif (recorded.text, recorded.tool_calls) == (response.text, response.tool_calls):
            self.done.already += 1
        else:
            self.done.other.add(f"{_shown(label, name, sample)} ({place})")

    def _call(self, label: str, name: str, sample: int) -> PlannedCall | RecordedCall | None:
        """The call as it would be made now; ``None`` if it would not."""
        variant, case = self._opened.variants.get(label), self._opened.cases.get(name)
        if variant is None or case is None:
            return None
        try:
            return self._opened.call(variant, case, sample)
        except TemplateError:
            return None

    def _record(self, call: PlannedCall, variant: Variant, response: Response, made_at: int | None) -> None:
        now = datetime.now(UTC).strftime(TIME)
        made = now if made_at is None else datetime.fromtimestamp(made_at, UTC).strftime(TIME)
        # Not every server's clock is to be believed.
        recorded_at = made if self._began_at <= made <= now else now
        response = response if response.model else replace(response, model=call.request.model)
        file = variant.files[0]
        try:
            file.append(Recording.of(call.request, response, recorded_at))
        except SecretRecorded as error:
            self._fail(call.request.digest, error.message)
            return
        shown = show_path(file.path)
        self.done.answers[shown] = self.done.answers.get(shown, 0) + 1
        self.done.open += _goes_on(call, variant, response)
        self._account(call, variant, response)

    def _account(self, call: PlannedCall, variant: Variant, response: Response) -> None:
        cost = None
        if variant.free:
            cost = Cost(Decimal(0), Decimal(0))
        elif variant.live_price is None:
            self.done.unpriced.add(variant.model)
        elif response.usage is None:
            self.done.unmeasured += 1
        else:
            cost = variant.live_price.cost(response.usage)
        if cost is not None:
            self.done.usd += cost.total_usd
        if self._ledger is not None:
            answer = BatchAnswer(call.request, response, cost=cost)
            self._ledger.finish(0, batch_row(answer, SYSTEM_CLOCK.time()))

    def look_for_missing(self) -> None:
        """Name the calls that are asked and have no answer, in the order of the export."""
        rows = self._calls.execute(
            "SELECT prompt, name, sample, call.digest, said FROM call LEFT JOIN failed USING (digest) "
            "WHERE asked ORDER BY call.rowid"
        )
        for label, written, sample, digest, said in rows:
            name = json.loads(written)
            call = self._call(label, name, sample)
            if not isinstance(call, PlannedCall) or call.request.digest != digest:
                if call is None or _recorded(call, digest) is None:
                    self.done.changed += 1
            elif said is None:
                self.done.missing.add(_shown(label, name, sample))
            else:
                self.done.failed.add(f"{_shown(label, name, sample)} ({said})")


def _goes_on(call: PlannedCall, variant: Variant, response: Response) -> bool:
    """Whether the conversation has a next step."""
    responses = [*(step.response for step in call.earlier), response]
    try:
        return call.case.has_steps and next_request(variant.template, call.case, call.request, responses) is not None
    except TemplateError:
        return False


def _recorded(call: PlannedCall | RecordedCall, digest: str) -> Response | None:
    """What the step that answers this request said; ``None`` if none of those that are recorded does."""
    steps = call.steps if isinstance(call, RecordedCall) else call.earlier
    return next((step.response for step in steps if step.request_sha256 == digest), None)


def _shown(label: str, name: str, sample: int) -> str:
    return f"{label} {name}" + (f", repetition {sample}" if sample else "")
