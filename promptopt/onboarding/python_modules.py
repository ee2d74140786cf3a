"""Python files as trees: the names that each block binds, and what a module takes from others."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptopt.onboarding.found import LeftOut

RELEVANT = re.compile(
    r"openai|anthropic|litellm|langchain|ollama|genai|mistral|prompt|completion|instructor|groq|gemini|claude|\bllm|gpt-",
    re.IGNORECASE,
)
Function = ast.FunctionDef | ast.AsyncFunctionDef
# One object each in the whole program, and nothing in them.
_EMPTY = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all below it, in any order; operators and contexts left out. Several times as fast as ``ast.walk``."""
    found = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        found.append(each)
        for value in vars(each).values():
            kind = type(value)
            if kind is list:
                waiting += [inner for inner in value if isinstance(inner, ast.AST)]
            elif kind is not int and kind is not str and isinstance(value, ast.AST) and not isinstance(value, _EMPTY):
                waiting.append(value)
    return found


def dotted(node: ast.expr) -> str:
    """What is called, as it is written: ``client.chat.completions.create``."""
    names: list[str] = []
    each = node
    while isinstance(each, ast.Attribute):
        names.append(each.attr)
        each = each.value
    return ".".join([each.id if isinstance(each, ast.Name) else ast.unparse(each), *reversed(names)])


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
    """Names of a module, a class or a function, and of what is around it.

    Attributes:
        functions: Those that it defines; ``None``: several of one name.
        imported: Constants and functions of other modules and of classes, by the name they have here.
        binds_inside: The module's expressions may bind names, by ``:=``.
        given: What a call gives for the parameters, with the reader of its place; ``None``: no call is followed.
    """

    names: dict[str, list[Assigned]] = field(default_factory=dict)
    functions: dict[str, Function | None] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    outer: Scope | None = None
    klass: Scope | None = None
    imported: Mapping[str, tuple[Scope, ast.expr | Function]] = field(default_factory=dict)
    given: Mapping[str, tuple[Any, ast.expr]] | None = None
    binds_inside: bool = True

    def outermost(self) -> Scope:
        """The module's."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope


def scope_of(
    body: list[ast.stmt],
    outer: Scope | None = None,
    parameters: frozenset[str] = frozenset(),
    *,
    binds_inside: bool = True,
) -> Scope:
    """The names that statements bind, functions and classes in them left out."""
    scope = Scope(parameters=parameters, binds_inside=binds_inside)
    if outer is not None:
        scope.outer, scope.klass, scope.binds_inside = outer, outer.klass, outer.binds_inside
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
        if isinstance(statement, Function):
            scope.functions[statement.name] = None if statement.name in scope.functions else statement
        elif not isinstance(statement, ast.ClassDef):
            for node in _own_expressions(statement) if scope.binds_inside else ():
                if isinstance(node, ast.NamedExpr):
                    bind(node.target, node.value)
            for inner in blocks_of(statement):
                _collect(inner, scope)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """What is in a statement, without the statements in it."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield from walk(child)


def blocks_of(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """The blocks of statements in a statement."""
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(statement, name, None)
        if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
            yield inner
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def parameters_of(function: Function) -> list[ast.arg]:
    """All parameters of a function."""
    args = function.args
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]


@dataclass(slots=True)
class Module:
    """A Python file.

    Attributes:
        constants: What names are bound to once, by an expression; those of classes as ``Class.NAME``.
        nodes: All of its tree.
    """

    path: str
    tree: ast.Module
    constants: Mapping[str, ast.expr]
    scope: Scope
    nodes: list[ast.AST]

    @classmethod
    def of(cls, path: str, text: str) -> Module:
        """Raises SyntaxError."""
        with warnings.catch_warnings():
            # A backslash that is none is the affair of the file's own author.
            warnings.simplefilter("ignore")
            tree = ast.parse(text, path)
        scope = scope_of(tree.body, binds_inside=":=" in text)
        single = _single(scope)
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                inner = _single(scope_of(statement.body))
                single |= {f"{statement.name}.{name}": value for name, value in inner.items()}
        return cls(path, tree, single, scope, walk(tree))


def _single(scope: Scope) -> dict[str, ast.expr]:
    """The names that are bound once, by an expression."""
    found = {name: found[0].value for name, found in scope.names.items() if len(found) == 1}
    return {name: value for name, value in found.items() if isinstance(value, ast.expr)}


class Modules:
    """The Python files of a repository; each is read when it is first asked for.

    Args:
        texts: Their texts by path.
        left_out: Takes those that cannot be read and may have prompts.
    """

    def __init__(self, texts: Mapping[str, str], left_out: list[LeftOut]) -> None:
        self._texts = texts
        self._left_out = left_out
        self._read: dict[str, Module | None] = {}
        self._paths: dict[str, list[str]] = {}
        for path in texts:
            parts = _dotted(path).split(".")
            for at in range(len(parts)):
                self._paths.setdefault(".".join(parts[at:]), []).append(path)

    def module(self, path: str) -> Module | None:
        """A file; ``None`` if it cannot be read as Python 3."""
        if path not in self._read:
            self._read[path] = self._module(path)
        return self._read[path]

    def _module(self, path: str) -> Module | None:
        text = self._texts[path]
        try:
            if path.endswith(".ipynb"):
                text = _cells(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._left_out.append(LeftOut(path, 1, "is no notebook that can be read"))
            return None
        try:
            return Module.of(path, text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if RELEVANT.search(text):
                line = getattr(error, "lineno", None) or 1
                said = f"it cannot be read as Python 3: {getattr(error, 'msg', error)}"
                self._left_out.append(LeftOut(path, line, said))
            return None

    def taken(self, module: Module) -> Taken:
        """What a module takes from others of the repository."""
        names, whole = [], []
        for node in module.nodes:
            if isinstance(node, ast.Import):
                whole += [(alias.asname or alias.name, self._found(alias.name)) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                package = _package(module, node)
                source = self._found(package, exactly=bool(node.level)) if package else None
                for alias in node.names:
                    names += [(alias, source)] if source is not None else []
                    inside = f"{package}.{alias.name}" if package else alias.name
                    whole.append((alias.asname or alias.name, self._found(inside)))
        return Taken(tuple(names), tuple((shown, source) for shown, source in whole if source is not None))

    def _found(self, name: str, *, exactly: bool = False) -> Module | None:
        """The only module whose full name is this, or ends so."""
        paths = self._paths.get(name, [])
        if exactly:
            paths = [path for path in paths if _dotted(path) == name]
        return self.module(paths[0]) if len(paths) == 1 else None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a module takes from others: names with their modules, and whole modules by the name they have here."""

    names: tuple[tuple[ast.alias, Module], ...]
    whole: tuple[tuple[str, Module], ...]

    def imported(self) -> dict[str, tuple[Scope, ast.expr | Function]]:
        """Constants and functions by the name they have here: ``NAME``, ``Class.NAME``, ``module.NAME``."""
        found: dict[str, tuple[Scope, ast.expr | Function]] = {}
        for alias, source in self.names:
            for name, value in _offered(source):
                if name == alias.name or name.startswith(f"{alias.name}."):
                    found[(alias.asname or alias.name) + name.removeprefix(alias.name)] = (source.scope, value)
        for shown, source in self.whole:
            found |= {f"{shown}.{name}": (source.scope, value) for name, value in _offered(source)}
        return found

    def used(self, names: set[str]) -> Iterator[tuple[str, str]]:
        """Of these names, those of other modules: the path and the name there."""
        for alias, source in self.names:
            if (alias.asname or alias.name) in names:
                yield source.path, alias.name
        for source in {source.path: source for _, source in (*self.whole, *self.names)}.values():
            for name, _ in _offered(source):
                last = name.rpartition(".")[2]
                if last in names:
                    yield source.path, last


def _offered(module: Module) -> Iterable[tuple[str, ast.expr | Function]]:
    yield from module.constants.items()
    yield from ((name, function) for name, function in module.scope.functions.items() if function is not None)


def _cells(text: str) -> str:
    """The code of a notebook; lines for the notebook itself are left out."""
    lines = []
    for cell in json.loads(text)["cells"]:
        source = cell["source"]
        code = "".join(source) if isinstance(source, list) else source
        if cell["cell_type"] == "code" and not code.lstrip().startswith("%%"):
            lines += [re.sub(r"^(\s*)[%!?].*", r"\1pass", line) for line in code.splitlines()]
    return "\n".join(lines)


def _dotted(path: str) -> str:
    return path.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")


def _package(module: Module, node: ast.ImportFrom) -> str:
    """The full name of what ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    parts = _dotted(module.path).split(".")
    outer = parts[: len(parts) - node.level + (1 if module.path.endswith("__init__.py") else 0)]
    return ".".join([*outer, *([node.module] if node.module else [])])
