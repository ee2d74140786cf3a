"""A second reading of lists of labels: one field must have each that stands by itself, and each label must be what an answer could be.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import BOUNDARY, MASK, Inferred, PromptText, begin_of
from promptopt.structured.witness.keys import KeyOfSchema, form_of, shortened, values_shown, words_read

ITEM = r"(?:[\"'`“][^\"'`”\n]{1,40}[\"'`”]|[A-Za-z][\w-]*(?: [\w-]+)?)(?:\s*\([^()\n]{1,80}\))?"
"""A value in a list, with words in brackets on it."""

_LABEL_ORDER = re.compile(
    rf"\b(?:classif\w+|categori[sz]e\w*|label(?:l?ed)?|mark(?:ed)?|tag(?:ged)?|sort(?:ed)?|assign(?:ed)?|rate(?:d)?|grade(?:d)?|judge(?:d)?|set)\b[^.;:\n]{{0,60}}?\b(?:as|into|to|with|from|either|is)\s+(?:(?:one|any|some|of|the|these|following|either|being|classes|categories|labels)\s+)*:?\s*(?P<list>(?!(?:an?|the|in|if|your|each|it)\s){ITEM}(?:\s*,\s*(?:(?:or|and)\s+)?{ITEM})*\s*,?\s*(?:\bor\b|\band\b|,)\s*{ITEM})(?=\s*(?:[.:;\n(]|\Z))",
    re.IGNORECASE,
)
_LISTS = re.compile(
    rf"\b(?:labels|categor(?:y|ies)|classes|types|options|values|tags|topics|intents|codes|statuses|levels|kinds|frames|emotions|tones)\b[*_]*(?: are)?\s*:?[*_]*[ \t]+(?P<list>{ITEM}(?:\s*,\s*(?:(?:or|and)\s+)?{ITEM}){{2,}})(?=\W*$|\.\s)"
    rf"|[a-z] \((?P<aside>[a-z][\w-]*(?:, (?:or )?[\w-]+){{2,}}|[a-z][\w-]*(?:, [\w-]+)*,? or [\w-]+)\)",
    re.IGNORECASE | re.MULTILINE,
)
# "whether it is new, used or broken"
_WHETHER = re.compile(
    rf"\bwhether\b[^.;:\n]{{0,60}}?\b(?:is|are|was|were)\s+(?:either\s+)?(?P<list>(?!(?:an?|the|in|if|your|each|it)\s){ITEM}(?:\s*,\s*{ITEM})+\s*,?\s*\bor\s+[\"'`“]?[\w-]+)",
    re.IGNORECASE,
)
_CLOSED = re.compile(r"\b(?:or|unknown|other|none|never|unclear|mixed)\b", re.IGNORECASE)


_TOLD = re.compile(
    r"\b(?:whether|extract|determine|identify|state|say|classify|decide|note|give|return)\b", re.IGNORECASE
)


def chosen(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Lists that an order sorts into, none of which a field has although one is open."""
    free = [leaf for leaf in leaves if not leaf.labelled and leaf.kinds and leaf.kinds <= {"string", "null"}]
    known = words_read(leaves)
    if not free or found.whole not in ("JSON", "keys", "labels"):
        return
    for pattern in (_LABEL_ORDER, _LISTS, _WHETHER):
        for match in pattern.finditer(text):
            aside = match.groupdict().get("aside")
            if aside and not (
                _CLOSED.search(aside) and _TOLD.search(text, text.rfind("\n", 0, match.start()) + 1, match.start() + 1)
            ):
                continue  # words on what something is
            listed = aside or re.sub(r"\([^()\n]*\)", "", match["list"])
            parts = [part.strip(" \"'`“”*") for part in re.split(r"\s*,\s*(?:(?:or|and)\s+)?|\s+(?:or|and)\s+", listed)]
            parts = [part.casefold() for part in parts if part]
            short = len(parts) > 1 and all(len(part.split()) <= 2 for part in parts)
            if short and (len(parts) > 2 or '"' in listed) and not set(parts) & known and MASK not in listed:
                yield f"line {document.line(match.start())}: {shortened(aside or match['list'])!r} are labels, and no field has them"


_TABLE = re.compile(
    r"^[ \t]*\|(?P<head>[^\n]+)\|[ \t]*\n[ \t]*\|[\s:|-]+\|[ \t]*\n(?P<rows>(?:[ \t]*\|[^\n]+\|[ \t]*(?:\n|\Z)){2,})",
    re.MULTILINE,
)


def columns(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A table with a column that is called as an open key: its cells are the labels."""
    open_keys = {
        re.sub(r"[^a-z]", "", leaf.name.lower()): leaf.name
        for leaf in leaves
        if not leaf.bounded and leaf.kinds <= {"string", "null", "integer", "number"}
    }
    for table in _TABLE.finditer(text):
        heads = [re.sub(r"[^a-z]", "", cell.lower()) for cell in table["head"].split("|")]
        if heads and heads[0] in open_keys:
            line = document.line(table.start())
            yield f"line {line}: the column {heads[0]!r} of a table has the labels of {open_keys[heads[0]]!r}, which were not read"


_HEADING = re.compile(
    r"^(?P<head>[^\n]{0,80}?\b(?P<noun>[A-Za-z]\w+)(?: are| below)?[*_]*:)[*_ \t]*\n(?:[ \t]*\n)?(?P<items>(?:[ \t]*(?:(?:[-*•]|\d+[.)])[ \t]+[^\n]+|[*_`\"']*[A-Za-z][\w-]*(?: [A-Z]+)*[*_`\"']*(?:[ \t]*[:=]|[ \t]+[-–—])[ \t][^\n]+)(?:\n|\Z)){2,})",
    re.IGNORECASE | re.MULTILINE,
)
_BARE_ITEM = re.compile(
    r"[ \t]*(?:(?:[-*•]|\d+[.)])[ \t]+)?[*_`\"']*[A-Za-z][\w-]*(?: [\w-]+)?[*_`\"']*[ \t]*(?:(?:[:–—(=]|-[ \t])[^\n]*)?"
)


# "Grade on this scale:", and below it "PARTIAL: some facts match"
_SCALE_HEAD = re.compile(
    r"\b(?:scale|labels?|one of|categor(?:y|ies|ise|ize)|class(?:es|ify)?|options|verdicts?|grades?|ratings?|levels|tiers)\b(?![^\n]*\b(?:criteria|aspects|dimensions)\b)",
    re.IGNORECASE,
)
_ITEM_HEAD = re.compile(
    r"[ \t]*(?:(?:[-*•]|\d+[.)])[ \t]+)?[*_`\"']*(?P<code>[A-Z][A-Z_\d]+(?: [A-Z]+)*)[*_`\"']*[ \t]*(?:[:–—=(]|-[ \t])"
)


def headed(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A list of words below a heading that has the name of an open key: "Tools:" and the tools."""
    open_keys = {
        leaf.name.lower(): leaf.name for leaf in leaves if not leaf.labelled and leaf.kinds <= {"string", "null"}
    }
    for match in _HEADING.finditer(text):
        items = [line for line in match["items"].splitlines() if line.strip()]
        noun = match["noun"].lower()
        stems = {noun, noun.removesuffix("s"), noun.removesuffix("es"), re.sub(r"ies\Z", "y", noun)}
        heads = [_ITEM_HEAD.match(line) for line in items]
        labelled = _SCALE_HEAD.search(match["head"]) and all(head and head["code"] for head in heads)
        named = next((key for low, key in open_keys.items() if stems & {low, re.split(r"[_\s]", low)[-1]}), None)
        if labelled and not words_read(leaves) & {head["code"].casefold() for head in heads if head}:
            named = named or next(iter(open_keys.values()), None)
        own = {leaf.name.casefold() for leaf in leaves}
        if any((first := re.search(r"\w+", line)) and first[0].casefold() in own for line in items):
            continue  # the next keys
        if named and all(_BARE_ITEM.fullmatch(line) for line in items) and MASK not in match[0]:
            line = document.line(match.start())
            yield f"line {line}: {shortened(match['head'])!r} heads a list of what {named!r} may be, which was read without labels"


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


def no_answers(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels that no answer could be, and lists that go on or that hold samples of the input."""
    form = form_of(document, found) if found.whole == "JSON" else ""
    for leaf in leaves:
        labels = [label for label in leaf.labels if label not in ("None", "")]
        for label in labels:
            if _HANGS_ON.search(label) or _MARKS_OF_PLACE.search(label):
                yield f"{shortened(label)!r} was read as a label of {leaf.name!r}, and has words of the prompt in it"
            if re.fullmatch(r"so (?:on|forth)|etc\.?|the like|null|nil", label, re.IGNORECASE):
                yield f"{label!r} is among the labels of {leaf.name!r}, and is none"
        texts = [label for label in labels if not label.lstrip("-").isdigit()]
        if len(texts) > 1:
            yield from _goes_on(document, leaf, texts)
            yield from _of_place(document, form, leaf, texts)


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
