"""Which values of a form may be null, by what the prose says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from promptopt.structured.fields import PromptText, Span
from promptopt.structured.prose.wording import or_null

_NULL = re.compile(r"\bnull\b", re.IGNORECASE)
# What holds a text wherever it holds anything.
_TEXT_BY_NAME = re.compile(
    r"(?:\A|_)(?:date|deadline|reason|rationale|explanation|description|summary|comment|note|feedback|message|error|name|title|quote|excerpt|url|link|email|phone|address|candidate|text)\Z"
)
# '"owner": <who does it, or null>'
_PLACE_OR_NULL = re.compile(r"[\"'](?P<name>\w+)[\"']\s*:\s*<[^<>\n]*\bor null\b[^<>\n]*>")
_SHOWN_AS_NULL = re.compile(r"[\"'](?P<name>\w+)[\"']\s*:\s*null(?=\s*(?:[,}\n]|//))")


def is_text_by_name(name: str) -> bool:
    """Whether a key of this name holds a text: ``due_date``, ``errorMessage``."""
    return _TEXT_BY_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) is not None


# "What is not said is null." says it of what is not said.
_NOT_NULL = re.compile(
    r"\b(?:not|never|no|non|without|instead of)\b[^.\n]{0,20}(?<!\bis )(?<!\bare )\bnull\b|\bneither\b[^.,\n]{0,60}\bnull\b",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"\b(?:values?|fields?|keys?|information|anything|missing|unknown|absent|unclear|(?:not|n['’]t|cannot be) (?:\w+ )?(?:on|in|given|found|present"
    r"|mentioned|available|stated|known|specified|provided|determined|applicable|read|seen|recogni[sz]ed)|(?:cannot|can['’]t|could not|couldn['’]t|unable to) (?:be )?(?:told|tell|estimated?|find|found|determine|read|inferr?e?d?|say|known?|decided?)|(?:does(?: not|n['’]t)|do(?: not|n['’]t)) (?:say|state|mention|tell|give|name|know))\b",
    re.IGNORECASE,
)


# "- `berth`" and below it, further in, what belongs to that key alone
_KEY_ITEM = re.compile(
    r"^[ \t]*[-*•][ \t]+[*_]*[`\"'](?P<name>\w+)[`\"'][*_]*[ \t]*\n(?P<rest>(?:[ \t]+(?![-*•])\S[^\n]*\n)+)",
    re.MULTILINE,
)


# "2. asking_price: the price; null if it is not given", said of that key alone
_KEY_LINE = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*(?P<name>[a-z]+(?:_[a-z\d]+)+|[a-z]+(?:[A-Z][a-z\d]*)+)[*_`\"']*[ \t]*(?::|[-–—](?=\s))(?P<rest>[^\n]*)$",
    re.MULTILINE,
)


# "- `street`: the name of the street (or null)"
_MARKED_LINE = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_]*[`\"'](?P<name>\w+)[`\"'][*_]*[ \t]*[:–—-](?P<rest>[^\n]*)$", re.MULTILINE
)
# '"tons" (number; null if it is not weighed)', said of that key alone
_BESIDE = re.compile(r"[\"'`*](?P<name>\w+)[\"'`*]+ \((?P<rest>[^()\n]*\bnull\b[^()\n]*)\)")
_OR_NULL = re.compile(r"\(or null\b[^()\n]*\)|,? or null[ .]*\Z")
# "missing, null, or empty": what a value of the input may be.
_OF_INPUT = re.compile(
    r"\b(?:missing|empty|blank|undefined|absent),? (?:or )?null\b(?:,? or (?:an? )?\w+)?|\bnull,? or (?:an? )?(?:empty|missing|blank|undefined)\b",
    re.IGNORECASE,
)


_ALL_FIELDS = re.compile(
    r"\bfields\b[^.\n]{0,10}\(?(?:use|set|return|put)\b[^.\n]{0,20}\bnull\b|\b(?:any|every|each|all|a) (?:missing |unknown )?(?:fields?|keys?)\b[^.\n]{0,60}\bnull\b|\bif (?:a|any|the) (?:fields?|values?) (?:is|are|was|were|cannot be|can['’]t be)\b[^.\n]{0,60}\b(?:return|use|set|put|output|write)\b[^.\n]{0,20}\bnull\b|\bnull for (?:any |all |every )?(?:missing |unknown )?(?:fields?|keys?)\b",
    re.IGNORECASE,
)
_EMPTY_LIST = re.compile(r"\bempty (?:\w+ )?(?:lists?|arrays?)\b|(?<![\w\]])\[\]|\bscalars?\b", re.IGNORECASE)


def nulls_of(
    document: PromptText, names: Iterable[str], covered: Sequence[Span] = ()
) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """What the prose says of null: for the keys it names in that sentence, or for every value that is not known.

    Args:
        names: All keys of the form.
        covered: Where the form itself is: what it says of null it says of one key.
    """
    names = list(names)
    prose = document.text
    for span in covered:
        prose = prose[: span.start] + "\n" * (span.end - span.start) + prose[span.end :]
    owned = {line["name"] for line in _MARKED_LINE.finditer(prose) if _OR_NULL.search(line["rest"])}
    owned |= {beside["name"] for beside in _BESIDE.finditer(prose) if not _NOT_NULL.search(beside["rest"])}
    prose = _BESIDE.sub("", prose)
    own, prose = _stated_of_one(prose, names)
    owned |= own
    prose = re.sub(r"\([^()\n]*\bor null\b[^()\n]*\)", "", prose)  # "(number or null)" is said of one key
    prose = _OF_INPUT.sub("", prose)
    owned |= {item["name"] for item in _KEY_ITEM.finditer(prose) if _NULL.search(item["rest"])}
    prose = _KEY_ITEM.sub("\n", prose)
    lines = [line for line in _KEY_LINE.finditer(prose) if _NULL.search(line["rest"])]
    owned |= {line["name"] for line in lines if not _NOT_NULL.search(line["rest"])}
    prose = _KEY_LINE.sub("\n", prose)
    sentences, below = _sentences(prose, names)
    sentences = [text for text in sentences if not any(_is_of_null_kind(name, text) for name in names)]
    owned |= below
    shown = "\n".join(document.text[span.start : span.end] for span in covered)
    owned |= {null["name"] for null in _SHOWN_AS_NULL.finditer(shown) if is_text_by_name(null["name"])}
    owned |= {place["name"] for place in _PLACE_OR_NULL.finditer(shown)}

    # "Extract these fields (use null for what is not there)", and nothing says that a list may be empty instead.
    lists = any(_ALL_FIELDS.search(text) for text in sentences) and not _EMPTY_LIST.search(document.text)
    empty = {match[1] for match in re.finditer(r"[\"'](\w+)[\"']\s*:\s*\[\s*\]", document.text)}
    known = [_mention(name) for name in names]
    known_names = {name.lower() for name in names}

    def visit(name: str, schema: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(schema.get("type"), str) or schema["type"] == "object":
            return schema
        if schema["type"] == "array":
            return or_null(schema) if lists and name not in empty else schema
        named = re.compile(rf"(?<![\w]){re.escape(name)}(?![\w])", re.IGNORECASE)
        general = any(
            _ABSENT.search(text)
            and not re.search(r"[\"'`](?!null\b)\w+[\"'`]", text)
            and not any(key.search(text) for key in known)
            and not _owned(text, names)
            and not _is_of_each(text, names)
            and not _is_for_some(text, known_names)
            and (schema["type"] in ("integer", "number") or not _OF_NUMBERS.search(text))
            for text in sentences
        )
        if any(_is_excepted(name, text) for text in sentences):
            return schema
        said = (
            name in owned
            or general
            or any(
                _is_said(named, part) and not _is_before_others(name, part, names)
                for text in sentences
                for part in (_without_conditions(one, names) for one in _each_null(text))
            )
        )
        return or_null(schema) if said else schema

    return visit


def with_null_parts(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """An object whose parts may be null, as a sentence about them says: "Slots that the guest leaves open are null"."""
    if schema.get("type") == "object" and _is_of_null_kind(name, document.text):
        return or_null(schema)
    if schema.get("type") != "object" or not _NULL.search(document.text):
        return schema
    parts = rf"(?:{re.escape(name)}|{re.escape(name.removesuffix('s'))}s)"
    said = rf"(?:\A|[.!?\n]\s*(?:[-*•]\s+)?)(?:the |all |any )?[\"'`*]*{parts}[\"'`*]* (?:that|which|not|without)\b[^.\n]*\b(?:are|is|be|as|to|use|with) null\b"
    if not re.search(said, document.text, re.IGNORECASE):
        return schema
    scalars = {
        key: or_null(child) if child.get("type") not in ("array", "object") else child
        for key, child in schema["properties"].items()
    }
    return {**schema, "properties": scalars}


def _is_of_null_kind(name: str, text: str) -> bool:
    """Whether null stands for an object of this kind: "Return null for any signal that cannot be told", of ``calm_signal``."""
    kind = re.escape((re.findall(r"[A-Z]?[a-z]+", name) or [name])[-1].lower())
    said = rf"\b(?:return|use|set|put|give|output|write) null (?:for|as|in place of) (?:any|each|every|a|all) (?:\w+ )?{kind}s? (?:that|which|not|without|if|when|you)\b"
    return re.search(said, text, re.IGNORECASE) is not None


# "Set the berth to null and say why in the log": the log comes after it.
_NULL_FOR = re.compile(r"\bnull\b\W*(?:for|in|as|value|when|if)\b", re.IGNORECASE)


# "Use null for dose or route when the letter does not say"
_NULL_FOR_KEYS = re.compile(
    r"\bnull for (?:the )?(?P<keys>[\"'`]?\w+[\"'`]?(?:(?:, (?:and |or )?| and | or )(?:the )?[\"'`]?\w+[\"'`]?)*) (?:if|when|where|unless)\b",
    re.IGNORECASE,
)


# "Set the date to null if none is named, and the hour to null if it is not clear."
_AND_NULL = re.compile(r"[,;]? and (?=[^.;\n]*\bnull\b)", re.IGNORECASE)


# "Do not leave the title null"
_DENIED = re.compile(r"(?:\b(?:not|never)|n['’]t)\s*\Z", re.IGNORECASE)
_NEAR = 10


def _stated_of_some(prose: str, names: Sequence[str]) -> tuple[set[str], str]:
    """The keys that are the subject of a clause about null, or its object; and the prose without these clauses.

    "start and end are null when they are not said", "leave advice null if risk is 0", "fix (string) - null if risk is 0".
    """
    if "null" not in prose.lower():
        return set(), prose
    one = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    key = rf"[\"'`*]*(?<!\w)(?:{one})(?!\w)[\"'`*]*"
    keys = rf"(?:both )?(?:the )?(?P<keys>{key}(?:(?:\s*,\s*(?:and |or )?|\s+(?:and|or) |\s*[/&]\s*)(?:the )?{key})*)"
    # Up to where the sentence goes on with another null.
    unless = r"(?: (?:for|in|where|when|if|unless) (?:(?!,? (?:and|or|but) [^.;\n]*\bnull\b)[^.;\n])*)?"
    subject = rf"{keys}(?: fields?| keys?| values?)?,? (?:(?:is|are|may|can|must|should|has to|have to|will)(?: also| both| all| each| only)?(?: be)?(?: set to)?|=) null\b{unless}"
    order = rf"\b(?:leave|set|make|keep|put|return|write|use)\s+{keys}(?: fields?| keys?| values?)?(?: (?:as|to|at|to be))? null\b{unless}"
    # "dog must not be null, owner can be", "where sex and age cannot be read, they are null"
    short = rf"\bnull\b,? (?:but |and |while )?{keys} (?:can|may)(?: be)?(?=\s*[.;,\n]|\Z)"
    absent = rf"\b(?:if|when|where|whenever) (?:the )?{keys} (?:is|are|was|were|cannot|can['’]t|could|does|do|has|have|isn['’]t|aren['’]t|wasn['’]t|weren['’]t)\b[^.;\n]*?,? (?:then )?(?:(?:it|they|both|this|these) (?:is|are|must be|should be)|(?:use|set|write|put|return|give)(?: (?:it|them|both))?(?: to| as)?) null\b"
    line = rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*(?P<keys>{key}(?:(?:\s*,\s*(?:and |or )?|\s+(?:and|or) |\s*[/&]\s*){key})+)[ \t]*(?::|[-–—](?=\s))[^\n]*\bnull\b[^\n]*"
    further = rf"(?:,|\b(?:and|or|but))\s+{keys} (?:to|as|at) null\b{unless}"
    beside = rf"(?<!\w){keys} ?\([^()\n]*\)\s*(?:,|[-–—]+)\s*(?:or )?null (?:for|where|when|if|unless) [^.;\n]*"
    owned: set[str] = set()
    for said in (absent, subject, order, further, beside, short, line):
        pattern = re.compile(said, re.IGNORECASE | re.MULTILINE)
        for match in pattern.finditer(prose):
            denied = _DENIED.search(prose, max(0, match.start() - _NEAR), match.start())
            if denied or (said == line and _NOT_NULL.search(match[0])):
                continue
            spelled = {part.casefold() for part in re.findall(one, match["keys"], re.IGNORECASE)}
            owned |= {name for name in names if name.casefold() in spelled}
        prose = pattern.sub(" ", prose)
    return owned, prose


def _stated_of_one(prose: str, names: Sequence[str]) -> tuple[set[str], str]:
    """The keys beside whose names brackets, or the rest of their line, speak of null; and the prose without these words."""
    if not names or "null" not in prose.lower():
        return set(), prose
    one = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    brackets = re.compile(
        rf"(?<!\w)(?P<name>{one})[\"'`*]* ?\((?P<rest>[^()\n]*(?:\([^()\n]*\)[^()\n]*)*\bnull\b[^()\n]*)\)"
    )
    # Up to where a sentence is about another key: "genre: pick one. chord is the main chord, or null."
    rest = rf"(?:(?![.;] (?:{one}) (?:is|are|must|should|may|can)\b)[^\n])"
    line = re.compile(
        rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*_`\"']*(?P<name>{one})[*_`\"']*[ \t]*(?:\([^()\n]*\)[*_]*)?[ \t]*(?::|[-–—](?=\s))(?P<rest>{rest}*?\bnull\b{rest}*)",
        re.MULTILINE,
    )
    owned: set[str] = set()
    colon = re.compile(
        rf"(?:(?<=[ ,;(])|^)[\"'`*]*(?P<name>{one})[\"'`*]*:[*]* (?P<rest>[^,;.()\n]*\bnull\b[^,;.()\n]*)", re.MULTILINE
    )
    # "line is null for what concerns the whole file": what comes after names no other key
    itself = re.compile(
        rf"(?<!\w)[\"'`*]*(?P<name>{one})[\"'`*]* (?:is|are|=|must be|should be|may be|can be) (?P<rest>null\b(?: (?:for|in|where|when) [^.;,\n]*)?)(?=[.;,\n]|\Z)",
        re.MULTILINE,
    )
    for pattern in (line, brackets):
        found = list(pattern.finditer(prose))
        owned |= {match["name"] for match in found if not _NOT_NULL.search(match["rest"])}
        prose = pattern.sub("\n", prose)
    some, prose = _stated_of_some(prose, names)
    owned |= some
    for pattern in (colon, itself):
        found = list(pattern.finditer(prose))
        owned |= {match["name"] for match in found if not _NOT_NULL.search(match["rest"])}
        prose = pattern.sub("\n", prose)
    return owned, prose


# "If a number cannot be told, put null", "use null for numbers that are missing"
_OF_NUMBERS = re.compile(
    r"\b(?:a|any|some|the) (?:number|numeric (?:value|field)|amount|figure)\b|\b(?:numbers|numeric (?:values|fields)|figures)\b",
    re.IGNORECASE,
)


def _each_null(text: str) -> list[str]:
    """A sentence apart where it goes on with another null: each part says it of keys of its own."""
    parts: list[str] = []
    for part in _AND_NULL.split(text):
        if parts and not _NULL.search(parts[-1]):
            parts[-1] = f"{parts[-1]} and {part}"
        else:
            parts.append(part)
    return parts


# "Use null for anything that is missing, except the title"
_EXCEPT = re.compile(r"\b(?:except|apart from|other than|but not)\b(?: for| in)? (?P<what>[^.;\n]*)", re.IGNORECASE)


def _is_excepted(name: str, text: str) -> bool:
    said = _EXCEPT.search(text)
    return said is not None and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said["what"], re.IGNORECASE) is not None


def _is_for_some(text: str, names: set[str]) -> bool:
    """Whether a sentence says for which keys null is: "null for dose or route if the letter does not say"."""
    listed = _NULL_FOR_KEYS.search(text)
    return listed is not None and not names.isdisjoint(re.findall(r"\w+", listed["keys"].lower()))


def _is_said(named: re.Pattern[str], text: str) -> bool:
    """Whether a sentence says null of a key: before that word, or after "null for"."""
    first, null = named.search(text), _NULL.search(text)
    listed = _NULL_FOR_KEYS.search(text)
    if first is not None and listed is not None:
        return named.search(listed["keys"]) is not None
    return first is not None and (null is None or first.start() < null.start() or _NULL_FOR.search(text) is not None)


def _is_before_others(name: str, text: str, names: Sequence[str]) -> bool:
    """Whether a sentence names other keys between a key and null: what it says of null it says of the last ones.

    "name and city come first, street may be null": keys that "and" or commas join are one subject.
    """
    null = _NULL.search(text)
    one = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    named = list(re.finditer(rf"(?<!\w)(?:{one})(?!\w)", text[: null.start()] if null else text, re.IGNORECASE))
    last = max((n for n, match in enumerate(named) if match[0].casefold() == name.casefold()), default=len(named))
    return any(
        not _JOINS.fullmatch(text, former.end(), later.start()) for former, later in itertools.pairwise(named[last:])
    )


_JOINS = re.compile(
    r"[\"'`*]*(?: ?\([^()\n]*\))?(?:\s*(?:,|/|&)\s*(?:and |or )?|\s+(?:and|or) )(?:the |its |their )?[\"'`*]*",
    re.IGNORECASE,
)


def _mention(name: str) -> re.Pattern[str]:
    """Where a sentence speaks of a key: anywhere if no word is spelled like it, else at its begin or in marks."""
    own = re.escape(name)
    if re.search(r"_|[a-z][A-Z]", name):
        return re.compile(rf"(?<!\w){own}(?!\w)")
    # "If the date cannot be read": not where the word is one for any value.
    spoken = "" if _OF_ANY.fullmatch(name) else rf"|\b(?:the|its|their|no) {own}(?!\w)"
    return re.compile(rf"\A\W*{own}(?!\w)|[\"'`*]{own}[\"'`*]{spoken}", re.IGNORECASE)


# "Rules for size:", and below it "- null if not found"
_ITEM = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]")
_OF_ANY = re.compile(
    r"\b(?:values?|fields?|keys?|properties|information|data|details?|any|anything|every|everything|all|each)\b",
    re.IGNORECASE,
)


def _sentences(prose: str, names: Sequence[str]) -> tuple[list[str], set[str]]:
    """The sentences that speak of null, without those in a list below a line that names a key; and these keys."""
    found: list[str] = []
    below: set[str] = set()
    lead = ""
    for line in prose.split("\n"):
        if line.strip() and not _ITEM.match(line):
            lead = line
        for text in re.split(r"(?<=[.!?;])\s", line):
            if not _NULL.search(text) or _NOT_NULL.search(text):
                continue
            owner = [name for name in names if lead != line and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", lead)]
            if len(owner) == 1 and lead.rstrip("* \t").endswith(":") and not _OF_ANY.search(text):
                below.add(owner[0])
            else:
                found.append(text)
    return found, below


# "If `paid` is false, set `date` to null": it is the date that may be null.
_CONDITION = re.compile(r"\b(?:if|when|where|unless|while|whenever)\b(?P<what>[^,;:.\n]*)", re.IGNORECASE)


def _is_of_each(text: str, names: Sequence[str]) -> bool:
    """Whether a sentence is about each thing of a kind that a key is called after: "Each mark is good, bad, or null", of ``marks``."""
    each = re.search(
        r"(?:\A|[.!?] )\W*(?:each|every|any) (?P<thing>\w+) (?:is|must be|should be|may be|can be)\b",
        text,
        re.IGNORECASE,
    )
    return each is not None and any(name.lower() == f"{each['thing'].lower()}s" for name in names)


def _owned(text: str, names: Sequence[str]) -> bool:
    """Whether a key is set to null in so many words: "its rating is null"."""
    return any(
        re.search(rf"(?<!\w){re.escape(name)}[\"'`*]* (?:is|to|as|be|must be|should be|=) null\b", text)
        for name in names
    )


def _without_conditions(text: str, names: Sequence[str]) -> str:
    """A sentence without its conditions; one that says that a value is not known stays if no key is named outside of them."""
    bare = _CONDITION.sub(" ", text)
    if any(
        re.search(rf"(?<!\w){re.escape(name)}[\"'`*]* (?:is|to|as|be|must be|should be|=) null\b", bare)
        for name in names
    ):
        return bare  # "quote is null when the answer is not found": it is the quote that may be null
    return _CONDITION.sub(lambda match: match[0] if _ABSENT.search(match["what"]) else " ", text)
