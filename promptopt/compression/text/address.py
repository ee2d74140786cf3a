"""Whether a text tells somebody to do something: what a file holds singly may be an answer, a turn or a story.

A recorded answer, a turn of a chat and a page that is read from a file have no mark of what they are. They are
recognised by what they lack: a hole that a program fills in, and orders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from promptopt.compression.text.any_case import AnyCase

LEAST_WORDS = 60
"""A shorter text without an order may be a question, or the description of what is wanted."""
MOST_ORDERS = 0.008
"""Of all words. A page says now and then what its reader must do; an instruction of this length has several orders."""
ENDS = 300
"""Characters of both ends of a text, where a prompt with much data says what is to be done with it."""

_VERBS = (
    "accept|act|adapt|add|address|adhere|adjust|aim|allow|analy[sz]e|answer|append|apply|arrange|ask|assess|assign|assist|"
    "assume|avoid|base|be|begin|break|brainstorm|build|calculate|call|capture|carry|change|check|choose|cite|clarify|"
    "classify|clean|collect|combine|come|compare|complete|compose|compress|compute|conduct|consider|construct|continue|"
    "convert|copy|correct|count|cover|craft|create|critique|decide|decompose|define|delete|deliver|demonstrate|describe|"
    "design|detect|determine|develop|discuss|do|draft|draw|edit|emphasi[sz]e|enhance|ensure|enter|estimate|evaluate|"
    "examine|exclude|execute|expand|explain|explore|express|extend|extract|fill|filter|find|fix|focus|follow|format|"
    "formulate|generate|get|give|go|grade|group|guess|handle|help|highlight|identify|ignore|imagine|implement|improve|"
    "include|infer|insert|inspect|interpret|invent|judge|keep|label|leave|limit|list|look|maintain|make|map|mark|match|"
    "mention|merge|modify|name|normali[sz]e|note|omit|organi[sz]e|outline|output|paraphrase|parse|perform|pick|plan|play|"
    "predict|prefer|prepare|present|pretend|print|prioriti[sz]e|process|produce|proofread|propose|provide|put|quote|rank|"
    "rate|read|recommend|record|reduce|refer|refine|reflect|remember|remove|repeat|rephrase|replace|reply|report|"
    "represent|request|rerank|research|respond|restate|restrict|return|review|revise|rewrite|run|say|score|search|"
    "segment|select|send|set|share|shorten|show|simplify|solve|sort|specify|split|start|state|stay|stick|stop|structure|"
    "study|submit|suggest|summari[sz]e|tag|take|tell|think|transform|translate|treat|try|turn|update|use|utili[sz]e|"
    "validate|verify|wait|watch|work|wrap|write"
)
_ORDER = AnyCase(
    # What opens a sentence, a line or an item: "Write ...", "Then, list ...", "You are ...".
    r"(?:\A|[.!?:;*]\s+|\n)[\s#*_>\"\d.)•(-]*(?:(?:now|then|first|next|finally|also|always|never|only),?\s+)?"
    r"(?:you(?:['’](?:re|ll)|\s+(?:are|will|must|should|shall|have\s+to|need\s+to|can|may|get|receive|reply|speak|act))"
    rf"|(?:{_VERBS})(?!['’]s\b|:|\s+us\b))\b"
    # "Given a text, list ...", "If it is late, say so".
    rf"|(?:\A|[.!?]\s+|\n)[\s#*_>\d.)•-]*(?:given|if|when|for|based|in|after|as|with|using|from)\b[^.\n]{{0,150}},\s+(?:{_VERBS})\b"
    r"|\byou(?:['’]ll|\s+(?:will|must|should|shall|have\s+to|need\s+to))\b"
    r"|\byour\s+(?:task|job|role|goal|objective|response|answer|output|mission|purpose|reply|instructions)\b"
    r"|\b(?:please|must|never|do\s+not|i\s+want|i\s+need|language\s+model|the\s+(?:assistant|chatbot|agent|user|ai))\b",
)
_ENGLISH = AnyCase(r"\b(?:the|a|and|of|is|was|are)\b")
_HOLE = re.compile(r"\{[\w{%# .]|\$\{|<%|<[a-z][\w/ -]*>|\[[A-Z][\w ]+\]|\[\[|%[sd]\b|\$[a-z]|\(\(\*")
# What is not alone in a file unless it is a turn: "**QUESTION:**" and a question.
_LABEL = re.compile(r"[\s*_#]*(?:question|answer|q|a|response|reply)[ \d]*[*_]*:", re.IGNORECASE)
_ANSWER = re.compile(r"^[ \t*_#]*(?:answer|a|response|reply)[ \d]*[*_]*:[*_]*\s*\S", re.IGNORECASE | re.MULTILINE)


# "First, I add the name. Now, I write the story.": somebody tells what he does.
_I_DO = AnyCase(
    r"(?:\A|[.!?:]\s+|\n)[\s\"]*(?:(?:first|now|next|then|finally|so|to [^,.\n]{3,80}|since [^,.\n]{3,80}),?\s+)?"
    r"i(?:['’]ll|\s+(?:will|can|could|might))?\s+(?!want|need|would|have|give|gave|will|am|like|wish|ask|provide)[a-z]+",
)
_YOU = re.compile(r"\b(?:you|your)\b", re.IGNORECASE)
_SAID = re.compile(r'"[^"\n]*"')


def is_addressed(text: str) -> bool:
    """Whether a text may be an instruction; not if it is long enough to tell and has almost no orders."""
    if not _says_you(text) and _number(_I_DO, text, 3) == 3:
        return False
    if _HOLE.search(text):
        return True
    words, labelled = len(text.split()), _LABEL.match(text) is not None
    if words < LEAST_WORDS and not labelled:
        return True
    # The orders of another language are not known.
    if _number(_ENGLISH, text, -(-words // 20)) * 20 < words:
        return True
    # A question with its answer is an example, whatever is said of the next one.
    if labelled and _ANSWER.search(text):
        return sum(1 for _ in _ORDER.finditer(text)) > max(1, words * MOST_ORDERS)
    if _ORDER.search(text[:ENDS]) or _ORDER.search(text[-ENDS:].partition(" ")[2]):
        return True
    return sum(1 for _ in _ORDER.finditer(text)) > words * MOST_ORDERS


def _says_you(text: str) -> bool:
    """Whether "you" or "your" is anywhere but in quotation marks."""
    quote = text.find('"')
    if quote >= 0:
        before = _YOU.search(text, 0, quote)
        return (before is not None and before.end() < quote) or _YOU.search(_SAID.sub("", text)) is not None
    return _YOU.search(text) is not None


def _number(pattern: AnyCase, text: str, most: int) -> int:
    """How many matches there are; they are counted up to a number."""
    return sum(1 for _ in islice(pattern.finditer(text), most))


# A label of what is given or shown: the text after it, or the paragraph under it, is no instruction. Nor is what
# something is to be done to: "The instruction to evaluate:", nor what a user asked for: "User request:".
_GIVEN = re.compile(
    r"[ \t]*(?:[*_\[#]+[ \t]*)?(?:(?:(?:the|original|new|source|target|sample|student|model|user|customer|candidate|"
    r"reference|"
    r"correct|forum|blog|news|chat|voice|text|example|bad|good|wrong|right|first|last|next|welcome|error|e-?mail|subject|final|"
    r"main|full)[ \t]+){0,3}"
    r"(?:response|answer|script|template|line|log|disclaimer|greeting|slogan|translation|source|target|sentence|passage|text|lecture|article|premise|hypothesis|claim|question|"
    r"problem|query|abstract|review|tweet|story|poem|lyrics|song|e-?mail|mail|letter|message|post|comment|subject|body|"
    r"headline|"
    r"caption|transcript|conversation|dialogue|document|excerpt|quote|paragraph|scenario|statement|utterance|observation|"
    r"evidence|reply|completion|speech|essay|joke|riddle|recipe)"
    r"|(?:the[ \t]+)?(?:user|original|initial|previous|sample|customer|current|last)(?:['’]s)?[ \t]+"
    r"(?:request|prompt|input|instructions?|task|goal|command)"
    r"|(?:the[ \t]+)?[a-z]+(?:[ \t]+[a-z]+)?[ \t]+to[ \t]+(?:be[ \t]+)?(?:evaluate|grade|judge|"
    r"assess|score|review|rate|"
    r"classify|"
    r"analy[sz]e|translate|summari[sz]e|rewrite|edit|verify|compare|correct|improve|refine|label|annotate|moderate)d?)"
    r"(?:[ \t]?(?:\d+|[A-H]))?[*_\]]*:[*_]*",
    re.IGNORECASE,
)
_AFTER_GIVEN = re.compile(r"[ \t]+(?=\S)|[ \t]*(?:\n[ \t]*)?\n(?=[ \t]*\S)")
_LABELLED = re.compile(r"[ \t]*[*_\[#]*[A-Za-z][\w /-]{0,24}[*_\]]*:|[ \t]*#{1,6}[ \t]")
ITEM = re.compile(r"[ \t>]*(?:[-*+•–][ \t]|\d{1,3}[.)][ \t]|[A-Za-z][.)][ \t]|#{1,6}[ \t])")
"""A bullet, a number or the hashes of a heading at the beginning of a line."""
# What is after a label on its line may be shown as well as said; only these labels are known to give instructions.
_SAYING = (
    r"(?:very |most |please |also |key |main |primary |your |the |final |general |special |additional |further )*"
    r"(?:note|notes|important|importantly|remember|reminder|warning|caution|critical|attention|nb|tips?|hints?|tasks?|goals?|"
    r"objectives?|roles?|instructions?|instruction|rules?|requirements?|constraints?|guidelines?|steps?|formats?|styles?|tone|"
    r"audience|length|language|persona|purpose|mission|scope|background|overview|process|method|criteria|criterion|"
    r"scoring|rating|evaluation|output|outputs|inputs?|context|identity|personality|behaviou?r|restrictions?|limitations?|"
    r"priority|priorities|focus|approach|strategy|workflow|expertise|responsibilities|responsibility|job|"
    r"(?:output|response|answer|reply|task|input|citation|writing|coding)[ -](?:formats?|structure|style|rules?|"
    r"requirements?|"
    r"guidelines?|instructions?|description|language|length)|(?:step|rule|phase|part|stage|task) ?\d+[a-z]?)"
)
_AFTER_LABEL = re.compile(
    rf"^[ \t]*[*_]*(?!{_SAYING}[*_]*:)(?!(?:if|when|for|in|to|with|once|by|as|on|at|from)\b)"
    r"[A-Za-z][\w'’/&-]*(?:[ \t][\w'’/&()-]+){0,4}[*_]*:[*_]*[ \t]+(?=[A-Za-z(])(?P<said>[^\n]+)$",
    re.IGNORECASE | re.MULTILINE,
)
# "- Bad: ...": an item that shows how it is done.
_SHOWS = re.compile(
    r"^[ \t]*(?:[-*+•–]|\d{1,3}[.)])[ \t]+[*_]*(?:(?:very )?(?:bad|good|wrong|right|incorrect|correct|before|after|do|"
    r"don['’]t|"
    r"weak|strong|poor|better|worse|best|original|rewrite|rewritten|revised|improved|user|assistant|customer|agent|"
    r"example|"
    r"e\.g\.)(?:[ \t](?:answer|response|example|reply|message|version|output|"
    r"input))?)[*_]*:[*_]*[ \t]+(?P<said>\S[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
# "Greet with the words Please be seated": a capital where no sentence begins.
_SPEAKING = re.compile("(?:Please|You|Your|Thanks?|Sorry|Hello|Hi|Dear|Welcome|Kindly|Note that|Make sure|Remember to)")
_SPOKEN = re.compile(rf"(?<=[a-z] ){_SPEAKING.pattern}\b[^.\n]*")
# "[0] Title: ... Text: ...": a passage of a list of references.
_REFERENCE = re.compile(r"^[ \t]*\[\d{1,3}\][ \t]+\S[^\n]{60,}$", re.MULTILINE)
# "Input: what is git? Output: a tool": a pair in a line.
_IN_LINE = re.compile(
    r"\b(?:input|question|q|text|sentence|source)[ ]?\d*:[ \t][^\n]*?\b(?:output|answer|a|label|target)[ ]?\d*:[^\n]*",
    re.IGNORECASE,
)
_HEAD = re.compile(r"^[ \t]*(?:#+[ \t]+[^\n]{3,120}|[A-Z][^\n]{2,100}[:?])[ \t]*$", re.MULTILINE)
MANY_HEADS = 3
"""Times that a line of a label's form must come: what is between them are worked examples."""
CLOSE = 800
"""Characters of an example above such a line."""
_FILLED = r"[^\S\n]*\S[^\n]*"
# "### Answer" with a line or two under it, and nothing else: the answer goes on with them. Each line ends with its end
# alone: if it could end anywhere, the ways to part some lines would be too many to try.
_BEGUN = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*)?[*_]*(?:Answer|Response|Completion|Reply|Solution)[*_]*[ \t]*:?[*_]*[ \t]*\n"
    rf"(?P<said>(?:(?![ \t]*[#{{]){_FILLED}\n){{0,2}}(?![ \t]*[#{{]){_FILLED}\n?)\s*\Z"
    # "<|assistant|>", "@!>Assistant:": the beginning of its turn.
    rf"|^[@!<|>]{{1,6}}(?:assistant|ai|bot|model)\b[^\w\n]{{0,4}}\n(?P<turn>(?:{_FILLED}\n){{0,5}}{_FILLED}\n?)\s*\Z",
    re.MULTILINE | re.IGNORECASE,
)


def said_in_line(line: str, *, colon: bool) -> Iterator[tuple[int, int]]:
    """The ranges of a line that are after a label or a capital that begins no instruction.

    Args:
        colon: Whether the line has one.
    """
    if colon:
        for pattern in (_AFTER_LABEL, _SHOWS):
            if said := pattern.match(line):
                yield said.span("said")
        if line.count(":") > 1:
            yield from (match.span() for match in _IN_LINE.finditer(line))
    if _REFERENCE.match(line):
        yield 0, len(line)
    if _SPEAKING.search(line):
        yield from (match.span() for match in _SPOKEN.finditer(line))


def head_words(line: str) -> str:
    """The words of a line that has the form of a label; empty for others."""
    may_head = line.rstrip(" \t").endswith((":", "?")) or line.lstrip(" \t").startswith("#")
    return " ".join(line.lower().split()) if may_head and _HEAD.match(line) else ""


def begun_answer(text: str) -> tuple[int, int] | None:
    """Where the first words of the answer stand at the end of a prompt; ``None`` if they do not."""
    begun = _BEGUN.search(text, max(0, len(text) - 400))
    return begun and begun.span("said" if begun["said"] else "turn")


def between_heads(heads: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int]]:
    """What is between the first and the last of three and more lines of the same words, such as "# Python code".

    The first example begins at a line close above that comes again as well: "Look at the table:".

    Args:
        heads: Where each label begins and ends in the text, and its words.
    """
    places: dict[str, list[tuple[int, int]]] = {}
    for start, end, words in heads:
        if words.count(" ") > 1:
            places.setdefault(words, []).append((start, end))
    again = [spans for spans in places.values() if len(spans) > 1]
    for spans in again:
        if len(spans) >= MANY_HEADS:
            first = spans[0][0]
            above = [other[0][0] for other in again if first - CLOSE < other[0][0] < first]
            yield min(above, default=first), spans[-1][1]


def given_label(line: str) -> int:
    """Where a label such as "Premise:" ends that a line begins with; -1 if it has none."""
    label = _GIVEN.match(line)
    return label.end() if label else -1


def given_under(masked: str, labels: Iterable[int]) -> Iterator[tuple[int, int]]:
    """What is under a label such as "Premise:", up to the next label, item or empty line.

    Args:
        labels: Where such labels end.
    """
    for label in labels:
        match = _AFTER_GIVEN.match(masked, label)
        if match is None:
            continue
        end = position = match.end()
        while position < len(masked):
            newline = masked.find("\n", position)
            stop = len(masked) if newline < 0 else newline
            line = masked[position:stop]
            if position > match.end() and (not line.strip() or _LABELLED.match(line) or ITEM.match(line)):
                break
            if position == match.end() and "\n" in match[0] and (ITEM.match(line) or _LABELLED.match(line)):
                break
            end, position = stop, stop + 1
        if end > match.end():
            yield match.end(), end
