"""Texts of Python programs: f-strings, concatenations, ``.format``, ``%`` and what is assigned to names."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from inspect import cleandoc
from textwrap import dedent

from promptopt.onboarding.found import Hole, Pieces, Unreadable, format_text, formatted, joined
from promptopt.onboarding.python_modules import (
    Assigned,
    Function,
    Scope,
    dotted,
    parameters_of,
    scope_block,
    scope_of,
    walk,
)

_DEEP = 60
_MARK = re.compile("\ue000(\\d+)\ue001")
_STRIPS = ("strip", "lstrip", "rstrip")
FEWEST_WORDS = 3
# Decorators after which a function is what it says.
_PLAIN = {"staticmethod", "classmethod", "property", "cache", "lru_cache", "cached_property"}


# Signs that are no part of a word, with blanks around them.
_SIGNS = re.compile(r"(?<!\S)[^\w\s]+(?!\S)")


def words_of(text: str) -> int:
    """How many words a text has, a name or an address being one; in Chinese, Japanese and Korean each letter is one."""
    return len(re.findall(r"[\u3040-\u9fff\uac00-\ud7af]|[^\s\u3040-\u9fff\uac00-\ud7af]+", _SIGNS.sub(" ", text)))


def literal_words(text: Pieces) -> int:
    """How many words of a text do not vary."""
    return words_of(" ".join(part for part in text if isinstance(part, str)))


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads expressions at one place of a program.

    Attributes:
        blocks: The blocks of statements around the place.
        line: Of the place; what is assigned after it is not seen, unless it is outside of the function.
        place: The function that is read for a call of it.
    """

    scope: Scope
    blocks: frozenset[int]
    line: int
    deep: int = 0
    place: Function | None = None

    def text(self, node: ast.expr) -> Pieces:
        """The text that an expression gives. Raises Unreadable if its parts depend on a branch or a loop."""
        if self.deep > _DEEP:
            raise Unreadable("names are defined in a circle, or too deep")
        return joined(self._inner()._text(node))

    def _inner(self) -> TextReader:
        return TextReader(self.scope, self.blocks, self.line, self.deep + 1)

    def _text(self, node: ast.expr) -> Pieces:
        match node:
            case ast.Constant(value=str(value)):
                return (value,)
            case ast.Constant(value=int() | float() as number):
                return (str(number),)
            case ast.JoinedStr(values=values):
                return tuple(part for value in values for part in self.text(value))
            case ast.FormattedValue():
                return self._formatted(node)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return (*self.text(left), *self.text(right))
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                return self._percent(self.text(left), right)
            case ast.Name() | ast.Attribute():
                return self._named(node)
            case ast.Call():
                return self._called(node)
            case _:
                return (Hole(self._code(node)),)

    def _formatted(self, node: ast.FormattedValue) -> Pieces:
        spec = node.format_spec
        if node.conversion == -1 and spec is None:
            return self.text(node.value)
        inner = self._code(node.value)
        if isinstance(spec, ast.JoinedStr) and not all(isinstance(part, ast.Constant) for part in spec.values):
            return (Hole(self._code(ast.JoinedStr([node]))),)
        shown = "".join(str(part.value) for part in spec.values) if isinstance(spec, ast.JoinedStr) else ""  # type: ignore[attr-defined] # constants
        return (Hole(formatted(inner, None if node.conversion == -1 else chr(node.conversion), shown)),)

    def _named(self, node: ast.Name | ast.Attribute) -> Pieces:
        found = self.value(node)
        if found is None and (given := self._given(node)) is not None:
            return given[0].text(given[1])
        if found is None and (made := self._helped(node)) is not None:
            return made
        if found is None:
            return (Hole(self._code(node)),)
        parts: list[str | Hole] = []
        for reader, assigned in found:
            if assigned.value is None:
                # A loop's variable, a part of a tuple, what `with` opens: the call site knows it.
                return (Hole(self._code(node)),)
            part = reader.text(assigned.value)
            parts = [*parts, *part] if assigned.adds else [*part]
        if len(found) == 1 and all(isinstance(part, Hole) for part in parts) and self.scope.given is None:
            # `name = fetch()`: the call site has the name.
            return (Hole(self._code(node)),)
        return tuple(parts)

    def value(self, node: ast.expr) -> list[tuple[TextReader, Assigned]] | None:
        """The assignments that make a name what it is here, first to last; ``None``: it is given from outside.

        Raises:
            Unreadable: They are in branches or loops.
        """
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            return self._all(self.scope.klass, node.attr, whole=True) if own else self._imported(ast.unparse(node))
        if not isinstance(node, ast.Name):
            return None
        scope: Scope | None = self.scope
        while scope is not None:
            if node.id in scope.names:
                found = self._all(scope, node.id, whole=scope is not self.scope)
                return None if found is None and scope.given is not None else found
            if node.id in scope.parameters:
                return None
            if node.id in scope.imported:
                return self._imported(node.id)
            scope = scope.outer
        return None

    def _imported(self, name: str) -> list[tuple[TextReader, Assigned]] | None:
        """What a name of another module or of a class is; the member of an ``Enum`` too."""
        first = name.partition(".")[0]
        scope: Scope | None = self.scope
        while scope is not None:
            if first in scope.parameters or (first in scope.names and not scope.imported):
                # A value of the function's own, which has the name of the class or module.
                return None
            for each in (name, name.removesuffix(".value")):
                where, value = scope.imported.get(each, (scope, None))
                if isinstance(value, ast.expr):
                    block = scope_block(where)
                    return [(TextReader(where, block, value.lineno, self.deep + 1), Assigned(value, value.lineno, 0))]
            scope = scope.outer
        return None

    def _all(self, scope: Scope | None, name: str, *, whole: bool) -> list[tuple[TextReader, Assigned]] | None:
        found = [] if scope is None else scope.names.get(name, [])
        if not found:
            return None
        if whole:
            if len(found) > 1:
                return [(self, Assigned(None, found[0].line, found[0].block))]
            return [(TextReader(scope or Scope(), frozenset({found[0].block}), found[0].line, self.deep + 1), found[0])]
        before = [each for each in found if each.line < self.line]
        for each in before:
            if each.block not in self.blocks and any(other.value is not None for other in before):
                raise Unreadable(f"{name} is put together in a branch or a loop (line {each.line})")
        start = max((at for at, each in enumerate(before) if not each.adds), default=0)
        if not before or before[start].adds:
            return None
        return [(TextReader(self.scope, self.blocks, each.line, self.deep + 1), each) for each in before[start:]]

    def _called(self, node: ast.Call) -> Pieces:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if (made := self._helped(node)) is not None:
            return made
        if name in ("dedent", "cleandoc") and len(node.args) == 1:
            return _changed(self.text(node.args[0]), dedent if name == "dedent" else cleandoc)
        if not isinstance(function, ast.Attribute):
            return (Hole(self._code(node)),)
        if name == "format" and (inner := self._literal(function.value)) is not None:
            return self._format(inner, node)
        if name in _STRIPS and not node.args and (inner := self._literal(function.value)) is not None:
            return _changed(inner, getattr(str, name))
        if name == "replace" and len(node.args) == 2 and isinstance(node.args[0], ast.Constant):
            inner = self._literal(function.value)
            if inner is not None and (mark := node.args[0].value) and isinstance(mark, str):
                return _replaced(inner, mark, self.text(node.args[1]))
        if name == "join" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
            return self._joined(function.value, node.args[0].elts) or (Hole(self._code(node)),)
        if name in ("substitute", "safe_substitute"):
            return self._substituted(function.value, node)
        return (Hole(self._code(node)),)

    def _joined(self, between: ast.expr, each: list[ast.expr]) -> Pieces:
        if any(isinstance(one, ast.Starred) for one in each):
            return ()
        gap, texts = self.text(between), [self.text(one) for one in each]
        return tuple(part for at, text in enumerate(texts) for part in ((*gap, *text) if at else text))

    def _helped(self, node: ast.expr) -> Pieces | None:
        """The text that a function with one ``return`` makes; ``None``: it is no text of a prompt, or not known."""
        try:
            helper = self.helper(node)
            text = () if helper is None else helper[0].text(helper[1])
        except Unreadable:
            # The call stays a variable, and the function is listed.
            return None
        return text if literal_words(text) >= FEWEST_WORDS else None

    def helper(self, node: ast.expr, *, grows: bool = False) -> tuple[TextReader, ast.expr] | None:
        """What a function of the repository with one ``return`` gives to this call, or as this property.

        Args:
            grows: It may append to lists.
        """
        called = node.func if isinstance(node, ast.Call) else node
        found = self._function(called)
        if found is None:
            return None
        outer, function = found
        names = {dotted(each.func if isinstance(each, ast.Call) else each) for each in function.decorator_list}
        own = isinstance(called, ast.Attribute) and _is_own(called.value)
        kinds = {name.rpartition(".")[2] for name in names}
        as_value = bool(kinds & {"property", "cached_property"})
        if not kinds <= _PLAIN or as_value == isinstance(node, ast.Call) or isinstance(function, ast.AsyncFunctionDef):
            return None
        value = single_return(function, grows=grows)
        given = self._arguments(node, function, outer, bound=own and "staticmethod" not in kinds)
        if value is None or given is None:
            return None
        parameters = frozenset(each.arg for each in parameters_of(function))
        inner = scope_of(function.body, outer, parameters)
        inner.given = given
        return TextReader(inner, frozenset({id(function.body)}), value.lineno, self.deep + 1, function), value

    def _function(self, called: ast.expr) -> tuple[Scope, Function] | None:
        """A function of the repository with what is around it."""
        if isinstance(called, ast.Attribute) and _is_own(called.value):
            klass = self.scope.klass
            method = None if klass is None else klass.functions.get(called.attr)
            return None if klass is None or method is None else (Scope(outer=klass.outer, klass=klass), method)
        if not isinstance(called, ast.Name | ast.Attribute):
            return None
        name = dotted(called)
        first = name.partition(".")[0]
        scope: Scope | None = self.scope
        while scope is not None:
            if first in scope.names or first in scope.parameters:
                return None
            if name in scope.functions:
                function = scope.functions[name]
                return None if function is None else (scope, function)
            where, value = scope.imported.get(name, (scope, None))
            if isinstance(value, Function):
                return where, value
            scope = scope.outer
        return None

    def _arguments(
        self, node: ast.expr, function: Function, outer: Scope, *, bound: bool
    ) -> dict[str, tuple[TextReader, ast.expr]] | None:
        """What each parameter is given; ``None``: that is not known."""
        args = function.args
        names = [arg.arg for arg in (*args.posonlyargs, *args.args)]
        defaults = dict(zip(reversed(names), reversed(args.defaults), strict=False))
        defaults |= {a.arg: each for a, each in zip(args.kwonlyargs, args.kw_defaults, strict=True) if each}
        there = TextReader(outer, scope_block(outer), function.lineno, self.deep + 1)
        given = {name: (there, each) for name, each in defaults.items()}
        names = names[1:] if bound else names
        positional, keywords = (node.args, node.keywords) if isinstance(node, ast.Call) else ([], [])
        known = {*names, *(arg.arg for arg in args.kwonlyargs)}
        if (
            args.vararg
            or args.kwarg
            or len(positional) > len(names)
            or any(isinstance(each, ast.Starred) for each in positional)
            or any(each.arg not in known for each in keywords)
        ):
            return None
        given |= {name: (self, each) for name, each in zip(names, positional, strict=False)}
        given |= {each.arg: (self, each.value) for each in keywords if each.arg}
        return given if known <= given.keys() else None

    def _given(self, node: ast.expr) -> tuple[TextReader, ast.expr] | None:
        return (self.scope.given or {}).get(node.id) if isinstance(node, ast.Name) else None

    def _code(self, node: ast.expr) -> str:
        """An expression as the place of the call has it: with what it gives in the place of parameters.

        Raises:
            Unreadable: It has names that only the function knows.
        """
        if self.scope.given is None:
            return ast.unparse(node)
        return ast.unparse(_Inlined(self, node).visit(deepcopy(node)))

    def _literal(self, node: ast.expr) -> Pieces | None:
        """A text that has words of its own."""
        text = self.text(node)
        return text if any(isinstance(part, str) for part in text) else None

    def _format(self, inner: Pieces, node: ast.Call) -> Pieces:
        if any(keyword.arg is None for keyword in node.keywords) or any(isinstance(a, ast.Starred) for a in node.args):
            given = None
            if len(inner) != 1 or node.args:
                raise Unreadable("its arguments for .format are spliced in (**)")
            text = format_text(str(inner[0]), given)
            spliced = self._code(next(keyword.value for keyword in node.keywords if keyword.arg is None))
            return tuple(Hole(f"{spliced}[{part.code!r}]") if isinstance(part, Hole) else part for part in text)
        if not all(isinstance(part, str) for part in inner):
            raise Unreadable("an f-string is formatted again by .format")
        args, keywords = (
            [self.text(arg) for arg in node.args],
            {k.arg: self.text(k.value) for k in node.keywords if k.arg},
        )
        codes = {f"\ue000{at}\ue001": text for at, text in enumerate([*args, *keywords.values()])}
        marks = list(codes)
        given = dict(zip(keywords, marks[len(args) :], strict=True))
        made = format_text("".join(map(str, inner)), given, marks[: len(args)])
        values = [*node.args, *(k.value for k in node.keywords if k.arg)]
        whole = {mark: self._code(value) for mark, value in zip(marks, values, strict=True)}
        return tuple(piece for part in made for piece in _filled(part, codes, whole))

    def _percent(self, left: Pieces, right: ast.expr) -> Pieces:
        if not all(isinstance(part, str) for part in left):
            raise Unreadable("an f-string is formatted again by %")
        text = "".join(map(str, left))
        values = list(right.elts) if isinstance(right, ast.Tuple) else [right]
        named = isinstance(right, ast.Dict)
        parts: list[str | Hole] = []
        end = number = 0
        for match in re.finditer(r"%(?:%|(?:\((\w+)\))?([-+ #0]*\d*(?:\.\d+)?)([sdrfxeg]))", text):
            parts.append(text[end : match.start()])
            end = match.end()
            if match[0] == "%%":
                parts.append("%")
                continue
            if named and match[1]:
                keys = [key.value if isinstance(key, ast.Constant) else None for key in right.keys]  # type: ignore[attr-defined] # a dict
                value = right.values[keys.index(match[1])] if match[1] in keys else None  # type: ignore[attr-defined] # a dict
            elif match[1]:
                value = ast.parse(f"{ast.unparse(right)}[{match[1]!r}]", mode="eval").body
            else:
                value = values[number] if number < len(values) else None
                number += 1
            if value is None:
                raise Unreadable(f"{match[0]} has no value")
            plain = match[3] == "s" and not match[2]
            if isinstance(value, ast.Constant) and not isinstance(value.value, str):
                parts.append(f"%{match[2]}{match[3]}" % (value.value,))
                continue
            parts += self.text(value) if plain else [Hole(f"'%{match[2]}{match[3]}' % ({self._code(value)},)")]
        return (*parts, text[end:])

    def _substituted(self, template: ast.expr, node: ast.Call) -> Pieces:
        from string import Template

        found = self.value(template)
        made = template if found is None else found[-1][1].value
        if not isinstance(made, ast.Call) or not made.args or node.args:
            return (Hole(self._code(node)),)
        given = {keyword.arg: self.text(keyword.value) for keyword in node.keywords if keyword.arg}
        text = "".join(part for part in self.text(made.args[0]) if isinstance(part, str))
        parts: list[str | Hole] = []
        end = 0
        for match in Template.pattern.finditer(text):
            parts.append(text[end : match.start()])
            end = match.end()
            name = match["named"] or match["braced"]
            parts += ["$"] if match["escaped"] else given.get(name, (Hole(name),)) if name else [match[0]]
        return (*parts, text[end:])


def _filled(part: str | Hole, texts: Mapping[str, Pieces], codes: Mapping[str, str]) -> Pieces:
    """A part of a formatted text, with the arguments in the place of their marks."""
    if isinstance(part, str):
        return (part,)
    if part.code in texts:
        return texts[part.code]
    code = part.code
    for mark, whole in codes.items():
        code = code.replace(
            mark, f"({whole})" if not whole.isidentifier() and not code.startswith(("format", "repr")) else whole
        )
    return (Hole(code),)


def _replaced(text: Pieces, mark: str, by: Pieces) -> Pieces:
    """A text with something in the place of each mark in its literal parts."""
    made: list[str | Hole] = []
    for part in text:
        if isinstance(part, str):
            first, *rest = part.split(mark)
            made += [first, *(piece for each in rest for piece in (*by, each))]
        else:
            made.append(part)
    return tuple(made)


def _changed(text: Pieces, change: object) -> Pieces:
    """The text after a function of texts, of which what varies is one word without blanks."""
    assert callable(change)
    holes = [part for part in text if isinstance(part, Hole)]
    numbers = iter(range(len(holes)))
    marked = "".join(part if isinstance(part, str) else f"\ue000{next(numbers)}\ue001" for part in text)
    pieces = _MARK.split(str(change(marked)))
    return tuple(holes[int(piece)] if at % 2 else piece for at, piece in enumerate(pieces) if piece or at % 2)


def single_return(function: Function, *, grows: bool = False) -> ast.expr | None:
    """What a function without branches and loops returns; ``None``: it is none.

    Args:
        grows: It may append to lists.
    """
    *before, last = function.body
    for statement in before:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if all(isinstance(target, ast.Name | ast.Tuple) for target in targets):
                continue
        elif isinstance(statement, ast.Expr):
            if isinstance(statement.value, ast.Constant):
                continue
            if grows and isinstance(statement.value, ast.Call) and dotted(statement.value.func).endswith(".append"):
                continue
        return None
    return last.value if isinstance(last, ast.Return) else None


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


class _Inlined(ast.NodeTransformer):
    """Puts what a call gives in the place of a function's parameters."""

    def __init__(self, reader: TextReader, whole: ast.expr) -> None:
        self._reader = reader
        nodes = walk(whole)
        self._bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        self._bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        reader = self._reader
        given = reader.scope.given or {}
        if node.id in self._bound:
            return node
        if node.id in reader.scope.names:
            found = reader.value(node)
            if found is None or len(found) != 1 or found[0][1].value is None or node.id in given:
                raise Unreadable(f"{node.id} is known in the function only")
            inner, assigned = found[0]
            assert assigned.value is not None
            return _parsed(inner._code(assigned.value))
        if node.id in given:
            caller, value = given[node.id]
            return _parsed(caller._code(value))
        outermost = next((caller.scope.outermost() for caller, _ in given.values()), None)
        if not (_is_own(node) or hasattr(builtins, node.id) or outermost in (None, reader.scope.outermost())):
            raise Unreadable(f"{node.id} is known in its module only")
        return node


def _parsed(code: str) -> ast.expr:
    return ast.parse(code, mode="eval").body
