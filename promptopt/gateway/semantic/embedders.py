"""Embedders: what turns texts into the vectors of the semantic cache."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from promptopt.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    import numpy as np
    import openai

DEFAULT = "wordllama"
# Words whose tokens are remembered.
_WORDS = 100_000
# Texts of one request to an endpoint.
_AT_ONCE = 1000
_loading = threading.Lock()
_LOCAL: list[WordLlamaEmbedder] = []


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
        self._known: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        found = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for row, text in enumerate(texts):
            if ids := self._ids(text):
                # A sum points where the mean does.
                found[row] = self._table[ids].sum(axis=0)
        return unit(found)

    def _ids(self, text: str) -> list[int]:
        """The tokens of a text. No token of this vocabulary goes over a space, unless it consists of spaces."""
        if "  " in text or text[:1] == " " or text[-1:] == " ":
            return self._encoded(text)
        known = self._known
        ids: list[int] = []
        for word in text.split(" "):
            found = known.get(word)
            if found is None:
                if len(known) >= _WORDS:
                    known.clear()
                found = known[word] = self._encoded(word)
            ids += found
        return ids

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


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

        found = [
            row.embedding
            for start in range(0, len(texts), _AT_ONCE)
            for row in self._client.embeddings.create(
                model=self._model, input=list(texts[start : start + _AT_ONCE])
            ).data
        ]
        return unit(np.array(found, dtype=np.float32))


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
        with _loading:
            # Its 32 MB are read once a process.
            if not _LOCAL:
                _LOCAL.append(WordLlamaEmbedder())
            return _LOCAL[0]
    if name.startswith("openai:"):
        return OpenAIEmbedder(name.removeprefix("openai:"))
    raise UsageError(f"unknown embedder {name!r}; known are {DEFAULT} and openai:MODEL")
