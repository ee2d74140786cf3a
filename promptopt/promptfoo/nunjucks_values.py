"""Values in Nunjucks templates as JavaScript prints, computes and compares them; methods and filters."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from functools import cmp_to_key, reduce, wraps
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from jinja2 import ChainableUndefined
from jinja2.utils import Joiner


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
        return math.nan if isinstance(value, ChainableUndefined) else float(text or 0)
    return math.nan


def is_true(value: Any) -> bool:
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
    if bool not in kinds and any(isinstance(each, list | tuple | Mapping) for each in (one, other)):
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


class Pattern:
    """A pattern between slashes, ``r/x/g``, in the syntax of Python."""

    def __init__(self, written: str, flags: str) -> None:
        self.every = "g" in flags
        self.pattern = re.compile(written, re.IGNORECASE * ("i" in flags) | re.MULTILINE * ("m" in flags))

    def test(self, text: Any) -> bool:
        """Whether it is found in a text."""
        return self.pattern.search(str(js_text(text))) is not None


def _pattern(given: Any) -> re.Pattern[str]:
    return given.pattern if isinstance(given, Pattern) else re.compile(str(js_text(given)))


def _matches(text: str, given: Any) -> list[str] | None:
    if isinstance(given, Pattern) and given.every:
        return [found[0] for found in given.pattern.finditer(text)] or None
    found = _pattern(given).search(text)
    return None if found is None else [found[0], *(group or "" for group in found.groups())]


def _replaced(text: str, old: Any, new: Any, most: int) -> str:
    """A text with something else in the place of a text or a pattern; ``$1`` is what a group found."""
    if not isinstance(old, Pattern):
        return text.replace(str(js_text(old)), str(js_text(new)), most)
    written = re.sub(r"\$(\d|&)", lambda found: rf"\g<{0 if found[1] == '&' else found[1]}>", str(js_text(new)))
    return old.pattern.sub(written, text, count=0 if old.every else 1)


METHODS: dict[Any, dict[str, Callable[..., Any]]] = {
    str: {
        "toUpperCase": str.upper,
        "toLowerCase": str.lower,
        "trim": str.strip,
        "includes": lambda text, part: part in text,
        "startsWith": str.startswith,
        "endsWith": str.endswith,
        "split": lambda text, by="", most=None: (text.split(by) if by else list(text))[:most],
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
        "replace": lambda text, old, new: _replaced(text, old, new, 1),
        "replaceAll": lambda text, old, new: _replaced(text, old, new, -1),
        "at": lambda text, at=0: text[int(at)] if -len(text) <= at < len(text) else "",
        "search": lambda text, old: found.start() if (found := _pattern(old).search(text)) else -1,
        "match": _matches,
    },
    (list, tuple): {
        "join": lambda items, by=",": by.join(str(js_text(item)) for item in items),
        "includes": lambda items, item: item in items,
        "slice": lambda items, start=0, end=None: items[int(start) : None if end is None else int(end)],
        "indexOf": lambda items, item: items.index(item) if item in items else -1,
        "concat": lambda items, *more: [
            *items,
            *(x for each in more for x in (each if isinstance(each, list) else [each])),
        ],
        "reverse": lambda items: items[::-1],
        "at": lambda items, at=0: items[int(at)] if -len(items) <= at < len(items) else "",
        "sort": lambda items: sorted(items, key=lambda item: str(js_text(item))),
        "flat": lambda items: [x for each in items for x in (each if isinstance(each, list) else [each])],
    },
    (int, float): {"toFixed": _fixed},
    Mapping: {"hasOwnProperty": lambda thing, name: name in thing},
}


def as_list(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of Jinja2 that returns a list where it returns an iterator; a text stays one."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        if function.__name__ in ("sync_do_slice", "do_slice", "do_batch") and not all(arguments[-1:]):
            # What is to fill the last list up is nothing.
            arguments = arguments[:-1]
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
    if _units(written) <= most:
        return written
    # Characters beyond the first 65,536 count as two.
    ends = [0, *accumulate(_units(character) for character in written)]
    most = bisect_right(ends, most) - 1
    space = -1 if killwords else written.rfind(" ", 0, most + 1)
    return written[: most if space < 0 else space] + end


def _title(text: Any) -> str:
    return " ".join(word[:1].upper() + word[1:].lower() for word in str(js_text(text)).split(" "))


def _indented(text: Any, width: int = 4, indentfirst: bool = False) -> str:
    lines = str(js_text(text)).split("\n")
    return "\n".join(line if not (number or indentfirst) else " " * width + line for number, line in enumerate(lines))


def _rounded(value: Any, precision: int = 0, method: str = "common") -> float:
    """Halves go up, as JavaScript rounds."""
    number, factor = js_number(value), 10**precision
    if not math.isfinite(number):
        return number
    scaled = number * factor
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

    def read(value: Any, otherwise: Any = "", base: int = 10) -> Any:
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
    if pairs is not None:
        return "&".join("=".join(quote(str(js_text(each)), safe="!'()*") for each in pair) for pair in pairs)
    return quote(str(js_text(value)), safe="!'()*")


def _before(one: Any, other: Any) -> int:
    """How JavaScript orders two values: texts as texts, anything else as numbers."""
    if not (isinstance(one, str) and isinstance(other, str)):
        one, other = js_number(one), js_number(other)
    return int(one > other) - int(one < other)


def _folded(value: Any, case_sensitive: bool = False) -> Any:
    return value.lower() if isinstance(value, str) and not case_sensitive else value


def _of(item: Any, attribute: str | None) -> Any:
    return item if attribute is None else item.get(attribute) if isinstance(item, Mapping) else None


def _sorted(items: Any, reverse: bool = False, case_sensitive: bool = False, attribute: str | None = None) -> Any:
    if not isinstance(items, list | tuple | str):
        return ""
    key = cmp_to_key(
        lambda one, other: _before(*(_folded(_of(each, attribute), case_sensitive) for each in (one, other)))
    )
    return sorted(items, key=key, reverse=bool(reverse))


def _by_key(thing: Any, case_sensitive: bool = False, by: str = "key") -> list[list[Any]]:
    def order(one: list[Any], other: list[Any]) -> int:
        return _before(*(_folded(pair[by == "value"], case_sensitive) for pair in (one, other)))

    return sorted(([name, value] for name, value in thing.items()), key=cmp_to_key(order))


def _plus(one: Any, other: Any) -> Any:
    texts = isinstance(one, str) or isinstance(other, str)
    return f"{added(one)}{added(other)}" if texts else js_number(one) + js_number(other)


def _summed(items: Any, attribute: str | None = None, start: Any = 0) -> Any:
    return _plus(start, reduce(_plus, (_of(item, attribute) for item in items), 0))


def _centered(text: Any, width: int = 80) -> str:
    written = str(js_text(text))
    space = int(width) - len(written)
    return " " * math.ceil(space / 2 - space % 2) + written + " " * math.ceil(space / 2) if space > 0 else written


GLOBALS: dict[str, Any] = {"joiner": lambda by=",": Joiner(by)}


MAKE_LISTS = ("reverse", "select", "reject", "selectattr", "rejectattr", "batch", "slice")
TAKE_TEXTS = ("upper", "lower", "capitalize", "trim", "striptags")
FILTERS: dict[str, Callable[..., Any]] = {
    "js: true": is_true,
    "js: compared": _compared,
    "js: items": _items,
    "js: added": added,
    **dict.fromkeys(("e", "escape", "forceescape"), _escaped),
    "dump": dump,
    "load": json.loads,
    "nl2br": lambda text: str(js_text(text)).replace("\n", "<br />\n"),
    "replace": lambda text, old, new, most=-1: _replaced(str(js_text(text)), old, new, int(most)),
    "wordcount": lambda text: len(re.findall(r"\w+", str(js_text(text)))) or "",
    "center": _centered,
    "abs": lambda value: abs(js_number(value)),
    "sort": _sorted,
    "dictsort": _by_key,
    "sum": _summed,
    "first": lambda items: items[0] if isinstance(items, list | tuple | str) and items else "",
    "last": lambda items: items[-1] if isinstance(items, list | tuple | str) and items else "",
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
