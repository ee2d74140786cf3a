"""PO203 and PO404: commas that no reading depends on."""

from __future__ import annotations

import re

from promptopt.compression.rules.wording import Rewording, WordingRule

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
    r"\A(?:If|When|Whenever|Wherever|Once|After|Before|While|For|In|On|At|To|From|With|By|Based on|Given|As|Using|"
    rf"Unless|Where)\s[^,.;:]*(?P<comma>,)(?=\s+[a-z]){_MAY_GO_ON}"
    # "supported by it, contradicted by it or neither", "red, green or blue": a list.
    r"(?!\s+\w+(?:ed|ing)\b|\s+[\w-]+\s+(?:or|and|nor)\b)"
)
_THEN = re.compile(r"(?<=[\w)])(?P<comma>,)(?=\s+(?:then|so|as)\s)")
# "what day it is, ask": without the comma the verb would go on.
_OPEN_ENDED = re.compile(r"\b(?:is|are|was|were|be|do|does|did|can|will|has|have|to|of|in|on|for|with)\s*,\Z")
_ABBREVIATION = re.compile(r"(?<=e\.g\.),|(?<=i\.e\.),")


def _no_aside(match: re.Match[str]) -> str | None:
    last = match.string.rfind(",", 0, match.start())
    return None if last >= 0 and _ASIDE.match(match.string, last) else ""


def _only_comma(match: re.Match[str]) -> str | None:
    # A sentence with a second comma may be a list.
    several = match.string.count(",") > 1
    return None if several or _OPEN_ENDED.search(match.string, 0, match.end("comma")) else ""


COMMAS = WordingRule(
    "PO203",
    "optional commas",
    "each is a token, and the sentence reads the same",
    "standard",
    (
        Rewording(_OXFORD, _no_aside, "an optional comma", exact=True),
        Rewording(_ABBREVIATION, message="an optional comma", exact=True),
        Rewording(_INTRODUCTION, message="an optional comma", group="comma", exact=True, unless=None),
    ),
)
CLAUSE_COMMAS = WordingRule(
    "PO404",
    "clause commas",
    "the word after it says that a clause begins",
    "telegraphic",
    (
        Rewording(_ANY, message="a comma before a clause", exact=True),
        Rewording(_CONDITION, _only_comma, "the only comma", group="comma", exact=True, unless=None),
        Rewording(_THEN, _only_comma, "the only comma", group="comma", exact=True, unless=None),
    ),
)
