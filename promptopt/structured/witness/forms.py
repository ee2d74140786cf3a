"""A second reading of a prompt against the whole form of a first one: parts, ranges and labels that the form must show.

Like witness.py it shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span
from promptopt.structured.witness.foreign import program
from promptopt.structured.witness.keys import NUMBER_WORDS, VARIABLE, is_index_of, reasons, said_once, shortened

_Schema = Mapping[str, Any]


def gainsaid_form(
    document: PromptText, found: Inferred, values: Sequence[_Schema], *, quoted: bool = False
) -> Iterator[str]:
    """What the prompt shows and the form that was read does not have, with its line.

    Args:
        values: The schemas of all values, the items of lists among them.
        quoted: Whether a quotation proves each of them.
    """
    checks: tuple[tuple[Iterator[str], bool], ...] = (
        (_broken_json(document, found), found.whole == "JSON"),
        (_ranges_unseen(document, found, values), not quoted),
        (_open_lists(document, values), True),
        (program(document), True),
        (_labels_lost(document, found, values), not quoted),
        (_numbered(document, found.fields), found.whole in ("labels", "")),
        (_unlike_siblings(document, found.fields), found.whole == "labels"),
        (_other_work(document, found), found.whole in ("labels", "") or found.wrapped),
        (_of_input(document, found), found.whole == "labels" and not quoted),
        (_shown_apart(document, found.fields), found.whole == "labels"),
        (_of_turns(found.fields), found.whole == "labels" and not quoted),
        (
            said_once(document, _ENDS_WITH, " is beside the form, or instead of it"),
            found.whole in ("JSON", "keys", "labels"),
        ),
        (_counted(document, found), found.whole in ("labels", "JSON", "keys")),
        (_no_labels(document, found), not found.whole or "brackets" in found.fields[0].source),
        (_choices_unread(document, values), found.whole in ("JSON", "keys")),
    )
    return reasons(checks)


_GOES_ON = re.compile(
    r",\s*(?:[A-Za-z]+ )*(?:continue|repeat|etc|and so on|for (?:each|every|all)|same)\b[^\n\"':{}\[\],]*(?=[}\]\n,])",
    re.IGNORECASE,
)
_TEXTS = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|//[^\n]*")
_SIGNS = re.compile(r"[\"'](?:[^\"'\\\n]|\\.)*[\"']\s*(?P<colon>:)?|[{}\[\]]|\.\.\.|…")


def _in_list(shown: str, position: int) -> bool:
    """Whether a place of a form is in a list of texts, which may go on: ``["calm", "rough", etc.]``."""
    opened = max(shown.rfind(sign, 0, position) for sign in "[{")
    return opened >= 0 and shown[opened] == "[" and not set("]}") & set(shown[opened:position])


def _broken_json(document: PromptText, found: Inferred) -> Iterator[str]:
    """Objects of a form that go on (``{"a": 1, ...}``), and lists that hold pairs (``["a": 1]``)."""
    text = document.text
    for span in found.covered:
        bare = _TEXTS.sub(lambda quoted: '"' + "_" * (len(quoted[0]) - 2) + '"', text[span.start : span.end])
        on = next((match for match in _GOES_ON.finditer(bare) if not _in_list(bare, match.start())), None)
        if on is not None:
            yield f"line {document.line(span.start + on.start())}: {shortened(on[0].lstrip(', '))!r}: the keys of the object are not all named"
        stack: list[str] = []
        for match in _SIGNS.finditer(text, span.start, span.end):
            sign, line = match[0], document.line(match.start())
            if sign in ("{", "["):
                stack.append(sign)
            elif sign in ("}", "]"):
                del stack[-1:]
            elif sign in ("...", "…") and stack[-1:] == ["{"]:
                if text[span.start : match.start()].rstrip().endswith((",", "}", "]", '"')):
                    yield f"line {line}: the object goes on with '...': its keys are not all named"
            elif match["colon"] and stack[-1:] == ["["]:
                yield f"line {line}: the list holds pairs of a key and a value: what its items are is not read"


# ---- ranges and labels ----------------------------------------------------------------------------------------------


def _digits(number: float) -> str:
    """A pattern of a number as a prompt may write it."""
    whole = int(number) if float(number).is_integer() else None
    return rf"{whole}(?:\.0+)?" if whole is not None else re.escape(str(number))


def _ranges_unseen(document: PromptText, found: Inferred, values: Sequence[_Schema]) -> Iterator[str]:
    """Ranges that no line of the prompt has, and no list of grades."""
    sizes = set(_sizes([item.schema for item in found.fields]))
    for value in values:
        if "minimum" not in value or "maximum" not in value or is_index_of(value["minimum"], value["maximum"], sizes):
            continue
        low, high = _digits(value["minimum"]), _digits(value["maximum"])
        # "2. ..." counts the items of a list.
        head = r"(?!\d|[.)])" if value["minimum"] > 1 else r"(?!\d)"
        shown = re.compile(
            rf"\[{high},\s*{low}\]|(?<![\d.]){low}(?:, ?\d+)*,? or {high}(?!\d)|(?<![\d.])(?:\d+, ?)*{high}(?:, ?\d+)*,? or {low}(?!\d)|(?<![\d.]){low} ?[(A-Za-z][^\n]*(?<![\d.]){high} ?[(A-Za-z]|(?<![\d.]){high} (?:for|if|when|means)\b[^\n]*(?<![\d.]){low} (?:for|if|when|means|otherwise|else)\b|(?<![\d.]){low} (?:for|if|when|means)\b[^\n]*(?<![\d.]){high} (?:for|if|when|means)\b|(?<![\d.]){low}(?!\d)(?!\.\d)[^\d\n]{{0,60}}(?<!\d)(?<!\d\.){high}(?![\d])(?!\.\d)|\b(?:out of|of) {high}\b|/{high}\b|(?<![\d.]){low}\s*[=:][^\n]*(?<![\d.]){high}\s*[=:]"
            rf"|^[ \t]*(?:[-*•]|\|)?[ \t]*[*_`\"'(\[]*(?:score |level |grade |rating )?{low}{head}",
            re.MULTILINE | re.IGNORECASE,
        )
        if not shown.search(document.text):
            yield f"no line of the prompt has the range {value['minimum']} to {value['maximum']} that was read"
        form = "".join(document.text[span.start : span.end] for span in found.covered)
        if value["minimum"] > 1 and str(value["minimum"]) not in form:
            yield f"a range from {value['minimum']} on was read, which is only a part of a scale"


def _sizes(schemas: Iterable[_Schema]) -> Iterator[int]:
    """How many items the lists of schemas have whose count is one number."""
    for schema in schemas:
        if schema.get("minItems") is not None and schema.get("minItems") == schema.get("maxItems"):
            yield schema["minItems"]
        inner = (*schema.get("properties", {}).values(), schema.get("items"))
        yield from _sizes(one for one in inner if isinstance(one, Mapping))


_QUOTED = r"(?:\"[^\"\n]{1,40}\"|`[^`\n]{1,40}`|'[^'\n]{1,40}'|“[^”\n]{1,40}”)"
_SAMPLES = re.compile(r"\b(?:e\.g|example|such as|like|instance)\b", re.IGNORECASE)
# Labels in quotation marks after words that say that one of them is to be taken.
_LISTED = re.compile(
    rf"(?<!e\.g\. )\b(?:one of|either|must be|choose from|allowed values|valid values|possible values|from|select)\b(?P<between>[^\n\"'`“{{}}]{{0,40}}?)"
    rf"(?P<list>[\[({{]?{_QUOTED}(?:\s*(?:,|/|\||\bor\b|,\s*or\b)\s*{_QUOTED})+)",
    re.IGNORECASE,
)


def _labels_lost(document: PromptText, found: Inferred, values: Sequence[_Schema]) -> Iterator[str]:
    """Lists of labels to choose from that no field holds whole."""
    known: set[str] = {"true", "false", "null", "none"} | {item.name.casefold() for item in found.fields}
    for value in values:
        for one in (value, *value.get("anyOf", ())):
            known |= {str(label).casefold().strip() for label in one.get("enum", ())}
    for match in _LISTED.finditer(document.text):
        labels = {quoted[1:-1].strip(" .,").casefold() for quoted in re.findall(_QUOTED, match["list"])}
        if _SAMPLES.search(match["between"]):
            continue
        lost = sorted(label for label in labels if label not in known and MASK not in label)
        if lost and (found.whole in ("JSON", "keys") or len(lost) < len(labels)):
            line = document.line(match.start("list"))
            yield f"line {line}: {lost[0]!r} is one of the labels in {shortened(match[0])!r}, and no field has it"


_NO_LABEL = re.compile(r"(?:this|these|those|that|the|into|your|their|its|whether|what)\b", re.IGNORECASE)


_BEGINS = re.compile(r"\b(?:start|begin|open|prefix|preface)\b[^.\n]{0,60}\Z", re.IGNORECASE)


def _no_labels(document: PromptText, found: Inferred) -> Iterator[str]:
    """Labels of a bare value that are words of a sentence ("these comments into topics"), or only begin the answer."""
    for span in found.covered:
        begin = document.text.rfind("\n", 0, span.start) + 1
        alone = len(found.fields) == 1
        if alone and (begins := _BEGINS.search(document.text[begin : span.start + 8])):
            yield f"line {document.line(begin)}: {shortened(begins[0])!r}: the labels only begin the answer"
    for item in found.fields:
        for label in map(str, item.schema.get("enum", ())):
            # "1. story/fiction" is one label, in a line of its own.
            slashed = re.search(r"[a-z]/[a-z]", label) and not re.search(
                rf"^[ \t]*(?:[-*•]|\(?\d+[.)])[ \t]+[*_`\"']*{re.escape(label)}[*_`\"']*[ \t]*(?:$|[:–—-])",
                document.text,
                re.MULTILINE,
            )
            if (len(label.split()) > 1 and _NO_LABEL.match(label)) or slashed:
                yield f"line {item.line}: {label!r} is no label"


_CHOICE = re.compile(
    r"\b(?:choose|pick|select|use|take)\b[^.\n]{0,40}\bfrom (?:this|these|the following)\b[^.\n]{0,60}:"
    r"|\bone or more of(?: the following| these)?:[ \t]*\n(?:[ \t]*[-*•][^\n]+\n?){2}"
    r"|^[ \t#*]*(?:available|possible|valid|allowed|permitted) [\w ]{3,30}:?[* \t]*\n(?:[ \t]*\n)?(?:[ \t]*[-*•][ \t]+[`\"'*]*[\w-]+[`\"'*]*[ \t]*(?:(?::|[-–—] )[^\n]*)?(?:\n|\Z)){2}",
    re.IGNORECASE | re.MULTILINE,
)


def _choices_unread(document: PromptText, values: Sequence[_Schema]) -> Iterator[str]:
    """A list to choose from, if no field has any labels."""
    if any("enum" in one for value in values for one in (value, *value.get("anyOf", ()))):
        return
    for choice in _CHOICE.finditer(document.text):
        if not VARIABLE.search(document.text, choice.start(), choice.end() + 80):
            line = document.line(choice.start())
            yield f"line {line}: {shortened(choice[0])!r} is a list to choose from, and no field has labels"


def _open_lists(document: PromptText, values: Sequence[_Schema]) -> Iterator[str]:
    """Labels with an "etc" among them, or with the place of another one: ``a|b|<one of your own>``."""
    bars = re.search(r"[\w\"']\s*\|\s*<(?P<place>[^<>\n]+)>(?!\s*\|)", document.text)
    for value in values:
        for label in value.get("enum", ()):
            open_ended = label != "" and str(label).casefold().strip(" .") in ("etc", "")
            if open_ended or (bars and bars["place"] == label):
                yield f"{label!r} is among the labels {', '.join(map(str, value['enum']))}: they are not all named"


# ---- parts -----------------------------------------------------------------------------------------------------------


# So many parts with numbers are all of them.
_MANY = 3


def _numbered(document: PromptText, fields: Sequence[Field]) -> Iterator[str]:
    """A part with a number, if there is one for each of several things, or another number: ``score_2``, ``score_1``."""
    known = {item.name.casefold() for item in fields}
    for item in fields:
        for number in re.finditer(r"\d+", item.name):
            stem, rest = item.name[: number.start()], item.name[number.end() :]
            others = re.compile(rf"(?<![A-Za-z\d]){re.escape(stem)}\d+{re.escape(rest)}(?![A-Za-z\d])", re.IGNORECASE)
            together = sum(bool(re.fullmatch(rf"{re.escape(stem)}\d+{re.escape(rest)}", name)) for name in known)
            if stem and together < _MANY and (each := re.search(r"\b(?:each|every)\b", document.text, re.IGNORECASE)):
                line = document.line(each.start())
                yield f"line {line}: {item.name!r} is a part like others: there is one for {each[0]}"
            for other in others.finditer(document.text):
                if stem and other[0].casefold() not in known:
                    line = document.line(other.start())
                    yield f"line {line}: {other[0]!r} is a part like {item.name!r}, and was not read"


_GRADED = re.compile(
    r"\W*(?:the |your |a )?(?:\w+ )?(?:score|rating|grade|number|integer|int|float|percentage)\W*", re.IGNORECASE
)


def _unlike_siblings(document: PromptText, fields: Sequence[Field]) -> Iterator[str]:
    """Labels with the same placeholder that were read as different types: ``A: [score]`` and ``B: [score]``."""
    shown: dict[str, Field] = {}
    for item in fields:
        label = re.escape(item.name).replace("_", r"\W+")
        place = re.search(
            rf"^[\W\d]*{label}[*_ ]*:[ \t]*(?P<place>[\[<(][^\n]{{1,40}}?[\])>])[ \t]*$",
            document.text,
            re.IGNORECASE | re.MULTILINE,
        )
        if place is None:
            continue
        if _GRADED.fullmatch(place["place"]) and item.schema.get("type") == "string" and "enum" not in item.schema:
            line = document.line(place.start("place"))
            yield f"line {line}: {place['place']!r} is a number, and {item.name!r} was read as a text"
        first = shown.setdefault(place["place"].casefold(), item)
        if dict(first.schema) != dict(item.schema):
            line = document.line(place.start("place"))
            yield f"line {line}: {place['place']!r} was read as one thing of {first.name!r}, as another of {item.name!r}"


def _label(item: Field) -> str:
    """A pattern of a field's label at the begin of a line."""
    name = re.escape(item.name).replace("_", r"[^\w\n]+")
    return rf"^[^\w\n]*{name}[^\w\n:]*:"


def _of_input(document: PromptText, found: Inferred) -> Iterator[str]:
    """Labels that a value of the template follows, and one at the very end, after which the answer begins."""
    fields = found.fields
    # After a form with nothing beside its labels comes a gap before the input.
    gap = r"[ \t]*\n?[ \t]*" if _all_empty(document, fields) else r"\s*"
    for item in fields:
        labels = list(re.finditer(_label(item), document.text, re.IGNORECASE | re.MULTILINE))
        for match in labels:
            if re.compile(rf"{gap}(?:{VARIABLE.pattern})").match(document.text, match.end()):
                yield f"line {document.line(match.start())}: {item.name!r} is a label of the prompt's own input"
            last = not document.text[match.end() :].strip(" \t\n*")
            # After it the first part begins, of a form that is shown elsewhere: "(feedback) [RESULT] (1 to 5)".
            begins = item is fields[0] and not any(span.overlaps(Span(*match.span())) for span in found.covered)
            last = last and not begins
            if len(fields) > 1 and len(labels) == 1 and last and not _all_empty(document, fields):
                line = document.line(match.start())
                yield f"line {line}: the answer begins after {item.name!r}, which was read as one of its parts"


_FORMAT_ABOVE = re.compile(
    r"\b(?:formats?|form|exactly|template|structure|follows)\b[^\n]{0,20}:[*_` \t]*\n\s*\Z", re.IGNORECASE
)


def _all_empty(document: PromptText, fields: Sequence[Field]) -> bool:
    """Whether nothing is beside any label of a form, and the line above the first one speaks of a format."""
    places = [re.search(rf"{_label(item)}[ \t*]*$", document.text, re.IGNORECASE | re.MULTILINE) for item in fields]
    first = places[0]
    return first is not None and all(places) and _FORMAT_ABOVE.search(document.text[: first.start()]) is not None


def _shown_apart(document: PromptText, fields: Sequence[Field]) -> Iterator[str]:
    """A text whose label or tag is shown with several single words: ``VERDICT: TRUE`` and ``VERDICT: FALSE``."""
    for item in fields:
        if item.schema.get("type") != "string" or "enum" in item.schema:
            continue
        name = re.escape(item.name)
        shown = re.findall(
            rf"{_label(item)}[ \t*]*([A-Z]\w+)(?=[ \t*]*(?:$|\())|<{name}>\s*([A-Za-z]\w+)\s*</{name}>",
            document.text,
            re.IGNORECASE | re.MULTILINE,
        )
        words = sorted({word for pair in shown for word in pair if word})
        if len(words) == 1 and words[0].isupper() and len(words[0]) > 1 and words[0].casefold() not in _PLACES:
            yield f"{item.name!r} is shown as {words[0]!r}: its labels were not read"
        if len(words) > 1:
            yield f"{item.name!r} is shown as {words[0]!r} and as {words[1]!r}: its labels were not read"


_PLACES = frozenset(
    re.findall(
        r"\w+",
        "text string score number name value title date answer summary url id reason explanation sql json code none n a",
    )
)
_TURNS = frozenset(re.findall(r"\w+", "user assistant system human question query input context passage document"))


# A word after the form, and a call that is written instead of it: "End your response with the word DONE", "respond with exactly:" and below it a call
_ENDS_WITH = re.compile(
    r"\b(?:end|finish|close) (?:your|the) (?:response|answer|reply|message) with (?:the (?:word|phrase|line|token)|exactly|[\"'`])[^.\n]*"
    r"|\b(?:respond|reply|answer) with exactly:\s*\n\s*[a-z]\w*\(\)",
    re.IGNORECASE,
)


# "SCORING RULES:" below the form
_OF_PROMPT = re.compile(
    r"(?:\A|_)(?:rules|guide|guidelines|instructions|criteria|format|examples?|rubric)\Z", re.IGNORECASE
)


def _of_turns(fields: Sequence[Field]) -> Iterator[str]:
    """A label that begins another turn: "User:" below the lines of an answer."""
    for item in fields:
        if len(fields) > 1 and (item.name.casefold() in _TURNS or _OF_PROMPT.search(item.name)):
            yield f"line {item.line}: {item.name!r} is no part of the answer"


_TO_TEN = "|".join(word for word, number in NUMBER_WORDS.items() if number <= 10)
_SO_MANY = re.compile(
    rf"\b(?:exactly|only|these|following|with|has|have|using) (?:the )?(?:following )?(?P<count>{_TO_TEN}|\d)(?: \w+)?"
    r" (?P<of>lines|fields|keys|properties|tags|labels|sections)\b(?! (?:above|of the input|per|for each|each))",
    re.IGNORECASE,
)


def _counted(document: PromptText, found: Inferred) -> Iterator[str]:
    """The number of lines or keys that an answer has, if another number was read."""
    if found.wrapped or any("enum" in item.schema and len(found.fields) == 1 for item in found.fields):
        return
    inner = [len(item.schema.get("properties", ())) for item in found.fields]
    for match in _SO_MANY.finditer(document.text):
        if match["of"].lower() in ("tags", "labels") and found.whole != "labels":
            continue
        if match["of"].lower() in ("lines", "sections") and found.whole != "labels":
            continue
        count = NUMBER_WORDS.get(match["count"].lower()) or int(match["count"])
        total = len(found.fields)
        if count < total and found.whole != "labels":
            continue  # a count that is too small is a slip of the prompt
        if count not in (total, *inner) and abs(count - total) <= _NEARLY:
            line = document.line(match.start())
            yield f"line {line}: {shortened(match[0])!r}, and {total} were read"


# More than that is a count of something else.
_NEARLY = 3


_CODE = re.compile(
    r"(?:\A\s*|[.:\n]\s*|\b(?:to|must|and|should)\s+)(?:please )?(?:write|generate|create|implement)\s+(?:an? |the |some )?(?:[\w+#-]+ ){0,2}(?:code|script|function|program|sql|query)\b",
    re.IGNORECASE,
)
_CODE_KEY = re.compile(r"code|script|function|program|sql|quer(?:y|ies)|snippet|implementation|solution", re.IGNORECASE)
_EACH = re.compile(
    r"\bone line (?:per|for each|for every)\b|"
    r"\b(?:output|return|provide|give|write|print|answer|respond)\b[^.\n]{0,60}\b(?:for|per) (?:each|every)\b"
    r"|(?:^|[.:]\s)\W*for (?:each|every)\b[^.\n]{0,60}\b(?:output|return|provide|give|write|print|answer|respond)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _other_work(document: PromptText, found: Inferred) -> Iterator[str]:
    """A program that is asked for instead, and a value for each of several things."""
    text = document.text
    if (code := _CODE.search(text)) and not any(_CODE_KEY.search(item.name) for item in found.fields):
        yield f"line {document.line(code.start())}: {shortened(code[0])!r} asks for a program, which no field holds"
    listed = any(item.schema.get("type") == "array" for item in found.fields)
    if not listed and (each := _EACH.search(text)):
        yield f"line {document.line(each.start())}: {shortened(each[0])!r}: the answer has several such parts"
