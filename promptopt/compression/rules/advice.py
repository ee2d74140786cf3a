"""How rules that propose no edit say what they found: at one place, for a person to act on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.templates.frontmatter import front_matter_end


def finding(document: Document, start: int, rule: str, message: str, *, tokens: int = 0) -> Iterator[Edit]:
    """One finding at a place of the text."""
    end = min(len(document.text), start + 1)
    yield Edit(start, end, None, rule, message, tokens=tokens)


def is_prompt_file(document: Document) -> bool:
    """Whether the text has front matter: a plain text says nothing about model, schema or calls."""
    return front_matter_end(document.text) > 0


def body_start(document: Document) -> int:
    """Where the text after the front matter begins."""
    return front_matter_end(document.text)


def key_position(document: Document, key: str) -> int:
    """Where a key of the front matter is."""
    found = re.search(rf"(?m)^{key}[ \t]*:", document.text[: front_matter_end(document.text)])
    return found.start() if found else 0
