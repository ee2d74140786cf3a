"""Prompts in Python programs: what is sent by calls of SDKs, and constants that are prompts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptopt.onboarding.call_settings import settings_of_call, without_config
from promptopt.onboarding.found import (
    ROLES,
    SAYS_PROMPT,
    FoundMessage,
    FoundPrompt,
    Hole,
    LeftOut,
    Pieces,
    Unreadable,
    format_text,
)
from promptopt.onboarding.python_modules import (
    Function,
    Module,
    Scope,
    blocks_of,
    dotted,
    parameters_of,
    scope_of,
    walk,
)
from promptopt.onboarding.python_text import FEWEST_WORDS, TextReader, literal_words, single_return

# What is proposed only if no call was found that sends it.
NOT_SENT = ("constant", "text function", "chat")
_MAKES = re.compile(r"prompt|instructions?$|^(build|make|get|create)_messages$", re.IGNORECASE)
PROMPT_NAME = re.compile(r"PROMPT|TEMPLATE|INSTRUCTIONS?$|^SYSTEM(_?(MESSAGE|MSG|TEXT|ROLE))?$", re.IGNORECASE)
CLASSES = {
    "UserMessage": "user",
    "AssistantMessage": "assistant",
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
    "ChatCompletionSystemMessageParam": "system",
    "ChatCompletionUserMessageParam": "user",
    "ChatCompletionAssistantMessageParam": "assistant",
}
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", **{role: role for role in ROLES}}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a call is."""

    name: str
    reader: TextReader
    function: Function | None


class ModuleSearch:
    """Finds the prompts of a module.

    Args:
        formatted: Names on which ``.format`` is called somewhere in the repository.
    """

    def __init__(self, module: Module, formatted: frozenset[str] = frozenset()) -> None:
        self._module = module
        self._formatted = formatted
        self.left_out: list[LeftOut] = []
        self.used: set[str] = set()
        self._function: ast.AST | None = None
        self._as_it_is: dict[int, FoundMessage] = {}

    def prompts(self) -> list[FoundPrompt]:
        """All prompts, by line."""
        scope = self._module.scope
        found = list(self._block(self._module.tree.body, scope, frozenset(), "", None))
        found += self._constants(scope)
        found += self._functions()
        return sorted(found, key=lambda prompt: prompt.line)

    def _block(
        self, body: list[ast.stmt], scope: Scope, around: frozenset[int], name: str, function: Any
    ) -> Iterator[FoundPrompt]:
        blocks = around | {id(body)}
        for statement in body:
            if isinstance(statement, Function):
                inner = scope_of(statement.body, scope, frozenset(arg.arg for arg in parameters_of(statement)))
                yield from self._block(statement.body, inner, frozenset(), _dotted(name, statement.name), statement)
            elif isinstance(statement, ast.ClassDef):
                own = scope_of(statement.body, scope)
                between = Scope(outer=scope, klass=own)
                for method in statement.body:
                    if isinstance(method, Function):
                        # What methods set on `self` is known before any of them is read.
                        scope_of(method.body, between)
                yield from self._block(statement.body, between, frozenset(), _dotted(name, statement.name), function)
            else:
                yield from self._statement(statement, scope, blocks, name, function)

    def _statement(
        self, statement: ast.stmt, scope: Scope, blocks: frozenset[int], name: str, function: Any
    ) -> Iterator[FoundPrompt]:
        inner = list(blocks_of(statement))
        skipped = {id(child) for block in inner for child in block}
        stack: list[ast.AST] = [statement]
        calls = []
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Call | ast.Dict):
                calls.append(node)
            stack += [child for child in ast.iter_child_nodes(node) if id(child) not in skipped]
        # Arguments see what their own statement did not bind yet.
        place = _Place(name, TextReader(scope, blocks, statement.lineno), function)
        self._function = function
        taken: set[int] = set()
        for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            if id(node) in taken:
                continue
            try:
                prompt = self._call(node, place) if isinstance(node, ast.Call) else self._body(node, place)
            except Unreadable as reason:
                self.left_out.append(LeftOut(self._module.path, node.lineno, str(reason)))
                prompt = None
                taken |= {id(child) for child in walk(node)}
            if prompt is not None:
                taken |= {id(child) for child in walk(node)}
                yield prompt
        for block in inner:
            yield from self._block(block, scope, blocks, name, function)

    def _call(self, call: ast.Call, place: _Place) -> FoundPrompt | None:
        function = dotted(call.func)
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        last = function.rpartition(".")[2]
        if last in ("from_messages", "ChatPromptTemplate") and ("messages" in given or call.args):
            return self._template(call, given.get("messages") or call.args[0], place)
        if "messages" in given or (call.args and _is_chat(call.args[0])):
            node = given.pop("messages") if "messages" in given else call.args[0]
            kind = "anthropic" if "system" in given or function.endswith(".messages.create") else "openai"
            kind = "anthropic" if function.endswith((".messages.stream", ".messages.count_tokens")) else kind
            if last in ("invoke", "ainvoke", "predict", "stream", "astream", "batch") and kind != "anthropic":
                kind = "messages"
            messages = self._messages(node, place.reader)
            if kind == "anthropic" and "system" in given:
                messages = [FoundMessage("system", self._content(given.pop("system"), place.reader)), *messages]
            return self._found(call, place, messages, kind, function, given)
        if function.endswith(("responses.create", "responses.parse", "responses.stream")) and "input" in given:
            return self._responses(call, place, function, given)
        if last in ("from_template", "PromptTemplate") and not CLASSES.get(
            function.rpartition(".")[0].rpartition(".")[2]
        ):
            return self._template(call, None, place)
        if last == "generate_content" and ("contents" in given or call.args):
            text = self._content(given.pop("contents") if "contents" in given else call.args[0], place.reader)
            messages = [FoundMessage("user", text)]
            given, system = without_config(given, place.reader)
            if system is not None:
                messages = [FoundMessage("system", self._content(system, place.reader)), *messages]
            return self._found(call, place, messages, "google", function, given)
        if "prompt" in given and re.search(
            r"(^|\.)(Completion\.create|completions\.create|generate|complete)$", function
        ):
            text = self._content(given.pop("prompt"), place.reader)
            return self._found(call, place, [FoundMessage("user", text)], "text", function, given)
        return None

    def _body(self, body: ast.Dict, place: _Place) -> FoundPrompt | None:
        """The body of a request that is sent by hand: ``json={"model": ..., "messages": [...]}``."""
        given = {
            key.value: value
            for key, value in zip(body.keys, body.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        if "messages" not in given or "model" not in given:
            return None
        messages = self._messages(given.pop("messages"), place.reader)
        return self._found(body, place, messages, "body", "", given)

    def _responses(
        self, call: ast.Call, place: _Place, function: str, given: dict[str, ast.expr]
    ) -> FoundPrompt | None:
        node = given.pop("input")
        messages = []
        if "instructions" in given:
            messages.append(FoundMessage("system", place.reader.text(given.pop("instructions"))))
        if _is_chat(node) or isinstance(node, ast.List):
            messages += self._messages(node, place.reader)
        else:
            messages.append(FoundMessage("user", place.reader.text(node)))
        return self._found(call, place, messages, "responses", function, given)

    def _template(self, call: ast.Call, messages: ast.expr | None, place: _Place) -> FoundPrompt | None:
        """A template of LangChain."""
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        form = given.get("template_format")
        form_name = str(form.value) if isinstance(form, ast.Constant) else "f-string"
        if messages is not None:
            raw = self._messages(messages, place.reader)
        else:
            node = given.get("template") or (call.args[0] if call.args else None)
            if node is None:
                return None
            raw = [FoundMessage("user", place.reader.text(node))]
        # A message that is not a template is sent as it is: its braces are letters.
        made = [message if id(message) in self._as_it_is else _as_template(message, form_name) for message in raw]
        return self._found(call, place, made, "messages", ast.unparse(call.func), {})

    def _found(
        self,
        node: ast.Call | ast.Dict,
        place: _Place,
        messages: Sequence[FoundMessage],
        call: str,
        function: str,
        given: Mapping[str, ast.expr],
    ) -> FoundPrompt | None:
        if not any(isinstance(part, str) and part.strip() for message in messages for part in message.text):
            # All of it is given from outside: nothing here is a prompt, but a call or a table may hold one.
            made = [part.code for message in messages for part in message.text if isinstance(part, Hole)]
            if made := [code for code in made if not code.isidentifier()]:
                raise Unreadable(f"all of its text is made elsewhere: {', '.join(made)[:80]}")
            return None
        for each in walk(node):
            if isinstance(each, ast.Name):
                self.used.add(each.id)
            elif isinstance(each, ast.Attribute):
                self.used.add(each.attr)
        self.used |= _reached(place.reader, node)
        settings, rest, model_code, notes = settings_of_call(given, place.reader, call)
        where = place.name or (function.rpartition(".")[2] if call == "messages" else "module")
        target = _target(self._module.tree, node) if not place.name else ""
        return FoundPrompt(
            self._module.path,
            node.lineno,
            target or where,
            tuple(messages),
            settings=settings,
            call=call,
            function=function,
            rest=rest,
            model_code=model_code,
            notes=notes,
        )

    def _messages(self, node: ast.expr, reader: TextReader) -> list[FoundMessage]:
        if isinstance(node, ast.Name | ast.Attribute):
            found = reader.value(node)
            if found is None or any(each.value is None for _, each in found):
                raise Unreadable(f"the messages {ast.unparse(node)} are made elsewhere")
            grown = self._appended(node, reader, max((each.line for _, each in found), default=0))
            return [
                *(message for inner, each in found if each.value for message in self._messages(each.value, inner)),
                *grown,
            ]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return [*self._messages(node.left, reader), *self._messages(node.right, reader)]
        if not isinstance(node, ast.List | ast.Tuple):
            made = self._helped(node, reader)
            if made is None:
                raise Unreadable(f"the messages are made by {ast.unparse(node)[:60]}")
            return made
        return [self._message(each, reader) for each in node.elts]

    def _helped(self, node: ast.expr, reader: TextReader) -> list[FoundMessage] | None:
        """The messages that a function with one ``return`` makes; ``None``: that is not known."""
        helper = reader.helper(node, grows=True)
        if helper is None:
            return None
        inner, value = helper
        around, self._function = self._function, inner.place
        try:
            return self._messages(value, inner)
        finally:
            self._function = around

    def _appended(self, node: ast.expr, reader: TextReader, start: int) -> list[FoundMessage]:
        """What is appended to a list between the line where it is bound and the one where it is sent."""
        name = ast.unparse(node)
        place = self._function if isinstance(node, ast.Name) and self._function is not None else self._module.tree
        plain = {
            id(statement.value)
            for block in _blocks(place)
            if id(block) in reader.blocks
            for statement in block
            if isinstance(statement, ast.Expr)
        }
        grown = []
        for each in walk(place):
            if (
                isinstance(each, ast.Call)
                and isinstance(each.func, ast.Attribute)
                and each.func.attr in ("append", "extend", "insert")
                and ast.unparse(each.func.value) == name
            ):
                known = each.func.attr == "append" and isinstance(node, ast.Name) and place is not self._module.tree
                if not known or id(each) not in plain or each.lineno > reader.line or not each.args:
                    raise Unreadable(
                        f"the messages {name} grow by .{each.func.attr} (line {each.lineno}): a conversation"
                    )
                grown.append(each)
        # Each sees what its names were at its own line.
        return [
            self._message(each.args[0], replace(reader, line=each.lineno))
            for each in sorted(grown, key=lambda call: call.lineno)
            if each.lineno > start
        ]

    def _message(self, node: ast.expr, reader: TextReader) -> FoundMessage:
        if isinstance(node, ast.Starred):
            raise Unreadable(f"messages are spliced in: {ast.unparse(node)}")
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            return FoundMessage(self._role(node.elts[0]), self._content(node.elts[1], reader))
        if isinstance(node, ast.Dict):
            given = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
        elif isinstance(node, ast.Call):
            given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            name = ast.unparse(node.func).removesuffix(".from_template").rpartition(".")[2]
            content = given.get("content") or given.get("template") or (node.args[0] if node.args else None)
            if name in CLASSES and content is not None:
                made = FoundMessage(CLASSES[name], self._content(content, reader))
                if not name.endswith("PromptTemplate"):
                    self._as_it_is[id(made)] = made
                return made
            if name == "MessagesPlaceholder":
                raise Unreadable("messages are spliced in: MessagesPlaceholder")
        elif isinstance(node, ast.Name) and (found := reader.value(node)) and len(found) == 1 and found[0][1].value:
            return self._message(found[0][1].value, found[0][0])
        else:
            raise Unreadable(f"a message is made by {ast.unparse(node)[:60]}")
        if "role" not in given or "content" not in given:
            raise Unreadable(f"a message has no role and content: {ast.unparse(node)[:60]}")
        return FoundMessage(self._role(given["role"]), self._content(given["content"], reader))

    def _role(self, node: ast.expr) -> str:
        role = node.value if isinstance(node, ast.Constant) else None
        if role not in _ROLES:
            raise Unreadable(f"the role {ast.unparse(node)} is none of {', '.join(ROLES)}")
        return _ROLES[str(role)]

    def _content(self, node: ast.expr, reader: TextReader) -> Pieces:
        if isinstance(node, ast.List):
            parts = [
                {
                    key.value: value
                    for key, value in zip(each.keys, each.values, strict=True)
                    if isinstance(key, ast.Constant)
                }
                if isinstance(each, ast.Dict)
                else {}
                for each in node.elts
            ]
            if any("text" not in part for part in parts):
                raise Unreadable("its content has parts that are no text (images, files)")
            return tuple(piece for part in parts for piece in reader.text(part["text"]))
        return reader.text(node)

    def _constants(self, scope: Scope) -> Iterator[FoundPrompt]:
        """Constants of the module that are prompts by their name, and that no found call uses."""
        of_prompts = SAYS_PROMPT.search(self._module.path) is not None
        for name, node in self._module.constants.items():
            group, _, last = name.rpartition(".")
            said = of_prompts or PROMPT_NAME.search(last) or re.search("prompt", group, re.IGNORECASE)
            if name.rpartition(".")[2] in self.used or not said or isinstance(node, ast.Name | ast.Attribute):
                continue
            try:
                text = TextReader(scope, frozenset({id(self._module.tree.body)}), node.lineno).text(node)
                if literal_words(text) < FEWEST_WORDS:
                    continue
                text, notes = self._as_format(name, text)
            except Unreadable as reason:
                self.left_out.append(LeftOut(self._module.path, node.lineno, f"{name}: {reason}"))
                continue
            message = FoundMessage("user", text)
            yield FoundPrompt(self._module.path, node.lineno, name, (message,), call="constant", notes=notes)

    def _functions(self) -> Iterator[FoundPrompt]:
        """Functions with one ``return`` that make prompts by their name, and that no found call uses."""
        scope = self._module.scope
        own = [(name, scope, function) for name, function in scope.functions.items()]
        for statement in self._module.tree.body:
            if isinstance(statement, ast.ClassDef):
                klass = scope_of(statement.body, scope)
                around = Scope(outer=scope, klass=klass)
                own += [(f"{statement.name}.{name}", around, each) for name, each in klass.functions.items()]
        for name, outer, function in own:
            last = name.rpartition(".")[2]
            if function is None or last in self.used or not _MAKES.search(last):
                continue
            value = single_return(function, grows=True)
            if value is None:
                continue
            inner = scope_of(function.body, outer, frozenset(arg.arg for arg in parameters_of(function)))
            reader = TextReader(inner, frozenset({id(function.body)}), value.lineno)
            try:
                found = self._made(function, value, reader)
            except Unreadable:
                # It is listed.
                continue
            if found is not None:
                yield FoundPrompt(self._module.path, function.lineno, name, found[1], call=found[0])

    def _made(
        self, function: Function, value: ast.expr, reader: TextReader
    ) -> tuple[str, tuple[FoundMessage, ...]] | None:
        if _is_chat(value) or isinstance(value, ast.Name):
            self._function = function
            assigned = reader.value(value) if isinstance(value, ast.Name) else None
            if not assigned or isinstance(assigned[0][1].value, ast.List):
                messages = tuple(self._messages(value, reader))
                words = sum(literal_words(message.text) for message in messages)
                return ("chat", messages) if words >= FEWEST_WORDS else None
        text = reader.text(value)
        if literal_words(text) < FEWEST_WORDS or single_return(function) is None:
            return None
        return "text function", (FoundMessage("user", text),)

    def _as_format(self, name: str, text: Pieces) -> tuple[Pieces, tuple[str, ...]]:
        """The text of a constant, with its braces read if ``.format`` is called on it, or nothing says otherwise."""
        try:
            made = tuple(p for part in text for p in (format_text(part) if isinstance(part, str) else (part,)))
        except Unreadable:
            if name in self._formatted:
                raise
            return text, ()
        if name in self._formatted or made == text:
            return made, ()
        if any(isinstance(part, Hole) for part in made):
            return made, (f"{name}: its braces are read as variables of str.format, though no call of it is seen",)
        return text, ()


def _blocks(place: ast.AST) -> Iterator[list[ast.stmt]]:
    for each in walk(place):
        yield from blocks_of(each)


def _dotted(outer: str, name: str) -> str:
    return f"{outer}.{name}" if outer else name


def _is_chat(node: ast.expr) -> bool:
    """Whether this is a list of messages, as it is written."""
    if not isinstance(node, ast.List) or not node.elts:
        return False
    first = node.elts[0]
    if isinstance(first, ast.Dict):
        return {"role", "content"} <= {key.value for key in first.keys if isinstance(key, ast.Constant)}
    if isinstance(first, ast.Tuple) and len(first.elts) == 2:
        return isinstance(first.elts[0], ast.Constant) and first.elts[0].value in _ROLES
    return (
        isinstance(first, ast.Call)
        and ast.unparse(first.func).removesuffix(".from_template").rpartition(".")[2] in CLASSES
    )


def _as_template(message: FoundMessage, form: str) -> FoundMessage:
    if not all(isinstance(part, str) for part in message.text):
        if any(isinstance(part, str) and re.search(r"\{\w+\}", part) for part in message.text):
            raise Unreadable("a template is itself put together by an f-string")
        return message
    text = "".join(map(str, message.text))
    if form == "jinja2":
        return replace(message, text=(text,), jinja=True)
    if form == "mustache":
        if re.search(r"\{\{[#^/>!&{]", text):
            raise Unreadable("a mustache template with sections")
        return replace(message, text=(text,), jinja=True)
    return replace(message, text=format_text(text))


def _reached(reader: TextReader, node: ast.AST) -> set[str]:
    """Names that what a call sends is made of, by way of other names."""
    reached: set[str] = set()
    waiting = [each for each in walk(node) if isinstance(each, ast.Name | ast.Attribute)]
    while waiting:
        each = waiting.pop()
        name = each.id if isinstance(each, ast.Name) else each.attr
        if name in reached:
            continue
        reached.add(name)
        try:
            found = reader.value(each) or []
        except Unreadable:
            continue
        for _, assigned in found:
            if assigned.value is not None:
                waiting += [n for n in walk(assigned.value) if isinstance(n, ast.Name | ast.Attribute)]
    return reached


def _target(tree: ast.Module, node: ast.AST) -> str:
    """The name that a statement of the module gives its value, as ``PROMPT = from_template(...)``."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(child is node for child in walk(statement)):
            target = statement.targets[0]
            return target.id if isinstance(target, ast.Name) else ""
    return ""
