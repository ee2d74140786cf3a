"""Whether a text tells somebody to do something: what a file holds singly may be an answer, a turn or a story.

A recorded answer, a turn of a chat and a page that is read from a file have no mark of what they are. They are
recognised by what they lack: a hole that a program fills in, and orders.
"""

from __future__ import annotations

import re

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
_ORDER = re.compile(
    # What opens a sentence, a line or an item: "Write ...", "Then, list ...", "You are ...".
    r"(?:\A|[.!?:;*]\s+|\n)[\s#*_>\"\d.)•(-]*(?:(?:now|then|first|next|finally|also|always|never|only),?\s+)?"
    r"(?:you(?:['’](?:re|ll)|\s+(?:are|will|must|should|shall|have\s+to|need\s+to|can|may|get|receive|reply|speak|act))"
    rf"|(?:{_VERBS})(?!['’]s\b|:|\s+us\b))\b"
    # "Given a text, list ...", "If it is late, say so".
    rf"|(?:\A|[.!?]\s+|\n)[\s#*_>\d.)•-]*(?:given|if|when|for|based|in|after|as|with|using|from)\b[^.\n]{{0,150}},\s+(?:{_VERBS})\b"
    r"|\byou(?:['’]ll|\s+(?:will|must|should|shall|have\s+to|need\s+to))\b"
    r"|\byour\s+(?:task|job|role|goal|objective|response|answer|output|mission|purpose|reply|instructions)\b"
    r"|\b(?:please|must|never|do\s+not|i\s+want|i\s+need|language\s+model|the\s+(?:assistant|chatbot|agent|user|ai))\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(r"\b(?:the|a|and|of|is|was|are)\b", re.IGNORECASE)
_HOLE = re.compile(r"\{[\w{%# .]|\$\{|<%|<[a-z][\w/ -]*>|\[[A-Z][\w ]+\]|\[\[|%[sd]\b|\$[a-z]|\(\(\*")
# What is not alone in a file unless it is a turn: "**QUESTION:**" and a question.
_LABEL = re.compile(r"[\s*_#]*(?:question|answer|q|a|response|reply)[ \d]*[*_]*:", re.IGNORECASE)
_ANSWER = re.compile(r"^[ \t*_#]*(?:answer|a|response|reply)[ \d]*[*_]*:[*_]*\s*\S", re.IGNORECASE | re.MULTILINE)


def is_addressed(text: str) -> bool:
    """Whether a text may be an instruction; not if it is long enough to tell and has almost no orders."""
    words = len(text.split())
    labelled = _LABEL.match(text) is not None
    if (words < LEAST_WORDS and not labelled) or _HOLE.search(text):
        return True
    # The orders of another language are not known.
    if sum(1 for _ in _ENGLISH.finditer(text)) * 20 < words:
        return True
    # A question with its answer is an example, whatever is said of the next one.
    if labelled and _ANSWER.search(text):
        return sum(1 for _ in _ORDER.finditer(text)) > max(1, words * MOST_ORDERS)
    if _ORDER.search(text[:ENDS]) or _ORDER.search(text[-ENDS:].partition(" ")[2]):
        return True
    return sum(1 for _ in _ORDER.finditer(text)) > words * MOST_ORDERS
