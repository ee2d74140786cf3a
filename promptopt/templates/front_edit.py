"""Front matter, rewritten key by key; the lines of the other keys stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from promptopt.templates.frontmatter import FRONT_MATTER
from promptopt.yaml import load_yaml


def blank_front_matter(source: str, mask: str) -> str:
    """``source`` with every character of its front matter masked: places keep their numbers."""
    block = FRONT_MATTER.match(source)
    return source if block is None else re.sub(r"[^\n]", mask, block[0]) + source[block.end() :]


def set_front_matter(source: str, changes: Mapping[str, Any]) -> str:
    """``source`` with these keys in its front matter; a key that is ``None`` goes."""
    block = FRONT_MATTER.match(source)
    lines = block["yaml"].splitlines(keepends=True) if block else []
    body = source[block.end() :] if block else source
    kept: list[str] = []
    dropping = False
    for line in lines:
        key = re.match(r"([A-Za-z_]\w*)[ \t]*:", line)
        if key:
            dropping = key[1] in changes
        if not dropping:
            kept.append(line)
    added = [_entry(key, value) for key, value in changes.items() if value is not None]
    return f"---\n{''.join(kept)}{''.join(added)}---\n{body}"


def _entry(key: str, value: Any) -> str:
    # Mappings of scalars in one line, as people write them; a scalar of its own is no mapping.
    style = None if isinstance(value, (dict, list)) else False
    text = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=100, default_flow_style=style)
    # The loader of prompt files has rules of its own; where the two differ, JSON is read the same by both.
    if load_yaml(text, "front matter") != {key: value}:
        text = f"{key}: {json.dumps(value, ensure_ascii=False)}\n"
    return text
