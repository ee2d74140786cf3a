"""The schemas of suites, prompts, locks and recordings."""

from collections import defaultdict

from parts import (
    ANY,
    COUNT,
    FLAG,
    NUMBER,
    OPTIONS,
    TABLE,
    TEXT,
    Schema,
    listed,
    mapping,
    names,
    number,
    optional,
    whole,
    words,
)

from promptopt.budget.lock import LockBasis, LockEntry
from promptopt.registry import is_built_in, load, registered
from promptopt.suites import turns, written
from promptopt.suites.case import ASSERT_KEYS
from promptopt.suites.datasets import DATASET_KEYS, FORMATS
from promptopt.suites.tool_results import _ENTRY_KEYS
from promptopt.templates import frontmatter
from promptopt.values import ToolCall, Usage


def suite() -> Schema:
    """A suite in YAML or JSON."""
    test = mapping(
        written._TEST_KEYS,
        {
            "description": {
                "type": ["string", "number", "boolean", "null"],
                "description": "Its name; recordings are found by it.",
            },
            "vars": optional(TABLE),
            "assert": optional(listed({"$ref": "#/definitions/assert"})),
            "threshold": optional(number(0, 1) | {"description": "The least score that passes, 0 to 1."}),
            "metadata": optional(TABLE),
            "options": optional(mapping(written._OPTION_KEYS, dict.fromkeys(written._OPTION_KEYS, ANY))),
            "tool_results": {"$ref": "#/definitions/tool_results"},
            "max_steps": whole(1),
            "turns": optional(listed({"anyOf": [TEXT, {"$ref": "#/definitions/turn"}]}, minItems=1)),
        },
    )
    turn = {
        "user": ANY,
        "vars": optional(TABLE),
        "assert": test["properties"]["assert"],
        "tool_results": test["properties"]["tool_results"],
    }
    rest = {key: ANY for key in turns._KEYS if key not in turn}
    dataset = {"path": TEXT, "format": words(FORMATS), "map": optional(TABLE), "assert": optional(TEXT)}
    tests = {"anyOf": [TEXT, {"$ref": "#/definitions/test"}, {"$ref": "#/definitions/dataset"}]}
    top = {
        "description": ANY,
        "tests": optional({"anyOf": [TEXT, {"$ref": "#/definitions/dataset"}, listed(tests)]}),
        "defaultTest": optional({"$ref": "#/definitions/test"}),
        "derivedMetrics": optional(
            listed(
                mapping(["name", "value"], {"name": TEXT, "value": {"type": ["string", "number"]}}, ["name", "value"])
            )
        ),
    }
    unused = {key: {"description": "promptfoo's; not used here."} for key in sorted(written._TOP_IGNORED)}
    return {
        "anyOf": [mapping([*written._TOP_KEYS, *unused], top | unused), listed(tests)],
        "definitions": {
            "test": test,
            "turn": mapping(turns._KEYS, turn | rest),
            "dataset": mapping(DATASET_KEYS, dataset, ["path", "format"]),
            "tool_results": optional(
                {
                    "anyOf": [
                        TABLE,
                        listed(
                            mapping(
                                _ENTRY_KEYS,
                                {"tool": TEXT, "arguments": optional(TABLE), "result": ANY},
                                ["tool", "result"],
                            )
                        ),
                    ]
                }
            ),
            "assert": assertion(),
        },
    }


def assertion() -> Schema:
    """An assert: the types of this package with their own keys; types of other packages take any."""
    common = {
        "type": TEXT,
        "value": ANY,
        "threshold": optional(number()),
        "weight": number(),
        "metric": {"type": ["string", "number", "boolean", "null"]},
    }
    kinds: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for kind in registered("scorer"):
        if is_built_in("scorer", kind):
            kinds[tuple(getattr(load("scorer", kind), "options", ()))].append(kind)
    written = [name for each in kinds.values() for kind in each for name in (kind, f"not-{kind}")]
    own = [
        {
            "if": {"properties": {"type": {"enum": [name for kind in each for name in (kind, f"not-{kind}")]}}},
            "then": {"propertyNames": {"enum": [*ASSERT_KEYS, "transform", *options]}},
        }
        for options, each in sorted(kinds.items())
    ]
    nested = {
        "if": {"properties": {"type": {"const": "assert-set"}}},
        "then": {"properties": {"assert": listed({"$ref": "#/definitions/assert"})}},
    }
    found = mapping(ASSERT_KEYS, common, ["type"], rest=True)
    found["properties"]["type"] = {
        "anyOf": [words(sorted(written)), TEXT],
        "description": "A type, or not- and a type; other packages add types.",
    }
    return found | {"allOf": [*own, nested]}


def front_matter() -> Schema:
    """The front matter of a prompt."""
    own = {
        "model": TEXT | {"description": "The model it is written for."},
        "output_schema": {"anyOf": [TEXT, TABLE], "description": "A schema for strict mode, or its file."},
        "output_codes": TABLE,
        "answer": TEXT | {"description": "How the answer is read out of a response: a JSON pointer or a pattern."},
        "tools": {"anyOf": [TEXT, listed({"anyOf": [TEXT, TABLE]}), TABLE]},
        "calls_per_month": whole(1),
        "description": TEXT,
    }
    return mapping(frontmatter.KEYS, {key: optional(schema) for key, schema in (OPTIONS | own).items()})


def lock() -> Schema:
    """A lock, as JSON knows its TOML. A later version may add keys, which this one ignores."""
    entry = dict.fromkeys(("variables", "request", "reason", "test", "check"), TEXT) | {
        "input": COUNT,
        "cacheable": COUNT,
        "output": {"type": ["integer", "number"], "minimum": 0},
        "output_max": COUNT,
        "quality": {"type": "number", "minimum": 0, "maximum": 1},
    }
    assert set(names(LockEntry)) - {"output_is"} == entry.keys() - {"output_max", "check"}
    case = {"type": "object", "properties": entry, "required": ["input", "cacheable", "variables", "request", "check"]}
    head: dict[str, Schema] = {
        "version": {"const": 1},
        **dict.fromkeys(("prompt", "measured", "sources", *names(LockBasis), "reason", "check"), TEXT),
        "program": FLAG,
        "calls_per_month": whole(1),
        "schema": COUNT,
        "case": TABLE | {"additionalProperties": case},
    }
    needed = ["version", "prompt", "measured", "sources", *names(LockBasis), "check"]
    return TABLE | {"properties": head | OPTIONS, "required": needed}


def recording() -> Schema:
    """One line of a file of recordings."""
    usage = mapping(names(Usage), dict.fromkeys(names(Usage), COUNT))
    call = mapping(names(ToolCall), dict.fromkeys(names(ToolCall), TEXT))
    response = {"text": TEXT, "finish_reason": TEXT, "tool_calls": listed(call), "logprobs": listed(NUMBER)}
    line: dict[str, Schema] = {
        "v": {"const": 1},
        "prompt": TEXT | {"description": "Name and version, such as reviews@v1."},
        "case": TEXT,
        "repetition": COUNT,
        "step": COUNT,
        "request_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "model_requested": TEXT,
        "model_returned": TEXT,
        "params": TABLE,
        "response": TABLE | {"properties": response, "required": ["text", "finish_reason"]},
        "usage": optional(usage),
        "latency_ms": {"type": ["number", "null"]},
        "recorded_at": TEXT,
    }
    return TABLE | {"properties": line, "required": [key for key in line if key not in ("step", "latency_ms")]}
