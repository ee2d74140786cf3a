"""The deletions that a schema allows: templates of the answer, the lines that lead to them, and prose on the form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.compression.edit import Edit
from promptopt.structured.edits.layout import COUNT_OF_LAYOUT, LAYOUT_CUE, layout_edits, layout_words
from promptopt.structured.edits.said_of_parts import names_of, says_of_part
from promptopt.structured.edits.shown_json import CODE
from promptopt.structured.edits.whole_edits import goes_on
from promptopt.structured.fields import BOUNDARY, MASK, Inferred, PromptText, Span

# A sentence of nothing but these words, labels and names of fields says nothing that a schema does not enforce.
_VOCABULARY = frozenset(
    re.findall(
        r"\S+",
        """a all also always an and answer answered answers any anything as backtick backticks be block blocks bool brackets brief
    by can category choice choose code comment comments containing correct curly do don't double else emit either every
    exactly extra field fields fence fences fenced following for form format formatted formatting from full give given has
    have helper i important in include includes including intent is it its json just key keys label labels like
    likes line list make markdown may must no not nothing object of on one only option options or other out output
    outputs outside parse parseable please plain prefix postfix produce property provide pure quotes raw remember reply
    respond response responses result return returned schema select sentence should shown simply single snippet snippets
    specified start strict strictly string structure structured style suffix sure surrounding syntax tag tags task text that
    the then these this those to use used using valid value values very want wanted well well-formed whole with within without
    wish word words wrap write you your below above exact follow follows following: else additional none accept accepts accepted
    two three four five six seven eight nine ten after end before markup pick its either
    fit fits matches matching conform conforms conforming adhere adheres adhering according validate validates shape""",
    )
)


# Markdown that nobody will see.
_MARKDOWN = frozenset(
    re.findall(
        r"\S+",
        """bold italic italics italicized asterisks bulleted bullet bullets numbered lists sections section requested warnings notes
    header headers heading headings followed readable maximally content formatting just such as warning note create basic
    highlight rendering ensure instructions""",
    )
)


_EXPLAINING = frozenset(
    re.findall(
        r"\S+",
        "short brief concise explanation explain why reason reasons justification decision choice sentence one in give afterwards",
    )
)


_FORMAT_CUE = re.compile(
    r"\b(?:json|format\w*|answer|respond|reply|return|output|emit|one word|single word|only|either|one of|write|structure|explanation|explain)\b",
    re.IGNORECASE,
)


# Where the input is, and the marks of a block.
_NO_FORMAT = re.compile(
    r"\b(?:following|below|above|this|that|given) (?:text|input|context|data|code|sentence|question)\b|^\[|\bexamples?\b|(?:\bnot|\bnever|n['’]t) (?:answer|respond|reply)(?! (?:with|in|as)\b)",
    re.IGNORECASE,
)


_SENTENCE = re.compile(rf"[^\s{BOUNDARY}][^\n{BOUNDARY}]*?(?:[.!?](?=[\s\"'){BOUNDARY}]|$)|(?=[\n{BOUNDARY}]|$))")


_LAST_LINE = re.compile(rf"[^\n{BOUNDARY}]*?(?:[.!?](?=[\s\"'){BOUNDARY}]|\Z)|(?=[\n{BOUNDARY}])|\Z)", re.MULTILINE)


_LEAD = re.compile(
    r"(?:^|(?<=[.!?\n]))[ \t]*[^\n.!?]*\b(?:json|format|output|return|respond|answer|structure|form)\b[^\n.!?]*[:.]?[ \t]*\n*\Z",
    re.IGNORECASE,
)


# "Which team is it, and why?": the question stays, what nobody reads is removed.
_AND_WHY = re.compile(r",? and why(?=[ \t]*\?)", re.IGNORECASE)


_FENCE_BEFORE = re.compile(r"(?:```|~~~)\w*[ \t]*\n?[ \t]*\Z")


_FENCE_AFTER = re.compile(r"[ \t]*\n?[ \t]*(?:```|~~~)[ \t]*")


def carried_edits(document: PromptText, inferred: Inferred, *, drop_explanation: bool) -> list[Edit]:
    """The deletions that a schema allows: templates of the answer with the line that leads to them, and format prose."""
    shown = [_block(document, span) for span in inferred.carried if MASK not in document.text[span.start : span.end]]
    blocks = [span for span in shown if span is not None]
    layout = layout_words(document, inferred)
    words = _words_of(inferred) | layout
    names = names_of(inferred) if inferred.whole else frozenset()
    edits = [
        Edit(span.start, _with_space(document.text, span.end), "", CODE, "the schema carries the form of the answer")
        for span in blocks
    ]
    for span in _sentences(document):
        if any(span.overlaps(block) for block in blocks) or document.depends(span):
            continue
        if inferred.whole and any(span.overlaps(form) for form in inferred.covered):
            continue  # a line of the form that stays
        if _leads_on(document.text, span, blocks):
            continue
        if says_of_part(document.text[span.start : span.end], names):
            continue
        said = COUNT_OF_LAYOUT.sub("", document.text[span.start : span.end]) if layout else None
        if _is_format(
            said or document.text[span.start : span.end],
            words,
            drop_explanation=drop_explanation,
            cue=LAYOUT_CUE if layout else _FORMAT_CUE,
        ):
            end = _with_space(document.text, span.end)
            edits.append(Edit(_after_mark(document.text, span.start, end), end, "", CODE, "the schema carries it"))
    # A form in JSON is whole: what is asked with "and why" belongs to one of its keys.
    if drop_explanation and inferred.whole != "JSON":
        edits += [
            Edit(match.start(), match.end(), "", CODE, "nothing reads the explanation")
            for match in _AND_WHY.finditer(document.text)
            if not document.depends(Span(*match.span()))
        ]
    edits += layout_edits(document, inferred, CODE)
    if _pointed_at(document.text, edits):
        # "the schema shown below": it stays.
        edits = [edit for edit in edits if not any(span.start == edit.start for span in blocks)]
    return _merged(edits, document)


_POINTS_AT = re.compile(
    r"\b(?:schema|format|structure|template|shape|layout)\b(?:\s(?:that\sis|which\sis|as))?(?:\s(?:shown|given|described|defined|listed|specified|provided|outlined))?\s+(?:exactly\s)?(?:below|above|here)\b",
    re.IGNORECASE,
)


def _pointed_at(text: str, edits: Sequence[Edit]) -> bool:
    """Whether a sentence that stays sends the reader to a form of the prompt."""
    return any(not any(edit.start <= match.start() < edit.end for edit in edits) for match in _POINTS_AT.finditer(text))


# The next line goes on with the sentence, or is what it leads to.
_GOES_ON = re.compile(r"[ \t]*\n[ \t]+(?![-*•]|\d+[.)])[a-z]")


def _leads_on(text: str, span: Span, blocks: Sequence[Span]) -> bool:
    """Whether a sentence would leave a part of it, or what it leads to, without its begin."""
    said = text[span.start : span.end].rstrip()
    if said.endswith(":"):
        following = len(text) - len(text[span.end :].lstrip())
        return not any(block.start <= following < block.end for block in blocks)
    return not said.endswith((".", "!", "?")) and _GOES_ON.match(text, span.end) is not None


def _words_of(inferred: Inferred) -> frozenset[str]:
    """The words that labels and names of fields are made of."""
    words: set[str] = set()
    for item in inferred.fields:
        words |= set(re.findall(r"[\w']+", item.name.lower().replace("_", " ")))
        for label in item.schema.get("enum", ()):
            words |= set(re.findall(r"[\w']+", str(label).lower()))
    return frozenset(words | {f"{word}s" for word in words})


_LEADS_TO = re.compile(r"→|⇒|↦|->|=>")


def _is_format(sentence: str, words: frozenset[str], *, drop_explanation: bool, cue: re.Pattern[str]) -> bool:
    told = _FORMAT_CUE.search(sentence) or cue.search(sentence)
    if sentence.rstrip().endswith("?"):
        return False  # "Is the answer correct?" is the task
    if _LEADS_TO.search(sentence):
        return False  # "Victoria line" → VICTORIA says which label is whose
    if MASK in sentence or _NO_FORMAT.search(sentence) or not told or len(sentence) > 400:
        return False
    spoken = _spoken(sentence)
    if len(spoken) < 3 or (re.search(r"\d", re.sub(r"\b(?:[1-9]|10)\b", "", sentence)) and not words & set(spoken)):
        return False
    known = _VOCABULARY | _MARKDOWN | words | (_EXPLAINING if drop_explanation else frozenset())
    if any(word not in known for word in spoken):
        return False
    numbers = set(re.findall(r"\d+", sentence)) - {number for word in words for number in re.findall(r"\d+", word)}
    return not numbers


def _spoken(text: str) -> list[str]:
    """The words of a text in small letters, a verb that is drawn together with the word before left out: "it's"."""
    plain = text.lower().replace("’", "'").replace("—", " ")
    return re.findall(r"[a-z][\w'-]*", re.sub(r"'(?:s|re|ll|ve|d)\b", "", plain))


def _sentences(document: PromptText) -> Iterator[Span]:
    """The sentences, each with all its lines and the mark of the item that it begins."""
    text, position = document.text, 0
    while match := _SENTENCE.search(text, position):
        position = match.end()
        while position > match.start() and text[position : position + 1] == "\n" and goes_on(text, position):
            further = _LAST_LINE.match(text, position + 1)
            if further is None or further.end() <= position + 1:
                break
            position = further.end()
        yield Span(match.start(), position)
        position = max(position, match.start() + 1)


_MARK = re.compile(r"[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+")


def _after_mark(text: str, start: int, end: int) -> int:
    """Where a sentence begins that goes: after the mark of its item, if the rest of the item stays."""
    mark = _MARK.match(text, start, end)
    return mark.end() if mark and text[end : end + 1] not in ("", "\n") else start


def _with_space(text: str, end: int) -> int:
    while end < len(text) and text[end] in " \t":
        end += 1
    return end


def _block(document: PromptText, span: Span) -> Span | None:
    """A template with its fence and the line that leads to it; ``None`` if that line says more and leads nowhere then."""
    text = document.text
    start, end = span.start, span.end
    if (before := _FENCE_BEFORE.search(text, 0, start)) and (after := _FENCE_AFTER.match(text, end)):
        start, end = before.start(), after.end()
    head = text[max(0, start - 300) : start]
    lead = _LEAD.search(head)
    if (
        lead
        and MASK not in lead[0]
        and all(word in _VOCABULARY or word == "json-formatted" for word in _spoken(lead[0]))
    ):
        start -= len(lead[0].lstrip())
    elif head.rstrip(" \t\n*_").endswith(":"):
        return None
    return Span(start, end)


def _merged(edits: list[Edit], document: PromptText) -> list[Edit]:
    """Edits in order; a line that is left empty is removed."""
    merged: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.start):
        if merged and edit.start < merged[-1].end:
            continue
        if merged and not document.text[merged[-1].end : edit.start].strip(" \t"):
            merged[-1] = Edit(merged[-1].start, edit.end, "", CODE, merged[-1].message)
            continue
        merged.append(edit)
    return [_whole_line(edit, document.text) for edit in merged]


_MARK_ONLY = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]*")


def _whole_line(edit: Edit, text: str) -> Edit:
    start = text.rfind("\n", 0, edit.start) + 1
    newline = text.find("\n", edit.end)
    rest = text[edit.end : len(text) if newline < 0 else newline]
    before = text[start : edit.start]
    if _MARK_ONLY.fullmatch(before) and not rest.strip():
        before = ""  # the mark of the item goes with it
    if not before.strip() and not rest.strip() and newline >= 0 and MASK not in before + rest:
        return Edit(start, newline + 1, "", edit.rule, edit.message)
    if before and before[-1] in " \t" and not rest.strip():
        trimmed = start + len(before.rstrip())
        return Edit(trimmed, edit.end, "", edit.rule, edit.message)
    return edit
