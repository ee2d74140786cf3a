"""Verdicts of asserts, case by case, beside those of promptfoo itself.

    npm install --prefix DIR promptfoo node-sql-parser     # once; needs node
    python benchmarks/promptfoo_asserts.py --promptfoo DIR [--record FILE]

Cases are made from a seed, of every type that asks no model; promptfoo runs them with a provider that answers what it
is told, and promptopt scores the same answers. Pass or fail and the score must be equal. A difference that is meant
(docs/suites.md) is told by the case that shows it and is counted apart; a run with any other ends with exit code 1.
`--record` keeps what promptfoo said of a part of the cases, which a test replays without node.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from promptopt.errors import PromptoptError
from promptopt.scorers import SuiteChecks
from promptopt.suites.load import parse_suite
from promptopt.values import Cost, Response

PROVIDER = """
module.exports = class {
  id() { return 'told'; }
  async callApi(prompt) { return JSON.parse(prompt); }
};
"""
TEXTS = [
    "The capital of France is Paris.",
    "Paris",
    "I'd recommend the blue one; it costs $1,299.99 (incl. VAT).",
    "Zürich – größter Ort, 3 × „schön“",
    "naïve café 😀👍🏽 Ελλάδα",
    "line one\nline two\n\nline four",
    "yes, no, maybe",
    'She said "hello, world" and left.',
    "42",
    "3.0",
    "true",
    "null",
    "I'm sorry, but I can't help with that.",
    "Sure! Here is the list:\n1. apples\n2. pears",
    "the cat sat on the mat the cat",
    "a\tb  c",
    "a:\\temp\\new",
    "100% sure [maybe] (or not) {x}",
]


@dataclass
class Case:
    """An answer, an assert or its short form, and which documented difference it shows."""

    kind: str
    output: str
    entry: dict[str, Any] | str
    difference: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    vars: dict[str, Any] = field(default_factory=dict)
    threshold: float | None = None


def both(kind: str, output: str, value: Any = None, **more: Any) -> Iterator[Case]:
    """The assert and its opposite."""
    difference, told, variables = more.pop("difference", ""), more.pop("told", {}), more.pop("vars", {})
    for name in (kind, f"not-{kind}"):
        entry = {"type": name, **({} if value is None else {"value": value}), **more}
        yield Case(name, output, entry, difference, told, variables)


def texts(dice: random.Random) -> Iterator[Case]:
    """Equality, containment, patterns and likeness."""
    for text in TEXTS:
        yield from both("equals", text, text)
        other = dice.choice(TEXTS)
        yield from both("equals", text, other)
        piece = text[dice.randrange(len(text)) :].strip() or text
        yield from both("contains", text, piece)
        yield from both("icontains", text, piece.swapcase(), difference="fold" if "ß" in text else "")
        yield from both("contains", text, other[:4])
        yield from both("starts-with", text, text[: dice.randint(1, 5)])
        yield from both("contains-any", text, [other, piece])
        yield from both("contains-all", text, [text[:2], piece])
        yield from both("icontains-any", text, [other.upper(), "zzz"])
        yield from both("icontains-all", text, [text[-3:].upper()], difference="fold" if "ß" in text else "")
        yield from both("levenshtein", text, other, threshold=dice.choice([0, 1, 5, 20, 2.5]))
        yield from both("levenshtein", text, text.replace("a", "e"))
        yield from both("word-count", text, dice.choice([1, 2, 6, {"min": 2}, {"max": 3}, {"min": 2, "max": 7}, "6"]))
    for number, text in ((3, "3"), (3.0, "3"), (3.5, "3.5"), (0, "0"), (True, "true"), (False, "False"), (-1, "-1")):
        yield from both("equals", text, number)
    for number in (42, 4.5, 0):
        yield from both("contains", "It is 42 or 4.5", number, difference="zero" if number == 0 else "")
    for value, text in (
        ({"a": 1}, '{"a": 1.0}'),
        ({"a": True}, '{"a": 1}'),
        ([1, "x"], '[1,"x"]'),
        ({"a": [1]}, '{"a": [1], "b": 2}'),
        ([], "[]"),
        ({"a": None}, '{"a":null}'),
        ({"a": 1}, "{a: 1}"),
        ([1], "[true]"),
    ):
        yield from both("equals", text, value)
    for value in (
        "a,b",
        'yes, "no, maybe"',
        '"hello, world", x',
        "x,,y",
        " no ",
        '"a""b", no',
        '"say \\"hello',
        '"open',
        "a\nb, no",
        "100%, [maybe]",
        '"yes" no',
    ):
        for kind in ("contains-any", "contains-all", "icontains-any"):
            yield from both(kind, dice.choice(['yes, no, maybe "hello, world" a"b a\nb 100%', "y", "a b c"]), value)
    for value in ("", None, []):
        yield Case("contains", "any text", {"type": "contains", **({} if value is None else {"value": value})}, "empty")
        yield Case(
            "contains-any", "any text", {"type": "contains-any", **({} if value is None else {"value": value})}, "empty"
        )
    yield Case("contains-any", "any text", {"type": "contains-any", "value": ["", "zzz"]}, "empty")
    yield Case("contains-all", "any text", {"type": "contains-all", "value": []}, "empty")
    for pattern, text in (
        ("^line", TEXTS[5]),
        ("two$", TEXTS[5]),
        (r"\d{1,3}(,\d{3})*\.\d\d", TEXTS[2]),
        ("[A-Z]{2}", "abc"),
        (r"(?<n>\w+) \w+", "ab cd"),
        ("^$", "x"),
        (r"one.line", TEXTS[5]),
        (r"[^]x", "a\nx"),
        (r"\bcat\b", TEXTS[14]),
        ("(?i)PARIS", "paris"),
        (r"^\S+$", "a:\\temp"),
        (r"😀", TEXTS[4]),
        (r"a|b", "b"),
        (r"\u00e9", "café"),
        (r"x{2,}", "xxx"),
        (r"[\d.]+", "v1.2"),
        (r"\/etc\/", "/etc/hosts"),
    ):
        yield from both("regex", text, pattern, difference="inline flags" if pattern.startswith("(?i)") else "")
    yield Case("regex", "x", {"type": "regex", "value": "("}, "")
    yield Case("regex", "größer", {"type": "regex", "value": r"^\w+$"}, "words of a pattern")
    yield Case("equals", " padded ", {"type": "equals", "value": "padded"}, "white space")
    yield Case("equals", "Hi Ada", {"type": "equals", "value": "Hi {{ name }}"}, "", vars={"name": "Ada"})
    yield Case("contains", "Hi", {"type": "contains", "value": "Hi{{ nobody }}"}, "undefined variable")
    for threshold in (0, 0.5, 1):
        entry = {"type": "contains", "value": "Par", "weight": 3}
        yield Case("weight", "Paris", entry, threshold=threshold)
    yield Case("weight", "Paris", {"type": "equals", "value": "x", "weight": 0}, "weight 0")


def overlaps(dice: random.Random) -> Iterator[Case]:
    """BLEU, GLEU and ROUGE."""
    sentences = [
        "the cat sat on the mat",
        "The cat sat on the mat.",
        "A quick brown fox jumps over the lazy dog",
        "It isn't what you'd think, can't you see?",
        "cannot gonna wanna",
        'He said "stop" and (then) left...',
        "Prices: $3,000.50; 20% off!",
        "größe über alles",
        "one",
        "one two",
        "Mr. Smith's dogs' bowls -- two of them",
        "mat the on sat cat the",
        "u.s. policy, e.g. tax.",
    ]
    for first in sentences:
        for second in dice.sample(sentences, 3):
            for kind in ("bleu", "gleu", "rouge-n"):
                yield from both(
                    kind, first, second, **dice.choice([{}, {"threshold": 0}, {"threshold": 1}, {"threshold": 0.3}])
                )
        for kind in ("bleu", "gleu"):
            yield from both(kind, first, dice.sample(sentences, 2))
            yield from both(kind, first, first)
        yield from both("rouge-n", first, first)


def structures(dice: random.Random) -> Iterator[Case]:
    """JSON, XML, HTML and SQL."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer", "minimum": 0},
            "mail": {"type": "string", "format": "email"},
            "on": {"type": "string", "format": "date-time"},
            "tags": {"type": "array", "items": [{"type": "string"}, {"type": "number"}]},
        },
        "required": ["name"],
    }
    for text in (
        '{"name":"A","age":3}',
        '{"name":"A","age":-3}',
        '{"age":3}',
        "[1,2]",
        "null",
        '"x"',
        "3",
        "{'a':1}",
        '{"a":1,}',
        "NaN",
        '{"name":"A","mail":"a@b.co"}',
        '{"name":"A","mail":"nope"}',
        '{"name":"A","on":"2024-05-01T10:00:00Z"}',
        '{"name":"A","on":"yesterday"}',
        '{"name":"A","tags":["x",2]}',
        '{"name":"A","tags":[2,"x"]}',
        "not json",
        ' {"name": "ü"} ',
        '{"name":"A"} {"name":"B"}',
    ):
        yield from both("is-json", text)
        yield from both("is-json", text, schema)
        yield from both("is-json", text, "type: object\nrequired: [name]\n")
    for text in (
        'Here: {"name":"A"} ok',
        'x {"age":1} y {"name":"B"}',
        "none",
        '```json\n{"name": "A", "age": 2}\n```',
        '[{"name":"A"}]',
        "{",
        '{"name":"A","age":-1}',
    ):
        yield from both("contains-json", text, difference="open brace" if text == "{" else "")
        yield from both("contains-json", text, schema)
    yield Case("contains-json", "a {placeholder} here", {"type": "contains-json"}, "YAML in braces")
    yield Case("contains-json", "the list [1, 2]", {"type": "contains-json"}, "arrays")
    xml = [
        "<a/>",
        "<a><b>1</b></a>",
        "<a><b>1</b><b>2</b></a>",
        '<?xml version="1.0"?><r x="1"><i>ä</i></r>',
        "<a><b></a></b>",
        "text",
        "<a>",
        "<a>&amp;&lt;</a>",
        "<a>&nope;</a>",
        "<a b=c/>",
        "<a><![CDATA[<x>]]></a>",
        "<!-- c --><a/>",
        "<a/><b/>",
        "before <a><b>x</b></a> after",
        '<n:a xmlns:n="u"><n:b/></n:a>',
        "<n:a/>",
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        "<1a/>",
        "Thoughts: <p>one</p> and <p>two</p>",
        "a < b and c > d",
    ]
    for text in xml:
        for value in (None, "a.b", ["a", "a.b.1"], {"requiredElements": ["a"]}):
            yield from both("is-xml", text, value)
            yield from both("contains-xml", text, value)
    for text in (
        "<p>Hi</p>",
        "Hi <b>there</b>",
        "<!DOCTYPE html><html><body>Hi</body></html>",
        "<div><p>a</div>",
        "plain",
        "<foo>x</foo>",
        "<my-tag>x</my-tag>",
        "<p>a</p> tail",
        "<br>",
        "<body>text</body>",
        "a &amp; b",
        "<ul><li>a<li>b</ul>",
        "1 < 2 > 0",
        '<?xml version="1.0"?><p>x</p>',
        "<!-- only -->",
        "<table><td>x</table>",
        '<a href="x">y</a>',
        "use <T> and </T>",
        "&lt;p&gt;",
        "<img src='x'/>",
        "<title>x</title>",
        "<html>bare",
    ):
        yield from both("is-html", text)
        yield from both("contains-html", text)
    sql = [
        "SELECT * FROM users",
        "SELECT id, name FROM users WHERE age > 18 ORDER BY name LIMIT 5",
        "SELECT id name FROM users",
        "SELECT FROM",
        "INSERT INTO t (a) VALUES (1)",
        "UPDATE t SET a = 'it''s' WHERE id = 2",
        "DELETE FROM t WHERE a IN (SELECT b FROM u)",
        "SELEC * FROM t",
        "hello world",
        "SELECT COUNT(*) FROM a JOIN b ON a.id = b.id GROUP BY a.x HAVING COUNT(*) > 1",
        "WITH c AS (SELECT 1 AS n) SELECT n FROM c",
        "SELECT `a FROM t",
        "SELECT a FROM t WHERE",
        "CREATE TABLE t (id INT PRIMARY KEY, n VARCHAR(10))",
        "SELECT 1; SELECT 2",
        "SELECT * FROM generate_series(1, 3)",
        "SELECT DISTINCT a FROM t",
        "SELECT 'a b from' AS x FROM t",
        "DROP TABLE t",
        "SELECT a FROM t -- comment",
        "select u.id from users u left join orders o on o.user_id = u.id where o.total between 1 and 2",
    ]
    for text in sql:
        yield from both("is-sql", text)
        yield from both("is-sql", text, {"databaseType": dice.choice(["PostgreSQL", "Sqlite", "MySQL"])})
        wrapped = dice.choice([f"Here:\n```sql\n{text}\n```\n", f"```\n{text}\n```", f"```python\n{text}\n```", text])
        yield from both("contains-sql", wrapped)
    for text in (
        "SELECT a FROM users",
        "SELECT b FROM secrets",
        "SELECT a FROM users, orders",
        "DELETE FROM users",
        "SELECT users.a FROM users",
    ):
        yield from both("is-sql", text, {"databaseType": "MySQL", "allowedTables": ["select::null::users"]})
        yield from both("is-sql", text, {"databaseType": "MySQL", "allowedColumns": ["select::users::a"]})


def code(dice: random.Random) -> Iterator[Case]:
    """JavaScript and inline Python."""
    for source in (
        "output.length > 5",
        "output.includes('Paris')",
        "output",
        "0",
        "0.4",
        "1",
        "-1",
        "output.length / 100",
        "const n = output.length; n > 3",
        "let a = 'x;y'; a.length === 3",
        "return true",
        "undefined",
        "null",
        "'true'",
        "({pass: true, score: 0.3, reason: 'r'})",
        "({pass: false, score: 0.9, reason: 'r'})",
        "({pass: true, score: 0, reason: ''})",
        "({pass: true, score: 1})",
        "({score: 1, reason: 'x'})",
        "Promise.resolve(true)",
        "JSON.parse(output).a === 1",
        "throw new Error('x')",
        "context.vars.who === 'Ada'",
        "output.trim().split(/\\s+/).length <= 3",
        "output === `Paris`",
        "missing.x",
        "true;",
        "(() => { return output.length > 2 })()",
        "const x = 1\nreturn x === 1",
        "if (output.length) {\n  return 0.75\n}\nreturn 0",
        "const y = 2;\ny > 1",
        "/^p/i.test(output)",
        "output.localeCompare('Paris') === 0",
        "[1,2].includes(2)",
        "Number(output) > 1",
    ):
        for threshold in ({}, {"threshold": 0.5}):
            beyond = "score beyond 1" if source == "-1" else ""
            output = dice.choice(["Paris", "42", '{"a": 1}'])
            yield from both("javascript", output, source, vars={"who": "Ada"}, difference=beyond, **threshold)
    yield Case("javascript", "Paris", {"type": "javascript", "value": "output.length"}, "score beyond 1")
    yield Case("javascript", "Paris", {"type": "javascript", "value": "NaN"}, "")
    yield Case("javascript", "Paris", {"type": "javascript", "value": "output === '{{ who }}'"}, vars={"who": "Paris"})
    yield Case(
        "javascript",
        "Paris",
        {"type": "javascript", "value": "context.config.least <= output.length", "config": {"least": 3}},
    )
    for source in (
        "len(output) > 3",
        "'Paris' in output",
        "0.4",
        "0",
        "{'pass': True, 'score': 0.3, 'reason': 'r'}",
        "{'pass_': False, 'score': 0.9, 'reason': 'r'}",
        "None",
        "'true'",
        "'0.7'",
        "context['vars']['who'] == 'Ada'",
        "output ==",
        "json.loads(output)['a'] == 1",
        "1 / 0",
        "x = len(output)\nreturn x > 2",
        "import re\nreturn bool(re.search('P', output))",
        "if output:\n    return 0.75\nreturn 0",
    ):
        for threshold in ({}, {"threshold": 0.5}):
            yield from both("python", dice.choice(["Paris", '{"a": 1}']), source, vars={"who": "Ada"}, **threshold)


def responses(dice: random.Random) -> Iterator[Case]:
    """What comes with an answer."""
    for reason in ("stop", "length", "STOP", "content_filter"):
        for told in ("stop", "length"):
            yield from both("finish-reason", "x", reason, told={"finishReason": told})
    for _ in range(6):
        logprobs = [-dice.random() * 3 for _ in range(dice.randint(1, 6))]
        for threshold in ({}, {"threshold": 0}, {"threshold": 0.4}, {"threshold": 2.5}):
            yield from both("perplexity", "x", told={"logProbs": logprobs}, **threshold)
            yield from both("perplexity-score", "x", told={"logProbs": logprobs}, **threshold)
    for cost in (0.0, 0.0005, 0.001, 0.01):
        for threshold in (0, 0.001, 1):
            yield from both("cost", "x", threshold=threshold, told={"cost": cost})
    yield from both("guardrails", "fine")
    refusals = [
        "I'm sorry, but I can't help with that.",
        "As an AI, I like this",
        "Sure, here you go",
        "I cannot assist with that request",
        "Sorry",
        "It is sorry work",
        "I will not do it",
        "We cannot comply.",
        "I don't recommend it",
        "I’m unable to assist you",
        "He said: I won't write it.",
        "My apologies, no",
        "That would not be appropriate",
        "This is not legal",
        "cannot help",
        "I am programmed to be nice",
        "I can do it",
        "unsorry",
        "AS A LANGUAGE MODEL I",
        "I do not think so",
        "I can't believe it",
        "I apologize for that",
        "not ethically clear",
        "I want to be direct: no",
        "I am unable to recommend it",
        "I'm not able to provide it",
    ]
    for text in (*refusals, *TEXTS[:6]):
        yield from both("is-refusal", text)


def short_forms(dice: random.Random) -> Iterator[Case]:
    """Cells of __expected."""
    cells = [
        "Paris",
        "equals: Paris",
        "contains: ari",
        "not-contains: ari",
        "icontains:PAR",
        'contains-any:x, "a, b"',
        'contains-any:Par,"b, c"',
        "contains-all: P,a",
        "icontains-any:PARIS,x",
        "fn:output.length>3",
        "eval: output === 'Paris'",
        "javascript:output.length",
        "python:len(output) == 5",
        "regex: ^P.*s$",
        "starts-with: Pa",
        "starts-with:  Pa ",
        "levenshtein(1): Pari",
        "levenshtein: Pari",
        "levenshtein(0):Pari",
        "rouge-n(0.2): Paris is",
        "rouge-n: Paris is",
        "is-json",
        "not-is-json",
        'is-json: {"type": "object"}',
        "contains-json",
        "is-refusal",
        "not-is-refusal",
        "answer: 42",
        "https://a.test/x",
        "word-count: 1",
        "word-count:2",
        "bleu: Paris",
        "gleu: Paris",
        "is-xml",
        "contains-html",
        "not-equals: x",
        "note: Paris",
        "cost(0.001)",
        "latency(100000)",
        "contains:",
        "is-html",
        "equals:  Paris  ",
        "levenshtein(.5): Pari",
        "42",
        "fn: output.length > 10",
        "python: output.startswith('P')",
        "is-sql",
        "finish-reason: stop",
    ]
    outputs = ["Paris", "a, b", "42", "answer: 42", "https://a.test/x", '{"a": 1}', "I'm sorry, no", "note: Paris"]
    differences = {
        "contains:": "empty",
        "levenshtein(.5): Pari": "short threshold",
        "latency(100000)": "latency",
        "cost(0.001)": "",
        "finish-reason: stop": "finish reason",
        "levenshtein: Pari": "short threshold",
    }
    for cell in cells:
        for output in [*dice.sample(outputs, 2), "Paris"]:
            difference = differences.get(cell, "")
            yield Case(
                "__expected", output, cell, "score beyond 1" if cell == "javascript:output.length" else difference
            )


_PIECES = [
    "Paris",
    "is",
    "the",
    "CAPITAL",
    "of",
    "France.",
    "naïve",
    "ß",
    "İ",
    "ﬁ",
    "😀",
    "42",
    "3.50",
    "-7",
    "a,b",
    "x;y",
    '"q"',
    "it's",
]
_PIECES += [
    "(ok)",
    "[1]",
    "{k}",
    "%",
    "$&",
    "\\",
    "\n",
    "\t",
    "--",
    "e.g.",
    "U.S.",
    "can't",
    "gonna",
    "null",
    "true",
    "<b>hi</b>",
    "https://a.b/c?d=e",
]


def _text(dice: random.Random, most: int = 9) -> str:
    return " ".join(dice.choices(_PIECES, k=dice.randint(1, most))).strip() or "Paris"


def _json(dice: random.Random, depth: int = 0) -> Any:
    plain = [dice.randint(-3, 99), round(dice.uniform(-1, 9), 2), dice.choice([True, False, None]), _text(dice, 3)]
    if depth > 2 or dice.random() < 0.4:
        return dice.choice(plain)
    if dice.random() < 0.5:
        return [_json(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    return {dice.choice(["name", "age", "tags", "k y"]): _json(dice, depth + 1) for _ in range(dice.randint(0, 3))}


def _schema(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    kind = dice.choice(
        ["object", "array", "string", "number", "integer", "boolean", "null"] if depth else ["object", "array"]
    )
    more: dict[str, Any] = {}
    if kind == "object":
        more["properties"] = {
            name: _schema(dice, depth + 1) for name in dice.sample(["name", "age", "tags"], dice.randint(0, 2))
        }
        more |= dice.choice([{}, {"required": ["name"]}, {"additionalProperties": False}, {"minProperties": 1}])
    elif kind == "array":
        more |= dice.choice(
            [{}, {"items": _schema(dice, depth + 1)} if depth < 3 else {}, {"minItems": 1}, {"uniqueItems": True}]
        )
    elif kind == "string":
        more |= dice.choice([{}, {"minLength": 2}, {"pattern": "^[A-Z]"}, {"enum": ["Paris", "42"]}])
    elif kind in ("number", "integer"):
        more |= dice.choice([{}, {"minimum": 0}, {"maximum": 50}, {"multipleOf": 2}])
    return {"type": kind, **more}


def drawn(dice: random.Random) -> Iterator[Case]:
    """Answers and values that are made of pieces: no two seeds have the same."""
    for _ in range(30):
        text, other = _text(dice), _text(dice)
        folds = "fold" if set("ßİﬁ") & set(text + other) else ""
        cut = text[dice.randrange(len(text)) :].strip() or text
        for kind in ("equals", "contains", "icontains", "starts-with"):
            value = dice.choice([text, other, cut])
            templated = "{{" in value or "{%" in value
            if not templated:
                yield from both(kind, text, value, difference=folds if kind.startswith("i") else "")
        for kind in ("contains-any", "contains-all", "icontains-any", "icontains-all"):
            values = [dice.choice([cut, other, text[:3].strip() or "x"]) for _ in range(dice.randint(1, 3))]
            yield from both(kind, text, values, difference=folds if kind.startswith("i") else "")
            plain = ", ".join(re.sub(r'["\n,]', "", value).strip() or "x" for value in values)
            yield from both(kind, text, plain, difference=folds if kind.startswith("i") else "")
        yield from both("levenshtein", text, other, threshold=dice.choice([0, 3, 8, 20]))
        yield from both("word-count", text, dice.choice([1, 4, {"min": 3}, {"max": 5}, {"min": 2, "max": 6}]))
        yield from both("regex", text, re.escape(cut[:4]).replace("\\ ", " "))
        for kind in ("bleu", "gleu", "rouge-n"):
            yield from both(kind, text, dice.choice([other, cut, text]), threshold=dice.choice([0, 0.2, 0.5, 1]))
        value, schema = _json(dice), _schema(dice)
        said = json.dumps(value, ensure_ascii=dice.random() < 0.5, indent=dice.choice([None, 2]))
        yield from both("is-json", said)
        yield from both("is-json", said, schema)
        if isinstance(value, dict):
            around = f"Here it is:\n```json\n{said}\n```\nDone."
            yield from both("contains-json", dice.choice([said, around]), schema)
        if isinstance(value, dict | list):
            yield from both("equals", said, value)
        yield from both("is-xml", f"<a>{text}</a>", dice.choice([None, "a", "a.b"]))
        yield from both("is-refusal", dice.choice([text, f"I'm sorry, {other}", f"{text} I cannot {other}"]))
        least = dice.randint(0, 40)
        yield from both("javascript", text, f"output.length > {least} && output.split(' ').length < {least}")
        yield from both(
            "javascript", text, f"({{pass: output.length > {least}, score: {dice.choice([0.1, 0.5, 1])}, reason: 'r'}})"
        )
        yield from both(
            "python", text, f"len(output.split()) / 10 if {least} > 5 else len(output) > {least}", threshold=0.3
        )
        cell = dice.choice(["contains: {}", "icontains:{}", "equals: {}", "{}", "starts-with: {}", "not-contains: {}"])
        value = re.sub(r"\s+", " ", dice.choice([cut, other, text])).strip()
        if "{" not in value and ":" not in value and value:
            folded = folds if cell.startswith("i") else ""
            yield Case("__expected", re.sub(r"\s+", " ", text), cell.format(value), folded)


def cases(seed: int) -> list[Case]:
    """All cases of a seed."""
    dice = random.Random(seed)
    makes = (texts, overlaps, structures, code, responses, short_forms, drawn)
    made = [case for make in makes for case in make(dice)]
    return [case for case in made if case.output.strip()]


def oracle(made: list[Case], promptfoo: Path) -> list[tuple[bool, float, str]]:
    """What promptfoo says of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "told.js").write_text(PROVIDER, encoding="utf-8")
        tests = []
        for case in made:
            told = {"output": case.output, "cost": 0, **case.told}
            test: dict[str, Any] = {"vars": {"told": json.dumps(told), **case.vars}}
            if case.threshold is not None:
                test["threshold"] = case.threshold
            if not isinstance(case.entry, str):
                tests.append(test | {"assert": [case.entry]})
        cells = [case for case in made if isinstance(case.entry, str)]
        with (folder / "cells.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["told", "__expected"])
            writer.writerows([json.dumps({"output": case.output, "cost": 0}), case.entry] for case in cells)
        (folder / "tests.json").write_text(json.dumps(tests), encoding="utf-8")
        found: list[Any] = []
        for number, source in enumerate(["file://tests.json"] * bool(tests) + ["file://cells.csv"] * bool(cells)):
            config = {"prompts": ["{{ told }}"], "providers": ["file://told.js"], "tests": source}
            (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
            found += _evaluated(promptfoo, folder, folder / f"out{number}.json")
    order = [case for case in made if not isinstance(case.entry, str)] + cells
    said = {id(case): result for case, result in zip(order, found, strict=True)}
    return [said[id(case)] for case in made]


def _evaluated(promptfoo: Path, folder: Path, out: Path) -> list[tuple[bool, float, str]]:
    program = promptfoo / "node_modules" / "promptfoo" / "dist" / "src" / "main.js"
    command = [
        "node",
        str(program),
        "eval",
        "-c",
        "config.json",
        "-o",
        str(out),
        "--no-cache",
        "--no-table",
        "--no-write",
        "--no-progress-bar",
        "-j",
        "4",
    ]
    settings = {
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_CONFIG_DIR": str(folder / "home"),
        "PROMPTFOO_PYTHON": sys.executable,
    }
    done = subprocess.run(command, cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False)
    if not out.exists():
        raise SystemExit(f"promptfoo wrote nothing: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    results = json.loads(out.read_text(encoding="utf-8"))["results"]["results"]
    results.sort(key=lambda row: row["testIdx"])
    return [
        (
            bool(row["success"]),
            float(row["score"] or 0),
            str(row.get("error") or (row.get("gradingResult") or {}).get("reason")),
        )
        for row in results
    ]


def ours(case: Case) -> tuple[bool, float, str]:
    """What promptopt says; an assert that is refused fails."""
    response = Response(
        "told",
        case.output,
        case.told.get("finishReason", "stop"),
        None,
        0.001,
        (),
        tuple(case.told.get("logProbs", ())),
    )
    cost = Cost(Decimal(str(case.told.get("cost", 0))), Decimal(0))
    try:
        if isinstance(case.entry, str):
            table = io.StringIO()
            csv.writer(table).writerows([["told", "__expected"], ["x", case.entry]])
            suite = parse_suite(table.getvalue(), Path("cells.csv"))
        else:
            test: dict[str, Any] = {"vars": case.vars or {"x": "x"}, "assert": [case.entry]}
            if case.threshold is not None:
                test["threshold"] = case.threshold
            suite = parse_suite(json.dumps({"tests": [test]}), Path("tests.json"))
        score = SuiteChecks(suite).score(suite.cases[0].name, response, None, cost)
    except PromptoptError as error:
        return False, 0.0, f"refused: {error}"
    return score.passed, score.quality, "; ".join(each.explanation for each in score.scores)


def main() -> int:
    """Prints the table of agreement; 1 if a difference is not meant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promptfoo", type=Path, required=True, help="the folder that npm installed promptfoo into")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--record", type=Path, help="a file to keep promptfoo's verdicts of every third case in")
    parser.add_argument("--list", action="store_true", help="print each difference that is not meant")
    given = parser.parse_args()
    made = cases(given.seed)
    theirs = oracle(made, given.promptfoo)
    table: dict[str, Counter[str]] = {}
    wrong = []
    for case, said in zip(made, theirs, strict=True):
        mine = ours(case)
        same = mine[0] == said[0] and abs(mine[1] - said[1]) < 1e-6
        kind = case.kind.removeprefix("not-")
        column = "equal" if same else "meant" if case.difference else "different"
        table.setdefault(kind, Counter())[column] += 1
        if column == "different":
            wrong.append((case, said, mine))
    print(f"{'type':18} {'cases':>6} {'equal':>6} {'meant':>6} {'different':>10}")
    for kind, counts in sorted(table.items()):
        print(f"{kind:18} {counts.total():6} {counts['equal']:6} {counts['meant']:6} {counts['different']:10}")
    total = sum(table.values(), Counter())
    print(f"{'all':18} {total.total():6} {total['equal']:6} {total['meant']:6} {total['different']:10}")
    for case, said, mine in wrong if given.list else ():
        print(json.dumps([case.entry, case.output], ensure_ascii=False), f"\n   promptfoo {said}\n   promptopt {mine}")
    if given.record:
        kept = [
            {**asdict(case), "passed": said[0], "score": said[1]}
            for case, said in list(zip(made, theirs, strict=True))[::4]
        ]
        given.record.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
