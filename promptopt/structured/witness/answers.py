"""A second reading of labels: each must be what an answer could be, and the list that has them must be closed.

It shares no pattern with the readers that propose: it asks of each label whether words of the prompt hang on it, and of
the place where all of them stand whether it lists samples of what is given, or goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import BOUNDARY, MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.keys import KeyOfSchema, form_of, shortened, values_shown


def masked(found: Inferred) -> str | None:
    """Why a form cannot stand that has the sign of a variable in it, whoever read it; ``None`` if it has none."""
    for item in found.fields:
        # A pattern may be escaped; a name and a schema have the sign itself.
        said = json.dumps([item.name, dict(item.schema), item.pattern or ""], ensure_ascii=False)
        if MASK in said or BOUNDARY in said:
            at = f"line {item.line}: " if item.line else ""
            return f"{at}what {item.name.replace(MASK, '')!r} may be depends on a variable of the template"
    return None


# "3_refused in the", "approve or", "if": words of the sentence that lists the labels
_HANGS_ON = re.compile(
    r"\S\s+(?:the|an?|of|to|with|and|or|if|when|where|that|which|from|into|within|inside|such|etc\.?|e\.g\.?|based|depending|using|respectively|accordingly)\Z"
    r"|\A(?:and|or|if|when|where|such|etc\.?|e\.g\.?|either|one of|based on|depending on|whichever|the following)\s",
    re.IGNORECASE,
)
_MARKS_OF_PLACE = re.compile(r"[<>{}\n]|\A[\[(]|[\]]\Z|\.\.\.|…")
_CODE = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)+")


def no_answers(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels that no answer could be, and lists that go on or that hold samples of the input."""
    form = form_of(document, found) if found.whole == "JSON" else ""
    for leaf in leaves:
        labels = [label for label in leaf.labels if label not in ("None", "")]
        for label in labels:
            if _HANGS_ON.search(label) or _MARKS_OF_PLACE.search(label) or _is_open(label):
                yield f"{shortened(label)!r} was read as a label of {leaf.name!r}, and has words of the prompt in it"
            if re.fullmatch(r"so (?:on|forth)|etc\.?|the like|null|nil", label, re.IGNORECASE):
                yield f"{label!r} is among the labels of {leaf.name!r}, and is none"
            if " " in label and len(labels) > 1 and all(_CODE.fullmatch(other) for other in labels if other != label):
                yield f"{shortened(label)!r} was read as a label of {leaf.name!r}, whose others are single words"
        texts = [label for label in labels if not label.lstrip("-").isdigit()]
        if len(texts) > 1:
            yield from _goes_on(document, leaf, texts)
            yield from _of_input(document, form, leaf, texts)
            yield from _of_place(document, form, leaf, texts)


def _is_open(label: str) -> bool:
    return any(label.count(left) != label.count(right) for left, right in ("()", "[]"))


_ETC = re.compile(
    r"[\"'`”*]*\s*,?\s*(?:or |and )?(?:etc\b|and so (?:on|forth)\b|and more\b|among others\b|and (?:the like|similar)\b|\.\.\.(?!\w)|…)",
    re.IGNORECASE,
)


def _goes_on(document: PromptText, leaf: KeyOfSchema, labels: Sequence[str]) -> Iterator[str]:
    """A list of all labels that ends with "etc.": there are others."""
    for last in labels:
        for match in re.finditer(rf"(?<!\w){re.escape(last)}(?!\w)", document.text):
            etc = _ETC.match(document.text, match.end())
            if etc is None:
                continue
            begin = begin_of(document.text, match.start(), (". ", "\n\n", ":\n"))
            listed = document.text[begin : match.end()]
            if all(label in listed for label in labels):
                line = document.line(match.start())
                yield f"line {line}: the labels of {leaf.name!r} go on after {shortened(last)!r}"


# Words of others that a prompt lists: what to look for in its input.
_SOURCE = re.compile(
    r"\b(?:extract(?:ed)? from|look(?:ing|s)? (?:for|at)|phrases?|keywords?|mentions?|mentioned|says|said|signals?|cues?|triggers?|triggered by|expressions?|wording|containing|contains"
    r"|written as|spelled|heard|hear|(?:words|terms|things|statements|sentences) (?:like|such as)|user(?:s)? (?:say|write|ask)s?|synonyms?)\b[^.:;\n]{0,40}\Z",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"\b(?:one of|either|exactly|answer|respond|reply|return|output|must be|choose|pick|select|use|set)\b",
    re.IGNORECASE,
)


def _of_input(document: PromptText, form: str, leaf: KeyOfSchema, labels: Sequence[str]) -> Iterator[str]:
    """Labels that the prompt quotes only as what its input says: 'Extract from "up at six", "woke at seven"'."""
    if any(label in form for label in labels):
        return
    places = [re.search(rf"[\"'`“]{re.escape(label)}[\"'`”,.]", document.text) for label in labels]
    first = min((place.start() for place in places if place), default=-1)
    if first < 0 or not all(places):
        return
    begin = begin_of(document.text, first, (". ", "\n"))
    lead = document.text[begin:first]
    if _SOURCE.search(lead) and not _ORDERS.search(lead):
        line = document.line(first)
        yield f"line {line}: {shortened(labels[0])!r} is what the input may say, and was read as a label of {leaf.name!r}"


# Words that are an answer wherever they are set against each other.
_ANSWERS = frozenset(
    re.findall(
        r"\S+",
        """yes no maybe unknown unsure none pass fail passed failed positive negative neutral mixed correct incorrect right wrong valid invalid
    safe unsafe high medium low moderate good bad fair poor excellent supported unsupported refuted relevant irrelevant approve reject approved
    rejected accept accepted allow deny block male female open closed minor major critical easy hard urgent normal agree disagree enabled
    disabled win lose tie first second true false spam ham toxic benign formal informal active passive done pending public private internal
    external on off left both full partial present absent internal inbound outbound new old buy sell hold""",
    )
)
_EITHER = re.compile(r"\[?\s*[\"'](?P<said>[a-z][a-z-]+ or [a-z][a-z-]+)[\"']")


def _of_place(document: PromptText, form: str, leaf: KeyOfSchema, labels: Sequence[str]) -> Iterator[str]:
    """Two words in a value's place that may say what belongs there: "quote or observation"; nothing else names them as labels."""
    if len(labels) != 2 or all(label.lower() in _ANSWERS for label in labels):
        return
    for match in values_shown(form, leaf.name, _EITHER):
        rest = document.text.replace(match["said"], " ")
        marked = [
            rf"[\"'`*]{re.escape(label)}[\"'`*]|^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`]*{re.escape(label)}\b"
            for label in labels
        ]
        if not all(re.search(pattern, rest, re.IGNORECASE | re.MULTILINE) for pattern in marked):
            yield f"{match['said']!r} may say what {leaf.name!r} holds, and was read as its labels"
