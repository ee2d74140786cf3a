"""The semantic cache: a question that means the same as an earlier one gets its answer. Off unless it is calibrated.

Two questions may share an answer only if all around them is the same (instructions, earlier messages with their images,
files, names and tool calls, parameters, whose call it is), and if no hard fact keeps them apart (see ``hard_facts``).
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptopt.errors import InputError, UsageError
from promptopt.files import show_path
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.flow import AFTER_FORK, Blocking, Flow, Handler, Subflow
from promptopt.gateway.layers.cache import CachePolicy, prompt_name
from promptopt.gateway.semantic.embedders import DEFAULT, Embedder, make_embedder
from promptopt.gateway.semantic.hard_facts import RULES, HardFacts, difference, hard_facts
from promptopt.gateway.semantic.index import LONGEST_QUESTION, MOST_COMPARED, VectorIndex
from promptopt.gateway.stores.base import SKEW_S, Outage, StoreLock, using
from promptopt.gateway.stores.database import Database
from promptopt.gateway.stores.ledger_row import encodable
from promptopt.gateway.stores.packing import pack_parts, unpack
from promptopt.gateway.stores.sealed import Seal, sealed_key

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger("promptopt.gateway")

# What earlier versions kept in ``vectors`` was not kept apart by images, files and tool calls.
_SCHEMA = """
DROP TABLE IF EXISTS vectors;
CREATE TABLE IF NOT EXISTS questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
    vector BLOB NOT NULL, facts TEXT NOT NULL, content_type TEXT NOT NULL, meta TEXT NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS of_scope ON questions (scope, id);
CREATE TABLE IF NOT EXISTS about (id INTEGER PRIMARY KEY, prompt TEXT, model TEXT NOT NULL);
"""
_FILE, _WHAT = "semantic.sqlite", "the semantic cache"
# More questions are not kept; the oldest go first.
_MOST = 50_000
_TIDY_EVERY = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """The threshold that ``promptopt cache calibrate`` found, and what it is valid for.

    Attributes:
        threshold: Cosine from which on two texts count as the same.
        embedder: The embedder that it was measured with; it means nothing for another one.
        false_hits: The highest share of wrong answers among hits that was accepted, 0 to 1.
        bound: Upper confidence bound of that share on the calibration pairs.
        rules: The rules of hard facts that it was measured under.
    """

    threshold: float
    embedder: str
    false_hits: float
    bound: float
    rules: int = 1

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Raises InputError if the file is missing or is not a calibration."""
        remedy = "make it: promptopt cache calibrate pairs.csv"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            found = cls(**{name: values[name] for name in ("threshold", "embedder", "false_hits", "bound")})
            return replace(found, rules=values.get("rules", 1))
        except OSError as error:
            raise InputError(
                f"the semantic cache is not calibrated: {error.strerror}", path=show_path(path), remedy=remedy
            ) from None
        except (ValueError, KeyError, TypeError):
            raise InputError("is not a calibration", path=show_path(path), remedy=remedy) from None


@dataclass(frozen=True, slots=True)
class SemanticSettings:
    """What the semantic cache works with.

    Attributes:
        embedder: ``wordllama`` or ``openai:MODEL``; by default the one of the calibration.
        calibration: The file that ``promptopt cache calibrate`` wrote; by default in the gateway's folder.
    """

    embedder: str | None = None
    calibration: Path | None = None


class _Known:
    """What is known of the questions of one scope."""

    def __init__(self, dimensions: int) -> None:
        self.index = VectorIndex(dimensions)
        self.rows: list[tuple[int, float, float, HardFacts]] = []
        self.last = 0


class SemanticCache:
    """Answers with what was answered to a text of the same meaning, under the same instructions and parameters."""

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        calibration: Calibration,
        policy: CachePolicy,
        *,
        seal: Seal | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Raises UsageError if the calibration is of another embedder. With a ``seal``, what is kept is encrypted."""
        if calibration.embedder != embedder.name:
            raise UsageError(
                f"the semantic cache is calibrated for {calibration.embedder!r}, not for {embedder.name!r}: "
                "a threshold means nothing for another embedder. Calibrate again: promptopt cache calibrate pairs.csv"
            )
        self.policy = policy
        self._seal = seal
        self._database = database
        self._embedder = embedder
        self._threshold = calibration.threshold
        self._clock = clock
        self._outage = Outage("the semantic cache")
        self._kept = 0
        self.after_fork()
        AFTER_FORK.add(self)

    def after_fork(self) -> None:
        """A lock that another thread of the parent held is never given back here."""
        self._lock = StoreLock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def handle(self, call: Call, inner: Handler) -> Flow:
        question = _question(call, self._embedder.name) if self.policy.shareable(call) else None
        vector = None if question is None else (yield from self._embed(question[1]))
        if question is None or vector is None:
            return (yield from inner(call))
        scope, text = question
        if self._seal is not None:
            # A gateway without the secret finds nothing, instead of what it cannot read.
            scope = sealed_key(scope)
        facts = hard_facts(text).hidden(partial(_hidden, scope.encode()))
        with self._outage:
            look_up = partial(self._look_up, scope, vector, facts)
            if scope in self._known:
                found: Answer | None = yield from using(self._database, look_up)
            else:
                # All questions of its scope are read first.
                found = yield Blocking(look_up)
            if found is not None:
                return found._replace(source="semantic")
        answer = yield from inner(call)
        if answer.keepable and answer.finish_reason == "stop":
            with self._outage:
                keep = partial(self._keep, scope, vector, facts, call, answer)
                yield from using(self._database, keep)
        return answer

    def _embed(self, text: str) -> Subflow[np.ndarray | None]:
        import numpy as np

        try:
            if self._embedder.networked:
                vectors = yield Blocking(lambda: self._embedder([text]))
            else:
                vectors = self._embedder([text])
            vector: np.ndarray = np.asarray(vectors[0], dtype=np.float32)
        except Exception as error:  # noqa: BLE001 - whatever keeps an embedder from answering, the call goes on
            self._outage.tell(type(error).__name__)
            return None
        # The product is NaN if any part is NaN; a text without a known word has a vector of zeros.
        if not 0.9 < float(vector @ vector) < 1.1:
            log.debug("%s gave no unit vector", self._embedder.name)
            return None
        return vector

    def _look_up(self, scope: str, vector: np.ndarray, facts: HardFacts) -> Answer | None:
        """The answer to the most similar question that no fact keeps apart."""
        now = self._clock.time()
        with self._lock:
            known = self._read(scope, len(vector))
            for _, place in known.index.similar(vector, self._threshold)[:MOST_COMPARED]:
                number, created, expires, others = known.rows[place]
                if not created - SKEW_S <= now < expires or difference(facts, others) is not None:
                    continue
                row = self._database.do(partial(_content, number))
                # It may have been deleted since.
                answer = None if row is None else _unpacked(row)
                if answer is not None and self._seal is not None:
                    answer = self._seal.opened(answer)
                if answer is not None:
                    return answer
        return None

    def _read(self, scope: str, dimensions: int) -> _Known:
        """The questions of a scope, with those that came since the last look, from whichever process."""
        import numpy as np

        known = self._known.get(scope)
        if known is None:
            known = self._known[scope] = _Known(dimensions)
            while len(self._known) > 1 and sum(len(each.rows) for each in self._known.values()) > _MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(scope)
        query = "SELECT id, created, expires, facts, vector FROM questions WHERE scope = ? AND id > ? ORDER BY id"
        rows = self._database.do(lambda connection: connection.execute(query, (scope, known.last)).fetchall())
        if not rows:
            return known
        known.last = rows[-1][0]
        vectors, kept = [], []
        now = self._clock.time()
        if self._seal is not None:
            rows = [(*row[:3], *_opened(self._seal, row[4], 4 * dimensions)) for row in rows]
        for number, created, expires, packed, blob in rows:
            facts = _facts(packed) if expires > now and len(blob) == 4 * dimensions else None
            vector = np.frombuffer(blob, dtype=np.float32) if facts is not None else None
            # What is not a unit vector was not written here.
            if facts is not None and vector is not None and 0.9 < float(vector @ vector) < 1.1:
                vectors.append(vector)
                kept.append((number, created, expires, facts))
        if vectors:
            known.index.add(np.array(vectors))
            known.rows += kept
        return known

    def _keep(self, scope: str, vector: np.ndarray, facts: HardFacts, call: Call, answer: Answer) -> None:
        now = self._clock.time()
        blob, packed = vector.tobytes(), _packed(facts)
        if self._seal is not None:
            answer = self._seal.closed(answer)
            blob, packed = self._seal.closed_bytes(blob + packed.encode()), ""
        values = (scope, now, now + self.policy.lifetime(call), blob, packed, *pack_parts(answer))
        about = (encodable(prompt_name(call.labels)), encodable(call.model))

        def insert(connection: sqlite3.Connection) -> None:
            places = "(scope, created, expires, vector, facts, content_type, meta, content)"
            query = f"INSERT INTO questions {places} VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
            number = connection.execute(query, values).lastrowid
            connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?, ?)", (number, *about))

        self._database.write(insert)
        self._kept += 1
        if self._kept % _TIDY_EVERY == 1:
            self._tidy(now)

    def _tidy(self, now: float) -> None:
        """Delete what is over, and the oldest above the most that is kept; forget scopes of which half is over."""
        self._database.execute("DELETE FROM questions WHERE expires <= ?", (now,))
        self._database.execute(
            "DELETE FROM questions WHERE id <= (SELECT id FROM questions ORDER BY id DESC LIMIT 1 OFFSET ?)", (_MOST,)
        )
        self._database.execute("DELETE FROM about WHERE id NOT IN (SELECT id FROM questions)")
        with self._lock:
            for scope, known in list(self._known.items()):
                over = sum(expires <= now for _, _, expires, _ in known.rows)
                if over * 2 > len(known.rows) or len(known.rows) > _MOST * 5 // 4:
                    del self._known[scope]


def _opened(seal: Seal, token: Any, size: int) -> tuple[str, bytes]:
    """The facts beside a vector, and the vector; both empty if they cannot be decrypted."""
    data = seal.opened_bytes(token) if isinstance(token, bytes) else None
    return ("", b"") if data is None else (data[size:].decode("utf-8", "replace"), data[:size])


def forget_questions(folder: Path, *, prompt: str | None, model: str | None, before: float | None) -> int:
    """Delete what the semantic cache in a folder keeps and matches all that is given; how many answers it was.

    What an earlier version kept has neither prompt nor model, and matches none.
    """
    if not (folder / _FILE).exists():
        return 0
    database = Database(folder / _FILE, _SCHEMA, what=_WHAT, disposable=True)
    try:
        return database.execute(
            "DELETE FROM questions WHERE (:before IS NULL OR created < :before) AND "
            "((:prompt IS NULL AND :model IS NULL) OR id IN (SELECT id FROM about WHERE "
            # Exactly this prompt or a version of it.
            "(:prompt IS NULL OR prompt = :prompt OR substr(prompt, 1, length(:prompt) + 1) = :prompt || '@') "
            "AND (:model IS NULL OR model = :model)))",
            {"prompt": prompt, "model": model, "before": before},
        )
    finally:
        database.close()


def _hidden(key: bytes, word: str) -> str:
    """What is kept of a word: enough to compare it within its scope."""
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=6, key=key[:64]).hexdigest()


def _packed(facts: HardFacts) -> str:
    parts = [sorted(part) if isinstance(part, frozenset) else part for part in astuple(facts)]
    return json.dumps(parts, separators=(",", ":"))


def _facts(packed: str) -> HardFacts | None:
    """``None`` if another version packed them in another way."""
    try:
        numbers, signs, negated, dates, opposed, names, order, words, foreign = json.loads(packed)
        return HardFacts(
            numbers=tuple(numbers),
            signs=tuple(signs),
            negated=negated,
            dates=frozenset(dates),
            opposed=frozenset(opposed),
            names=frozenset(names),
            order=tuple(order),
            words=frozenset(words),
            foreign=foreign,
        )
    except (ValueError, TypeError):
        return None


def _content(number: int, connection: sqlite3.Connection) -> Any:
    query = "SELECT content, content_type, meta FROM questions WHERE id = ?"
    return connection.execute(query, (number,)).fetchone()


def _unpacked(row: tuple[bytes, str, str]) -> Answer | None:
    try:
        return unpack(*row)
    except (ValueError, TypeError):
        return None


_TEXTS = frozenset(["text", "input_text"])


def _question(call: Call, embedder: str) -> tuple[str, str] | None:
    """The identity of the call without the text of its last user message, and that text, which may be put differently.

    ``None`` if the call does not end in a text that a user wrote.
    """
    name = {"chat": "messages", "messages": "messages", "responses": "input"}.get(call.endpoint)
    items = None if name is None else call.body.get(name)
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if name is None or not isinstance(items, list) or not items:
        return None
    split = _without_text(items[-1])
    if split is None or not split[1].strip() or len(split[1]) > LONGEST_QUESTION:
        return None
    rest, text = split
    shaping = {key: value for key, value in call.body.items() if key != name}
    return call.identity_with({**shaping, name: [*items[:-1], rest], "question_by": embedder}), text


def _without_text(message: Any) -> tuple[Any, str] | None:
    """A user message without its text, which must be the only one, and that text; all else of it stays."""
    if not isinstance(message, Mapping) or message.get("role") != "user":
        return None
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": None}, content
    if not isinstance(content, list):
        return None
    texts = [part for part in content if isinstance(part, Mapping) and part.get("type") in _TEXTS]
    if len(texts) != 1 or not isinstance(texts[0].get("text"), str):
        return None
    rest = [{**part, "text": None} if part is texts[0] else part for part in content]
    return {**message, "content": rest}, texts[0]["text"]


def make_semantic_cache(
    settings: SemanticSettings, folder: Path, policy: CachePolicy, clock: Clock = SYSTEM_CLOCK, seal: Seal | None = None
) -> SemanticCache:
    """The semantic cache of some settings.

    Raises:
        InputError: It is not calibrated.
        UsageError: It is calibrated for another embedder.
        MissingExtra: The embedder's package is not installed.
    """
    path = settings.calibration or folder / "semantic.json"
    calibration = Calibration.read(path)
    if calibration.rules != RULES:
        log.warning(
            "%s was made under other rules of hard facts, so that its bound does not hold; "
            "make it again: promptopt cache calibrate pairs.csv",
            show_path(path),
        )
    embedder = make_embedder(
        settings.embedder or (DEFAULT if ":" not in calibration.embedder else calibration.embedder)
    )
    database = Database(folder / _FILE, _SCHEMA, what=_WHAT, disposable=True, clock=clock)
    return SemanticCache(database, embedder, calibration, policy, seal=seal, clock=clock)
