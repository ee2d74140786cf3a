"""Endpoints that speak OpenAI's chat completions, by name: where they are, and which variable has their key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from promptopt.errors import ProviderUnusable
from promptopt.providers.openai.client import OpenAIProvider
from promptopt.providers.openai.endpoint import OpenAIEndpoint
from promptopt.providers.settings import Checks, is_text, is_url


class OllamaProvider(OpenAIProvider):
    """Ollama on this machine. It reads ``max_tokens`` only (docs.ollama.com/api/openai-compatibility)."""

    free = True
    usual_url = "http://localhost:11434/v1"
    usual_key = None
    renamed: ClassVar[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}
    batch_urls = None


class VllmProvider(OpenAIProvider):
    """A server of vLLM on this machine; `vllm run-batch` answers its batches."""

    free = True
    usual_url = "http://localhost:8000/v1"
    usual_key = None


class OpenRouterProvider(OpenAIProvider):
    """OpenRouter; its models are named ``vendor/model``."""

    usual_url = "https://openrouter.ai/api/v1"
    usual_key = "OPENROUTER_API_KEY"
    batch_urls = None


class AzureProvider(OpenAIProvider):
    """Azure OpenAI; a model is the name of a deployment.

    Its ``base_url`` is the resource's address. Without ``api_version`` its v1 API is called (``/openai/v1``).
    """

    keys: ClassVar[Checks | None] = {**(OpenAIProvider.keys or {}), "api_version": is_text, "base_url": is_url}
    usual_key = "AZURE_OPENAI_API_KEY"
    # Without a version in front (learn.microsoft.com/azure/ai-foundry/openai/how-to/batch).
    batch_urls: ClassVar[Mapping[str, str] | None] = {"chat": "/chat/completions", "responses": "/responses"}

    @classmethod
    def is_configured(cls, model: str = "") -> bool:  # noqa: ARG003 - without a table there is no address
        """Never: a resource has a table."""
        return False

    def _found(self, _url: str | None, _key: str | None, timeout_s: float, model: str) -> OpenAIEndpoint:
        table = self._table
        if table is None:
            raise ProviderUnusable(
                f"azure:{model}: Azure needs a table [tool.promptopt.providers.NAME] in pyproject.toml\n"
                '  with type = "azure" and base_url = "https://RESOURCE.openai.azure.com"; a model is NAME:DEPLOYMENT'
            )
        address, version = str(table.need("base_url")).rstrip("/"), table.get("api_version")
        # A key of Azure's own travels as `api-key`.
        key = {"api-key": table.key(self.usual_key) or "none"}
        headers = table.headers()
        if address.endswith("/openai/v1"):
            # Its versions have no deployments in their paths.
            return self._at(address, key, headers, timeout_s, version)
        address = f"{address.removesuffix('/openai')}/openai"
        if version is not None:
            return self._at(address, key, headers, timeout_s, version, by_deployment=True)
        return self._at(f"{address}/v1", key, headers, timeout_s)
