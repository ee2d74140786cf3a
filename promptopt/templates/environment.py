"""The Jinja2 environment of prompts: options, filters, and errors in promptopt's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import lru_cache
from typing import Any

from jinja2 import (
    BaseLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2 import Environment as JinjaEnvironment
from jinja2 import TemplateError as JinjaError
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.lexer import Lexer
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptopt.errors import PromptoptError, TemplateError, UndefinedVariable, did_you_mean
from promptopt.templates.chat import ChatExtension, keep_white_space
from promptopt.templates.filters import Keep, compact, fit
from promptopt.templates.frontmatter import mask_front_matter
from promptopt.templates.media_tags import MediaExtension
from promptopt.templates.readers import Reader

# Not identifiers, so that no template can read or set them; context variables, so that includes share them.
NOTES = "promptopt: notes"
MODEL = "promptopt: model"

_OPTIONS: dict[str, Any] = {
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "autoescape": False,
}
_UNDEFINED = re.compile(r"^'(?P<name>\w+)' is undefined$")
_UNKNOWN = re.compile(r"^No (?P<kind>filter|test) named '(?P<name>[^']+)'")


class ReaderLoader(BaseLoader):
    """Loads includes through a :class:`Reader`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def get_source(
        self,
        environment: JinjaEnvironment,  # noqa: ARG002 - jinja2's signature
        template: str,
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        try:
            text = self.reader.read(template)
        except (FileNotFoundError, IsADirectoryError):
            raise TemplateNotFound(template) from None
        return mask_front_matter(text), self.reader.display(template), None


@pass_context
def _compact(context: Context, data: object) -> str:
    """``{{ rows | compact }}``: the data in the notation that costs the fewest tokens."""
    return compact(data, context.get(MODEL))


@pass_context
def _fit(
    context: Context, data: str | Sequence[Any], budget: int, *, query: str | None = None, keep: Keep | None = None
) -> str:
    """``{{ docs | fit(2000, query=question) }}``: whole chunks within a token budget; what is left out is noted."""
    fitted = fit(data, budget, query=query, keep=keep, model=context.get(MODEL))
    notes = context.get(NOTES)
    if fitted.left_out and notes is not None:
        total = len(fitted.kept) + len(fitted.left_out)
        numbers = ", ".join(str(number + 1) for number in fitted.left_out[:20])
        more = ", ..." if len(fitted.left_out) > 20 else ""
        notes.append(f"fit({budget}) left out {len(fitted.left_out)} of {total} chunks: {numbers}{more}")
    return fitted.text


# Jinja2 tries at each character of literal text whether a tag begins there. None does before one of these marks.
_SLOW_TEXT = "(.*?)"
_TEXT = r"((?:[^{]++|\{(?![{%#]))*+)"


@lru_cache(maxsize=16)
def _quick(lexer: Lexer) -> Lexer:
    """A lexer of the usual delimiters that reads literal text at once, and otherwise as ``lexer`` does."""
    tags, *others = lexer.rules["root"]
    if not tags.pattern.pattern.startswith(_SLOW_TEXT):
        return lexer
    pattern = re.compile(_TEXT + tags.pattern.pattern.removeprefix(_SLOW_TEXT), tags.pattern.flags)
    quick = copy(lexer)
    quick.rules = {**lexer.rules, "root": [tags._replace(pattern=pattern), *others]}
    return quick


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox that prompts are compiled in: its options, the ``chat`` block, the tags of media and the filters.

    Args:
        loader: Where includes come from; ``None``: there are none.
        options: Options of Jinja2 that replace those of prompts.
    """

    def __init__(self, loader: BaseLoader | None, **options: Any) -> None:
        super().__init__(loader=loader, extensions=[ChatExtension, MediaExtension], **_OPTIONS | options)
        self.filters |= {"compact": _compact, "fit": _fit}

    @property
    def lexer(self) -> Lexer:
        """Jinja2's lexer, quicker."""
        return _quick(super().lexer)

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As the sandbox calls; what a tag of the prompt's own compiles to is no code of the template's."""
        if isinstance(getattr(called, "__self__", None), (ChatExtension, MediaExtension)):
            # Within loops and blocks Jinja2 adds what a context is derived from, which these do not take.
            own = {name: value for name, value in kwargs.items() if name not in ("_loop_vars", "_block_vars")}
            return called(*args, **own)
        return super().call(context, called, *args, **kwargs)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        keep_white_space(source, self)
        return super()._generate(source, name, filename, defer_init)


def check_filters(tree: nodes.Template, environment: JinjaEnvironment) -> None:
    """Refuse filters and tests that do not exist, in branches too, where Jinja2 itself waits until one is taken.

    Raises:
        TemplateSyntaxError: There is one.
    """
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        known: dict[str, Any] = environment.filters if isinstance(node, nodes.Filter) else environment.tests
        if node.name not in known:
            kind = "filter" if isinstance(node, nodes.Filter) else "test"
            raise TemplateSyntaxError(f"No {kind} named {node.name!r}.", node.lineno)


def explain(error: Exception, path: str, environment: JinjaEnvironment, given: Iterable[str] = ()) -> PromptoptError:
    """An error out of Jinja2, or out of code that a template called, as a TemplateError with file and line.

    Args:
        path: The prompt file that was compiled or rendered.
        given: Names of the variables that it was rendered with, for a hint.
    """
    if isinstance(error, PromptoptError):
        if isinstance(error, TemplateError) and error.path is None:
            return TemplateError(error.message, path=path, line=_line(error, path), remedy=error.remedy)
        return error
    if isinstance(error, TemplateSyntaxError):
        message, remedy = _syntax(error, environment)
        # An error raised while rendering carries the line of the block; its file is that of the frame.
        return TemplateError(message, path=error.filename or path, line=error.lineno, remedy=remedy)
    file, line = _place(error, path)
    if isinstance(error, TemplateNotFound):
        return TemplateError(f"includes {error.name!r}, which does not exist", path=file, line=line)
    if isinstance(error, UndefinedError):
        return _undefined(error, file, line, sorted(given))
    if isinstance(error, TemplateRuntimeError) and _UNKNOWN.match(str(error)):
        message, remedy = _syntax(error, environment)
        return TemplateError(message, path=file, line=line, remedy=remedy)
    if isinstance(error, SecurityError):
        return TemplateError(f"the sandbox refuses this: {error}", path=file, line=line)
    return TemplateError(f"cannot be rendered: {type(error).__name__}: {error}", path=file, line=line)


def _syntax(error: JinjaError, environment: JinjaEnvironment) -> tuple[str, str | None]:
    message = error.message or "syntax error"
    unknown = _UNKNOWN.match(message)
    if unknown is None:
        return message, None
    known: dict[str, Any] = environment.filters if unknown["kind"] == "filter" else environment.tests
    name = unknown["name"]
    return f"unknown {unknown['kind']} {name!r}.{did_you_mean(name, known)}", None


def _undefined(error: UndefinedError, file: str, line: int | None, given: list[str]) -> TemplateError:
    message = str(error)
    name = _UNDEFINED.match(message)
    if name is None:
        return TemplateError(message, path=file, line=line)
    variables = f"it was given: {', '.join(given)}" if given else "it was given no variables"
    return UndefinedVariable(
        f"the variable {name['name']!r} is undefined.{did_you_mean(name['name'], given)}",
        path=file,
        line=line,
        remedy=variables,
    )


def _place(error: BaseException, path: str) -> tuple[str, int | None]:
    """File and line of the innermost template frame; Jinja2 rewrites its frames to template lines."""
    found: tuple[str, int | None] = (path, None)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == path or file.endswith((".j2", ".jinja", ".jinja2", ".txt", ".md")):
            found = (file, trace.tb_lineno)
        trace = trace.tb_next
    return found


def _line(error: BaseException, path: str) -> int | None:
    return _place(error, path)[1]
