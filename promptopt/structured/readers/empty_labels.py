"""Labels of an answer in text with nothing after them: "Reasoning:", and below it "Score:"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.fields import PromptText, UnreadForm
from promptopt.structured.readers.labelled import Found

# What is a text wherever it is a label with nothing after it.
_TEXTS = re.compile(
    r"(?:\w+_)?(?:reasoning|reasons?|explanation|rationale|justification|feedback|analysis|summary|comments?|critique|title|thought|thoughts|advice|suggestion)",
)


def check_told(document: PromptText, found: Sequence[Found]) -> None:
    """Check that something says what belongs after each label of a form that has nothing after its labels.

    Raises:
        UnreadForm: Nothing says what one of them holds.
    """
    empty = [document.text[span.start : span.end].rstrip(" \t*_`\n").endswith(":") for _, span in found]
    for field, _ in found if all(empty) else ():
        if not {"enum", "minimum"} & set(field.schema) and not _TEXTS.fullmatch(field.name):
            raise UnreadForm(f"line {field.line}: nothing says what belongs after {field.name!r}")
