"""A second reading of how many things an answer is about: one object or value for each of several, or for all of them.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import NUMBER_WORDS, KeyOfSchema, shortened

# What a form has several of, and what the answer is about as a whole.
_OWN = r"(?:keys?|fields?|propert(?:y|ies)|values?|sections?|headings?|lines?|labels?|tags?|parts?|columns?|criteri(?:on|a)|aspects?|dimensions?|criterion|one of (?:the|these) (?:keys|fields)|texts?|inputs?|messages?|requests?|prompts?|times?|turns?|calls?|case|cases|point|points|step|steps|task|word|query|queries|response|answer|output|entry|rating|score|category|categories|new|other|following (?:keys|fields|criteria|sections))"
_EACH = re.compile(
    rf"\b(?:for|per|of|from|on|about|describe|with|in)\s+(?:each|every|all|any)(?: of)?(?: the| these| those)?(?: (?:one|them))?\s+(?!{_OWN}\b)(?:[a-z-]+ )??(?P<thing>[a-z][a-z-]+)\b|\b(?:each|every)\s+(?!{_OWN}\b)(?:[a-z-]+ )?[a-z-]+ (?:is|gets|becomes|has|needs|as)\b|\b(?:one|an?) (?:json )?(?:object|entry|record|answer|line|verdict|score|label|value|form|row|dict(?:ionary)?) (?:per|for each|for every)\b|\bper (?!{_OWN}\b|cent\b|line\b)[a-z]+\b|\b(?:for|of) each (?:one|of them)\b|\bfor each\b(?=[,:])|\b(?:each|every) (?!{_OWN}\b)[a-z]+ (?:as|to)\b",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"\b(?:return|respond|reply|output|answer|give|write|provide|print|generate|produce|create|emit|make|list|extract|describe|use|fill|report|show|put|add|is|becomes|gets|as)\b|:",
    re.IGNORECASE,
)
_MANY = "|".join(word for word, number in NUMBER_WORDS.items() if number > 1)
_NAMES = re.compile(
    rf"(?:^|[.!?:;]\s+|\b(?:please|then|and|i (?:need|want)|we (?:need|want)|you (?:must|should|will))\s+)(?:[-*•] |\d+[.)] )?(?P<verb>name|list|enumerate|collect|gather|find|identify|extract|think of|come up with|invent|make up|brainstorm|propose|suggest|give|give me|give us|write|create|generate|draft|pick|choose|select|produce|compose|need|want|i need|i want|we need|we want|devise|offer)\s+(?:me |us |up to |at least |at most |exactly |about |the |all |all the |any |every )*(?:(?P<number>[2-9]|[1-9]\d|{_MANY})|(?P<some>several|various|multiple|a few|some|many|a (?:list|set|number|couple) of)|(?P<every>(?<=all )|(?<=all the )|(?<=every ))|(?P<plural>(?<=list the )|(?<=enumerate the )|(?<=collect the )|(?<=gather the )|(?<=list )|(?<=enumerate )))\s*(?P<things>(?:[a-z-]+ ){{0,2}}?(?!this\b|its\b|is\b|was\b|has\b|as\b|address\b|status\b|class\b|business\b|process\b|words\b|sentences\b|paragraphs\b|lines\b|details\b|facts\b|fields\b|values\b|keys\b|characters\b)[a-z-]{{2,}}(?<!s)s)\b",
    re.IGNORECASE | re.MULTILINE,
)
_WHICH = re.compile(
    r"(?:^|[.!?] )(?:which|what) (?:[a-z-]+ )?(?!is\b|was\b|has\b|this\b)(?P<things>[a-z-]{2,}(?<!s)s) (?:are|were|have|do|did|come|need|must|should|can|will)\b[^?\n]*\?",
    re.IGNORECASE | re.MULTILINE,
)


_FURTHER = re.compile(
    r"\b(?:an?|the|another|one) (?:second|third|further|other|another|additional) (?:json )?(?:object|verdict|label|score|value|answer|category|rating|record|entry|number|json|dict(?:ionary)?)\b(?! (?:is not|must not))|\b(?:do |and )?the same (?:for|with) (?:the|each|every|all)\b|\blikewise for\b|\b(?:return|give|list|output|name|extract|report) (?:all of them|each of them|them all|each one|both of them|every one of them)\b|\b(?:two|three|several|more) (?:json )?objects\b|\b(?:each|every) [a-z-]+ (?:has|gets|is|needs|becomes) (?:its|an?|one) (?:own )?(?:object|line|entry|record|block|row)\b|\b(?:two|three|several|that many|as many|more) such (?:objects|records|entries|lines|labels|values|scores|answers|numbers)\b|\bone (?:json )?(?:object|record|entry|answer|line|label|value|number|score|rating) (?:each|apiece)\b"
    r"|\b(?:for|if there are|with|given) (?:several|multiple|more than one|many|two or more) [a-z]+s?\b[^.;\n]{0,40}\b(?:return|give|write|output|make|list|repeat|use|answer|one)\b(?! (?:the (?:first|best|main|last|most|latest|largest|highest)|only|one of)\b)",
    re.IGNORECASE,
)


_SECOND_LIST = re.compile(
    r"\b(?:an?|the|another|one) (?:second|third|further|other|another|additional) (?:json )?(?:list|array|one|table)\b|\btwo (?:lists|arrays|tables)\b",
    re.IGNORECASE,
)


def several(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """One object or value where there are several things; each with its line."""
    text = instructions(document, found)
    listed = any(leaf.listed or "array" in leaf.kinds for leaf in leaves)
    lists = sum(leaf.listed for leaf in leaves)
    for match in (_SECOND_LIST if listed else _FURTHER).finditer(text) if lists <= 1 else ():
        if MASK not in match[0]:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one answer was read for several things"
    if found.wrapped or listed or found.whole == "table":
        return
    yield from _each(document, found)
    for match in (*_NAMES.finditer(text), *_WHICH.finditer(text)):
        if not _is_one(text, match, found, leaves):
            yield f"line {document.line(match.start('things'))}: {shortened(match[0].lstrip('.?!:; '))!r}: one answer was read for several things"
    if not found.whole:
        yield from _scores(document, text, leaves)


def _is_one(text: str, match: re.Match[str], found: Inferred, leaves: Sequence[KeyOfSchema]) -> bool:
    """Whether as many fields were read as things are wanted, or a text holds all of them: "steps"."""
    number = (match.groupdict().get("number") or "").lower()
    count = int(number) if number.isdigit() else NUMBER_WORDS.get(number, 0)
    item = re.match(r"\W*(?:[-*•]|\d+[.)])", match[0])
    if item and text[match.end() : match.end() + 1] in ("", "\n", ":", ","):
        return True  # "- List requests" is a kind of mail
    last = match["things"].split()[-1].lower()
    return (
        MASK in match[0]
        or (count > 0 and len(found.fields) >= count)
        or any(leaf.name.lower().endswith(last) for leaf in leaves)
    )


def _each(document: PromptText, found: Inferred) -> Iterator[str]:
    """A form that is said of each thing: in its sentence, before it or after it."""
    if found.whole not in ("JSON", "keys", "labels", ""):
        return
    text = document.text
    spans = sorted(found.covered, key=lambda span: span.start)
    for span in spans[:1]:
        last = max(one.end for one in spans)
        begin = max(text.rfind(sign, 0, span.start) for sign in (". ", "? ", "! ", "\n\n"))
        lead = text[begin + 1 : span.start]
        lead = lead if lead.strip() else ""
        # In a list of rules the line above the form is its sentence.
        lead = lead.rstrip().rsplit("\n", 1)[-1] if lead.count("\n") > 1 else lead
        inside = text[span.start : last]
        inside = "" if "{" in inside or "\n" in inside else inside
        tail = re.match(r"[^.\n]{0,120}", text[last:])
        after = tail[0] if tail else ""
        for said, at in ((lead, begin + 1), (inside, span.start), (after, last)):
            match = _EACH.search(said)
            if match is None or MASK in match[0]:
                continue
            head = said[: match.start()]
            if said is lead and not (_ANSWER.search(said[match.end() - 3 :]) or _ANSWER.search(head)):
                continue
            if said is after and re.search(
                r"\b(?:points?|count|add|sum|average|check|look|consider|compare|read|where|which|that|if)\b",
                head,
                re.IGNORECASE,
            ):
                continue
            if re.search(
                r"\b(?:not|never|check|look at|compare|consider|read|count|weigh|examine|review|go through|points?|total|sum|average|after|before|based on)\b[^.,;:]*\Z",
                head,
                re.IGNORECASE,
            ):
                continue
            yield f"line {document.line(at + match.start())}: {shortened(match[0])!r}: one answer was read, and there is one for each"


_GRADES = re.compile(
    r"\b(?P<verb>rate|score|grade|rank|judge|assess|evaluate)\s+(?:both )?(?P<first>(?!how\b|whether\b|it\b)(?:(?:the|its|their|each|your|his|her) )?[a-z'’-]+(?: [a-z'’-]+)?)(?P<more>(?:, (?:(?:the|its) )?[a-z-]+(?: [a-z-]+)?)*),? and (?:(?:the|its|their|for) )?(?P<last>[a-z'’-]+(?: [a-z'’-]+)?)\b(?P<rest>[^.;\n]{0,80})",
    re.IGNORECASE,
)
_SCALE = re.compile(r"\d\s?(?:-|–|to|and|/)\s?\d|\bout of\b|\bscale\b|\bpercent", re.IGNORECASE)
_AS_ONE = re.compile(
    r"\b(?:pair|together|combined|combination|overall|as a whole|jointly|single|one (?:number|score|rating|grade|value)|total|average|the (?:number|score|rating|integer|digit|grade|value) (?:only|alone)|only the (?:number|score|rating|integer|digit|grade)|just the (?:number|score)|(?:a|an|one) (?:whole )?(?:number|integer|score))\b",
    re.IGNORECASE,
)
_NO_THING = re.compile(
    r"\b(?:of|between|similar\w*|like\w*|difference|agreement|match\w*|relation\w*|in|from|on|with|by|for|to|as)\b",
    re.IGNORECASE,
)
_PARTS = re.compile(
    r"\bhow \w+ [^.?\n]{0,40}\b(?:and|or) how \w+|\bfor \w+(?: \w+)? and for \w+|\bfor each of\b|\bnumbers only\b|\beach\b\W*\Z|\bscores? (?:each|for both)\b|\beach (?:from|on|between|out of|with)\b|\d\)[^.\n]{2,40}\band\b[^.\n]{2,40}\(\d",
    re.IGNORECASE | re.MULTILINE,
)


def _scores(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Two or more things to rate, of which one number was read."""
    if not any(leaf.kinds & {"number", "integer"} for leaf in leaves):
        return
    said = "the answer has several numbers, and one was read"
    for line in re.finditer(r"[^\n.?!]+[.?!]?", text):
        if _SCALE.search(line[0]) and (match := _PARTS.search(line[0].strip(" ."))) and MASK not in line[0]:
            yield f"line {document.line(line.start())}: {shortened(match[0])!r}: {said}"
    if _AS_ONE.search(text):
        return
    for match in _GRADES.finditer(text):
        things = match["first"] + match["more"]
        if _SCALE.search(match["last"] + match["rest"]) and not _NO_THING.search(things) and MASK not in match[0]:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {said}"
