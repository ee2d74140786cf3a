"""A second reading of the orders to answer: each must ask for the form that was read, or for a part of it.

What an order asks for is known if it names the form, a key, a label or an empty value, or only says how. An order that
asks for anything else asks for more than was read, or for something instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened

_VERBS = r"return|respond|reply|output|print|answer|emit"
_HEAD = r"(?:\A|[.,;:!?(]\s+|\n)[ \t]*(?:[-*•#>]{1,3}[ \t]+)?(?:\d+[.)][ \t]+)?[*_\"'`]{0,3}(?:(?:then|and|or|please|only|always|simply|just|instead|finally|also|strictly|directly|immediately|now|next|lastly|you (?:must|should|will|can|need to|have to)|must|should)[ \t]+){0,3}"
_ORDER = re.compile(
    rf"{_HEAD}(?P<verb>{_VERBS})\b(?![-_/*:]|[\"'`]?\s*[:=])(?P<what>[^.!?;\n]*(?:\.(?=\S)[^.!?;\n]*){{0,8}})",
    re.IGNORECASE,
)
# The form itself, an empty value, or how it is said.
_FORM = re.compile(
    r"\b(?:json\w*|objects?|arrays?|lists?|dict\w*|formats?|formatted|schemas?|structured?|keys?|fields?|templates?|shape|layout|null|none|true|false|yes|no|empty|nothing|it|them|this|that|these|one of|results?|responses?|outputs?|answers?|following|below|above|exactly|as specified|accordingly|entirely"
    r"|english|language|lowercase|verbatim|minified|blocks?|backticks|codes?|labels?|values?|strings?|anything|questions?|yourself|early|first|once|again|user|the (?:query|prompt|task)|names?|ids?|texts?)\b|[{}\[\]<>`\"'“]|\bin [A-Z][a-z]+\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"(?:\b(?:not|never|no|without|nor|avoid|instead of|rather than|before you|how to|whether to|when to)\b|n['’]t)[^.;\n]{0,30}\Z",
    re.IGNORECASE,
)
_IS_NOUN = re.compile(
    r"\s*,? and\b|\s+(?:is|are|was|were|has|have|must|should|shall|will|can|may|matches|contains?|includes?|from|of|length|quality|style|tone|format|schema|rules?|requirements?|tokens?|key|only if)\b",
    re.IGNORECASE,
)
# Words in prose beside the form, or in its place.
_PROSE = re.compile(
    r"\b(?:in|with|as|using) (?:about |around |at most |no more than |exactly |only )?(?:an? |\d|one|two|three|plain |natural |short |brief |clear |concise |friendly |conversational |markdown|bullet)[^.\n]{0,30}\b(?:sentences?|paragraphs?|bullets?|bullet points|prose|markdown|message|essay|tone)\b"
    r"|\b(?:naturally|conversationally)\b",
    re.IGNORECASE,
)


# "no prose, no markdown fences"
_WITHOUT = re.compile(r"\b(?:no|not|without|never|nor)\b[^,.;\n]*|n['’]t\b[^,.;\n]*", re.IGNORECASE)


def other_orders(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Orders to answer with something that is no part of the form that was read."""
    text = instructions(document, found)
    known = _known(leaves)
    for match in _ORDER.finditer(text):
        what = match["what"]
        begin = text.rfind("\n", 0, match.start("verb")) + 1
        if _NOT.search(text[begin : match.start("verb")]) or _IS_NOUN.match(what) or MASK in what:
            continue
        if _INPUT_BELOW.match(document.text, begin):
            continue
        said = re.findall(r"[a-z0-9]+", what.lower())
        prose = _PROSE.search(_WITHOUT.sub(" ", what))
        if not said or (not prose and _FORM.search(what)):
            continue
        if not prose and (known & {_stem(word) for word in said} or len(said) == 1):
            continue
        if prose and known & {_stem(word) for word in said}:
            continue
        line = document.line(match.start("verb"))
        yield f"line {line}: {shortened(match['verb'] + what)!r} asks for something that no field holds"


# "## Answer to Evaluate", and below it the variable that it is
_INPUT_BELOW = re.compile(rf"[ \t]*#[^\n]*\n\s*(?:{MASK}|\{{+[\w.\[\]]+\}}+)")
_SHORT = 2
# Words of any sentence.
_PLAIN = frozenset(
    re.findall(
        r"\w+",
        "the and for with that this these those what where which who why how are was has have its from into about not any all each one your you may can will must should when then than only such other",
    )
)


def _stem(word: str) -> str:
    return word.removesuffix("s").removesuffix("e")


def _known(leaves: Sequence[KeyOfSchema]) -> set[str]:
    """The words of keys, labels and descriptions."""
    said: list[str] = []
    for leaf in leaves:
        said.append(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", leaf.name))
        for one in (leaf.node, leaf.value, *leaf.value.get("anyOf", ())):
            said += map(str, one.get("enum", ()))
            said.append(str(one.get("description", "")))
    return {
        _stem(word)
        for words in said
        for word in re.findall(r"[a-z0-9]+", words.replace("_", " ").lower())
        if len(word) > _SHORT and word not in _PLAIN
    }
