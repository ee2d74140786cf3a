"""Nunjucks templates by Jinja2: what differs is written anew, or behaves as it does in JavaScript.

What promptfoo renders prints nothing for a variable that is undefined, a list with commas, and ``true`` in small
letters; blocks keep their newlines. :func:`to_jinja` writes a template so that Jinja2 reads it with the options of
prompts; :class:`NunjucksEnvironment` gives values the behaviour.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import suppress
from functools import lru_cache, wraps
from typing import Any
from urllib.parse import quote

from jinja2 import BaseLoader, ChainableUndefined
from jinja2 import TemplateError as JinjaError

from promptopt.templates.environment import PromptEnvironment

_TAG = re.compile(r"\{%(?P<open>[-+]?)(?P<tag>.*?)(?P<close>[-+]?)%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_RAW = re.compile(r"(\{%[-+]?\s*(?:raw|verbatim)\s*[-+]?%\}.*?\{%[-+]?\s*end(?:raw|verbatim)\s*[-+]?%\})", re.DOTALL)
# As promptfoo decides it: a line in which a tag begins and does not end makes the whole text no template.
_PARTIAL = re.compile(r"(\{%[^%]*$|\{\{[^}]*$|\{#[^#]*$)", re.MULTILINE)
_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.DOTALL)
_FOR_PAIRS = re.compile(r"^\s*for\s+(\w+)\s*,\s*(\w+)\s+in\s+(.+?)\s*$", re.DOTALL)


def to_jinja(text: str) -> str:
    """A Nunjucks template as one for Jinja2 with the options of prompts."""
    if _PARTIAL.search(text) and not _RAW.search(text) and not _is_json(text):
        return f"{{% raw %}}{text}{{% endraw %}}"
    return "".join(part if number % 2 else _TAG.sub(_tag, part) for number, part in enumerate(_RAW.split(text)))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _tag(found: re.Match[str]) -> str:
    written = found[0]
    if written.startswith("{{"):
        return f"{{{{{_expression(written[2:-2])}}}}}"
    if written.startswith("{#"):
        return f"{written[:-2]}+#}}" if not written.endswith(("-#}", "+#}")) else written
    tag = _expression(found["tag"])
    tag = re.sub(r"^(\s*)elseif\b", r"\1elif", tag)
    if pairs := _FOR_PAIRS.match(tag):
        tag = f" for {pairs[1]}, {pairs[2]} in ({pairs[3]}) | pairs "
    # Blocks of prompts take the white space around them along; those of Nunjucks do not.
    return f"{{%{found['open'] or '+'}{tag}{found['close'] or '+'}%}}"


def _expression(code: str) -> str:
    parts = _STRING.split(code)
    return "".join(part if number % 2 else _operators(part) for number, part in enumerate(parts))


def _operators(code: str) -> str:
    code = code.replace("!==", "!=").replace("===", "==")
    code = code.replace("&&", " and ").replace("||", " or ")
    code = re.sub(r"!(?!=)\s*(?=[\w(])", "not ", code)
    return re.sub(r"\bis\s+undefined\b", "is undefined", code)


def js_text(value: Any) -> Any:
    """A value as JavaScript prints it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, list | tuple | range | Iterator):
        return ",".join(str(js_text(item)) for item in value)
    if isinstance(value, Mapping):
        return "[object Object]"
    return value


def dump(value: Any, indent: int | None = None) -> str:
    """A value as ``JSON.stringify`` writes it."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(_plain(value), ensure_ascii=False, indent=indent, separators=separators)


def _plain(value: Any) -> Any:
    if isinstance(value, ChainableUndefined):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _pairs(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


_METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    str: {
        "toUpperCase": str.upper,
        "toLowerCase": str.lower,
        "trim": str.strip,
        "includes": lambda text, part: part in text,
        "startsWith": str.startswith,
        "endsWith": str.endswith,
        "split": lambda text, by="": text.split(by) if by else list(text),
        "slice": lambda text, start=0, end=None: text[int(start) : None if end is None else int(end)],
        "substring": lambda text, start=0, end=None: text[max(0, int(start)) : None if end is None else int(end)],
        "replace": lambda text, old, new: text.replace(old, new, 1),
        "replaceAll": str.replace,
    },
    list: {
        "join": lambda items, by=",": by.join(str(js_text(item)) for item in items),
        "includes": lambda items, item: item in items,
        "slice": lambda items, start=0, end=None: items[int(start) : None if end is None else int(end)],
        "indexOf": lambda items, item: items.index(item) if item in items else -1,
    },
}


class Silent(ChainableUndefined):
    """An undefined variable: it prints nothing, and so do its attributes."""


class NunjucksEnvironment(PromptEnvironment):
    """Renders what :func:`to_jinja` writes as Nunjucks renders the original.

    Args:
        variables: What ``{{ env.NAME }}`` is.
        filters: Filters of the config's own.
    """

    def __init__(
        self,
        loader: BaseLoader | None,
        variables: Mapping[str, str] | None = None,
        filters: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(loader, undefined=Silent, finalize=js_text, keep_trailing_newline=True)
        self.globals |= {"env": dict(variables or {}), "null": None}
        lists = {name: _as_list(self.filters[name]) for name in _MAKE_LISTS}
        self.filters |= {**lists, **_FILTERS, **(filters or {})}

    intercepted_binops = frozenset("+")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """``1 + ". "`` is a text, as in JavaScript."""
        if isinstance(left, str | list) or isinstance(right, str | list):
            return f"{js_text(left)}{js_text(right)}"
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping before anything that Python's type has; ``length`` and common methods of JavaScript."""
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, str | list | tuple):
            if attribute == "length":
                return len(obj)
            methods = _METHODS[str if isinstance(obj, str) else list]
            if attribute in methods:
                return lambda *arguments: methods[attribute](obj, *arguments)
        return super().getattr(obj, attribute)


def _as_list(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of Jinja2 that returns a list where it returns an iterator; a text stays one."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        return found if isinstance(found, str) else list(found)

    return called


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


def _length(value: Any) -> int | str:
    """How many; of what has no length, such as a number, nothing."""
    return len(value) if isinstance(value, Sized) else ""


def _leading(pattern: str, kind: Callable[[str], Any]) -> Callable[..., Any]:
    """A filter that reads the number that a text begins with, as ``parseInt`` and ``parseFloat`` do."""

    def read(value: Any, otherwise: Any = 0, base: int = 10) -> Any:
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


_MAKE_LISTS = ("reverse", "select", "reject", "selectattr", "rejectattr", "batch", "slice")
_FILTERS: dict[str, Callable[..., Any]] = {
    "dump": dump,
    "load": json.loads,
    "nl2br": lambda text: str(text).replace("\n", "<br />\n"),
    "pairs": _pairs,
    "truncate": _truncated,
    "title": _title,
    "indent": _indented,
    "round": _rounded,
    "join": _joined,
    "length": _length,
    "string": js_text,
    "urlencode": _encoded,
    "int": _leading(r"[-+]?\d+", int),
    "float": _leading(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", float),
    "list": _listed,
    "groupby": _grouped,
}


@lru_cache(maxsize=4096)
def _compiled(text: str, environment: NunjucksEnvironment) -> Any:
    return environment.from_string(to_jinja(text))


def render(text: str, variables: Mapping[str, Any], environment: NunjucksEnvironment) -> str:
    """A text with variables filled in.

    Raises:
        ValueError: It is not a template, or it cannot be rendered.
    """
    if not has_template(text):
        return text
    try:
        return str(_compiled(text, environment).render(variables))
    except JinjaError as error:
        raise ValueError(f"{text.strip()[:60]!r} is not a template: {error}") from None
    except Exception as error:  # noqa: BLE001 - what a template computes may raise anything
        raise ValueError(f"{text.strip()[:60]!r} cannot be rendered: {type(error).__name__}: {error}") from None


def has_template(text: str) -> bool:
    """Whether a text has anything to render."""
    return "{{" in text or "{%" in text or "{#" in text


def render_all(value: Any, variables: Mapping[str, Any], environment: NunjucksEnvironment) -> Any:
    """A value with variables filled into all its texts. Raises ValueError as :func:`render`."""
    if isinstance(value, str):
        return render(value, variables, environment)
    if isinstance(value, list):
        return [render_all(item, variables, environment) for item in value]
    if isinstance(value, Mapping):
        return {key: render_all(item, variables, environment) for key, item in value.items()}
    return value


def is_rendered(text: str) -> str:
    """A rendered text so that whoever renders it again leaves it as it is."""
    return f"{{% raw %}}{text}{{% endraw %}}" if has_template(text) and "endraw" not in text else text
