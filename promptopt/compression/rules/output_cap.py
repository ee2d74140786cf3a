"""PO502: no cap on the answer's length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.advice import finding, is_prompt_file


class OutputCap:
    """An answer that runs away is paid for to the model's limit."""

    code: ClassVar[str] = "PO502"
    name: ClassVar[str] = "no output cap"
    reason: ClassVar[str] = "an answer that runs away is paid for to the model's limit"
    level: ClassVar[Level] = "safe"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        if is_prompt_file(document) and document.front.params.max_output_tokens is None:
            message = "no max_output_tokens: set a cap in the front matter"
            yield from finding(document, 0, self.code, message)
