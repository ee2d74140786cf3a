"""PO202: instructions told as a story about "you"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.wording import plain, removal

_WILL = re.compile(
    r"You(?:['’]ll|\s+will)\s+(?=(?:(?:only|also|then|always|never|first|now)\s+)?[a-z]{2,})"
    r"(?!(?:\w+\s+)?(?:be|have|get|receive|see|find|need|not|know|notice|likely|probably|soon|both|all|each)\b)"
)
_YOU = re.compile(
    r"You\s+(?!do(?:n['’]t|\s+not)\s+(?:need|have|know|want|mind|require|understand|see)\b)(?=(?:(?:only|also|then|always|never|first|now|carefully|next|finally)\s+)?"
    r"(?:output|use|write|create|extract|analy[sz]e|answer|provide|give|return|read|take|pick|list|generate|summari[sz]e|"
    r"identify|respond|reply|ensure|make|follow|think|consider|include|add|combine|compare|classify|explain|describe|"
    r"produce|act|help|assist|start|begin|ask|check|review|evaluate|rate|score|translate|convert|format|present|"
    r"do|focus|avoid|keep|select|choose|find|search|try|build|develop|design|focus|offer|suggest|recommend|"
    r"determine|assess|examine|discuss|outline|highlight|capture|break|organi[sz]e|refer|print|show|tell|call|put|set|"
    r"state|mention|quote|cite|cover|address|apply|perform|run|test|fix|complete|continue|stop|wait|repeat|rewrite|"
    r"digest|breathe|reason|plan|decide)\b)"
)


class Subjects:
    """``You output only Markdown.`` becomes ``Output only Markdown.``."""

    code: ClassVar[str] = "PO202"
    name: ClassVar[str] = "needless subject"
    reason: ClassVar[str] = "an instruction is an imperative; who it is for is clear"
    level: ClassVar[Level] = "safe"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            text = plain(document, sentence)
            match = _YOU.match(text) or _WILL.match(text)
            if match is None or "?" in text[-2:]:
                continue
            start = sentence.start
            edit = removal(document, sentence, start, start + len(match[0].rstrip()), self.code)
            if edit is not None:
                yield Edit(
                    edit.start, edit.end, edit.new, self.code, f"{match[0].strip()!r} can go: use the imperative"
                )
