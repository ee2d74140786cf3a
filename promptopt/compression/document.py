"""A prompt as rules see it: literal stretches, protected stretches, sentences, control flow."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from promptopt.compression.facts.stated import FactSentence, sentence_facts
from promptopt.compression.masks import Masked, Zone, branches, mask
from promptopt.compression.scope.instructions import Instructed, instructed
from promptopt.compression.sentences import Sentence, is_english, is_english_part, split_sentences
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.words import words_in
from promptopt.prices import Price, find_tier_price
from promptopt.templates.dependence import Place
from promptopt.templates.frontmatter import FrontMatter, front_matter_end
from promptopt.templates.prompt_cache import StaticPrefix, static_prefix_of
from promptopt.templates.readers import Reader
from promptopt.templates.source import Frame, Source
from promptopt.tokens import (
    TOKENS_PER_MESSAGE,
    TOKENS_PER_REPLY,
    cache_rule,
    definition_tokens,
    tokenizer_for,
)

ProseText = tuple[int, str, str, bool]

SHOWN = frozenset({"example", "code", "quote", "table"})
"""The kinds of protected stretches that a text shows; the others are holes in it, or names."""

# A sentence that is said before these is not said once and for all inside them, nor the other way round.
_REPEATING = frozenset({"for", "macro", "call", "block", "set", "filter", "code"})

# With these a prompt may print more than its own text.
_GROWING = frozenset({"for", "macro", "set", "include", "import", "from", "extends"})


@dataclass(frozen=True)
class Document:
    """A text with all that a rule may ask about it.

    Attributes:
        text: The source, ``\\n`` line ends.
        front: What its front matter says; all defaults for a plain text.
        path: How a person names it.
        model: The model whose tokens count.
        source: The text as a template if it is read already.
        reader: Where the includes of a prompt file come from.
        told_to_model: Whether all of it is, as the description of a tool.
    """

    text: str
    front: FrontMatter = field(default_factory=FrontMatter)
    path: str = "<text>"
    model: str | None = None
    source: Source | None = None
    reader: Reader | None = field(default=None, compare=False)
    told_to_model: bool = False

    @cached_property
    def masks(self) -> Masked:
        """The text with its protected stretches."""
        return mask(self.text, self.source)

    def front_key(self, name: str) -> int:
        """Where a key of the front matter begins; 0 if it has none of that name."""
        key = re.search(rf"(?m)^{name}[ \t]*:", self.text[: self.masks.source.front_end])
        return key.start() if key else 0

    @cached_property
    def masked(self) -> str:
        """As long as the text; what no rule may touch reads as private-use characters."""
        return self.masks.masked

    @property
    def zones(self) -> tuple[Zone, ...]:
        return self.masks.zones

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """All sentences in order."""
        return tuple(split_sentences(self.masked))

    @cached_property
    def prose(self) -> tuple[Sentence, ...]:
        """The sentences in English: those whose wording a rule may change."""
        return tuple(sentence for sentence in self.sentences if self._is_english(sentence))

    @cached_property
    def prose_texts(self) -> tuple[ProseText, ...]:
        """Of each sentence in English: its start, its masked text, its kind, and whether it opens its paragraph."""
        masked = self.masked
        return tuple((one.start, masked[one.start : one.end], one.kind, one.first) for one in self.prose)

    @cached_property
    def prose_words(self) -> tuple[frozenset[str], ...]:
        """The words of each sentence in English."""
        return tuple(words_in(text) for _, text, _, _ in self.prose_texts)

    @cached_property
    def all_prose_words(self) -> frozenset[str]:
        """The words of all of them."""
        return frozenset().union(*self.prose_words)

    @cached_property
    def instructed(self) -> Instructed:
        """The sentences that are known to instruct the model."""
        return instructed(self.masked, self.sentences, whole=self.told_to_model)

    @cached_property
    def shown(self) -> str:
        """What it shows, part by part."""
        return MASK.join(self.text[zone.start : zone.end] for zone in self.zones if zone.kind in SHOWN)

    @cached_property
    def said(self) -> float:
        """How long its instructions are, of the length of what it shows."""
        said = sum(one.end - one.start for one in self.sentences if one.start in self.instructed.strict)
        return said / len(self.shown) if self.shown else math.inf

    def _is_english(self, sentence: Sentence) -> bool:
        return is_english_part(self.masked[sentence.start : sentence.end], self._reads_english)

    @cached_property
    def _reads_english(self) -> bool:
        return is_english(self.masked.replace(MASK, " "))

    @cached_property
    def tokens(self) -> int:
        """Input tokens of the text; of a template: of its source without the front matter."""
        return source_tokens(self.text, self.model)

    @cached_property
    def flow_known(self) -> bool:
        """Whether control flow is known: a template with other marks may branch anywhere."""
        if self.masks.source.is_template:
            # Jinja2's own tags are known; what else may be one is looked for in the literal text.
            return not any(branches(self.text[span.start : span.end]) for span in self.masks.spans)
        return not branches(self.text)

    @cached_property
    def static_prefix(self) -> StaticPrefix:
        """What all calls begin with. A text that Jinja2 cannot read is static up to the first mark of a template."""
        if self.masks.source.is_template:
            return static_prefix_of(self.text, self.reader, self.path)
        begin = self.masks.source.front_end
        end = next((zone.start for zone in self.zones if zone.kind == "jinja"), len(self.text))
        mark = Place(self.path, self.line_of(end)[0], "break", self.text[end:].partition("\n")[0])
        return StaticPrefix((), self.text[begin:end], mark, end)

    @cached_property
    def prefix_tokens(self) -> int:
        """Tokens of the static prefix, framing and output schema included."""
        return self.static_prefix.tokens(tokenizer_for(self.model), self._schema_tokens)

    @property
    def _schema_tokens(self) -> int:
        return definition_tokens(self.front.output_schema, self.front.tools, tokenizer_for(self.model))

    @cached_property
    def price(self) -> Price | None:
        """What its calls cost, as they are processed; ``None`` if it is not known."""
        return None if self.model is None else find_tier_price(self.model, self.front.params.service_tier)

    @cached_property
    def is_cacheable(self) -> bool:
        """Whether the prompt may be long enough for a provider's cache: short ones need not be rendered to know."""
        source = self.masks.source
        if any(piece.name in _GROWING for piece in source.pieces):
            return True
        framing = TOKENS_PER_REPLY + TOKENS_PER_MESSAGE * max(1, len(source.chats))
        return self.tokens + framing + self._schema_tokens >= cache_rule(self.model)[0]

    def line_of(self, position: int) -> tuple[int, int]:
        """Line and column of a position, both counted from 1."""
        line = bisect_right(self._line_starts, position)
        return line, position - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def frames_at(self, position: int) -> tuple[Frame, ...]:
        """The control flow around a position of literal text or of an expression."""
        return self.masks.source.frames_at(position)

    def is_literal(self, start: int, end: int) -> bool:
        """Whether a range holds no expression, tag or comment."""
        spans = self.masks.spans
        index = bisect_right(spans, start, key=lambda span: span.start) - 1
        return index >= 0 and start < spans[index].end and end <= spans[index].end

    def always_before(self, first: int, second: int) -> bool:
        """Whether the text at ``first`` has been printed, once, whenever the text at ``second`` is."""
        if not self.flow_known:
            return False
        outer, inner = self.frames_at(first), self.frames_at(second)
        chat_outer = next((frame for frame in outer if frame.kind == "chat"), None)
        chat_inner = next((frame for frame in inner if frame.kind == "chat"), None)
        if chat_outer != chat_inner:
            if self._has_examples or chat_outer is None or "user" in chat_outer.argument:
                return False
            outer = tuple(frame for frame in outer if frame.kind != "chat")
            inner = tuple(frame for frame in inner if frame.kind != "chat")
        if inner[: len(outer)] != outer:
            return False
        return not any(frame.kind in _REPEATING for frame in inner[len(outer) :])

    @cached_property
    def _has_examples(self) -> bool:
        return any("assistant" in frame.argument for span in self.masks.spans for frame in span.frames)

    def zones_in(self, start: int, end: int) -> Iterator[Zone]:
        """The protected stretches that a range touches."""
        index = max(0, bisect_right(self.zones, start, key=lambda zone: zone.start) - 1)
        while index < len(self.zones) and self.zones[index].start < end:
            if self.zones[index].end > start:
                yield self.zones[index]
            index += 1

    def sentence_at(self, position: int) -> Sentence | None:
        """The sentence that holds a position."""
        index = bisect_right(self.sentences, position, key=lambda sentence: sentence.start) - 1
        if index >= 0 and position < self.sentences[index].end:
            return self.sentences[index]
        return None

    def facts_of(self, sentence: Sentence) -> FactSentence:
        """The facts of one sentence of this document."""
        found = self._facts_by_start.get(sentence.start)
        if found is None:
            text = self.text[sentence.start : sentence.end]
            found = FactSentence(text, 0, sentence_facts(self.masks, sentence))
            self._facts_by_start[sentence.start] = found
        return found

    @cached_property
    def _facts_by_start(self) -> dict[int, FactSentence]:
        return {}


def source_tokens(text: str, model: str | None) -> int:
    """Tokens of a text; of a template, of its source without the front matter, which is sent to nobody."""
    return tokenizer_for(model).count(text[front_matter_end(text) :])
