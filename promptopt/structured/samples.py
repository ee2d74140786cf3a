"""A schema out of answers that were really given: GenSON merges them, strict mode's rules are put on top."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promptopt.schemas.make_strict import fix_schema

# An enum is read off the samples only where every label was seen twice or more among enough answers.
LEAST_SAMPLES = 10
MOST_LABELS = 20
LEAST_SEEN = 2
_LONGEST_LABEL = 40


def schema_from_samples(samples: Sequence[Any]) -> dict[str, Any]:
    """The strict schema of JSON values: types merged, labels where few of them repeat, null where a key is missing.

    Raises:
        ValueError: There are no samples, or they are not objects.
    """
    from genson import SchemaBuilder

    if not samples:
        raise ValueError("there are no samples")
    if not all(isinstance(sample, Mapping) for sample in samples):
        raise ValueError("not every sample is a JSON object")
    builder = SchemaBuilder(schema_uri=None)
    for sample in samples:
        builder.add_object(sample)
    merged = builder.to_schema()
    return fix_schema(_with_labels(merged, list(samples))).schema


def _with_labels(node: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    changed = dict(node)
    if isinstance(node.get("properties"), Mapping):
        changed["properties"] = {
            name: _with_labels(child, [value[name] for value in values if isinstance(value, Mapping) and name in value])
            for name, child in node["properties"].items()
        }
    if isinstance(node.get("items"), Mapping):
        inner = [item for value in values if isinstance(value, list) for item in value]
        changed["items"] = _with_labels(node["items"], inner)
    if node.get("type") == "string" and (found := labels_of(values)):
        changed["enum"] = found
    return changed


def labels_of(values: Iterable[Any]) -> list[str]:
    """The labels that texts are drawn from; empty where they are too many, too long or seen too seldom to say."""
    texts = [value for value in values if isinstance(value, str)]
    counts = Counter(texts)
    if len(texts) < LEAST_SAMPLES or not 2 <= len(counts) <= MOST_LABELS:
        return []
    if min(counts.values()) < LEAST_SEEN or max(map(len, counts)) > _LONGEST_LABEL:
        return []
    return sorted(counts, key=lambda label: (-counts[label], label))


def json_objects(texts: Iterable[str]) -> list[dict[str, Any]]:
    """The texts that are JSON objects, read."""
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
