"""Texts of Python programs: f-strings, concatenations, ``.format``, ``%`` and what is assigned to names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from promptopt.onboarding.found import Hole, Pieces, Unreadable, format_text, formatted, joined

_DEEP = 60
_MARK = re.compile("\ue000(\\d+)\ue001")
_STRIPS = ("strip", "lstrip", "rstrip")


@dataclass(frozen=True, slots=True)
class Assigned:
    """A statement that binds a name.

    Attributes:
        value: ``None`` if it is no assignment.
        adds: It is added to what the name was.
    """

    value: ast.expr | None
    line: int
    block: int
    adds: bool = False


@dataclass(slots=True)
class Scope:
    """Names of a module, a class or a function, and of what is around it."""

    names: dict[str, list[Assigned]] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    outer: Scope | None = None
    klass: Scope | None = None
    imported: Mapping[str, tuple[Scope, ast.expr]] = field(default_factory=dict)


def scope_of(body: list[ast.stmt], outer: Scope | None = None, parameters: frozenset[str] = frozenset()) -> Scope:
    """The names that statements bind, functions and classes in them left out."""
    scope = Scope(parameters=parameters, outer=outer, klass=outer.klass if outer else None)
    _collect(body, scope)
    return scope


def scope_block(scope: Scope) -> frozenset[int]:
    """The blocks in which the names of a module are bound."""
    return frozenset(each.block for found in scope.names.values() for each in found)


def _collect(body: list[ast.stmt], scope: Scope) -> None:  # noqa: C901, PLR0912 - kinds of statements
    def bind(target: ast.expr, value: ast.expr | None, adds: bool = False) -> None:
        if isinstance(target, ast.Name):
            scope.names.setdefault(target.id, []).append(Assigned(value, target.lineno, id(body), adds))
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            if scope.klass is not None:
                scope.klass.names.setdefault(target.attr, []).append(Assigned(value, target.lineno, id(body), adds))
        elif isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                bind(each, None)

    for statement in body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                bind(target, statement.value)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            bind(statement.target, statement.value)
        elif isinstance(statement, ast.AugAssign):
            bind(statement.target, statement.value if isinstance(statement.op, ast.Add) else None, adds=True)
        elif isinstance(statement, ast.For | ast.AsyncFor):
            bind(statement.target, None)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                if item.optional_vars is not None:
                    bind(item.optional_vars, None)
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for node in _own_expressions(statement):
                if isinstance(node, ast.NamedExpr):
                    bind(node.target, node.value)
            for inner in blocks_of(statement):
                _collect(inner, scope)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """What is in a statement, without the statements in it."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield from ast.walk(child)


def blocks_of(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """The blocks of statements in a statement."""
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(statement, name, None)
        if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
            yield inner
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads expressions at one place of a program.

    Attributes:
        blocks: The blocks of statements around the place.
        line: Of the place; what is assigned after it is not seen, unless it is outside of the function.
    """

    scope: Scope
    blocks: frozenset[int]
    line: int
    deep: int = 0

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
                return (Hole(ast.unparse(node)),)

    def _formatted(self, node: ast.FormattedValue) -> Pieces:
        spec = node.format_spec
        if node.conversion == -1 and spec is None:
            return self.text(node.value)
        inner = ast.unparse(node.value)
        if isinstance(spec, ast.JoinedStr) and not all(isinstance(part, ast.Constant) for part in spec.values):
            return (Hole(ast.unparse(ast.JoinedStr([node]))),)
        shown = "".join(str(part.value) for part in spec.values) if isinstance(spec, ast.JoinedStr) else ""  # type: ignore[attr-defined] # constants
        return (Hole(formatted(inner, None if node.conversion == -1 else chr(node.conversion), shown)),)

    def _named(self, node: ast.Name | ast.Attribute) -> Pieces:
        found = self.value(node)
        if found is None:
            return (Hole(ast.unparse(node)),)
        parts: list[str | Hole] = []
        for reader, assigned in found:
            if assigned.value is None:
                # A loop's variable, a part of a tuple, what `with` opens: the call site knows it.
                return (Hole(ast.unparse(node)),)
            part = reader.text(assigned.value)
            parts = [*parts, *part] if assigned.adds else [*part]
        if len(found) == 1 and all(isinstance(part, Hole) for part in parts):
            # `name = fetch()`: the call site has the name.
            return (Hole(ast.unparse(node)),)
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
                return self._all(scope, node.id, whole=scope is not self.scope)
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
                if each in scope.imported:
                    where, value = scope.imported[each]
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
        if name in ("dedent", "cleandoc") and len(node.args) == 1:
            from inspect import cleandoc

            return _changed(self.text(node.args[0]), dedent if name == "dedent" else cleandoc)
        if not isinstance(function, ast.Attribute):
            return (Hole(ast.unparse(node)),)
        if name == "format" and (inner := self._literal(function.value)) is not None:
            return self._format(inner, node)
        if name in _STRIPS and not node.args and (inner := self._literal(function.value)) is not None:
            return _changed(inner, getattr(str, name))
        if name == "replace" and len(node.args) == 2 and isinstance(node.args[0], ast.Constant):
            inner = self._literal(function.value)
            if inner is not None and (mark := node.args[0].value) and isinstance(mark, str):
                return _replaced(inner, mark, self.text(node.args[1]))
        if name == "join" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
            between = self.text(function.value)
            if any(isinstance(each, ast.Starred) for each in node.args[0].elts):
                return (Hole(ast.unparse(node)),)
            texts = [self.text(each) for each in node.args[0].elts]
            return tuple(part for at, text in enumerate(texts) for part in ((*between, *text) if at else text))
        if name in ("substitute", "safe_substitute"):
            return self._substituted(function.value, node)
        return (Hole(ast.unparse(node)),)

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
            spliced = ast.unparse(next(keyword.value for keyword in node.keywords if keyword.arg is None))
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
        whole = {mark: ast.unparse(value) for mark, value in zip(marks, values, strict=True)}
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
            parts += self.text(value) if plain else [Hole(f"'%{match[2]}{match[3]}' % ({ast.unparse(value)},)")]
        return (*parts, text[end:])

    def _substituted(self, template: ast.expr, node: ast.Call) -> Pieces:
        from string import Template

        found = self.value(template)
        made = template if found is None else found[-1][1].value
        if not isinstance(made, ast.Call) or not made.args or node.args:
            return (Hole(ast.unparse(node)),)
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
