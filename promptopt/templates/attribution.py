"""Which line or variable of a prompt each of its input tokens is from, and where a provider's prompt cache stops.

The prompt is rendered a second time with marks around everything that a template prints (``marking.py``). Without its
marks that text must be exactly the text that is sent; if it is not, because a filter or a test reads text that a block
has kept, tokens are attributed to the lines of the rendered text instead and the result says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any, Literal

from promptopt.templates.dependence import Place
from promptopt.templates.marking import MarkedPrompt, has_marks, render_marked, without_marks
from promptopt.templates.prompt_cache import static_prefix
from promptopt.templates.template import Template
from promptopt.tokens import (
    TOKENS_AFTER_TOOLS,
    Basis,
    Tokenizer,
    cacheable_at,
    count_tokens,
    medium_tokens,
    tokenizer_for,
    tool_tokens,
)
from promptopt.values import Media, Message, Rendered

PrintedRun = tuple[str | Media, Place]
"""Characters of a message, or a medium in it, and the place that printed them."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one line, or one expression, of a template contributes to a rendered prompt.

    Attributes:
        path: The file as a person would name it.
        line: Its line, counted from 1.
        source: The line's text, or the expression as it is written.
        tokens: Tokens of what it printed. One that two parts share belongs to the one with more of its characters.
        times: How often it printed.
        countable: Whether all is counted that it printed: no published rule counts some media.
    """

    path: str
    line: int
    kind: Literal["text", "variable"]
    source: str
    tokens: int
    times: int = 1
    countable: bool = True


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where the input tokens of a rendered prompt come from; parts, framing, schema and tools add up to the total.

    Attributes:
        parts: In the order in which they first print.
        framing: Tokens that wrap messages and prime the reply.
        schema: Tokens of the output schema.
        tools: Name and tokens of each tool, an estimate; those after all of them count to the last one.
        uncounted: Media that no published rule counts, with why; they are in no number.
        model: Whose tokens and whose cache these are, if one is known.
        exact: Whether the parts are lines of the templates; else they are lines of the rendered text.
        static_prefix_tokens: Tokens at the start that no variable changes, framing and schema included.
        prefix_broken_by: The first expression or statement that depends on a variable; ``None`` if nothing does.
    """

    parts: tuple[Part, ...]
    framing: int
    schema: int
    tools: tuple[tuple[str, int], ...]
    total: int
    encoding: str
    basis: Basis
    exact: bool
    template: Template = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    uncounted: tuple[str, ...] = ()
    model: str | None = None

    @property
    def static_prefix_tokens(self) -> int:
        return min(static_prefix(self.template).tokens(self.tokenizer, self._defined), self.total)

    @property
    def _defined(self) -> int:
        return self.schema + sum(tokens for _, tokens in self.tools)

    @property
    def prefix_broken_by(self) -> Place | None:
        place = static_prefix(self.template).broken_by
        if place is None or place.path != self.template.path:
            return place
        return replace(place, line=self.template.line(place.line))

    @property
    def cacheable_tokens(self) -> int:
        """What the prompt cache of the model serves of the static prefix."""
        return cacheable_at(self.static_prefix_tokens, self.model)


def attribute(template: Template, variables: Mapping[str, Any] | None = None, model: str | None = None) -> Attribution:
    """Attribute the input tokens of a rendered prompt to lines and variables of its templates.

    Args:
        variables: What the prompt is rendered with.
        model: The model whose tokenizer counts; by default the prompt's own.

    Raises:
        TemplateError: The prompt cannot be rendered.
    """
    variables = variables or {}
    rendered = template.render(variables)
    counted = count_tokens(rendered, model)
    tokenizer = tokenizer_for(model or rendered.model)
    starts = [tokenizer.starts(message.content) for message in rendered.messages]
    runs = _template_runs(template, variables, rendered)
    chosen, detail = model or rendered.model, rendered.params.detail or ""
    parts = _parts(runs or _text_runs(template, rendered), starts, lambda each: medium_tokens(each, chosen, detail))
    return Attribution(
        parts=tuple(_in_file(part, template) for part in parts),
        framing=counted.framing,
        schema=counted.schema,
        tools=_tools(rendered, tokenizer),
        total=counted.tokens,
        encoding=counted.encoding,
        basis=counted.basis,
        exact=runs is not None,
        template=template,
        tokenizer=tokenizer,
        uncounted=counted.uncounted,
        model=chosen,
    )


# The tags that a chat in JSON or YAML does not have.
_CHAT_TAGS = re.compile(r"^\{% chat .*? %\}|\{% endchat %\}$")


def _in_file(part: Part, template: Template) -> Part:
    """A part as the file has it, if the file is a chat in JSON or YAML."""
    if part.path != template.path or not template.lines:
        return part
    return replace(part, line=template.line(part.line), source=_CHAT_TAGS.sub("", part.source))


def _tools(rendered: Rendered, tokenizer: Tokenizer) -> tuple[tuple[str, int], ...]:
    each = [(tool.name, tool_tokens(tool, tokenizer)) for tool in rendered.tools]
    if each:
        name, tokens = each[-1]
        each[-1] = name, tokens + TOKENS_AFTER_TOOLS
    return tuple(each)


def _template_runs(
    template: Template, variables: Mapping[str, Any], rendered: Rendered
) -> list[list[PrintedRun]] | None:
    """The runs of each message; ``None`` if marks change what is rendered."""
    if any(has_marks(message.content) for message in rendered.messages):
        return None
    for nested in (True, False):
        marked = render_marked(template, variables, nested=nested)
        runs = None if marked is None else _checked(marked, rendered)
        if runs is not None:
            return runs
    return None


def _checked(marked: MarkedPrompt, rendered: Rendered) -> list[list[PrintedRun]] | None:
    messages = [item for item in marked.items if isinstance(item, Message)]
    if len(messages) != len(rendered.messages):
        return None
    found = []
    for message, plain in zip(messages, rendered.messages, strict=True):
        whole = without_marks(message.content)
        lead = 0
        if message.media != plain.media:
            return None
        if whole != plain.content:
            # The text of a chat block is stripped of the template's white space, but there are marks around it.
            lead = whole.find(plain.content)
            rest = whole[:lead] + whole[lead + len(plain.content) :]
            if message.role != plain.role or lead < 0 or rest.strip():
                return None
        runs = list(_runs(marked, message))
        if sum(len(text) for text, _ in runs if isinstance(text, str)) != len(whole):
            return None
        found.append(_cut(runs, lead, len(plain.content)))
    return found


def _runs(marked: MarkedPrompt, message: Message) -> Iterator[PrintedRun]:
    """The printed texts with the innermost place that is open; text outside all places is left out.

    A place that prints nothing gives an empty run, so that it is counted as printed.
    """
    opened: list[Place] = []
    for part in message.parts or (message.content,):
        if isinstance(part, Media):
            if opened:
                yield part, opened[-1]
            continue
        for characters, place in marked.events(part):
            if characters:
                if opened:
                    yield characters, opened[-1]
            elif place is None:
                if opened:
                    opened.pop()
            elif place.kind != "break":
                opened.append(place)
                yield "", place


def _cut(runs: Sequence[PrintedRun], lead: int, length: int) -> list[PrintedRun]:
    """``length`` characters of runs after the first ``lead``."""
    cut: list[PrintedRun] = []
    position = -lead
    for text, place in runs:
        if isinstance(text, Media):
            cut.append((text, place))
            continue
        start, end = max(0, -position), max(0, length - position)
        cut.append((text[start:end], place))
        position += len(text)
    return cut


def _text_runs(template: Template, rendered: Rendered) -> list[list[PrintedRun]]:
    """Each line of the rendered text as its own place."""
    path = f"{template.path} (rendered)"
    number = 0
    found = []
    for message in rendered.messages:
        runs: list[PrintedRun] = []
        for text in message.content.split("\n"):
            number += 1
            runs.append((text + "\n", Place(path, number, "text", text)))
        for medium in message.media:
            number += 1
            runs.append((medium, Place(path, number, "text", medium.shown)))
        found.append(_cut(runs, 0, len(message.content)))
    return found


def _parts(
    messages: Sequence[Sequence[PrintedRun]],
    starts: Sequence[Sequence[int]],
    counted: Callable[[Media], int | None],
) -> tuple[Part, ...]:
    tokens: dict[tuple[str, int, str, str], int] = {}
    media: dict[tuple[str, int, str, str], list[int | None]] = {}
    # How often each place printed; two places on one line are two texts, not one text twice.
    printed: dict[tuple[str, int, str, str], dict[int, int]] = {}
    for runs in messages:
        for text, place in runs:
            key = _key(place)
            tokens.setdefault(key, 0)
            if isinstance(text, Media):
                media.setdefault(key, []).append(counted(text))
                continue
            if not text or place.path.endswith("(rendered)"):
                times = printed.setdefault(key, {})
                times[id(place)] = times.get(id(place), 0) + 1
    for runs, found in zip(messages, starts, strict=True):
        texts = [(text, place) for text, place in runs if isinstance(text, str) and text]
        for place in _owners(texts, found):
            tokens[_key(place)] += 1
    return tuple(
        Part(
            path,
            line,
            "variable" if kind == "variable" else "text",
            source,
            count + sum(each or 0 for each in media.get(key, ())),
            _times(kind, printed.get(key, {})),
            None not in media.get(key, ()),
        )
        for key, count in tokens.items()
        for path, line, kind, source in [key]
    )


def _key(place: Place) -> tuple[str, int, str, str]:
    return place.path, place.line, place.kind, place.source


def _times(kind: str, printed: Mapping[int, int]) -> int:
    counts = printed.values()
    return (sum(counts) if kind == "variable" else max(counts, default=0)) or 1


def _owners(runs: Sequence[tuple[str, Place]], starts: Sequence[int]) -> Iterator[Place]:
    """The place of each token: that of most of its characters, the first if two have as many."""
    ends = list(accumulate(len(text) for text, _ in runs))
    first = 0
    for start, following in pairwise([*starts, ends[-1] if ends else 0]):
        # Tokens within one character begin where it begins.
        end = max(following, start + 1)
        while ends[first] <= start:
            first += 1
        last = first
        while ends[last] < end:
            last += 1
        shares = [min(end, ends[i]) - max(start, ends[i] - len(runs[i][0])) for i in range(first, last + 1)]
        yield runs[first + shares.index(max(shares))][1]
