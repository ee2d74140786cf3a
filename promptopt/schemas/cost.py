"""What a schema costs as input, what answers under it cost as output, and what could go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptopt.schemas.strict import resolve
from promptopt.tokens import Tokenizer, schema_tokens
from promptopt.values import JSONSchema

# Keywords that are billed and say nothing to the model that its neighbours do not say.
_NOISE = frozenset({"title", "$schema", "$id", "default", "examples", "$comment"})
_DEEPEST = 10
# What OpenAI's reasoning guide advises to reserve for reasoning and answer together.
REASONING_HEADROOM = 25_000
_REASONING_MODELS = ("o1", "o3", "o4", "gpt-5", "gpt-oss")
_DERIVED = {
    "count": "the length of a list",
    "total": "a sum of what is beside it",
    "length": "the length of a text or list",
    "word_count": "the length of a text",
    "input": "a repetition of the input",
    "original_text": "a repetition of the input",
    "question": "perhaps a repetition of the input",
}
_REASONING = frozenset(
    {
        "reasoning",
        "reason",
        "explanation",
        "rationale",
        "thought",
        "thoughts",
        "chain_of_thought",
        "justification",
        "analysis",
    }
)


# Of a token: English has four to five, German and code three.
_FEWEST_CHARACTERS = 3
_LONGEST_TEXT = 100_000


@dataclass(frozen=True, slots=True)
class SchemaCost:
    """Tokens of a schema and of answers under it.

    Attributes:
        input_tokens: What the schema is billed as, in every call.
        typical_tokens: A minified answer with middling values.
        pretty_tokens: The same answer, indented.
        longest_tokens: The longest answer that the schema allows, indented, its texts with three characters a token;
            ``None`` if nothing bounds it.
    """

    input_tokens: int
    typical_tokens: int
    pretty_tokens: int
    longest_tokens: int | None


def schema_cost(schema: JSONSchema, tokenizer: Tokenizer) -> SchemaCost:
    """The cost of a schema in ``tokenizer``'s tokens."""
    typical = _instance(schema, schema, longest=False)
    longest = _instance(schema, schema, longest=True)
    minified = json.dumps(typical, separators=(",", ":"), ensure_ascii=False)
    return SchemaCost(
        schema_tokens(schema, tokenizer),
        tokenizer.count(minified),
        tokenizer.count(json.dumps(typical, indent=2, ensure_ascii=False)),
        None if _unbounded(schema, schema) else tokenizer.count(json.dumps(longest, indent=2, ensure_ascii=False)),
    )


def output_cap(cost: SchemaCost, model: str | None) -> int | None:
    """``max_output_tokens``: the longest answer and a quarter more, with room to reason if the model does."""
    if cost.longest_tokens is None:
        return None
    return with_headroom(cost.longest_tokens + max(8, cost.longest_tokens // 4), model)


def with_headroom(cap: int, model: str | None) -> int:
    """``cap`` with room to reason if the model does: its reasoning counts against the cap."""
    name = (model or "").rpartition("/")[2].removeprefix("openai:")
    return cap + REASONING_HEADROOM if name.startswith(_REASONING_MODELS) else cap


def cheapen(schema: JSONSchema) -> dict[str, Any]:
    """``schema`` without titles, defaults and other words that are billed and change no answer."""
    cheap = _cheap(schema)
    assert isinstance(cheap, dict)
    if isinstance(schema.get("title"), str):
        # The root's title is the name that the schema travels under.
        cheap = {"title": schema["title"], **cheap}
    return cheap


def _cheap(node: Any) -> Any:
    if isinstance(node, list):
        return [_cheap(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    cheap: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NOISE:
            continue
        if key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
            cheap[key] = {name: _cheap(child) for name, child in value.items()}
        else:
            cheap[key] = value if key in ("enum", "const", "required") else _cheap(value)
    return cheap


def advice(schema: JSONSchema, read: frozenset[str] | None = None) -> Iterator[str]:
    """What about a schema costs output without need, one line each.

    Args:
        read: The properties that somebody reads, if that is known.
    """
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return
    names = list(properties)
    for number, (name, child) in enumerate(properties.items()):
        lowered = name.lower()
        if read is not None and name not in read:
            yield f"{name}: nothing reads it; without it every answer is shorter"
        elif lowered in _DERIVED and len(names) > 1:
            yield f"{name}: derived ({_DERIVED[lowered]}); compute it instead"
        if lowered in _REASONING and len(names) > 1:
            if number == len(names) - 1:
                yield f"{name}: comes after the answer, too late to help it; put it first or drop it"
            elif isinstance(child, Mapping) and "maxLength" not in child and "description" not in child:
                yield f"{name}: has no length; say one in its description, or cap it with maxLength"


def _instance(node: Any, root: JSONSchema, *, longest: bool, depth: int = 0) -> Any:
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return None
    if isinstance(node.get("$ref"), str):
        return _instance(resolve(root, node["$ref"]), root, longest=longest, depth=depth + 1)
    if isinstance(node.get("anyOf"), list) and node["anyOf"]:
        options = [_instance(option, root, longest=longest, depth=depth + 1) for option in node["anyOf"]]
        return max(options, key=lambda option: len(json.dumps(option)))
    if isinstance(node.get("enum"), list) and node["enum"]:
        ranked = sorted(node["enum"], key=lambda value: len(str(value)))
        return ranked[-1] if longest else ranked[len(ranked) // 2]
    if "const" in node:
        return node["const"]
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    kind = next((kind for kind in kinds if kind != "null"), None)
    if kind == "object":
        children = node.get("properties", {})
        return {name: _instance(child, root, longest=longest, depth=depth + 1) for name, child in children.items()}
    if kind == "array":
        most = node.get("maxItems", 3)
        item = _instance(node.get("items"), root, longest=longest, depth=depth + 1)
        return [item] * min(200, most if longest else (most + 1) // 2)
    return _scalar(node, kind, longest=longest)


def _scalar(node: Mapping[str, Any], kind: object, *, longest: bool) -> Any:
    if kind == "string":
        characters = int(node.get("maxLength", 60))
        if longest:
            return " a" * max(1, -(-min(characters, _LONGEST_TEXT) // _FEWEST_CHARACTERS))
        return " ".join(["words"] * max(1, min(60, characters) // 6))
    if kind == "integer":
        bounds = [node.get("maximum", 1000), node.get("minimum", 0)]
        return max(bounds, key=lambda bound: len(str(bound))) if longest else bounds[0]
    if kind == "number":
        return -1234.5678 if longest else 0.75
    return False if kind == "boolean" else None


def _unbounded(node: Any, root: JSONSchema, depth: int = 0) -> bool:
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return depth > _DEEPEST
    if isinstance(node.get("$ref"), str):
        return _unbounded(resolve(root, node["$ref"]), root, depth + 1)
    if isinstance(node.get("anyOf"), list):
        return any(_unbounded(option, root, depth + 1) for option in node["anyOf"])
    if "enum" in node or "const" in node:
        return False
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    if "string" in kinds and "maxLength" not in node and node.get("format") is None:
        return True
    if "array" in kinds and ("maxItems" not in node or _unbounded(node.get("items"), root, depth + 1)):
        return True
    children = node.get("properties")
    return isinstance(children, Mapping) and any(_unbounded(child, root, depth + 1) for child in children.values())
