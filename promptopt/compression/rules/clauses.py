"""PO201, PO202, PO204, PO206: words around the verb that an instruction does not need."""

from __future__ import annotations

import re

from promptopt.compression.rules.wording import Rewording, WordingRule

PARTICIPLES = "given|shown|written|taken|made|found|built|done|sent|set"
"""Irregular participles that most patterns know."""
_PARTICIPLE = (
    rf"(?:\w{{3,}}ed|{PARTICIPLES}|known|drawn|chosen|seen|said|put|held|kept|left|"
    r"related|relevant|based|available|necessary|present|similar|specific|appropriate|likely|worth)"
)
NEEDLESS = re.compile(rf"\s+{_PARTICIPLE}\b", re.IGNORECASE)
"""What makes "that is" before it needless."""
_RELATIVE = re.compile(
    rf"(?<=\w )(?<!\bthose )(?:that|which|who)\s+(?:is|are|was|were)\s+(?={_PARTICIPLE}\b)", re.IGNORECASE
)
_COMPLEMENT = re.compile(
    r"\b(?P<verb>ensur(?:e|es|ing)|indicat(?:e|es|ing)|assum(?:e|es|ing)|suggest(?:s|ing)?|think|believe|know|say|says|"
    r"stat(?:e|es|ing)|show(?:s|ing)?|mean(?:s|ing)?|confirm(?:s|ing)?|verif(?:y|ies|ying)|check|sure|find|conclude|"
    r"remember|guarantee|requir(?:e|es)|recommend|recogni[sz]e|reali[sz]e|see|notice|likely|aware|clear)\s+that\s+"
    r"(?=(?:the|a|an|your|you|it|this|these|all|each|every|they|there|their|its|any|we|I|he|she|no|both|only|some)\b)",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"(?<=[a-z] )that\s+(?=(?:you|I|we|they|he|she)\s+(?!not\b)\w)", re.IGNORECASE)
AND_THAT = re.compile(r"(?:,\s+that|\b(?:and|or|but)\s+(?:that|which|who))\b", re.IGNORECASE)
"""In "say that it is late and that he is tired" one hangs on the other."""
_IT_IS = re.compile(
    r"\bit\b[^.,;]*\b(?:be|is|was|seems?|becomes?)\s+(?:\w+\s+)?(?:clear|obvious|important|likely|possible|true|necessary|"
    r"essential|evident|crucial|known|said)\s+\w",
    re.IGNORECASE,
)
# Negations are never contracted: "do not" stays as loud as it is.
_LONG = re.compile(
    r"\b(?P<who>I|you|we|they|it|that|there|here|what)\s+(?P<verb>will|are|is|have|am)\b"
    r"(?=\s+[a-z])(?!\s+(?:not|no|never|to)\b)",
    re.IGNORECASE,
)
_SHORT = {"will": "'ll", "are": "'re", "is": "'s", "have": "'ve", "am": "'m"}
_PAIRS = frozenset(
    "i will, i am, i have, you will, you are, you have, we will, we are, we have, they will, they are, "  # noqa: SIM905 - read as words
    "they have, it is, "
    "that is, there is, here is, what is, it will".split(", ")
)
_STRESSED = re.compile(
    r"\b(?:than|as|(?:what|which|how|whose)(?:\s+\w+)?|who|where|whatever|whoever|the\s+(?:\w+er|more|less|worse))\s*\Z",
    re.IGNORECASE,
)
_WILL = re.compile(
    r"\AYou(?:['’]ll|\s+will)(?=\s+(?:(?:only|also|then|always|never|first|now)\s+)?[a-z]{2,})"
    r"(?!\s+(?:\w+\s+)?(?:be|have|get|receive|see|find|need|not|know|notice|likely|probably|soon|both|all|each)\b)"
)
_YOU = re.compile(
    r"\AYou(?!\s+do(?:n['’]t|\s+not)\s+(?:need|have|know|want|mind|require|understand|see)\b)"
    r"(?=\s+(?:(?:only|also|then|always|never|first|now|carefully|next|finally)\s+)?"
    r"(?:output|use|write|create|extract|analy[sz]e|answer|provide|give|return|read|take|pick|list|generate|summari[sz]e|"
    r"identify|respond|reply|ensure|make|follow|think|consider|include|add|combine|compare|classify|explain|describe|"
    r"produce|act|help|assist|start|begin|ask|check|review|evaluate|rate|score|translate|convert|format|present|"
    r"do|focus|avoid|keep|select|choose|find|search|try|build|develop|design|focus|offer|suggest|recommend|"
    r"determine|assess|examine|discuss|outline|highlight|capture|break|organi[sz]e|refer|print|show|tell|call|put|set|"
    r"state|mention|quote|cite|cover|address|apply|perform|run|test|fix|complete|continue|stop|wait|repeat|rewrite|"
    r"digest|breathe|reason|plan|decide)\b)"
)
_HERE = re.compile(
    r"\A(?:Here(?:['’]s|\s+(?:is|are))|Below\s+(?:is|are)|(?:The following|These)\s+(?:is|are)|"
    r"(?:What follows|This)\s+is)"
    r"(?:\s+(?:a|an|the|some|your|all))?(?=\s+[\w\ue000])"
)


def _contracted(match: re.Match[str]) -> str | None:
    who, verb = match["who"], match["verb"].lower()
    if f"{who.lower()} {verb}" not in _PAIRS or match["verb"] != verb:
        return None
    # "Here is the list:" announces a label, which needs neither word.
    if who == "Here" and not match.start() and match.string.rstrip(" *_").endswith(":"):
        return None
    # "later than it is in London", "what day it is": the verb is what the clause says.
    if _STRESSED.search(match.string[: match.start()]):
        return None
    # "the text that is given" needs neither word (PO204).
    if who.lower() == "that" and NEEDLESS.match(match.string[match.end() :]):
        return None
    if verb == "have" and not re.match(r"\s+\w+(?:ed|en|n)\b", match.string[match.end() :]):
        return None
    return who + _SHORT[verb]


def _subject(match: re.Match[str]) -> str | None:
    return None if "?" in match.string[-2:] else ""


def _kept(match: re.Match[str], keep: str) -> str | None:
    return None if AND_THAT.search(match.string) else keep


def _relative(match: re.Match[str]) -> str | None:
    return _kept(match, "")


def _complement(match: re.Match[str]) -> str | None:
    return _kept(match, match["verb"] + " ")


def _object(match: re.Match[str]) -> str | None:
    # "it has to be clear from the letter that I am late": what is clear comes last.
    return None if _IT_IS.search(match.string[: match.start()]) else _kept(match, "")


def _announced(match: re.Match[str]) -> str | None:
    is_label = match.string.rstrip(" *_").endswith(":")
    return "" if is_label and " all " not in match.string[: match.end() + 1] else None


_SHORTER = "{old} can be shorter: the clause reads the same without it"
_RELATIVES = ("that", "which", "who")
CONTRACTIONS = WordingRule(
    "PO201", "contractions", "a contraction is one token less", "standard", (Rewording(_LONG, _contracted),)
)
SUBJECTS = WordingRule(
    "PO202",
    "needless subject",
    "an instruction is an imperative; who it is for is clear",
    "safe",
    (
        Rewording(_YOU, _subject, "{old} can go: use the imperative", unless=None),
        Rewording(_WILL, _subject, "{old} can go: use the imperative", unless=None),
    ),
)
CLAUSES = WordingRule(
    "PO204",
    "needless that",
    "the clause reads the same without its first words",
    "safe",
    (
        Rewording(_RELATIVE, _relative, _SHORTER, _RELATIVES),
        Rewording(_OBJECT, _object, _SHORTER, _RELATIVES),
        Rewording(_COMPLEMENT, _complement, _SHORTER, _RELATIVES),
    ),
)
ANNOUNCEMENTS = WordingRule(
    "PO206",
    "announced labels",
    "a colon announces enough",
    "safe",
    (Rewording(_HERE, _announced, "{old}: the label is enough", unless=None),),
)
