"""Front matter, rewritten key by key; the lines of the other keys stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from promptopt.templates.frontmatter import front_matter_end, front_matter_yaml
from promptopt.yaml import load_yaml


def set_front_matter(source: str, changes: Mapping[str, Any]) -> str:
    """``source`` with these keys in its front matter; a key that is ``None`` goes."""
    lines = (front_matter_yaml(source) or "").splitlines(keepends=True)
    body = source[front_matter_end(source) :]
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
