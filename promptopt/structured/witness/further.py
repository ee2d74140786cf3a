"""A second reading of what an answer has beside what was read: words around it, and orders for something else.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened

# Where an order may begin.
_HEAD = r"(?:^|[.!?:;]\s+|,\s+(?:and |then |and then |but )?|\b(?:then|first|also|finally|please|and)\s+)(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+)?(?:(?:please|always|also|then|first|finally|you (?:must|should|may|can|will))\s+)*"
_GREETS = re.compile(
    rf"{_HEAD}(?P<what>(?:greet|welcome|thank (?!you\b)|congratulate|apologi[sz]e to|say (?:hello|hi|thank|goodbye|welcome)|wish (?:him|her|them|the|me|us)|sign (?:with|as|off)|address the (?:captain|customer|user|reader|client))\b[^.;\n]{{0,60}})",
    re.IGNORECASE | re.MULTILINE,
)
_TEXTS = r"(?:greetings?|salutations?|hello|sentences?|lines?|words?|paragraphs?|notes?|wish(?:es)?|letters?|questions?|summar(?:y|ies)|comments?|remarks?|headings?|titles?|disclaimers?|thanks|signature|jokes?|emojis?|quotes?|quotations?|hints?|tips?|advice|recommendations?|suggestions?|lists?|introductions?|intro|conclusions?|overviews?|apolog(?:y|ies)|warnings?|repl(?:y|ies)|replacements?|examples?|steps?|bullet(?: point)?s?|messages?|table|score|rating|number|date|name|names|translation|explanation|description|alternatives?|corrections?|definition|sources?|citation|link|time|place|reason|paraphrase|version|outline|plan|forecast|percentage|confidence|offer|price|page|author|favou?rite|luck)"
_FRAMES = re.compile(
    rf"{_HEAD}(?P<what>(?P<verb>start|begin|open|close|end|finish|conclude|introduce|preface|precede|follow)(?: (?:it|your (?:\w+ )?(?:answer|reply|response|output|text|message)|the (?:answer|reply|response|output|message|json)|everything|each))? (?:off |up )?(?:with|by|on) (?P<said>[^.;\n]{{1,80}}))",
    re.IGNORECASE | re.MULTILINE,
)
_NO_TEXT = re.compile(
    r"\A\W*(?:an? |the )?(?:(?:opening |closing |capital |lower ?case |upper ?case |this |these |following |exact |exactly |valid |curly |square |left |right |full |single |new |final |blank )*(?:letters?|brace|bracket|stop|period|dot|comma|noun|verb|adjective|sign|mark|json|object|array|newline|fence|tag|key|keys|field|last|first|most|highest|lowest|oldest|newest|best|latest|earliest)\b|[{\[<])",
    re.IGNORECASE,
)
_TEXT = re.compile(rf"\b{_TEXTS}\b|[\"“`'][A-Za-z]|\b(?-i:[A-Z]{{3,}})\b", re.IGNORECASE)
# After the value: "then give one sentence of advice", "plus the date", "and list the prices"
_WRITES = r"(?:give|provide|write|add|include|state|list|return|output|suggest|propose|recommend|quote|extract|translate|rewrite|name|cite|show|append|attach|draft|tell|mention|rank|correct|count|estimate|offer|summari[sz]e|describe|explain|say|answer (?=it\b|the\b|that\b|this\b)|compute|say how|note|repeat|print)"
_THEN = re.compile(
    rf"(?:[,;]?\s*\b(?:and then|then|and after (?:that|it)|after (?:that|it|this|which),?|afterwards,?|and also|and finally|finally,?|and|also|but also|next,?|below (?:it|that),?|underneath,?|additionally,?|in addition,?|besides,?|if (?:yes|no|so|not|true|false),)\s+(?:also |please |always )?(?P<verb>{_WRITES})\b(?P<what>[^.;!?\n]{{0,80}}))"
    rf"|[,;]?\s*(?:\b(?:followed by|together with|along with|as well as|in addition to|accompanied by|and then|then|and)\b|\bplus\b|\+)\s+(?P<noun>(?:(?-i:an?)|one|two|three|four|five|\d|the|your|its|some|several|a few) [^.;,!?\n]{{2,60}})",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"\b(?:answer|reply|respond|return|output|say|state|give|provide|write|print|start|begin|rate|score|grade|classify|label|choose|pick|select|decide|tell|assign|name)\b",
    re.IGNORECASE,
)
_REASONS = re.compile(
    r"\b(?:expla\w+|justif\w+|rationale|reason\w*|why|think\w*|nothing|no (?:other|more)|don['’]t|not|never|only that|stop|evidence for your)\b",
    re.IGNORECASE,
)
_ITSELF = re.compile(
    r"\A\W*(?:with |back |only |just |exactly |simply |me |us |in |as |it\b|them\b|that\b|this\b|your |the |its |an? |one |single |final |overall |whole |corresponding |same |matching |appropriate |correct |best |most \w+ )*(?P<word>answers?|respon[sd]e?s?|repl(?:y|ies)|outputs?|results?|scores?|ratings?|grades?|numbers?|integers?|digits?|values?|labels?|categor(?:y|ies)|class(?:es)?|verdicts?|decisions?|judge?ments?|choices?|options?|letters?|words?|yes|no|true|false|it|only|code|name of the (?:category|class|label)|json|object|list|format|either|percentage|points)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.?!](?=\S))+[.!?]?")


def further(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What is to be written besides, and no field is for; each with its line."""
    text = instructions(document, found)
    known = _known(leaves)
    yield from _around(document, text, found, known)
    yield from _placed(document, text, found, known)
    yield from _as_well(document, text, known)
    if not found.whole and len(found.fields) == 1 and not any(leaf.listed for leaf in leaves):
        yield from _after_value(document, text, known)


def _around(document: PromptText, text: str, found: Inferred, known: set[str]) -> Iterator[str]:
    """A greeting, and what an answer begins or ends with."""
    one = not found.whole
    if (
        not known
        & {"greet", "messag", "reply", "text", "respon", "answer", "letter", "mail", "email", "body", "salutation"}
        or one
    ):
        for match in _GREETS.finditer(text):
            if MASK not in match[0]:
                yield f"line {document.line(match.start('what'))}: {shortened(match['what'])!r}: the answer has more than what was read"
    for match in _FRAMES.finditer(text):
        said = match["said"]
        if MASK in said or _NO_TEXT.match(said) or not _TEXT.search(said) or _REASONS.search(said):
            continue
        if known & (_words(said) | {"clos", "closing", "introduction", "conclusion", "opening"}):
            continue
        begin = text.rfind("\n", 0, match.start("what")) + 1
        if re.search(
            r"\b(?:not|never|don['’]t|titles?|names?|each item|sentences?|must|lines?)\b[^.;]{0,30}\Z",
            text[begin : match.start("what")],
            re.IGNORECASE,
        ):
            continue
        yield f"line {document.line(match.start('what'))}: {shortened(match['what'])!r}: the answer has more than what was read"


_PLACES = re.compile(
    r"\b(?:above|below|under|beneath|underneath|before|after|next to|beside|around|in front of|on top of|following|outside)(?: of)? (?:it|them|the json|the tags?|the list|the table|the object|the array|the form|the braces|the block|the (?:score|number|rating|label|category|letter|verdict|word|answer))\b",
    re.IGNORECASE,
)
_PUTS = re.compile(
    r"\b(?:put|say|write|add|give|think|greet|place|state|name|explain|include|list|provide|summari[sz]e|mention|show|quote|describe|with|have|goes|go|comes?|stands?|belongs?|follows?|wish)\b",
    re.IGNORECASE,
)


def _placed(document: PromptText, text: str, found: Inferred, known: set[str]) -> Iterator[str]:
    """Words with a place beside the form: "Say in one line above it which page you read"."""
    if found.whole == "sections":
        return
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        match = _PLACES.search(said)
        if (
            match is None
            or MASK in said
            or re.search(r"\b(?:not|never|nothing|no|without|any|only)\b|n['’]t", said, re.IGNORECASE)
        ):
            continue
        rest = said[: match.start()] + " " + said[match.end() :]
        puts = _PUTS.search(rest)
        if (
            puts
            and not (known & _words(rest[puts.end() :]))
            and not re.search(
                r"\b(?:(?:before|after|while|when) (?:you )?\w+ing|look|check|compare|original|input|reasoning|think (?:about|it|through|step))\b",
                rest,
                re.IGNORECASE,
            )
        ):
            yield f"line {document.line(sentence.start() + match.start())}: {shortened(said)!r}: the answer has more than what was read"


# "with the letter only and a probability", "Write the category, a colon and the name"
_WITH_MORE = re.compile(
    r"\b(?:answer|reply|respond|return|output|write|give|state|say|print)\b(?P<first>(?: with\b)?[^.;:!?\n]{1,60}?)(?:,? (?:and|plus|with)|,) (?P<what>(?:the|(?-i:an?)|its|your|how|which(?! (?:are|is|was|were)\b)|what|one|two) [^.;!?\n]{2,60})",
    re.IGNORECASE,
)
# "Grade the answer from 1 to 6 with a sentence for the parents"
_RATED_WITH = re.compile(
    rf"\b(?:rate|grade|score|label|classify|sort|judge|mark|tag|categori[sz]e)\b[^.;!?\n]{{3,100}}?,? (?:with|and|plus|together with|along with) (?:(?-i:an?)|one|two|your) (?:short |brief |single )?(?:{_TEXTS}|certainty|probability|likelihood)\b(?! (?:from|between|of|only))",
    re.IGNORECASE,
)
_MANNER = re.compile(
    r"\A(?:an? |the |its |your |one |two )?(?:one of|\w+ alone|\w+ only|single|capital|lower|upper|word|label|number|letter|digit|integer|line|strict|full stop|period|same|following|given|exact|correct|best|most|final|whole|valid|option|choice|above|below|name of the|text|message|sentence|input|review|question (?!mark)|first|last|other|category|class|right|appropriate|criteria|scale|rubric|context)\b",
    re.IGNORECASE,
)


_VALUES = frozenset(("score", "rating", "number", "word", "words", "line", "name", "percentage", "list", "table"))


def _with_more(document: PromptText, text: str, known: set[str]) -> Iterator[str]:
    """A second thing that an order for the value names."""
    for match in _RATED_WITH.finditer(text):
        last = match[0].rsplit(maxsplit=1)[-1].lower()
        if MASK not in match[0] and not _REASONS.search(match[0]) and last not in _VALUES:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: the answer has more than the value that was read"
    for sentence in _SENTENCE.finditer(text):
        for match in _WITH_MORE.finditer(sentence[0]):
            before = sentence[0][: match.start()].strip(" -*•\t")
            if before and not re.search(
                r"(?:[,:;]|\b(?:please|and|then|only|just|must|should|to|always))\Z", before, re.IGNORECASE
            ):
                continue
            what = match["what"]
            if (
                MASK in match[0]
                or _MANNER.match(what)
                or _REASONS.search(match[0])
                or _ITSELF.match(what)
                or known & _words(what)
            ):
                continue
            if re.search(
                r"\b(?:not|never|without|if|when|of|for|about|based|from|between|in|on)\b",
                match["first"],
                re.IGNORECASE,
            ):
                continue
            yield f"line {document.line(sentence.start() + match.start('what'))}: {shortened(what)!r} comes with the value that was read, and no field is for it"


# "Name its weakest point as well."
_AS_WELL = re.compile(
    rf"(?:^|[.!?;]\s+)(?:please )?(?:{_WRITES}|reply|respond|write)\b(?P<what>[^.;!?\n]{{2,60}}?)(?:,? (?:as well|too|in addition|besides|also))\s*(?=[.;!]|$)",
    re.IGNORECASE | re.MULTILINE,
)


# "Where it does, copy the words."
_IN_CASE = re.compile(
    r"(?:^|[.!?;] )(?:if|when|where|in that case|in this case)\b[^.,;:\n]{0,40}, (?:also |please |then |too )*(?:copy|quote|name|list|add|show|mention|cite|repeat|point out) (?P<what>[^.;\n]{2,60})",
    re.IGNORECASE | re.MULTILINE,
)


def _as_well(document: PromptText, text: str, known: set[str]) -> Iterator[str]:
    for match in _AS_WELL.finditer(text):
        if not _REASONS.search(match[0]) and MASK not in match[0] and not known & _words(match["what"]):
            yield f"line {document.line(match.start('what'))}: {shortened(match[0])!r}: the answer has more than what was read"


def _after_value(document: PromptText, text: str, known: set[str]) -> Iterator[str]:
    """What comes after a bare value, in the sentence that orders it or in one that goes on with it."""
    yield from _with_more(document, text, known)
    for match in _IN_CASE.finditer(text):
        what = match["what"]
        if MASK not in match[0] and not (_REASONS.search(match[0]) or known & _words(what)):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: in this case the answer has more than was read"
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        for match in _THEN.finditer(said):
            before, what = said[: match.start()], match["what"] if match["verb"] else match["noun"]
            first = not before.strip(" -*•\t")
            if MASK in match[0] or _REASONS.search(match[0]) or not (first or _SAYS.search(before)):
                continue
            plain = (match["verb"] or "").lower()
            if (
                first
                and plain
                and not re.match(
                    r"\s*(?:after|below|finally|also|additionally|in addition|besides|next|underneath|then|if)",
                    match[0],
                    re.IGNORECASE,
                )
            ):
                continue
            if not _is_order(before) and not first:
                continue
            if _ITSELF.match(what) or known & _words(what):
                continue
            if not plain and not (
                _TEXT.search(what)
                and re.search(r"followed|plus|\+|together|along|as well|accompanied|addition|then", match[0])
            ):
                continue
            yield f"line {document.line(sentence.start() + match.start())}: {shortened(match[0].lstrip(' ,;'))!r} comes with the value that was read, and no field is for it"


def _is_order(before: str) -> bool:
    """Whether the clause before "then" orders the answer."""
    clause = re.split(r"[;:?]", before)[-1]
    verb = _SAYS.search(clause)
    if verb is None:
        return False
    lead = clause[: verb.start()].strip(" ,.-*•").lower()
    return (
        not lead
        or re.search(
            r"(?:\A|[\s,])(?:please|and|then|then,|also|only|just|must|should|to|simply|finally|always|you|first)\Z",
            lead,
        )
        is not None
    )


def _words(said: str) -> set[str]:
    return {_stem(word) for word in re.findall(r"[a-z]{3,}", said.lower())} - {
        "the",
        "and",
        "with",
        "for",
        "one",
        "two",
    }


def _stem(word: str) -> str:
    return re.sub(r"(?:ings?|s|ed|e|se)\Z", "", word)


def _known(leaves: Sequence[KeyOfSchema]) -> set[str]:
    """The words of keys and labels, without their endings."""
    names = [leaf.name for leaf in leaves] + [label for leaf in leaves for label in leaf.labels]
    apart = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", name) for name in names)
    return {_stem(word) for word in re.findall(r"[a-z]{3,}", apart.lower())}


_VERBS = r"return|respond|reply|output|print|answer|emit"
_BEGINS_ORDER = r"(?:\A|[.,;:!?(]\s+|\n)[ \t]*(?:[-*•#>]{1,3}[ \t]+)?(?:\d+[.)][ \t]+)?[*_\"'`]{0,3}(?:(?:then|and|or|please|only|always|simply|just|instead|finally|also|strictly|directly|immediately|now|next|lastly|you (?:must|should|will|can|need to|have to)|must|should)[ \t]+){0,3}"
_ORDER = re.compile(
    rf"{_BEGINS_ORDER}(?P<verb>{_VERBS})\b(?![-_/*:]|[\"'`]?\s*[:=])(?P<what>[^.!?;\n]*(?:\.(?=\S)[^.!?;\n]*){{0,8}})",
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
    known = _words_known(leaves)
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
        if not prose and (known & {_singular(word) for word in said} or len(said) == 1):
            continue
        if prose and known & {_singular(word) for word in said}:
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


def _singular(word: str) -> str:
    return word.removesuffix("s").removesuffix("e")


def _words_known(leaves: Sequence[KeyOfSchema]) -> set[str]:
    """The words of keys, labels and descriptions."""
    said: list[str] = []
    for leaf in leaves:
        said.append(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", leaf.name))
        for one in (leaf.node, leaf.value, *leaf.value.get("anyOf", ())):
            said += map(str, one.get("enum", ()))
            said.append(str(one.get("description", "")))
    return {
        _singular(word)
        for words in said
        for word in re.findall(r"[a-z0-9]+", words.replace("_", " ").lower())
        if len(word) > _SHORT and word not in _PLAIN
    }
