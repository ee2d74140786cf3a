"""How a provider of a config makes an answer of what it got: its ``transform`` or ``transformResponse``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from promptopt.functions import RAISED
from promptopt.scorers.transform import as_text, make_transform
from promptopt.templates.answer import NoAnswer

_HTTP = "http:"


@dataclass(frozen=True, slots=True)
class ConfigAnswer:
    """Code that is called with a response's text; after ``http:`` with the JSON that an endpoint answered."""

    code: str

    def extract(self, text: str) -> str:
        """Raises NoAnswer if the code fails or returns nothing."""
        try:
            return as_text(self._made(text))
        except RAISED as error:
            raise NoAnswer(f"transform: {error}") from None

    def _made(self, text: str) -> Any:
        if not self.code.startswith(_HTTP):
            return make_transform(self.code)(text, {"vars": {}, "prompt": {}})
        from promptopt.javascript import run_code

        code = self.code.removeprefix(_HTTP).strip().rstrip(";")
        if re.match(r"(?:async\s+)?(?:function\b|\([^)]*\)\s*=>|\w+\s*=>)", code):
            code = f"({code})(json, text, context)"
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        found = run_code(code, {"json": value, "text": text, "context": {}})
        return found["output"] if isinstance(found, dict) and "output" in found else found
