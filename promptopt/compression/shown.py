"""Lines that a prompt shows instead of saying: code, charts, logs, verse, dialogues, what is to be said word for word.

They are recognised by their form or by the line that announces them. A line that is taken for shown text without need
costs a saving; one that is not recognised may be edited, and then the prompt shows something else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from promptopt.compression.address import ITEM, shown_lines
from promptopt.compression.notation import nested_quotes
from promptopt.compression.recorded import recorded

_BLOCK = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")

# One such line is enough to know that its paragraph is code, a patch, a help text, a chart or a log.
_CERTAIN = re.compile(
    r"^[ \t]*(?:@@.*|diff --git .*|(?:\+\+\+|---) \S+.*|__(?:new|old)[ _]hunk__.*|#!/.*|Traceback \(most recent.*|"
    r"usage:[ \t]+\S+.*|(?:\$|>>>|C:\\[^>\n]*>)[ \t]\S.*|[d-](?:[r-][w-][xsStT-]){3}.*|"
    r"[+|][-=+]{3,}[+|]?.*|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*|<\?(?:xml|php).*|"
    r"(?:(?:async )?def|class)[ \t]+\w+[^\n]*:|import[ \t]+[\w.]+|from[ \t]+[\w.]+[ \t]+import[ \t].*|"
    r"(?:mindmap|timeline|journey|gantt|gitGraph|quadrantChart|(?:xychart|block|sankey)-beta|@startuml)\b[^\n]{0,20}|"
    r"(?:sequence|class|state|er)Diagram\S*|(?:flowchart|graph)[ \t]+(?:TB|TD|BT|RL|LR)\b.*|[A-Z]\w{2,20}>|"
    r"#include[ \t]*[<\"].*|(?:public|private|protected|static)[ \t]+[\w<>\[\] ]+\(.*|function[ \t]+\w+\(.*|"
    r"(?:const|let|var)[ \t]+\w+[ \t]*=.*)$"
    r"|^[^\n]*[│┌┐└┘├┤┬┴┼─═║╔╗╚╝█▓▒░▏▎▍▌▋▊▉■●○◆▲▼][^\n]*$",
    re.MULTILINE,
)
_CODE = re.compile(r"^[ \t]*(?:(?:async )?def|class|return|import|from)\b|^[ \t]*\w+[ \t]*=[ \t]*\S", re.MULTILINE)
# A comment right above a call or an assignment; a heading has a line of words under it.
_COMMENTED = re.compile(
    r"^[ \t]*(?:#|//|--)[ \t]?\S[^\n]*\n[ \t]*(?:await[ \t]+)?[\w.]+(?:\([^\n]*|[ \t]*[-+*/]?=[ \t]*\S[^\n]*)$",
    re.MULTILINE,
)
# Two such lines are.
_LIKELY = re.compile(
    # A line number; an option with its explanation; columns set apart by blanks.
    r"^[ \t]*\d{1,5}(?:[ \t]{2,}|[ \t]*\||[ \t]*[:\t][ \t]*(?=\S*[^\w\s])|[ \t]+[+-])\S?.*$"
    r"|^[ \t]+--?[A-Za-z][\w-]*(?:[, =][^\n]*)?[ \t]{2,}\S.*$"
    r"|^[^\n]*?[^\s.!?:][ \t]{3,}[^\s].*$"
    r"|^[ \t]*(?:return|if|else|elif|for|while|try|except|finally|with|end|fi|done)\b[^\n]*[:;{(][ \t]*$"
    r"|^[ \t]*[\w.\[\]\"']+[ \t]*[-+*/|]?=[ \t]*\S.*$|^[ \t]*[\w.]+\([^()\n]*\)[ \t]*;?[ \t]*$|^[^\n]*[;{}][ \t]*$"
    r"|^[ \t]*(?:#|//|--(?!-)|/\*|\*)[ \t]?\S.*$(?<!:)"
    # A bar of a chart after its label.
    r"|^[ \t]*[\w%.-]+[ \t|:]+(?P<bar>[#*=+@xXo~-])(?P=bar)+(?:[ \t].*)?$"
    r"|^[ \t]*[+-](?![ \t\d-])\S.*$"
    # A log; "WARNING: ..." is said to the model.
    r"|^[ \t]*\[?(?:ERROR|INFO|DEBUG|TRACE|FATAL|WARN|(?:WARNING|NOTICE|CRITICAL)(?!\]?:))\b\]?[ \t:].*$",
    re.MULTILINE,
)
# What stands under such a line is shown: "Write it with these lines:", "EXECUTION RESULT of [pip]:".
_NOUNS = (
    r"words?|lines?|phrases?|sentences?|texts?|messages?|slogan|motto|captions?|poems?|verses?|lyrics|limericks?|songs?|"
    r"haikus?|stor(?:y|ies)|letters?|e-?mails?|posts?|tweets?|comments?|reviews?|dialogues?|conversations?|transcripts?|"
    r"scripts?|scenarios?|passages?|paragraphs?|articles?|excerpts?|logs?|traces?|tracebacks?|charts?|diagrams?|"
    r"code|functions?|programs?|snippets?|commands?|diffs?|patch(?:es)?|files?|tables?|quer(?:y|ies)|questions?|quotes?|"
    r"titles?|names?|templates?|outputs?|output formats?|examples?|samples?|responses?|repl(?:y|ies)|answers?|"
    r"greetings?|prefix|suffix|footer|header|signature|disclaimer|help"
)
_ANNOUNCES = re.compile(
    rf"\b(?:(?:these|this|the|following|exact|exactly|your|an?|my|our|its|his|their|one|with|and)\s+"
    rf"(?:\w+\s+){{0,2}}(?:{_NOUNS})"
    r"(?:\s+(?:below|here|verbatim|exactly|(?:in|from|by|for)(?:\s+\w+){1,4}))?|like(?:\s+(?:this|so|these))?|as\s+follows|verbatim|word\s+for\s+word|e\.g\.?|"
    r"for\s+(?:example|instance)|"
    r"(?:translate|summari[sz]e|classify|rewrite|correct|proofread|paraphrase|rephrase|simplify)\s+"
    r"(?![^:\n]*\b(?:rules|steps|guidelines|instructions|criteria|requirements|principles|points)\b)[^:\n]{0,60}?|"
    r"(?:says?|said|asks?|asked|writes?|wrote|shouts?|types?|typed|sings?|reads?|replies|"
    r"replied|answers?|answered)|(?:say|write|print|echo|output|return|reply|respond|answer|begin|start|end)"
    r"(?:\s+\w+){0,2}\s+with)[*_)\"”]*[ \t]*:[ \t*_]*",
    re.IGNORECASE,
)
# The rest of the line that begins so is what is said.
_SAYS = re.compile(
    rf"\b(?:(?P<named>(?:exact|exactly|following|these|this|the)\s+(?:\w+\s+){{0,2}}(?:{_NOUNS}))|verbatim|like(?:\s+this)?|"
    r"(?:translate|classify|correct|summari[sz]e|rewrite|rephrase|paraphrase|proofread|label|tag|simplify|shorten|edit|"
    r"repeat|echo|recite|chant|copy|greet|say|print|shout|sing|read)\b[^.:\n]{0,60}?|"
    rf"(?:add|append|include|insert|put|attach)\b[^.:\n]{{0,40}}?\b(?:note|warning|sentence|{_NOUNS})\b[^.:\n]{{0,40}}?|"
    r"(?:error|message|warning|output|slogan|title)\s+(?:is|was)|"
    r"word\s+for\s+word|tells?(?:\s+\w+){1,4}|says?|said|asks?|asked|writes|wrote|shouts?|types?|typed|sings?|sang|replies|replied|answers|"
    r"answered|reads|states|stated|whispers?|yells?|"
    r"(?:say|write|print|echo|reply|respond|answer)(?:\s+\w+){0,2}\s+with|"
    r"(?:begin|start|end|open|close|finish)\b[^.:\n]{0,40}?\bwith\b(?!\s+one\b)[^.:\n]{0,40}?)"
    r"[*_)]*:[ \t*_]*(?=[^\s*_])",
    re.IGNORECASE,
)
# "Here is an example: given ...": up to the end of the paragraph.
_EXAMPLE_BEGINS = re.compile(
    r"\b(?:an?|one|another)[ \t]+(?:\w+[ \t]+)?example(?:[ \t]+\w+){0,3}[*_]*:[*_]*[ \t]+(?=\S)", re.IGNORECASE
)
# "A. the sun", "(b) the moon", "v1. a small bird": options, clues.
_OPTION = re.compile(r"[ \t]*(?:\(?[A-Ha-h][.)]|[a-z]\d{1,3}[.)])[ \t]+\S")
# Lines such as "name: the tool": two of them, in lower case, are a record.
_RECORD = re.compile(r"[ \t]*(?:- )?[a-z_][\w-]*:(?:[ \t]+\S|[ \t]*$)")
_RESULT = re.compile(
    r"^[^\n]{0,60}\b(?:execution result|stdout|stderr|console output|terminal output|tool output|command output|"
    r"tool result|observation|traceback)s?\b[^\n]{0,60}:[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# "Okay! Here is the rewrite:", "Sure, here it is:": the first words of an answer.
_REPLIED = re.compile(
    r"^[ \t]*[\"“]?(?:ok(?:ay)?|sure(?: thing)?|certainly|of course|absolutely|great|alright|no problem)"
    r"(?:![^\n]*|,[^\n]*\bhere\b[^\n]*|[.,][^\n]*:)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(r"^[ \t]*>(?![ \t]*(?:\*\*|\[!))[^\n]*$", re.MULTILINE)
# "# assistant:", "User:" alone on its line: the turns of a recorded chat.
_ROLE = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*)?[*_\[<]*(?P<role>system|user|human|assistant|ai|bot|model|q|a|"
    r"(?:example )?(?:input|output|question|answer|query|response|request|reply|completion))"
    r"(?: ?\d+)?[*_\]>]*[ \t]*:?[*_]*[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_CHAT = frozenset({"system", "user", "human", "assistant", "ai", "bot", "model", "q", "a"})
_ANSWERING = frozenset({"assistant", "ai", "bot", "model", "a"})
_ANSWERED = ("output", "answer", "response", "reply", "completion")
_SPEAKER = re.compile(r"^[ \t]*[*_]*([A-Z][\w .-]{0,24}?)[*_]*:[*_]*[ \t]+\S[^\n]*$", re.MULTILINE)
_NO_SPEAKER = re.compile(
    r"(?:note|important|tip|warning|remember|hint|caution|nb|rules?|tasks?|goals?|steps?|instructions?|role|context|format|"
    r"tone|style|length|audience|topic|output|input|examples?|step \d+|rule \d+|task \d+)\Z",
    re.IGNORECASE,
)
_VERSE_WORDS = re.compile(
    r"\b(?:poems?|limericks?|haikus?|sonnets?|lyrics|songs?|verses?|rhymes?|stanzas?)\b", re.IGNORECASE
)
LONGEST_VERSE = 60
"""Characters of a line of verse."""
LONGEST_BARE = 40
"""Characters of a line of verse without capitals and stops."""
# "It is late. -> polite": an input and its answer.
_PAIR = re.compile(r"[^\n]*\S[ \t]+(?:[-=]{1,2}>|[→⇒⟶])[ \t]+\S[^\n]*")
_ARROW = re.compile(r"[ \t](?:[-=]{1,2}>|[→⇒⟶])[ \t]")
# "phrases such as in order to", "the phrase it is late": words that are spoken of, up to the end of the sentence.
_MENTIONED = re.compile(
    r"\b(?:(?:phrases|words|expressions|openers|fillers)\s+(?:such\s+as|like|including)"
    r"|the\s+(?:phrase|expression|motto|slogan)s?"
    r"(?=\s+(?!(?:that|which|who|is|are|was|were|of|in|on|to|for|from|and|or|should|must|can|will|may|has|have)\b)[a-z]))"
    r"\s[^.\n]*"
)


@dataclass(frozen=True, slots=True)
class _Paragraph:
    start: int
    end: int
    lines: tuple[str, ...]

    @property
    def indent(self) -> int:
        return min(len(line) - len(line.lstrip()) for line in self.lines)


def shown(masked: str) -> Iterator[tuple[int, int]]:
    """The ranges of shown text; ``masked`` is the text in which what is protected already is masked."""
    found = [_Paragraph(match.start(), match.end(), tuple(match[0].split("\n"))) for match in _BLOCK.finditer(masked)]
    base = min((paragraph.indent for paragraph in found), default=0)
    forms = [_has_shown_form(one, found[index - 1] if index else None, base) for index, one in enumerate(found)]
    yield from ((one.start, one.end) for one, has_form in zip(found, forms, strict=True) if has_form)
    yield from _comments(found, forms)
    verse = _VERSE_WORDS.search(masked) is not None
    yield from ((one.start, one.end) for one in found if _is_verse(one, named=verse))
    yield from _announced(masked, found)
    yield from (span for one in found for span in _pairs(one))
    yield from (match.span() for match in _MENTIONED.finditer(masked))
    yield from shown_lines(masked)
    yield from recorded(found)
    yield from _numbered_examples(masked, found)
    yield from _turns(masked)
    yield from _dialogues(masked, found)
    yield from nested_quotes(masked)
    yield from (match.span() for match in _QUOTED.finditer(masked))
    yield from (match.span() for match in _REPLIED.finditer(masked))


def _has_shown_form(paragraph: _Paragraph, before: _Paragraph | None, base: int) -> bool:
    if all(line.lstrip().startswith("|") for line in paragraph.lines):
        # A Markdown table, which has rules of its own.
        return False
    lines = paragraph.lines
    if sum(_OPTION.match(line) is not None for line in lines) >= 2:
        return True
    records = sum(_RECORD.match(line) is not None for line in lines)
    if records > 1 and all(_RECORD.match(line) or line[:1] in " \t-" for line in lines):
        return True
    text = "\n".join(lines)
    if _COMMENTED.search(text):
        return True
    firsts = {line[:1] for line in paragraph.lines}
    if {"+", "-"} <= firsts:
        return True
    if _CERTAIN.search(text):
        return True
    likely = sum(1 for line in paragraph.lines if _LIKELY.match(line) and not ITEM.match(line))
    if likely >= 2 and likely * 3 >= len(paragraph.lines):
        return True
    # Markdown's own form of code: four blanks, under a line that is no item.
    indented = paragraph.indent >= base + 4 and before is not None and before.indent < paragraph.indent
    return indented and likely > 0 and not ITEM.match(before.lines[0] if before else "")


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


def _is_verse(paragraph: _Paragraph, *, named: bool) -> bool:
    """Short lines with capitals that sentences run over: three or more, a third of them with a comma at the end.

    Where verse is spoken of, its lines need no capitals, nor do four lines without any stop.
    """
    lines = [line.strip() for line in paragraph.lines]
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


_WORD = re.compile(r"[^\W_]")


def _announced(masked: str, found: Sequence[_Paragraph]) -> Iterator[tuple[int, int]]:
    """What follows a line that announces it: the rest of its line, its paragraph, or the next one.

    "The following words:" stays with what it announces: without its article, the next pass would not know it. What is
    protected anyway needs no announcement.
    """
    for match in _said(masked):
        newline = masked.find("\n", match.end())
        end = len(masked) if newline < 0 else newline
        named = match["named"] and _WORD.search(masked, match.end(), end)
        yield match.start() if named else match.end(), end
    for index, paragraph in enumerate(found):
        if ":" in masked[paragraph.start : paragraph.end]:
            yield from _introduced(masked, paragraph, found[index + 1] if index + 1 < len(found) else None)


def _introduced(masked: str, paragraph: _Paragraph, following: _Paragraph | None) -> Iterator[tuple[int, int]]:
    """What a line of a paragraph announces in the paragraph itself, and in the one after it."""
    text = masked[paragraph.start : paragraph.end]
    for head in _RESULT.finditer(text):
        if head.end() < len(text):
            yield paragraph.start + head.end(), paragraph.end
    last = paragraph.lines[-1]
    if begun := _EXAMPLE_BEGINS.search(text):
        yield paragraph.start + begun.end(), paragraph.end
    yield from _listed_examples(paragraph)
    if _announcement(last) >= 0 and following is not None and not ITEM.match(following.lines[0]):
        yield following.start, following.end
        if _WORD.search(masked, following.start, following.end):
            yield paragraph.end - len(last) + _announcement(last), paragraph.end
    # "... these lines:" with its lines right under it.
    position = paragraph.start
    for number, line in enumerate(paragraph.lines[:-1]):
        position += len(line) + 1
        if _announcement(line) >= 0 and not ITEM.match(paragraph.lines[number + 1]):
            said = _WORD.search(masked, position, paragraph.end) is not None
            yield position - said * (1 + len(line) - _announcement(line)), paragraph.end
            break


_GOES_ON = re.compile(r":[ \t*_]*[^\s*_]")


def _said(masked: str) -> Iterator[re.Match[str]]:
    """The words that announce the rest of their line; they are on two lines at most."""
    done = 0
    for colon in _GOES_ON.finditer(masked):
        if colon.start() >= done:
            start = masked.rfind("\n", 0, colon.start())
            newline = masked.find("\n", colon.start())
            begin = max(done, masked.rfind("\n", 0, max(0, start)) + 1)
            done = len(masked) if newline < 0 else newline
            yield from _SAYS.finditer(masked, begin, done)


_EXAMPLES_FOLLOW = re.compile(
    r"\b(?:examples?|samples?|for\s+instance|e\.g\.)(?:\s+\w+){0,2}[*_]*:[*_]*[ \t]*$", re.IGNORECASE
)


def _listed_examples(paragraph: _Paragraph) -> Iterator[tuple[int, int]]:
    """The items right under a line such as "... Example entries:"."""
    position = paragraph.start
    for line in paragraph.lines[:-1]:
        position += len(line) + 1
        if ":" in line and _EXAMPLES_FOLLOW.search(line):
            yield position, paragraph.end
            return


def _announcement(line: str) -> int:
    """Where the words begin that end a line and announce what is under it; -1 if there are none."""
    if not line.rstrip(" \t*_").endswith(":"):
        return -1
    return next((match.start() for match in _ANNOUNCES.finditer(line) if match.end() == len(line)), -1)


_NUMBERED = re.compile(
    r"^[ \t]*[*_#<\[ ]*(?:example|sample|case|shot)[ \t]*#?\d+[*_>\]]*:?[*_]*[ \t]*$", re.IGNORECASE | re.MULTILINE
)


def _numbered_examples(masked: str, found: Sequence[_Paragraph]) -> Iterator[tuple[int, int]]:
    """What is between "Example 1" and "Example 2"; under the last, its paragraph."""
    heads = list(_NUMBERED.finditer(masked))
    if not heads:
        return
    for head, following in pairwise(heads):
        yield head.end(), following.start()
    if level := len(heads[-1][0].strip()) - len(heads[-1][0].strip().lstrip("#")):
        # A section, up to the next heading that does not belong to it.
        for following in re.finditer(rf"^#{{1,{level}}}[ \t]", masked[heads[-1].end() :], re.MULTILINE):
            yield heads[-1].end(), heads[-1].end() + following.start()
            return
    # One alone may be a word of a sentence.
    if len(heads) < 2:
        return
    last = [one for one in found if one.end > heads[-1].end()][:2]
    if last:
        yield heads[-1].end(), last[-1].end if last[0].start <= heads[-1].start() else last[0].end


def _turns(masked: str) -> Iterator[tuple[int, int]]:
    """The turns of a recorded chat before its last answer: questions and answers alike are examples."""
    heads = [
        match
        for match in _ROLE.finditer(masked)
        if match[0].strip().startswith("#") or match[0].rstrip(" *_").endswith(":")
    ]
    times = Counter(head["role"].lower() for head in heads)
    # "# Input" may head a section; twice it heads the parts of examples.
    turns = [head for head in heads if head["role"].lower() in _CHAT or times[head["role"].lower()] > 1]
    answers = [
        number
        for number, turn in enumerate(turns)
        if turn["role"].lower() in _ANSWERING or turn["role"].lower().endswith(_ANSWERED)
    ]
    # "Q:" and "A:", with a worked answer: an example even if it is the only one.
    if not answers or (len(turns) < 3 and [turn["role"].lower() for turn in turns] != ["q", "a"]):
        return
    for number, turn in enumerate(turns[: answers[-1] + 1]):
        if turn["role"].lower() != "system":
            yield turn.end(), turns[number + 1].start() if number + 1 < len(turns) else len(masked)


def _dialogues(masked: str, found: Sequence[_Paragraph]) -> Iterator[tuple[int, int]]:
    """Lines that speakers take turns at, each with what goes on under it up to the end of its paragraph."""
    speakers = [match for match in _SPEAKER.finditer(masked) if not _NO_SPEAKER.match(match[1])]
    times = Counter(match[1].lower() for match in speakers)
    said = {match.group(0) for match in speakers}
    for one in found:
        # A scene: each line is somebody's, and somebody speaks again.
        names = [match[1].lower() for match in _SPEAKER.finditer("\n".join(one.lines))]
        if said.issuperset(one.lines) and 1 < len(set(names)) < len(names):
            yield one.start, one.end
        elif len(names) > 2 and 1 < len(set(names)) < len(names):
            yield from _scene(one, said)
    if sum(times[name] > 1 for name in times) < 2:
        return
    lines = [match for match in speakers if times[match[1].lower()] > 1]
    for match in lines:
        end = next((one.end for one in found if one.start <= match.start() < one.end), match.end())
        yield match.start(), end


def _scene(paragraph: _Paragraph, said: Collection[str]) -> Iterator[tuple[int, int]]:
    """The lines of speakers in a paragraph that says more, if they are all one under the other."""
    spoken = [line in said for line in paragraph.lines]
    first, last = spoken.index(True), len(spoken) - spoken[::-1].index(True)
    if all(spoken[first:last]):
        sizes = [len(line) + 1 for line in paragraph.lines]
        yield paragraph.start + sum(sizes[:first]), paragraph.start + sum(sizes[:last]) - 1


def _pairs(paragraph: _Paragraph) -> Iterator[tuple[int, int]]:
    """Lines of an input and its answer, two or more in a paragraph."""
    text = "\n".join(paragraph.lines)
    lines = [match.span() for match in _PAIR.finditer(text)] if _ARROW.search(text) else []
    if len(lines) > 1:
        yield from ((paragraph.start + start, paragraph.start + end) for start, end in lines)
