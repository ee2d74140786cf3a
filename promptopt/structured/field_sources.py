"""Where the fields of an answer come from, besides the prompt's words: recordings, a suite, a file, a model."""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptopt.errors import SchemaError
from promptopt.files import decode, json_problem, show_path
from promptopt.providers.recordings import RecordingFile
from promptopt.schemas.answer_type import is_pydantic_model, model_schema
from promptopt.schemas.make_strict import fix_schema
from promptopt.structured.by_model.ask import AskedForm
from promptopt.structured.fields import Field, object_schema
from promptopt.suites import Suite
from promptopt.templates.answer import AnswerExtractor, NoAnswer

_LABEL_TYPES = frozenset({"equals", "icontains", "contains", "iequals", "starts-with"})
_LONGEST_LABEL = 60
_MOST_LABELS = 1_000
# An enum is only read from the samples if each label was seen twice or more among enough answers.
LEAST_SAMPLES = 10
MOST_LABELS = 20
LEAST_SEEN = 2
_LONGEST_REPEATED_LABEL = 40


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fields with their sources.

    Attributes:
        definitions: ``$defs`` that the fields refer to.
        title: The name of the schema.
        asked: What a model read, if they are from there.
    """

    fields: tuple[Field, ...]
    definitions: tuple[tuple[str, Any], ...] = ()
    title: str | None = None
    asked: AskedForm | None = None

    def schema(self) -> dict[str, Any]:
        """The strict schema of the fields."""
        schema = object_schema({item.name: dict(item.schema) for item in self.fields})
        if self.title:
            schema = {"title": self.title, **schema}
        return {**schema, "$defs": dict(self.definitions)} if self.definitions else schema


def from_schema(operand: str) -> Evidence:
    """The fields of a JSON Schema file, or of a Pydantic model written ``module:Model``.

    Raises:
        SchemaError: It cannot be read, or cannot be made valid in strict mode.
    """
    schema, source = load_schema(operand)
    fixed = fix_schema(schema)
    if fixed.remaining:
        raise SchemaError(f"strict mode refuses it: {'; '.join(map(str, fixed.remaining))}", path=source)
    root = fixed.schema
    if "$ref" in root:
        raise SchemaError("its root is a reference", path=source, remedy="let the root be the object itself")
    definitions = tuple((root.get("$defs") or {}).items())
    title = root.get("title") if isinstance(root.get("title"), str) else None
    return Evidence(_fields(root, source), definitions, title)


def load_schema(operand: str) -> tuple[dict[str, Any], str]:
    """The schema in a JSON file or of ``module:Model``, and what to call it.

    Raises:
        SchemaError: There is none.
    """
    module, colon, name = operand.partition(":")
    if colon and name.isidentifier() and not Path(operand).exists():
        return _model_schema(module, name), operand
    path = Path(operand)
    try:
        text = decode(path.read_bytes(), show_path(path), SchemaError)
    except OSError as error:
        raise SchemaError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        problem, line = json_problem(error)
        raise SchemaError(f"is not JSON: {problem}", path=show_path(path), line=line) from None
    if not isinstance(value, dict):
        raise SchemaError(f"is a JSON {type(value).__name__}, not a schema", path=show_path(path))
    # What the OpenAI SDK sends holds the schema one level down.
    inner = value.get("json_schema", value)
    if isinstance(inner, dict) and isinstance(inner.get("schema"), dict):
        value = inner["schema"]
    return value, show_path(path)


def _model_schema(module: str, name: str) -> dict[str, Any]:
    sys.path.insert(0, str(Path.cwd()))
    try:
        model = getattr(importlib.import_module(module.removesuffix(".py").replace("/", ".")), name)
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        raise SchemaError(f"--schema {module}:{name}: {type(error).__name__}: {error}") from None
    finally:
        sys.path.pop(0)
    if not is_pydantic_model(model):
        raise SchemaError(f"{module}:{name} is not a Pydantic model")
    return model_schema(model)


def schema_from_samples(samples: Sequence[Any]) -> dict[str, Any]:
    """The strict schema of JSON values: types merged, labels if few of them repeat, null if a key is missing.

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
    """The labels that texts are drawn from; empty if they are too many, too long or seen too seldom to say."""
    texts = [value for value in values if isinstance(value, str)]
    counts = Counter(texts)
    if len(texts) < LEAST_SAMPLES or not 2 <= len(counts) <= MOST_LABELS:
        return []
    if min(counts.values()) < LEAST_SEEN or max(map(len, counts)) > _LONGEST_REPEATED_LABEL:
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


def from_recordings(files: Sequence[RecordingFile], answer: AnswerExtractor | None) -> Evidence:
    """The fields of answers that were recorded: JSON objects merged, or the labels that ``answer:`` reads out.

    Raises:
        SchemaError: There are no answers, or they have no common form.
    """
    texts = [line.response.text for file in files for line in file.lines.values()]
    if not texts:
        raise SchemaError(
            "there are no recorded answers", path=show_path(files[0].path), remedy="record some: promptopt compare"
        )
    objects = json_objects(texts)
    where = f"{len(texts)} recorded answers"
    if objects and len(objects) >= len(texts) * 0.9:
        return Evidence(_fields(schema_from_samples(objects), where))
    labels = labels_of(filter(None, (_read(answer, text) for text in texts)))
    if labels:
        return Evidence((Field("answer", {"type": "string", "enum": labels}, where),))
    raise SchemaError(
        f"cannot infer: of {where} {len(objects)} are JSON objects, and the answers are not a small set of labels",
        remedy="name the schema with --schema",
    )


def _read(answer: AnswerExtractor | None, text: str) -> str | None:
    if answer is None:
        return text.strip()
    try:
        return answer.extract(text).strip().casefold()
    except NoAnswer:
        return None


def suite_labels(suite: Suite) -> list[str]:
    """The labels that a suite's cases expect, in order of first use; empty if they are free texts."""
    found: dict[str, None] = {}
    for case in suite.cases:
        values = [
            str(value)
            for assertion in case.asserts
            if assertion.type in _LABEL_TYPES and not assertion.negated
            for value in [_expected(assertion.value, case.vars)]
            if value is not None
        ]
        if len(values) != 1 or len(values[0]) > _LONGEST_LABEL:
            return []
        found[values[0]] = None
    return list(found) if 2 <= len(found) <= min(_MOST_LABELS, len(suite.cases) // 2) else []


def _expected(value: object, variables: Any) -> object:
    if isinstance(value, str) and value.startswith("{{") and value.endswith("}}"):
        return variables.get(value[2:-2].strip())
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def suite_schema(suite: Suite) -> dict[str, Any] | None:
    """The schema of the suite's ``is-json`` asserts, if all cases share one."""
    schemas = {
        json.dumps(assertion.value, sort_keys=True)
        for case in suite.cases
        for assertion in case.all_asserts
        if assertion.type in ("is-json", "contains-json") and isinstance(assertion.value, dict)
    }
    return fix_schema(json.loads(schemas.pop())).schema if len(schemas) == 1 else None


def from_suite(suite: Suite) -> Evidence | None:
    """The fields that a suite expects; ``None`` if it expects free text."""
    schema = suite_schema(suite)
    if schema is not None and isinstance(schema.get("properties"), dict):
        return Evidence(_fields(schema, f"is-json asserts of the suite {suite.name}"))
    objects = [
        assertion.value
        for case in suite.cases
        for assertion in case.asserts
        if assertion.type == "equals" and isinstance(assertion.value, dict)
    ]
    if objects and len(objects) == len(suite.cases):
        return Evidence(_fields(schema_from_samples(objects), f"expected values of the suite {suite.name}"))
    labels = suite_labels(suite)
    if labels:
        source = f"{len(suite.cases)} expected values of the suite {suite.name}"
        return Evidence((Field("answer", {"type": "string", "enum": labels}, source),))
    return None


def _fields(schema: dict[str, Any], source: str) -> tuple[Field, ...]:
    properties: Iterable[tuple[str, Any]] = schema.get("properties", {}).items()
    return tuple(Field(name, child, source) for name, child in properties)
