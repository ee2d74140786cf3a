"""A second reading of what is answered in place of a form or a value: a word, nothing, a sentence, another language, no JSON.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened, spaced, words_read

_SENTENCE = re.compile(r"(?:[^.!?\n]|\.(?=\S))+(?:[.!?]+[\"'`”)]*)?")
_CASE = re.compile(
    r"\b(?:if|when|whenever|unless|in case|in (?:all|any) other cases?|without|where|otherwise|else|nothing|no such|no [\w-]+ means|no json|instead|(?-i:Should)|for (?:an? )?(?:empty|blank|missing|unclear|unrelated|other))\b",
    re.IGNORECASE,
)
# "No ship in the text? Then answer with NONE."
_ASKED_BEFORE = re.compile(r"\?\s*\Z")
# Verbs of the whole answer; a value is filled in with others ("set", "use", "put").
_VERB = r"(?:(?<!the )(?<!an )(?<!line )(?<!short )(?<!your )answer|return|respond|reply|output|say|print|emit|(?:write|give|put)(?= (?:just|only|simply|nothing but) | <\w+ ?/>)|(?<!if )(?<!when )(?<!where )(?<!that )(?<!unless )(?:your |the )(?:whole |entire |only )?(?:answer|response|output|reply|result) (?:is|must be|should be|will be|has to be))"
_HOW = r"(?:\s+(?:with|only|just|exactly|simply|merely|the|an?|word|text|string|phrase|literal|line|sentence|message|back|as|instead|single|label|value|but|one)(?=\s))*:?\s*"
_LITERAL = (
    r"(?:[\"“`](?P<quoted>[^\"”`\n{}\[\]<>]{1,60})[\"”`]|(?<![\w])'(?P<single>[^'\n{}\[\]<>]{1,60})'(?!\w)"
    r"|(?P<capitals>(?-i:N/A|[A-Z]{2,}(?:[_ -][A-Z]{2,})*))(?![\w:])(?=\s*(?:[.,;)!]|\Z|$|(?:if|when|whenever|unless|where|instead|and nothing|only|for)\b))"
    r"|(?P<sign><\w+ ?/>|(?-i:[A-Z])(?= (?:if|when)\b)|(?:question mark|dash|hyphen|minus(?: sign)?|asterisk|star|zero|blank|space|full stop|exclamation mark|slash|cross|tick|emoji)\b|-(?=[.,;]|$| if)))"
)
_PLAIN_WORD = r"(?P<plain>none|n/a|nothing|unknown)\b(?=\s*(?:[.,;)]|\Z|$|(?:if|when|unless|where|instead)\b))"
_ORDER = re.compile(
    rf"\b(?P<verb>{_VERB}){_HOW}(?:{_LITERAL}|{_PLAIN_WORD})|\b(?:or|and)(?: else)?(?: with| just| only| the| an?| word| text| string)*\s+{_LITERAL.replace('?P<', '?P<or_')}\s*(?:if|when|where|unless|otherwise)\b",
    re.IGNORECASE | re.MULTILINE,
)
_EMPHASIS = frozenset(
    [
        "JSON",
        "ONLY",
        "ALL",
        "NOT",
        "MUST",
        "NEVER",
        "ALWAYS",
        "EXACTLY",
        "ONE",
        "EACH",
        "EVERY",
        "STRICT",
        "VALID",
        "RAW",
        "NO",
        "YES",
        "OK",
        "XML",
        "CSV",
    ]
)
_DENIED = re.compile(r"(?:\b(?:not|never|avoid|instead of|rather than)\b|n['’]t\b)[^,;.]{0,25}\Z", re.IGNORECASE)
_BY_OTHERS = re.compile(
    r"\b(?:(?:if|when|where|who|that|and|which) )?(?:the |an? |some |their )?(?:[\w-]+ )?(?:user|users|customer|customers|they|he|she|captain|speaker|author|writer|document|text|paper|letter|log|who|people|sender|caller)s? (?:only |just |does |do |may |might )?\Z",
    re.IGNORECASE,
)
# "for the flag", "as its value"
_OF_PART = r"\b(?:for|as|in|into|under|to|of)\s+(?:the |its |that |each |this |every )?[\"'`*]*(?:{names}|fields?|keys?|values?|it|them|that (?:one|part)|sections?|columns?|cells?|lines?)\b"


def instead(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What is answered in some case and no form that was read can be; each with its line."""
    text = instructions(document, found)
    known = words_read(leaves) if found.whole else {label.casefold() for leaf in leaves for label in leaf.labels}
    known |= {label.rstrip(".") for label in known}
    nullable = any(leaf.nullable for leaf in leaves)
    allowed = known | {"null"} | ({"none"} if nullable else set())
    filled = _filled(found, leaves)
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        asked = _ASKED_BEFORE.search(text[max(0, sentence.start() - 3) : sentence.start()].rstrip())
        if not (_CASE.search(said) or asked) or MASK in said:
            continue
        for match in _ORDER.finditer(said):
            value = next(word for name, word in match.groupdict().items() if word and name != "verb")
            # "Decision: unreadable" is a label after its name.
            folded = value.strip(" .,").casefold()
            known_one = folded in allowed or folded.rpartition(": ")[2] in allowed or value in _EMPHASIS
            if not known_one and not _is_of_part(said, match, value, found, filled):
                line = document.line(sentence.start() + match.start())
                yield f"line {line}: {shortened(match[0])!r}: in this case the answer is {value!r}, and no form that was read can be"
    yield from _prose(document, text, found, leaves)
    patterns = [
        _PASSIVE,
        *([_WRITTEN] if not found.whole else []),
        *([_ELLIPTIC, _REVERSED] if found.whole != "sections" else []),
    ]
    for match in (match for pattern in patterns for match in pattern.finditer(text)):
        value = match["value"].strip("\"“”`'[]")
        held = any(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", value.casefold()) for label in known)
        if not held and MASK not in match[0]:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no form that was read can be {value!r}"
    if (
        (empty := _EMPTY.search(text))
        and not nullable
        and not (_LEAVES.match(empty[0]) and found.whole and _may_be_empty(leaves))
    ):
        yield f"line {document.line(empty.start())}: {shortened(empty[0])!r}: no form that was read can be empty"


def _may_be_empty(leaves: Sequence[KeyOfSchema]) -> bool:
    return any("string" in leaf.kinds and not leaf.labelled for leaf in leaves)


def _filled(found: Inferred, leaves: Sequence[KeyOfSchema]) -> tuple[re.Pattern[str], bool]:
    """What says that a value is filled in, and whether an open text may hold a message."""
    names = "|".join(sorted({spaced(leaf.name) for leaf in leaves if len(leaf.name) > 1}, key=len, reverse=True))
    prose = any(_HOLDS_PROSE.search(leaf.name) and "string" in leaf.kinds and not leaf.labelled for leaf in leaves)
    return re.compile(_OF_PART.format(names=names or "(?!)"), re.IGNORECASE), prose and bool(found.whole)


def _is_of_part(
    said: str, match: re.Match[str], value: str, found: Inferred, filled: tuple[re.Pattern[str], bool]
) -> bool:
    """Whether an order is denied, said by others, or only fills in a part of the form: "output "none" for the flag"."""
    part, prose = filled
    before, after = said[: match.start()], said[match.end() :]
    if match.groupdict().get("or_quoted") and match[0].lower().startswith("and"):
        return True
    if (not match["verb"] and found.whole in ("labels", "sections")) or (prose and len(value.split()) > _FEW):
        return True
    if _DENIED.search(before) or _BY_OTHERS.search(before):
        return True
    clause = re.split(r"[,;:]", before)[-1]
    return bool(found.whole and (part.match(after.lstrip(" .,\"'`")) or part.search(clause)))


_FEW = 3
# "When in doubt, a question mark."
_ELLIPTIC = re.compile(
    r"\b(?:if|when|without|in case of|for)\b(?! (?:example|instance))[^.,:;\"“”\n]{2,50}[,:] (?:(?:just|only|an?|the|word|simply) )*(?P<value>question mark|dash|hyphen|asterisk|[\"“`][^\"”`\n{}]{1,30}[\"”`]|(?-i:[A-Z][A-Z/]+))\s*(?:[.;]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_REVERSED = re.compile(
    r"[,;] (?:and |but |or )?(?:with )?(?P<value>nothing|none|an? (?:dash|question mark|hyphen|blank)|[\"“`][^\"”`\n{}]{1,30}[\"”`]|(?-i:[A-Z]{2,})) (?:if|when|in case|where|unless)\b",
    re.IGNORECASE,
)
# "Notes that are no request get the answer IGNORE", "Chats without text are answered with a dash"
_PASSIVE = re.compile(
    r"\b(?:(?:get|gets|receives?|have|has) (?:only |just )?the (?:answer|reply|response|output|word|text)|(?:is|are|must be|should be) (?:to be )?(?:answered|replied to) (?:only |just )?(?:with|by)) (?:(?:the|an?|word|text) )*(?P<value>[\"“`][^\"”`\n{}]{1,30}[\"”`]|(?-i:[A-Z]{2,})|dash|hyphen|question mark|nothing)",
    re.IGNORECASE,
)
# "If the question needs no search, write NO SEARCH.", of an answer without parts
_WRITTEN = re.compile(
    r"\b(?:if|when|unless|without|where)\b[^.;\"\n]{3,80}, (?:then |just |only |simply )*(?:write|put|give|print|use) (?:(?:the|word|text|an?) )*(?P<value>[\"“`][^\"”`\n{}]{1,30}[\"”`]|(?-i:[A-Z]{2,}(?: [A-Z]{2,})*)|dash|hyphen|question mark|nothing)\s*(?:[.;]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_EMPTY = re.compile(
    r"\b(?:output|return|reply with|answer with|print|write) (?:just |only )?an? (?:empty|blank) (?:line|answer|output|reply|response|message)\b|"
    r"\bleave (?:it|(?:your|the) (?:answer|output|reply|response)) (?:empty|blank)\b|\b(?:do not|don['’]t) (?:answer|reply|respond|write anything)(?: at all)?\b(?=[.;]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_LEAVES = re.compile(r"leave\b", re.IGNORECASE)
_TELLS = re.compile(
    r"\b(?:if|when|unless|in case|should)\b[^.!?\n]{3,100}?(?:,|\bthen\b)\s*(?:then |please |just |simply |you (?:should|must|may) |only )*(?P<what>(?:say|write|state|tell|answer) (?:so|why|what|which|that|me|us|the (?:user|customer|reader))\b|(?:ask|apologi[sz]e|refuse|decline|explain|describe|greet|warn|suggest|propose|add (?:an?|one|the)|tell)\b)[^.!?\n]*"
    r"|(?:^|[.!?] |\bor )(?P<late>(?:say so|ask (?:back|for|the user|the customer|what)|explain why|apologi[sz]e|tell (?:me|us|the user)))\b[^.!?\n]{0,40}?\b(?:if|when)\b",
    re.IGNORECASE | re.MULTILINE,
)
_HOLDS_PROSE = re.compile(
    r"reason|expla|why|note|comment|message|reply|response|answer|text|question|warn|suggest|advice|remark|feedback|rational|justif|detail|summary|description|caveat|follow|clarif|error|issue|next",
    re.IGNORECASE,
)


def _prose(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What is told in words in some case, if no open text is for it: "If it is unclear, ask what is meant"."""
    open_texts = [leaf for leaf in leaves if "string" in leaf.kinds and not leaf.labelled]
    if any(_HOLDS_PROSE.search(leaf.name) for leaf in open_texts):
        return
    explained = bool(open_texts) and bool(found.whole)
    for match in _TELLS.finditer(text):
        clause = match[0]
        named = any(re.search(rf"(?<![\w-]){spaced(leaf.name)}(?![\w-])", clause, re.IGNORECASE) for leaf in open_texts)
        if explained and re.match(r"explain|describe|suggest|propose|add|warn", match["what"] or "", re.IGNORECASE):
            continue
        if (
            not named
            and MASK not in clause
            and not _DENIED.search(clause[: match.end() - match.start()].split(",")[-1][:20])
        ):
            said = match["what"] or match["late"]
            yield f"line {document.line(match.start())}: {shortened(said)!r}: in some case the answer is told in words, and no field is for them"


def other_values(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a value may be and its schema has not, each with its line."""
    yield from _empty(document, leaves)
    yield from _in_a_language(leaves)
    yield from _percent(document, leaves)
    yield from _null_of_others(document, leaves)


_SENTENCE_OF_VALUES = re.compile(r"[^.!?\n]+(?:\.(?=\S)[^.!?\n]*)*")
LEFT_EMPTY = re.compile(
    r"\b(?:leave|keep)\b[^.\n]{0,40}\b(?:empty|blank)\b|\b(?:use|return|output|give|put|write|set|fill)\b[^.\n]{0,50}(?:\b(?:an? )?(?:empty|blank) (?:strings?|texts?|values?)\b|(?<![\"'\w])(?:\"\"|'')(?![\"'\w]))",
    re.IGNORECASE,
)
"""What lets a text be empty: "Leave strings empty when the log does not say it"."""
_OF_ANY = re.compile(
    r"\b(?:any|all|every|each|fields?|values?|keys?|strings|information|data|anything|something|details?|attributes?|properties|entr(?:y|ies)|what is)\b",
    re.IGNORECASE,
)


def _empty(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels without an empty one, where a sentence about no key lets any text be empty."""
    closed = [leaf for leaf in leaves if leaf.labels and "" not in leaf.labels and not leaf.nullable]
    names = "|".join(re.escape(leaf.name) for leaf in leaves) or r"(?!)"
    for sentence in _SENTENCE_OF_VALUES.finditer(document.text) if closed else ():
        said = LEFT_EMPTY.search(sentence[0])
        if said and _OF_ANY.search(sentence[0]) and not re.search(rf"(?<![\w-])(?:{names})(?![\w-])", sentence[0]):
            line = document.line(sentence.start() + said.start())
            yield f"line {line}: {shortened(said[0])!r}: {closed[0].name!r} has labels, and none that is empty"
            return


# "low|medium|high in TARGET_LANGUAGE"
_LANGUAGE = re.compile(r".+ in (?:[A-Z][A-Z_]{3,}|(?:the |your )?(?:\w+ )?language|\{.*\})\Z")


def _in_a_language(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    for leaf in leaves:
        for label in leaf.labels:
            if _LANGUAGE.match(label):
                yield f"{label!r} is a label of {leaf.name!r} and says in which language the labels are: they are not named"


def _percent(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A place for a percentage that was read as a text: ``{"sales": %, "costs": %}``."""
    for leaf in leaves if "%" in document.text else ():
        shown = re.search(rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*(?:%|<%>|<[^<>\n\"]*%>)\s*[,}}\n]", document.text)
        if shown and leaf.kinds == {"string"} and not leaf.labelled:
            yield f"line {document.line(shown.start())}: {shortened(shown[0])!r} shows a percentage, and a text was read"


# "If found is false all the other fields are null."
_OTHERS_NULL = re.compile(
    r"\bif\W+(?P<key>\w+)\W+(?:is|=|==)[^.\n]*\b(?:other|remaining|rest of the) (?:fields?|keys?|values?|properties)\b[^.\n]*\bnull\b",
    re.IGNORECASE,
)


def _null_of_others(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    for match in _OTHERS_NULL.finditer(document.text):
        for leaf in leaves:
            own = rf"[\"']{re.escape(leaf.name)}[\"']\s*:[^,\n]*\bnull\b"
            if leaf.name == match["key"] and leaf.nullable and not re.search(own, document.text):
                yield f"line {document.line(match.start())}: null is said of the other keys, and {leaf.name!r} was read with it"


_NO_JSON = re.compile(
    r"\b(?:never|do not|don['’]t|must not|should not|cannot)[ \t]+(?:ever )?(?:(?:return|use|output|write|produce|give|send|emit|print|generate|include|add|answer|respond|reply)[ \t]+)?(?:(?:in|with|as)[ \t]+)?(?:any |a |the )?(?:raw |valid )?json\b"
    r"(?! (?:in|inside|within|with|fences?|code|comments?|markdown|blocks?|that|outside|keys?|before|after|wrapp\w+|as a|schema|escap\w+|lines?|strings?|until|unless|if|objects? (?:with|that))\b)"
    r"|(?:\A|[.;:,(–—-][ \t]*|\n[ \t]*)no json\b(?! (?:in|inside|within|with|fences?|code|comments?|markdown|blocks?|schema|keys?)\b)|\b(?:without|not (?:in|as)|instead of|rather than) (?:any )?json\b(?! (?:in|fences?|code|markdown|blocks?|comments?|keys?)\b)",
    re.IGNORECASE,
)
_ONE_THING = re.compile(
    r"\b(?:whole|entire|complete|full) (?:reply|response|answer|output)\b[^.\n]{0,40}\b(?:one|a single|exactly one|just one) (?:word|number|letter|digit|line|sentence|token|label)\b",
    re.IGNORECASE,
)


def denied(document: PromptText, found: Inferred) -> Iterator[str]:
    """What says that the answer is no JSON, though keys of one were read."""
    text = instructions(document, found)
    for pattern in (_NO_JSON, _ONE_THING):
        for match in pattern.finditer(text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} stands against the JSON that was read"
    yield from _tag_holds_else(document, found)


_TAG_BEFORE = re.compile(r"<(?P<name>[A-Za-z][\w-]*)>\s*(?:```\w*\s*)?\Z")


def _tag_holds_else(document: PromptText, found: Inferred) -> Iterator[str]:
    """A tag around the JSON that holds a word in some case: "<items>none</items>"."""
    text = document.text
    for span in found.covered:
        if (tag := _TAG_BEFORE.search(text, 0, span.start)) is None:
            continue
        for other in re.finditer(rf"<{tag['name']}>\s*(?P<held>[^<>{{}}\[\]\n]{{1,60}}?)\s*</{tag['name']}>", text):
            if re.search(r"\w", other["held"]):
                yield f"line {document.line(other.start())}: {shortened(other[0])!r} is an answer in some case, and no JSON"
