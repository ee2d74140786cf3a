"""Prompts beside a judgement made once by hand: ``fields`` with their types, or why there ``cannot`` be any.

A prompt with neither asks for no form. The text of the real prompts is not part of the repository.
"""

import hashlib
import json
import re
from pathlib import Path

from corpora import own_prompts

from promptopt.structured.infer import infer

JUDGEMENT = Path(__file__).parent / "prompts" / "judgement.json"


def as_jinja(row):
    """A prompt of another template language as Jinja would have it."""
    text = row["text"]
    if row["kind"] == "python-format":
        text = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda match: f"\x01{match[1]}\x02", text)
        text = text.replace("{{", "{").replace("}}", "}")
        return re.sub("\x01(\\w+)\x02", lambda match: "{{ " + match[1] + " }}", text)
    if row["kind"] == "sk":
        return re.sub(r"\{\{\$?(\w+)\}\}", lambda match: "{{ " + match[1] + " }}", text)
    if row["source"] == "openai-evals-modelgraded":
        return re.sub(r"\{(\w+)\}", lambda match: "{{ " + match[1] + " }}", text)
    return text


def paths(inferred):
    found = {}

    def visit(path, schema):
        kind = schema.get("type")
        kind = next(name for name in kind if name != "null") if isinstance(kind, list) else kind
        found[path] = "|".join(map(str, schema["enum"])) if "enum" in schema else kind
        for name, child in schema.get("properties", {}).items():
            visit(f"{path}.{name}", child)
        items = schema.get("items", {})
        for name, child in items.get("properties", {}).items():
            visit(f"{path}[].{name}", child)

    for field in inferred.fields:
        visit("items" if inferred.wrapped else field.name, field.schema)
    return found


def matches(found, judged):
    """The fields on which both agree; a single field may have any name, because the prompt gives it none."""
    if len(found) == len(judged) == 1:
        return int(set(found.values()) == set(judged.values()))
    return sum(judged.get(path) == kind for path, kind in found.items())


def half(identifier):
    """The half of the prompts that one belongs to; the rules of headings, parts and scales saw only half 0."""
    return hashlib.sha256(identifier.encode()).digest()[0] % 2


def judged(rows):
    """Id, template, what is inferred and the judgement of each of the real prompts."""
    judgement = json.loads(JUDGEMENT.read_text(encoding="utf-8"))
    assert {row["id"] for row in rows} == set(judgement)
    return [(row["id"], text := as_jinja(row), infer(text), judgement[row["id"]]) for row in rows]


def judged_own():
    """The same of the project's own prompts, which no rule was made from."""
    judgement = ("fields", "cannot")
    return [
        (row["id"], row["text"], infer(row["text"]), {key: row[key] for key in judgement if key in row})
        for row in own_prompts()
    ]


def f1(rows):
    """Twice what agrees, over what is inferred and what is judged."""
    agreed = inferred = judged = 0
    for _, _, found, expected in rows:
        agreed += matches(paths(found), expected.get("fields", {}))
        inferred += len(paths(found))
        judged += len(expected.get("fields", {}))
    return 2 * agreed / (inferred + judged)
