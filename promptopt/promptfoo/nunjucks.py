"""Nunjucks templates by Jinja2: what differs is written anew, or behaves as it does in JavaScript.

What promptfoo renders prints nothing for a variable that is undefined, a list with commas, and ``true`` in small
letters; blocks keep their newlines. :func:`to_jinja` writes a template so that Jinja2 reads it with the options of
prompts; :class:`NunjucksEnvironment` gives values the behaviour.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, reduce
from typing import Any

from jinja2 import BaseLoader, ChainableUndefined, TemplateSyntaxError, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from promptopt.promptfoo.nunjucks_values import (
    COMPARED_STRICTLY,
    FILTERS,
    GLOBALS,
    MAKE_LISTS,
    METHODS,
    TAKE_TEXTS,
    Pattern,
    added,
    as_list,
    is_true,
    js_length,
    js_number,
    js_text,
    of_text,
)
from promptopt.templates.environment import PromptEnvironment

_TAG = re.compile(r"\{%(?P<open>[-+]?)(?P<tag>.*?)(?P<close>[-+]?)%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_RAW = re.compile(r"(\{%[-+]?\s*(?:raw|verbatim)\s*[-+]?%\}.*?\{%[-+]?\s*end(?:raw|verbatim)\s*[-+]?%\})", re.DOTALL)
# As promptfoo decides it: a line in which a tag begins and does not end makes the whole text no template.
_PARTIAL = re.compile(r"(\{%[^%]*$|\{\{[^}]*$|\{#[^#]*$)", re.MULTILINE)
_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.DOTALL)
# Escapes of a text other than those that Nunjucks knows are the character itself.
_ESCAPE = re.compile(r"""\\([^ntr\\'"])""")
_NUMBER = re.compile(r"(?<![\w.])\d[\d.]*(?:[eE][-+]?\d+|[_xX]\w+)")
_PATTERN = re.compile(r"(?<!\w)r/((?:[^/\n\\]|\\.)+)/([a-z]*)")
# Constants of Jinja2 that are variables in Nunjucks.
_PYTHONS, STRICT = re.compile(r"(?<![\w.])(True|False|None)(?![\w:(])"), "promptopt_strict"
MADE_PATTERN = "promptopt_pattern"
# Nothing that a template waits for takes time here.
_ASYNC = {"asyncEach": "for", "asyncAll": "for", "endeach": "endfor", "endall": "endfor", "ifAsync": "if"}
_SET_SEVERAL = re.compile(r"^\s*set\s+(\w+(?:\s*,\s*\w+)+)\s*=(.+)$", re.DOTALL)
_FOR_PAIRS = re.compile(r"^\s*for\s+(\w+)\s*,\s*(\w+)\s+in\s+(.+?)\s*$", re.DOTALL)


def to_jinja(text: str) -> str:
    """A Nunjucks template as one for Jinja2 with the options of prompts."""
    if _PARTIAL.search(text) and not _RAW.search(text) and not _is_json(text):
        return f"{{% raw %}}{text}{{% endraw %}}"
    return "".join(
        part.replace("verbatim", "raw") if number % 2 else _TAG.sub(_tag, part)
        for number, part in enumerate(_RAW.split(text))
    )


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
    tag = re.sub(r"^(\s*)(\w+)", lambda name: name[1] + _ASYNC.get(name[2], name[2]), tag)
    if several := _SET_SEVERAL.match(tag):
        # Each name gets the value.
        names = [name.strip() for name in several[1].split(",")]
        sets = "+%}{%+".join([f" set {names[0]} ={several[2]}", *(f" set {name} = {names[0]} " for name in names[1:])])
        return f"{{%{found['open'] or '+'}{sets}{found['close'] or '+'}%}}"
    if pairs := _FOR_PAIRS.match(tag):
        tag = f" for {pairs[1]}, {pairs[2]} in ({pairs[3]}) | pairs "
    # Blocks of prompts take the white space around them along; those of Nunjucks do not.
    return f"{{%{found['open'] or '+'}{tag}{found['close'] or '+'}%}}"


def _expression(code: str) -> str:
    parts = _STRING.split(code)
    return "".join(_ESCAPE.sub(r"\1", part) if number % 2 else _code(part) for number, part in enumerate(parts))


def _code(code: str) -> str:
    """What is between texts; a pattern ``r/x/g`` is made by a call."""
    found, at = "", 0
    for pattern in _PATTERN.finditer(code):
        found += f"{_operators(code[at : pattern.start()])}{MADE_PATTERN}({pattern[1]!r}, {pattern[2]!r})"
        at = pattern.end()
    return found + _operators(code[at:])


def _operators(code: str) -> str:
    if number := _NUMBER.search(code):
        raise TemplateSyntaxError(f"Nunjucks has no number {number[0]}: write it in digits", 1)
    # Compared without a conversion: what stands between is not a value.
    code = code.replace("!==", f"!= {STRICT} !=").replace("===", f"== {STRICT} ==")
    code = _PYTHONS.sub(r"undefined_\1", code)
    code = code.replace("&&", " and ").replace("||", " or ")
    code = re.sub(r"!(?!=)\s*(?=[\w(])", "not ", code)
    return re.sub(r"\bis\s+undefined\b", "is undefined", code)


class Switch(Extension):
    """``{% switch x %}{% case 1 %}..{% default %}..{% endswitch %}``; a case without a body has that of the next."""

    tags = {"switch"}  # noqa: RUF012 - jinja2's own attribute
    _ENDS = ("name:case", "name:default", "name:endswitch")

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """The tag as conditions, one in the other."""
        line = next(parser.stream).lineno
        value = parser.parse_expression()
        parser.parse_statements(self._ENDS)
        cases: list[tuple[list[nodes.Expr], list[nodes.Node]]] = []
        otherwise: list[nodes.Node] = []
        tests: list[nodes.Expr] = []
        while (name := next(parser.stream).value) != "endswitch":
            if name == "default":
                otherwise = parser.parse_statements(self._ENDS)
                continue
            strict = nodes.Operand("eq", nodes.Name(STRICT, "load"))
            tests.append(nodes.Compare(value, [strict, nodes.Operand("eq", parser.parse_expression())]))
            if body := parser.parse_statements(self._ENDS):
                cases.append((tests, body))
                tests = []
        for several, body in reversed(cases):
            test = reduce(nodes.Or, several)
            otherwise = [nodes.If(test, body, [], otherwise, lineno=line)]
        return otherwise


class _Rewritten(NodeTransformer):
    """A parsed template whose tests, comparisons and loops are those of JavaScript."""

    def __init__(self, kept: frozenset[str]) -> None:
        self._kept = kept

    def visit_If(self, node: Any) -> Any:  # noqa: N802 - jinja2 calls it so
        self.generic_visit(node)
        node.test = _filtered(node.test, "js: true")
        return node

    visit_CondExpr = visit_If  # noqa: N815

    def visit_Not(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        return nodes.Not(_filtered(node.node, "js: true"))

    def visit_And(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        return nodes.CondExpr(_filtered(node.left, "js: true"), node.right, node.left)

    def visit_Or(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        return nodes.CondExpr(_filtered(node.left, "js: true"), node.left, node.right)

    def visit_Concat(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [_filtered(each, "js: added") for each in node.nodes]
        return node

    def visit_Compare(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        pairs = [nodes.Tuple([nodes.Const(each.op), each.expr], "load") for each in node.ops]
        return _filtered(node.expr, "js: compared", nodes.List(pairs))

    def visit_Pair(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.key, nodes.Name):
            node.key = nodes.Const(node.key.name)
        return node

    def visit_Tuple(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        return node.items[-1] if node.ctx == "load" and node.items else node

    def visit_For(self, node: Any) -> Any:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "js: items")
        return node

    def visit_Name(self, node: Any) -> Any:  # noqa: N802
        if node.name not in self._kept:
            return node
        if node.ctx == "store":
            return nodes.NSRef(_KEPT, node.name)
        return nodes.Getattr(nodes.Name(_KEPT, "load"), node.name, "load")


_KEPT = "promptopt_kept"


def _filtered(node: Any, name: str, *arguments: Any) -> Any:
    return nodes.Filter(node, name, list(arguments), [], None, None)


def _rewritten(tree: nodes.Template) -> nodes.Template:
    """The template; variables that are set in a loop and outside of it keep what they are set to in the loop."""
    inside = {name.name for loop in tree.find_all(nodes.For) for each in _sets(loop) for name in _stored(each)}
    loops = {id(each) for loop in tree.find_all(nodes.For) for each in _sets(loop)}
    outside = {name.name for each in _sets(tree) if id(each) not in loops for name in _stored(each)}
    kept = frozenset(inside & outside)
    found: nodes.Template = _Rewritten(kept).visit(tree)
    if kept:
        made = nodes.Call(nodes.Name("namespace", "load"), [], [], None, None)
        found.body.insert(0, nodes.Assign(nodes.Name(_KEPT, "store"), made))
    if tree.environment is not None:
        found.set_environment(tree.environment)
    for node in found.find_all(nodes.Node):
        node.set_lineno(node.lineno or 1, override=False)
    return found


def _sets(node: nodes.Node) -> list[Any]:
    return [*node.find_all((nodes.Assign, nodes.AssignBlock))]


def _stored(node: Any) -> Iterator[nodes.Name]:
    target = node.target
    return iter([target]) if isinstance(target, nodes.Name) else target.find_all(nodes.Name)


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
        self.add_extension(Switch)
        self.globals |= GLOBALS | {"env": dict(variables or {}), "null": None, STRICT: COMPARED_STRICTLY}
        self.globals[MADE_PATTERN] = Pattern
        self.tests |= {
            "null": lambda value: value is None,
            "truthy": is_true,
            "falsy": lambda value: not is_true(value),
        }
        texts = {name: of_text(self.filters[name]) for name in TAKE_TEXTS}
        lists = {name: as_list(self.filters[name]) for name in MAKE_LISTS}
        self.filters |= {**lists, **texts, **FILTERS, **(filters or {})}
        del self.filters["urlize"]

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """``1 + ". "`` is a text, ``"4" * 2`` is 8 and ``1 / 0`` is infinite, as in JavaScript."""
        if operator == "+" and any(isinstance(each, str | list | Mapping) for each in (left, right)):
            return f"{added(left)}{added(right)}"
        one, other = js_number(left), js_number(right)
        if operator == "%":
            return math.nan if not other or not math.isfinite(one) else math.fmod(one, other)
        if operator in ("/", "//") and not other:
            return math.nan if not one or math.isnan(one) else math.copysign(math.inf, one)
        return super().call_binop(context, operator, one, other)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An index below 0 is nothing there."""
        if isinstance(obj, list | tuple | str) and isinstance(argument, int) and argument < 0:
            return self.undefined(obj=obj, name=str(argument))
        if isinstance(obj, list | tuple | str) and isinstance(argument, str) and argument.isdecimal():
            argument = int(argument)
        return super().getitem(obj, argument)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _rewritten(super()._parse(source, name, filename))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping before anything that Python's type has; ``length`` and common methods of JavaScript."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if attribute == "toString" and not isinstance(obj, ChainableUndefined):
            return lambda: js_text(obj)
        if attribute == "length" and isinstance(obj, str | list | tuple):
            return js_length(obj)
        for kind, methods in METHODS.items():
            if isinstance(obj, kind) and attribute in methods:
                return lambda *arguments: methods[attribute](obj, *arguments)
        return self.undefined(obj=obj, name=attribute) if isinstance(obj, Mapping) else super().getattr(obj, attribute)


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
