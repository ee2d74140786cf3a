"""The semantic cache: a question that means the same as an earlier one gets its answer. Off unless it is calibrated.

Embeddings are nearly blind to what changes an answer most: "5 miles" and "50 miles", "can" and "cannot". Two texts may
therefore share an answer only if their hard facts are the same, whatever their vectors say. The embedders that make the
vectors are the last part of this file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptopt.errors import InputError, UsageError
from promptopt.files import show_path
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.flow import Blocking, Flow, Handler, Subflow
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.openai.wire import messages
from promptopt.gateway.stores.base import SKEW_S, Outage, tolerating
from promptopt.gateway.stores.database import Database
from promptopt.gateway.stores.packing import pack_parts, unpack
from promptopt.values import canonical_json, sha256_hex

if TYPE_CHECKING:
    import numpy as np
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from promptopt.errors import MissingExtra

if TYPE_CHECKING:
    import numpy as np
    import openai


_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_NUMBER_WORDS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "twenty": "20", "thirty": "30",
    "fifty": "50", "hundred": "100", "thousand": "1000", "million": "1000000", "half": "0.5", "twice": "2x",
    "double": "2x", "once": "1x", "first": "1st", "second": "2nd", "third": "3rd", "last": "last", "next": "next",
    "previous": "last",
}  # fmt: skip
_NEGATIONS = frozenset(
    ["no", "not", "none", "never", "nothing", "nobody", "without", "neither", "nor", "cannot", "cant", "dont", "doesnt",
     "didnt", "isnt", "arent", "wasnt", "werent", "wont", "wouldnt", "shouldnt", "couldnt", "hasnt", "havent", "except"]
)  # fmt: skip
_DATES = frozenset(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march",
     "april", "june", "july", "august", "september", "october", "november", "december", "today", "tomorrow",
     "yesterday", "tonight", "weekend", "morning", "evening", "week", "month", "year", "day", "hour", "minute"]
)  # fmt: skip
# Words that turn a question into its opposite, and hardly change its embedding.
_POLES = (
    ("approve", "deny", "reject"), ("enable", "disable"), ("increase", "decrease", "reduce"), ("buy", "sell"),
    ("before", "after"), ("on", "off"), ("start", "stop"), ("open", "close"), ("add", "remove", "delete"),
    ("lock", "unlock"), ("allow", "block"), ("minimum", "maximum"), ("activate", "deactivate"), ("send", "receive"),
    ("incoming", "outgoing"), ("from", "to"), ("with", "without"), ("above", "below"), ("more", "less"),
    ("credit", "debit"), ("deposit", "withdraw"), ("login", "logout"), ("upgrade", "downgrade"), ("import", "export"),
)  # fmt: skip
_POLE_OF = {word: word for group in _POLES for word in group}
_STARTERS = frozenset(
    ["i", "im", "ive", "id", "ill", "a", "an", "the", "this", "that", "these", "those", "my", "your", "our", "we",
     "you", "he", "she", "it", "they", "there", "here", "what", "whats", "which", "who", "whose", "when", "where",
     "wheres",
     "why", "how", "hows", "is", "are", "was", "were", "am", "be", "do", "does", "did", "can", "could", "may", "might",
     "should", "would", "will", "shall", "must", "have", "has", "had", "if", "in", "on", "at", "to", "for", "from",
     "of", "and", "or", "but", "so", "as", "by", "with", "please", "help", "hi", "hello", "hey", "thanks", "thank",
     "explain",
     "tell", "show", "give", "write", "list", "find", "get", "let", "make", "need", "want", "please", "after", "some",
     "someone", "something", "just", "still", "also", "yes", "ok", "okay", "any", "all", "its", "try", "trying"]
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?:\n]\s*$")


def hard_facts(text: str) -> dict[str, list[str]]:
    """The hard facts of a text: numbers, negations, dates, names and poles such as on and off, sorted."""
    numbers = [match[0].replace(",", "") for match in _NUMBER.finditer(text)]
    negations, dates, names, poles = [], [], [], []
    for match in _WORD.finditer(text):
        word = match[0]
        plain = word.lower().replace("'", "").replace("’", "")
        singular = plain.removesuffix("s")
        if plain in _NEGATIONS or (plain.endswith("nt") and "'" in word.replace("’", "'")):
            negations.append("not")
        elif plain in _DATES or singular in _DATES:
            dates.append(singular if singular in _DATES else plain)
        elif plain in _NUMBER_WORDS:
            numbers.append(_NUMBER_WORDS[plain])
        elif plain in _POLE_OF:
            poles.append(plain)
        elif word[0].isupper() and _is_name(text, match.start(), word, plain):
            names.append(plain)
    return {
        "numbers": sorted(numbers),
        "negations": negations,
        "dates": sorted(set(dates)),
        "names": sorted(set(names)),
        "poles": sorted(set(poles)),
    }


def _is_name(text: str, start: int, word: str, plain: str) -> bool:
    """A capitalised word, unless it only begins a sentence as most sentences begin."""
    if plain in _STARTERS:
        return False
    begins = start == 0 or _SENTENCE_END.search(text[:start]) is not None
    return not begins or word.isupper()


def fingerprint(text: str) -> str:
    """Digest of a text's hard facts; two texts may share an answer only if it is the same."""
    return sha256_hex(canonical_json(hard_facts(text)))


_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, scope TEXT NOT NULL, facts TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
    vector BLOB NOT NULL, content_type TEXT NOT NULL, meta TEXT NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_scope ON vectors (scope, facts, id);
"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The threshold that ``promptopt cache calibrate`` found, and what it is valid for.

    Attributes:
        threshold: Cosine from which on two texts count as the same.
        embedder: The embedder that it was measured with; it means nothing for another one.
        false_hits: The highest share of wrong answers among hits that was accepted, 0 to 1.
        bound: Upper confidence bound of that share on the calibration pairs.
    """

    threshold: float
    embedder: str
    false_hits: float
    bound: float

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Raises InputError if the file is missing or is not a calibration."""
        remedy = "make it: promptopt cache calibrate pairs.csv"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: values[name] for name in ("threshold", "embedder", "false_hits", "bound")})
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


class SemanticCache:
    """Answers with what was answered to a text of the same meaning, under the same instructions and parameters."""

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        calibration: Calibration,
        policy: CachePolicy,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Raises UsageError if the calibration is of another embedder."""
        if calibration.embedder != embedder.name:
            raise UsageError(
                f"the semantic cache is calibrated for {calibration.embedder!r}, not for {embedder.name!r}: "
                "a threshold means nothing for another embedder. Calibrate again: promptopt cache calibrate pairs.csv"
            )
        self.policy = policy
        self._database = database
        self._embedder = embedder
        self._threshold = calibration.threshold
        self._clock = clock
        self._outage = Outage("the semantic cache")

    def handle(self, call: Call, inner: Handler) -> Flow:
        question = _question(call)
        if question is None or not self.policy.shareable(call):
            return (yield from inner(call))
        scope, text = question
        facts = fingerprint(text)
        vector = yield from self._embed(text)
        if vector is None:
            return (yield from inner(call))
        with tolerating(self._outage):
            found = self._nearest(scope, facts, vector)
            if found is not None:
                return replace(found, source="semantic")
        answer = yield from inner(call)
        if answer.keepable:
            with tolerating(self._outage):
                self._keep(scope, facts, vector, self.policy.lifetime(call), answer)
        return answer

    def _embed(self, text: str) -> Subflow[np.ndarray | None]:
        try:
            if self._embedder.networked:
                vectors = yield Blocking(lambda: self._embedder([text]))
            else:
                vectors = self._embedder([text])
        except Exception as error:  # noqa: BLE001 - whatever keeps an embedder from answering, the call goes on
            self._outage.tell(type(error).__name__)
            return None
        vector: np.ndarray = vectors[0]
        return vector

    def _nearest(self, scope: str, facts: str, vector: np.ndarray) -> Answer | None:
        import numpy as np

        now = self._clock.time()
        rows = self._database.do(
            lambda connection: connection.execute(
                "SELECT id, vector FROM vectors WHERE scope = ? AND facts = ? AND expires > ? AND created <= ?",
                (scope, facts, now, now + SKEW_S),
            ).fetchall()
        )
        if not rows:
            return None
        matrix = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float32).reshape(len(rows), -1)
        similarity = matrix @ vector
        best = int(similarity.argmax())
        if similarity[best] < self._threshold:
            return None
        found: Any = self._database.do(
            lambda connection: connection.execute(
                "SELECT content, content_type, meta FROM vectors WHERE id = ?", (rows[best][0],)
            ).fetchone()
        )
        return None if found is None else unpack(*found)

    def _keep(self, scope: str, facts: str, vector: np.ndarray, lifetime_s: float, answer: Answer) -> None:
        now = self._clock.time()
        head = (scope, facts, now, now + lifetime_s, vector.tobytes())
        self._database.execute(
            "INSERT INTO vectors (scope, facts, created, expires, vector, content_type, meta, content) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*head, *pack_parts(answer)),
        )


def _question(call: Call) -> tuple[str, str] | None:
    """The identity of the call without its last user message, and that message, which may be put differently."""
    found = messages(call)
    if not found or found[-1][0] != "user" or not found[-1][1].strip():
        return None
    name = "messages" if call.endpoint == "chat" else "input"
    rest = {key: value for key, value in call.body.items() if key not in (name, "instructions")}
    return call.identity_with({**rest, "earlier": found[:-1]}), found[-1][1]


def make_semantic_cache(
    settings: SemanticSettings, folder: Path, policy: CachePolicy, clock: Clock = SYSTEM_CLOCK
) -> SemanticCache:
    """The semantic cache of some settings.

    Raises:
        InputError: It is not calibrated.
        UsageError: It is calibrated for another embedder.
        MissingExtra: The embedder's package is not installed.
    """
    calibration = Calibration.read(settings.calibration or folder / "semantic.json")
    embedder = make_embedder(
        settings.embedder or (DEFAULT if ":" not in calibration.embedder else calibration.embedder)
    )
    database = Database(folder / "semantic.sqlite", _SCHEMA, what="the semantic cache", disposable=True, clock=clock)
    return SemanticCache(database, embedder, calibration, policy, clock=clock)


DEFAULT = "wordllama"


class Embedder(Protocol):
    """Turns texts into vectors.

    Attributes:
        name: What a threshold is calibrated for; another embedder needs another threshold.
        networked: Whether it is reached over a network.
    """

    name: str
    networked: bool

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors in float32, shape (texts, dimensions)."""


class WordLlamaEmbedder:
    """Mean of static token vectors (256 dimensions), read straight from the wheel of ``wordllama``.

    Its own loader looks for the tokenizer in a folder that the wheel does not have, and then on a hub.
    """

    name = "wordllama-l2-256"
    networked = False

    def __init__(self) -> None:
        """Raises MissingExtra if the package is not installed."""
        spec = importlib.util.find_spec("wordllama")
        try:
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ImportError:
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtra("wordllama", "semantic", "the local embedder")
        folder = Path(spec.submodule_search_locations[0])
        weights = next((folder / "weights").glob("l2_supercat_256.safetensors"))
        tokenizer = next((folder / "tokenizers").glob("l2_supercat_tokenizer_config.json"))
        self._table = next(iter(load_file(str(weights)).values())).astype("float32")
        self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        vectors = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for row, encoded in enumerate(self._tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            if encoded.ids:
                vectors[row] = self._table[encoded.ids].mean(axis=0)
        return unit(vectors)


class OpenAIEmbedder:
    """``client.embeddings`` of an endpoint."""

    networked = True

    def __init__(self, model: str, client: openai.OpenAI | None = None) -> None:
        if client is None:
            import openai

            client = openai.OpenAI()
        self.name = f"openai:{model}"
        self._model = model
        self._client = client

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        answer = self._client.embeddings.create(model=self._model, input=list(texts))
        return unit(np.array([row.embedding for row in answer.data], dtype=np.float32))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a row of zeros stays one."""
    import numpy as np

    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def make_embedder(name: str) -> Embedder:
    """``wordllama``, or ``openai:MODEL``.

    Raises:
        UsageError: It is neither.
        MissingExtra: It needs a package that is not installed.
    """
    if name in (DEFAULT, WordLlamaEmbedder.name):
        return WordLlamaEmbedder()
    if name.startswith("openai:"):
        return OpenAIEmbedder(name.removeprefix("openai:"))
    raise UsageError(f"unknown embedder {name!r}; known are {DEFAULT} and openai:MODEL")
