"""A second reading of labels: those that a prompt names case by case, shows, or adds elsewhere, and codes that stand for them.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, begin_of, speaks
from promptopt.structured.witness.instructions import instructions
from promptopt.structured.witness.keys import KeyOfSchema, form_of, shortened, values_shown

_Q = r"(?:\"(?P<a>[^\"\n]{1,40})\"|`(?P<b>[^`\n]{1,40})`|(?<!\w)'(?P<c>[^'\n]{1,40})'(?!\w)|“(?P<d>[^”\n]{1,40})”)"
_VERB = r"(?:answer|respond|reply|return|output|write|say|use|choose|pick|select|put|mark|label|print|classify|assign|give|set)"
# 'and "x" otherwise', 'otherwise "x"', 'if none of them fits, write "x"'
_CASES = (
    re.compile(rf"{_Q}\s+(?:otherwise|in (?:all|any) other cases?|if|when)\b", re.IGNORECASE),
    re.compile(
        rf"\b(?:gets?|receives?|becomes?|counts? as|goes? (?:to|into|under)|falls? (?:under|into)|(?:is|are) (?:labell?ed|classified|marked|tagged)(?: as)?)\s+(?:the label\s+)?{_Q}",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?:otherwise|else|in (?:all|any) other cases?),?\s+(?:{_VERB}\s+)?(?:(?:with|it|as|only)\s+){{0,2}}{_Q}", re.IGNORECASE),
    re.compile(
        rf"\b(?:if|when|where)\b[^.\n\"'`“]{{3,90}}?[,\s]\s*(?:then |please )?{_VERB}\s+(?:(?:with|it|as|only|the word|the label)\s+){{0,2}}{_Q}",
        re.IGNORECASE,
    ),
)  # fmt: skip
# The same in words without marks: "If none applies, write none."
_BARE_CASE = re.compile(
    rf"\b(?:if|when) (?:none|nothing|neither|no \w+|it does not|you are not sure|you are unsure|unsure|unclear|in doubt)\b[^.\n\"'`“]{{0,60}}?,\s*(?:please )?{_VERB}\s+(?:(?:with|it|as|only|a|an|the)\s+){{0,2}}(?P<word>[A-Za-z][\w-]*)\s*(?=[.;\n]|\Z)",
    re.IGNORECASE,
)
# "If you cannot read it, respond with UNREADABLE", beside labels in capitals
_CAPITAL_CASE = re.compile(
    rf"\b(?:if|when|where|otherwise)\b[^.;\n\"'`“]{{0,90}}?[,\s]\s*(?:then |please )?{_VERB}\s+(?:(?:with|it|as|only|a|the|word|label)\s+){{0,2}}(?P<word>(?-i:[A-Z][A-Z_]+))\b",
    re.IGNORECASE,
)
_OF_LABELS = r"(?:labels?|tags?|categor(?:y|ies)|class(?:es)?|options?|types?|topics?|intents?|(?:of )?the following|of (?:these|them|the)|(?:that|which) (?:apply|applies|fit|fits|match))"
_SEVERAL = re.compile(
    rf"\b(?:one or (?:more|several|two)|zero or more|any number of|all(?: of)?(?: the| those)?|as many|multiple|several|at least one|up to (?:two|three|four|five|\d)|more than one|two or more|a list of|comma[- ]separated)\b[^.\n]{{0,30}}?\b{_OF_LABELS}\b"
    r"|\band/or\b|\b(?:can|may|might|could) (?:have|belong to|get|fall into|receive|be given) (?:more than one|several|multiple|two)\b|\bmulti-?label\b",
    re.IGNORECASE,
)
_APPLY = re.compile(r"\b(?:that|which) (?:apply|applies|fit|fits|match)\b|\A(?!all)", re.IGNORECASE)
_NOT = re.compile(r"(?:n['’]t|\b(?:not|never|no|if|even if|when|where|whenever))\b[^.\n]{0,50}\Z", re.IGNORECASE)


def labels_doubted(document: PromptText, found: Inferred) -> Iterator[str]:
    """Labels and parts that a bare value lacks, and several labels where one was read; each with its line."""
    labels = [str(label) for item in found.fields for label in item.schema.get("enum", ())]
    if not labels:
        return
    text = instructions(document, found)
    for span in found.covered:
        if _EXAMPLE_INPUT.search(document.text, 0, span.start):
            line = document.line(span.start)
            yield f"line {line}: {labels[0]!r} is in the input of an example, and was read as a label"
    yield from _cases(document, text, labels)
    if ends := _ENDS.search(text):
        yield f"line {document.line(ends.start())}: {shortened(ends[0])!r}: the label is a part of a longer answer"
    for match in _SEVERAL.finditer(text):
        begin = begin_of(text, match.start(), (".", "\n", ";"))
        if _OF_GIVEN.search(text, begin, match.start()):
            continue  # "a clause that mixes several types gets the letter of the longest part"
        if _APPLY.search(match[0]) and not _NOT.search(text, begin, match.start()):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one label was read, and the answer may have several"


_OF_GIVEN = re.compile(
    r"\b(?:that|which) (?:mix|mixes|has|have|contains?|covers?|mentions?|combines?)\s*\Z", re.IGNORECASE
)
# 'end your answer with "it is [LETTER]"'
_ENDS = re.compile(
    r"\bend (?:your|the) (?:answer|response|reply) with [\"'“`][^\"'”`\n]*[\[<][^\"'”`\n]*[\"'”`]", re.IGNORECASE
)
# 'Give the prize to "Anna" or "Bea"', at the begin of a clause
_WORDS_MARKED = r"(?:\"[^\"\n]{1,30}\"|“[^”\n]{1,30}”|`[^`\n]{1,30}`)"
_ORDERED = re.compile(
    r"(?:\A|[.!?;]\s+|\n[ \t]*(?:[-*•]|\d+[.)])?[ \t]*|\b(?:and|then|to|must|should) )(?:award|assign|give|mark|label|classify|choose|pick|select|set|decide|declare|rate|vote)\b[^.;\n\"“`]{0,40}"
    rf"{_WORDS_MARKED}(?:, {_WORDS_MARKED})*,? or {_WORDS_MARKED}",
    re.IGNORECASE,
)
# "Here is an example:", and below it "Input:" up to its "Output:"
_EXAMPLE_INPUT = re.compile(
    r"^[^\n]*\bexamples?\b[^\n]*:[* \t]*\n\s*(?:#+ )?\**input\b[^\n]*(?:\n(?![ \t]*\n|[#* \t]*output\b)[^\n]*)*\Z",
    re.IGNORECASE | re.MULTILINE,
)


def _cases(document: PromptText, text: str, labels: Sequence[str]) -> Iterator[str]:
    """Answers in some case that are no labels."""
    known = {label.casefold() for label in labels}
    for pattern in _CASES:
        for match in pattern.finditer(text):
            said = next(value for value in match.groupdict().values() if value).strip(" .,")
            yield from _lost(document, text, match.start(), said, known)
    if all(label.isupper() for label in labels):
        for match in _CAPITAL_CASE.finditer(text):
            yield from _lost(document, text, match.start(), match["word"], known)
    for match in _BARE_CASE.finditer(text):
        yield from _lost(document, text, match.start(), match["word"], known)


def keys_doubted(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels of keys that were not read: samples that are none of them, words in brackets after the words of a key."""
    yield from _samples(document, found, leaves)
    yield from _asides(document, leaves)
    yield from _of_numbers(document, leaves)
    yield from _of_two(document, found, leaves)
    open_texts = [leaf for leaf in leaves if leaf.kinds == {"string"} and not leaf.labelled and not leaf.listed]
    known = {word.casefold() for leaf in leaves for word in (leaf.name, *leaf.labels)}
    for match in _ORDERED.finditer(instructions(document, found)) if open_texts else ():
        if known.isdisjoint(quoted.casefold() for quoted in re.findall(r"[\"“`]([^\"”`\n]+)[\"”`]", match[0])):
            line = document.line(match.start())
            yield f"line {line}: {shortened(match[0])!r} orders to choose a label, and no field has it"


_SAMPLE = re.compile(r"\"(?P<sample>(?=[^\"\n]*\w)[^\"\n|<>\[\]{}]{1,40})\"")


def _samples(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Samples in the form that are none of the labels of their key, beside one that is: ``"rig": "A"``, ``"rig": "B, D"``."""
    form = form_of(document, found)
    for leaf in leaves:
        labels = set(leaf.labels)
        samples = {match["sample"].strip() for match in values_shown(form, leaf.name, _SAMPLE)} if labels else set()
        for sample in sorted(samples - labels) if samples & labels else ():
            yield f"{sample!r} is shown as {leaf.name!r} and is none of the labels that were read"


# What says that a list is that of several keys.
_OF_ALL = re.compile(
    r"\b(?:each|every|both|all|any|either|following|possible|allowed|levels|labels|values|options|ratings|scores|grades|categories|answers|fields|keys|respectively|same)\b",
    re.IGNORECASE,
)


def _of_two(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels of two keys that the prompt lists in one place only, which names no more than one of them."""
    form = form_of(document, found)
    for number, leaf in enumerate(leaves):
        labels = set(leaf.labels)
        same = [other for other in leaves[number + 1 :] if other.name != leaf.name and set(other.labels) == labels]
        if len(labels) < 2 or not same or all(label in form for label in labels):
            continue
        places = [line for line in document.text.split("\n") if all(label in line for label in labels)]
        if len(places) != 1 or _OF_ALL.search(places[0]):
            continue
        if sum(_is_named(one.name, places[0]) for one in (leaf, *same)) < _TWO:
            line = document.line(document.text.find(places[0]))
            yield f"line {line}: {shortened(places[0])!r} lists labels once, and {leaf.name!r} and {same[0].name!r} were read with them"


_TWO = 2


def _is_named(name: str, line: str) -> bool:
    """Whether a line has all words of a key."""
    return all(re.search(rf"(?<![a-z]){word}", line, re.IGNORECASE) for word in re.findall(r"[A-Z]?[a-z]+|\d+", name))


_MARKED_WORD = (
    r"(?:\"[A-Za-z][^\"\n]{0,20}\"|“[A-Za-z][^”\n]{0,20}”|`[A-Za-z][^`\n]{0,20}`|(?<!\w)'[A-Za-z][^'\n]{0,20}'(?!\w))"
)
_MARKED_WORDS = rf"\W{{0,4}}(?:[a-z]+\W{{1,3}}){{0,2}}{_MARKED_WORD}(?:\s*[,/|]\s*{_MARKED_WORD})*\s*(?:,?\s*\bor\b|/|\|)\s*{_MARKED_WORD}"
_WORDS_AFTER = re.compile(_MARKED_WORDS, re.IGNORECASE)
_BINARY = re.compile(rf"\bbinary (?:score|grade|rating|label|answer|verdict){_MARKED_WORDS}", re.IGNORECASE)


def _of_numbers(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Words in quotation marks after the words of a key that was read as a number: "a score 'yes' or 'no'"."""
    numbers = [leaf for leaf in leaves if leaf.kinds & {"integer", "number"} and "string" not in leaf.kinds]
    labels = {label.casefold() for leaf in leaves for label in leaf.labels}
    for leaf in numbers:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", leaf.name)
        spoken = words.replace(" ", "[ _]")
        said = (
            re.search(rf"(?<![\w\"'`-]){spoken}{_MARKED_WORDS}", document.text, re.IGNORECASE)
            if speaks(document.text, (words,), _WORDS_AFTER)
            else None
        )
        said = said or _BINARY.search(document.text)
        marked = re.findall(_MARKED_WORD, said[0]) if said else []
        if said and not labels.issuperset(word[1:-1].casefold() for word in marked):
            line = document.line(said.start())
            yield f"line {line}: {shortened(said[0])!r} are words, and {leaf.name!r} was read as a number"


_WORDS_LISTED = r"\((?P<list>(?!e\.g|such|like|for ex|including|see |if )[A-Za-z][\w-]*(?:(?:, |\s?[/|]\s?)(?:or )?[\w-]+){2,}(?:,? or [\w-]+)?)\)"


def _asides(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Words in brackets after the words of a text that was read without labels: "the rig (lug, gaff, square)"."""
    if not re.search(_WORDS_LISTED, document.text):
        return
    for leaf in leaves:
        if leaf.labelled or leaf.listed or leaf.kinds - {"string", "null"}:
            continue
        spoken = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", leaf.name).replace(" ", "[ _]")
        if beside := re.search(
            rf"(?<![\w-]){spoken}(?: (?:of|for|on|about) (?:[\w'’-]+ ){{0,3}}[\w'’-]+)? {_WORDS_LISTED}",
            document.text,
            re.IGNORECASE,
        ):
            line = document.line(beside.start())
            yield f"line {line}: {shortened(beside[0])!r}: these may be the labels of {leaf.name!r}, which was read without"


def _lost(document: PromptText, text: str, start: int, said: str, known: set[str]) -> Iterator[str]:
    begin = begin_of(text, start, (". ", "\n", "; ", ": ", ", "))
    denied = re.search(r"\b(?:do not|never|contains?|says?|mentions?)\b|n['’]t\b", text[begin:start], re.IGNORECASE)
    if said.casefold() not in known and MASK not in said and not denied:
        yield f"line {document.line(start)}: {shortened(said)!r} is an answer in some case, and was not read as a label"


_SET = re.compile(
    r"\b(?i:respond|reply|answer|return|output|write|use|assign|print|give)\b(?:\s+(?i:with|only|a|an|the|it|as|number|letter|digit|value|code))*\s+[\"'`“]?(?P<code>-?\d|[A-Z])[\"'`”]?(?!\w|\.\d|['’]|[ ]?[-–/]|\s(?i:to|sentences?|words?|or more))"
)


def codes_instead(document: PromptText, found: Inferred) -> Iterator[str]:
    """Codes that the prompt has for its cases, if words were read as what the answer may be."""
    labels = {str(label) for item in found.fields for label in item.schema.get("enum", ())}
    said = list(_SET.finditer(instructions(document, found)))
    codes = {match["code"] for match in said}
    same = len({code.isalpha() for code in codes}) == 1
    if len(found.fields) > 2 or not labels or len(codes) < 2 or not same or codes & labels:
        return
    line = document.line(said[0].start())
    yield f"line {line}: {shortened(said[0][0])!r} sets a code, and the labels {', '.join(sorted(labels)[:3])} were read"


_SENTENCE = re.compile(r"(?:[^.!?\n]|\.(?=\S))+")
_CASE = re.compile(
    r"\b(?:if|when|whenever|unless|otherwise|else|in (?:all |any )?(?:other|doubt)|neither|nothing|no (?:other|such|label|category)|for (?:anything|everything|all) else)\b",
    re.IGNORECASE,
)
_SETS = re.compile(
    r"\b(?:use|choose|pick|take|select|write|put|set (?:it |\w+ )?to|set|label it(?: as)?|mark it(?: as)?|call it|classify it as|give|assign|it is|becomes|say|answer|reply|return|output)\s+(?:it |the |as |with |label |category |value |class |word )*"
    r"(?:[\"'“`](?P<quoted>[A-Za-z][\w /-]{0,30})[\"'”`]|(?P<plain>[a-z][\w-]*|[A-Z]{2,}[\w-]*)(?=\s*(?:[.,;)]|\Z|$|(?:if|when|instead|as)\b)))",
    re.IGNORECASE,
)
_NO_LABEL = frozenset(
    re.findall(
        r"\w+",
        """it them this that one both all none null nothing something anything instead first last best worst json only so judgement judgment care caution
    yes no true false empty blank english context sense common words higher lower stricter former latter most least strictest highest lowest earlier later two
    three four five quotes text here there now more less up down back""",
    )
)
_NEW = re.compile(
    r"\b(?:add|invent|create|make up|use|suggest|propose|introduce|write|choose)\s+(?:any |some |an? )?(?:new|other|further|own|your own|different|additional|another|extra)\s+(?:\w+ )?(?P<what>labels?|topics?|categor(?:y|ies)|class(?:es)?|tags?|values?|options?|keys?|fields?|sections?|headings?|columns?|names?)\b",
    re.IGNORECASE,
)
_AS_MANY = re.compile(
    r"\b(?:one|any|zero) or (?:more|several|both)\b|\ball (?:that|which|labels that|categories that) (?:apply|fit|match)\b|\bany number of\b|\bas many as (?:apply|fit|needed)\b|\b(?:may|can|could) (?:have|get|be given|take|give|choose|pick|be) (?:several|two|more than one|many|both|up to)\b|\bseparate (?:two|several|multiple|them|more than one)\b|\bmore than one (?:label|category|class|tag|topic|answer|option|letter)\b(?! (?:is|must|are) not)|\b(?:give|return|list|name|output|answer with|reply with|choose|pick) (?:both|them all|all of them)\b|\bif (?:two|several|both|more than one)\b[^.;\n]{0,40}\b(?:give|return|list|name|output|answer with|reply with|write|separate|join)\b(?! (?:the (?:first|best|main|most|more)|only)\b)",
    re.IGNORECASE,
)
_NOT_ADDED = re.compile(r"(?:\b(?:not|never|no|avoid|without|only one of)\b|n['’]t\b)[^,;.]{0,40}\Z", re.IGNORECASE)


def labels_added(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels that are none of those that were read, and several where one was; each with its line."""
    text = instructions(document, found)
    closed = [leaf for leaf in leaves if leaf.labelled and "string" in leaf.kinds]
    if closed:
        yield from _else(document, text, closed)
        yield from _of_cases(document, text, leaves, closed)
        yield from _of_keys(document, text, closed)
    if closed or found.whole in ("sections", "table", "JSON", "keys", "labels"):
        for match in _NEW.finditer(text):
            labels = (
                match["what"].lower().startswith(("label", "topic", "categ", "class", "tag", "value", "option", "name"))
            )
            begin = text.rfind("\n", 0, match.start()) + 1
            if MASK not in match[0] and (closed or not labels) and not _NOT_ADDED.search(text[begin : match.start()]):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: what was read may not be all"
    if not found.whole and len(found.fields) == 1 and closed and not any(leaf.listed for leaf in leaves):
        for match in _AS_MANY.finditer(text):
            begin = text.rfind("\n", 0, match.start()) + 1
            if not _NOT_ADDED.search(text[begin : match.start()]) and MASK not in match[0]:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: one label was read, and there may be several"


# "Anything else counts as odd.", "You can also say hold."
_ELSE = re.compile(
    r"\b(?:(?:anything|everything|all|something) else (?:is|counts as|becomes|gets|goes to|is called)|(?:can|may|could) be(?= [\"'“`]?[\w-]+[\"'”`]? (?:too|as well)\b)|(?:you |it )?(?:can|may|could) also (?:say|answer|use|reply|write|choose|give|be)) (?:the label |the )?[\"'“`]?(?P<value>[A-Za-z][\w-]*)[\"'”`]?(?: too| as well)?\s*(?:[.;,)]|\Z|$)",
    re.IGNORECASE | re.MULTILINE,
)
# 'A stolen parcel is "theft".'
_QUOTED = re.compile(
    r"(?:^|[.!?] )(?!if\b|when\b|the (?:label|category|answer)\b)[^.;:,\"\n]{3,60} (?:is|are|counts? as|belongs? to|goes? (?:to|into)) [\"“](?P<value>[A-Za-z][\w -]{0,30})[\"”]\s*(?:[.;]|$)",
    re.IGNORECASE | re.MULTILINE,
)


def _else(document: PromptText, text: str, closed: Sequence[KeyOfSchema]) -> Iterator[str]:
    known = {label.casefold() for leaf in closed for label in leaf.labels}
    bare = len(closed) == 1
    for match in (*_ELSE.finditer(text), *(_QUOTED.finditer(text) if bare else ())):
        if match["value"].casefold() not in known | (_NO_LABEL - {"none", "both", "all", "nothing"}):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {match['value']!r} is none of the labels that were read"


def _of_cases(
    document: PromptText, text: str, leaves: Sequence[KeyOfSchema], closed: Sequence[KeyOfSchema]
) -> Iterator[str]:
    """A label for one case: "If the mood is neither, use mixed"."""
    known = {label.casefold() for leaf in leaves for label in leaf.labels} | {leaf.name.casefold() for leaf in leaves}
    open_keys = [leaf for leaf in leaves if not leaf.labelled]
    for sentence in _SENTENCE.finditer(text):
        said = sentence[0]
        if not _CASE.search(said) or MASK in said:
            continue
        # With other values beside it, the sentence has to name the key, or all labels.
        named = any(re.search(rf"(?<![\w-]){re.escape(leaf.name)}(?![\w-])", said, re.IGNORECASE) for leaf in closed)
        other = any(re.search(rf"(?<![\w-]){re.escape(leaf.name)}(?![\w-])", said, re.IGNORECASE) for leaf in open_keys)
        if (open_keys and not named) or other:
            continue
        for match in _SETS.finditer(said):
            value = (match["quoted"] or match["plain"]).strip()
            folded = value.casefold()
            words = set(re.findall(r"\w+", folded))
            stands = any(folded in label or label in folded for label in known)
            if (
                stands
                or (match["plain"] and words & _NO_LABEL)
                or _NOT_ADDED.search(said[: match.start()].split(",")[-1])
            ):
                continue
            if match["plain"] and not re.search(
                r"(?:,|\bthen|\belse|\botherwise)\s*\w*\s*\Z", said[: match.start()] + " ", re.IGNORECASE
            ):
                continue
            yield f"line {document.line(sentence.start() + match.start())}: {shortened(match[0])!r}: {value!r} is none of the labels that were read"


def _of_keys(document: PromptText, text: str, closed: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A label that a sentence gives a key: "mood may also be mixed", "kind is other"."""
    for leaf in closed:
        known = {label.casefold() for label in leaf.labels} | {leaf.name.casefold()}
        name = re.escape(leaf.name).replace("_", "[ _]")
        said = re.compile(
            rf"(?<![\w-])[\"'`*]*{name}[\"'`*]* (?P<how>is|becomes|may(?: also)? be|can(?: also)? be|could(?: also)? be|must be|should be|might be) (?:also )?[\"'“`]?(?P<value>[A-Za-z][\w-]*)[\"'”`]?(?=\s*(?:[.;,)]|\Z|$|(?:if|when|unless|otherwise)\b))",
            re.IGNORECASE | re.MULTILINE,
        )
        has = re.compile(
            rf"\b(?:have|has|gets?|takes?|of|receives?) (?:the |an? )?{name} [\"'“`]?(?P<value>[A-Za-z][\w-]*)[\"'”`]?(?=\s*(?:[.;,)]|\Z|$))",
            re.IGNORECASE | re.MULTILINE,
        )
        letters = all(re.fullmatch(r"[A-Z]", label) for label in leaf.labels)
        coded = re.compile(rf"\b{name} (?P<value>(?-i:[A-Z]))(?![\w-])(?! (?:or|and)\b)", re.IGNORECASE)
        for match in (*has.finditer(text), *said.finditer(text), *(coded.finditer(text) if letters else ())):
            value, how = match["value"].casefold(), match.groupdict().get("how") or "has"
            begin = max(text.rfind(sign, 0, match.start()) for sign in (".", "\n", ",", ";")) + 1
            asks = re.search(r"\b(?:if|when|whether|unless|because|that)\b", text[begin : match.start()], re.IGNORECASE)
            special = value in _NONES and how.lower() not in ("is", "becomes", "has") and not leaf.nullable
            if value not in known and not asks and (special or value not in _NO_LABEL | _STATES):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {match['value']!r} is none of the labels of {leaf.name!r}"


# "if the mood is unclear": what is known of a key
_STATES = frozenset(("required", "optional", "unclear", "given", "missing", "unknown", "stated", "known"))
_NONES = frozenset(("none", "null", "unknown", "unclear", "both", "empty"))
