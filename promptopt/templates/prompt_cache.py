"""How much of a prompt stays the same from call to call: what a provider's prompt cache can serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptopt.templates.dependence import PARAMETER, STATIC
from promptopt.templates.marking import MarkedPrompt, Place, render_marked, without_marks
from promptopt.templates.template import Template
from promptopt.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_REPLY, Tokenizer
from promptopt.values import Message, Rendered

# OpenAI, "Prompt caching" (platform.openai.com/docs/guides/prompt-caching): prompts of 1,024 tokens or more are cached,
# hits come in steps of 128 tokens, and an output schema is a prefix of the system message.
CACHE_MINIMUM_TOKENS = 1024
CACHE_STEP_TOKENS = 128


def cacheable(static_prefix_tokens: int) -> int:
    """Of a static prefix, the tokens that OpenAI's prompt cache can serve."""
    if static_prefix_tokens < CACHE_MINIMUM_TOKENS:
        return 0
    return static_prefix_tokens - static_prefix_tokens % CACHE_STEP_TOKENS


@dataclass(frozen=True, slots=True)
class StaticPrefix:
    """How much of a prompt no variable changes; it is the same for every set of variables.

    Attributes:
        messages: The texts of the messages that are static as a whole.
        beginning: The static beginning of the message after them; ``None`` where it may not be there at all.
        broken_by: Where the prefix ends; ``None`` where the whole prompt is static.
    """

    messages: tuple[str, ...]
    beginning: str | None
    broken_by: Place | None

    def tokens(self, tokenizer: Tokenizer, schema: int) -> int:
        """Tokens of the prefix with the framing that belongs to it; the same for every set of variables.

        Args:
            schema: Tokens of the output schema, which stands before the first message.
        """
        count = schema + sum(TOKENS_PER_MESSAGE + tokenizer.count(text) for text in self.messages)
        if self.broken_by is None:
            return count + TOKENS_PER_REPLY
        if self.beginning is None:
            return count
        # All framing of a message but the token that ends it stands before its text. A last space is part of the
        # token of the word behind it.
        return count + TOKENS_PER_MESSAGE - 1 + tokenizer.count(self.beginning.removesuffix(" "))


def static_prefix(template: Template, variables: Mapping[str, Any], rendered: Rendered) -> StaticPrefix:
    """The static prefix of a prompt.

    Args:
        variables: Some set of variables that the prompt renders with.
        rendered: What it renders to with them.
    """
    for nested in (True, False):
        marked = render_marked(template, variables, nested=nested)
        found = None if marked is None else _walk(marked, rendered)
        if found is not None:
            return found
    return StaticPrefix((), None, Place(template.path, 1, "break", "filters change what blocks print"))


def _walk(marked: MarkedPrompt, rendered: Rendered) -> StaticPrefix | None:
    """The prefix by the marks; ``None`` where it is not what is really sent."""
    done: list[str] = []
    for item in marked.items:
        if isinstance(item, Place):
            return StaticPrefix(tuple(done), None, item)
        if len(done) == len(rendered.messages):
            return None
        content = rendered.messages[len(done)].content
        text, place = _static_text(marked, item)
        if place is None:
            if text != content and text.strip() != content:
                return None
            done.append(content)
            continue
        whole = without_marks(item.content)
        # The text of a chat block is stripped; what is printed first may be white space.
        lead = 0 if whole == content else len(whole) - len(whole.lstrip())
        static = text[lead:]
        if not content.startswith(static) and static.rstrip() != content:
            return None
        # What follows may print nothing, so that white space before it is stripped, for these variables.
        return StaticPrefix(tuple(done), static, place)
    return StaticPrefix(tuple(done), None, None) if len(done) == len(rendered.messages) else None


def _static_text(marked: MarkedPrompt, message: Message) -> tuple[str, Place | None]:
    """What a message prints before anything depends on a variable, and what does so then."""
    text = ""
    opened: list[Place] = []
    for characters, place in marked.events(message.content):
        if characters:
            text += characters
        elif place is None:
            if opened:
                opened.pop()
        else:
            if not place.transparent and _depends(place.depends, opened):
                return text, place
            if place.kind != "break":
                opened.append(place)
    return text, None


def _depends(depends: int, opened: Sequence[Place]) -> bool:
    """Whether something depends on a variable: itself, or an argument of the call it is printed by."""
    for place in reversed(opened):
        if depends == PARAMETER and place.transparent:
            depends = place.depends
    return depends != STATIC
