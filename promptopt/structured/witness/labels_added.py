"""A second reading of labels that a prompt adds to a list elsewhere: for a case, for one key, or as many as the model likes.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened

_SENTENCE = re.compile(r"(?:[^.!?\n]|\.(?=\S))+")
_CASE = re.compile(
    r"\b(?:if|when|whenever|unless|otherwise|else|in (?:all |any )?(?:other|doubt)|neither|nothing|no (?:other|such|label|category)|for (?:anything|everything|all) else)\b",
    re.IGNORECASE,
)
_SETS = re.compile(
    r"\b(?:use|choose|pick|take|select|write|put|set (?:it |\w+ )?to|set|label it(?: as)?|mark it(?: as)?|call it|classify it as|give|assign|it is|becomes|say|answer|reply|return|output)\s+(?:it |the |as |with |label |category |value |class |word )*"
    r"(?:[\"'“`](?P<quoted>[A-Za-z][\w /-]{0,30})[\"'”`]|(?P<plain>[a-z][\w-]*|[A-Z]{2,}[\w-]*)(?=\s*(?:[.,;)]|\Z|$|(?:if|when|instead|as)\b)))",
    re.IGNORECASE,
)
_NO_LABEL = frozenset(
    re.findall(
        r"\w+",
        """it them this that one both all none null nothing something anything instead first last best worst json only so judgement judgment care caution
    yes no true false empty blank english context sense common words higher lower stricter former latter most least strictest highest lowest earlier later two
    three four five quotes text here there now more less up down back""",
    )
)
_NEW = re.compile(
    r"\b(?:add|invent|create|make up|use|suggest|propose|introduce|write|choose)\s+(?:any |some |an? )?(?:new|other|further|own|your own|different|additional|another|extra)\s+(?:\w+ )?(?P<what>labels?|topics?|categor(?:y|ies)|class(?:es)?|tags?|values?|options?|keys?|fields?|sections?|headings?|columns?|names?)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:one|any|zero) or (?:more|several|both)\b|\ball (?:that|which|labels that|categories that) (?:apply|fit|match)\b|\bany number of\b|\bas many as (?:apply|fit|needed)\b|\b(?:may|can|could) (?:have|get|be given|take|give|choose|pick|be) (?:several|two|more than one|many|both|up to)\b|\bseparate (?:two|several|multiple|them|more than one)\b|\bmore than one (?:label|category|class|tag|topic|answer|option|letter)\b(?! (?:is|must|are) not)|\b(?:give|return|list|name|output|answer with|reply with|choose|pick) (?:both|them all|all of them)\b|\bif (?:two|several|both|more than one)\b[^.;\n]{0,40}\b(?:give|return|list|name|output|answer with|reply with|write|separate|join)\b(?! (?:the (?:first|best|main|most|more)|only)\b)",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:\b(?:not|never|no|avoid|without|only one of)\b|n['’]t\b)[^,;.]{0,40}\Z", re.IGNORECASE)


def labels_added(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels that are none of those that were read, and several where one was; each with its line."""
    text = instructions(document, found)
    closed = [leaf for leaf in leaves if leaf.labelled and "string" in leaf.kinds]
    if closed:
        yield from _else(document, text, closed)
        yield from _or_none(document, text, found, closed)
        yield from _of_cases(document, text, leaves, closed)
        yield from _of_keys(document, text, closed)
    if closed or found.whole in ("sections", "table", "JSON", "keys", "labels"):
        for match in _NEW.finditer(text):
            labels = (
                match["what"].lower().startswith(("label", "topic", "categ", "class", "tag", "value", "option", "name"))
            )
            begin = text.rfind("\n", 0, match.start()) + 1
            if MASK not in match[0] and (closed or not labels) and not _NOT.search(text[begin : match.start()]):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: what was read may not be all"
    if not found.whole and len(found.fields) == 1 and closed and not any(leaf.listed for leaf in leaves):
        for match in _SEVERAL.finditer(text):
            begin = text.rfind("\n", 0, match.start()) + 1
            if not _NOT.search(text[begin : match.start()]) and MASK not in match[0]:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one label was read, and there may be several"


# "Anything else counts as odd.", "You can also say hold."
_ELSE = re.compile(
    r"\b(?:(?:anything|everything|all|something) else (?:is|counts as|becomes|gets|goes to|is called)|(?:can|may|could) be(?= [\"'“`]?[\w-]+[\"'”`]? (?:too|as well)\b)|(?:you |it )?(?:can|may|could) also (?:say|answer|use|reply|write|choose|give|be)) (?:the label |the )?[\"'“`]?(?P<value>[A-Za-z][\w-]*)[\"'”`]?(?: too| as well)?\s*(?:[.;,)]|\Z|$)",
    re.IGNORECASE | re.MULTILINE,
)
# 'A stolen parcel is "theft".'
_QUOTED = re.compile(
    r"(?:^|[.!?] )(?!if\b|when\b|the (?:label|category|answer)\b)[^.;:,\"\n]{3,60} (?:is|are|counts? as|belongs? to|goes? (?:to|into)) [\"“](?P<value>[A-Za-z][\w -]{0,30})[\"”]\s*(?:[.;]|$)",
    re.IGNORECASE | re.MULTILINE,
)


def _else(document: PromptText, text: str, closed: Sequence[KeyOfSchema]) -> Iterator[str]:
    known = {label.casefold() for leaf in closed for label in leaf.labels}
    bare = len(closed) == 1
    for match in (*_ELSE.finditer(text), *(_QUOTED.finditer(text) if bare else ())):
        if match["value"].casefold() not in known | (_NO_LABEL - {"none", "both", "all", "nothing"}):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {match['value']!r} is none of the labels that were read"


# "Output the label only, or none."
_OR_NONE = re.compile(
    r"\b(?:answer|reply|respond|output|return|write|give|print)\b[^.;\n]*,? or (?:with )?(?:(?P<plain>none|nothing|neither|both)|[\"“`](?P<quoted>[^\"”`\n]{1,30})[\"”`])\s*(?=[.;]|$)",
    re.IGNORECASE | re.MULTILINE,
)


def _or_none(document: PromptText, text: str, found: Inferred, closed: Sequence[KeyOfSchema]) -> Iterator[str]:
    known = {label.casefold() for leaf in closed for label in leaf.labels}
    for leaf in closed:
        for label in leaf.labels if {"yes", "no"} <= {one.casefold() for one in leaf.labels} else ():
            if label.casefold().endswith("ing"):
                yield f"{label!r} was read as a label of {leaf.name!r}, and is what is done besides"
    for match in _OR_NONE.finditer(text) if not found.whole else ():
        value = (match["plain"] or match["quoted"]).rstrip(" .,")
        if value.casefold() not in known and MASK not in match[0]:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {value!r} is none of the labels that were read"


def _of_cases(
    document: PromptText, text: str, leaves: Sequence[KeyOfSchema], closed: Sequence[KeyOfSchema]
) -> Iterator[str]:
    """A label for one case: "If the mood is neither, use mixed"."""
    known = {label.casefold() for leaf in leaves for label in leaf.labels} | {leaf.name.casefold() for leaf in leaves}
    open_keys = [leaf for leaf in leaves if not leaf.labelled]
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        if not _CASE.search(said) or MASK in said:
            continue
        # With other values beside it, the sentence has to name the key, or all labels.
        named = any(re.search(rf"(?<![\w-]){re.escape(leaf.name)}(?![\w-])", said, re.IGNORECASE) for leaf in closed)
        other = any(re.search(rf"(?<![\w-]){re.escape(leaf.name)}(?![\w-])", said, re.IGNORECASE) for leaf in open_keys)
        if (open_keys and not named) or other:
            continue
        for match in _SETS.finditer(said):
            value = (match["quoted"] or match["plain"]).strip()
            folded = value.casefold()
            words = set(re.findall(r"\w+", folded))
            stands = any(folded in label or label in folded for label in known)
            if stands or (match["plain"] and words & _NO_LABEL) or _NOT.search(said[: match.start()].split(",")[-1]):
                continue
            if match["plain"] and not re.search(
                r"(?:,|\bthen|\belse|\botherwise)\s*\w*\s*\Z", said[: match.start()] + " ", re.IGNORECASE
            ):
                continue
            yield f"line {document.line(sentence.start() + match.start())}: {shortened(match[0])!r}: {value!r} is none of the labels that were read"


def _of_keys(document: PromptText, text: str, closed: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A label that a sentence gives a key: "mood may also be mixed", "kind is other"."""
    for leaf in closed:
        known = {label.casefold() for label in leaf.labels} | {leaf.name.casefold()}
        name = re.escape(leaf.name).replace("_", "[ _]")
        said = re.compile(
            rf"(?<![\w-])[\"'`*]*{name}[\"'`*]* (?P<how>is|becomes|may(?: also)? be|can(?: also)? be|could(?: also)? be|must be|should be|might be) (?:also )?[\"'“`]?(?P<value>[A-Za-z][\w-]*)[\"'”`]?(?=\s*(?:[.;,)]|\Z|$|(?:if|when|unless|otherwise)\b))",
            re.IGNORECASE | re.MULTILINE,
        )
        has = re.compile(
            rf"\b(?:have|has|gets?|takes?|of|receives?) (?:the |an? )?{name} [\"'“`]?(?P<value>[A-Za-z][\w-]*)[\"'”`]?(?=\s*(?:[.;,)]|\Z|$))",
            re.IGNORECASE | re.MULTILINE,
        )
        letters = all(re.fullmatch(r"[A-Z]", label) for label in leaf.labels)
        coded = re.compile(rf"\b{name} (?P<value>(?-i:[A-Z]))(?![\w-])(?! (?:or|and)\b)", re.IGNORECASE)
        for match in (*has.finditer(text), *said.finditer(text), *(coded.finditer(text) if letters else ())):
            value, how = match["value"].casefold(), match.groupdict().get("how") or "has"
            begin = max(text.rfind(sign, 0, match.start()) for sign in (".", "\n", ",", ";")) + 1
            asks = re.search(r"\b(?:if|when|whether|unless|because|that)\b", text[begin : match.start()], re.IGNORECASE)
            special = value in _NONES and how.lower() not in ("is", "becomes", "has") and not leaf.nullable
            if value not in known and not asks and (special or value not in _NO_LABEL | _STATES):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {match['value']!r} is none of the labels of {leaf.name!r}"


# "if the mood is unclear": what is known of a key
_STATES = frozenset(("required", "optional", "unclear", "given", "missing", "unknown", "stated", "known"))
_NONES = frozenset(("none", "null", "unknown", "unclear", "both", "empty"))
