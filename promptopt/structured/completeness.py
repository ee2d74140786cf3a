"""Whether the fields that were read are all that a prompt asks for: what no reader covered and asks for more says no.

A cap or a reader of a part would cut the rest off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
_NEGATED = re.compile(
    r"\b(?:not|n['’]t|never|without|no|nor|avoid|instead of|rather than|cannot|nor)\b[^.!?\n]{0,80}\Z", re.IGNORECASE
)
# "No" may be a label.
_LABEL_IN_QUOTES = re.compile(r"[\"'`“]\w+[\"'`”]")
# The answer itself, in the words that prompts have for it.
_ITSELF = frozenset(
    re.findall(
        r"\S+",
        """answer answers response reply output result score rating grade number integer value label labels category class classification verdict
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
_COORDINATED = re.compile(r"\b(?:and|then|also|additionally|finally|next)\s*\Z", re.IGNORECASE)
_WORKING = re.compile(r"\b(?:work|working|calculations?|thinking|thought process)\b", re.IGNORECASE)
_SKIPPED = frozenset(
    re.findall(r"\S+", "a an the your its our my their his her of or and same also always please valid")
)
_SEVERAL = re.compile(
    r"\b(?:on|for|against|by|across|along) (?:each of |all of )?(?:the |these |those |its )?(?:following |below |several |two |three |four |five |six |\d )*"
    r"(?:criteria|dimensions|aspects|qualities|axes|categories below|metrics)\b"
    r"|,\s*each\s+(?:from|on|between|with|a\b|one)|\b(?:each|every) (?:criterion|dimension|aspect|metric|category|item|sentence|statement|claim|passage|document|question|row|line)\b"
    r"|\A\W*for each\b|\brespectively\b",
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
_SECTIONS = re.compile(
    r"\b(?:these|the following|\w+) sections\s*:|^#{1,4}[ \t]+\w[^\n]*\n+(?:[^\n#]+\n+)*?#{1,4}[ \t]+(?:verdict|conclusion|summary)\b",
    re.IGNORECASE | re.MULTILINE,
)
EXPLAINS = re.compile(
    r"\b(?:expla\w+|justif\w+|rationale|reasons?(?:ing)? (?:for|of|behind|why)|your reason(?:ing)?|(?:provide|give|with|include|write|state) (?:a |an |the |your )?(?:\w+ )?reason(?:ing)?\b|why)\b",
    re.IGNORECASE,
)
_SCHEMA_VARIABLE = re.compile(
    r"\{[\w.]*(?:schema|format_instructions|output_format|response_format)[\w.]*\}|\{\{-?\s*[\w.]*(?:schema|format_instructions"
    r"|output_format|response_format)[\w.]*",
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
        shown = " ".join(document.text[start:end].replace(MASK, " ").split())
        return f"line {document.line(start)} asks for more than one value: {shown[:60]!r}"
    return None


def form_in_variable(document: PromptText) -> str | None:
    """Where a variable holds the form of the answer; ``None`` if none does."""
    variable = _SCHEMA_VARIABLE.search(document.source)
    if variable is None:
        return None
    line = document.source.count("\n", 0, variable.start()) + 1
    return f"line {line}: the form of the answer is in a variable of the template"


# Where an answer's JSON is shown under a label; what it says is not read if it is in a branch or in a raw block.
_SHOWN_JSON = re.compile(
    r"\b(?:outputs?|answer|respon[ds]e?|reply|result|assistant|return)\b[^\n{]{0,60}?:?\W*?(?:```\w*\s*)?\{+\s*[\"'](?P<key>\w[\w -]*)[\"']\s*:",
    re.IGNORECASE,
)
# "THOUGHT: <THOUGHT>", and then the JSON.
_PART = re.compile(
    r"^[ \t*#]*(?P<name>thoughts?|thinking|reasoning|analysis|explanation|rationale|scratchpad)[ \t*]*:[ \t*]*\n?[ \t]*(?:[<\[({]|\.\.\.)",
    re.IGNORECASE | re.MULTILINE,
)


def unread_json(document: PromptText, fields: Sequence[Field]) -> str | None:
    """Where the source shows an answer in JSON that no reader saw; ``None`` if it does not, or has the same keys."""
    known = {item.name.lower() for item in fields}
    shown = next((match for match in _SHOWN_JSON.finditer(document.source) if match["key"].lower() not in known), None)
    if shown is None:
        return None
    line = document.source.count("\n", 0, shown.start("key")) + 1
    return f"line {line}: an answer is shown as JSON with the key {shown['key']!r}, which is not read"


def part_beside(document: PromptText, fields: Sequence[Field]) -> str | None:
    """A part with a label that comes beside the JSON of an answer; ``None`` if there is none."""
    known = {item.name.lower() for item in fields}
    for match in _PART.finditer(document.text):
        if match["name"].lower() not in known:
            return (
                f"line {document.line(match.start('name'))}: {match['name']!r} is a part of the answer beside its JSON"
            )
    return None


def wants_json(document: PromptText) -> bool:
    """Whether the prompt speaks of JSON, so that a bare value is not its answer."""
    return bool(_JSON.search(document.text))


def _signs(document: PromptText, fields: Sequence[Field], covered: Sequence[Span]) -> Iterator[tuple[int, int]]:
    text = document.text
    known = _known_words(fields)
    labelled = len(fields) == 1 and fields[0].schema.get("type") == "string" and "enum" in fields[0].schema
    for match in _DESCRIBES.finditer(text):
        span = Span(*match.span())
        words = set(re.findall(r"[a-z][\w'-]*", match["rest"].lower())) - _ITSELF - _SKIPPED - known
        if not any(span.overlaps(other) for other in covered) and len(words) > _HARMLESS:
            yield match.span()
    for match in _SECTIONS.finditer(text):
        yield match.span()
    for sentence in _SENTENCE.finditer(text):
        if _EXAMPLE.match(text[text.rfind("\n", 0, sentence.start()) + 1 : sentence.end()]) or document.depends(
            Span(*sentence.span())
        ):
            continue
        own = [span for span in covered if span.overlaps(Span(*sentence.span()))]
        for pattern in (_SEVERAL, _HOW) if own else (_HOW,):
            for match in pattern.finditer(sentence[0]):
                yield sentence.start() + match.start(), sentence.start() + match.end()
        yield from _orders(sentence, own, known, labelled)


def _orders(
    sentence: re.Match[str], own: Sequence[Span], known: frozenset[str], labelled: bool
) -> Iterator[tuple[int, int]]:
    offset = sentence.start()
    for match in _VERB.finditer(sentence[0]):
        start, end = offset + match.start(), offset + match.end()
        before = sentence[0][: match.start()]
        if not _BEFORE.search(before) or _NEGATED.search(_LABEL_IN_QUOTES.sub(" ", before)):
            continue
        # The verb that a reader's span belongs to asks for what was read.
        if any(start < span.end and span.start < end for span in own) and not _FOLLOWS.search(match["object"]):
            continue
        more = bool(_COORDINATED.search(before))
        rates = match["verb"].lower() in _RATES and not more
        if not rates and not _is_itself(match["object"], known, more=more):
            yield start, end
    for match in _FOLLOWS.finditer(sentence[0]) if own else ():
        # After a label, a percentage is another value.
        besides = labelled and bool(_MEASURED.search(match["what"]))
        if (besides or not _is_itself(match["what"], known)) and not any(
            offset + match.start("what") < span.end and span.start < offset + match.end() for span in own
        ):
            yield offset + match.start(), offset + match.end()


def _is_itself(what: str, known: frozenset[str], *, more: bool = False) -> bool:
    """Whether what is asked for is the answer that was read, or its explanation, which the proposal knows.

    Args:
        more: Whether a word such as "also" says that it is asked for besides.
    """
    if EXPLAINS.search(what) or _WORKING.search(what):
        return True
    phrase = _PREPOSITION.split(what.lower(), maxsplit=1)[0]
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
