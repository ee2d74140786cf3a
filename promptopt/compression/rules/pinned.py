"""PO504: a model that changes under the prompt, or goes away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.advice import finding, is_prompt_file, key_position

_PINNED = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}|-\d{4}$|@|:")
_ALIASES = re.compile(r"(?:^|/)(?:gpt|o\d|chatgpt|claude|gemini)[\w.-]*$|latest$")
# https://platform.openai.com/docs/deprecations: models that answer no longer or soon will not.
RETIRING = (
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-16k",
    "gpt-4-0314",
    "gpt-4-32k",
    "gpt-4-vision-preview",
    "gpt-4.5-preview",
    "text-davinci-003",
    "text-davinci-002",
    "code-davinci-002",
    "davinci",
    "curie",
    "babbage",
    "ada",
    "o1-preview",
    "o1-mini",
    "claude-1",
    "claude-2",
    "claude-instant",
    "claude-3-opus-20240229",
    "claude-3-sonnet",
    "gemini-1.0-pro",
    "gemini-1.5-pro",
    "gemini-1.5-flash",
)


class Pinned:
    """An alias follows the provider's newest snapshot: cost and answers change without a change here."""

    code: ClassVar[str] = "PO504"
    name: ClassVar[str] = "unpinned or retiring model"
    reason: ClassVar[str] = "a model that changes changes the bill"
    level: ClassVar[Level] = "safe"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        model = document.front.model
        if model is None or not is_prompt_file(document):
            return
        name = model.rpartition("/")[2]
        place = key_position(document, "model")
        if name.startswith(RETIRING):
            yield from finding(document, place, self.code, f"{model} is retired or retiring: move to a current model")
        elif _ALIASES.search(model) and not _PINNED.search(name):
            message = f"{model} follows the provider's newest snapshot: pin a dated one"
            yield from finding(document, place, self.code, message)
