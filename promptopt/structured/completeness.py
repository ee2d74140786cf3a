"""Whether the fields that were read are all that a prompt asks for: what no reader covered and asks for more says no.

A cap or a reader of a part would cut the rest off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptopt.structured.fields import BOUNDARY, MASK, Field, PromptText, Span

# Verbs whose object a reader of the answer sees; those of the work before it (read, compare, decide) are not among them.
_WRITES = frozenset(
    re.findall(
        r"\S+",
        """give provide write add include state list return output report explain describe summarize summarise mention suggest propose
    recommend quote extract estimate translate rewrite justify generate produce create say tell name rank cite show compute
    append attach specify supply print draft paraphrase correct highlight elaborate answer respond reply rate score grade
    assign""",
    )
)
_VERB = re.compile(
    rf"\b(?P<verb>{'|'.join(sorted(_WRITES, key=len, reverse=True))})\b(?P<object>[^,;:.!?\n]{{0,90}})", re.IGNORECASE
)
# What may come before an order in its clause.
_BEFORE = re.compile(
    r"(?:\A|[,;:.!?\n(—–-]|\b(?:then|and|also|please|finally|next|additionally|afterwards|first|second|third|lastly|you (?:must|should|will|need to|have to|can|may)|must|should|always))\s*"
    r"(?:[-*•#>]+\s*|\d+[.)]\s*|[*_`\"']+)*\Z",
    re.IGNORECASE,
)
NEGATED = re.compile(
    r"(?:n['’]t|\b(?:not|never|without|no|nor|avoid|instead of|rather than|cannot))\b[^.!?\n]{0,80}\Z", re.IGNORECASE
)
# "No" may be a label.
_LABEL_IN_QUOTES = re.compile(r"[\"'`“]\w+[\"'`”]")
# The answer itself, in the words that prompts have for it.
_ITSELF = frozenset(
    re.findall(
        r"\S+",
        """answer answers response reply output result score rating grade number integer digit value label labels category class classification verdict
    decision judgement judgment choice option letter word words token yes no true false it one only single just exactly either nothing
    in as with by using on following format json text form below above them this that these here final most best appropriate correct
    evaluation assessment solely simply strictly back immediately directly at to if when whether based accordingly so for from within
    something anything points point marks stars percentage your you user question query input prompt statement item sentiment likert scale
    overall final numerical numeric whole integer float value values name code exactly must should be""",
    )
)
# The noun that is asked for comes before these.
_PREPOSITION = re.compile(
    r"\b(?:of|for|about|on|in|from|to|that|which|with|based|using|between|if|when|as|by|how|whether|where|who|according|strictly|only|without)\b|[(\"'`<\[]"
)
_MEASURED = re.compile(r"\b(?:percentage|score|rating|number|confidence|probability)\b", re.IGNORECASE)
_RATES = frozenset({"rate", "score", "grade", "estimate"})
# "Answer Key", "Output format": the verb is a noun.
_NOUN = re.compile(
    r"[ \t]+(?:(?:keys?|sheets?|formats?|schema|tags?)\b|(?:do|does|did|is|are|was|were|has|have|can|may|must) (?:not|never)\b)",
    re.IGNORECASE,
)
_COORDINATED = re.compile(r"\b(?:and|then|also|additionally|finally|next)\s*\Z", re.IGNORECASE)
_WORKING = re.compile(r"\b(?:work|working|calculations?|thinking|thought process)\b", re.IGNORECASE)
_SKIPPED = frozenset(
    re.findall(r"\S+", "a an the your its our my their his her of or and same also always please valid")
)
_SEVERAL = re.compile(
    r"\b(?:on|for|against|by|across|along) (?:each of |all of )?(?:the |these |those |its )?(?:following |below |several |two |three |four |five |six |\d )*"
    r"(?:criteria|dimensions|aspects|qualities|axes|categories below|metrics)\b"
    r"|,\s*each\s+(?:from|on(?! (?:a|its) (?:new|own|separate) line)|between|with|a\b|one)|\b(?:each|every) (?:criterion|dimension|aspect|metric|category|item|sentence|statement|claim|passage|document|question|row|line)\b"
    r"|\A\W*for each\b|\brespectively\b|\A\W*(?:score|rate|grade|assess|judge) (?:each|all|both)\b(?! (?:answer|response)\b)",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(
    r"(?:\b(?:followed by|along with|together with|as well as|accompanied by|plus|and)|,\s*then)\s+(?:also\s+)?(?P<what>(?:a|an|one|two|three|the|your|its|how|why|what)\s+[^,;.!?\n]{2,60})",
    re.IGNORECASE,
)
# What the answer is to be, said of it as a subject; a few words on style and length are no form.
_DESCRIBES = re.compile(
    r"\b(?:the|your) (?:final )?(?:outputs?|answers?|responses?|repl(?:y|ies)) (?:is|are|should|must|will|shall|has to|needs to|consists? of|contains?)\b(?P<rest>[^.\n]*)",
    re.IGNORECASE,
)
_HARMLESS = 5
_HOW = re.compile(r"\b(?:how (?:sure|certain|confident)|confidence (?:level|score|in your))\b", re.IGNORECASE)
_RATES_IT = re.compile(r"\W*(?:rate|score|assess|judge|estimate|grade)\b", re.IGNORECASE)
_SECTIONS = re.compile(
    r"\b(?:these|the following|\w+) sections\s*:|^#{1,4}[ \t]+\w[^\n]*\n+(?:[^\n#]+\n+)*?#{1,4}[ \t]+(?:verdict|conclusion|summary)\b",
    re.IGNORECASE | re.MULTILINE,
)
EXPLAINS = re.compile(
    r"\b(?:expla\w+|justif\w+|rationale|reasons?(?:ing)? (?:for|of|behind|why)|your reason(?:ing)?|(?:provide|give|with|include|write|state) (?:a |an |the |your )?(?:\w+ )?reason(?:ing)?\b|why)\b",
    re.IGNORECASE,
)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_SENTENCE = re.compile(rf"[^.!?\n{BOUNDARY}]+(?:[.!?](?=\d)[^.!?\n{BOUNDARY}]*)*[.!?]?")
_EXAMPLE = re.compile(
    r"^[ \t]*(?:\W*(?:input|output|message|examples?|user|ticket|review|q|a|text|context|question|answer|assistant)\b[^:\n]{0,20}:)",
    re.IGNORECASE,
)


def asks_for_more(document: PromptText, fields: Sequence[Field], covered: Sequence[Span]) -> str | None:
    """What of the answer the fields do not hold, with its line; ``None`` if nothing says so."""
    for start, end in _signs(document, fields, covered):
        return f"line {document.line(start)} asks for more than one value: {brief(document.text[start:end])!r}"
    return None


def values_of(schema: Mapping[str, Any], name: str) -> Iterator[str]:
    """All keys and labels of a schema."""
    yield name
    yield from map(str, schema.get("enum", ()))
    for key, child in schema.get("properties", {}).items():
        yield from values_of(child, key)
    if isinstance(schema.get("items"), Mapping):
        yield from values_of(schema["items"], "")


def brief(text: str) -> str:
    """The beginning of a text in one line, without what a template prints."""
    return " ".join(text.replace(MASK, " ").split())[:60]


def wants_json(document: PromptText) -> bool:
    """Whether the prompt speaks of JSON, so that a bare value is not its answer."""
    return bool(_JSON.search(document.text))


def _signs(document: PromptText, fields: Sequence[Field], covered: Sequence[Span]) -> Iterator[tuple[int, int]]:
    text = document.text
    known = _known_words(fields)
    choice = len(fields) == 1 and "enum" in fields[0].schema
    labelled = choice and fields[0].schema.get("type") == "string"
    for match in _DESCRIBES.finditer(text):
        span = Span(*match.span())
        words = set(re.findall(r"[a-z][\w'-]*", match["rest"].lower())) - _ITSELF - _SKIPPED - known
        defined = _DEFINED.fullmatch(text, text.rfind("\n", 0, match.start()) + 1, match.start())
        if not any(span.overlaps(other) for other in covered) and len(words) > _HARMLESS and not defined:
            yield match.span()
    for match in _SECTIONS.finditer(text):
        yield match.span()
    for sentence in _SENTENCE.finditer(text):
        if (
            _is_example(text, sentence)
            or _GRADE_MEANS.fullmatch(text, *_line_of(text, sentence.start()))
            or _TITLE.fullmatch(text, *_line_of(text, sentence.start()))
            or document.depends(Span(*sentence.span()))
        ):
            continue
        own = [span for span in covered if span.overlaps(Span(*sentence.span()))]
        for pattern in (_SEVERAL, _HOW) if own else (_HOW,):
            for match in pattern.finditer(sentence[0]):
                if pattern is _SEVERAL and choice and sentence[0][: match.start()].endswith("based "):
                    continue  # a label "based on the following criteria" is one
                if pattern is _HOW and _RATES_IT.match(sentence[0]) and len(fields) == 1:
                    continue  # "Rate how confident the speaker sounds" is the one value itself
                yield sentence.start() + match.start(), sentence.start() + match.end()
        yield from _letters(sentence, own)
        form = " ".join(text[span.start : span.end] for span in covered) if labelled else ""
        yield from _orders(sentence, own, known, labelled, form)


# "# Rewrite Judge" names the prompt; "- Safe: the response contains ..." says what a label means.
_TITLE = re.compile(r"[ \t]*#{1,3}[ \t]+(?:[A-Z][\w-]*[ \t]*){1,4}|(?:[A-Z][\w-]*[ \t]*){2,4}")
_GRADE_MEANS = re.compile(
    r"[ \t]*(?:[-*•][ \t]+)?\**\d{1,3}(?:\s?[-–]\s?\d{1,3})?%?\**[ \t]*[:=–—][ \t]*[^\n.!?]*[.!]?[ \t]*"
)
# "- Poor: The answer is ...", "1 = The answer is ...": what a label or a grade means
_DEFINED = re.compile(
    r"[ \t]*(?:(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*[A-Z][\w -]{0,30}|(?:[-*•][ \t]+)?[*_`\"'(]*-?\d{1,3})[*_`\"')]*[ \t]*[:=–—-][ \t]*"
)


def _line_of(text: str, position: int) -> tuple[int, int]:
    end = text.find("\n", position)
    return text.rfind("\n", 0, position) + 1, len(text) if end < 0 else end


def _letters(sentence: re.Match[str], own: Sequence[Span]) -> Iterator[tuple[int, int]]:
    for letter in _LETTER.finditer(sentence[0]):
        begins = sentence.start() + letter.start()
        read = any(span.start <= begins < span.end for span in own)
        if _BEFORE.search(sentence[0][: letter.start()]) and not read:
            yield begins, sentence.start() + letter.end()


def _is_example(text: str, sentence: re.Match[str]) -> bool:
    """Whether a sentence is said by somebody else: after "Input:", or quoted and followed by its answer."""
    start = text.rfind("\n", 0, sentence.start()) + 1
    said, rest = text[start : sentence.end()], text[sentence.end() :].split("\n", 1)[0]
    return bool(_EXAMPLE.match(said) or (said.count('"') % 2 and _ANSWERED.match(rest)))


# '"Explain the tides." → "no"'
_ANSWERED = re.compile(r"[^\"]*\"\s*(?:->|=>|→)\s*\S")


def _orders(
    sentence: re.Match[str], own: Sequence[Span], known: frozenset[str], labelled: bool, form: str
) -> Iterator[tuple[int, int]]:
    offset = sentence.start()
    for match in _verbs(sentence[0], known):
        start, end = offset + match.start(), offset + match.end()
        before = sentence[0][: match.start()]
        if not _BEFORE.search(before) or NEGATED.search(_LABEL_IN_QUOTES.sub(" ", before)):
            continue
        # The verb that a reader's span belongs to asks for what was read.
        if any(start < span.end and span.start < end for span in own) and not _FOLLOWS.search(match["object"]):
            continue
        if _is_no_order(match, before, labelled=labelled):
            continue
        if (alone := _ALONE.match(match["object"])) and re.search(rf"\b{alone['noun']}\b", form, re.IGNORECASE):
            continue
        more = bool(_COORDINATED.search(before))
        rates = match["verb"].lower() in _RATES and not more
        if not rates and not _is_itself(match["object"], known, more=more):
            yield start, end
    for match in _FOLLOWS.finditer(sentence[0]) if own else ():
        if _OF_INPUT.match(sentence[0][: match.start()]):
            continue
        # After a label, a percentage is another value.
        besides = labelled and bool(_MEASURED.search(match["what"]))
        if (besides or not _is_itself(match["what"], known)) and not any(
            offset + match.start("what") < span.end and span.start < offset + match.end() for span in own
        ):
            yield offset + match.start(), offset + match.end()


def _is_no_order(match: re.Match[str], before: str, *, labelled: bool) -> bool:
    """Whether others do what a verb says, or the label that was read is what it orders."""
    sorts = labelled and match["verb"].lower() == "assign" and _SORTS.search(match["object"])
    return bool(sorts or _THEY.search(before))


def _verbs(sentence: str, known: frozenset[str]) -> Iterator[re.Match[str]]:
    """The verbs of a sentence that may order something: no nouns, and no labels ('"correct" means that it is correct')."""
    for match in _VERB.finditer(sentence):
        marked = sentence[: match.start()].endswith(('"', "'", "`", "“"))
        label = match["verb"].lower() in known and (marked or not match["object"].strip())
        listed = match["verb"].lower() == "list" and match["object"].startswith(" of ")
        if not label and not listed and not _NOUN.match(match["object"]):
            yield match


# "Given the letter and the map, decide": what is looked at
_OF_INPUT = re.compile(
    r"\W*(?:(?:please|first|carefully) )*(?:given|based on|using|read|look at|from|compare|consider|study|after|you (?:will )?(?:get|see|receive|are given))\b[^,;:.]*\Z",
    re.IGNORECASE,
)
# "Write a reply to the owner": a text, and not the answer itself
_LETTER = re.compile(
    r"\b(?:write|draft|compose|generate|create|prepare) (?:an? |the )?(?:[\w-]+ )?(?:reply|response|answer|message|email|letter) (?:to|for) (?:the|an?|his|her|their|our|them|him)\b",
    re.IGNORECASE,
)
# "Choose the berth: inner, outer or none. Output the berth only"
_ALONE = re.compile(
    r"\s+(?:with )?(?:the |its |your |a |only |just )*(?P<noun>[a-z]+)(?: name)? (?:only|alone|and nothing else)\b",
    re.IGNORECASE,
)
# "unless they also say what they think of it": what others say
_THEY = re.compile(
    r"\b(?:they|he|she|who|customers|users|people|authors|reviewers|readers)(?: (?:also|then|even|only|just|do|must|should|can|may|will))*\s*\Z",
    re.IGNORECASE,
)
# "Assign the report to a path": the order that the label answers
_SORTS = re.compile(r"\bto (?:an?|one|its|the (?:right|best|correct|fitting|most \w+)) [\w -]+\Z", re.IGNORECASE)
_ONLY = re.compile(r"\A\s*(?:with\s+)?(?:only|just|exactly|(?=nothing (?:but|except|other than)\b))")


def _is_itself(what: str, known: frozenset[str], *, more: bool = False) -> bool:
    """Whether what is asked for is the answer that was read, or its explanation, which the proposal knows.

    Args:
        more: Whether a word such as "also" says that it is asked for besides.
    """
    if EXPLAINS.search(what) or _WORKING.search(what):
        return True
    phrase = _PREPOSITION.split(_ONLY.sub("", what.lower()), maxsplit=1)[0]
    words = [word for word in re.findall(r"[a-z][\w'-]*", phrase) if word not in _SKIPPED]
    if not words:
        return not more
    return words[-1] in _ITSELF or words[0] in _ITSELF or any(word in known for word in words)


def _known_words(fields: Sequence[Field]) -> frozenset[str]:
    words: set[str] = set()
    for item in fields:
        words |= set(item.name.lower().split("_"))
        for label in item.schema.get("enum", ()):
            words |= set(re.findall(r"[\w']+", str(label).lower()))
    return frozenset(words | {f"{word}s" for word in words})
