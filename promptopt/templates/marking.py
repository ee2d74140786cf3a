"""A second compilation of a prompt that marks, in what it renders, which line or expression each character is from.

Every text and every expression that a template prints is wrapped in two characters of Unicode's private planes 15 and
16: one that numbers the place, one that ends it. A third kind marks a statement that depends on a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import CodeType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context

from promptopt.templates.chat import COLLECTOR, is_chat
from promptopt.templates.dependence import CONTEXT, STATIC, Names, Place, PlaceKind
from promptopt.templates.environment import MODEL, PromptEnvironment, ReaderLoader
from promptopt.templates.frontmatter import mask_front_matter
from promptopt.templates.media_tags import is_medium, rendering, tag_of
from promptopt.templates.readers import Reader
from promptopt.templates.source import Piece, Source, read_source
from promptopt.templates.template import Template
from promptopt.values import Message

FIRST_MARK = 0xF0000
END = "\U0010fffd"
_PLACES = ord(END) - FIRST_MARK

# The tags whose place in the source is asked for.
_TAGS: dict[type[nodes.Node], str] = {
    nodes.If: "if",
    nodes.For: "for",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.Include: "include",
    nodes.Extends: "extends",
}


class CannotMark(Exception):
    """A template has characters that marks are made of, or more places than there are marks."""


class MarkingEnvironment(PromptEnvironment):
    """Compiles templates, includes as well, with marks.

    Attributes:
        places: What each mark stands for, by its number.
        nested: Whether bodies that are printed later (macros, calls, filters, ``set`` blocks) are marked inside. A
            filter may change what is marked, so that the text of such a template is marked from outside only.
        static: Whether what depends on a variable is left out, its mark aside: the rest renders without variables.
    """

    def __init__(self, loader: jinja2.BaseLoader | None, *, nested: bool, static: bool = False) -> None:
        # An argument of a macro may still be undefined.
        super().__init__(loader, **({"undefined": jinja2.ChainableUndefined} if static else {}))
        self.nested = nested
        self.static = static
        self.places: list[Place] = []

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if has_marks(source):
            raise CannotMark
        tree = super()._parse(source, name, filename)
        _Marker(self, tree, source, filename or name or "").mark()
        return tree

    def mark(self, place: Place) -> str:
        """A new mark for a place."""
        if len(self.places) == _PLACES:
            raise CannotMark
        self.places.append(place)
        return chr(FIRST_MARK + len(self.places) - 1)

    def note_break(self, context: Context, number: int) -> str:
        """Called by a marked template at a statement outside its chat blocks that depends on a variable."""
        collector = context.get(COLLECTOR)
        if isinstance(collector, list):
            collector.append(self.places[number])
        return ""


class _Marker:
    """Rewrites the tree of one file."""

    def __init__(self, environment: MarkingEnvironment, tree: nodes.Template, source: str, path: str) -> None:
        self._environment = environment
        self._tree = tree
        self._path = path
        self._lines = source.split("\n")
        self._source = read_source(source)
        # The walk meets expressions, and the tags of each name, in the order of the source.
        self._pieces = {name: iter(pieces) for name, pieces in _by_name(self._source).items()}
        self._names = Names(environment.globals, tree)
        self._has_chat = any(map(is_chat, tree.find_all(nodes.CallBlock)))
        self._in_chat = False
        # Above 0, what is printed is kept and printed later, perhaps changed.
        self._depth = 0

    def mark(self) -> None:
        self._tree.body = self._body(self._tree.body)

    def _body(self, body: Sequence[nodes.Node]) -> list[nodes.Node]:
        return [new for statement in body for new in self._statement(statement)]

    def _statement(self, node: nodes.Node) -> Iterator[nodes.Node]:
        names = self._names
        if isinstance(node, nodes.Output):
            yield nodes.Output(list(self._printed(node)), lineno=node.lineno)
            return
        start = self._start_of(node)
        depends = STATIC
        if isinstance(node, (nodes.If, nodes.For)):
            yield from self._branching(node, start)
            return
        if isinstance(node, nodes.CallBlock) and is_chat(node):
            depends = names.depends(node.call.args)
            yield from self._break(node, depends, start)
            self._in_chat = True
            node.body = self._body(node.body)
            self._in_chat = False
        elif isinstance(node, (nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)):
            yield from self._kept(node, start)
            return
        elif isinstance(node, (nodes.Include, nodes.Extends)):
            depends = names.depends([node.template])
            yield from self._break(node, depends, start)
            if isinstance(node, nodes.Include) and self._environment.static and depends == STATIC:
                # What an included file depends on is found at this tag of the file that includes it.
                yield from self._wrapped(node, Place(self._path, node.lineno, "text", "", before_end=start))
                return
        else:
            depends = self._scoped(node)
        yield from self._unless_left_out(node, depends)

    def _unless_left_out(self, node: nodes.Node, depends: int) -> Iterator[nodes.Node]:
        if not (self._environment.static and depends == CONTEXT):
            yield node

    def _start_of(self, node: nodes.Node) -> int:
        """How far before the end of the file the tag of a statement begins."""
        name = "chat" if is_chat(node) else _TAGS.get(type(node), "")
        piece = next(self._pieces.get(name, iter(())), None)
        return 0 if piece is None else len(self._source.text) - piece.start

    def _scoped(self, node: nodes.Node) -> int:
        """What sets names, or has statements in its own scope; returns what a name that it sets depends on."""
        names = self._names
        if isinstance(node, nodes.Assign):
            depends = names.depends([node.node])
            names.assign(node.target, depends)
            # What a namespace holds counts as a variable wherever it is read.
            return CONTEXT if isinstance(node.target, nodes.NSRef) else depends
        if isinstance(node, (nodes.Import, nodes.FromImport)):
            names.imported(node)
            return names.depends([node.template])
        if isinstance(node, (nodes.With, nodes.Block, nodes.Scope, nodes.ScopedEvalContextModifier)):
            with names.scope():
                if isinstance(node, nodes.With):
                    for target, value in zip(node.targets, node.values, strict=True):
                        names.assign(target, names.depends([value]))
                node.body = self._body(node.body)
        return STATIC

    def _branching(self, node: nodes.If | nodes.For, start: int) -> Iterator[nodes.Node]:
        names = self._names
        if isinstance(node, nodes.If):
            depends = names.depends([node.test, *(branch.test for branch in node.elif_)])
            yield from self._break(node, depends, start)
            with names.branches(depends) as branch:
                for other in (node, *node.elif_):
                    with branch():
                        other.body = self._body(other.body)
                with branch():
                    node.else_ = self._body(node.else_)
        else:
            depends = names.depends([node.iter, *([node.test] if node.test else [])])
            yield from self._break(node, depends, start)
            with names.scope():
                names.assign(node.target, depends)
                names.assign(nodes.Name("loop", "store"), depends)
                node.body = self._body(node.body)
            with names.scope():
                node.else_ = self._body(node.else_)
        yield from self._unless_left_out(node, depends)

    def _kept(
        self, node: nodes.Macro | nodes.CallBlock | nodes.FilterBlock | nodes.AssignBlock, start: int
    ) -> Iterator[nodes.Node]:
        """A macro, call, filter or ``set`` block: what its body prints comes out elsewhere."""
        names = self._names
        before = len(names.passed)
        self._depth += 1
        with names.scope():
            if isinstance(node, (nodes.Macro, nodes.CallBlock)):
                names.parameters(node.args)
            node.body = self._body(node.body)
        self._depth -= 1
        inside = max(names.passed[before:], default=STATIC)
        if isinstance(node, nodes.Macro):
            del names.passed[before:]
            names.macro(node.name, CONTEXT if inside == CONTEXT else STATIC)
            yield node
        elif isinstance(node, nodes.AssignBlock):
            del names.passed[before:]
            depends = max(inside, names.depends([node.filter] if node.filter else []))
            names.assign(node.target, depends)
            yield from self._unless_left_out(node, depends)
        else:
            called = node.filter if isinstance(node, nodes.FilterBlock) else node.call
            depends = names.depends([called])
            if self._environment.nested and isinstance(called, nodes.Call) and names.is_macro_call(called):
                # What the macro prints says for itself what it depends on.
                depends = STATIC
            elif not self._environment.nested or (self._environment.static and isinstance(node, nodes.FilterBlock)):
                # A filter may change static text because of what follows it.
                depends = max(depends, inside)
            yield from self._break(node, depends, start)
            if self._environment.nested or self._depth:
                yield from self._unless_left_out(node, depends)
            elif not (self._environment.static and depends == CONTEXT):
                place = Place(self._path, node.lineno, "text", self._line(node.lineno), depends, before_end=start)
                yield from self._wrapped(node, place)

    def _wrapped(self, node: nodes.Node, place: Place) -> Iterator[nodes.Node]:
        """A statement between its own marks."""
        yield nodes.Output([nodes.TemplateData(self._environment.mark(place))], lineno=node.lineno)
        yield node
        yield nodes.Output([nodes.TemplateData(END)], lineno=node.lineno)

    def _printed(self, node: nodes.Output) -> Iterator[nodes.Expr]:
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                # Where only what depends on a variable is looked for, literal text needs no marks.
                yield from iter((child,)) if self._environment.static else self._text(child)
                continue
            tag = tag_of(child) if is_medium(child) else ""
            piece = next(self._pieces.get(tag or "{{", iter(())), None)
            opened, closed = ("{%", "%}") if tag else ("{{", "}}")
            source = f"{opened} {self._source.inside(piece)} {closed}" if piece else self._line(child.lineno)
            start = len(self._source.text) - piece.start if piece else 0
            depends = self._names.depends([child])
            if depends:
                self._names.passed.append(depends)
            kind: PlaceKind = "variable" if depends else "text"
            transparent = False
            if self._environment.nested and isinstance(child, nodes.Call) and self._names.is_macro_call(child):
                transparent, depends = True, self._names.arguments_depend(child)
            place = Place(self._path, child.lineno, kind, source, depends, transparent, start)
            left_out = self._environment.static and depends == CONTEXT and not transparent
            yield from self._between(nodes.TemplateData("", lineno=child.lineno) if left_out else child, place)

    def _text(self, data: nodes.TemplateData) -> Iterator[nodes.Expr]:
        pieces = data.data.split("\n")
        for number, piece in enumerate(pieces):
            text = piece + "\n" if number + 1 < len(pieces) else piece
            if text:
                line = data.lineno + number
                child = nodes.TemplateData(text, lineno=line)
                yield from self._between(child, Place(self._path, line, "text", self._line(line)))

    def _between(self, child: nodes.Expr, place: Place) -> Iterator[nodes.Expr]:
        if self._depth and not self._environment.nested:
            yield child
            return
        yield nodes.TemplateData(self._environment.mark(place), lineno=child.lineno)
        yield child
        yield nodes.TemplateData(END, lineno=child.lineno)

    def _break(self, node: nodes.Node, depends: int, start: int) -> Iterator[nodes.Node]:
        """What says, while rendering, that from here on the prompt depends on a variable."""
        if depends == STATIC:
            return
        self._names.passed.append(depends)
        if self._depth and not self._environment.nested:
            return
        source = self._line(node.lineno).strip()
        place = Place(self._path, node.lineno, "break", source, depends, before_end=start)
        mark = self._environment.mark(place)
        if self._has_chat and not self._in_chat and not self._depth:
            number = nodes.Const(ord(mark) - FIRST_MARK)
            arguments: list[nodes.Expr] = [nodes.ContextReference(), number]
            call = nodes.Call(nodes.EnvironmentAttribute("note_break"), arguments, [], None, None)
            yield nodes.ExprStmt(call, lineno=node.lineno).set_environment(self._environment)
        else:
            yield nodes.Output([nodes.TemplateData(mark)], lineno=node.lineno)

    def _line(self, number: int) -> str:
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


def _by_name(source: Source) -> dict[str, list[Piece]]:
    """The tags of each name, and the expressions under ``{{``."""
    found: dict[str, list[Piece]] = {}
    for piece in source.pieces:
        if piece.kind in ("tag", "expression"):
            found.setdefault(piece.name or "{{", []).append(piece)
    return found


@dataclass(frozen=True, slots=True)
class MarkedPrompt:
    """A prompt rendered with marks.

    Attributes:
        items: Its messages and, between them, the statements that they depend on.
        has_chat: Whether the messages are chat blocks, whose text is stripped.
    """

    items: tuple[Message | Place, ...]
    places: Sequence[Place]
    has_chat: bool

    def events(self, marked: str) -> Iterator[tuple[str, Place | None]]:
        """A marked text in order.

        Yields:
            ``(characters, None)`` for printed text, ``("", place)`` where a place opens or a break is, and
            ``("", None)`` where the innermost open place ends.
        """
        start = 0
        for index, char in enumerate(marked):
            code = ord(char)
            if code < FIRST_MARK:
                continue
            if index > start:
                yield marked[start:index], None
            start = index + 1
            yield "", None if char == END else self.places[code - FIRST_MARK]
        if start < len(marked):
            yield marked[start:], None


def render_marked(template: Template, variables: Mapping[str, Any], *, nested: bool) -> MarkedPrompt | None:
    """The prompt with marks; ``None`` if it cannot be rendered so.

    Args:
        nested: See :class:`MarkingEnvironment`.
    """
    plain = template.compiled
    place = (template.source, plain.environment.loader, plain.name, plain.filename)
    return _rendered(place, {**variables, MODEL: template.front.model}, nested=nested, static=False)


def render_static(source: str, reader: Reader | None, path: str, *, nested: bool) -> MarkedPrompt | None:
    """What of a prompt does not depend on a variable, with marks; ``None`` if it cannot be rendered so.

    Args:
        reader: Where its includes come from.
        path: The file as a person would name it.
        nested: See :class:`MarkingEnvironment`.
    """
    loader = None if reader is None else ReaderLoader(reader)
    return _rendered((source, loader, path, path), {}, nested=nested, static=True)


# Source, loader, name and file name of a template.
_Unmarked = tuple[str, jinja2.BaseLoader | None, str | None, str | None]


def _rendered(place: _Unmarked, variables: Mapping[str, Any], *, nested: bool, static: bool) -> MarkedPrompt | None:
    collected: list[Message | Place] = []
    try:
        environment, compiled = _compiled(*place, nested, static)
        with rendering(variables) as (printed, given):
            text = compiled if isinstance(compiled, str) else compiled.render({**given, COLLECTOR: collected})
        if not any(isinstance(item, Message) for item in collected):
            whole = printed.message("user", text)
    except Exception:  # noqa: BLE001 - a filter may refuse marked text in any way
        return None
    has_chat = any(isinstance(item, Message) for item in collected)
    if not has_chat:
        collected.append(whole)
    return MarkedPrompt(tuple(collected), environment.places, has_chat)


@lru_cache(maxsize=64)
def _compiled(
    source: str,
    loader: jinja2.BaseLoader | None,
    name: str | None,
    path: str | None,
    nested: bool,
    static: bool,
) -> tuple[MarkingEnvironment, jinja2.Template | str]:
    environment = MarkingEnvironment(loader, nested=nested, static=static)
    code, places = _marked_code(source, name, nested, static)
    environment.places += [replace(place, path=path or name or "") for place in places]
    if isinstance(code, str):
        return environment, code
    return environment, environment.template_class.from_code(environment, code, dict(environment.globals))


@lru_cache(maxsize=64)
def _marked_code(source: str, name: str | None, nested: bool, static: bool) -> tuple[CodeType | str, tuple[Place, ...]]:
    """The code of a template and what its marks stand for: the same on two branches whose includes differ.

    Of a template that is literal text, as most are once what depends on a variable is left out, the text.
    """
    environment = MarkingEnvironment(None, nested=nested, static=static)
    tree = environment.parse(mask_front_matter(source), name, None)
    text = _literal_text(tree)
    return environment.compile(tree, name, None) if text is None else text, tuple(environment.places)


def _literal_text(tree: nodes.Template) -> str | None:
    """What a template prints that is literal text alone; ``None`` of any other."""
    parts: list[str] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            return None
        for child in node.nodes:
            if not isinstance(child, nodes.TemplateData):
                return None
            parts.append(child.data)
    return "".join(parts)


_MARK = re.compile(f"[{chr(FIRST_MARK)}-\U0010ffff]")


def has_marks(text: str) -> bool:
    """Whether a text holds characters that marks are made of."""
    return not text.isascii() and _MARK.search(text) is not None


def without_marks(text: str) -> str:
    """A marked text as it would be without them."""
    return "".join(char for char in text if ord(char) < FIRST_MARK)
