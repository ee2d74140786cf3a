"""Values in Nunjucks templates as JavaScript prints, computes and compares them; methods and filters."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from functools import wraps
from typing import Any
from urllib.parse import quote

from jinja2 import ChainableUndefined


def js_text(value: Any) -> Any:
    """A value as JavaScript prints it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, list | tuple | range | Iterator):
        return ",".join(str(js_text(item)) for item in value)
    if isinstance(value, Mapping):
        return "[object Object]"
    return value


def added(value: Any) -> Any:
    """A value as JavaScript adds it to a text."""
    if value is None or isinstance(value, ChainableUndefined):
        return "null" if value is None else "undefined"
    return js_text(value)


def _number_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if abs(value) >= 1e21 or 0 < abs(value) < 1e-6:
        return re.sub(r"e([-+])0", r"e\1", repr(float(value)).replace(".0e", "e"))
    if float(value).is_integer():
        return str(int(value))
    return f"{Decimal(repr(value)):f}"


def js_number(value: Any) -> float:
    """A value as JavaScript computes with it."""
    if isinstance(value, bool | int | float) or value is None:
        return value or 0
    with suppress(ValueError):
        text = str(js_text(value)).strip()
        return float(text) if text and not isinstance(value, ChainableUndefined) else math.nan if value != "" else 0
    return math.nan


def _truth(value: Any) -> bool:
    """Empty lists and objects are true there."""
    return True if isinstance(value, list | tuple | Mapping) else bool(value) and value == value  # noqa: PLR0124 - NaN


def _equal(one: Any, other: Any, strict: bool) -> bool:
    nothing = [each is None or isinstance(each, ChainableUndefined) for each in (one, other)]
    if any(nothing):
        return all(nothing) and (not strict or type(one) is type(other))
    kinds = [str if isinstance(each, str) else bool if isinstance(each, bool) else type(each) for each in (one, other)]
    numbers = [kind in (int, float) for kind in kinds]
    if isinstance(one, list | tuple | Mapping) and isinstance(other, list | tuple | Mapping):
        return one is other
    if kinds[0] is kinds[1] or all(numbers):
        return bool(one == other)
    if strict:
        return False
    if isinstance(one, list | tuple | Mapping) or isinstance(other, list | tuple | Mapping):
        return bool(js_text(one) == js_text(other))
    return js_number(one) == js_number(other)


def _compared(left: Any, operations: list[tuple[str, Any]]) -> Any:
    """Comparisons from the left to the right, as JavaScript makes them."""
    strict = False
    for operation, right in operations:
        if right is COMPARED_STRICTLY:
            strict = True
            continue
        if operation in ("eq", "ne"):
            left = _equal(left, right, strict) == (operation == "eq")
        elif operation in ("in", "notin"):
            left = (right is not None and left in right) == (operation == "in")
        else:
            texts = isinstance(left, str) and isinstance(right, str)
            one: Any = left if texts else js_number(left)
            other: Any = right if texts else js_number(right)
            left = {"lt": one < other, "lteq": one <= other, "gt": one > other, "gteq": one >= other}[operation]
        strict = False
    return left


COMPARED_STRICTLY = object()


def _items(value: Any) -> Any:
    """What a loop goes over; of what is neither a list nor a text nothing."""
    return value if isinstance(value, list | tuple | str | range | Iterator) else []


def dump(value: Any, indent: int | None = None) -> str:
    """A value as ``JSON.stringify`` writes it."""
    if isinstance(value, ChainableUndefined):
        return ""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(_plain(value), ensure_ascii=False, indent=indent, separators=separators)


def _plain(value: Any) -> Any:
    if isinstance(value, ChainableUndefined):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range | Iterator):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _pairs(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else _items(value)


def _units(text: str) -> int:
    """The length of a text as JavaScript counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _between(text: str, start: int = 0, end: int | None = None) -> str:
    first, last = sorted(max(0, int(each)) for each in (start, len(text) if end is None else end))
    return text[first:last]


def _fixed(value: float, digits: int = 0) -> str:
    return f"{Decimal(repr(value)).quantize(Decimal(1).scaleb(-int(digits)), ROUND_HALF_UP):f}"


METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    str: {
        "toUpperCase": str.upper,
        "toLowerCase": str.lower,
        "trim": str.strip,
        "includes": lambda text, part: part in text,
        "startsWith": str.startswith,
        "endsWith": str.endswith,
        "split": lambda text, by="": text.split(by) if by else list(text),
        "slice": lambda text, start=0, end=None: text[int(start) : None if end is None else int(end)],
        "substring": _between,
        "substr": lambda text, start=0, length=None: text[int(start) :][: None if length is None else int(length)],
        "indexOf": str.find,
        "lastIndexOf": str.rfind,
        "charAt": lambda text, at=0: text[int(at) : int(at) + 1] if at >= 0 else "",
        "concat": lambda text, *more: text + "".join(str(js_text(each)) for each in more),
        "repeat": lambda text, times: text * int(times),
        "padStart": lambda text, width, by=" ": (by * int(width))[: max(0, int(width) - len(text))] + text,
        "padEnd": lambda text, width, by=" ": text + (by * int(width))[: max(0, int(width) - len(text))],
        "trimStart": str.lstrip,
        "trimEnd": str.rstrip,
        "replace": lambda text, old, new: text.replace(old, new, 1),
        "replaceAll": str.replace,
    },
    list: {
        "join": lambda items, by=",": by.join(str(js_text(item)) for item in items),
        "includes": lambda items, item: item in items,
        "slice": lambda items, start=0, end=None: items[int(start) : None if end is None else int(end)],
        "indexOf": lambda items, item: items.index(item) if item in items else -1,
        "concat": lambda items, *more: [
            *items,
            *(x for each in more for x in (each if isinstance(each, list) else [each])),
        ],
        "reverse": lambda items: items[::-1],
    },
    float: {"toFixed": _fixed},
}


def as_list(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of Jinja2 that returns a list where it returns an iterator; a text stays one."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        return found if isinstance(found, str) else list(found)

    return called


def of_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that gets a value as JavaScript prints it."""

    @wraps(function)
    def called(value: Any, *arguments: Any, **named: Any) -> Any:
        return function(str(js_text(value)), *arguments, **named)

    return called


def _escaped(value: Any) -> str:
    text = str(js_text(value))
    for character, written in (("&", "&amp;"), ('"', "&quot;"), ("'", "&#39;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, written)
    return text


def _truncated(text: Any, length: float = 255, killwords: bool = False, end: str = "...") -> str:
    """The first characters, to the end of a word, and then ``end``, which is not among them."""
    written, most = str(js_text(text)), int(length or 255)
    if len(written) <= most:
        return written
    space = -1 if killwords else written.rfind(" ", 0, most + 1)
    return written[: most if space < 0 else space] + end


def _title(text: Any) -> str:
    return " ".join(word[:1].upper() + word[1:].lower() for word in str(js_text(text)).split(" "))


def _indented(text: Any, width: int = 4, indentfirst: bool = False) -> str:
    lines = str(js_text(text)).split("\n")
    return "\n".join(line if not (number or indentfirst) else " " * width + line for number, line in enumerate(lines))


def _rounded(value: float, precision: int = 0, method: str = "common") -> float:
    """Halves go up, as JavaScript rounds."""
    factor = 10**precision
    scaled = value * factor
    whole = math.ceil(scaled) if method == "ceil" else math.floor(scaled if method == "floor" else scaled + 0.5)
    return float(whole / factor)


def _joined(items: Any, by: str = "", attribute: str | None = None) -> str:
    found = items.values() if isinstance(items, Mapping) else items
    if attribute is not None:
        found = (item.get(attribute) if isinstance(item, Mapping) else getattr(item, attribute, None) for item in found)
    return by.join(str(js_text(item)) for item in found)


def js_length(value: Any) -> int | str:
    """How many; of what has no length, such as a number, nothing."""
    if value is None:
        return 0
    return _units(value) if isinstance(value, str) else len(value) if isinstance(value, Sized) else ""


def _leading(pattern: str, kind: Callable[[str], Any]) -> Callable[..., Any]:
    """A filter that reads the number that a text begins with, as ``parseInt`` and ``parseFloat`` do."""

    def read(value: Any, otherwise: Any = 0 if kind is int else "", base: int = 10) -> Any:
        if base != 10:
            with suppress(ValueError):
                return int(str(value), base)
            return otherwise
        found = re.match(pattern, str(js_text(value)).strip())
        return kind(found[0]) if found else otherwise

    return read


def _listed(value: Any) -> list[Any]:
    return [{"key": key, "value": item} for key, item in value.items()] if isinstance(value, Mapping) else list(value)


def _grouped(items: Any, attribute: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(str(js_text(item[attribute] if isinstance(item, Mapping) else None)), []).append(item)
    return groups


def _encoded(value: Any) -> str:
    pairs = value.items() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    if pairs is None:
        return quote(str(js_text(value)), safe="!'()*")
    return "&".join(f"{_encoded(key)}={_encoded(item)}" for key, item in pairs)


MAKE_LISTS = ("reverse", "select", "reject", "selectattr", "rejectattr", "batch", "slice")
TAKE_TEXTS = ("upper", "lower", "capitalize", "center", "wordcount", "striptags")
FILTERS: dict[str, Callable[..., Any]] = {
    "js: true": _truth,
    "js: compared": _compared,
    "js: items": _items,
    "js: added": added,
    **dict.fromkeys(("e", "escape", "forceescape"), _escaped),
    "dump": dump,
    "load": json.loads,
    "nl2br": lambda text: str(text).replace("\n", "<br />\n"),
    "pairs": _pairs,
    "truncate": _truncated,
    "title": _title,
    "indent": _indented,
    "round": _rounded,
    "join": _joined,
    "length": js_length,
    "string": js_text,
    "urlencode": _encoded,
    "int": _leading(r"[-+]?\d+", int),
    "float": _leading(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", float),
    "list": _listed,
    "groupby": _grouped,
}
