"""Where a prompt asks for an explanation beside its form, and whether it is to come first."""

from __future__ import annotations

import re

from promptopt.structured.fields import begin_of

EXPLAINS = re.compile(
    r"\b(?:explanation\b|explain\b|(?:that|which) explains\b|justif\w+|rationale\b|reasons? for\b(?! (?:this|that|it) (?:is|are)\b)|(?:provide|give|output|write|include|state|with|by) (?:down )?(?:(?:a|an|the|your|its|short|brief|detailed) )*reasoning\b|and why(?=\s*(?:[?.,;\n]|\Z|in\b)))"
    r"|\b(?:provide|give|output|write|include|state|add|append|with|plus|and|followed by) (?:(?:an?|the|your|its|one|short|brief|concise|clear|one-sentence|one-line|single|detailed|main) )*reasons?\b(?! (?:codes?|to|that|if|when)\b)"
    r"|\b(?:say|state|tell (?:me|us)|write|give|note) (?:briefly |shortly |also )?why\b",
    re.IGNORECASE,
)
# What is to be written before the value itself.
FIRST = re.compile(
    r"\b(?:begin|start|first|before)\b[^.\n]{0,80}\b(?:expla\w+|justif\w+|rationale|reason\w*)\b|\bafter (?:you )?(?:\w+ing )?(?:provid|giv|writ|stat)?\w* ?(?:your |the |an? )?(?:expla\w+|reason\w*|justif\w+)"
    r"|\b(?:expla\w+|justif\w+|reason\w*|rationale)\b[^.\n]{0,80}\b(?:then|followed by|before)\b|\bstep[- ]by[- ]step\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"\s]+[ \t]+[^\"\s]+[ \t][^\"\n]{0,300}\"")
_NO_EXPLANATION = re.compile(
    r"(?<![\"'`“/])(?<!\bor )(?<!\byes, )(?:n['’]t|\b(?:not?(?!\s*,)|without|never|ignore|omit|skip|rather than|instead of))\b(?:[^.\n]|\n[ \t]*(?=[a-z])){0,40}\b(?:expla\w+|justif\w+|rationale|reason(?:s|ing)?|why)\b",
    re.IGNORECASE,
)


# "Answer with exactly one word": then the explanation of which the prompt speaks is somebody else's, unless it is ordered.
_ONE_WORD = re.compile(r"\b(?:exactly|only|just|in|with) (?:one|a single) (?:word|label|token)\b", re.IGNORECASE)
_ORDERED = re.compile(
    r"\b(?:(?:provide|give|output|write|include|state|add|your)\b(?: \w+){0,4}|(?:with|by|and|then|plus|followed by) (?:an?|your|the|one|its)\b(?: \w+){0,3}) \Z",
    re.IGNORECASE,
)
# "Determine the reason for the delay": the reason is what is looked for.
_TASK = re.compile(
    r"\b(?:determine|identify|find|classify|categori[sz]e|detect|extract|select|choose|pick|predict|what (?:is|was|are|were))(?: out)? (?:(?:the|a|one|most|main|likely|probable|primary|single|customer's|real|true) )*\Z",
    re.IGNORECASE,
)


def explanation_asked(text: str) -> re.Match[str] | None:
    """Where a prompt asks for an explanation beside its form."""
    prose = prose_of(text)
    asked = next((match for match in EXPLAINS.finditer(prose) if not _TASK.search(prose, 0, match.start())), None)
    if asked and asked[0].lower() == "explanation" and _ONE_WORD.search(text):
        begin = begin_of(text, asked.start(), (".", "\n", ",", ";"))
        return asked if _ORDERED.search(text, begin, asked.start()) else None
    return asked


def prose_of(text: str) -> str:
    """The text without what it quotes and what it says is not wanted."""
    for pattern in (_NO_EXPLANATION, _QUOTED):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text
