"""Embedders: texts in, unit vectors out. One is local, its weights are in the wheel; the other is an endpoint."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from promptopt.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    import numpy as np
    import openai

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
