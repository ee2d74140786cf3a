"""Gathers prompts from git clones of public repositories, and makes the same corpus again from its list of sources.

    python benchmarks/edits_corpus.py find CLONES > candidates.jsonl
    python benchmarks/edits_corpus.py rebuild CLONES FOLDER

``CLONES`` contains a clone of each repository: ``git clone https://github.com/OWNER/NAME CLONES/OWNER+NAME``.

How the corpus was gathered: ``find`` lists every text that looks like a prompt in the newest commit of each clone with
a permissive licence. Of each repository a few were drawn by the hash of their text, and a person read them and left out
what was no prompt (documents, test data, code, parts of one). ``edits_sources.csv`` lists what stayed: the set
(``edits`` to be compressed, ``third`` to ``seventeenth`` to be compressed and of other repositories, which no rule was
made from, ``structure`` asks for a structured answer), repository, path, part of the file, commit,
licence and SHA-256 of the text. From ``eighth`` on some are of a repository of which no permissive licence is known
(``none``): they were read, and only their place is kept. ``rebuild`` takes these texts out of the clones, checks the
hashes, and writes ``FOLDER/prompts.jsonl``, one like it for each of the others, and ``FOLDER/structure.jsonl``.

A part is empty for a whole file, ``$.a[0].b`` for a string in YAML, ``NAME:3`` for the third string of a Python file
(``NAME`` is what it is assigned to), ``template:3`` for the third template literal of a JavaScript or TypeScript file.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from promptopt.tokens import tokenizer_for

SOURCES = Path(__file__).with_name("edits_sources.csv")
OUTPUT = {
    "edits": "prompts.jsonl",
    "structure": "structure.jsonl",
    "third": "third.jsonl",
    "fourth": "fourth.jsonl",
    "fifth": "fifth.jsonl",
    "sixth": "sixth.jsonl",
    "seventh": "seventh.jsonl",
    "eighth": "eighth.jsonl",
    "ninth": "ninth.jsonl",
    "tenth": "tenth.jsonl",
    "eleventh": "eleventh.jsonl",
    "twelfth": "twelfth.jsonl",
    "thirteenth": "thirteenth.jsonl",
    "fourteenth": "fourteenth.jsonl",
    "fifteenth": "fifteenth.jsonl",
    "sixteenth": "sixteenth.jsonl",
    "seventeenth": "seventeenth.jsonl",
}
LICENCES = {
    "Apache-2.0": r"Apache\s+(?:Software\s+)?License\s+(?:Version\s+)?2\.0|Apache License\s+Version 2\.0",
    "MIT": r"\bMIT\b|Permission is hereby granted, free of charge",
    "CC0-1.0": r"CC0 1\.0 Universal",
}
WHOLE = (".txt", ".md", ".j2", ".jinja", ".jinja2", ".prompt", ".prompty", ".mdc", ".tmpl", ".template")
TOKENS = range(40, 2500)
ASKS = (
    r"(?i)\byou are\b|\byour (?:task|job|goal|role)\b|\byou (?:will|must|should)\b|\bplease\b|\bdo not\b|\bdon't\b|"
    r"\bgiven (?:the|a|an)\b|\b(?:answer|respond|return|output|write|generate|summarize|extract|classify|rate)\b"
)
COMMON = frozenset(["a", "an", "and", "as", "be", "by", "for", "if", "in", "is", "it", "not", "of", "on", "or"])
COMMON |= {"from", "that", "the", "this", "to", "with", "you", "your", "are"}
NOT_PROMPTS = (
    r"(?i)(?:^|/)(?:readme|changelog|license|contributing|requirements|agents|claude|llms)\b[^/]*\Z|node_modules|/docs?/|"
    r"(?:^|/)tests?/|\.test\.|_test\.|/locales?/|(?:^|/)ee/|\.github/|/assets/|/blog/"
)


def git(clone: Path, *arguments: str) -> str:
    """What git prints; nothing for a file that a partial clone lacks."""
    command = ["git", "-c", "core.quotepath=off", "-C", str(clone), *arguments]
    return subprocess.run(command, capture_output=True, check=False).stdout.decode("utf-8", errors="replace")


def strings(path: str, source: str) -> Iterator[tuple[str, str]]:
    """The part and the text of every string of a file that may be a prompt."""
    if path.endswith(WHOLE):
        yield "", source
    elif path.endswith(".py"):
        yield from _python(source)
    elif path.endswith((".yaml", ".yml")):
        yield from _yaml(source)
    elif path.endswith((".ts", ".tsx", ".js", ".mjs")):
        for number, match in enumerate(re.finditer(r"`((?:[^`\\]|\\.)*)`", source, re.DOTALL), 1):
            yield f"template:{number}", re.sub(r"\\([`$\\])", r"\1", match[1])


def _python(source: str) -> Iterator[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return
    names = {
        id(node): ast.unparse(target)
        for statement in ast.walk(tree)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
        for target in (statement.targets[:1] if isinstance(statement, ast.Assign) else [statement.target])
        for node in ast.walk(statement.value)
    }
    pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    pieces -= {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    number = 0
    for node in ast.walk(tree):
        if id(node) in pieces:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{_name(part)}}}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        number += 1
        yield f"{names.get(id(node), '')}:{number}", text


def _name(part: ast.expr) -> str:
    """A placeholder's name: the last name in its expression."""
    found = re.findall(r"[A-Za-z_]\w*", ast.unparse(part))
    return found[-1] if found else "value"


def _yaml(source: str) -> Iterator[tuple[str, str]]:
    def walk(value: object, where: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield where, value
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, f"{where}.{key}")
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from walk(inner, f"{where}[{number}]")

    try:
        yield from walk(yaml.safe_load(source), "$")
    except yaml.YAMLError:
        return


@cache
def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z']+", text.lower()))


def is_prompt(path: str, part: str, text: str) -> bool:
    """Whether a text in English asks for something, and its file or its name speaks of prompts."""
    named = re.search(r"(?i)prompt|template|instruction|system|jinja|j2", f"{path} {part}")
    known = words(text)
    if not named or len(known) < 30 or sum(word in COMMON for word in known) < 0.2 * len(known):
        return False
    if len(re.findall(r"[^\x00-\x7f]", text)) > 0.05 * len(text) or len(re.findall(ASKS, text)) < 2:
        return False
    return tokenizer_for(None).count(text) in TOKENS


def is_place(path: str) -> bool:
    """Whether a file may have prompts in it."""
    if path.endswith(WHOLE):
        places = r"prompt|instruct|j2|jinja|template|rules"
    elif path.endswith((".py", ".yaml", ".yml", ".ts", ".tsx", ".js")):
        places = r"prompt|template|instruct|system|agent|judge|eval|metric|rules|task"
    else:
        return False
    return not re.search(NOT_PROMPTS, path) and re.search(places, path, re.IGNORECASE) is not None


def licence_of(clone: Path) -> str:
    """The licence by its first words; empty for one that is not permissive."""
    for name in git(clone, "ls-tree", "--name-only", "HEAD").splitlines():
        if re.match(r"(?i)licen[cs]e(?:-code)?(?:\.\w+)?$", name):
            start = git(clone, "show", f"HEAD:{name}")[:1500]
            if "AFFERO" in start or "Functional Source" in start or "Elastic License" in start:
                return ""
            if found := next((name for name, words in LICENCES.items() if re.search(words, start)), ""):
                return found
    return ""


def kind_of(path: str, text: str) -> str:
    if re.search(r"\{%|\{\{\s*[\w.]+(?:\s*\|[^}]*)?\s*\}\}", text) and not path.endswith(".py"):
        return "jinja"
    return "python-format" if re.search(r"(?<!\{)\{[A-Za-z_]\w*\}(?!\})", text) else "plain"


def row(repository: str, path: str, part: str, licence: str, text: str) -> dict[str, str]:
    """A line of the corpus."""
    return {
        "source": repository.partition("/")[2],
        "id": f"{repository}/{path}#{part}".rstrip("#"),
        "licence": licence,
        "kind": kind_of(path, text),
        "text": text,
    }


def find(clones: Path) -> None:
    """Print every candidate, those of a repository in the order of their hashes; near repetitions once."""
    seen: set[tuple[str, ...]] = set()
    for folder in sorted(clones.glob("*+*")):
        clone = folder / "repo" if (folder / "repo").is_dir() else folder
        licence = licence_of(clone)
        if not licence:
            print(f"{folder.name}: left out, its licence is not known to be permissive", file=sys.stderr)
            continue
        repository, commit = folder.name.replace("+", "/", 1), git(clone, "rev-parse", "HEAD").strip()
        found = [
            (hashlib.sha256(text.encode()).hexdigest(), path, part, text)
            for path in git(clone, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
            if is_place(path)
            for part, text in strings(path, git(clone, "show", f"HEAD:{path}"))
            if is_prompt(path, part, text)
        ]
        for digest, path, part, text in sorted(found):
            if words(text)[:25] not in seen:
                seen.add(words(text)[:25])
                line = {**row(repository, path, part, licence, text), "repository": repository, "path": path}
                print(json.dumps({**line, "part": part, "commit": commit, "sha256": digest}))


def rebuild(clones: Path, output: Path) -> None:
    """Write the corpus again; a text that is not the same is an error."""
    wrong, made = [], Counter[str]()
    with SOURCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    files = {name: (output / name).open("w", encoding="utf-8") for name in OUTPUT.values()}
    for source in rows:
        folder = clones / source["repository"].replace("/", "+")
        clone = folder / "repo" if (folder / "repo").is_dir() else folder
        parts = strings(source["path"], git(clone, "show", f"{source['commit']}:{source['path']}"))
        text = next((text for part, text in parts if part == source["part"]), "")
        if hashlib.sha256(text.encode()).hexdigest() != source["sha256"]:
            wrong.append(f"{source['repository']}/{source['path']}#{source['part']}")
            continue
        line = row(source["repository"], source["path"], source["part"], source["licence"], text)
        files[OUTPUT[source["set"]]].write(json.dumps(line) + "\n")
        made[source["set"]] += 1
    for file in files.values():
        file.close()
    print(", ".join(f"{name}: {number} prompts" for name, number in sorted(made.items())))
    if wrong:
        raise SystemExit("absent, or another text: " + ", ".join(wrong))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["find", clones]:
            find(Path(clones))
        case ["rebuild", clones, output]:
            Path(output).mkdir(parents=True, exist_ok=True)
            rebuild(Path(clones), Path(output))
        case _:
            raise SystemExit(__doc__)
