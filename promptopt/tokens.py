"""Exact token counts, offline.

The vocabularies of ``o200k_base`` and ``cl100k_base`` ship with the package and are handed to tiktoken, which would
otherwise download them. Neither tiktoken's cache nor the environment is touched. A process that counts little does
without tiktoken's tables, see :mod:`promptopt.vocabularies`.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from promptopt.media_tokens import media_tokens, why_uncounted
from promptopt.values import JSONSchema, Media, Message, Rendered, Request, Tool, ToolCall, canonical_json
from promptopt.vocabularies import SHIPPED, LittleText, encoding_arguments

if TYPE_CHECKING:
    import tiktoken

DEFAULT_ENCODING = "o200k_base"
# gpt-oss speaks o200k_base with other special tokens; ordinary text is the same tokens.
_SAME_TEXT_AS = {"o200k_harmony": "o200k_base"}

# Chat framing as OpenAI's cookbook ("How to count tokens with tiktoken") gives it: every message is wrapped in three
# tokens and names its role in one, and the reply is primed with three.
TOKENS_PER_MESSAGE = 4
TOKENS_PER_REPLY = 3
# A strict schema is billed as its compact JSON without the keywords below, and nine tokens around it
# (openai/openai-cookbook#2140).
TOKENS_PER_SCHEMA = 9
# The recipe of OpenAI's cookbook for tools of gpt-4o: each function, its object of properties, each property, its enum
# and each item of it, and once after all functions.
TOKENS_PER_TOOL = 7
TOKENS_PER_OBJECT = 3
TOKENS_PER_PROPERTY = 3
TOKENS_PER_ENUM = -3
TOKENS_PER_ENUM_ITEM = 3
TOKENS_AFTER_TOOLS = 12
# OpenAI, "Prompt caching" (platform.openai.com/docs/guides/prompt-caching): prompts of 1,024 tokens or more are cached,
# and hits come in steps of 128 tokens.
CACHE_MINIMUM_TOKENS = 1024
CACHE_STEP_TOKENS = 128
# Minimum and step of models with a rule of their own, the first that their name begins with:
# api-docs.deepseek.com/guides/kv_cache, ai.google.dev/gemini-api/docs/caching, and Anthropic's "Prompt caching" and its
# pages of the models. The others are taken as OpenAI's.
_CACHE_RULES = (
    (re.compile(r"gemini-[12]"), (2048, 1)),
    (re.compile(r"gemini"), (4096, 1)),
    (re.compile(r"claude-(?:(?:opus|fable|mythos)-5|(?:sonnet|haiku)-5-5)"), (512, 1)),
    (re.compile(r"claude-(?:opus-4-[56]|haiku-4-5)"), (4096, 1)),
    (re.compile(r"claude-(?:opus-4-7|3(?:-5)?-haiku)"), (2048, 1)),
    (re.compile(r"claude"), (1024, 1)),
)
# Of its own service: who else serves DeepSeek's models has another cache, or none.
_DEEPSEEK, _DEEPSEEK_RULE = "deepseek", (64, 64)
_UNBILLED_KEYWORDS = frozenset({"required", "additionalProperties", "$schema"})

_FINE_TUNED = re.compile(r"(?:^|[:/])ft:([^:]+)")

_REMEMBERED = 10_000

_LONG_RUN = 50_000
_LONG_SPACE = re.compile(rf"\s{{{_LONG_RUN},}}")
# Such a run has at least so many of every thousandth characters; looking at all of them takes a tenth of a second.
_SAMPLED, _SAMPLES_OF_SPACE = 1000, re.compile(rf"\s{{{_LONG_RUN // 1000 - 1},}}")
# Characters that are counted in one piece: while tiktoken's list of numbers is made, no other thread runs.
_PIECE = 200_000
# Vocabularies' patterns never go on from a letter or a number to a space, and none looks back.
_CUT = re.compile(r"(?<=[^\W_]) ")

Basis = Literal["counted", "measured", "estimated"]


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """The encoding a model is counted with.

    Attributes:
        exact: Whether this is the model's own encoding. If it is not (no public tokenizer, or one that is not
            shipped), counts are estimates and are labelled so.
    """

    encoding: str
    exact: bool

    @property
    def basis(self) -> Basis:
        return "counted" if self.exact else "estimated"

    def count(self, text: str) -> int:
        """Tokens of ``text``; special tokens in it count as the plain text they are."""
        if self.encoding not in _LOADED and len(text) < _LONG_RUN:
            found = _little(self.encoding).count(text)
            if found is not None:
                return found
        encode = _load(self.encoding).encode_ordinary
        if len(text) < _LONG_RUN:
            return len(encode(text))
        if _has_long_space(text):
            # tiktoken's pattern engine panics on white space of some hundred thousand characters; such a run is
            # counted in slices, which is off by less than a token a slice.
            return sum(len(encode(part)) for part in _slices(text))
        return sum(len(encode(part)) for part in _pieces(text))

    def starts(self, text: str) -> list[int]:
        """Where in ``text`` each of its tokens begins, as an index of characters; as many as :meth:`count` counts.

        A token that begins within a character, as those of an emoji do, begins where the character does.
        """
        encoding = _load(self.encoding)
        found: list[int] = []
        base = 0
        for part in _slices(text) if _has_long_space(text) else [text]:
            position = base
            for token in encoding.decode_tokens_bytes(encoding.encode_ordinary(part)):
                # 0b10xxxxxx continues a character of UTF-8.
                found.append(position - (0x80 <= token[0] < 0xC0))
                position += sum((byte & 0xC0) != 0x80 for byte in token)
            base += len(part)
        return found


def _has_long_space(text: str) -> bool:
    if len(text) <= _LONG_RUN or _SAMPLES_OF_SPACE.search(text[::_SAMPLED]) is None:
        return False
    return _LONG_SPACE.search(text) is not None


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that have as many tokens as the whole."""
    start = 0
    while len(text) - start > _PIECE and (found := _CUT.search(text, start + _PIECE)):
        yield text[start : found.start()]
        start = found.start()
    yield text[start:] if start else text


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Input tokens of one request, by what they are spent on.

    Attributes:
        content: Tokens of the messages' texts.
        framing: Tokens that wrap messages and prime the reply; 0 for plain text.
        schema: Tokens that a strict output schema adds to the input.
        tools: Tokens that the schemas of tools add to it; an estimate, as no provider says how it writes them.
        media: Tokens of images, sounds and files by the provider's published rule; an estimate.
        uncounted: Those of them that no published rule counts, each with why; they are in no number here.
    """

    content: int
    framing: int
    schema: int
    encoding: str
    basis: Basis
    tools: int = 0
    media: int = 0
    uncounted: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """All of them; a :class:`PartialCount` if something is not counted."""
        found = self.content + self.framing + self.schema + self.tools + self.media
        return PartialCount(found) if self.uncounted else found


def base_model(model: str) -> str | None:
    """The model that a fine-tuned one, ``ft:gpt-4o-2024-08-06:acme::id``, was made from; ``None`` for another one."""
    found = _FINE_TUNED.search(model)
    return found[1] if found else None


def plain_name(model: str) -> str:
    """A model's name without its provider; of a fine-tuned one, of the model that it was made from."""
    return base_model(model) or model.rpartition("/")[2].rpartition(":")[2]


class PartialCount(int):
    """Tokens without those of what cannot be counted: a price of them would be wrong."""


def tokenizer_for(model: str | None) -> Tokenizer:
    """The tokenizer of ``model`` by tiktoken's own table; without a model, ``o200k_base``.

    ``provider/model`` and ``provider:model`` are looked up by their last part, a fine-tuned model by the one it was
    made from.
    """
    if model is None:
        return Tokenizer(DEFAULT_ENCODING, exact=True)
    return _tokenizer_for(model)


@lru_cache(maxsize=256)
def _tokenizer_for(model: str) -> Tokenizer:
    from tiktoken.model import encoding_name_for_model

    names = [model, model.rpartition("/")[2], model.partition(":")[2] or model]
    if base := base_model(model):
        # By its full name ft:gpt-4.9 would be taken for a gpt-4.
        names = [base] if f"{base}:" in model else [base, *names]
    for name in names:
        try:
            encoding = encoding_name_for_model(name)
        except KeyError:
            continue
        encoding = _SAME_TEXT_AS.get(encoding, encoding)
        if encoding in SHIPPED:
            return Tokenizer(encoding, exact=True)
    return Tokenizer(DEFAULT_ENCODING, exact=False)


def count_tokens(
    subject: str | Rendered | Request | Iterable[Message],
    model: str | None = None,
    *,
    schema: JSONSchema | None = None,
    tools: Sequence[Tool] = (),
) -> TokenCount:
    """Input tokens of a plain text, of messages (with chat framing), or of a whole prompt (with its schema).

    Args:
        model: The model that would read it; by default the one the subject names.
        schema: An output schema that travels with messages; a ``Rendered`` or ``Request`` brings its own.
        tools: The tools that do, likewise.
    """
    if isinstance(subject, str):
        tokenizer = tokenizer_for(model)
        return TokenCount(tokenizer.count(subject), 0, 0, tokenizer.encoding, tokenizer.basis)
    detail = ""
    if isinstance(subject, (Rendered, Request)):
        model, detail = model or subject.model, subject.params.detail or ""
        schema, tools = subject.output_schema, subject.tools
        messages = subject.messages
    else:
        messages = tuple(subject)
    tokenizer = tokenizer_for(model)
    content, called = 0, 0
    media: list[Media] = []
    for message in messages:
        content += _content_tokens(message.content, tokenizer)
        if message.tool_calls:
            called += calls_tokens(message.tool_calls, tokenizer)
        if message.parts:
            media += message.media
    framing = TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_REPLY
    billed = 0 if schema is None else schema_tokens(schema, tokenizer)
    if not (tools or media or called):
        return TokenCount(content, framing, billed, tokenizer.encoding, tokenizer.basis)
    counted = [(medium, medium_tokens(medium, model, detail)) for medium in media]
    return TokenCount(
        content + called,
        framing,
        billed,
        tokenizer.encoding,
        "estimated",
        tools_tokens(tools, tokenizer),
        sum(tokens or 0 for _, tokens in counted),
        tuple(dict.fromkeys(why_uncounted(medium, model) for medium, tokens in counted if tokens is None)),
    )


def medium_tokens(medium: Media, model: str | None, detail: str = "") -> int | None:
    """Tokens of an image, a sound or a file: of a text file its own, else those of the model's published rule.

    Args:
        detail: Of images that have none of their own.

    Returns:
        ``None`` if no such rule says it.
    """
    if medium.media_type.startswith("text/") and medium.data:
        return tokenizer_for(model).count(medium.data.decode("utf-8", "replace"))
    return None if model is None else media_tokens(medium, plain_name(model), detail)


def calls_tokens(calls: Iterable[ToolCall], tokenizer: Tokenizer) -> int:
    """Tokens of calls of tools: their names, their arguments, and what frames them."""
    return sum(
        TOKENS_PER_TOOL + _content_tokens(call.name, tokenizer) + _content_tokens(call.arguments, tokenizer)
        for call in calls
    )


def _content_tokens(text: str, tokenizer: Tokenizer) -> int:
    # The same system message comes with every case, and each request is counted before and after it is sent.
    return _remembered(text, tokenizer.encoding) if len(text) <= _REMEMBERED else tokenizer.count(text)


@lru_cache(maxsize=4096)
def _remembered(text: str, encoding_name: str) -> int:
    return Tokenizer(encoding_name, exact=True).count(text)


def cacheable_tokens(prefix: int, minimum: int = CACHE_MINIMUM_TOKENS, step: int = CACHE_STEP_TOKENS) -> int:
    """How many of the tokens that a prompt always begins with a prompt cache can serve; by default OpenAI's."""
    return 0 if prefix < minimum else prefix - prefix % step


def cache_rule(model: str | None) -> tuple[int, int]:
    """The fewest tokens of a prefix that a model's prompt cache serves, and the steps that it serves them in."""
    if model is not None:
        name = plain_name(model).lower().replace(".", "-")
        if name.startswith(_DEEPSEEK) and re.split("[/:]", model.lower())[-2:-1] in ([], [_DEEPSEEK]):
            return _DEEPSEEK_RULE
        for pattern, rule in _CACHE_RULES:
            if pattern.match(name):
                return rule
    return CACHE_MINIMUM_TOKENS, CACHE_STEP_TOKENS


def cacheable_at(prefix: int, model: str | None) -> int:
    """As :func:`cacheable_tokens`, by the rule of a model."""
    return cacheable_tokens(prefix, *cache_rule(model))


def schema_tokens(schema: JSONSchema, tokenizer: Tokenizer) -> int:
    """Input tokens that a strict output schema is billed as (openai/openai-cookbook#2140)."""
    return _schema_tokens(canonical_json(_billed_part(schema)), tokenizer)


def definition_tokens(schema: JSONSchema | None, tools: Sequence[Tool], tokenizer: Tokenizer) -> int:
    """Input tokens of what is defined before the first message: the output schema and the tools."""
    return (0 if schema is None else schema_tokens(schema, tokenizer)) + tools_tokens(tools, tokenizer)


def tools_tokens(tools: Sequence[Tool], tokenizer: Tokenizer) -> int:
    """Input tokens of the schemas of tools (OpenAI's cookbook, "How to count tokens with tiktoken", for gpt-4o).

    The recipe knows flat arguments; those of objects and lists within them are counted by the same rule.
    """
    return sum(tool_tokens(tool, tokenizer) for tool in tools) + TOKENS_AFTER_TOOLS if tools else 0


def tool_tokens(tool: Tool, tokenizer: Tokenizer) -> int:
    """Input tokens of one of the tools."""
    return _tool_tokens(tool.name, tool.description, canonical_json(tool.parameters), tokenizer)


@lru_cache(maxsize=1024)
def _tool_tokens(name: str, description: str, parameters: str, tokenizer: Tokenizer) -> int:
    head = tokenizer.count(f"{name}:{description.removesuffix('.')}")
    return TOKENS_PER_TOOL + head + _object_tokens(json.loads(parameters), tokenizer)


def _object_tokens(schema: Mapping[str, Any], tokenizer: Tokenizer) -> int:
    properties = {**schema.get("properties", {}), **schema.get("$defs", {}), **schema.get("definitions", {})}
    count = TOKENS_PER_OBJECT if properties else 0
    for name, part in properties.items():
        if not isinstance(part, dict):
            continue
        kind = part.get("type", part.get("$ref", ""))
        count += TOKENS_PER_PROPERTY + tokenizer.count(
            f"{name}:{kind}:{str(part.get('description', '')).removesuffix('.')}"
        )
        if isinstance(part.get("enum"), list):
            count += TOKENS_PER_ENUM + sum(TOKENS_PER_ENUM_ITEM + tokenizer.count(str(item)) for item in part["enum"])
        inner = [part, part.get("items"), *part.get("anyOf", ())]
        count += sum(_object_tokens(each, tokenizer) for each in inner if isinstance(each, dict))
    return count


@lru_cache(maxsize=256)
def _schema_tokens(text: str, tokenizer: Tokenizer) -> int:
    return tokenizer.count(text) + TOKENS_PER_SCHEMA


def _slices(text: str) -> list[str]:
    return re.split(rf"(\s{{{_LONG_RUN}}})", text)


def _billed_part(node: object) -> object:
    if isinstance(node, dict):
        return {key: _billed_part(value) for key, value in node.items() if key not in _UNBILLED_KEYWORDS}
    if isinstance(node, list):
        return [_billed_part(item) for item in node]
    return node


def encoding(name: str = DEFAULT_ENCODING) -> tiktoken.Encoding:
    """The tiktoken encoding of that name, from the package's own vocabulary.

    Raises:
        ValueError: The encoding is not shipped.
    """
    if name not in SHIPPED:
        raise ValueError(f"unknown encoding {name!r}; shipped are {', '.join(SHIPPED)}")
    return _load(name)


def release() -> None:
    """Give back the memory of the vocabularies, up to some 50 MB each; the next count reads one again."""
    _LOADED.clear()
    _LITTLE.clear()
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes

        # glibc keeps most of what is freed in many small pieces, until it is asked to give it back.
        ctypes.CDLL(None).malloc_trim(0)


def is_loaded(model: str | None) -> bool:
    """Whether tiktoken counts for ``model`` from now on: loading its tables keeps a whole process busy for 0.3 s."""
    return tokenizer_for(model).encoding in _LOADED


_LOADED: dict[str, tiktoken.Encoding] = {}
_LITTLE: dict[str, LittleText] = {}
# Threads whose first calls come together wait for one vocabulary: each of them would take 0.3 s and 60 MB for its own.
_loading = threading.Lock()


def _load(name: str) -> tiktoken.Encoding:
    try:
        return _LOADED[name]
    except KeyError:
        with _loading:
            if name not in _LOADED:
                _LITTLE.pop(name, None)
                _LOADED[name] = _read_encoding(name)
            return _LOADED[name]


def _little(name: str) -> LittleText:
    if (found := _LITTLE.get(name)) is None:
        with _loading:
            found = _LITTLE[name] = _LITTLE.get(name) or LittleText(name)
    return found


def _after_fork() -> None:
    # The thread that loads one is not in the child, and would never give the lock back.
    global _loading  # noqa: PLW0603 - a lock is replaced as a whole
    _loading = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _read_encoding(name: str) -> tiktoken.Encoding:
    import tiktoken

    made = tiktoken.Encoding(**encoding_arguments(name))
    # It counts with a copy of its own; the dict, 26 MB, would be kept for pickling.
    del made._mergeable_ranks
    return made
