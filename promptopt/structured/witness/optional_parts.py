"""A second reading of what may be missing in an answer: a part that is left out in some case has to be null, or a list.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened, spaced

_SENTENCE = re.compile(r"(?:[^.!?;\n]|\.(?=\S))+")
_OUT = re.compile(
    r"\b(?:leave|leaving|left)\b(?P<between>[^.;\n]{0,60}?)\b(?:out|off|away)\b|\b(?:omit(?:ted)?|skip(?:ped)?|drop(?:ped)?|exclude[ds]?)\b"
    r"|\b(?:do not|don['’]t|never|must not|should not|may not|need not)\s+(?:be )?(?:include[d]?|list(?:ed)?|add(?:ed)?|give[n]?|write|written|output|print|show[n]?|appear|mention(?:ed)?|be there)\b",
    re.IGNORECASE,
)
# What is not there: "what is not stated", "unknown values", "without a value"
_ABSENT = re.compile(
    r"\b(?:not (?:\w+ )?(?:stated|given|known|mentioned|named|said|found|present|there|apply|applicable|available|clear|sure|certain|contain|say|state|give|name|mention|in the (?:text|document|log|mail))|(?:does|do|is|are)(?: not|n['’]t)|cannot|can['’]t|missing|unknown|absent|unstated|unsure|uncertain|unavailable|empty|blank|null|none|inapplicable|without (?:an? )?(?:value|content|answer|entry)|with no (?:value|content|entry)|no value|nothing|without (?:an? |any )?[a-z-]+|(?:if|when|where) (?:there (?:is|are) )?no [a-z-]+|no [a-z-]+ (?:is|are|was))\b",
    re.IGNORECASE,
)
_PARTS = r"(?:keys?|fields?|propert(?:y|ies)|values?|sections?|headings?|lines?|labels?|tags?|parts?|entries|attributes?|items?|it|that|this|them|those|these|what(?:ever)?|anything|everything|all)"
_LACKS = re.compile(r"(?:has|have|needs?|gets?) no\b", re.IGNORECASE)
_OF_FORM = (
    r"(?:keys?|fields?|propert(?:y|ies)|values?|sections?|headings?|lines?|labels?|tags?|parts?|attributes?|{names})"
)
_ANY_MISSING = (
    r"\b(?:any|each|every|some|a|an|the|all|these|both)\b[^.;\n]{{0,30}}?[<\"'`*]*\b{parts}\b[>\"'`*]*[^.;\n]{{0,20}}\b(?:may|can|could|might)\b (?:also )?(?:be )?(?:left out|left off|omitted|skipped|missing|absent|dropped|not there)\b"
    r"|\b(?:all|the|other|these|both|some|last|remaining|any)\b[^.;\n]{{0,30}}?[<\"'`*]*\b{parts}\b[>\"'`*]*[^.;\n]{{0,15}}\b(?:is|are) optional\b|\bonly (?:include|output|return|give|write|add|list|show|fill(?: in)?|use)\b[^.;\n]{{0,20}}\b{parts}\b[^.;\n]{{0,60}}\b(?:sure|certain|known|stated|given|present|found|appear\w*|mentioned|apply|applicable|needed|filled)\b"
    r"|\b(?:include|output|return|give|write|add|show)\b[^.;\n]{{0,20}}\b{parts}\b[^.;\n]{{0,15}}\bonly (?:if|when|where|for)\b"
    r"|\b(?:leave out|omit|skip|drop)\b (?:the |that |this )?[<\"'`*]*{parts}[>\"'`*]*(?: (?:key|field|line|section|tag))?,? (?:if|when|where|for|unless|in)\b"
    r"|\bno [<\"'`*]*{parts}[>\"'`*]* (?:is|are) (?:needed|required|necessary|wanted)\b|[<\"'`*]*\b{parts}\b[>\"'`*]* (?:is|are) (?:not|only) (?:needed|required|necessary|wanted)\b"
    r"|\b(?:has|have|needs?|gets?) no (?:second|third|fourth|last|such) {parts}\b"
    r"|\b(?:leave|leaving) (?:the |that |this )?[<\"'`*]*{parts}[>\"'`*]*(?: (?:key|field|line|section|tag))? (?:out|off|away)\b"
)
_NO = re.compile(
    r"(?:\b(?:do not|never|no|nor|not|none|must not|should not|may not|avoid|without|rather than|instead of)\b|n['’]t\b)[^.;,\n]{0,40}\Z",
    re.IGNORECASE,
)
# Words of a sentence on how something is spelled, and what is left out of the text of a value.
_OF_TEXT = re.compile(
    r"\b(?:leav\w+ out|omit|skip|drop|exclude|remove|include|add|list|write|give|output|print|show|mention)\b[^.;\n]{0,12}\b(?:the |any |all |its )?(?:explanations?|comments?|articles?|currency|symbols?|signs?|units?|spaces?|punctuation|quotes?|markdown|preamble|greetings?|prefix\w*|suffix\w*|titles?|stop ?words|duplicates?|commas?|text|prose|reason\w*|names? of)\b",
    re.IGNORECASE,
)


def optional_parts(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Parts that an answer may lack, and that were read as always there; each with its line."""
    # A list may be empty, but its heading cannot be left out.
    own = [leaf for leaf in leaves if not leaf.nullable and (found.whole == "sections" or not leaf.listed)]
    if not own or (len(found.fields) == 1 and not found.whole):
        return
    text = instructions(document, found)
    names = "|".join(spaced(leaf.name) for leaf in own)
    # "crew (optional)", "the key crew if it is known"
    by_name = re.compile(
        rf"(?<![\w-])[\"'`*]*(?:{names})[\"'`*]*(?: (?:key|field|line|section|tag))?\s*(?:\([^()\n]*\boptional\b[^()\n]*\)|[,:=–—-]*\s*(?:is |are )?optional\b|,? (?:only )?(?:if|when|where) (?:it is |they are |there is (?:one|any)|any|one is )?(?:known|given|stated|present|available|mentioned|any|one|applicable|named|found)\b)",
        re.IGNORECASE,
    )
    own_words = {leaf.name.casefold() for leaf in leaves}
    listed = "|".join(spaced(leaf.name) for leaf in leaves if leaf.listed and found.whole != "sections")
    of_list = re.compile(rf"\b(?:{listed or '(?!)'})\b", re.IGNORECASE)
    part = re.compile(rf"\b(?:{_PARTS}|{names})\b", re.IGNORECASE)
    any_missing = re.compile(_ANY_MISSING.format(parts=_OF_FORM.format(names=names)), re.IGNORECASE)
    for span in found.covered if found.whole == "labels" else ():
        if after := _IF_ANY.match(document.text, span.end):
            yield f"line {document.line(span.end)}: {shortened(after[0])!r}: a part may be missing, and it was read as always there"
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        if MASK in said or of_list.search(said):
            continue
        line = f"line {document.line(sentence.start())}: {shortened(said)!r}"
        named = by_name.search(said)
        if (named and not re.search(r"\b(?:null|else|otherwise|empty|unknown|none|n/a)\b", said, re.IGNORECASE)) or (
            (free := any_missing.search(said)) and (_LACKS.match(free[0]) or not _NO.search(said[: free.start()]))
        ):
            yield f"{line}: a part may be missing, and it was read as always there"
            continue
        if any(_is_left_out(said, out, part, own_words, wrapped=found.wrapped) for out in _OUT.finditer(said)):
            yield f"{line}: a part may be left out, and it was read as always there"


# "and your source in <source>, if you have one"
_IF_ANY = re.compile(
    r"[^.\n]{0,20}?,? (?:only )?if (?:you have|there (?:is|are)|any\b|known|available|given|needed|applicable|possible)",
    re.IGNORECASE,
)
_DENIED_VERB = re.compile(r"(?:do not|don|never|must|should|may|need)", re.IGNORECASE)
_CASE = re.compile(
    r"\b(?:if|when|where|unknown|missing|empty|absent|null|not (?:stated|given|known|found|sure|mentioned|there))\b",
    re.IGNORECASE,
)
_OF_THE_FORM = re.compile(r"\b(?:keys?|fields?|columns?|propert(?:y|ies))\b", re.IGNORECASE)


def _is_left_out(said: str, out: re.Match[str], part: re.Pattern[str], own_words: set[str], *, wrapped: bool) -> bool:
    """Whether a verb of a sentence lets a part be missing: of a list whole things may be."""
    denies = _DENIED_VERB.match(out[0]) is not None
    if out[0].lower() in own_words or (not denies and _NO.search(said[: out.start()])) or _OF_TEXT.search(said):
        return False
    rest = said[: out.start()] + " " + (out["between"] or "") + " " + said[out.end() :]
    if wrapped and not _OF_THE_FORM.search(rest):
        return False
    passive = out[0].lower().startswith(("must", "should", "may", "need"))
    near = (0, out.start()) if passive else (out.end(), out.end() + _NEAR)
    if denies and not part.search(said, *near):
        return False
    return bool(_ABSENT.search(rest) and part.search(rest) and (not denies or _CASE.search(rest)))


_NEAR = 20
