"""Values of a text under their labels: ``Label: value`` lines, headings, lists, tables, one bare value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptopt.errors import AnswerAmbiguous, AnswerError
from promptopt.schemas.coerce import coerce, plain
from promptopt.schemas.strict import resolve
from promptopt.values import JSONSchema

_LINE = re.compile(
    r"^[ \t>]*(?:[-*+•][ \t]+|\d+[.)][ \t]+)?(?:\*\*|__|[`'“\x22])?(?P<label>[^\W\d][\w \-/]{0,60}?)(?:\*\*|__|`)?[ \t]*"
    r"(?::|=|：|[ \t][–—-][ \t])[ \t]*(?:\*\*|__)?[ \t]*(?P<value>.*)$"
)
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+(?P<hash>.+?)|\*\*(?P<bold>[^*]+)\*\*|-{3}[ \t]+(?P<rule>\w[\w ]*))[ \t:#]*$"
)
_BULLET = re.compile(r"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+(?P<item>.+?)[ \t]*$")
_ROW = re.compile(r"^[ \t]*\|(?P<cells>.+)\|[ \t]*$")
_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|without|rather than|instead of|\w+n['’]t|hardly|less)\b(?:\W+\w+){0,2}\W+$",
    re.IGNORECASE,
)
_WRAP = "*_`\"'“”‘’ \t"
# A text longer than this is not an answer with labels.
_MOST_LINES = 5_000
_DEEPEST = 6
# A value that a longer text mentions somewhere, or one of so many, is not what the text says.
_MOST_CHARACTERS = 20_000
_MOST_PRESENT = 50


@dataclass(frozen=True, slots=True)
class Labelled:
    """What labels of a text yield.

    Attributes:
        value: What was found, perhaps not all.
        missing: Properties without a label in the text.
        repairs: What the reading took for granted.
    """

    value: dict[str, Any]
    missing: tuple[str, ...]
    repairs: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.missing


def labelled(text: str, schema: JSONSchema, *, strict: bool = True) -> Labelled | None:  # noqa: C901 - one branch a form
    """The values of a schema's properties by their labels; ``None`` if the schema is not an object.

    Args:
        strict: Only labels and bare values; else also the one label of an enum that the text mentions.

    Raises:
        AnswerAmbiguous: A label occurs twice with different values.
    """
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    properties = {name: _inlined(child, schema) for name, child in properties.items()}
    found: dict[str, Any] = {}
    notes: list[str] = []
    blocks = _blocks(text, properties)
    for name, child in properties.items():
        values = [value for block in blocks.get(name, ()) if (value := _value(block, child)) is not None]
        distinct = {repr(value): value for value in values}
        if len(distinct) > 1:
            raise AnswerAmbiguous(f"the label {name!r} is in the text with {len(distinct)} different values", text)
        if distinct:
            found[name] = next(iter(distinct.values()))
    if found:
        notes.append(f"read {', '.join(found)} from labels in the text")
    if not found and len(properties) == 1:
        name, child = next(iter(properties.items()))
        bare = _bare(text, child)
        if bare is not None:
            found[name] = bare
            notes.append(f"read the whole text as {name!r}")
    if not strict:
        for name, child in properties.items():
            if name not in found and (mention := _mentioned(text, name, child)) is not None:
                found[name] = mention
                notes.append(f"read {name!r} as the one value that the text mentions")
    required = schema.get("required")
    wanted = required if isinstance(required, list) else list(properties)
    missing = tuple(name for name in wanted if name not in found and not _nullable(properties.get(name)))
    return Labelled(found, missing if found else tuple(wanted), tuple(notes))


def _inlined(node: Any, root: JSONSchema, depth: int = 0) -> Any:
    """A property with the definitions copied in that it refers to; what refers to itself may be anything."""
    if isinstance(node, list):
        return [_inlined(part, root, depth) for part in node]
    if not isinstance(node, Mapping):
        return node
    if isinstance(node.get("$ref"), str):
        target = resolve(root, node["$ref"])
        # The validator reports a reference that leads out of the schema.
        return node if target is None else {} if depth > _DEEPEST else _inlined(target, root, depth + 1)
    inner = ("properties", "items", "anyOf")
    return {
        key: ({name: _inlined(child, root, depth + 1) for name, child in part.items()})
        if key == "properties" and isinstance(part, Mapping)
        else _inlined(part, root, depth + 1)
        if key in inner
        else part
        for key, part in node.items()
    }


def _nullable(schema: Any) -> bool:
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    return isinstance(kinds, list) and "null" in kinds


def _blocks(text: str, properties: Mapping[str, Any]) -> dict[str, list[str]]:
    """For each property, the texts under its label."""
    names = {plain(name): name for name in properties}
    blocks: dict[str, list[str]] = {}
    current: list[str] | None = None
    owner: str | None = None

    def close() -> None:
        if owner is not None and current is not None:
            blocks.setdefault(owner, []).append("\n".join(current).strip())

    for line in text.splitlines()[:_MOST_LINES]:
        name, rest = _label_of(line, names)
        if name is not None:
            close()
            owner, current = name, [rest]
        elif _HEADING.match(line) and not _BULLET.match(line):
            close()
            owner, current = None, None
        elif current is not None:
            current.append(line)
    close()
    return blocks


def _label_of(line: str, names: Mapping[str, str]) -> tuple[str | None, str]:
    if row := _ROW.match(line):
        cells = [cell.strip() for cell in row["cells"].split("|")]
        if len(cells) == 2 and plain(cells[0]) in names:
            return names[plain(cells[0])], cells[1]
        return None, ""
    if match := _LINE.match(line):
        name = names.get(plain(match["label"]))
        if name is not None:
            return name, match["value"]
    if heading := _HEADING.match(line):
        name = names.get(plain(heading["hash"] or heading["bold"] or heading["rule"]))
        if name is not None:
            return name, ""
    return None, ""


def _value(block: str, schema: Any) -> Any:
    """The value of a block under a schema, or ``None`` if the text does not have it."""
    if not isinstance(schema, Mapping) or not block:
        return None
    if schema.get("type") == "array":
        return _list(block, schema)
    paragraph = block.split("\n\n", maxsplit=1)[0].strip() if not _is_text(schema) else block
    return _scalar(paragraph, schema)


def _is_text(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return "enum" not in schema and (kinds == "string" or (isinstance(kinds, list) and "string" in kinds))


def _scalar(text: str, schema: Mapping[str, Any]) -> Any:
    cleaned = text.strip().strip(_WRAP)
    if not _is_text(schema):
        cleaned = cleaned.rstrip(".").strip(_WRAP)
        if out_of := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:/|out of|von|sur)\s*\d+", cleaned):
            cleaned = out_of[1]
    try:
        value, _ = coerce(cleaned, {key: part for key, part in schema.items() if key != "$defs"}, text)
    except AnswerError:
        return None
    return value


def _list(block: str, schema: Mapping[str, Any]) -> list[Any] | None:
    items = schema.get("items")
    lines = [line for line in block.splitlines() if line.strip()]
    bullets = [match["item"] for line in lines if (match := _BULLET.match(line))]
    if bullets and len(bullets) == len(lines):
        parts = bullets
    elif len(lines) == 1 and not bullets:
        inner = lines[0].strip().strip("[]")
        parts = [part for part in re.split(r"\s*[,;]\s*", inner) if part]
    else:
        return None
    if not isinstance(items, Mapping) or items.get("type") in ("object", "array"):
        return None
    values = [_scalar(part, items) for part in parts]
    return None if any(value is None for value in values) else values


def _bare(text: str, schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return None
    if schema.get("type") == "array":
        # A comma within a sentence is not a list: only bullets are.
        return _list(text, schema) if _BULLET.match(text.splitlines()[0]) else None
    if _is_text(schema) or len(text) > 400:
        return None
    return _scalar(text, schema)


def _mentioned(text: str, name: str, schema: Any) -> Any:
    """The only value of an enum, boolean or number that a free text names for a property."""
    if not isinstance(schema, Mapping):
        return None
    labels = schema.get("enum")
    if isinstance(labels, list) and all(isinstance(label, str) for label in labels if label is not None):
        return _only_label(text, [label for label in labels if label])
    kind = schema.get("type")
    words = r"[\s_-]*".join(re.escape(part) for part in re.split(r"[_\s-]+", name))
    if kind in ("integer", "number"):
        pattern = rf"\b{words}\b[\s*_`]*(?:is|of|=|:|was|would be|-)?[\s*_`]*(?P<n>[+-]?\d+(?:\.\d+)?)(?![\d.]*\d|\s*(?:-|–|to)\s*\d)"
        values = {match["n"] for match in re.finditer(pattern, text, re.IGNORECASE)}
        return _scalar(values.pop(), schema) if len(values) == 1 else None
    if kind == "boolean" and (match := re.match(r"\W*(yes|no|true|false)\b(?=\W|$)", text, re.IGNORECASE)):
        return match[1].lower() in ("yes", "true")
    return None


def _only_label(text: str, labels: list[str]) -> str | None:
    """The one label that the text names, as a whole word and not denied."""
    if len(text) > _MOST_CHARACTERS:
        return None
    lowered = text.lower()
    # A pattern of a thousand labels takes minutes; most are nowhere in the text.
    present = [label for label in labels if label.lower() in lowered or label.lower().replace("_", " ") in lowered]
    if not 0 < len(present) <= _MOST_PRESENT:
        return None
    hits = list(_label_hits(text, present))
    named = {label for label, _ in hits}
    if len(named) != 1:
        return None
    if any(_NEGATION.search(text[max(0, start - 60) : start]) for _, start in hits):
        return None
    return named.pop()


def _label_hits(text: str, labels: list[str]) -> Iterator[tuple[str, int]]:
    # Longer labels first, so that `product return` is not also `return`.
    ordered = sorted(labels, key=len, reverse=True)
    words = "|".join(rf"(?P<l{n}>{re.escape(label).replace('_', '[_ ]')})" for n, label in enumerate(ordered))
    for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", text, re.IGNORECASE):
        yield ordered[int((match.lastgroup or "l0")[1:])], match.start()
