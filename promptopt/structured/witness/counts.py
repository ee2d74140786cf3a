"""A second reading of how many: the things that a prompt wants, and whether an answer is for each of several or for all of them.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import NUMBER_WORDS, VARIABLE, KeyOfSchema, shortened

_NUMERALS = "|".join(word for word, number in NUMBER_WORDS.items() if number > 1)
_THING = r"(?P<things>(?:(?!if\b|when\b|for\b|or\b|of\b|to\b|is\b|are\b)[\w'’-]+[ ,]+){0,4}?(?!\w+ss\b|this\b|his\b|its\b|as\b|is\b|was\b|has\b|thus\b|always\b|words\b|sentences\b|characters\b|lines\b|paragraphs\b|tokens\b|pages\b|minutes\b|seconds\b|hours\b|days\b|weeks\b|months\b|years\b|points\b|digits\b|times\b|yes\b)[a-z-]{2,}s\b)"
_WANTED = re.compile(
    r"\b(?:generate|create|write|produce|provide|give|list|suggest|propose|pick|select|choose|recommend|identify|extract|find|return|output|draft|formulate|design|include|assign|make|compose|prepare)\s+(?:me |us |up |exactly |only |a list of |an array of |a total of |the |your |at most |at least |up to |between |no more than |a maximum of |a minimum of )*"
    rf"(?P<number>(?!1\b(?!\s?(?:[-–]|to\b|or\b)))\d{{1,3}}(?:\s?(?:-|–|to|and)\s?\d{{1,3}})?|(?:{_NUMERALS})(?:\s?(?:-|–|to|or)\s?(?:{_NUMERALS}))?)\s+{_THING}",
    re.IGNORECASE,
)
_ALL = re.compile(
    rf"\b(?:output|return|extract|generate|list|write|produce|provide|identify|find|create|give|print|report)\s+(?:all|each|every|multiple|several|various|a (?:list|set|series|number) of|(?:{VARIABLE.pattern})+|as many)\s+(?:of )?(?:the )?(?:possible |different |distinct |relevant |unique )*{_THING.replace('things', 'all')}"
    r"|\b(?:output|return|extract|generate|list|write|produce|provide|find|print|report)\s+(?:each|every)\s+(?!of\b|time\b|part\b|field\b|value\b|key\b|section\b|step\b|word\b|criterion\b)[a-z-]+\s+(?:[a-z-]+\s+)?(?:that|which|mentioned|named|in the|from the|you)\b"
    r"|\b(?:output|return|generate|write|print|produce|respond with|report)\s+each\s+(?:[\w-]+\s+){1,3}?(?:in|as|with)\b",
    re.IGNORECASE,
)
# "the ports (at least two, at most five)"
_BOUNDS = re.compile(
    rf"\((?:at least|at most|up to|no more than|min(?:imum)?(?: of)?|max(?:imum)?(?: of)?) (?:\d{{1,2}}|{_NUMERALS})(?:,? (?:and )?(?:at most|up to|no more than|max(?:imum)?(?: of)?) (?:\d{{1,2}}|{_NUMERALS}))?\)",
    re.IGNORECASE,
)
_SOFT = re.compile(r"\b(?:if|when|unless|not|never|avoid|without|before|example|e\.g|input)\b|n['’]t\b", re.IGNORECASE)


def miscounted(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers of things that no list holds, and several things of which one was read."""
    text = instructions(document, found)
    lists = [leaf for leaf in leaves if leaf.node.get("type") == "array" or "array" in (leaf.node.get("type") or ())]
    for match in _WANTED.finditer(text):
        if _is_soft(text, match):
            continue
        line = f"line {document.line(match.start())}: {shortened(match[0])!r}"
        free = [leaf for leaf in lists if not {"minItems", "maxItems"} & set(leaf.node)]
        told = set(re.findall(r"[a-z]+", match["things"].lower()))
        for leaf in free:
            if _last(leaf.name) & {_one(word) for word in told if word.endswith("s")}:
                yield f"{line} is said of {leaf.name!r}, which was read without a count"
        inner = {word for leaf in lists for word in _last(leaf.name)}
        whole = any(leaf.name == found.fields[0].name for leaf in free)
        if found.wrapped and whole and not inner & {_one(word) for word in told if word.endswith("s")}:
            yield f"{line}: the list was read without a count"
        if not lists and not _is_counted(found, match["number"], told):
            yield f"{line}: one object was read for all of them"
    yield from _bounds_lost(document, text, lists)
    yield from _as_many(document, text, lists)
    if lists:
        return
    for match in _ALL.finditer(text):
        if not _is_soft(text, match) and not _is_quoted(text, match):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one object was read for all of them"


def _bounds_lost(document: PromptText, text: str, lists: Sequence[KeyOfSchema]) -> Iterator[str]:
    for match in _BOUNDS.finditer(text) if lists else ():
        begin = text.rfind("\n", 0, match.start()) + 1
        told = {_one(word) for word in re.findall(r"[a-z]+", text[begin : match.start()].lower())}
        of_list = any(_last(leaf.name) & told for leaf in lists)
        if of_list and not any({"minItems", "maxItems"} & set(leaf.node) for leaf in lists):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no list was read with a count"


# "List 2 pros and as many cons", "the same number of cons"
_AS_MANY = re.compile(
    r"\b(?:as many|equally many|the same number of) (?:[\w-]+ ){0,2}?(?P<thing>[a-z]+s)\b(?! (?:as|that|which))",
    re.IGNORECASE,
)


def _as_many(document: PromptText, text: str, lists: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Things of which there are as many as of others, if their list has no count."""
    for match in _AS_MANY.finditer(text):
        for leaf in lists:
            if _one(match["thing"].lower()) in _last(leaf.name) and not {"minItems", "maxItems"} & set(leaf.node):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read without a count"


def _is_soft(text: str, match: re.Match[str]) -> bool:
    begin = begin_of(text, match.start() + 1, (".", "\n", ";", "("))
    return bool(_SOFT.search(text, begin, match.start()) or MASK in match[0])


def _is_quoted(text: str, match: re.Match[str]) -> bool:
    """Whether words are somebody's who is quoted: a list request such as "List all ports"."""
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    rest = text[match.end() : end if end >= 0 else len(text)]
    return text.count('"', begin, match.start()) % 2 == 1 and '"' in rest


def _one(word: str) -> str:
    return word.removesuffix("s").removesuffix("e").removesuffix("i").removesuffix("y")


def _last(name: str) -> set[str]:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    return {_one(words[-1]), _one(words[0])} if words else set()


# "axes" and "gaps" stand in other words.
_SHORT = 5


def _is_counted(found: Inferred, number: str, told: set[str]) -> bool:
    """Whether as many fields were read as are wanted, or such a thing is what one of the fields holds."""
    first = re.match(r"\d+|[a-z]+", number.lower())
    count = int(first[0]) if first and first[0].isdigit() else NUMBER_WORDS.get(first[0] if first else "", 0)
    names = {_one(word) for name in _names(found) for word in re.findall(r"[a-z]+", name.lower())}
    said = " ".join(str(dict(item.schema)) for item in found.fields).lower()
    return (len(found.fields) >= count > 1 and any(_one(word) in names | _PARTS for word in told)) or any(
        _one(word) in said for word in told if word.endswith("s") and len(word) > _SHORT
    )


# "Extract three details": the fields themselves
_PARTS = frozenset(_one(word) for word in ("details", "fields", "values", "keys", "parts", "properties"))


def _names(found: Inferred) -> Iterator[str]:
    def visit(name: str, node: Mapping[str, object]) -> Iterator[str]:
        yield name
        inner = node.get("properties")
        if isinstance(inner, Mapping):
            for key, child in inner.items():
                yield from visit(key, child)

    for item in found.fields:
        yield from visit(item.name, item.schema)


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


def several(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """One object or value where there are several things; each with its line."""
    text = instructions(document, found)
    listed = any(leaf.listed or "array" in leaf.kinds for leaf in leaves)
    for match in _FURTHER.finditer(text) if not listed else ():
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
_SEVERAL_ASKED = re.compile(
    r"\bhow \w+ [^.?\n]{0,40}\b(?:and|or) how \w+|\bfor \w+(?: \w+)? and for \w+|\bfor each of\b|\bnumbers only\b|\beach\b\W*\Z|\bscores? (?:each|for both)\b|\beach (?:from|on|between|out of|with)\b|\d\)[^.\n]{2,40}\band\b[^.\n]{2,40}\(\d",
    re.IGNORECASE | re.MULTILINE,
)


def _scores(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Two or more things to rate, of which one number was read."""
    if not any(leaf.kinds & {"number", "integer"} for leaf in leaves):
        return
    said = "the answer has several numbers, and one was read"
    for line in re.finditer(r"[^\n.?!]+[.?!]?", text):
        if _SCALE.search(line[0]) and (match := _SEVERAL_ASKED.search(line[0].strip(" ."))) and MASK not in line[0]:
            yield f"line {document.line(line.start())}: {shortened(match[0])!r}: {said}"
    if _AS_ONE.search(text):
        return
    for match in _GRADES.finditer(text):
        things = match["first"] + match["more"]
        if _SCALE.search(match["last"] + match["rest"]) and not _NO_THING.search(things) and MASK not in match[0]:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {said}"
