"""The short calls of a program: render a prompt, count tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptopt.errors import check_argument, check_model
from promptopt.suites import load_suite
from promptopt.templates import Template, list_prompts, load_prompt
from promptopt.templates.sdk_messages import read_message
from promptopt.tokens import TokenCount, count_tokens
from promptopt.values import Message, Rendered

if TYPE_CHECKING:
    from promptopt.compression.edit import Level

__all__ = ["count", "list_prompts", "load_prompt", "load_suite", "render"]


def render(
    prompt: str | Path | Template,
    variables: Mapping[str, Any] | None = None,
    *,
    model: str | None = None,
    compress: Level | None = None,
) -> Rendered:
    """The prompt with its variables filled in, ready for ``client.chat.completions.create(**rendered.openai())``.

    Args:
        prompt: A name (its newest version), ``name@version``, a path, ``REF:path`` out of git, or a template.
        variables: Those that it uses; further ones are ignored.
        model: Overrides the prompt's own.
        compress: ``safe``, ``standard`` or ``telegraphic`` renders the prompt compressed; the template is compressed
            once, not with each call.

    Raises:
        TemplateError: There is no such prompt, a variable is undefined, or it cannot be rendered.
        UsageError: There is no such level.
    """
    template = prompt if isinstance(prompt, Template) else load_prompt(prompt)
    fits = variables is None or isinstance(variables, Mapping)
    check_argument(fits, "variables", variables, "a mapping of names to values")
    check_model(model)
    if compress is not None:
        from promptopt.compression.engine import check_level, compressed_template

        check_level(compress)
        template = compressed_template(template, compress)
    rendered = template.render(variables or {})
    return replace(rendered, model=model) if model else rendered


def count(
    subject: str | Path | Template | Rendered | Iterable[Message | Mapping[str, str]],
    variables: Mapping[str, Any] | None = None,
    *,
    model: str | None = None,
) -> TokenCount:
    """Input tokens of a text, a prompt or messages; ``.tokens`` is the number.

    Args:
        subject: A ``str`` is text. A ``Path``, a template or a ``Rendered`` is a prompt. Anything else is a sequence of
            messages: ``Message``, or mappings as the OpenAI SDK takes them.
        variables: What a prompt is rendered with.
        model: The model that would read it; by default the prompt's own, and for a text the one of ``o200k_base``.

    Raises:
        TypeError: An argument is of another type; variables are given for a text or messages, which have none.
        TemplateError: The prompt cannot be rendered.
        ValueError: The content of a message is neither a text nor parts that are texts and media.
    """
    check_model(model)
    if isinstance(subject, (Path, Template)):
        return count_tokens(render(subject, variables), model)
    # Counted without them, it would be a wrong number that looks right.
    what = "for a text or messages, which are counted as they are (a model is `model=`)"
    check_argument(not variables, "variables", variables, what)
    if isinstance(subject, (str, Rendered)):
        return count_tokens(subject, model)
    listed = isinstance(subject, Iterable) and not isinstance(subject, bytes | Mapping)
    check_argument(listed, "subject", subject, "a text, a path, a template, a `Rendered` or a list of messages")
    return count_tokens([_message(item) for item in subject], model)


def _message(item: Message | Mapping[str, Any]) -> Message:
    fits = isinstance(item, Message) or (
        isinstance(item, Mapping)
        and isinstance(item.get("role"), str)
        and (isinstance(item.get("content"), str | list) or bool(item.get("tool_calls")))
    )
    check_argument(fits, "subject", item, "a message: a `Message`, or a mapping with `role` and `content`")
    return read_message(item)
