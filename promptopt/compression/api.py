"""Compress a text, or a prompt file, once; keep the result."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from promptopt.compression.document import Document
from promptopt.compression.edit import LEVELS, Level
from promptopt.compression.engine import Compression, compress_document
from promptopt.compression.rules.base import choose_rules
from promptopt.config import load_config
from promptopt.errors import UsageError, did_you_mean
from promptopt.templates import Template
from promptopt.templates.readers import OverlayReader

__all__ = ["Compression", "Level", "compress", "compress_prompt", "compressed_template"]

LONGEST_TEXT = 2_000_000
"""Characters; a longer text is data, not a prompt, and is left as it is."""
LONGEST_LINE = 20_000
"""Characters of a line; a text with a longer one is left as it is."""


def compress(
    text: str,
    level: Level = "standard",
    *,
    model: str | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Compression:
    """A shorter text that says the same; ``.text`` is the text, ``.edits`` the log of what was changed.

    Applied to its own result it changes nothing. Placeholders and template tags in the text survive byte for byte.

    Args:
        level: ``safe``, ``standard`` or ``telegraphic``.
        model: The model that would read it: its tokens are counted, and its prompt cache is respected.
        select: Codes, or beginnings of codes, of the rules to apply; all if empty.
        ignore: Those not to apply.

    Raises:
        UsageError: The level or a rule is unknown.
    """
    check_level(level)
    return _compress(text, level, model, tuple(select), tuple(ignore))


def check_level(level: str) -> None:
    """Refuse an unknown level.

    Raises:
        UsageError: ``level`` is unknown.
    """
    if level not in LEVELS:
        raise UsageError(f"no level {level!r}.{did_you_mean(level, LEVELS)} Known are: {', '.join(LEVELS)}")


@lru_cache(maxsize=256)
def _compress(
    text: str, level: Level, model: str | None, select: tuple[str, ...], ignore: tuple[str, ...]
) -> Compression:
    rules = choose_rules(select, ignore)
    if not is_prose(text):
        from promptopt.tokens import tokenizer_for

        tokens = tokenizer_for(model).count(text.encode("utf-8", "replace").decode("utf-8"))
        return Compression(text, text, level, tokens, tokens)
    return compress_document(Document(text, model=model), level, rules)


def is_prose(text: str) -> bool:
    """Whether a text can be a prompt at all: not binary, not megabytes, no line of ten pages."""
    if len(text) > LONGEST_TEXT or "\x00" in text or "\ue000" in text:
        return False
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return False
    return max((len(line) for line in text.split("\n")), default=0) <= LONGEST_LINE


def document_of(template: Template, model: str | None = None) -> Document:
    """A prompt file as a document; tokens are those of ``model``, the prompt's own or ``price_as``."""
    config = load_config()
    chosen = model or template.front.model or config.model
    priced = config.price_as or chosen
    return Document(template.source, template.front, template.path, priced, reader=template.reader)


def compress_prompt(
    template: Template, level: Level = "standard", *, select: Iterable[str] = (), ignore: Iterable[str] = ()
) -> Compression:
    """The compression of a prompt file's source; its front matter, expressions, tags and comments stay.

    Raises:
        UsageError: The level or a rule is unknown.
    """
    check_level(level)
    document = document_of(template)
    if not is_prose(template.source):
        return _compress(template.source, level, document.model, (), ())
    return compress_document(document, level, choose_rules(select, ignore))


@lru_cache(maxsize=256)
def compressed_template(template: Template, level: Level) -> Template:
    """The prompt with its source compressed, compiled once; its includes stay as they are.

    Raises:
        UsageError: The level is unknown.
    """
    compression = compress_prompt(template, level)
    if compression.text == template.source:
        return template
    return with_source(template, compression.text)


def with_source(template: Template, source: str) -> Template:
    """The same prompt with another source, compiled.

    Raises:
        TemplateError: The source cannot be compiled.
    """
    return Template.load(template.name, OverlayReader(template.reader, template.name, source), template.origin)
