"""Short codes for long labels and keys, and the way back.

A label that is several tokens is written by the model as an integer, a key that is several tokens as one word. The
program never sees a code: :meth:`Codes.decode` puts the labels and keys back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptopt.tokens import Tokenizer
from promptopt.values import JSONSchema

# Below this a label list is not worth a table in the prompt.
LEAST_LABELS = 3


@dataclass(frozen=True, slots=True)
class Codes:
    """What the codes of a schema stand for.

    Attributes:
        values: For a path of keys (as in the coded data, ``*`` for each item of a list), the labels by their code.
        keys: For a coded key, the key.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.values or self.keys)

    def decode(self, data: Any) -> Any:
        """``data`` with labels and keys in place of codes; a code without a label stays."""
        return self._decode(data, "")

    def _decode(self, node: Any, path: str) -> Any:
        if isinstance(node, dict):
            return {self.keys.get(key, key): self._decode(value, f"{path}/{key}") for key, value in node.items()}
        if isinstance(node, list):
            return [self._decode(item, f"{path}/*") for item in node]
        labels = self.values.get(path)
        if labels is not None and isinstance(node, int) and not isinstance(node, bool) and 0 <= node < len(labels):
            return labels[node]
        return node

    def encode(self, data: Any) -> Any:
        """The inverse of :meth:`decode`, for examples in a prompt."""
        short = {key: code for code, key in self.keys.items()}
        return self._encode(data, "", short)

    def _encode(self, node: Any, path: str, short: Mapping[str, str]) -> Any:
        if isinstance(node, dict):
            return {
                (code := short.get(key, key)): self._encode(value, f"{path}/{code}", short)
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [self._encode(item, f"{path}/*", short) for item in node]
        labels = self.values.get(path)
        return labels.index(node) if labels is not None and node in labels else node

    def to_dict(self) -> dict[str, Any]:
        """The form of ``output_codes`` in the front matter."""
        table: dict[str, Any] = {}
        if self.values:
            table["values"] = {path: list(labels) for path, labels in self.values.items()}
        if self.keys:
            table["keys"] = dict(self.keys)
        return table


def read_codes(table: object) -> Codes:
    """``output_codes`` of the front matter.

    Raises:
        ValueError: It is not of that form.
    """
    if not isinstance(table, Mapping) or set(table) - {"values", "keys"}:
        raise ValueError(f"{table!r} is not a mapping with `values` and `keys`")
    values, keys = table.get("values") or {}, table.get("keys") or {}
    if not isinstance(values, Mapping) or not all(
        isinstance(path, str) and isinstance(labels, list) and all(isinstance(label, str) for label in labels)
        for path, labels in values.items()
    ):
        raise ValueError("`values` does not map paths such as /category to lists of labels")
    if not isinstance(keys, Mapping) or not all(isinstance(part, str) for pair in keys.items() for part in pair):
        raise ValueError("`keys` does not map short keys to keys")
    return Codes({path: tuple(labels) for path, labels in values.items()}, dict(keys))


def code_schema(schema: JSONSchema, tokenizer: Tokenizer) -> tuple[dict[str, Any], Codes]:
    """``schema`` with codes if they save output, and what they stand for.

    An enum of texts is coded if its labels are more than one token on average and there are enough of them; a key
    if it is more than one token and one word of it is one token. ``$defs`` are left as they are: one definition
    may be used in many places.
    """
    coder = _Coder(tokenizer, _names(schema))
    coded = coder.node(dict(schema), "")
    return coded, Codes(coder.values, coder.keys)


class _Coder:
    def __init__(self, tokenizer: Tokenizer, names: set[str]) -> None:
        self._tokenizer = tokenizer
        # A short key must differ from every other key, so that it can be put back without knowing its place.
        self._taken = names
        self.values: dict[str, tuple[str, ...]] = {}
        self.keys: dict[str, str] = {}

    def node(self, node: Any, path: str) -> Any:
        if not isinstance(node, Mapping):
            return node
        coded = dict(node)
        if self._worth(coded):
            labels = tuple(coded.pop("enum"))
            self.values[path] = labels
            rest = {key: value for key, value in coded.items() if key != "type"}
            return {"type": "integer", "minimum": 0, "maximum": len(labels) - 1, **rest}
        if isinstance(coded.get("properties"), Mapping):
            short = self._short_keys(coded["properties"])
            coded["properties"] = {
                short[name]: self.node(child, f"{path}/{short[name]}") for name, child in coded["properties"].items()
            }
            if isinstance(coded.get("required"), list):
                coded["required"] = [short.get(name, name) for name in coded["required"]]
        if "items" in coded:
            coded["items"] = self.node(coded["items"], f"{path}/*")
        return coded

    def _worth(self, node: Mapping[str, Any]) -> bool:
        labels = node.get("enum")
        if not isinstance(labels, list) or len(labels) < LEAST_LABELS or not all(isinstance(v, str) for v in labels):
            return False
        spent = sum(map(self._tokenizer.count, labels))
        return spent / len(labels) > 1.5

    def _short_keys(self, properties: Mapping[str, Any]) -> dict[str, str]:
        short: dict[str, str] = {}
        for name in properties:
            short[name] = name
            if self._tokenizer.count(name) <= 1:
                continue
            words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
            for word in reversed(words):
                if len(word) > 2 and word not in self._taken and self._tokenizer.count(word) == 1:
                    short[name] = word
                    self._taken.add(word)
                    self.keys[word] = name
                    break
        return short


def _names(schema: object) -> set[str]:
    names: set[str] = set()
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, Mapping):
            if isinstance(node.get("properties"), Mapping):
                names |= set(node["properties"])
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return names
