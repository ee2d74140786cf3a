"""Orders for a bare value in a prompt that wants JSON elsewhere: "Return only a number", and then a JSON array.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, loosely_spaced, shortened

_ONE = r"(?:number|integer|digit|figure|percentage|word|letter|character|sentence|name|label|score|rating|grade|yes or no|yes/no|true or false|true/false|[\"'“`]?yes[\"'”`]? or [\"'“`]?no[\"'”`]?)"
_BARE = re.compile(
    r"(?:\A|[.!?:;,]\s+|\n\W*|\b(?:and|then|please|must|should|to) )(?:your answer (?:must|should) be|(?:return|answer|respond|reply|output|write|print|say|give|provide)\b(?: me\b| back\b| with\b| in\b| using\b)*)"
    rf" (?:(?:only|just|nothing but|simply|exactly|strictly)(?: with)? (?:(?:an?|the|one|single|exact|bare|plain|resulting|final|whole) )*(?:[a-z]+ )?|(?:a|one|exactly one) single (?:[a-z]+ )?|(?:one|exactly one) )(?P<what>{_ONE})\b(?P<rest>[^.;\n]*)",
    re.IGNORECASE,
)
_OF_PART = re.compile(
    r"\b(?:json|keys?|fields?|values?|each|every|per|items?|entries|objects?|if|when|list|array)\b|[{\[]", re.IGNORECASE
)


def two_forms(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Orders to answer with one bare value, of no key, beside a form in JSON."""
    text = instructions(document, found)
    for match in _BARE.finditer(text):
        begin = begin_of(text, match.start("what"), ("\n", ". ", "! ", "? "))
        sentence = text[begin : match.end()]
        keys = any(re.search(rf"(?<!\w){loosely_spaced(leaf.name)}(?!\w)", sentence, re.IGNORECASE) for leaf in leaves)
        if keys or MASK in match[0] or _OF_PART.search(sentence):
            continue
        line = document.line(match.start("what"))
        yield f"line {line}: {shortened(match[0].lstrip('.!?:;, '))!r} asks for one bare value, and JSON is asked for elsewhere"
