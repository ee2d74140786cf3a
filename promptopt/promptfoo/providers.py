"""The providers of a config as models of this project: a name, a table of ``[tool.promptopt.providers]``, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from promptopt.errors import PromptoptError
from promptopt.promptfoo.document import ConfigFile, is_script, read_data, split_function
from promptopt.promptfoo.programs import exec_table, http_table, javascript_table, python_table
from promptopt.promptfoo.prompts import slug
from promptopt.promptfoo.settings import INPUTS, ConfigSettings
from promptopt.suites.variables import FILE

# Endpoints that speak OpenAI's chat completions: where they are, and the variable with their key (none: no key).
_COMPATIBLE: Mapping[str, tuple[str, str | None]] = {
    "abliteration": ("https://api.abliteration.ai/v1", "ABLIT_KEY"),
    "aimlapi": ("https://api.aimlapi.com/v1", "AIML_API_KEY"),
    "alibaba": ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "cerebras": ("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "cohere": ("https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    "cometapi": ("https://api.cometapi.com/v1", "COMETAPI_KEY"),
    "deepseek": ("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "docker": ("http://localhost:12434/engines/v1", None),
    "envoy": ("http://localhost:1975/v1", None),
    "fireworks": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "github": ("https://models.github.ai/inference", "GITHUB_TOKEN"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "helicone": ("http://localhost:8080/ai", "HELICONE_API_KEY"),
    "huggingface": ("https://router.huggingface.co/v1", "HF_TOKEN"),
    "hyperbolic": ("https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    "litellm": ("http://0.0.0.0:4000", None),
    "llamaapi": ("https://api.llama.com/compat/v1", "LLAMA_API_KEY"),
    "llama": ("http://localhost:8080/v1", None),
    "llamafile": ("http://localhost:8080/v1", None),
    "lmstudio": ("http://localhost:1234/v1", None),
    "localai": ("http://localhost:8080/v1", None),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "moonshot": ("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "novita": ("https://api.novita.ai/openai/v1", "NOVITA_API_KEY"),
    "nscale": ("https://inference.api.nscale.com/v1", "NSCALE_SERVICE_TOKEN"),
    "perplexity": ("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
    "portkey": ("https://api.portkey.ai/v1", "PORTKEY_API_KEY"),
    "snowflake": ("", "SNOWFLAKE_API_KEY"),
    "text-generation-webui": ("http://localhost:5000/v1", None),
    "togetherai": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "truefoundry": ("https://llm-gateway.truefoundry.com", "TRUEFOUNDRY_API_KEY"),
    "vercel": ("https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
}
# promptfoo's names of providers that this project has under another one, or the same.
_OWN = {
    "openai": "openai",
    "azure": "azure",
    "azureopenai": "azure",
    "anthropic": "anthropic",
    "google": "google",
    "palm": "google",
    "vertex": "google",
    "ollama": "ollama",
    "openrouter": "openrouter",
    "vllm": "vllm",
}
_KINDS = ("chat", "messages", "responses", "text-generation", "converse", "chatcompletion", "completion")
_NO_ANSWERS = (
    *("embedding", "embeddings", "image", "realtime", "transcription", "tts", "audio", "video", "moderation"),
    *("assistant", "codex", "live", "speech", "agents", "codex-sdk", "similarity"),
    *("feature-extraction", "sentence-similarity", "text-classification", "token-classification", "classification"),
)


@dataclass(frozen=True)
class ConfigProvider:
    """One provider of a config.

    Attributes:
        names: What filters and prompts may call it.
        model: The name of the model in this project.
        table: Its table of ``[tool.promptopt.providers]`` with its name; ``None`` if it needs none.
        front: Keys of front matter that its settings are.
        prompts: Labels of the prompts that it is asked; ``None``: all.
        transform: What is done to its answers before they are scored.
        system: A message of the system that it puts before each prompt.
        delay_ms: How long it waits between calls.
        where: The mapping that it is read from.
        unavailable: Why it cannot be asked; empty if it can.
    """

    name: str
    names: tuple[str, ...]
    model: str
    table: tuple[str, Mapping[str, Any]] | None = None
    front: Mapping[str, Any] = field(default_factory=dict)
    prompts: tuple[str, ...] | None = None
    transform: str | None = None
    system: str = ""
    delay_ms: float = 0.0
    where: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unavailable: str = ""


def read_providers(document: ConfigFile) -> list[ConfigProvider]:
    """The providers of a config, in order, with a note on those that cannot be asked.

    Only if none can be asked, they are returned all the same, as ``unavailable``: the config can be read, and another
    model can be asked in their place.
    """
    table = document.table
    key = "targets" if "targets" in table and "providers" not in table else "providers"
    found: list[ConfigProvider] = []
    for entry in _entries(document, table.get(key), table, key):
        found += _read(document, entry, table, key)
    found = [each for each in found if not each.unavailable] or found
    taken: dict[str, int] = {}
    named = []
    for provider in found:
        taken[provider.name] = count = taken.get(provider.name, 0) + 1
        named.append(replace(provider, name=f"{provider.name}-{count}") if count > 1 else provider)
    return named


def _entries(document: ConfigFile, written: Any, where: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Each provider as a mapping with ``id``."""
    if written is None:
        return
    for entry in written if isinstance(written, list) else [written]:
        if isinstance(entry, str):
            name, _ = split_function(entry)
            if name.startswith(FILE) and name.endswith((".yaml", ".yml", ".json")):
                with document.leaving_out(f"the providers of {entry!r}", where, key):
                    yield from _entries(document, read_data(document.find(name)), where, key)
                continue
            yield {"id": entry}
        elif isinstance(entry, Mapping) and "id" in entry:
            yield entry
        elif isinstance(entry, Mapping) and len(entry) == 1 and isinstance(next(iter(entry.values())), Mapping | None):
            identity, options = next(iter(entry.items()))
            # The older form: a name of the user's own, or the id itself, before the options.
            yield {"id": identity, **({"label": identity} if options and "id" in options else {}), **(options or {})}
        else:
            document.note(
                "left out",
                f"the provider {str(entry)[:60]!r} has no `id`",
                entry if isinstance(entry, Mapping) else where,
            )


def _read(document: ConfigFile, entry: Mapping[str, Any], where: Any, key: str) -> Iterator[ConfigProvider]:
    identity = str(document.with_env(entry["id"]))
    place: tuple[Any, str] = (entry, "id") if hasattr(entry, "lines") else (where, key)
    config: Any = {}
    try:
        config = document.load_all(entry.get("config") or {})
        config = config if isinstance(config, Mapping) else {}
        yield _Mapper(document, identity, entry, config, place).provider()
    except (PromptoptError, ValueError, OSError) as error:
        why = getattr(error, "message", None) or str(error)
        document.note(
            "left out",
            f"the provider {identity[:60]!r}: {why}",
            *place,
            "ask another model in its place: --model MODEL",
        )
        name = slug(str(entry.get("label") or identity)) or "provider"
        names = tuple(str(each) for each in (entry.get("label"), identity) if each)
        yield ConfigProvider(name, names, identity, where=entry, unavailable=why)


def model_name(document: ConfigFile, given: Any) -> Any:
    """A grader as it is named in this project; what is not known stays as it is written."""
    if isinstance(given, str):
        head, _, rest = given.partition(":")
        own = _OWN.get(head)
        return f"{own}:{_bare(rest)[1]}" if own and rest else given
    if isinstance(given, Mapping) and isinstance(given.get("id"), str):
        return {**given, "id": model_name(document, given["id"])}
    if isinstance(given, Mapping):
        return {
            key: model_name(document, value) if isinstance(value, str | Mapping) else value
            for key, value in given.items()
        }
    return given


def _bare(rest: str) -> tuple[str, str]:
    """The kind of a model and its name: ``chat:gpt-4o`` is ``gpt-4o``."""
    kind, colon, name = rest.partition(":")
    return (kind, name) if colon and kind in (*_KINDS, *_NO_ANSWERS) else ("", rest)


class _Mapper:
    """Finds the model, the table and the settings of one provider."""

    def __init__(
        self,
        document: ConfigFile,
        identity: str,
        entry: Mapping[str, Any],
        config: Mapping[str, Any],
        place: tuple[Any, str],
    ) -> None:
        self._document, self._identity, self._entry, self._config, self._place = (
            document,
            identity,
            entry,
            config,
            place,
        )

    def provider(self) -> ConfigProvider:
        """Raises ValueError if nothing of this project asks it."""
        model, table, program = self._model()
        settings = ConfigSettings(self._document, self._identity, self._config, self._place)
        if not program:
            kind = table[1]["type"] if table else model.partition(":")[0]
            settings.read("responses" if table and table[1].get("api") == "responses" else kind)
        label = self._entry.get("label")
        prompts = self._entry.get("prompts")
        transform = self._entry.get("transform", self._config.get("transform"))
        if table and table[1].get("_transform"):
            transform = table[1].pop("_transform") if transform is None else transform
        if table:
            table[1].pop("_transform", None)
        delay = self._entry.get("delay")
        return ConfigProvider(
            name=slug(str(label or self._identity)) or "provider",
            names=tuple(str(name) for name in (label, self._identity, self._entry["id"]) if name),
            model=model,
            table=table,
            front=settings.front,
            prompts=tuple(map(str, prompts)) if isinstance(prompts, list) and prompts else None,
            transform=transform if isinstance(transform, str) else None,
            system=settings.system,
            delay_ms=float(delay) if isinstance(delay, int | float) else 0.0,
            where=self._entry,
        )

    def _model(self) -> tuple[str, tuple[str, dict[str, Any]] | None, bool]:
        """The model's name, its table, and whether it is a program under test."""
        identity, document = self._identity, self._document
        if identity == "echo":
            return "echo", None, True
        program = self._program()
        if program is not None:
            name = slug(str(self._entry.get("label") or identity)).replace(".", "-") or "program"
            return name, (name, program), True
        if identity.startswith("adaline:"):
            document.note("differs", f"{identity!r} is asked without Adaline's gateway", *self._place)
            identity = identity.removeprefix("adaline:")
        head, _, rest = identity.partition(":")
        kind, model = _bare(rest)
        if kind in _NO_ANSWERS:
            raise ValueError(f"{kind} is not a call that answers a prompt with a text")
        if head in _OWN and model:
            return self._own(_OWN[head], kind, model)
        if head == "bedrock" and model:
            return self._bedrock(model)
        found = self._compatible(head, model)
        if not model and head in (*_OWN, *_COMPATIBLE):
            raise ValueError("it names no model: a variable of the environment in it may not be set")
        if found is None or not model:
            raise ValueError("this project has no provider of that name")
        return self._with_table(head, model, {"type": "openai", **self._address(*found)})

    def _program(self) -> dict[str, Any] | None:
        """The table of a program or an endpoint; ``None`` if the provider is a model."""
        identity, document, config = self._identity, self._document, self._config
        bare, function = split_function(identity)
        if identity.startswith("exec:"):
            return exec_table(document, identity.removeprefix("exec:"))
        if identity.startswith(("python:", FILE)) and bare.endswith(".py"):
            return python_table(document, bare.removeprefix("python:"), function, config)
        if is_script(bare) and identity.startswith((FILE, "javascript:", "./", "../", "/")):
            return javascript_table(document, bare.removeprefix("javascript:"), config)
        if identity in ("http", "https") or identity.startswith(("http:", "https:", "webhook:")):
            return http_table(document, identity, config)
        return None

    def _compatible(self, head: str, model: str) -> tuple[str, str | None] | None:
        """Where an endpoint that speaks OpenAI's API is, and the variable with its key."""
        environment, config = self._document.environment(), self._config
        if head in ("cloudflare-ai", "cloudflare-gateway"):
            account = self._document.with_env(config.get("accountId")) or environment.get(
                "CLOUDFLARE_ACCOUNT_ID", "ACCOUNT"
            )
            return f"https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1", "CLOUDFLARE_API_KEY"
        if head == "databricks":
            host = str(config.get("workspaceUrl") or environment.get("DATABRICKS_WORKSPACE_URL", "https://WORKSPACE"))
            return f"{self._document.with_env(host).rstrip('/')}/serving-endpoints", "DATABRICKS_TOKEN"
        if head in ("jfrog", "qwak"):
            base = str(config.get("baseUrl") or "https://models.qwak-prod.qwak.ai/v1")
            return f"{self._document.with_env(base).rstrip('/')}/{model}", "QWAK_TOKEN"
        return _COMPATIBLE.get(head)

    def _own(self, name: str, kind: str, model: str) -> tuple[str, tuple[str, dict[str, Any]] | None, bool]:
        if kind == "completion" and name in ("openai", "azure"):
            raise ValueError("the completions API is not asked: name a chat model")
        table: dict[str, Any] = {"type": name}
        address = self._address("", None)
        if kind == "responses":
            table["api"] = "responses"
        if name == "azure":
            address = {"base_url": self._azure_host(), **address}
            if version := self._config.get("apiVersion"):
                table["api_version"] = str(version)
        plain = name == "openai" and not model.startswith("ft:")
        if not address and "api" not in table:
            return (model if plain else f"{name}:{model}"), None, False
        return self._with_table(f"{name}-responses" if "api" in table else name, model, {**table, **address})

    def _azure_host(self) -> str:
        host = str(
            self._document.environment().get("AZURE_API_HOST")
            or self._document.environment().get("AZURE_OPENAI_API_HOST")
            or "RESOURCE.openai.azure.com"
        )
        return host if host.startswith("http") else f"https://{host}"

    def _bedrock(self, model: str) -> tuple[str, tuple[str, dict[str, Any]] | None, bool]:
        region = self._config.get("region") or self._document.environment().get("AWS_BEDROCK_REGION") or "us-east-1"
        url = f"https://bedrock-runtime.{self._document.with_env(str(region))}.amazonaws.com/openai/v1"
        self._document.note(
            "differs",
            f"{self._identity!r} is asked through Bedrock's OpenAI-compatible endpoint",
            *self._place,
            "its key is a Bedrock API key in AWS_BEARER_TOKEN_BEDROCK; models that this endpoint lacks refuse",
        )
        return self._with_table("bedrock", model, {"type": "openai", **self._address(url, "AWS_BEARER_TOKEN_BEDROCK")})

    def _with_table(self, name: str, model: str, table: dict[str, Any]) -> tuple[str, tuple[str, dict[str, Any]], bool]:
        """A model of a table; one that has an address of its own has a name of its own."""
        own = any(key in self._config for key in INPUTS)
        if own:
            name = slug(f"{name}-{self._entry.get('label') or model}").replace(".", "-").replace(":", "-")
        elif name == table["type"]:
            name = f"{name}-api"
        return f"{name}:{model}", (name, table), False

    def _address(self, url: str, key: str | None) -> dict[str, Any]:
        """Where an endpoint is and how it is paid, as the config or the preset says."""
        config = self._config
        found: dict[str, Any] = {}
        given = next(
            (config[name] for name in ("apiBaseUrl", "baseUrl", "base_url", "apiHost") if config.get(name)), None
        )
        address = str(self._document.with_env(given)) if given else url
        if address and not address.startswith(("http://", "https://")):
            address = f"https://{address}"
        if address and len(address) > len("https://"):
            found["base_url"] = address
        variable = config.get("apiKeyEnvar") or self._key_variable(config.get("apiKey")) or key
        if variable:
            found["api_key_env"] = variable
        headers = {str(name): env_names(str(value)) for name, value in (config.get("headers") or {}).items()}
        if config.get("organization"):
            headers["OpenAI-Organization"] = env_names(str(config["organization"]))
        if headers:
            found["headers"] = headers
        return found

    def _key_variable(self, written: Any) -> str | None:
        """The variable that ``apiKey`` names; a key in the file itself is not taken over."""
        if not isinstance(written, str) or not written:
            return None
        named = re.fullmatch(r"\{\{\s*env\.(\w+)\s*\}\}|\$\{?(\w+)\}?", written.strip())
        if named:
            return named[1] or named[2]
        self._document.note(
            "differs",
            "a key that is written in the config is not used",
            *self._place,
            "put it into an environment variable",
        )
        return None


def env_names(text: str) -> str:
    """``{{ env.NAME }}`` as headers of this project write it: ``${NAME}``."""
    return re.sub(r"\{\{\s*env\.(\w+)\s*\}\}", r"${\1}", text)
