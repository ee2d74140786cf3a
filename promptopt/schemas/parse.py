"""From what models really return to data that is valid under a schema, or an error that says what is wrong.

A repair never adds to an answer and never takes from it: every word and number of the answer's JSON must be in the
data, in the same order, or the answer is refused. What was repaired is listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from promptopt.errors import (
    AnswerAmbiguous,
    AnswerCutOff,
    AnswerError,
    AnswerRefused,
    AnswerUnreadable,
    SchemaError,
    check_argument,
)
from promptopt.schemas.answer_type import target_of
from promptopt.schemas.around import taken_back
from promptopt.schemas.coerce import coerce, inlined
from promptopt.schemas.json_repair import repaired
from promptopt.schemas.labelled_text import labelled
from promptopt.schemas.strict import is_endless
from promptopt.schemas.strict_json import DuplicateKey, first_value, strict_loads
from promptopt.schemas.text_values import bare
from promptopt.schemas.wrappers import bared_object
from promptopt.values import JSONSchema

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")

_FENCE_START = re.compile(r"(?P<mark>```+|~~~+)[ \t]*[\w+-]*[ \t]*\r?\n?")
_THINKING_OPEN = re.compile(r"\s*<(think|thinking|reasoning)>(?!.*</\1>)", re.DOTALL | re.IGNORECASE)
_THINKING = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:(?:i(?:'|’)?m|i am|we(?:'|’)?re) (?:really |very |so )?(?:sorry|unable|not able|afraid)|my apologies|i apologi[sz]e"
    r"|i (?:can(?:'|’)?t|cannot|can not|won(?:'|’)?t|will not|must decline|have to decline|don(?:'|’)?t feel comfortable)"
    r"|as an? (?:ai|language model|assistant)|(?:can(?:'|’)?t|cannot|unable to) (?:help|assist|comply|fulfil|provide|answer))\b",
    re.IGNORECASE,
)
# A word in brackets, as prose has it.
_ASIDE = re.compile(r"\[[^\[\]{}\"]*\]|\{[^{}:\"\[\]]*\}")
_PAIR = re.compile(
    r'"(?P<key>[^"\\]+)"\s*:\s*(?P<value>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*"|-?(?:0|[1-9]\d{0,15})(?:\.\d+)?(?=[\s,}])|true|false|null)'
)
_LEFT_REASONING = "left out the reasoning before the answer"
_TOOK_FENCE = "took the JSON out of a code fence"
_HALF = re.compile("[\ud800-\udfff]")
_MOST_COMPARED = 2_000
# Starts of JSON that are tried in one text; a longer list is not an answer but an attack.
_MOST_STARTS = 64
_MOST_CHARACTERS = 10_000_000


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """An answer as data.

    Attributes:
        data: Valid under the schema; an object of the model if a Pydantic model was given.
        repairs: What had to be repaired, one line each; empty for an answer that was valid JSON as it was.
    """

    data: T
    repairs: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the answer was this data alone, but for a code fence and thoughts before it."""
        return set(self.repairs) <= {_LEFT_REASONING, _TOOK_FENCE}


@dataclass(frozen=True, slots=True)
class _Found:
    """A value in an answer, what was repaired for it, and the text around it."""

    value: Any
    repairs: tuple[str, ...]
    before: str = ""
    after: str = ""


def parse(text: str, schema: JSONSchema | type[BaseModel] | Any) -> Parsed[Any]:
    """The data in a model's answer.

    Args:
        text: The answer: JSON, JSON in a fence or in prose, damaged JSON, ``Label: value`` lines, a Markdown list.
        schema: A JSON schema, a Pydantic model (whose object comes back), or a prompt (a ``Template`` or
            ``Rendered``) with an ``output_schema``, whose codes are decoded.

    Raises:
        AnswerRefused: The model declined.
        AnswerCutOff: The answer ends before its data does.
        AnswerAmbiguous: It holds several data that differ.
        AnswerUnreadable: It holds no data, or none that could be repaired without a guess.
        AnswerInvalid: Its data is not valid under the schema.
        SchemaError: The schema is not one, or refers out of itself.
    """
    return _read(text, schema, prose=False)


def restructure(text: str, schema: JSONSchema | type[BaseModel] | Any) -> Parsed[Any]:
    """The data in a free text that names its values: ``Label: value``, headings, lists, tables, one bare value.

    It uses no model and does not guess: if a value is not in the text under a label of the schema, it says
    which one is missing.

    Raises:
        AnswerUnreadable: Values cannot be found by labels; the message names them.
        AnswerError: As for :func:`parse`.
    """
    return _read(text, schema, prose=True)


def _read(text: str, given: Any, *, prose: bool) -> Parsed[Any]:
    check_argument(isinstance(text, str), "text", text, "a text")
    target = target_of(given)
    if len(text) > _MOST_CHARACTERS:
        raise AnswerUnreadable(f"the answer has {len(text):,} characters (limit {_MOST_CHARACTERS:,})", text)
    try:
        found = _free(text, target.schema) if prose else _found(text, target.schema)
        if _HALF.search(json.dumps(found.value, ensure_ascii=False)):
            raise AnswerUnreadable("a text of the answer has half of a character (a lone surrogate)", text)
        value, coerced = coerce(found.value, target.schema, text)
    except RecursionError:
        if _refers_endlessly(target.schema):
            raise SchemaError("a reference of the schema leads back to itself", remedy="give it a type") from None
        raise AnswerUnreadable("the answer is nested too deeply", text) from None
    return Parsed(target.finish(value, text), (*found.repairs, *coerced))


def _refers_endlessly(schema: JSONSchema) -> bool:
    definitions = schema.get("$defs")
    nodes = [schema, *(definitions.values() if isinstance(definitions, Mapping) else ())]
    return any(is_endless(node, schema) for node in nodes)


def _found(text: str, schema: JSONSchema) -> _Found:
    body = text.strip().lstrip("\ufeff")
    if not body:
        raise AnswerUnreadable("the answer is empty", text)
    whole = _whole(body, text)
    if whole is not None and not isinstance(whole.value, (dict, list)) and schema.get("type") == "object":
        # JSON in a JSON string, or one bare value when an object was asked for.
        inner = whole.value if isinstance(whole.value, str) else body
        if inner == body or inner.strip()[:1] not in ("{", "["):
            return _without_json(inner, schema, text, [])
        found = _found(inner, schema)
        return _Found(found.value, ("took the JSON out of a JSON string", *found.repairs))
    if whole is not None:
        return whole
    notes: list[str] = []
    if thought := _THINKING.match(body):
        body, notes = body[thought.end() :].strip(), [_LEFT_REASONING]
        if (whole := _whole(body, text)) is not None:
            return _Found(whole.value, tuple(notes))
    elif _THINKING_OPEN.match(body):
        raise AnswerCutOff("the answer ends within its reasoning", text)
    if (bared := bared_object(body, schema.get("properties"))) is not None:
        return _Found(bared[0], (*notes, bared[1]))
    return _chosen(body, schema, text, notes)


def _chosen(body: str, schema: JSONSchema, text: str, notes: list[str]) -> _Found:
    """The only value in the text that can be meant, or what its labels say if it has no JSON."""
    candidates = list(_candidates(body, text, lists=schema.get("type") == "array"))
    if not all(map(_is_reference, candidates)) and not _takes_numbers(schema.get("items")):
        candidates = [item for item in candidates if not _is_reference(item)]
    distinct = {json.dumps(item.value, sort_keys=True): item for item in candidates}
    if len(candidates) > len(distinct):
        notes.append("left out a repetition of the JSON")
    if len(distinct) > 1:
        valid = _valid_of(distinct, schema, text)
        refused = [item.value for key, item in distinct.items() if key not in valid]
        if not any(_contradicts(other, item.value) for other in refused for item in valid.values()):
            notes += ["left out JSON that the schema refuses"] * bool(valid)
            distinct = valid or distinct
    if len(distinct) > 1:
        raise AnswerAmbiguous(f"the answer holds {len(distinct)} different JSON values", text)
    if distinct:
        item = next(iter(distinct.values()))
        if words := taken_back(item.before, item.after):
            raise AnswerUnreadable(f"the text around the JSON says that it is not the answer: {_shown(words)}", text)
        return _Found(item.value, (*notes, *item.repairs))
    return _without_json(body, schema, text, notes)


def _valid_of(distinct: Mapping[str, _Found], schema: JSONSchema, text: str) -> dict[str, _Found]:
    valid = {}
    for key, item in distinct.items():
        try:
            coerce(item.value, schema, text)
        except AnswerError:
            continue
        valid[key] = item
    return valid


def _is_reference(item: _Found) -> bool:
    """Whether it is the mark of a reference, such as [1]."""
    return isinstance(item.value, list) and len(item.value) == 1 and type(item.value[0]) is int


def _takes_numbers(items: Any) -> bool:
    kinds = items.get("type") if isinstance(items, Mapping) else None
    return kinds not in ("string", "object", "array")


def _contradicts(other: Any, value: Any) -> bool:
    """Whether JSON that the schema refuses gives another value to a key of the answer; a schema does not."""
    if not isinstance(other, dict) or not isinstance(value, dict) or "properties" in other:
        return False
    return any(key in value and value[key] != item for key, item in other.items())


def _whole(body: str, text: str) -> _Found | None:
    try:
        return _Found(strict_loads(body), ())
    except DuplicateKey as error:
        raise AnswerAmbiguous(f"the key {error.args[0]!r} occurs twice, with different values", text) from None
    except ValueError:
        return None
    except RecursionError:
        raise AnswerUnreadable("the answer is nested too deeply", text) from None


def _candidates(body: str, text: str, *, lists: bool) -> Iterator[_Found]:
    """JSON values in the text: in fences first; else those that are whole; else one that can be repaired.

    Args:
        lists: Whether a list of plain values may be the answer; in prose it is a reference or an aside.
    """
    fenced = [(part, *around) for part, *around in _fenced(body) if part.strip()[:1] in ("{", "[")]
    for part, before, after in fenced:
        found = _whole(part.strip(), text) or _mended(part.strip(), text)
        yield _Found(found.value, (_TOOK_FENCE, *found.repairs), before, found.after or after)
    if fenced:
        return
    embedded = _embedded(body, text, lists=lists)
    yield from embedded
    if not embedded:
        start = min((position for bracket in "{[" if (position := body.find(bracket)) >= 0), default=-1)
        if start >= 0:
            found = _mended(body[start:], text)
            left_out = ("left out the text before the JSON",) if start else ()
            yield _Found(found.value, (*left_out, *found.repairs), body[:start], found.after)


def _fenced(body: str) -> Iterator[tuple[str, str, str]]:
    """What is in code fences, and before and after each. A fence within a text of the JSON does not end it."""
    position = 0
    while start := _FENCE_START.search(body, position):
        begin = start.end()
        try:
            _, end = first_value(body, len(body) - len(body[begin:].lstrip()), line_ends=True)
        except (ValueError, DuplicateKey, RecursionError):
            own_line = re.compile(rf"^[ \t]*{start['mark']}", re.MULTILINE).search(body, begin)
            close = own_line.start() if own_line else body.find(start["mark"], begin)
            end = close if close >= 0 else len(body)
        close = body.find(start["mark"], end)
        after = close + len(start["mark"]) if close >= 0 else len(body)
        yield body[begin:end], body[position : start.start()], body[after:]
        position = after


def _embedded(body: str, text: str, *, lists: bool) -> list[_Found]:
    """The whole JSON values of a text, one after the other; none after the first that is broken."""
    found: list[_Found] = []
    position = 0
    for _ in range(_MOST_STARTS):
        starts = [start for bracket in "{[" if (start := body.find(bracket, position)) >= 0]
        if not starts:
            break
        start = min(starts)
        try:
            value, end = first_value(body, start)
        except DuplicateKey as error:
            raise AnswerAmbiguous(f"the key {error.args[0]!r} occurs twice, with different values", text) from None
        except ValueError:
            if aside := _ASIDE.match(body, start):
                position = aside.end()
                continue
            # What is broken is never searched for whole parts: an inner object is not the answer.
            return _before_broken(found, body[start:], text)
        except RecursionError:
            raise AnswerUnreadable("the answer is nested too deeply", text) from None
        notes = []
        if body[position:start].strip():
            notes.append("left out the text before the JSON")
        rest = body[end:].strip()
        if rest and rest[0] not in "{[":
            notes.append("left out the text after the JSON")
        if isinstance(value, dict) or (value and (lists or isinstance(value[0], (dict, list)))) or not rest:
            found.append(_Found(value, tuple(notes), body[position:start], body[end:]))
        position = end
    return found


def _before_broken(found: list[_Found], broken: str, text: str) -> list[_Found]:
    """What is before JSON that is cut off or damaged, if that says nothing else."""
    if not found:
        return []
    last = found[-1]
    if _begins_differently(broken, last.value):
        raise AnswerAmbiguous("after its JSON the answer begins another one that differs", text)
    repairs = (*last.repairs, "left out broken JSON after the JSON")
    return [*found[:-1], _Found(last.value, repairs, last.before, last.after)]


def _begins_differently(broken: str, value: Any) -> bool:
    """Whether JSON that is cut off or damaged gives another value to a key of the object before it."""
    if not isinstance(value, dict):
        return False
    pairs = _PAIR.finditer(broken, 0, _MOST_COMPARED)
    return any(pair["key"] in value and value[pair["key"]] != json.loads(pair["value"]) for pair in pairs)


def _mended(body: str, text: str) -> _Found:
    value, notes, after = repaired(body, text)
    return _Found(value, tuple(notes), after=after)


def _without_json(body: str, schema: JSONSchema, text: str, notes: list[str]) -> _Found:
    read = labelled(body, schema)
    if read is not None and read.complete:
        return _Found(read.value, (*notes, *read.repairs))
    if read is None and (value := bare(body, inlined(schema, schema))) is not None:
        return _Found(value, (*notes, "read the whole text"))
    if _REFUSAL.search(body[:400]):
        raise AnswerRefused(f"the model declined: {_shown(body)}", text)
    if read is not None and read.reasons:
        raise AnswerUnreadable(f"the answer is not JSON, and its lines do not give {'; '.join(read.reasons)}", text)
    if read is not None and read.value:
        raise AnswerUnreadable(f"the answer is not JSON, and no line is labelled {', '.join(read.missing)}", text)
    raise AnswerUnreadable(f"the answer holds no JSON and no labelled values: {_shown(body)}", text)


def _free(text: str, schema: JSONSchema) -> _Found:
    if not text.strip():
        raise AnswerUnreadable("the text is empty", text)
    read = labelled(text.strip(), schema, strict=False)
    if read is not None and read.complete:
        return _Found(read.value, read.repairs)
    try:
        return _found(text, schema)
    except (AnswerRefused, AnswerCutOff, AnswerAmbiguous):
        raise
    except AnswerError:
        if read is not None and read.reasons:
            raise AnswerUnreadable(
                f"cannot restructure without a model: the text does not state {'; '.join(read.reasons)}", text
            ) from None
        missing = ", ".join(read.missing) if read else "any value"
        raise AnswerUnreadable(
            f"cannot restructure without a model: the text has no label or unique value for {missing}", text
        ) from None


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 80 else f"{line[:80]}…")


__all__ = ["Parsed", "SchemaError", "parse", "restructure"]
