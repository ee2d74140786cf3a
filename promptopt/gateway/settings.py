"""``[tool.promptopt.gateway]`` and the arguments of ``promptopt.http_client``: the same names, read alike."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from promptopt.config import PRICE_KEYS, Config, OwnPrice, find_line, price_fault
from promptopt.errors import ConfigError, UsageError, did_you_mean
from promptopt.gateway.call import PARTITION, PartitionPart, Upstream
from promptopt.gateway.keys import VirtualKey
from promptopt.gateway.layers.budget import Alert
from promptopt.gateway.layers.budget_scopes import GROUPS, BudgetLimits, PeriodLimits
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.layers.limits import CallLimits
from promptopt.gateway.layers.routing import CascadeStep, FallbackPlan, RoutingRule
from promptopt.gateway.layers.semantic import SemanticSettings
from promptopt.gateway.layers.upstreams import BALANCES, Balance
from promptopt.gateway.periods import PERIOD_KINDS
from promptopt.gateway.stores.base import OutagePolicy
from promptopt.registry import is_built_in, registered

T = TypeVar("T")
_POSTGRES = ("postgresql://", "postgres://")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a gateway does.

    Attributes:
        path: The folder of its files.
        redis: Address of a Redis that takes the place of the files for all that is shared, apart from the ledger.
        redis_prefix: What every name in Redis begins with; programs of another prefix share nothing.
        store: Where it is kept: ``sqlite``, ``redis``, ``memory``, or another registered store; by default ``redis`` if
            there is an address, else ``sqlite``.
        layers: Registered layers of other packages, outermost first; they come below the caches.
        layer_options: Their own tables, as they are written, by the layer's name.
        on_store_down: ``degrade`` goes on without a store that is away, ``refuse`` refuses calls then. A budget that
            cannot be counted always refuses.
        cache: What the exact cache keeps; ``None`` switches it off.
        cache_file: Another place for it.
        encrypt: The environment variable that has the key which kept answers are encrypted with; ``None`` keeps them
            as they came.
        single_flight: Whether identical calls in flight become one.
        partition: What keeps calls apart: calls that differ in one of these share no answer, flight or limit.
        deployments: The model that each deployment of Azure's runs, by the deployment's name.
        ledger: The ledger's file, ``.sqlite`` or ``.jsonl``, or the address of a PostgreSQL; ``None`` keeps none.
        ledger_keep_s: After how many seconds its rows are deleted; ``None`` keeps them.
        concurrency: Calls in flight at once; ``None`` does not bound them.
        queue: Calls that may wait for their turn, each for ``queue_wait_s`` seconds.
        keys: Virtual keys, which a server asks its clients for.
        stream_usage: Whether a streamed chat completion is asked for its usage, which its caller does not see.
        prompt_caching: Whether calls get hints for the provider's prompt cache.
        on_alert: Called when 50, 80 or 100% of a budget are reached, once each.
        upstreams: Endpoints that calls are sent to instead of the address that a client names.
        balance: How one is chosen among those that have a model; see ``UpstreamPlan``, also for ``cooldown_s``.
    """

    path: Path
    redis: str | None = None
    redis_prefix: str = "promptopt:"
    store: str | None = None
    layers: tuple[str, ...] = ()
    layer_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    on_store_down: OutagePolicy = "degrade"
    cache: CachePolicy | None = CachePolicy()  # noqa: RUF009 - frozen
    cache_file: Path | None = None
    encrypt: str | None = None
    single_flight: bool = True
    partition: tuple[PartitionPart, ...] = PARTITION
    deployments: Mapping[str, str] = field(default_factory=dict)
    ledger: Path | str | None = None
    ledger_keep_s: float | None = None
    semantic: SemanticSettings | None = None
    limits: CallLimits | None = None
    concurrency: int | None = None
    queue: int = 1000
    queue_wait_s: float = 120.0
    budget: BudgetLimits | None = None
    fallback: FallbackPlan | None = None
    router: tuple[RoutingRule, ...] = ()
    cascade: tuple[CascadeStep, ...] = ()
    keys: tuple[VirtualKey, ...] = ()
    stream_usage: bool = True
    prompt_caching: bool = False
    on_alert: Callable[[Alert], None] | None = None
    upstreams: tuple[Upstream, ...] = ()
    balance: Balance = "weight"
    cooldown_s: float = 30.0


def read_settings(config: Config, arguments: Mapping[str, Any] | None = None) -> GatewaySettings:
    """The settings of the project, and over them those of a program.

    Raises:
        ConfigError: ``[tool.promptopt.gateway]`` is wrong; with its line.
        UsageError: An argument is wrong.
    """
    start = GatewaySettings(path=config.root / ".promptopt", ledger=config.root / ".promptopt" / "ledger.sqlite")
    settings = start
    for name, value in config.gateway.items():
        try:
            settings = _with(settings, name, value, config.root, config.gateway)
        except UsageError as error:
            path = config.path or config.root / "pyproject.toml"
            line = find_line(path.read_text(encoding="utf-8").splitlines(), name)
            raise ConfigError(f"[tool.promptopt.gateway]: {error}", path=path, line=line) from None
    for name, value in (arguments or {}).items():
        settings = _with(settings, name, value, Path.cwd(), arguments or {})
    return settings


def _with(settings: GatewaySettings, name: str, value: Any, root: Path, table: Mapping[str, Any]) -> GatewaySettings:
    reader = _READERS.get(name)
    if reader is None:
        others = [each for each in registered("layer") if not is_built_in("layer", each)]
        if name not in others:
            known = [*_READERS, *others]
            raise UsageError(f"unknown setting {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}")
        if not isinstance(value, Mapping):
            raise UsageError(f"{name} = {value!r} is not a table of the layer's settings")
        return replace(settings, layer_options={**settings.layer_options, name: value})
    changes = reader(name, value, root)
    if name == "path" and "ledger" not in table and isinstance(settings.ledger, Path):
        changes["ledger"] = changes["path"] / settings.ledger.name
    return replace(settings, **changes)


Changes = dict[str, Any]


def _path(name: str, value: Any, root: Path) -> Changes:
    if not isinstance(value, str | Path):
        raise UsageError(f"{name} = {value!r} is not a path")
    return {name: root / Path(value).expanduser()}


def _text(name: str, value: Any, _root: Path) -> Changes:
    if not isinstance(value, str):
        example = "an address like redis://host:6379/0" if name == "redis" else "a name like 'sqlite'"
        raise UsageError(f"{name} is not {example}")
    return {name: value}


def _layers(name: str, value: Any, _root: Path) -> Changes:
    return {name: tuple(_strings(name, value))}


def _partition(name: str, value: Any, _root: Path) -> Changes:
    for part in _strings(name, value):
        if part not in PARTITION:
            raise UsageError(
                f"{name}: unknown part {part!r}.{did_you_mean(part, PARTITION)} Known: {', '.join(PARTITION)}"
            )
    return {name: tuple(value)}


def _deployments(name: str, value: Any, _root: Path) -> Changes:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} = {value!r} is not a table of deployments and their models: {{my-gpt = 'gpt-4o'}}")
    for deployment, model in value.items():
        _check_type(f"{name} {deployment}", model, str)
    return {name: dict(value)}


def _cache(name: str, value: Any, root: Path) -> Changes:
    if value is None or isinstance(value, bool):
        return {"cache": CachePolicy() if value else None}
    if isinstance(value, CachePolicy):
        return {"cache": value}
    if isinstance(value, str | Path):
        if str(value).startswith(("redis", "unix://")) and "://" in str(value):
            return {"redis": str(value)}
        return {"cache_file": root / Path(value).expanduser()}
    known = ("ttl", "time_sensitive_ttl", "lasting", "time_words", "deterministic_only", "store_text")
    table = dict(_table(name, value, known))
    for key in {"ttl", "time_sensitive_ttl"} & table.keys():
        table[f"{key}_s"] = seconds(table.pop(key), f"cache {key}")
    for key in {"lasting", "time_words"} & table.keys():
        table[key] = tuple(_strings(f"cache {key}", table[key]))
    for key in {"deterministic_only", "store_text"} & table.keys():
        _bool(f"cache {key}", table[key], root)
    return {"cache": CachePolicy(**table)}


def _encrypt(name: str, value: Any, _root: Path) -> Changes:
    if value is not None and (not isinstance(value, str) or not value.isidentifier()):
        # Somebody may have written the key itself.
        raise UsageError(f"{name} is not the name of an environment variable, which has the key")
    return {name: value}


def _bool(name: str, value: Any, _root: Path) -> Changes:
    if not isinstance(value, bool):
        raise UsageError(f"{name} = {value!r} is not true or false")
    return {name: value}


def _ledger(name: str, value: Any, root: Path) -> Changes:
    if value is True:
        return {}
    if isinstance(value, str) and value.startswith(_POSTGRES):
        return {"ledger": value}
    return {"ledger": None} if value is False or value is None else _path(name, value, root)


def _ledger_keep(name: str, value: Any, _root: Path) -> Changes:
    keep_s = None if value is None else seconds(value, name)
    if keep_s is not None and keep_s <= 0:
        raise UsageError(f"{name} = {value!r} is not a time above 0")
    return {"ledger_keep_s": keep_s}


def _limits(name: str, value: Any, _root: Path) -> Changes:
    return {"limits": value if isinstance(value, CallLimits) else _made(CallLimits, name, value)}


def _keys(name: str, value: Any, _root: Path) -> Changes:
    if isinstance(value, Sequence) and all(isinstance(key, VirtualKey) for key in value):
        keys = tuple(value)
    elif isinstance(value, Mapping):
        keys = tuple(_key(key_name, table) for key_name, table in value.items())
    else:
        raise UsageError(f"{name} = {value!r} is not a table of keys such as keys.search = {{sha256 = '...'}}")
    by_hash = {key.sha256: key.name for key in keys}
    for key in keys:
        if by_hash[key.sha256] != key.name:
            raise UsageError(f"{name}: {key.name} and {by_hash[key.sha256]} have the same sha256")
    return {"keys": keys}


def _key(name: str, value: Any) -> VirtualKey:
    table = dict(_table(f"keys.{name}", value, [field.name for field in fields(VirtualKey) if field.name != "name"]))
    for key in ("tags", "models"):
        if key in table:
            table[key] = tuple(_strings(f"keys.{name} {key}", table[key]))
    return _made(VirtualKey, f"keys.{name}", {"name": name, **table})


def _concurrency(name: str, value: Any, _root: Path) -> Changes:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise UsageError(f"{name} = {value!r} is not a positive number of calls")
    return {name: value}


def _queue_wait(name: str, value: Any, _root: Path) -> Changes:
    return {"queue_wait_s": seconds(value, name)}


def _budget(name: str, value: Any, _root: Path) -> Changes:
    if isinstance(value, BudgetLimits):
        return {"budget": value}
    table = dict(_table(name, value, [field.name for field in fields(BudgetLimits)]))
    for key in ("day", "week", "month", "run", "ceiling"):
        if key in table:
            table[key] = amount(table[key], f"budget {key}")
    for key, group in GROUPS.items():
        if key in table:
            table[key] = _period_limits(f"budget {key}", table[key], group)
    if "wait_s" in table:
        table["wait_s"] = seconds(table["wait_s"], "budget wait_s")
    hints = get_type_hints(BudgetLimits)
    for key in ("timezone", "reset_hour", "week_start", "downgrade"):
        if key in table:
            _check_type(f"budget {key}", table[key], hints[key])
    return {"budget": BudgetLimits(**table)}


def _period_limits(name: str, value: Any, group: str) -> dict[str, PeriodLimits]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} = {value!r} is not a table with dollars a day for each {group}")
    found = {}
    for each, limit in value.items():
        if isinstance(limit, PeriodLimits):
            found[each] = limit
            continue
        table = limit if isinstance(limit, Mapping) else {"day": limit}
        known = _table(f"{name}.{each}", table, PERIOD_KINDS)
        found[each] = PeriodLimits(**{kind: amount(usd, f"{name}.{each} {kind}") for kind, usd in known.items()})
    return found


def _fallback(name: str, value: Any, _root: Path) -> Changes:
    if isinstance(value, FallbackPlan):
        return {"fallback": value}
    if isinstance(value, str | Sequence):
        value = {"models": [value] if isinstance(value, str) else list(value)}
    if isinstance(value, Mapping) and "cooldown" in value:
        rest = {key: each for key, each in value.items() if key != "cooldown"}
        value = {**rest, "cooldown_s": seconds(value["cooldown"], "fallback cooldown")}
    return {"fallback": _made(FallbackPlan, name, value)}


def _router(name: str, value: Any, _root: Path) -> Changes:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise UsageError(f"{name} = {value!r} is not a list of rules such as {{model = 'M', task = 'T'}}")
    return {
        "router": tuple(rule if isinstance(rule, RoutingRule) else _made(RoutingRule, name, rule) for rule in value)
    }


def _cascade(name: str, value: Any, _root: Path) -> Changes:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UsageError(f"{name} = {value!r} is not a list of steps such as {{model = 'M', validators = {{...}}}}")
    steps = []
    for step in value:
        if isinstance(step, str):
            steps.append(CascadeStep(step))
        elif isinstance(step, CascadeStep):
            steps.append(step)
        else:
            table = dict(_table(name, step, ("model", "validators")))
            validators = table.get("validators", {})
            if not isinstance(validators, Mapping | Sequence) or isinstance(validators, str):
                raise UsageError(f"{name}: validators = {validators!r} is not a table such as {{schema = true}}")
            # Scorers take megabytes that a gateway without a cascade has no use for.
            from promptopt.gateway.semantic.validators import make_validators

            made = make_validators(validators) if isinstance(validators, Mapping) else tuple(validators)
            if "model" not in table:
                raise UsageError(f"{name}: a step names no model: {step!r}")
            steps.append(CascadeStep(str(table["model"]), tuple(made)))
    from promptopt.gateway.layers.routing import Cascade

    Cascade(steps)
    return {"cascade": tuple(steps)}


def _semantic(name: str, value: Any, root: Path) -> Changes:
    if value is None or value is False:
        return {"semantic": None}
    if isinstance(value, SemanticSettings):
        return {"semantic": value}
    table = dict(_table(name, value, [field.name for field in fields(SemanticSettings)]))
    if "calibration" in table:
        table["calibration"] = root / Path(str(table["calibration"])).expanduser()
    return {"semantic": _made(SemanticSettings, name, table)}


def _policy(name: str, value: Any, _root: Path) -> Changes:
    if value not in ("degrade", "refuse"):
        raise UsageError(f"{name} = {value!r} is not 'degrade' or 'refuse'")
    return {name: value}


def _callback(name: str, value: Any, _root: Path) -> Changes:
    if value is not None and not callable(value):
        raise UsageError(f"{name} = {value!r} cannot be called")
    return {name: value}


def _upstreams(name: str, value: Any, _root: Path) -> Changes:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UsageError(f"{name} = {value!r} is not a list of endpoints such as {{name = 'N', url = 'https://...'}}")
    return {name: tuple(each if isinstance(each, Upstream) else read_upstream(each) for each in value)}


def _balance(name: str, value: Any, _root: Path) -> Changes:
    if value not in BALANCES:
        raise UsageError(f"{name} = {value!r} is not one of {', '.join(BALANCES)}")
    return {name: value}


def _cooldown(name: str, value: Any, _root: Path) -> Changes:
    return {"cooldown_s": seconds(value, name)}


_READERS: Mapping[str, Callable[[str, Any, Path], Changes]] = {
    "path": _path,
    "redis": _text,
    "redis_prefix": _text,
    "store": _text,
    "layers": _layers,
    "on_store_down": _policy,
    "cache": _cache,
    "encrypt": _encrypt,
    "single_flight": _bool,
    "partition": _partition,
    "deployments": _deployments,
    "ledger": _ledger,
    "ledger_keep": _ledger_keep,
    "semantic": _semantic,
    "limits": _limits,
    "concurrency": _concurrency,
    "queue": _concurrency,
    "queue_wait": _queue_wait,
    "budget": _budget,
    "fallback": _fallback,
    "router": _router,
    "cascade": _cascade,
    "keys": _keys,
    "stream_usage": _bool,
    "prompt_caching": _bool,
    "on_alert": _callback,
    "upstreams": _upstreams,
    "balance": _balance,
    "cooldown": _cooldown,
}
SETTING_NAMES = tuple(_READERS)


def seconds(value: Any, name: str) -> float:
    """Seconds of a number, or of ``90s``, ``30m``, ``1h``, ``7d``.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str) and value[-1:] in _UNITS:
        try:
            return float(value[:-1]) * _UNITS[value[-1]]
        except ValueError:
            pass
    raise UsageError(f"{name} = {value!r} is not a time such as 90, '90s', '30m', '1h' or '7d'")


def amount(value: Any, name: str) -> Decimal:
    """Dollars.

    Raises:
        UsageError: It is not a number.
    """
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        return Decimal(str(value).removeprefix("$"))
    except InvalidOperation:
        raise UsageError(f"{name} = {value!r} is not an amount of dollars") from None


def read_upstream(value: Any) -> Upstream:
    """An endpoint from its table in the settings.

    Raises:
        UsageError: Something in it is wrong.
    """
    known = [field.name for field in fields(Upstream)]
    if isinstance(value, Mapping) and "key" in value:
        raise UsageError("upstreams: keys do not belong into a file: name an environment variable by `key_env`")
    table = dict(_table("upstreams", value, known))
    for needed in ("name", "url"):
        if not isinstance(table.get(needed), str) or not table[needed]:
            raise UsageError(f"upstreams: an endpoint has no {needed}: {dict(table)!r}")
    where = f"upstreams {table['name']}"
    if not re.match(r"https?://[^/\s]+", table["url"]):
        raise UsageError(f"{where}: url = {table['url']!r} is not an address like 'https://api.openai.com/v1'")
    table["url"] = table["url"].rstrip("/")
    weight = table.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise UsageError(f"{where}: weight = {weight!r} is not a positive number")
    if table.get("header", "authorization") not in ("authorization", "api-key", "x-api-key"):
        raise UsageError(f"{where}: header = {table['header']!r} is not 'authorization', 'api-key' or 'x-api-key'")
    if not re.fullmatch(r"[A-Za-z_]\w*", str(table.get("key_env", "KEY"))):
        raise UsageError(f"{where}: key_env = {table['key_env']!r} is not the name of an environment variable")
    table["models"] = _names(f"{where} models", table.get("models", {}))
    table["prices"] = {model: _price(f"{where} prices.{model}", each) for model, each in _items(where, table)}
    return Upstream(**table)


def _names(name: str, value: Any) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check_type(f"{name}.{key}", each, str)
        return dict(value)
    return {each: each for each in _strings(name, value)}


def _items(where: str, table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    prices = table.get("prices", {})
    if not isinstance(prices, Mapping):
        raise UsageError(f"{where}: prices = {prices!r} is not a table of models")
    return list(prices.items())


def _price(name: str, value: Any) -> OwnPrice:
    table = {
        key: each if key == "context_window" else amount(each, f"{name} {key}")
        for key, each in _table(name, value, PRICE_KEYS).items()
    }
    for key in ("input_mtok", "output_mtok"):
        if key not in table:
            raise UsageError(f"{name} has no {key} (dollars per million tokens)")
    for key, each in table.items():
        if fault := price_fault(key, each):
            raise UsageError(f"{name} {key} = {each} {fault}")
    return OwnPrice.of(table)


def _table(name: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} = {value!r} is not a table with {', '.join(known)}")
    for key in value:
        if key not in known:
            raise UsageError(f"unknown key {key!r} in {name}.{did_you_mean(str(key), known)} Known: {', '.join(known)}")
    return value


def _strings(name: str, value: Any) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(part, str) for part in value):
        raise UsageError(f"{name} = {value!r} is not a list of texts")
    return list(value)


def _check_type(name: str, value: Any, hint: Any) -> None:
    """Raises UsageError if a value, or one in a list or table, is of another type."""
    if get_origin(hint) is Sequence:
        _strings(name, value)
        return
    if get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise UsageError(f"{name} = {value!r} is not a table")
        for key, each in value.items():
            _check_type(f"{name}.{key}", each, get_args(hint)[1])
        return
    kinds = {*get_args(hint)} - {type(None)} or {hint}
    if not kinds <= set(_KINDS) or (value is None and type(None) in get_args(hint)):
        return
    fits = {type(value)} & kinds or (type(value) is int and float in kinds)
    if not fits:
        raise UsageError(f"{name} = {value!r} is not {' or '.join(_KINDS[kind] for kind in _KINDS if kind in kinds)}")


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _made(kind: Callable[..., T], name: str, value: Any) -> T:
    """A dataclass from a table of its fields."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    hints = get_type_hints(kind)
    for key, given in _table(name, value, known).items():
        _check_type(f"{name} {key}", given, hints[key])
    for needed in fields(kind):  # type: ignore[arg-type]  # a dataclass
        if (
            needed.default is MISSING
            and needed.default_factory is MISSING
            and needed.name not in _table(name, value, known)
        ):
            raise UsageError(f"{name} = {value!r} names no {needed.name}")
    try:
        return kind(**_table(name, value, known))
    except TypeError as error:
        raise UsageError(f"{name} = {value!r}: {error}") from None
