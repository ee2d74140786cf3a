"""PO203 and PO404: commas that no reading depends on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.by_sentence import by_sentence
from promptopt.compression.rules.wording import negated

_OXFORD = re.compile(r",(?=\s+(?:and/or|and|or|but|nor)\s+\S)", re.IGNORECASE)
# Words that could go on with the noun before the comma: "no history, output 1".
_MAY_GO_ON = (
    r"(?!\s+(?:output|answer|list|report|rate|score|name|state|note|review|test|check|format|request|question|search|call|"
    r"return|change|order|plan|start|end|help|need|result|show|summary|code|act|work|step|type|label|mark|place|point|"
    r"design|research|repeat|reply|response|comment|update|link|match|sort|group|set|cut|stop|print|display|present|query|"
    r"target|process|access|contact|support|record|cause|value|address|document|file|focus|quote|reference|outline|"
    r"highlight|mention|that|which|who|and|or)\b)"
)
_INTRODUCTION = re.compile(
    r"(?:\A|(?<=\.\s))(?:(?:Then|Next|Finally|First|Second|Third|Lastly|Afterwards|Instead|Also|Now|Here|Therefore|Thus|Hence|"
    r"Otherwise|Generally|Usually|Often|Sometimes|Additionally|Similarly|However|Ideally|Currently|Later|Again|Overall|"
    r"Optionally|Alternatively|Conversely|Consequently|Initially|Ultimately|Meanwhile|e\.g\.|i\.e\.)"
    r"|(?:In|On|At|For|From|With|By|After|Before|During|Based on|Given|As)\s+[\w’' -]{2,30}"
    # The first become "list", "describe", ...
    rf"(?=,(?!\s+(?:provide|create|make|give|generate|produce|compile|prepare|write)\s){_MAY_GO_ON}))(?P<comma>,)(?=\s)"
)
# "errors, which you should correct, or jokes": the second comma ends what the first began.
_ASIDE = re.compile(
    r",\s+(?:which|who|whose|where|when|if|because|including|such as|like|for example|for instance|not|as|unless|"
    r"no matter)\b",
    re.IGNORECASE,
)
_ANY = re.compile(
    r",(?=\s+(?:which|who|where|when|while|if|because|since|using|including|with|without|based|rather|even|"
    r"especially|ensuring|making|providing|focusing|unless|except|such|like)\s)",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"(?:If|When|Whenever|Wherever|Once|After|Before|While|For|In|On|At|To|From|With|By|Based on|Given|As|Using|"
    rf"Unless|Where)\s[^,.;:]*,(?=\s+[a-z]){_MAY_GO_ON}"
    # "supported by it, contradicted by it or neither", "red, green or blue": a list.
    r"(?!\s+\w+(?:ed|ing)\b|\s+[\w-]+\s+(?:or|and|nor)\b)"
)
_THEN = re.compile(r"(?<=[\w)]),(?=\s+(?:then|so|as)\s)")
# "what day it is, ask": without the comma the verb would go on.
_OPEN_ENDED = re.compile(r"\b(?:is|are|was|were|be|do|does|did|can|will|has|have|to|of|in|on|for|with)\s*,\Z")
_ABBREVIATION = re.compile(r"(?<=e\.g\.),|(?<=i\.e\.),")


class Commas:
    """The comma before "and" and "or", and the one behind a short introduction."""

    code: ClassVar[str] = "PO203"
    name: ClassVar[str] = "optional commas"
    reason: ClassVar[str] = "each is a token, and the sentence reads the same"
    level: ClassVar[Level] = "standard"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            for pattern in (_OXFORD, _ABBREVIATION):
                for match in pattern.finditer(document.masked, sentence.start, sentence.end):
                    last = document.masked.rfind(",", sentence.start, match.start())
                    aside = pattern is _OXFORD and last >= 0 and _ASIDE.match(document.masked, last)
                    if not aside and not negated(document, sentence, match.start()):
                        yield Edit(match.start(), match.end(), "", self.code, "an optional comma")
            text = document.masked[sentence.start : sentence.end]
            for match in _INTRODUCTION.finditer(text):
                start = sentence.start + match.start("comma")
                yield Edit(start, start + 1, "", self.code, "an optional comma")


class ClauseCommas:
    """Commas before a clause that its first word announces."""

    code: ClassVar[str] = "PO404"
    name: ClassVar[str] = "clause commas"
    reason: ClassVar[str] = "the word behind it says that a clause begins"
    level: ClassVar[Level] = "telegraphic"

    @by_sentence
    def edits(self, document: Document) -> Iterable[Edit]:
        for sentence in document.prose:
            for match in _ANY.finditer(document.masked, sentence.start, sentence.end):
                if not negated(document, sentence, match.start()):
                    yield Edit(match.start(), match.end(), "", self.code, "a comma before a clause")
            text = document.masked[sentence.start : sentence.end]
            # A sentence with a second comma may be a list.
            only = _CONDITION.match(text) or _THEN.search(text)
            if only and text.count(",") == 1 and not _OPEN_ENDED.search(text, 0, only.end()):
                end = sentence.start + only.end()
                yield Edit(end - 1, end, "", self.code, "the only comma")
