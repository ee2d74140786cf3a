"""Does a task need its reasoning? If it does, an answer without it is cheap and wrong.

BIG-Bench Hard shows what is lost: navigate 96.4% with reasoning against 50.4% without, date understanding 87.2 against
63.6 (code-davinci-002; Suzgun et al. 2022).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.fields import Field, PromptText, begin_of, field_name

_ASKED = (
    re.compile(
        r"\b(?:think|reason|work|solve|go|explain|proceed)(?: (?:about )?(?:it|this|that|through it|the [a-z]+|things|carefully))?(?: out)? step[- ]by[- ]step\b",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:let['’]?s|let us) think\b", re.IGNORECASE),
    re.compile(
        r"\b(?:chain of thought|show (?:your|all|the) (?:work|working|steps|reasoning|calculations?)|explain your (?:reasoning|thinking))\b",
        re.IGNORECASE,
    ),
    re.compile(r"\bso the answer is\b", re.IGNORECASE),
)
_TASKS = (
    (
        re.compile(
            # "Compute a score" speaks of a judgement.
            r"\b(?:(?:calculate|compute)(?! (?:nodes?|clusters?|instances?|resources?|engines?|services?|power|budget|costs?|time)\b)(?!(?: an?| the| your)?(?: [\w-]+){0,3} [\"'`*]*(?:\w+[_-])?(?:score|rating|metric|similarity|grade|confidence|probability|likelihood|relevance)s?\b)|work out(?= (?:the|its|their|his|her|this|these|an?|each|every|all|any|both|how)\b)(?! (?:which|what|whether|who|why|how (?!many|much|long|old|far))\b)(?!(?: the| its| their| an?) (?:[\w'’-]+ ){0,2}(?:intent|meaning|topic|tone|category|sentiment|reason|cause|language|type|kind|priority|severity|urgency|answer type)\b)|add up(?! to\b)|(?<!user )(?<!users )(?<!helps )(?<!to )solve (?:for|the (?:equation|problem|puzzle|riddle))|(?:math|arithmetic|algebra|geometry)\w*)\b",
            re.IGNORECASE,
        ),
        "arithmetic",
    ),
    (re.compile(r"\bhow (?:many|much|long|old|far)\b[^.?\n]*\?", re.IGNORECASE), "arithmetic"),
    (
        re.compile(
            r"\b(?:word problem|logic puzzle|prove that|multi-?step(?! (?:[\w-]+ ){0,3}(?:assistant|agent|expert|analyst|system|process|pipeline|form|tool)s?\b)|multi-?hop)\b",
            re.IGNORECASE,
        ),
        "several steps",
    ),
    (
        re.compile(
            r"\b(?:navigation instructions|return to the starting point|infer the date|days? (?:ago|from now|later)|(?:turn (?:left|right|around)|take \d+ steps?))\b",
            re.IGNORECASE,
        ),
        "several steps",
    ),
)
_QUOTED = re.compile(
    r"\"[^\"\n]{0,300}\"|^[ \t]*(?:Input|Message|Example|User|Ticket|Review|Task|Sample|Question|Problem|Q)[^:\n]*:[^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)


# Reasoning that is not to be written is not lost.
_UNSEEN = re.compile(r"\s*(?:internally|silently|privately|in your head)\b", re.IGNORECASE)
_NAMES = frozenset(
    re.findall(
        r"\S+",
        """reasoning reason reasons thought thoughts thinking explanation explanations rationale justification analysis chain_of_thought
    steps feedback critique evaluation_notes step_by_step""",
    )
)
_EXPLAINED = re.compile(r"\b(?:explanation|reasoning|rationale|justification)\b", re.IGNORECASE)
# What a text is judged by ("whether the prompt needs math", "Does it involve algebra?") is not what is to be done.
_JUDGED = re.compile(
    r"\b(?:whether|if|(?<![.!?] )that)\b[^.!?\n]{0,200}\Z|(?:^|[.!?]\s|\n)[ \t]*(?:[-*•]|\d+[.)])?[ \t]*"
    r"(?:does|do|is|are|would|will|can|could|has|have)\b(?:[^.!?\n]|\b(?:e\.g|i\.e)\.){0,280}\Z",
    re.IGNORECASE,
)
_IS_TOPIC = re.compile(r"(?:math|arithmetic|algebra|geometry|solve|calculate|compute)", re.IGNORECASE).match
_NEGATED = re.compile(r"(?:n['’]t|\b(?:not|never|without|no))\b[^.\n]{0,40}\Z", re.IGNORECASE)


_TOPIC = re.compile(r"(?:math|arithmetic|algebra|geometry)\w*|multi-?step|multi-?hop", re.IGNORECASE)
_ORDER = re.compile(r"\b(?:solve|answer|calculate|compute|work out|find|show|explain)\b", re.IGNORECASE)
_BULLET = re.compile(r"[ \t]*(?:[-*•]|\d+[.)]|,[ \t]*#)[ \t]")
# "Take it as in a math problem", "such as a math question"
_LIKENED = re.compile(
    r"\b(?:as|like|such as|e\.g\.,?|for example,?) (?:[\w']+ ){0,4}?(?:(?:in|for|with|of) )?(?:an? )?\Z", re.IGNORECASE
)


# "a mathematics textbook", "an expert in mathematics": what a text is about, and what somebody knows
_OF_SUBJECT = re.compile(
    r"(?:(?:class(?:room|es)?|classroom|lecture|discussion|transcript|student|pupil|course|department|forum|session|textbook|book|teacher|tutor|professor|educator|expert|expression|formula|notation|symbol|result|exam|curriculum|lesson|proof|grader|correctness|rigou?r|competition|olympiad|content|education|slip|mistake|error|skill)s?\b|(?:proof|grader|grading)\b)",
    re.IGNORECASE,
)
_TEACHES = re.compile(
    r"\b(?:expert|professor|teacher|tutor|specialist|experience|degree|background|knowledge|textbook) (?:in|of|on|for)(?: \w+)?\Z",
    re.IGNORECASE,
)


def _is_listed(text: str, match: re.Match[str]) -> bool:
    """Whether a topic is one of several that a prompt names, or spoken about: "History, Math, Coding", "- Math concepts"."""
    if not _TOPIC.fullmatch(match[0]):
        return False
    if _LIKENED.search(text[max(0, match.start() - 60) : match.start()]):
        return True
    before, after = text[: match.start()].rstrip(), text[match.end() :].lstrip()
    line = text[text.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0]
    if _OF_SUBJECT.match(after) or _TEACHES.search(before):
        return True
    enumerated = before.endswith((",", "/", "|")) or after.startswith((",", "/", "|"))
    return enumerated or (_BULLET.match(line) is not None and not _ORDER.search(line))


def _is_quoted(text: str, match: re.Match[str]) -> bool:
    """Whether a word is spoken about: it alone is in quotation marks."""
    return text[match.start() - 1 : match.start()] in tuple("\"'`“") and text[match.end() : match.end() + 1] in tuple(
        "\"'`”"
    )


def keeps_reasoning_in(name: str) -> bool:
    """Whether a part of an answer is for its reasoning, by its name."""
    return bool(set(field_name(name).split("_")) & _NAMES) or "summary" in name.lower()


def keeps_reasoning(fields: Sequence[Field]) -> bool:
    """Whether the form of the answer has a part of its own for the reasoning."""
    return len(fields) > 1 and any(
        set(field_name(item.name).split("_")) & _NAMES or _EXPLAINED.search(str(item.schema.get("description", "")))
        for item in fields
    )


def needs_reasoning(document: PromptText) -> str | None:
    """Why the task of a prompt needs reasoning, with the line that says so; ``None`` if nothing does."""
    return asks_for_reasoning(document) or task_of_reasoning(document)


def asks_for_reasoning(document: PromptText) -> str | None:
    """Where a prompt asks for reasoning in words; ``None`` if it does not."""
    for pattern in _ASKED:
        match = pattern.search(document.text)
        if (
            match
            and not _NEGATED.search(document.text[: match.start()])
            and not _UNSEEN.match(document.text, match.end())
        ):
            return f"line {document.line(match.start())}: {match[0]!r} asks for reasoning"
    return None


def task_of_reasoning(document: PromptText) -> str | None:
    """What of a task takes arithmetic or several steps; ``None`` if nothing does."""
    # What an example or a quotation speaks about is not the task.
    text = _QUOTED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), document.text)
    for pattern, what in _TASKS:
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 300) : match.start()]
            if _NEGATED.search(before):
                break
            if (
                _is_quoted(text, match)
                or _is_listed(text, match)
                or (what == "arithmetic" and _JUDGED.search(before) and _IS_TOPIC(match[0]))
            ):
                continue
            return f"line {document.line(match.start())}: {match[0]!r} is a task of {what}"
    return None


EXPLAINS = re.compile(
    r"\b(?:explanation\b|explain\b|(?:that|which) explains\b|justif\w+|rationale\b|reasons? for\b(?! (?:this|that|it) (?:is|are)\b)|(?:provide|give|output|write|include|state|with|by) (?:down )?(?:(?:a|an|the|your|its|short|brief|detailed) )*reasoning\b|and why(?=\s*(?:[?.,;\n]|\Z|in\b)))"
    r"|\b(?:provide|give|output|write|include|state|add|append|with|plus|and|followed by) (?:(?:an?|the|your|its|one|short|brief|concise|clear|one-sentence|one-line|single|detailed|main) )*reasons?\b(?! (?:codes?|to|that|if|when)\b)"
    r"|\b(?:say|state|tell (?:me|us)|write|give|note) (?:briefly |shortly |also )?why\b",
    re.IGNORECASE,
)
# What is to be written before the value itself.
FIRST = re.compile(
    r"\b(?:begin|start|first|before)\b(?:(?!\bthen\b)[^.\n]){0,80}\b(?:expla\w+|justif\w+|rationale|reason\w*)\b|\bafter (?:you )?(?:\w+ing )?(?:provid|giv|writ|stat)?\w* ?(?:your |the |an? )?(?:expla\w+|reason\w*|justif\w+)"
    r"|\b(?:expla\w+|justif\w+|reason\w*|rationale)\b[^.\n]{0,80}\b(?:then|followed by|before)\b|\bstep[- ]by[- ]step\b"
    r"|\b(?:expla\w+|justif\w+|reason\w*|rationale)\b[^.\n]{0,80}\b(?:first\b(?! (?:answer|response|one|option|text|summary)\b)|(?:and|;) (?:finish|end|conclude|close)\b)"
    r"|\b(?:expla\w+|justif\w+|reason\w*|rationale)\b[^.\n]{0,80}[.\n]\s*(?:(?:then|finally),? )?(?:finish|end|conclude|close)\b[^.\n]{0,30}\b(?:with|by|in|your|the)\b",
    re.IGNORECASE,
)
_QUOTED_WORDS = re.compile(r"\"[^\"\s]+[ \t]+[^\"\s]+[ \t][^\"\n]{0,300}\"")
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
    for pattern in (_NO_EXPLANATION, _QUOTED_WORDS):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text
