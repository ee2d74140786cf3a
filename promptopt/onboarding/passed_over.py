"""Texts of programs that look like prompts and are in no prompt that was found: each is named, none is passed over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from promptopt.onboarding.found import FoundPrompt, LeftOut
from promptopt.onboarding.python_calls import CLASSES, PROMPT_NAME
from promptopt.onboarding.python_modules import Function, Module, dotted, walk
from promptopt.onboarding.python_text import FEWEST_WORDS, words_of

_SENDS = re.compile(
    r"(chat\.completions|messages|responses|completions|ChatCompletion|Completion)\.(a?create|parse|stream)$"
    r"|(^|\.)a?completion$|generate_content$"
)
_ASKS = re.compile(
    r"(llm|model|chat|gpt|claude|gemini|openai|agent)\w*(\(.*\))?\.(a?(invoke|predict|complete|chat|run|generate)|stream)$",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"prompt|template$|instructions?$|^system(_message|_instruction)?$|^backstory$", re.IGNORECASE)
# What asks a person at a terminal, and describes an option.
_NOT_SENT = {"input", "print", "getenv", "get", "add_argument", "option", "argument", "confirm", "open", "Path", "join"}
_KEEP_TEXT = {
    "format",
    "strip",
    "lstrip",
    "rstrip",
    "dedent",
    "cleandoc",
    "replace",
    "Template",
    "join",
    "str",
    "format_map",
}


def passed_over(
    modules: Sequence[Module], prompts: Sequence[FoundPrompt], left_out: Sequence[LeftOut]
) -> list[LeftOut]:
    """What else the modules hold that may be sent to a model.

    Args:
        prompts: What was found: texts that are in one of them are carried over.
        left_out: What is named already.
    """
    carried = " ".join(
        " ".join(part.split())
        for prompt in prompts
        for message in prompt.messages
        for part in message.text
        if isinstance(part, str)
    )
    helpers, makers = set(), set()
    for module in modules:
        values = _values(module.nodes, set())
        helpers |= _helpers(module.nodes, values)
        makers |= _makers(values)
    sent = [_values(module.nodes, helpers) for module in modules]
    makers |= {name for values in sent for name in _makers(values)}
    found = []
    for module, values in zip(modules, sent, strict=True):
        names = _names(values)
        here = [each for each in left_out if each.path == module.path]
        said = {each.line for each in here} | _lines_of_parts(module.nodes, here)
        for line, reason in sorted(_of_module(module, carried, names, helpers, makers)):
            if line not in said:
                said.add(line)
                found.append(LeftOut(module.path, line, reason))
    return found


def _lines_of_parts(tree: Sequence[ast.AST], left_out: Sequence[LeftOut]) -> set[int]:
    """The lines of what a text or a list of messages, which is named already, is put together of."""
    lists = {each.line for each in left_out if each.reason.startswith("the messages ")}
    texts = {each.line for each in left_out} - lists
    lines: set[int] = set()
    for function in tree:
        if not isinstance(function, Function) or not any(
            function.lineno <= line <= (function.end_lineno or 0) for line in lists | texts
        ):
            continue
        nodes = walk(function)
        if any(function.lineno <= line <= (function.end_lineno or 0) for line in lists):
            lines |= {node.lineno for node in nodes if isinstance(node, ast.Dict) and "role" in _table(node)}
        used = {node.id for node in nodes if isinstance(node, ast.Name) and node.lineno in texts}
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if used & {target.id for target in targets if isinstance(target, ast.Name)}:
                    lines.add(node.value.lineno)
    return lines


def _of_module(
    module: Module, carried: str, names: set[str], helpers: set[str], makers: set[str]
) -> Iterator[tuple[int, str]]:
    for value, reason in _candidates(module.nodes, names, helpers, makers):
        texts = list(_texts(value))
        lost = [text for text in texts if words_of(text) and _longest(text) not in carried]
        if words_of(" ".join(texts)) >= FEWEST_WORDS and lost and words_of(" ".join(lost)) >= FEWEST_WORDS:
            yield value.lineno, reason
    for call in module.nodes:
        if not isinstance(call, ast.Call):
            continue
        function = dotted(call.func)
        spliced = [keyword.value for keyword in call.keywords if keyword.arg is None]
        given = {keyword.arg for keyword in call.keywords}
        if spliced and _SENDS.search(function) and not given & {"messages", "input", "prompt", "contents"}:
            yield call.lineno, f"what it sends is spliced in: **{ast.unparse(spliced[0])[:60]}"
        if function.endswith("hub.pull"):
            yield call.lineno, "its prompt is pulled from LangChain's hub, and is not in the repository"


def _candidates(
    nodes: Sequence[ast.AST], names: set[str], helpers: set[str], makers: set[str]
) -> Iterator[tuple[ast.expr, str]]:
    """Expressions that may be texts of prompts, and why none was found."""
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
                if PROMPT_NAME.search(name) or name in names:
                    yield node.value, f"{name}: no call was found that sends it as it is"
        elif isinstance(node, Function):
            yield from _of_function(node, makers)
        elif isinstance(node, ast.Call):
            yield from _of_call(node, helpers)
        elif isinstance(node, ast.Dict):
            given = _table(node)
            if {"role", "content"} <= given.keys():
                yield given["content"], "a message that no call was found to send as it is"


def _of_function(node: Function, makers: set[str]) -> Iterator[tuple[ast.expr, str]]:
    args = [*node.args.posonlyargs, *node.args.args]
    defaults = [*zip(reversed(args), reversed(node.args.defaults), strict=False)]
    defaults += [(arg, value) for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    for arg, given in defaults:
        if PROMPT_NAME.search(arg.arg):
            yield given, f"{arg.arg}: the text is the default of a parameter"
    if node.name in makers or PROMPT_NAME.search(node.name):
        for each in walk(node):
            value: ast.expr | None = each.value if isinstance(each, ast.Return | ast.Assign | ast.AugAssign) else None
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "append":
                value = each.args[0] if each.args else None
            if value is not None:
                yield value, f"{node.name}() makes the text: carry it over by hand"


def _of_call(node: ast.Call, helpers: set[str]) -> Iterator[tuple[ast.expr, str]]:
    function = dotted(node.func)
    last = function.removesuffix(".from_template").rpartition(".")[2]
    if last in _NOT_SENT:
        return
    shown = f"{function[:40]}()"
    if last in CLASSES:
        yield from ((value, "a message that no call was found to send as it is") for value in node.args[:1])
    if last in helpers or _ASKS.search(function):
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield value, f"the text is given to {shown}, which sends it"
    for keyword in node.keywords:
        if keyword.arg and (_KEYWORD.search(keyword.arg) or (last.startswith("FewShot") and "fix" in keyword.arg)):
            yield keyword.value, f"the text is given to {shown} as {keyword.arg}"


def _helpers(nodes: Sequence[ast.AST], values: Sequence[ast.expr]) -> set[str]:
    """Functions that send what they are given, of a module that sends these values."""
    found = set()
    for node in nodes:
        if isinstance(node, Function):
            given = {arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
            last = node.end_lineno or node.lineno
            if given - {"self", "cls"} & _names([each for each in values if node.lineno <= each.lineno <= last]):
                found.add(node.name)
    return found - {"__init__"}


def _values(nodes: Sequence[ast.AST], helpers: set[str]) -> list[ast.expr]:
    """What is sent, by calls of SDKs and of these functions."""
    values: list[ast.expr] = []
    for node in nodes:
        if isinstance(node, ast.Dict) and {"role", "content"} <= _table(node).keys():
            values.append(_table(node)["content"])
        elif isinstance(node, ast.Call):
            function = dotted(node.func)
            if function.rpartition(".")[2] in helpers | CLASSES.keys() or _ASKS.search(function):
                values += node.args
            if _SENDS.search(function) or function.rpartition(".")[2] in helpers:
                values += [each.value for each in node.keywords if each.arg not in ("model", "tools", None)]
    return values


def _names(values: Sequence[ast.expr]) -> set[str]:
    names = {value.id for value in values if isinstance(value, ast.Name)}
    return names | {value.attr for value in values if isinstance(value, ast.Attribute)}


def _makers(values: Sequence[ast.expr]) -> set[str]:
    """Functions that make what is sent."""
    called = [value for value in values if isinstance(value, ast.Call)]
    makers = {
        dotted(value.func).rpartition(".")[2] for value in called if isinstance(value.func, ast.Name | ast.Attribute)
    }
    return makers - _NOT_SENT - _KEEP_TEXT


def _table(node: ast.Dict) -> dict[str, ast.expr]:
    return {
        str(key.value): value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    }


def _texts(node: ast.expr) -> Iterator[str]:
    """The literal texts that an expression is made of; not those that a call in it is given."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.Call):
        last = dotted(node.func).rpartition(".")[2]
        if last in _KEEP_TEXT:
            if isinstance(node.func, ast.Attribute):
                yield from _texts(node.func.value)
            if last not in ("format", "replace"):
                yield from (text for each in node.args for text in _texts(each))
    elif isinstance(node, ast.Dict):
        yield from (text for value in node.values for text in _texts(value))
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.JoinedStr | ast.List | ast.Tuple | ast.Subscript | ast.Await):
        yield from (text for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr) for text in _texts(each))


def _longest(text: str) -> str:
    """A part of a text that no formatting changes."""
    parts = re.split(r"\{+[^{}]*\}+|\[[^\[\]]*\]|%(?:\(\w+\))?[-+ #0\d.]*[a-z]|\$\w+|<<\w+>>|[{}%$\n<>]+", text)
    return max((" ".join(part.split()) for part in parts), key=len, default="")
