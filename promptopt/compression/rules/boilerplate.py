"""PO106: sentences that no model needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.removing import line_removal
from promptopt.compression.rules.wording import plain

_SENTENCES = re.compile(
    r"(?:"
    r"(?:please )?(?:take your time|do your best|try your best|good luck|be helpful|let's (?:begin|start|"
    r"get started|go)|begin|thank you.*|thanks.*)"
    r"|take a deep breath(?: and (?:relax|focus|work on this problem step by step))?"
    r"|(?:i|we) (?:really |truly |greatly )?(?:appreciate|value) (?:your|any) [\w ]{2,30}"
    r"|(?:this|it) is (?:very |extremely |super )?important to (?:me|my career|us)"
    r"|you (?:are|have) (?:a lot of|complete|total) freedom[\w ]*"
    r"|you(?: a|')re (?:very |really |extremely )?(?:smart|capable|talented|brilliant|amazing|the best)[\w ]*"
    r"|i (?:know|believe|trust) (?:that )?you can do (?:it|this)|you can do (?:it|this)"
    r"|(?:i hope|hopefully) this (?:helps|is clear|makes sense)"
    r"|(?:if you do (?:well|this well|a good job)|for a (?:good|perfect) answer),? (?:i|we)(?:'ll| will) tip you[\w $]*"
    r"|(?:i|we)(?:'ll| will| am going to) tip you[\w $]*"
    r"|are you ready|do you understand|is that clear"
    r")[.!?]*\Z",
    re.IGNORECASE,
)


class Boilerplate:
    """Encouragement, thanks, tips and threats: whole sentences without an instruction in them."""

    code: ClassVar[str] = "PO106"
    name: ClassVar[str] = "boilerplate sentences"
    reason: ClassVar[str] = "encouragement is no instruction"
    level: ClassVar[Level] = "safe"

    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            text = plain(document, sentence).strip(" *_")
            if _SENTENCES.match(text):
                start, end = line_removal(document, sentence)
                yield Edit(start, end, "", self.code, f"boilerplate: {text[:40]!r}")
