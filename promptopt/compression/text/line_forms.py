"""What each line of a masked text looks like by itself: code, a record, somebody's turn, an announcement.

Lines stay what they are from one pass over a text to the next but where an edit was made, and many texts share them, so
that each different line is read once. What is asked here looks at nothing outside of the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from promptopt.compression.text.address import ITEM, given_label, head_words, said_in_line
from promptopt.compression.text.any_case import AnyCase

REMEMBERED_LINES = 16384
"""Different lines whose form is kept."""


# One such line is enough to know that its paragraph is code, a patch, a help text, a chart or a log.
_CERTAIN = re.compile(
    r"^[ \t]*(?:@@.*|diff --git .*|(?:\+\+\+|---) \S+.*|__(?:new|old)[ _]hunk__.*|#!/.*|Traceback \(most recent.*|"
    r"usage:[ \t]+\S+.*|(?:\$|>>>|C:\\[^>\n]*>)[ \t]\S.*|[d-](?:[r-][w-][xsStT-]){3}.*|"
    r"[+|][-=+]{3,}[+|]?.*|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*|<\?(?:xml|php).*|"
    r"(?:(?:async )?def|class)[ \t]+\w+[^\n]*:|import[ \t]+[\w.]+|from[ \t]+[\w.]+[ \t]+import[ \t].*|"
    r"(?:mindmap|timeline|journey|gantt|gitGraph|quadrantChart|(?:xychart|block|sankey)-beta|@startuml)\b[^\n]{0,20}|"
    r"(?:sequence|class|state|er)Diagram\S*|(?:flowchart|graph)[ \t]+(?:TB|TD|BT|RL|LR)\b.*|[A-Z]\w{2,20}>|"
    r"#include[ \t]*[<\"].*|(?:public|private|protected|static)[ \t]+[\w<>\[\] ]+\(.*|function[ \t]+\w+\(.*|"
    r"(?:const|let|var)[ \t]+\w+[ \t]*=.*)$",
    re.MULTILINE,
)
_DRAWN = re.compile("[│┌┐└┘├┤┬┴┼─═║╔╗╚╝█▓▒░▏▎▍▌▋▊▉■●○◆▲▼]")
# Two such lines are.
_LIKELY = re.compile(
    # A line number; an option with its explanation.
    r"^[ \t]*\d{1,5}(?:[ \t]{2,}|[ \t]*\||[ \t]*[:\t][ \t]*(?=\S*[^\w\s])|[ \t]+[+-])\S?.*$"
    r"|^[ \t]+--?[A-Za-z][\w-]*(?:[, =][^\n]*)?[ \t]{2,}\S.*$"
    r"|^[ \t]*(?:return|if|else|elif|for|while|try|except|finally|with|end|fi|done)\b[^\n]*[:;{(][ \t]*$"
    r"|^[ \t]*[\w.\[\]\"']+[ \t]*[-+*/|]?=[ \t]*\S.*$|^[ \t]*[\w.]+\([^()\n]*\)[ \t]*;?[ \t]*$"
    r"|^[ \t]*(?:#|//|--(?!-)|/\*|\*)[ \t]?\S.*$(?<!:)"
    # A bar of a chart after its label.
    r"|^[ \t]*[\w%.-]+[ \t|:]+(?P<bar>[#*=+@xXo~-])(?P=bar)+(?:[ \t].*)?$"
    r"|^[ \t]*[+-](?![ \t\d-])\S.*$"
    # A log; "WARNING: ..." is said to the model.
    r"|^[ \t]*\[?(?:ERROR|INFO|DEBUG|TRACE|FATAL|WARN|(?:WARNING|NOTICE|CRITICAL)(?!\]?:))\b\]?[ \t:].*$",
    re.MULTILINE,
)
_COLUMNS = re.compile(r"[^\s.!?:][ \t]{3,}\S")
# What stands under such a line is shown: "Write it with these lines:", "EXECUTION RESULT of [pip]:".
NOUNS = (
    r"words?|lines?|phrases?|sentences?|texts?|messages?|slogan|motto|captions?|poems?|verses?|lyrics|limericks?|songs?|"
    r"haikus?|stor(?:y|ies)|letters?|e-?mails?|posts?|tweets?|comments?|reviews?|dialogues?|conversations?|transcripts?|"
    r"scripts?|scenarios?|passages?|paragraphs?|articles?|excerpts?|logs?|traces?|tracebacks?|charts?|diagrams?|"
    r"code|functions?|programs?|snippets?|commands?|diffs?|patch(?:es)?|files?|tables?|quer(?:y|ies)|questions?|quotes?|"
    r"titles?|names?|templates?|outputs?|output formats?|examples?|samples?|responses?|repl(?:y|ies)|answers?|"
    r"greetings?|prefix|suffix|footer|header|signature|disclaimer|help"
)
"""What a prompt announces to be shown."""
_ANNOUNCES = AnyCase(
    rf"\b(?:(?:these|this|the|following|exact|exactly|your|an?|my|our|its|his|their|one|with|and)\s+"
    rf"(?:\w+\s+){{0,2}}(?:{NOUNS})"
    r"(?:\s+(?:below|here|verbatim|exactly|(?:in|from|by|for)(?:\s+\w+){1,4}))?|like(?:\s+(?:this|so|these))?|as\s+follows|verbatim|word\s+for\s+word|e\.g\.?|"
    r"for\s+(?:example|instance)|"
    r"(?:translate|summari[sz]e|classify|rewrite|correct|proofread|paraphrase|rephrase|simplify)\s+"
    r"(?![^:\n]*\b(?:rules|steps|guidelines|instructions|criteria|requirements|principles|points)\b)[^:\n]{0,60}?|"
    r"(?:says?|said|asks?|asked|writes?|wrote|shouts?|types?|typed|sings?|reads?|replies|"
    r"replied|answers?|answered)|(?:say|write|print|echo|output|return|reply|respond|answer|begin|start|end)"
    r"(?:\s+\w+){0,2}\s+with)[*_)\"”]*[ \t]*:[ \t*_]*",
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
_SPEAKER = re.compile(r"^[ \t]*[*_]*([A-Z][\w .-]{0,24}?)[*_]*:[*_]*[ \t]+\S[^\n]*$", re.MULTILINE)
_NO_SPEAKER = re.compile(
    r"(?:note|important|tip|warning|remember|hint|caution|nb|rules?|tasks?|goals?|steps?|instructions?|role|context|format|"
    r"tone|style|length|audience|topic|output|input|examples?|step \d+|rule \d+|task \d+)\Z",
    re.IGNORECASE,
)
# "It is late. -> polite": an input and its answer.
_ARROW = re.compile(r"[>→⇒⟶]")
_PAIR = re.compile(r"[^\n]*\S[ \t]+(?:[-=]{1,2}>|[→⇒⟶])[ \t]+\S[^\n]*")
_GOES_ON = re.compile(r":[ \t*_]*[^\s*_]")
_EXAMPLES_FOLLOW = re.compile(
    r"\b(?:examples?|samples?|for\s+instance|e\.g\.)(?:\s+\w+){0,2}[*_]*:[*_]*[ \t]*$", re.IGNORECASE
)
_NUMBERED = re.compile(
    r"^[ \t]*[*_#<\[ ]*(?:example|sample|case|shot)[ \t]*#?\d+[*_>\]]*:?[*_]*[ \t]*$", re.IGNORECASE | re.MULTILINE
)


class LineForm(NamedTuple):
    """What a line looks like.

    Attributes:
        blank: Whether nothing is on it.
        indent: Blanks at its beginning.
        row: Whether it may be a row of a table.
        item: Whether it begins with a bullet, a number or the hashes of a heading.
        option: An option or a clue: ``A. the sun``.
        record: ``name: the tool``, in lower case.
        certain: Code, a patch, a help text, a chart or a log, for sure.
        likely: The same, if another line is.
        comment: Whether it may be a comment of code.
        pair: An input and its answer.
        colon: Whether it has one.
        given: Where a label ends that names what is given; -1 if there is none.
        goes_on: Whether something follows a colon.
        result: Announces the output of a program.
        examples_follow: Announces examples as items under it.
        numbered: ``Example 1``.
        announces: Where the words begin that end it and announce what is under it; -1 if there are none.
        begins_example: Where an example begins in it; -1 if none does.
        head: Its words if it has the form of a label.
        label: What is before its colon if somebody may say the rest.
        speaker: The same if it names no part of an instruction.
        role: Whose turn of a chat begins under it.
        shown: The ranges of it that show something.
    """

    blank: bool = False
    indent: int = 0
    row: bool = False
    item: bool = False
    option: bool = False
    record: bool = False
    certain: bool = False
    likely: bool = False
    comment: bool = False
    pair: bool = False
    colon: bool = False
    given: int = -1
    goes_on: bool = False
    result: bool = False
    examples_follow: bool = False
    numbered: bool = False
    announces: int = -1
    begins_example: int = -1
    head: str = ""
    label: str = ""
    speaker: str = ""
    role: str = ""
    shown: tuple[tuple[int, int], ...] = ()


_BLANK = LineForm(blank=True)
_COVERED = LineForm()


@lru_cache(maxsize=REMEMBERED_LINES)
def line_form(line: str) -> LineForm:
    """What a line without its end looks like."""
    bare = line.lstrip()
    if not bare:
        return _BLANK
    # All of it is protected: no character is left to tell anything.
    if not line.strip("\ue000"):
        return _COVERED
    colon = ":" in line
    ends = colon and line.rstrip(" \t*_").endswith(":")
    begins = _EXAMPLE_BEGINS.search(line) if colon and "xample" in line.lower() else None
    label = _SPEAKER.match(line) if colon else None
    return LineForm(
        indent=len(line) - len(bare),
        row=bare.startswith("|"),
        item=ITEM.match(line) is not None,
        option=_OPTION.match(line) is not None,
        record=colon and _RECORD.match(line) is not None,
        certain=_CERTAIN.match(line) is not None or (not line.isascii() and _DRAWN.search(line) is not None),
        likely=_is_likely(line),
        comment=bare.startswith(("#", "//", "--")),
        pair=_ARROW.search(line) is not None and _PAIR.match(line) is not None,
        colon=colon,
        given=given_label(line) if colon else -1,
        goes_on=colon and _GOES_ON.search(line) is not None,
        result=ends and _RESULT.match(line) is not None,
        examples_follow=ends and _EXAMPLES_FOLLOW.search(line) is not None,
        numbered=_NUMBERED.match(line) is not None,
        announces=_announcement(line) if ends else -1,
        begins_example=begins.end() if begins else -1,
        head=head_words(line),
        label=label[1].lower() if label else "",
        speaker=label[1].lower() if label and not _NO_SPEAKER.match(label[1]) else "",
        role=_role(line),
        shown=tuple(_shown(line, colon=colon)),
    )


def _announcement(line: str) -> int:
    """Where the words begin that end a line and announce what is under it; -1 if there are none."""
    return next((match.start() for match in _ANNOUNCES.finditer(line) if match.end() == len(line)), -1)


def _is_likely(line: str) -> bool:
    if line.rstrip(" \t").endswith((";", "{", "}")) or _LIKELY.match(line):
        return True
    # Columns set apart by blanks.
    bare = line.strip()
    return ("   " in bare or "\t" in bare) and _COLUMNS.search(bare) is not None


def _role(line: str) -> str:
    """Whose turn begins under a line: one that is a heading or ends with a colon."""
    is_head = line.strip().startswith("#") or line.rstrip(" *_").endswith(":")
    role = _ROLE.match(line) if is_head else None
    return role["role"].lower() if role else ""


def _shown(line: str, *, colon: bool) -> Iterator[tuple[int, int]]:
    yield from said_in_line(line, colon=colon)
    for pattern in (_QUOTED, _REPLIED):
        if pattern.match(line):
            yield 0, len(line)


_EXAMPLE_HEAD = re.compile(
    r"^(?P<mark>#{1,6}[ \t]*|\*\*|<)?(?![ \t]*end\b)[\w \t-]{0,40}\b(?:examples?|samples?|few[- ]shots?|"
    r"demonstrations?)\b[^.\n]{0,60}(?:\([^()\n]*\)[*_:]*[ \t]*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_ASKED = re.compile(r"^[ \t]*[*_#\[]*(?:question|q|problem)(?: ?\d+)?[*_\]]*:", re.IGNORECASE | re.MULTILINE)
TURN = re.compile(
    r"^[ \t]*(?:[-*] )?\**(?:Q|A|User|Human|Assistant|Bot|AI|Input|Output|Question|Answer|Example|Response|Thought|"
    r"Action(?: Input)?|Final Answer|Observation|System|Customer|Agent|Text|Label|Sentence|Context|Query|"
    r"Hint)[ \t]?\d*\**:[ \t]*\S.*"
    # and what goes on under it, up to a label, an item or an empty line
    r"(?:\n(?![ \t]*(?:$|[-*+#•][ \t]|\d{1,3}[.)]|[*_\[]*[A-Za-z][\w ]{0,24}[*_\]]*:)).*)*$",
    re.MULTILINE,
)
"""A turn of a conversation after its label, with the lines that go on under it."""
# A label that opens several lines, as others do too: the records of a few-shot prompt.
_FIELD = re.compile(
    r"^[ \t\ue000]*(?:<[^<>\n]{1,60}>[ \t]*)?[\[*]*([A-Za-z][\w ]{0,24}?)[\]*]*:\**(?P<said>[ \t]+\S.*)?[ \t]*$",
    re.MULTILINE,
)


class LabelForm(NamedTuple):
    """What the label is that a line begins with.

    Attributes:
        is_example_head: Whether examples may be under it.
        asks: Where the label of a question ends; 0 if it has none.
        is_turn: Whether somebody's turn of a conversation begins with it.
        label: The label, in lower case; empty if it has none.
        says: Whether something is after the label.
    """

    is_example_head: bool = False
    asks: int = 0
    is_turn: bool = False
    label: str = ""
    says: bool = False


_NO_LABEL = LabelForm()


LabelledLine = tuple[int, str, LabelForm]
"""Where a line begins, its text, and what its label is."""


def labelled_lines(text: str) -> list[LabelledLine]:
    """The lines of a text that begin with a label."""
    return [(start, line, form) for start, line in lines_of(text) if (form := _label_form(line)) is not _NO_LABEL]


@lru_cache(maxsize=REMEMBERED_LINES)
def _label_form(line: str) -> LabelForm:
    """What the label of a line without its end is."""
    colon = ":" in line
    asked, field = (_ASKED.match(line), _FIELD.match(line)) if colon else (None, None)
    # What each head of examples has in it.
    lower = line.lower()
    form = LabelForm(
        ("ample" in lower or "hot" in lower or "demon" in lower) and _EXAMPLE_HEAD.match(line) is not None,
        asked.end() if asked else 0,
        colon and TURN.match(line) is not None,
        field[1].lower() if field else "",
        field is not None and bool(field["said"]),
    )
    return form if any(form) else _NO_LABEL


def example_mark(head: str) -> str:
    """The marks that an example's head begins with, without blanks."""
    found = _EXAMPLE_HEAD.match(head)
    return (found["mark"] or "").strip() if found else ""


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text without their ends, each with where it begins."""
    lines = text.split("\n")
    return zip(accumulate(map(_ONE_MORE, map(len, lines)), initial=0), lines, strict=False)


# Its line end belongs to each line.
_ONE_MORE = (1).__add__
