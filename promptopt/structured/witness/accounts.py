"""A second reading that counts: each scale and each list of labels of a prompt must be held by a value that was read.

It asks what the prompt has and no value holds, wherever that stands and whatever it is said of, and then whether a value
was left open that could hold it. Like witness.py it shares no pattern with the readers that propose.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, blank
from promptopt.structured.witness.instructions import instructions, looked_for
from promptopt.structured.witness.keys import VARIABLE, KeyOfSchema, said_of, shortened


def unaccounted(
    document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema], *, quoted: bool = False
) -> Iterator[str]:
    """Scales and labels of the prompt that no value holds although one was read that could; each with its line.

    Args:
        quoted: Whether what is said of each key was looked at already.
    """
    text = instructions(document, found)
    yield from _scales(document, text, leaves)
    if not quoted:
        yield from _labels_of_key(document, text, leaves)
    yield from _lists(document, text, found, leaves)
    yield from _labels_misplaced(document, text, found, leaves)
    yield from _fallback(document, text, leaves)


# ---- scales ----------------------------------------------------------------------------------------------------------

_NUMBER = r"\d{1,4}(?:\.\d+)?"
_LOWS = frozenset((-100.0, -10.0, -5.0, -1.0, 0.0, 1.0))
# "1-5", "0 to 100", "between 0.0 and 1.0"; no "1-2 sentences", "steps 1-3", "2024-01-31", "$1-5"
_SPAN = re.compile(
    rf"(?<![\w.,$€£:/–-])(?<!steps )(?<!lines )(?<!rules )(?<!sections )(?<!pages )(?<!phases )(?<!days )(?<!weeks )(?<!top )(?P<low>-?{_NUMBER})\s?%?[ \t]*"
    rf"(?:-|–|—|to|up to|and|through|\.\.\.?|,)\s?(?P<high>{_NUMBER})(?![\d/–-]|:\S)(?!\.\d)(?!,\d)(?!%? ?-? ?(?!(?:or|and|inclusive|where|if|based|how|scale|points?|scor\w+|rating|for|with"
    r"|on|in|as|of|from|that|representing|indicating|being|float|integer|int|number|decimal|depending|range|only|per|total|each|by)\b)[A-Za-z])",
)
_JOINED = re.compile(r"\b(?:between|from|range|in|of|scale|0|\[|\()\W*\Z", re.IGNORECASE)
# "Award 0, 1 or 2 points"
_GRADES_LISTED = re.compile(
    rf"(?<![\w.,$€£:/-])(?<!-)[01](?:\.\d)?(?:,\s?{_NUMBER})+,?\s+or\s+{_NUMBER}(?![\w:/]|\.\d)"
)
_OUT_OF = re.compile(
    r"\bout of (?P<high>5|10|100)\b|(?<=\w)/(?P<slash>5|10|100)\b(?![\w/])|\btotal\s*[=:]\s*(?P<total>10|100)\b",
    re.IGNORECASE,
)
# "1 = doubtful, 5 = certain"
_MEANT = re.compile(r"(?<![\w.#/])(?P<grade>-?\d{1,3}(?:\.\d+)?)\s?(?:=|→|:|\bmeans\b|\bif\b)\s?[A-Za-z\"'(]")
_GRADE_LINE = re.compile(
    r"^[ \t]*(?:[-*•|][ \t]*)?[*_`\"']*(?:(?:score|level|grade|rating|stars?)\s)?(?P<low>\d{1,3})(?:\s?[-–]\s?(?P<high>\d{1,3}))?%?(?: points?)?[*_`\"']*[ \t]*(?:[:=—–|→(]|-[ \t])",
    re.IGNORECASE | re.MULTILINE,
)
_COUNTS = re.compile(
    r"(?:\A|_)(?:counts?|totals?|amounts?|prices?|costs?|fees?|years?|ages?|quantity|qty|numbers?|num|no|n|index|idx|lines?|pages?|ids?|duration|minutes?|mins?|seconds?|secs?|hours?|days?|weeks?"
    r"|months?|size|length|width|height|min|max|timestamp|time|start|end|offset|position|pos|tokens?|salary|budget|revenue|calories|kcal|protein|carbs|fat|grams?|lat|lng|lon|latitude|longitude|x|y|w|h|steps?"
    r"|order|rank|version|values?|units?|row|column|col|distance|temperature|turn|round|chapter|episode|port|code|sum|subtotal|tax|balance|income|spend|sold|stock|servings?|reps|sets|limit|k)\Z|\A(?:num|n|no|count|total|max|min|avg)_"
)
_GRADED = re.compile(
    r"(?:\A|_)(?:scores?|ratings?|grades?|confidence|probability|likelihood|certainty|severity|alignment|relevance|quality|strength|importance|accuracy|similarity|weight|percentage|percent|points|level|intensity|impact|urgency|priority)(?:_|\Z)"
)


_GRADE = re.compile(r"(?:\A|_)(?:score|rating|grade|confidence|probability|likelihood)\Z")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def _scales(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers without a range, in a prompt that has a scale which no other number holds, or that are grades by their name."""
    numeric = [leaf for leaf in leaves if leaf.kinds & {"number", "integer"}]
    if not numeric:
        yield from _scales_unread(document, text, leaves)
    free = [leaf for leaf in numeric if not leaf.bounded and not _COUNTS.search(_plain(leaf.name))]
    texts = [leaf for leaf in _open_texts(leaves) if _GRADE.search(_plain(leaf.name))]
    if not free and not texts:
        return
    held = [
        (float(one["minimum"]), float(one["maximum"]))
        for leaf in numeric
        for one in (leaf.value, *leaf.value.get("anyOf", ()))
        if "minimum" in one and "maximum" in one
    ]
    # Grades that are listed are a scale too.
    grades_listed = [[float(label) for label in leaf.value.get("enum", ()) if label is not None] for leaf in numeric]
    held += [(min(one), max(one)) for one in grades_listed if one]
    grades = [leaf for leaf in free if _GRADED.search(_plain(leaf.name))]
    for start, said, low, high in _scales_said(text):
        inside = any(least <= low and high <= most for least, most in held)
        # "clarity 0-10, style 0-5": the smaller one is of the key that comes right before it.
        named = [
            leaf for leaf in free if re.search(rf"\b{re.escape(leaf.name)}\W{{1,3}}\Z", text[:start], re.IGNORECASE)
        ]
        # "each 0-2" is no part of a total from 0 to 10.
        each = free if re.search(r"\b(?:each|every)\b[^.;\n]{0,40}\Z", text[max(0, start - 60) : start]) else []
        exact = any((low, high) == ends for ends in held)
        for leaf in (*grades, *named, *(() if exact else each)) if inside else (*free, *texts):
            line = document.line(start)
            yield f"line {line}: {shortened(said)!r} is a scale, and {leaf.name!r} was read without a range"


_RATES = re.compile(r"\b(?:rat(?:e|ing)|scor(?:e|ing)|grad(?:e|ing)) ", re.IGNORECASE)


def _scales_unread(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A scale that a sentence orders to rate on, if no value is a number and no label a grade."""
    if any(re.search(r"\d", label) for label in _known(leaves)):
        return
    for start, said, _, _ in _scales_said(text):
        begin = max(text.rfind("\n", 0, start), text.rfind(". ", 0, start)) + 1
        if _RATES.search(text, begin, start) and not _GIVEN.search(text, begin, start):
            yield f"line {document.line(start)}: {shortened(said)!r} is a scale, and no value was read as a number"


# "from 1 (poor) up to 10": what an end of a scale means
_MEANING = re.compile(r"(?<=\d) ?\([^()\n\d]{1,60}\)(?= ?(?:to|and|up|through|-|–))")


def _scales_said(text: str) -> Iterator[tuple[int, str, float, float]]:
    """Where the text has a scale, its words, and from where to where it goes."""
    text = _MEANING.sub(lambda aside: blank(aside[0]), text)
    for match in _SPAN.finditer(text):
        low, high = float(match["low"]), float(match["high"])
        joined = re.search(r"and|,", text[match.end("low") : match.start("high")])
        if (
            low in _LOWS
            and high > low
            and (not joined or _JOINED.search(text, max(0, match.start() - 12), match.start()))
        ):
            yield match.start(), match[0], low, high
    for match in _GRADES_LISTED.finditer(text):
        grades = sorted(float(one) for one in re.findall(_NUMBER, match[0]))
        yield match.start(), match[0], grades[0], grades[-1]
    for match in _OUT_OF.finditer(text):
        yield match.start(), match[0], 0.0, float(match["high"] or match["slash"] or match["total"])
    for line in re.finditer(r"[^\n]+", text):
        meant = sorted({float(one["grade"]) for one in _MEANT.finditer(line[0])})
        if len(meant) > 1 and meant[0] in _LOWS:
            yield line.start(), line[0], meant[0], meant[-1]
    graded = list(_GRADE_LINE.finditer(text))
    for first, second in itertools.pairwise(graded):
        ends = sorted(float(one[side]) for one in (first, second) for side in ("low", "high") if one[side])
        if text.count("\n", first.end(), second.start()) <= 2 and ends[0] < ends[-1]:
            yield first.start(), text[first.start() : first.start() + 60].split("\n", maxsplit=1)[0], ends[0], ends[-1]


# ---- labels ----------------------------------------------------------------------------------------------------------

_Q = r"(?:\"[^\"\n]{1,40}\"|`[^`\n]{1,40}`|'[^'\n]{1,40}'|“[^”\n]{1,40}”)"
_THEN = r"\s*(?:\([^()\n]{1,120}\))?\s*"
_QUOTED_LIST = re.compile(rf"{_Q}(?:{_THEN}(?:,\s*or\b|,|/|\||\bor\b){_THEN}{_Q})+", re.IGNORECASE)
_SAMPLE = re.compile(
    r"\b(?:e\.g|examples?|such as|like|instance|instead of|not|never|avoid|don['’]t|words?|phrases?|mentions?|mentioned|rather than|vs\.?|as in|including|includes?|contains?|says?|titled?|called|named|look(?:ing)? for|search(?:ing)? for|labell?ed|marked|printed|because|→|->)\b",
    re.IGNORECASE,
)


def _open_texts(leaves: Sequence[KeyOfSchema]) -> list[KeyOfSchema]:
    return [leaf for leaf in leaves if not leaf.labelled and leaf.kinds and leaf.kinds <= {"string", "null"}]


def _known(leaves: Sequence[KeyOfSchema]) -> set[str]:
    """All labels and all keys, folded."""
    known = {leaf.name.casefold() for leaf in leaves}
    for leaf in leaves:
        known |= _enum(leaf)
    return known


_MARKED = re.compile(r"[\"'`*](?P<name>[^\"'`*\n]+)(?=[\"'`*])")


def _labels_of_key(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text that was read without labels, of which several words in quotation marks are said."""
    own = PromptText(text, text)
    names = {leaf.name for leaf in leaves}
    marked = [(match.start(), match["name"]) for match in _MARKED.finditer(text) if match["name"] in names]
    for leaf in _open_texts(leaves):
        stops = [start for start, name in marked if name != leaf.name]
        for said in said_of(own, leaf, stops):
            listed = _QUOTED_LIST.search(said.text)
            if listed is None or _SAMPLE.search(said.text[: listed.start()]) or looked_for(text, said.start):
                continue
            # A bare list of words after the colon, or one that says how its parts are joined.
            bare = "," in listed[0] and " or " not in listed[0] and not said.text[: listed.start()].strip(" :-–—([")
            if not bare and not re.search(r"\bor\b|[/|]|\b(?:if|when)\b", listed[0]):
                continue
            line = document.line(said.start)
            yield f"line {line}: {shortened(listed[0])!r} is said of {leaf.name!r}, which was read without labels"


_BARS = re.compile(r"(?<![\w|\]>)\"'`-])[A-Za-z][\w &/-]*(?:\|[ \t]*[A-Za-z][\w &/-]*){2,}(?!\|)")
_DEFINED = re.compile(
    r"^(?P<indent>[ \t]*)(?:[-*•][ \t]+|\d+[.)][ \t]+)?(?P<mark>[\"'`“*]+)(?P<head>[^\"'`”*\n]{1,40})[\"'`”*]+[ \t]*(?P<end>[=:—–(→]|-[ \t]|(?:if|when|only|for|means)\b)",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"^[ \t#*-]*(?:[\w-]+[ \t]+){0,3}(?:types?|categor(?:y|ies)|levels?|labels?|statuses|options|values|class(?:es)?|intents?|kinds|severit(?:y|ies)|priorit(?:y|ies)|tags|emotions|tones|sentiments|verdicts|tiers?|stages|modes)"
    r"\b(?P<more>[^:\n]{0,40}):[* \t]*(?P<list>[^\n]{5,400})$",
    re.IGNORECASE | re.MULTILINE,
)
_TYPES = frozenset(
    re.findall(
        r"\w+",
        "string str text int integer float number bool boolean true false null none list array object dict date any yes no",
    )
)
_MOST_WORDS = 3
# Two labels of a list are no chance.
_SOME = 4


def _lists(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Lists of labels in the prompt, of which a field has some or none."""
    known = _known(leaves)
    enums = {label for leaf in leaves for label in _enum(leaf)}
    free = _open_texts(leaves)
    for start, said, labels in _lists_said(text):
        folded = {label.casefold().strip() for label in labels} - _TYPES
        # "Give it as low | mid | high where": the first and the last of them are in a sentence.
        lost = sorted(label for label in folded - known if not _stands_in(label, known))
        if len(folded) < 2 or not lost or MASK in said or VARIABLE.search(said):
            continue
        line = document.line(start)
        if any(len(folded & _enum(leaf)) * 2 >= min(len(folded), _SOME) for leaf in leaves if leaf.labelled):
            yield f"line {line}: {lost[0]!r} is listed with the labels in {shortened(said)!r}, and no field has it"
        elif len(lost) == len(folded) and free and found.whole in ("JSON", "keys", "labels"):
            if any(match["name"].casefold() in enums for match in _MARKED.finditer(said)):
                continue  # 'if it is any of these, classify it as "tools":'
            yield f"line {line}: {shortened(said)!r} are labels, and no field has them"


def _stands_in(words: str, known: set[str]) -> bool:
    """Whether words begin or end with a label."""
    parts = words.split()
    return any(" ".join(parts[cut:]) in known or " ".join(parts[:cut]) in known for cut in range(1, len(parts)))


# What the prompt is given, and keys and columns.
_GIVEN = re.compile(r"\b(?:inputs?|receive|given|provided|keys?|fields?|columns?)\b", re.IGNORECASE)


def _enum(leaf: KeyOfSchema) -> set[str]:
    return {label.casefold().strip() for label in leaf.labels}


def _lists_said(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Where the text lists labels, its words there, and the labels."""
    for match in _BARS.finditer(text):
        begin = text.rfind("\n", 0, match.start()) + 1
        line = text[begin : match.end()]
        if not line.lstrip().startswith("|") and not _GIVEN.search(text, begin, match.start()):
            yield match.start(), match[0], [part.strip() for part in match[0].split("|")]
    for match in _NOUN.finditer(text):
        items = re.split(r",\s*(?:or\s+|and\s+)?|\s+or\s+|;\s*", re.sub(r"\([^()\n]*\)", "", match["list"]).strip(" ."))
        short = all(
            re.fullmatch(r"[\"'`*]*[A-Za-z][\w /&-]*[\"'`*]*", item) and len(item.split()) <= _MOST_WORDS
            for item in items
        )
        if len(items) > 2 and short and not _SAMPLE.search(match["more"]) and not _GIVEN.search(match[0]):
            yield match.start(), match[0], [item.strip(" \"'`*") for item in items]
    for match in _SLASHED.finditer(text):
        labels = [part.strip() for part in match["list"].split("/")]
        if len(set(labels)) > 1:
            yield match.start(), match[0], labels
    yield from _lettered(text)
    yield from _defined(text)


# "classify it as [GOOD/BAD/MIXED]"
_SLASHED = re.compile(
    r"\b(?:as|either|into|one of|choose|select|answer|with|is|be)\b[^.\n]{0,20}?[\[(](?P<list>[A-Z][A-Za-z_-]+(?:\s?/\s?[A-Z][A-Za-z_-]+)+)[\])]"
)
_OPTION = re.compile(r"^[ \t]*\(?(?P<letter>[A-H])[).:][ \t]+\S[^\n]*$", re.MULTILINE)


def _lettered(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Options A, B, C, one a line, below a line that says to take one of them."""
    options = list(_OPTION.finditer(text))
    for first, second in itertools.pairwise(options):
        lead = text[: first.start()].rstrip().rpartition("\n")[2]
        if (first["letter"], second["letter"]) == ("A", "B") and _OF_LABELS.search(lead):
            yield first.start(), first[0], ["A", "B"]


_FAR = 2
# What begins a step to take or a question to ask, and says what no label means.
_ORDERS = re.compile(
    r"[\s*_`\"':–—-]*(?:always |never |first,? |carefully )?(?:examine|look|check|read|use|apply|consider|identify|analy[sz]e|compare|try|note|make|ensure|avoid|focus|see|find|ask|what|is|are|does|do|did|how|who|why|which|was|were|can)\b",
    re.IGNORECASE,
)


def _defined(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Labels that are defined one below the other, each in marks."""
    heads: list[str] = []
    told: list[str] = []
    begin = position = 0
    indent = mark = lead = last = before = ""
    gap = 0
    for line in [*text.split("\n"), ""]:
        # A lead further up leads to something else: what was between them is no instruction.
        gap = 0 if line.strip() else gap + 1
        last = last if gap < _FAR else ""
        item = _DEFINED.match(line)
        if item and (not heads or (item["indent"], item["mark"][:1]) == (indent, mark)):
            if not heads:
                begin, indent, mark, lead = position, item["indent"], item["mark"][:1], last
            heads.append(item["head"])
            told.append(line[item.end() :])
        elif line.strip() and (item or not (heads and len(line) - len(line.lstrip()) > len(indent))):
            orders = sum(_ORDERS.match(words) is not None for words in told)
            if len(heads) > 1 and _OF_LABELS.search(lead) and not _GIVEN.search(lead) and orders * 2 <= len(heads):
                yield begin, f"{lead.strip()} {', '.join(heads)}", heads
            heads, told = [], []
            if item:
                begin, indent, mark, lead = position, item["indent"], item["mark"][:1], before
                heads.append(item["head"])
                told.append(line[item.end() :])
            last = line
        before = line if line.strip() else before
        position += len(line) + 1


# 'If a field is not mentioned, use "n/a"'
_FALLBACK = re.compile(
    r"\b(?:if|when|where|for)\b[^.\n]{0,60}\b(?:fields?|values?|information|data|anything|details?)\b[^.\n]{0,60}?\b(?:use|return|set|write|put|output|say|respond with)\b"
    r"[^.\n\"'`]{0,30}[\"'`](?P<text>[A-Za-z][\w /-]{1,30})[\"'`]",
    re.IGNORECASE,
)


_ITS_FALLBACK = r"[\"'`]? (?:is|are|was|cannot|can['’]t|isn['’]t|has)\b[^.\n\"'`]{0,40}\b(?:use|return|write|put|output|say|give)\b (?:the word )?[\"'`](?P<text>[A-Za-z][\w /-]{1,30})[\"'`]"


def _fallback(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text that any field may have instead of its value, if one of them is a number or a boolean."""
    for match in _FALLBACK.finditer(text):
        if match["text"].casefold() in _TYPES | _known(leaves) or re.search(
            r"[\"'`]", match[0][: -len(match["text"]) - 2]
        ):
            continue
        for leaf in leaves:
            if leaf.kinds and leaf.kinds <= {"number", "integer", "boolean"} and not leaf.labelled:
                line = document.line(match.start())
                yield f"line {line}: a field may be {match['text']!r}, and {leaf.name!r} was read without it"
    names = {leaf.name.casefold() for leaf in leaves}
    for leaf in leaves:
        if leaf.kinds - {"number", "integer", "null"} or not leaf.kinds or leaf.labelled:
            continue
        spoken = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", leaf.name).replace(" ", "[ _]")
        own = re.search(
            rf"\b(?:if|when|where)\b[^.\n\"'`]{{0,30}}[\"'`]?\b{spoken}\b{_ITS_FALLBACK}", text, re.IGNORECASE
        )
        if own and own["text"].casefold() not in names | _TYPES | _known(leaves):
            yield f"line {document.line(own.start())}: {own['text']!r} may stand for {leaf.name!r}, which was read as a number"


def _labels_misplaced(
    document: PromptText, instructions: str, found: Inferred, leaves: Sequence[KeyOfSchema]
) -> Iterator[str]:
    """Labels that the prompt gives as samples, only in an example, or only in lines about another key."""
    text = document.text
    names = {leaf.name for leaf in leaves}
    for leaf in leaves:
        labels = leaf.labels
        form = [text[span.start : span.end] for span in found.covered if found.whole in ("JSON", "labels")]
        if len(labels) < 2 or all(any(label in part for part in form) for label in labels):
            continue
        lost = [label for label in labels if label in text and label not in instructions]
        if len(lost) == len(labels):
            line = document.line(text.index(lost[0]))
            yield f"line {line}: {lost[0]!r} is in an example, and was read as a label of {leaf.name!r}"
        lines = [line for line in text.split("\n") if all(label in line for label in labels)]
        spoken = re.compile(re.sub(r"[_-]", "[ _-]", re.escape(_plain(leaf.name)).replace("\\_", "_")), re.IGNORECASE)
        others = (
            [
                name
                for name in names - {leaf.name}
                if re.search(rf"[\"'`*]{re.escape(name)}[\"'`*]|\A\W*{re.escape(name)}\s*:", lines[0])
            ]
            if len(lines) == 1
            else []
        )
        if others and not spoken.search(lines[0]):
            yield f"{', '.join(labels[:3])} are said of {others[0]!r}, and were read as labels of {leaf.name!r}"


_OF_LABELS = re.compile(
    r"\b(?:types?|categor(?:y|ies)|levels?|labels?|status(?:es)?|options|values|class(?:es)?|intents?|kinds|severit(?:y|ies)|priorit(?:y|ies)|verdicts?|tiers?|modes|one of|classify|choose)\b",
    re.IGNORECASE,
)
