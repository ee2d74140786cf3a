"""JSON in a prompt's text that shows its answers (templates, examples), and what else says only what a schema says.

The JSON is minified, and the answer is read out of the text and capped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptopt.compression.edit import Edit
from promptopt.errors import SchemaError
from promptopt.schemas.make_strict import fix_schema
from promptopt.structured.edits.layout import COUNT_OF_LAYOUT, LAYOUT_CUE, layout_edits, layout_words
from promptopt.structured.edits.whole_edits import goes_on
from promptopt.structured.fields import BOUNDARY, MASK, Field, Inferred, PromptText, Span, object_schema
from promptopt.structured.readers.pseudo_json import NotPseudo, balanced_end, read_pseudo, starts
from promptopt.templates.source import read_source
from promptopt.tokens import Tokenizer

_MOST_BLOCKS = 200
_CUE = re.compile(
    r"\b(?:json|format\w*|outputs?|returns?|respond|response|repl(?:y|ies)|answers?|structure|object|schema|shape|keys|fields?|following form|assistant)\b",
    re.IGNORECASE,
)
_INPUT_CUE = re.compile(
    r"\b(?:inputs?|given|contexts?|arguments?|params?|parameters|tool|data|example task|conversation|transcript|passage|document|question|message)\b[^\n:]{0,30}:?\s*$",
    re.IGNORECASE,
)
_OUTPUT_CUE = re.compile(
    r"\b(?:outputs?|answer|response|result|returns?|respond|format\w*|json|assistant)\b[^\n]{0,80}$", re.IGNORECASE
)
_OBJECT = re.compile(r"\{\s*[\"'“][\w<][^\"'\n]{0,60}[\"'”]\s*:")
# Marks of a template: an answer has no such values.
_PLACEHOLDERS = re.compile(
    r"<[^<>\n]+>|\||\.\.\.|…|(?:[:\"'<(\[,]|\bor\b)\s*(?:an? |the )?(?:string|integer|number|boolean|float|str|int|bool)\b|\byour\b|\b(?:true ?/ ?false|true or false|yes or no)\b"
    r"|[\"']\s*:\s*\[?[A-Za-z]\w*(?<!true)(?<!false)(?<!null)(?=\s*[,}\]\n])",
    re.IGNORECASE,
)
# A line that ends in a colon and speaks of the answer anywhere.
_LEADS = re.compile(
    r"\b(?:outputs?|answer|respon[ds]e?|repl(?:y|ies)|returns?|json|format\w*|produce|generate|write|structure\w*)\b[^\n]*:\W*$",
    re.IGNORECASE,
)
# What the prompt is given, in a form that it describes.
_GIVEN = re.compile(
    r"\b(?:you(?:'ll| will| are going to) (?:be given|receive|get|see)|will be (?:formatted|provided|given|presented|shown)|(?:is|are) (?:given|provided|presented|stored) (?:as|in|like))\b",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"^\W*(?:example|sample)s?\b[^\n:]{0,20}:?\W*$", re.IGNORECASE)
_TITLE = re.compile(r"\W*(?:\w+ ){0,3}(?:schema|structure|shape)(?: \([^()\n]*\))?\W*", re.IGNORECASE)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
# "As an example, for the schema {...} the object {...} is a well-formatted instance": how schemas work.
_SPOKEN_OF = re.compile(
    r"[\s`]*(?:entry|entries|record|pair)\b|[\s`]*is (?:not )?(?:an? )?(?:well[- ]formatted|valid|invalid)\b",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"\b(?:interface|type|class|struct|enum|record)\s+\w+\s*=?\s*\Z")
_FOR_SCHEMA = re.compile(r"\bfor (?:the|a|this) (?:json )?schema[\s`:]*\Z", re.IGNORECASE)
# "Return it as a JSON object", said of what is to be written.
ORDERS_JSON = re.compile(
    r"(?<!not )(?<!never )(?<!n't )(?<!without )\b(?:return|respond|reply|output|answer|provide|produce|format|write|generate|give|response|result)\w*\b"
    r"[^.\n]{0,60}\bjson\b(?! (?:above|below|given|input|file|data))",
    re.IGNORECASE,
)
"""An order to answer in JSON."""
# 'JSON with the key "claims": list of objects' and then one of them
_UNDER = re.compile(
    r"\b(?:key|field|property) [\"'`](?P<key>\w+)[\"'`]\s*:?\s*(?:which is |with |is |containing |holding )?(?:an? |the )?(?:list|array) of (?:json )?(?:objects?|dict\w*|items|entries|records)\b[^\n{}:]{0,20}:?\s*\Z",
    re.IGNORECASE,
)
# "Input (JSON):"
_INPUT_LABEL = re.compile(
    r"\W*(?:inputs?|request|payload)(?: data| format)?(?: \((?:json|as json)\)| json| in json)?\W*", re.IGNORECASE
)
# "[yes/no]" and "[Answer with only yes or no]" are the place of a word, and no list.
_OF_WORDS = re.compile(
    r"\[\s*[A-Za-z][\w ]*(?:\s*[/|]\s*[A-Za-z][\w ]*)+\s*\]|\[\s*(?i:answer|respond|reply|write|insert|put|enter)\b[^\]\n]*\]"
)
_ANCHOR = re.compile(r"[*_`#]*[A-Za-z][\w ]{0,30}[*_`]*:[*_`]*")


@dataclass(frozen=True, slots=True)
class Block:
    """One JSON value of the text.

    Attributes:
        example: One answer of many, and not the template of all; ``None`` if nothing leads to it.
        is_schema: The text itself is a JSON schema.

    A block without a schema shows the answer and cannot be read.
    """

    schema: dict[str, Any]
    span: Span
    example: bool | None
    is_schema: bool = False


def blocks(document: PromptText) -> list[Block]:
    """Pseudo-JSON of the text that shows the answer, outermost only."""
    found = _joined(document, list(_blocks(document)))
    known = [
        set(block.schema["properties"]) for block in found if block.example is not None and "properties" in block.schema
    ]
    shown = []
    for block in found:
        if known and block.schema.get("type") == "array" and "properties" not in block.schema["items"]:
            # A list of texts beside objects is something else.
            continue
        if block.example is None:
            # Nothing leads to it, but it has the keys of the answer.
            keys = set(block.schema.get("properties", ()))
            if not any(keys & other and (keys <= other or other <= keys) for other in known):
                continue
            block = replace(block, schema=_plain_example(block.schema), example=True)  # noqa: PLW2901 - the block as it is used
        shown.append(block)
    return shown


OR = re.compile(r"[\s`]*(?:json\b)?[\s`]*\bor\b[\s`]*(?:json\b)?[\s`]*", re.IGNORECASE)
"""What joins two templates of which the answer is one."""


def _joined(document: PromptText, found: list[Block]) -> list[Block]:
    """The blocks, where one that follows a template after "or" is a template too."""
    joined: list[Block] = []
    for block in found:
        last = joined[-1] if joined else None
        follows = last is not None and OR.fullmatch(document.text[last.span.end : block.span.start])
        shows = follows and last is not None and last.example is False and block.example is None
        joined.append(replace(block, example=False) if shows else block)
    return joined


def _blocks(document: PromptText) -> Iterator[Block]:
    text = document.text
    done = 0
    tried = 0
    for start in starts(text):
        if start < done or _OF_WORDS.match(text, start):
            continue
        tried += 1
        if tried > _MOST_BLOCKS:
            return
        try:
            schema, end = read_pseudo(text, start)
        except (NotPseudo, RecursionError):
            if (unread := _unread(text, start)) is not None:
                done = unread.span.end
                yield unread
            continue
        if not _is_structure(schema) or (text[start] == "[" and _is_inline(text, start)):
            continue
        done = end
        if (block := _read(text, Span(start, end), schema)) is not None:
            yield block


def _read(text: str, span: Span, schema: dict[str, Any]) -> Block | None:
    """The block of a value that was read; ``None`` if it is an input, or explains how schemas work."""
    start, end = span.start, span.end
    if _names_a_schema(schema):
        if _FOR_SCHEMA.search(text, max(0, start - 40), start):
            return None
        return Block(_given_schema(text[start:end]), span, example=False, is_schema=True)
    role = _role(text, start, end)
    if role is None and _INPUT_CUE.search(_line_before(text, start)):
        return None
    if role is not None and (under := _UNDER.search(text, max(0, start - 120), start)):
        schema = object_schema({under["key"]: {"type": "array", "items": schema}})
    return Block(_plain_example(schema) if role else schema, span, role)


# "- crew: [string]": the value of a key in a list of keys
_KEY_ITEM = re.compile(r"[ \t]*[-*•][ \t]+[\"'`*]*[A-Za-z_]\w*[\"'`*]*:")


def _is_inline(text: str, start: int) -> bool:
    """Whether a list is within a sentence: it is spoken about and not shown."""
    before = text[text.rfind("\n", 0, start) + 1 : start].rstrip(" \t\"'`*")
    if _KEY_ITEM.fullmatch(before):
        return True
    return bool(before) and not before.endswith((":", ">"))


def _unread(text: str, start: int) -> Block | None:
    """An object that shows the answer and that no reader understands."""
    end = balanced_end(text, start)
    shows = _OBJECT.match(text, start) and _role(text, start, end) is not None
    return Block({}, Span(start, end), example=False) if shows else None


def _names_a_schema(schema: Mapping[str, Any]) -> bool:
    """Whether the keys of an object are those of a JSON schema of an object."""
    names = schema.get("properties", {})
    nested = "properties" in names and "properties" in names["properties"]
    return nested and not {"type", "$schema", "required"}.isdisjoint(names)


def _given_schema(text: str) -> dict[str, Any]:
    """A JSON schema that the prompt gives, in its strict form; empty if it cannot be read."""
    try:
        given = json.loads(text)
        fixed = fix_schema(given)
    except (ValueError, SchemaError, AttributeError, TypeError):
        return {}
    return {} if fixed.remaining or "$defs" in fixed.schema else fixed.schema


def answer_blocks(document: PromptText) -> list[Span]:
    """The ranges in which the text shows JSON of the answer: its templates and examples."""
    return [block.span for block in blocks(document) if block.schema and not block.is_schema]


def _is_structure(schema: Mapping[str, Any]) -> bool:
    if schema.get("type") == "array":
        items = schema["items"]
        return isinstance(items, Mapping) and ("properties" in items or items.get("type") == "string")
    return "properties" in schema


def _plain_example(schema: Any) -> Any:
    """The schema of an example without its words, which are one answer of many."""
    if not isinstance(schema, Mapping):
        return schema
    plain = {key: value for key, value in schema.items() if key not in ("description", "enum")}
    if isinstance(plain.get("properties"), Mapping):
        plain["properties"] = {name: _plain_example(child) for name, child in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain_example(plain["items"])
    return plain


def _before(text: str, start: int) -> str:
    return re.sub(r"(?:(?:```|~~~)\w*\s*|<[A-Za-z_]\w*>\s*)+$", "", text[max(0, start - 400) : start]).rstrip(' \n\t"`')


def _line_before(text: str, start: int) -> str:
    return _before(text, start).rpartition("\n")[2]


def _is_spoken_of(text: str, start: int, end: int) -> bool:
    """Whether a value explains how schemas work, is a type of a program, or an argument of a call or a formula."""
    if _SPOKEN_OF.match(text, end) or _FOR_SCHEMA.search(text, max(0, start - 40), start):
        return True
    if _PROGRAM.search(text, max(0, start - 60), start):
        return True
    return text[max(0, start - 2) : start].strip(" ")[-1:] in ("(", "*", "=") or bool(
        re.search(r"\w$", text[:start][-1:])
    )


def _role(text: str, start: int, end: int) -> bool | None:
    """``True`` for an example of an answer, ``False`` for its template, ``None`` for something else."""
    if re.match(r"[ \t]*(?:as|in) json\b", text[end : end + 20], re.IGNORECASE):
        return False
    if _is_spoken_of(text, start, end):
        return None
    recent = re.sub(r"(?<=[a-z])_(?=[a-z])", " ", _before(text, start)[-400:])
    line = recent.rpartition("\n")[2]
    recent = recent[-250:]
    if _at_anchor(text, line):
        return not _PLACEHOLDERS.search(text, start, end)
    if _INPUT_LABEL.fullmatch(line):
        return None
    ordered = ORDERS_JSON.search(line)
    if (_INPUT_CUE.search(line) and not _OUTPUT_CUE.search(line) and not ordered) or _GIVEN.search(line):
        return None
    if _EXAMPLE.search(line) and _JSON.search(text, 0, start):
        return not _PLACEHOLDERS.search(text, start, end)
    if not _CUE.search(recent):
        return None
    if re.search(
        r"\b(?:outputs?|answer|response|result|assistant|a)(?: json)?\b\W*$", line, re.IGNORECASE
    ) or re.search(r"\b(?:examples?\b[^\n]{0,40}|like (?:this|so)\W*)$", line, re.IGNORECASE):
        return not _PLACEHOLDERS.search(text, start, end)
    titled = _TITLE.fullmatch(line) and _JSON.search(recent)
    if titled or _OUTPUT_CUE.search(recent) or _LEADS.search(line):
        return False
    # Types and places of values: a template, and an answer in JSON is asked for above.
    return False if _PLACEHOLDERS.search(text, start, end) and ORDERS_JSON.search(text, 0, start) else None


def _at_anchor(text: str, line: str) -> bool:
    """Whether a line is the label with which the prompt ends: what follows it in an example is an answer."""
    last = text.rstrip().rpartition("\n")[2].strip()
    return bool(_ANCHOR.fullmatch(last)) and line.strip() == last


CODE = "STRUCTURE"
# What a model may write around a bare label: a stop, a line end, the label's own name.
_SLACK_TOKENS = 8
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_NUMBER = r"-?\d+(?:\.\d+)?"


def block_edits(document: PromptText) -> Iterator[Edit]:
    """JSON that shows the answer, written without line ends and blanks between its parts: models write it likewise."""
    for span in answer_blocks(document):
        old = document.source[span.start : span.end]
        if MASK in document.text[span.start : span.end] or "//" in old or "\n#" in old:
            continue
        new = _without_blanks(old)
        if new is not None and new != old:
            yield Edit(span.start, span.end, new, CODE, "the example of the answer shows the short form")


def _without_blanks(text: str) -> str | None:
    """``None`` if a line end alone separates two values, as people write templates: there it means something."""
    pieces: list[str] = []
    done = 0
    for match in _STRING.finditer(text):
        pieces += [_tight(text[done : match.start()]), match[0]]
        done = match.end()
    pieces.append(_tight(text[done:]))
    return None if any("\n" in piece for piece in pieces) else "".join(pieces)


def _tight(text: str) -> str:
    text = re.sub(r"\s*\n\s*(?=[}\]])|(?<=[{\[,])\s*\n\s*", "", text)
    return re.sub(r"(?<=^[:,])[ \t]+$", "", text) if text.strip() in (":", ",") else text


def reading(fields: Sequence[Field], scored: Field, *, json_form: bool) -> str | None:
    """An ``answer:`` that reads the scored value out of a text answer; ``None`` if it has no fixed form."""
    if json_form:
        return "/" + scored.name.replace("~", "~0").replace("/", "~1")
    if scored.pattern is not None:
        return scored.pattern
    # The last match is read: an explanation after the value may speak of others.
    if fields[-1] is not scored or len(fields) > 2 or (len(fields) == 2 and fields[0].name != "explanation"):
        return None
    if "enum" in scored.schema:
        labels = sorted(map(str, scored.schema["enum"]), key=len, reverse=True)
        # "a" is a word; only "A" is a letter of the list.
        case = "" if any(len(label) == 1 for label in labels) else "(?i)"
        return rf"{case}(?<!\w)({'|'.join(map(_quoted, labels))})(?!\w)"
    return _NUMBER if scored.schema.get("type") in ("integer", "number") else None


def _quoted(label: str) -> str:
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", label)


def text_cap(fields: Sequence[Field], tokenizer: Tokenizer) -> int | None:
    """``max_output_tokens`` of one bare value; ``None`` if nothing bounds the answer."""
    if len(fields) != 1:
        return None
    schema: Any = fields[0].schema
    if "enum" in schema:
        return max(tokenizer.count(str(label)) for label in schema["enum"]) + _SLACK_TOKENS
    if schema.get("type") in ("integer", "number") and {"minimum", "maximum"} <= schema.keys():
        return max(tokenizer.count(str(schema[bound])) for bound in ("minimum", "maximum")) + _SLACK_TOKENS
    return None


# A sentence of nothing but these words, labels and names of fields says nothing that a schema does not enforce.
_VOCABULARY = frozenset(
    re.findall(
        r"\S+",
        """a all also always an and answer answered answers any anything as backtick backticks be block blocks bool brackets brief
    by can category choice choose code comment comments containing correct curly do don't double else emit either every
    exactly extra field fields fence fences fenced following for form format formatted formatting from full give given has
    have helper i important in include includes including intent is it its json just key keys label labels like
    likes line list make markdown may must no not nothing object of on one only option options or other out output
    outputs outside parse parseable please plain prefix postfix produce property provide pure quotes raw remember reply
    respond response responses result return returned schema select sentence should shown simply single snippet snippets
    specified start strict strictly string structure structured style suffix sure surrounding syntax tag tags task text that
    the then these this those to use used using valid value values very want wanted well well-formed whole with within without
    wish word words wrap write you your below above exact follow follows following: else additional none accept accepts accepted
    two three four five six seven eight nine ten after end before markup pick its either
    fit fits matches matching conform conforms conforming adhere adheres adhering according validate validates shape""",
    )
)
# Markdown that nobody will see.
_MARKDOWN = frozenset(
    re.findall(
        r"\S+",
        """bold italic italics italicized asterisks bulleted bullet bullets numbered lists sections section requested warnings notes
    header headers heading headings followed readable maximally content formatting just such as warning note create basic
    highlight rendering ensure instructions""",
    )
)
_EXPLAINING = frozenset(
    re.findall(
        r"\S+",
        "short brief concise explanation explain why reason reasons justification decision choice sentence one in give afterwards",
    )
)
_FORMAT_CUE = re.compile(
    r"\b(?:json|format\w*|answer|respond|reply|return|output|emit|one word|single word|only|either|one of|write|structure|explanation|explain)\b",
    re.IGNORECASE,
)
# Where the input is, and the marks of a block.
_NO_FORMAT = re.compile(
    r"\b(?:following|below|above|this|that|given) (?:text|input|context|data|code|sentence|question)\b|^\[|\bexamples?\b|(?:\bnot|\bnever|n['’]t) (?:answer|respond|reply)(?! (?:with|in|as)\b)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(rf"[^\s{BOUNDARY}][^\n{BOUNDARY}]*?(?:[.!?](?=[\s\"'){BOUNDARY}]|$)|(?=[\n{BOUNDARY}]|$))")
_LAST_LINE = re.compile(rf"[^\n{BOUNDARY}]*?(?:[.!?](?=[\s\"'){BOUNDARY}]|\Z)|(?=[\n{BOUNDARY}])|\Z)", re.MULTILINE)
_LEAD = re.compile(
    r"(?:^|(?<=[.!?\n]))[ \t]*[^\n.!?]*\b(?:json|format|output|return|respond|answer|structure|form)\b[^\n.!?]*[:.]?[ \t]*\n*\Z",
    re.IGNORECASE,
)
# "Which team is it, and why?": the question stays, what nobody reads is removed.
_AND_WHY = re.compile(r",? and why(?=[ \t]*\?)", re.IGNORECASE)
_FENCE_BEFORE = re.compile(r"(?:```|~~~)\w*[ \t]*\n?[ \t]*\Z")
_FENCE_AFTER = re.compile(r"[ \t]*\n?[ \t]*(?:```|~~~)[ \t]*")


def carried_edits(document: PromptText, inferred: Inferred, *, drop_explanation: bool) -> list[Edit]:
    """The deletions that a schema allows: templates of the answer with the line that leads to them, and format prose."""
    shown = [_block(document, span) for span in inferred.carried if MASK not in document.text[span.start : span.end]]
    blocks = [span for span in shown if span is not None]
    layout = layout_words(document, inferred)
    words = _words_of(inferred) | layout
    edits = [
        Edit(span.start, _with_space(document.text, span.end), "", CODE, "the schema carries the form of the answer")
        for span in blocks
    ]
    for span in _sentences(document):
        if any(span.overlaps(block) for block in blocks) or document.depends(span):
            continue
        if inferred.whole and any(span.overlaps(form) for form in inferred.covered):
            continue  # a line of the form that stays
        if _leads_on(document.text, span, blocks):
            continue
        said = COUNT_OF_LAYOUT.sub("", document.text[span.start : span.end]) if layout else None
        if _is_format(
            said or document.text[span.start : span.end],
            words,
            drop_explanation=drop_explanation,
            cue=LAYOUT_CUE if layout else _FORMAT_CUE,
        ):
            end = _with_space(document.text, span.end)
            edits.append(Edit(_after_mark(document.text, span.start, end), end, "", CODE, "the schema carries it"))
    # A form in JSON is whole: what is asked with "and why" belongs to one of its keys.
    if drop_explanation and inferred.whole != "JSON":
        edits += [
            Edit(match.start(), match.end(), "", CODE, "nothing reads the explanation")
            for match in _AND_WHY.finditer(document.text)
            if not document.depends(Span(*match.span()))
        ]
    edits += layout_edits(document, inferred, CODE)
    if _pointed_at(document.text, edits):
        # "the schema shown below": it stays.
        edits = [edit for edit in edits if not any(span.start == edit.start for span in blocks)]
    return _merged(edits, document)


_POINTS_AT = re.compile(
    r"\b(?:schema|format|structure|template|shape|layout)\b(?:\s(?:that\sis|which\sis|as))?(?:\s(?:shown|given|described|defined|listed|specified|provided|outlined))?\s+(?:exactly\s)?(?:below|above|here)\b",
    re.IGNORECASE,
)


def _pointed_at(text: str, edits: Sequence[Edit]) -> bool:
    """Whether a sentence that stays sends the reader to a form of the prompt."""
    return any(not any(edit.start <= match.start() < edit.end for edit in edits) for match in _POINTS_AT.finditer(text))


# The next line goes on with the sentence, or is what it leads to.
_GOES_ON = re.compile(r"[ \t]*\n[ \t]+(?![-*•]|\d+[.)])[a-z]")


def _leads_on(text: str, span: Span, blocks: Sequence[Span]) -> bool:
    """Whether a sentence would leave a part of it, or what it leads to, without its begin."""
    said = text[span.start : span.end].rstrip()
    if said.endswith(":"):
        following = len(text) - len(text[span.end :].lstrip())
        return not any(block.start <= following < block.end for block in blocks)
    return not said.endswith((".", "!", "?")) and _GOES_ON.match(text, span.end) is not None


def _words_of(inferred: Inferred) -> frozenset[str]:
    """The words that labels and names of fields are made of."""
    words: set[str] = set()
    for item in inferred.fields:
        words |= set(re.findall(r"[\w']+", item.name.lower().replace("_", " ")))
        for label in item.schema.get("enum", ()):
            words |= set(re.findall(r"[\w']+", str(label).lower()))
    return frozenset(words | {f"{word}s" for word in words})


def _is_format(sentence: str, words: frozenset[str], *, drop_explanation: bool, cue: re.Pattern[str]) -> bool:
    told = _FORMAT_CUE.search(sentence) or cue.search(sentence)
    if sentence.rstrip().endswith("?"):
        return False  # "Is the answer correct?" is the task
    if MASK in sentence or _NO_FORMAT.search(sentence) or not told or len(sentence) > 400:
        return False
    spoken = _spoken(sentence)
    if len(spoken) < 3 or (re.search(r"\d", re.sub(r"\b(?:[1-9]|10)\b", "", sentence)) and not words & set(spoken)):
        return False
    known = _VOCABULARY | _MARKDOWN | words | (_EXPLAINING if drop_explanation else frozenset())
    if any(word not in known for word in spoken):
        return False
    numbers = set(re.findall(r"\d+", sentence)) - {number for word in words for number in re.findall(r"\d+", word)}
    return not numbers


def _spoken(text: str) -> list[str]:
    """The words of a text in small letters, a verb that is drawn together with the word before left out: "it's"."""
    plain = text.lower().replace("’", "'").replace("—", " ")
    return re.findall(r"[a-z][\w'-]*", re.sub(r"'(?:s|re|ll|ve|d)\b", "", plain))


def _sentences(document: PromptText) -> Iterator[Span]:
    """The sentences, each with all its lines and the mark of the item that it begins."""
    text, position = document.text, 0
    while match := _SENTENCE.search(text, position):
        position = match.end()
        while position > match.start() and text[position : position + 1] == "\n" and goes_on(text, position):
            further = _LAST_LINE.match(text, position + 1)
            if further is None or further.end() <= position + 1:
                break
            position = further.end()
        yield Span(match.start(), position)
        position = max(position, match.start() + 1)


_MARK = re.compile(r"[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+")


def _after_mark(text: str, start: int, end: int) -> int:
    """Where a sentence begins that goes: after the mark of its item, if the rest of the item stays."""
    mark = _MARK.match(text, start, end)
    return mark.end() if mark and text[end : end + 1] not in ("", "\n") else start


def _with_space(text: str, end: int) -> int:
    while end < len(text) and text[end] in " \t":
        end += 1
    return end


def _block(document: PromptText, span: Span) -> Span | None:
    """A template with its fence and the line that leads to it; ``None`` if that line says more and leads nowhere then."""
    text = document.text
    start, end = span.start, span.end
    if (before := _FENCE_BEFORE.search(text, 0, start)) and (after := _FENCE_AFTER.match(text, end)):
        start, end = before.start(), after.end()
    head = text[max(0, start - 300) : start]
    lead = _LEAD.search(head)
    if (
        lead
        and MASK not in lead[0]
        and all(word in _VOCABULARY or word == "json-formatted" for word in _spoken(lead[0]))
    ):
        start -= len(lead[0].lstrip())
    elif head.rstrip(" \t\n*_").endswith(":"):
        return None
    return Span(start, end)


def _merged(edits: list[Edit], document: PromptText) -> list[Edit]:
    """Edits in order; a line that is left empty is removed."""
    merged: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.start):
        if merged and edit.start < merged[-1].end:
            continue
        if merged and not document.text[merged[-1].end : edit.start].strip(" \t"):
            merged[-1] = Edit(merged[-1].start, edit.end, "", CODE, merged[-1].message)
            continue
        merged.append(edit)
    return [_whole_line(edit, document.text) for edit in merged]


_MARK_ONLY = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]*")


def _whole_line(edit: Edit, text: str) -> Edit:
    start = text.rfind("\n", 0, edit.start) + 1
    newline = text.find("\n", edit.end)
    rest = text[edit.end : len(text) if newline < 0 else newline]
    before = text[start : edit.start]
    if _MARK_ONLY.fullmatch(before) and not rest.strip():
        before = ""  # the mark of the item goes with it
    if not before.strip() and not rest.strip() and newline >= 0 and MASK not in before + rest:
        return Edit(start, newline + 1, "", edit.rule, edit.message)
    if before and before[-1] in " \t" and not rest.strip():
        trimmed = start + len(before.rstrip())
        return Edit(trimmed, edit.end, "", edit.rule, edit.message)
    return edit


def example_edits(source: str, name: str, schema: Mapping[str, Any]) -> list[Edit]:
    """Assistant turns that are one bare label, written as the JSON that is now asked for."""
    labels = {str(label): label for label in schema.get("enum", ())}
    edits = []
    for chat in read_source(source).chats:
        body = source[chat.body_start : chat.body_end].strip()
        if chat.role == "assistant" and body in labels:
            answer = json.dumps({name: labels[body]}, separators=(",", ":"), ensure_ascii=False)
            edits.append(Edit(chat.body_start, chat.body_end, answer, CODE, "examples show the new form"))
    return edits
