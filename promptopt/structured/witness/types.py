"""A second reading of the types that were read: a value needs a word or a sign of the prompt for its type.

A text is what a reader takes a value for that it knows nothing of. So a text without quotation marks in the form and
without a word for a text is doubted if its name or what is said of it speaks of a number, a truth value, a list, an
object or a choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.witness.keys import (
    KeyOfSchema,
    form_of,
    mentions,
    said_of,
    shortened,
    values_shown,
)

_TEXT = re.compile(
    r"\b(?:strings?|texts?|str|sentences?|phrases?|paragraphs?|words?|names?|titles?|explanations?|descriptions?|summary|summar(?:y|ies|ise|ize)|reasons?|reasoning|rationale|why|date|label"
    r"|message|written|write|quote|excerpt|snippet|url|link|code|verbatim|markdown|html|comment|feedback|advice|question|answer|statement|note|translation|id)\b",
    re.IGNORECASE,
)
# Words of a name, and what a value is that is called so.
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a number",
        re.compile(
            r"(?:\A|_)(?:scores?|ratings?|grades?|counts?|totals?|percent(?:age)?|probability|confidence|age|quantity|qty|num|(?<!house_)(?<!phone_)(?<!fax_)(?<!mobile_)(?<!invoice_)(?<!order_)(?<!account_)(?<!serial_)(?<!tracking_)(?<!reference_)(?<!flight_)(?<!passport_)(?<!contract_)(?<!policy_)(?<!card_)(?<!case_)(?<!ticket_)(?<!customer_)(?<!vat_)(?<!license_)number|index|page_no|rank|average|mean|sum|price|amount|cost|duration"
            r"|minutes|seconds|hours|weight|height|width|length|size|year|certainty|likelihood|calories|ratio|rate)\Z|(?:\A|_)(?:score|rating|grade)_|\A(?:num|number|count|total|avg|average|max|min|n)_|_out_of_\d"
        ),
    ),
    (
        "a truth value",
        re.compile(
            r"\A(?:is|has|should|can|needs?|requires?|was|are|does|contains|includes|must|will|allow|enable)_|_(?:valid|required|needed|found|detected|present)\Z"
        ),
    ),
    ("an object", re.compile(r"(?:\A|_)(?:json|object|dict|data|metadata|config|params|parameters|schema)\Z")),
    ("a choice", re.compile(r"\A[a-z]_?or_[a-z]\Z|\A(?:yes_or_no|true_or_false|pass_or_fail)\Z")),
)
# What is said of a value, at the begin.
_SAID: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a number",
        re.compile(
            r"\b(?:average|mean|sum|total|count|number|percentage|integer|float|numeric|decimal|how many) (?:of|value|between|from)\b|\((?:an? )?(?:integer|int|number|float|numeric)\b"
            r"|(?<![\w.])\d+(?:\.\d+)?\s?(?:-|–|to)\s?\d+(?:\.\d+)?\s*(?:[.);,]|\Z)",
            re.IGNORECASE,
        ),
    ),
    ("a truth value", re.compile(r"\A\W*(?:whether|if (?:the|it|this|there)\b|\(?bool)", re.IGNORECASE)),
    (
        "a list",
        re.compile(
            r"\A\W*(?:an? |the )?(?:\w+ ){0,2}(?:list|array|set|collection) of\b|\A\W*(?:all|every|each|any|\d+(?:\s?[-–]\s?\d+)?) (?:\w+ ){0,2}?[a-z]{3,}s\b(?! ?or less)",
            re.IGNORECASE,
        ),
    ),
    (
        "an object",
        re.compile(
            r"\A\W*(?:an? |the )?(?:[\w-]+ ){0,3}(?:data|objects?|json|dict(?:ionary)?|results|report|mapping|structure|breakdown)\b(?! (?:point|type|source))|\bstructured (?:json|data)\b|\bscores and\b",
            re.IGNORECASE,
        ),
    ),
)


def doubted(
    document: PromptText, found: Inferred, plain: Sequence[KeyOfSchema], leaves: Sequence[KeyOfSchema]
) -> Iterator[str]:
    """Values whose type has no word or sign in the prompt, and keys that are none; each with its line.

    Args:
        plain: The keys without those of objects.
    """
    yield from _undecided(document, found, plain)
    yield from _left_over(plain)
    yield from _empty_lists(document, found, leaves)
    yield from _lists_by_name(document, found, leaves)
    yield from _free_keys(leaves)
    yield from _same_places(document, found, plain)


_BARE = re.compile(
    r"(?!(?:true|false|null|none|string|str|text|date|number|float|integer|int|bool|boolean|array|list|object)\b)(?P<place>[A-Za-z]\w*)\s*[,}\n]",
    re.IGNORECASE,
)


def _same_places(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Keys that the form shows with one bare word, ``{"care": n, "ink": n}``, and that were read as different things."""
    form = form_of(document, found)
    first: dict[str, KeyOfSchema] = {}
    for leaf in leaves:
        for match in values_shown(form, leaf.name, _BARE):
            other = first.setdefault(match["place"].casefold(), leaf)
            if (other.kinds, other.bounded, other.labelled) != (leaf.kinds, leaf.bounded, leaf.labelled):
                yield f"{match['place']!r} was read as one thing of {other.name!r}, as another of {leaf.name!r}"


# "2", ["2"], {"value": "2"}
_MARKED = re.compile(r"\[?\s*[\"'“]|\{[^{}]*[\"']value[\"']\s*:\s*[\"'“]")
_EMPTY = re.compile(r"\[\s*(?:\.\.\.|…)?\s*\]")
_HOLDS = re.compile(r"\[\s*[^\]\s.…]")


def _undecided(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Values that were read as texts for want of a word on them; each with what it may be."""
    form = form_of(document, found)
    places = sorted((match.start(), leaf.name) for leaf in leaves for match in mentions(document.text, leaf.name))
    for leaf in leaves:
        if leaf.labelled or leaf.kinds - {"string", "null"} or not leaf.kinds:
            continue
        if any(values_shown(form, leaf.name, _MARKED)):
            continue  # in quotation marks it is a text, whatever its name
        stops = [start for start, name in places if name != leaf.name]
        told = [said.text.strip() for said in said_of(document, leaf, stops)]
        name = _plain(leaf.name)
        text = any(_TEXT.search(said[:_BEGIN]) for said in told)
        for what, pattern in _NAMES:
            said_so = text if what != "a number" else any(_told_as_text(said) for said in told)
            if not said_so and not leaf.listed and pattern.search(name):
                yield f"{_at(document, found, leaf)}{leaf.name!r} was read as a text, and is {what} by its name"
        for what, pattern in _SAID:
            for said in (re.split(r"[.!?]\s+(?=[A-Z])", words)[0] for words in told):
                if leaf.listed and what != "an object":
                    continue
                match = pattern.search(said[:_BEGIN] if what in ("a list", "an object", "a truth value") else said)
                if match and not _TEXT.search(said[: match.start()]) and not _TYPED.search(said):
                    yield f"{_at(document, found, leaf)}{shortened(match[0])!r} is said of {leaf.name!r}, which was read as a text, and may be {what}"


_TYPED = re.compile(r"\b(?:string|str|text|sentences?|words|paragraphs?)\b", re.IGNORECASE)
# "Original text length" says nothing of a text.
_TYPED_TEXT = re.compile(
    r"\b(?:strings?|str|sentences?|phrases?|as (?:a )?text|text (?:of|with|as)|as written|label|words?)\b",
    re.IGNORECASE,
)
# '(start date, end date, or total length)', 'with its currency', 'e.g. "two years"': a sample or a part that is no number
_OF_TEXT = re.compile(
    r"\((?:[^()\n]*\W)?(?:dates?|period|unit|terms?)\b[^()\n]*\)|\b(?:with|including|include) (?:the |its |a )?(?:currency|unit|period)\b"
    r"|\b(?:e\.g\.?|like|such as|for example),? [\"'`“][^\"'`”\n]*[A-Za-z$€£¥%][^\"'`”\n]*[\"'`”]",
    re.IGNORECASE,
)
# "the supplier's article number": what something is called by
_IDENTIFIER = re.compile(
    r"\b(?:article|catalogu?e|order|invoice|part|serial|phone|telephone|reference|tracking|account|policy|case|ticket|flight|model|registration|passport|contract|item|customer)[ -](?:number|no\.?|id|code)\b",
    re.IGNORECASE,
)
_OF_NUMBER = re.compile(
    r"\b(?:how many|number of|count of|integers?|int|floats?|numeric|numbers?|in (?:whole )?(?:seconds|minutes|hours|days|weeks|months|years|usd|eur|dollars|percent))\b",
    re.IGNORECASE,
)


def _told_as_text(said: str) -> bool:
    """Whether a line describes a value as a text, although its key is one of a number."""
    typed = (_TYPED_TEXT.search(said[:_BEGIN]) or _IDENTIFIER.search(said[:_BEGIN])) is not None
    return typed or (_OF_TEXT.search(said) is not None and _OF_NUMBER.search(said) is None)


# What is said of a value's kind comes first.
_BEGIN = 60


def _plain(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z])|(?<=[a-z])(?=\d)", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


def _at(document: PromptText, found: Inferred, leaf: KeyOfSchema) -> str:
    line = next((item.line for item in found.fields if item.name == leaf.name), None)
    if line is None:
        at = re.search(rf"(?<!\w){re.escape(leaf.name)}(?!\w)", document.text)
        line = document.line(at.start()) if at else None
    return f"line {line}: " if line else ""


# ---- what is left over of a place --------------------------------------------------------------------------------------

# <integer, object with "from" and "to", or null>
_OTHER_TYPE = re.compile(
    r"\W*(?:an? )?(?P<type>object|array|dict|integer|boolean)\b,? (?:with|of|if|or|when)\b", re.IGNORECASE
)
_JSON_TYPE = {"object": "object", "array": "array", "dict": "object", "integer": "integer", "boolean": "boolean"}


def _left_over(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Descriptions that begin in the middle: a part of the place was read as a type, and the rest of it was not."""
    for leaf in leaves:
        for node in (leaf.node, leaf.value):
            said = node.get("description", "")
            other = _OTHER_TYPE.match(said) if isinstance(said, str) else None
            if other and node.get("type") and _JSON_TYPE[other["type"].lower()] not in str(node["type"]):
                yield f"{shortened(said)!r} is said of {leaf.name!r}, which was read as one type"


def _empty_lists(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Lists that the form shows empty and of which nothing says what they hold."""
    form = form_of(document, found)
    for leaf in leaves:
        empty = any(values_shown(form, leaf.name, _EMPTY))
        if not leaf.listed or not empty or any(values_shown(form, leaf.name, _HOLDS)):
            continue
        last = _plain(leaf.name).rpartition("_")[2]
        if last in _TEXTS_ALWAYS:
            continue
        if last in _TEXTS and re.search(rf"\b{last}\b", document.without(found.covered), re.IGNORECASE):
            continue  # "extract the sentences": they are texts
        told = [said.text for said in said_of(document, leaf, ()) if not re.match(r"\s*\[\s*\]", said.text)]
        if leaf.kinds <= {"string", "null"} and not leaf.labelled and not any(len(said.split()) > 1 for said in told):
            yield f"{_at(document, found, leaf)}{leaf.name!r} is shown as an empty list, and nothing says what it holds"


_TEXTS_ALWAYS = frozenset({"questions", "keywords", "tags", "urls"})
_TEXTS = frozenset({"sentences", "quotes", "excerpts", "phrases", "passages", "keywords", "quotations", "paragraphs"})


_LIST_SAID = re.compile(
    r"\b(?:lists?|arrays?|sets?|collections?|sequence|one or more|multiple|several|each|all|every|up to|at (?:most|least)|one per|separate|bullets?|\d+|two|three|four|five|enumerate)\b|\[",
    re.IGNORECASE,
)


def _lists_by_name(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Lists of texts for which the prompt has nothing but a name in the plural: "fees: what the shop charges"."""
    form = form_of(document, found)
    if _ALL_LISTS.search(document.text) and all(item.schema.get("type") == "array" for item in found.fields):
        return
    for leaf in () if found.wrapped else leaves:
        if not leaf.listed or leaf.labelled or leaf.kinds - {"string"} or {"minItems", "maxItems"} & set(leaf.node):
            continue
        if any(values_shown(form, leaf.name, _IS_SHOWN_LIST)):
            continue
        told = [f"{said.aside} {said.text}" for said in said_of(document, leaf, ())]
        if not any(_LIST_SAID.search(said) for said in told) and not _listed_elsewhere(document, leaf.name):
            yield f"{_at(document, found, leaf)}nothing but its name says whether {leaf.name!r} is a list or a text"


def _listed_elsewhere(document: PromptText, name: str) -> bool:
    """Whether the task speaks of a list of what the key is called: "identify a list of the emotions"."""
    noun = re.escape(_plain(name).replace("_", " ")).replace(r"\ ", r"[ _-]")
    return (
        re.search(rf"\b(?:list|array) of (?:the |all |all the |\w+ )?{noun}\b", document.text, re.IGNORECASE)
        is not None
    )


# "these keys, each holding an array of strings"
_ALL_LISTS = re.compile(
    r"\b(?:keys|fields)\b[^.\n]{0,20}\b(?:each|all|every one)\b[^.\n]{0,30}\b(?:arrays?|lists?) of (?:strings|texts|names|words)\b",
    re.IGNORECASE,
)
_IS_SHOWN_LIST = re.compile(r"[^\n,]*?(?:\[|\b(?:list|array)\b)", re.IGNORECASE)


_PLACE_KEY = re.compile(r"\A[\[<{].*[\]>}]\Z|\A(?:key|field|name|item|id|property)_?(?:\d|n|x)\Z", re.IGNORECASE)


def _free_keys(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Keys that stand for others: ``"[PERSON_1]"``, ``"<id>"``, ``"key1"``."""
    for leaf in leaves:
        if _PLACE_KEY.search(leaf.name):
            yield f"{leaf.name!r} takes the place of keys that depend on what is answered"


_ITEMS = r"[<\[{(]\s*(?P<word>[A-Za-z]+)\s?1\s*,\s*(?P=word)\s?2\b"


def listed_places(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text of a labelled form whose place has several items: ``ports: <port1, port2>``."""
    for leaf in leaves:
        name = re.escape(leaf.name).replace("_", r"\W+")
        if leaf.kinds <= {"string"} and not leaf.listed:
            for place in re.finditer(rf"^\W*{name}\W*:\s*{_ITEMS}", document.text, re.IGNORECASE | re.MULTILINE):
                line = document.line(place.start())
                yield f"line {line}: {leaf.name!r} holds several things, and was read as one text"


_MAP = re.compile(
    r"(?:\A|[_a-z])(?:schema|mapping|headers|metadata|variables|properties|translations|translation_map|args|arguments|kwargs|params|parameters|payload)\Z",
    re.IGNORECASE,
)


_DICTIONARY = re.compile(r"\W*(?:an? )?(?:dict(?:ionary)?|map(?:ping)?) of\b", re.IGNORECASE)


def free_objects(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """An object whose name says that its keys depend on what is answered: a sample of it names only some of them."""
    for leaf in leaves:
        if "properties" not in leaf.value:
            continue
        only = list(leaf.value["properties"].values())
        if leaf.listed and len(leaf.value["properties"]) > 1:
            continue  # rows have the same columns
        if len(only) == 1 and "properties" in only[0] and re.search(r"\bfor each\b", document.text, re.IGNORECASE):
            yield f"{leaf.name!r} is shown with {', '.join(leaf.value['properties'])} alone, which may be any key"
        if _MAP.search(leaf.name) or any(_DICTIONARY.match(said.text) for said in said_of(document, leaf, ())):
            yield f"{leaf.name!r} is shown with {', '.join(leaf.value['properties'])}: its keys may be others"
