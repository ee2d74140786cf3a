"""What in a template depends on a variable, told from its tree without rendering it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import nodes

STATIC, PARAMETER, CONTEXT = 0, 1, 2
"""Depends on nothing, on an argument of the macro around it, on a variable that the prompt is rendered with."""

PlaceKind = Literal["text", "variable", "break"]


@dataclass(frozen=True, slots=True)
class Place:
    """Something in a template that prints, or that what is printed depends on.

    Attributes:
        path: The file as a person would name it.
        line: Its line, counted from 1.
        kind: ``break`` is a statement such as ``{% if premium %}``, which prints nothing itself.
        source: The line's text, or the expression as it is written.
        depends: On what: nothing (0), an argument of the macro around it (1), a variable (2); of the call of a
            macro, what its arguments depend on.
        transparent: A call of a macro: what the macro prints says for itself what it depends on.
        before_end: How far before the end of its file the expression or tag begins; 0 for literal text. The front
            matter is masked, which changes positions but no distance from the end.
    """

    path: str
    line: int
    kind: PlaceKind
    source: str
    depends: int = STATIC
    transparent: bool = False
    before_end: int = 0


# Their results differ from call to call.
_RANDOM_GLOBALS = frozenset({"lipsum"})
_RANDOM_FILTERS = frozenset({"random"})
# What they print is that of a body elsewhere.
_BODIES = ("caller", "self", "super")


class Names:
    """What each name depends on at the place of the walk; a name that nothing has set is a variable.

    Attributes:
        passed: What the places depend on that the walk has passed; one that depends on nothing is left out.
    """

    def __init__(self, known_globals: Mapping[str, Any], tree: nodes.Template) -> None:
        self._known: dict[str, int] = {name: STATIC for name in known_globals if name not in _RANDOM_GLOBALS}
        self._macros = dict.fromkeys(_BODIES, CONTEXT)
        self._modules: dict[str, int] = {}
        # A namespace may be changed from anywhere, a later turn of a loop included.
        self._changed = {reference.name for reference in tree.find_all(nodes.NSRef)}
        self.passed: list[int] = []

    def depends(self, expressions: Sequence[nodes.Node]) -> int:
        """The strongest dependence of any part of some expressions."""
        return max((self._one(node) for expression in expressions for node in _nodes(expression)), default=STATIC)

    def _one(self, node: nodes.Node) -> int:
        if isinstance(node, nodes.Name) and node.ctx == "load":
            for callables in (self._macros, self._modules):
                if node.name in callables:
                    return callables[node.name]
            return CONTEXT if node.name in self._changed else self._known.get(node.name, CONTEXT)
        return CONTEXT if isinstance(node, nodes.Filter) and node.name in _RANDOM_FILTERS else STATIC

    def arguments_depend(self, call: nodes.Call) -> int:
        """What the arguments of a call depend on."""
        return self.depends([*call.args, *call.kwargs, *filter(None, (call.dyn_args, call.dyn_kwargs))])

    def is_macro_call(self, node: nodes.Node) -> bool:
        """Whether an expression is a call of a macro and nothing around it."""
        if not isinstance(node, nodes.Call):
            return False
        called = node.node
        if isinstance(called, nodes.Getattr) and isinstance(called.node, nodes.Name):
            return called.node.name in self._modules or called.node.name == "self"
        return isinstance(called, nodes.Name) and called.name in self._macros

    def assign(self, target: nodes.Node, depends: int) -> None:
        """A ``set`` or a loop target."""
        for node in _nodes(target):
            if isinstance(node, nodes.Name):
                self._known[node.name] = depends
                self._macros.pop(node.name, None)
                self._modules.pop(node.name, None)

    def parameters(self, arguments: Sequence[nodes.Name]) -> None:
        """The arguments of a macro, within its body."""
        for name in (*(argument.name for argument in arguments), "varargs", "kwargs"):
            self._known[name] = PARAMETER

    def macro(self, name: str, depends: int) -> None:
        """A macro is defined; ``depends`` says what its body depends on besides its arguments."""
        self._macros[name] = depends

    def imported(self, node: nodes.Import | nodes.FromImport) -> None:
        """Macros are imported."""
        depends = CONTEXT if node.with_context else STATIC
        if isinstance(node, nodes.Import):
            self._modules[node.target] = depends
        else:
            self._macros |= {name if isinstance(name, str) else name[1]: depends for name in node.names}

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is set inside is not set outside."""
        known, macros, modules = dict(self._known), dict(self._macros), dict(self._modules)
        try:
            yield
        finally:
            self._known, self._macros, self._modules = known, macros, modules

    @contextmanager
    def branches(self, depends: int) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Branches of which one is taken; each begins with what was known before them."""
        before = dict(self._known)
        ends: list[dict[str, int]] = []

        @contextmanager
        def branch() -> Iterator[None]:
            self._known = dict(before)
            yield
            ends.append(self._known)

        yield branch
        merged = {}
        for name in set().union(*ends):
            after = [end.get(name, CONTEXT) for end in ends]
            changed = any(end.get(name) != before.get(name) or name not in before for end in ends)
            merged[name] = max(*after, depends if changed else STATIC)
        self._known = merged


def _nodes(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    yield from node.find_all(nodes.Node)
