"""Lines that a prompt shows instead of saying: code, charts, logs, verse, dialogues, what is to be said word for word.

They are recognised by their form or by the line that announces them. A line that is taken for shown text without need
costs a saving; one that is not recognised may be edited, and then the prompt shows something else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from promptopt.compression.text.address import ITEM, between_heads, given_under
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.conversations import conversations
from promptopt.compression.text.line_forms import NOUNS, LineForm, line_form, lines_of
from promptopt.compression.text.notation import nested_quotes
from promptopt.compression.text.recorded import recorded

_CODE = re.compile(r"^[ \t]*(?:(?:async )?def|class|return|import|from)\b|^[ \t]*\w+[ \t]*=[ \t]*\S", re.MULTILINE)
# A comment right above a call or an assignment; a heading has a line of words under it.
_COMMENTED = re.compile(
    r"^[ \t]*(?:#|//|--)[ \t]?\S[^\n]*\n[ \t]*(?:await[ \t]+)?[\w.]+(?:\([^\n]*|[ \t]*[-+*/]?=[ \t]*\S[^\n]*)$",
    re.MULTILINE,
)
# The rest of the line that begins so is what is said.
_SAYS = AnyCase(
    rf"\b(?:(?P<named>(?:exact|exactly|following|these|this|the)\s+(?:\w+\s+){{0,2}}(?:{NOUNS}))|verbatim|like(?:\s+this)?|"
    r"(?:translate|classify|correct|summari[sz]e|rewrite|rephrase|paraphrase|proofread|label|tag|simplify|shorten|edit|"
    r"repeat|echo|recite|chant|copy|greet|say|print|shout|sing|read)\b[^.:\n]{0,60}?|"
    rf"(?:add|append|include|insert|put|attach)\b[^.:\n]{{0,40}}?\b(?:note|warning|sentence|{NOUNS})\b[^.:\n]{{0,40}}?|"
    r"(?:error|message|warning|output|slogan|title)\s+(?:is|was)|key\s?(?:words|phrases)|hashtags|synonyms|"
    r"word\s+for\s+word|tells?(?:\s+\w+){1,4}|says?|said|asks?|asked|writes|wrote|shouts?|types?|typed|sings?|sang|replies|replied|answers|"
    r"answered|reads|states|stated|whispers?|yells?|"
    r"(?:say|write|print|echo|reply|respond|answer)(?:\s+\w+){0,2}\s+with|"
    r"(?:begin|start|end|open|close|finish)\b[^.:\n]{0,40}?\bwith\b(?!\s+one\b)[^.:\n]{0,40}?)"
    r"[*_)]*:[ \t*_]*(?=[^\s*_])",
)
_CHAT = frozenset({"system", "user", "human", "assistant", "ai", "bot", "model", "q", "a"})
_ANSWERING = frozenset({"assistant", "ai", "bot", "model", "a"})
_ANSWERED = ("output", "answer", "response", "reply", "completion")
_VERSE_STEMS = ("poem", "limerick", "haiku", "sonnet", "lyric", "song", "verse", "rhyme", "stanza")
_VERSE_WORDS = re.compile(
    r"\b(?:poems?|limericks?|haikus?|sonnets?|lyrics|songs?|verses?|rhymes?|stanzas?)\b", re.IGNORECASE
)
LONGEST_VERSE = 60
"""Characters of a line of verse."""
LONGEST_BARE = 40
"""Characters of a line of verse without capitals and stops."""
# "phrases such as in order to", "the phrase it is late": words that are spoken of, up to the end of the sentence.
_MENTIONED = re.compile(
    r"\b(?:(?:phrases|words|expressions|openers|fillers)\s+(?:such\s+as|like|including)"
    r"|the\s+(?:phrase|expression|motto|slogan)s?"
    r"(?=\s+(?!(?:that|which|who|is|are|was|were|of|in|on|to|for|from|and|or|should|must|can|will|may|has|have)\b)[a-z]))"
    r"\s[^.\n]*"
)
_MENTIONING = ("phrase", "words", "expression", "openers", "fillers", "motto", "slogan")


class _Line(NamedTuple):
    start: int
    end: int
    text: str
    form: LineForm


class _Paragraph(NamedTuple):
    start: int
    end: int
    lines: tuple[str, ...]
    forms: tuple[LineForm, ...]
    shape: _Shape


class _Shape(NamedTuple):
    """What the lines of a paragraph look like together.

    Attributes:
        shown: Whether they show something, wherever the paragraph is.
        table: Whether they may be a Markdown table, which has rules of its own.
        likely: Whether one may be code.
        indent: Blanks at the beginning of all of them.
        colon: Whether one has a colon.
        pairs: Whether several are an input and its answer.
    """

    shown: bool
    table: bool
    likely: bool
    indent: int
    colon: bool
    pairs: bool


def _lines(masked: str) -> Iterator[_Line]:
    for start, text in lines_of(masked):
        yield _Line(start, start + len(text), text, line_form(text))


def _paragraphs(lines: Iterable[_Line]) -> Iterator[_Paragraph]:
    """The runs of lines without an empty one between."""
    run: list[_Line] = []
    for line in lines:
        if not line.form.blank:
            run.append(line)
        elif run:
            yield _paragraph(run)
            run = []
    if run:
        yield _paragraph(run)


def _paragraph(run: Sequence[_Line]) -> _Paragraph:
    starts, ends, texts, forms = zip(*run, strict=True)
    return _Paragraph(starts[0], ends[-1], texts, forms, _shape(texts))


@lru_cache(maxsize=4096)
def _shape(lines: tuple[str, ...]) -> _Shape:
    """The shape of a paragraph; most are the same in the next pass over a text."""
    forms = [line_form(line) for line in lines]
    table = all(form.row for form in forms)
    likely = sum([form.likely and not form.item for form in forms])
    return _Shape(
        shown=not table and _is_shown(lines, forms, likely),
        table=table,
        likely=likely > 0,
        indent=min([form.indent for form in forms]),
        colon=any(form.colon for form in forms),
        pairs=sum([form.pair for form in forms]) > 1,
    )


def _is_shown(lines: Sequence[str], forms: Sequence[LineForm], likely: int) -> bool:
    if any(form.certain for form in forms) or (likely >= 2 and likely * 3 >= len(lines)):
        return True
    if sum([form.option for form in forms]) >= 2:
        return True
    records = sum([form.record for form in forms])
    if records > 1 and all(form.record or line[:1] in " \t-" for line, form in zip(lines, forms, strict=True)):
        return True
    if any(form.comment for form in forms) and _COMMENTED.search("\n".join(lines)):
        return True
    return len(lines) > 1 and {"+", "-"} <= {line[:1] for line in lines}


def shown(masked: str) -> Iterator[tuple[int, int]]:
    """The ranges of shown text; ``masked`` is the text in which what is protected already is masked."""
    lines = list(_lines(masked))
    found = list(_paragraphs(lines))
    base = min((paragraph.shape.indent for paragraph in found), default=0)
    forms = [_has_shown_form(one, found[index - 1] if index else None, base) for index, one in enumerate(found)]
    yield from ((one.start, one.end) for one, has_form in zip(found, forms, strict=True) if has_form)
    yield from _comments(found, forms)
    verse = _speaks_of_verse(masked)
    yield from ((one.start, one.end) for one in found if _is_verse(one.lines, named=verse))
    yield from _announced(masked, lines, found)
    yield from (span for one in found for span in _pairs(one))
    yield from _mentioned(masked)
    yield from ((line.start + start, line.start + end) for line in lines for start, end in line.form.shown)
    yield from between_heads((line.start, line.end, line.form.head) for line in lines if line.form.head)
    yield from given_under(masked, (line.start + line.form.given for line in lines if line.form.given >= 0))
    yield from recorded(found)
    yield from conversations(masked)
    yield from _numbered_examples(masked, lines, found)
    yield from _turns(masked, lines)
    yield from _dialogues(found)
    yield from nested_quotes(masked)


def _has_shown_form(paragraph: _Paragraph, before: _Paragraph | None, base: int) -> bool:
    shape = paragraph.shape
    if shape.shown or shape.table or before is None:
        return shape.shown
    # Markdown's own form of code: four blanks, under a line that is no item.
    indented = shape.indent >= base + 4 and before.shape.indent < shape.indent
    return indented and shape.likely and not before.forms[0].item


def _comments(found: Sequence[_Paragraph], forms: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Paragraphs of comments alone between two of code."""
    waiting: list[_Paragraph] = []
    after_code = False
    for one, has_form in zip(found, forms, strict=True):
        is_code = bool(has_form or waiting) and _CODE.search("\n".join(one.lines)) is not None
        if has_form or is_code:
            yield from ((comment.start, comment.end) for comment in waiting)
            waiting, after_code = [], is_code
        elif after_code and all(line.lstrip().startswith("# ") for line in one.lines):
            waiting.append(one)
        else:
            waiting, after_code = [], False


def _speaks_of_verse(masked: str) -> bool:
    lower = masked.lower()
    return any(stem in lower for stem in _VERSE_STEMS) and _VERSE_WORDS.search(masked) is not None


@lru_cache(maxsize=4096)
def _is_verse(lines: tuple[str, ...], *, named: bool) -> bool:
    """Short lines with capitals that sentences run over: three or more, a third of them with a comma at the end.

    Where verse is spoken of, its lines need no capitals, nor do four lines without any stop.
    """
    lines = tuple(line.strip() for line in lines)
    if len(lines) < 3 or any(len(line) > LONGEST_VERSE or ITEM.match(line) or line.endswith(":") for line in lines):
        return False
    if not all(line[0].isupper() or not line[0].isalpha() for line in lines):
        if len(lines) > 3 and all(line[-1].isalpha() and len(line) <= LONGEST_BARE for line in lines):
            return True
        if not named:
            return False
    open_ended = sum(line.endswith((",", ";", "—", "-")) for line in lines)
    bare = sum(line[-1].isalpha() for line in lines)
    return open_ended * 3 >= len(lines) or (named and (open_ended + bare) * 2 >= len(lines))


def _mentioned(masked: str) -> Iterator[tuple[int, int]]:
    """Words that are spoken of, looked for where one of the words is that speak of them."""
    done = 0
    for place in sorted(found.start() for noun in _MENTIONING for found in re.finditer(noun, masked)):
        article = len(masked[:place].rstrip()) - len("the")
        for start in (article, place):
            if start >= done and (match := _MENTIONED.match(masked, start)):
                done = match.end()
                yield match.span()


_WORD = re.compile(r"[^\W_]")


def _announced(masked: str, lines: Sequence[_Line], found: Sequence[_Paragraph]) -> Iterator[tuple[int, int]]:
    """What follows a line that announces it: the rest of its line, its paragraph, or the next one.

    "The following words:" stays with what it announces: without its article, the next pass would not know it. What is
    protected anyway needs no announcement.
    """
    for start, end, is_named in _said(lines):
        newline = masked.find("\n", end)
        line_end = len(masked) if newline < 0 else newline
        named = is_named and _WORD.search(masked, end, line_end)
        yield start if named else end, line_end
    for index, paragraph in enumerate(found):
        if paragraph.shape.colon:
            yield from _introduced(masked, paragraph, found[index + 1] if index + 1 < len(found) else None)


def _introduced(masked: str, paragraph: _Paragraph, following: _Paragraph | None) -> Iterator[tuple[int, int]]:
    """What a line of a paragraph announces in the paragraph itself, and in the one after it."""
    starts = list(accumulate((len(line) + 1 for line in paragraph.lines), initial=paragraph.start))
    begun = listed = False
    for number, (line, form) in enumerate(zip(paragraph.lines, paragraph.forms, strict=True)):
        is_last = starts[number + 1] > paragraph.end
        if form.result and not is_last:
            yield starts[number] + len(line), paragraph.end
        if form.begins_example >= 0 and not begun:
            begun = True
            yield starts[number] + form.begins_example, paragraph.end
        # The items right under a line such as "... Example entries:".
        if form.examples_follow and not is_last and not listed:
            listed = True
            yield starts[number + 1], paragraph.end
    announces = paragraph.forms[-1].announces
    if announces >= 0 and following is not None and not following.forms[0].item:
        yield following.start, following.end
        if _WORD.search(masked, following.start, following.end):
            yield starts[-2] + announces, paragraph.end
    # "... these lines:" with its lines right under it.
    for number, (form, under) in enumerate(pairwise(paragraph.forms)):
        if form.announces >= 0 and not under.item:
            said = _WORD.search(masked, starts[number + 1], paragraph.end) is not None
            yield starts[number] + form.announces if said else starts[number + 1], paragraph.end
            break


def _said(lines: Sequence[_Line]) -> Iterator[tuple[int, int, bool]]:
    """The words that announce the rest of their line, and whether they name it; they are on two lines at most."""
    before = _Line(0, 0, "", line_form(""))
    done = False
    for line in lines:
        if line.form.goes_on:
            # What is on the line before was read with it if that has such words as well.
            text = f"\n{line.text}" if done else f"{before.text}\n{line.text}" if line.start else line.text
            begin = line.end - len(text)
            yield from ((begin + start, begin + end, named) for start, end, named in _saying(text))
        before, done = line, line.form.goes_on


@lru_cache(maxsize=4096)
def _saying(text: str) -> tuple[tuple[int, int, bool], ...]:
    return tuple((*match.span(), match["named"] is not None) for match in _SAYS.finditer(text))


def _numbered_examples(masked: str, lines: Sequence[_Line], found: Sequence[_Paragraph]) -> Iterator[tuple[int, int]]:
    """What is between "Example 1" and "Example 2"; under the last, its paragraph."""
    heads = [line for line in lines if line.form.numbered]
    if not heads:
        return
    yield from ((head.end, following.start) for head, following in pairwise(heads))
    last = heads[-1]
    if level := len(last.text.strip()) - len(last.text.strip().lstrip("#")):
        # A section, up to the next heading that does not belong to it.
        for following in re.finditer(rf"^#{{1,{level}}}[ \t]", masked[last.end :], re.MULTILINE):
            yield last.end, last.end + following.start()
            return
    # One alone may be a word of a sentence.
    if len(heads) < 2:
        return
    under = [one for one in found if one.end > last.end][:2]
    if under:
        yield last.end, under[-1].end if under[0].start <= last.start else under[0].end


def _turns(masked: str, lines: Sequence[_Line]) -> Iterator[tuple[int, int]]:
    """The turns of a recorded chat before its last answer: questions and answers alike are examples."""
    heads = [line for line in lines if line.form.role]
    times = Counter(head.form.role for head in heads)
    # "# Input" may head a section; twice it heads the parts of examples.
    turns = [head for head in heads if head.form.role in _CHAT or times[head.form.role] > 1]
    roles = [turn.form.role for turn in turns]
    answers = [number for number, role in enumerate(roles) if role in _ANSWERING or role.endswith(_ANSWERED)]
    # "Q:" and "A:", with a worked answer: an example even if it is the only one.
    if not answers or (len(turns) < 3 and roles != ["q", "a"]):
        return
    for number, turn in enumerate(turns[: answers[-1] + 1]):
        if turn.form.role != "system":
            yield turn.end, turns[number + 1].start if number + 1 < len(turns) else len(masked)


def _dialogues(found: Sequence[_Paragraph]) -> Iterator[tuple[int, int]]:
    """Lines that speakers take turns at, each with what goes on under it up to the end of its paragraph."""
    found = [one for one in found if one.shape.colon]
    times = Counter(form.speaker for one in found for form in one.forms if form.speaker)
    for one in found:
        # A scene: each line is somebody's, and somebody speaks again.
        names = [form.label for form in one.forms if form.label]
        if 1 < len(set(names)) < len(names):
            if all(form.speaker for form in one.forms):
                yield one.start, one.end
            elif len(names) > 2:
                yield from _scene(one)
    if sum(number > 1 for number in times.values()) < 2:
        return
    for one in found:
        position = one.start
        for line, form in zip(one.lines, one.forms, strict=True):
            if times[form.speaker] > 1:
                yield position, one.end
            position += len(line) + 1


def _scene(paragraph: _Paragraph) -> Iterator[tuple[int, int]]:
    """The lines of speakers in a paragraph that says more, if they are all one under the other."""
    spoken = [bool(form.speaker) for form in paragraph.forms]
    if not any(spoken):
        return
    first, last = spoken.index(True), len(spoken) - spoken[::-1].index(True)
    if all(spoken[first:last]):
        sizes = [len(line) + 1 for line in paragraph.lines]
        yield paragraph.start + sum(sizes[:first]), paragraph.start + sum(sizes[:last]) - 1


def _pairs(paragraph: _Paragraph) -> Iterator[tuple[int, int]]:
    """Lines of an input and its answer, two or more in a paragraph."""
    if paragraph.shape.pairs:
        position = paragraph.start
        for line, form in zip(paragraph.lines, paragraph.forms, strict=True):
            if form.pair:
                yield position, position + len(line)
            position += len(line) + 1
