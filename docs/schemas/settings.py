"""The schemas of settings: pyproject.toml and budget.toml."""

from collections.abc import Iterable, Mapping

from parts import ANY, FLAG, OPTIONS, TABLE, TEXT, Schema, listed, mapping, names, whole, words

from promptopt.budget import limits
from promptopt.budget import settings as budget_settings
from promptopt.config import _SCALARS, _VARIANT_KEYS, PRICE_KEYS
from promptopt.gateway import settings as gateway_settings
from promptopt.gateway.call import PARTITION, Upstream
from promptopt.gateway.keys import VirtualKey
from promptopt.gateway.layers.budget_scopes import BudgetLimits
from promptopt.gateway.layers.limits import CallLimits
from promptopt.gateway.layers.routing import FallbackPlan, RoutingRule
from promptopt.gateway.layers.semantic import SemanticSettings
from promptopt.gateway.layers.upstreams import BALANCES
from promptopt.gateway.semantic.validators import _MAKERS
from promptopt.gateway.serve import settings as serve_settings
from promptopt.judges import settings as judge_settings
from promptopt.providers import settings as provider_settings
from promptopt.registry import is_built_in, load, registered


def limit_table(keys: Iterable[str], more: Mapping[str, Schema] = {}) -> Schema:
    """Limits by metric, and further keys."""
    limit = TEXT | {"description": 'Growth before |, a cap after it: "5% & 50 | 4000"; warn, error or off before both.'}
    keys = [*keys, *more]
    return mapping(keys, {key: more.get(key, limit) for key in keys})


def budget() -> Schema:
    """``budget.toml``, and the table [tool.promptopt.budget]."""
    totals = [metric for metric in limits.METRICS if metric not in ("quality", *limits.CAUSES)]
    cases = [metric for metric in limits.METRICS if metric not in limits.OF_PROMPTS]
    drift: Schema = {"type": "string"}
    group = limit_table(limits.METRICS, {"drift": drift, "total": limit_table(totals)})
    prompt = limit_table(limits.METRICS, {"drift": drift, "case": TABLE | {"additionalProperties": limit_table(cases)}})
    found = limit_table(
        limits.METRICS,
        {
            "recordings": words(limits.LEVELS),
            "strict": FLAG,
            "drift": drift,
            "group": TABLE | {"additionalProperties": group},
            "prompt": TABLE | {"additionalProperties": prompt},
        },
    )
    assert list(found["properties"]) == list(budget_settings._TOP)
    return found


def price() -> Schema:
    """Dollars per million tokens."""
    dollars = {"type": "number", "minimum": 0, "description": "Dollars per million tokens."}
    known = {key: whole(1) if key == "context_window" else dollars for key in PRICE_KEYS}
    return mapping(PRICE_KEYS, known, ["input_mtok", "output_mtok"])


def open_table(keys: Iterable[str]) -> Schema:
    """A table with these keys, whatever they hold."""
    keys = list(keys)
    return mapping(keys, dict.fromkeys(keys, ANY))


def open_fields(kind: type, *others: str) -> Schema:
    """A table with the fields of a dataclass; what each holds is said in its docstring."""
    return open_table([*names(kind), *others])


def gateway() -> Schema:
    """The table [tool.promptopt.gateway]; the tables of other packages' layers are open."""
    time = {"type": ["number", "string"], "description": "Seconds, or a text such as 90s, 30m, 1h or 7d."}
    cache = ("ttl", "time_sensitive_ttl", "lasting", "time_words", "deterministic_only", "store_text")
    step = mapping(("model", "validators"), {"model": TEXT, "validators": open_table(_MAKERS)}, ["model"])
    key = [name for name in names(VirtualKey) if name != "name"]
    known: dict[str, Schema] = {
        "path": TEXT,
        "redis": TEXT,
        "redis_prefix": TEXT,
        "store": TEXT,
        "layers": listed(TEXT),
        "on_store_down": words(["degrade", "refuse"]),
        "cache": {"anyOf": [FLAG, TEXT, open_table(cache)]},
        "encrypt": TEXT,
        "single_flight": FLAG,
        "partition": listed(words(PARTITION)),
        "deployments": TABLE | {"additionalProperties": TEXT},
        "ledger": {"anyOf": [FLAG, TEXT]},
        "ledger_keep": time,
        "semantic": {"anyOf": [{"const": False}, open_fields(SemanticSettings)]},
        "limits": open_fields(CallLimits),
        "concurrency": whole(1),
        "queue": whole(1),
        "queue_wait": time,
        "budget": open_fields(BudgetLimits),
        "fallback": {"anyOf": [TEXT, listed(TEXT), open_fields(FallbackPlan, "cooldown")]},
        "router": listed(open_fields(RoutingRule), minItems=1),
        "cascade": listed({"anyOf": [TEXT, step]}),
        "keys": TABLE | {"additionalProperties": open_table(key)},
        "stream_usage": FLAG,
        "prompt_caching": FLAG,
        "on_alert": ANY,
        "upstreams": listed(open_fields(Upstream) | {"required": ["name", "url"]}),
        "balance": words(BALANCES),
        "cooldown": time,
    }
    return mapping(gateway_settings.SETTING_NAMES, known, rest=TABLE)


def provider() -> Schema:
    """A table [tool.promptopt.providers.NAME]: by its type, or by its name if that is one, it has keys of its own."""
    common = list(provider_settings._COMMON)
    by_type = [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {"propertyNames": {"enum": [*common, *found.keys]}},
        }
        for kind in registered("provider")
        if is_built_in("provider", kind) and (found := load("provider", kind)).keys is not None
    ]
    known = dict.fromkeys(("type", "api_key_env", "version"), TEXT) | {
        "headers": TABLE | {"additionalProperties": TEXT},
        "timeout": {"type": "number", "exclusiveMinimum": 0},
        "free": FLAG,
        "prices": TABLE,
    }
    return mapping(common, known, rest=True) | {"allOf": by_type}


def pyproject() -> Schema:
    """pyproject.toml, of which the table [tool.promptopt] is this package's."""
    percent = {"type": "number", "minimum": 0, "exclusiveMaximum": 100}
    scalars: dict[str, Schema] = {
        **dict.fromkeys(("prompts", "suites", "model", "price_as"), TEXT),
        "margin": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100},
        "cost_margin": percent,
        "max_failed": percent,
        "jobs": whole(1),
        "retries": whole(0),
        "rpm": whole(1),
    }
    judge = {
        "model": TEXT,
        "votes": whole(1),
        "batch": whole(1),
        "second": TEXT,
        "unsure": ANY,
        "structured": FLAG,
        "reasons": FLAG,
    }
    variants = {"models": listed(TEXT), "set": TABLE | {"additionalProperties": listed(ANY)}, "baseline": TEXT}
    tables = {
        "prices": TABLE | {"additionalProperties": price()},
        "budget": budget(),
        "gateway": gateway(),
        "serve": open_table(serve_settings._READERS),
        "variants": mapping(_VARIANT_KEYS, variants),
        "judge": mapping([*judge_settings._OWN, *OPTIONS], judge | OPTIONS),
        "providers": TABLE | {"additionalProperties": provider()},
    }
    own = mapping([*_SCALARS, *tables], scalars | tables)
    return TABLE | {"properties": {"tool": TABLE | {"properties": {"promptopt": own}}}}
