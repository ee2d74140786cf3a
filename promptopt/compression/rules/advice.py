"""PO302 to PO304, PO501 to PO504: findings that only a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Finding, Level
from promptopt.compression.facts.stated import plain_words
from promptopt.compression.rules.base import ReportsOnly
from promptopt.money import cents
from promptopt.tokens import cache_rule, cacheable_at, tokenizer_for

_SPLIT = re.compile(r"\n(?=[ \t]*(?:\n|Example|Input|Q:|User:|Text:|Sentence|Question|Task))")
SIMILAR = 90
"""Percent; two examples that are this similar (Levenshtein ratio) repeat each other."""
SHORTEST = 40
"""Characters of an example that is long enough to compare."""
LEAST_WORDS = 2
"""Different words of a sentence that can contradict another one; if only their numbers differ, the next."""
LEAST_WORDS_NUMBERS = 5
_DIFFERING = frozenset({"negation", "number", "limit"})
_FORMAT = re.compile(
    r"\b(?:(?:valid|well[- ]formed|only|as|in|a) json\b|json (?:object|format|only|schema)|"
    r"no (?:markdown|extra text|explanations?)"
    r"|(?:output|response|answer|reply|return)\b[^.]{0,40}\bformat(?:ted)?\b|nothing else)",
    re.IGNORECASE,
)
_LABELS = re.compile(
    r"\b(?:classif(?:y|ication)|categori[sz]e|label|one of (?:the following|these)|(?:positive|"
    r"negative)\b.{0,20}\b(?:negative|positive)"
    r"|(?:answer|reply|respond)(?: with)?(?: only)? [\"']?(?:yes|true)\b.{0,10}\b(?:no|false)|"
    r"rate\b.{0,40}\b(?:scale|from \d))",
    re.IGNORECASE,
)
_PINNED = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}|-\d{4}$|@|:")
# Claude from 4.6 on and Gemini from 2.5 on have no other name than this one, which stays the same model, Gemini before
# has three digits, and weights that anybody has do not change (platform.claude.com, "Model IDs and versioning";
# ai.google.dev, "Model version name patterns").
_ALIASES = re.compile(
    r"(?:^|/)(?:gpt-(?!oss)|o\d|chatgpt|claude-(?:\d|[a-z]+-(?:4$|4[.-][0-5]$))|gemini-(?:1|2[.-]0)(?![\w.-]*-\d{3}$))[\w.-]*$"
    r"|latest$"
)
# https://platform.openai.com/docs/deprecations: models that answer no longer or soon will not.
RETIRING = (
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-16k",
    "gpt-4-0314",
    "gpt-4-32k",
    "gpt-4-vision-preview",
    "gpt-4.5-preview",
    "text-davinci-003",
    "text-davinci-002",
    "code-davinci-002",
    "davinci",
    "curie",
    "babbage",
    "ada",
    "o1-preview",
    "o1-mini",
    "claude-1",
    "claude-2",
    "claude-instant",
    "claude-3-opus-20240229",
    "claude-3-sonnet",
    "gemini-1.0-pro",
    "gemini-1.5-pro",
    "gemini-1.5-flash",
)


class RepeatedExamples(ReportsOnly):
    """Two examples that are nearly the same teach one thing; reported, never removed: examples are facts."""

    code: ClassVar[str] = "PO302"
    name: ClassVar[str] = "repeated examples"
    reason: ClassVar[str] = "an example that shows nothing new is paid for with every call"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        examples = list(_examples(document))
        if not examples:
            return
        from rapidfuzz import fuzz

        seen: list[tuple[str, int]] = []
        for part, start in examples:
            text = " ".join(part.split())
            # Below the cutoff the ratio is 0.
            twin = next((place for other, place in seen if fuzz.ratio(text, other, score_cutoff=SIMILAR)), None)
            if twin is not None:
                tokens = tokenizer_for(document.model).count(part)
                line, _ = document.line_of(twin)
                message = f"this example repeats the one in line {line}: drop it, or let it show something new"
                yield Finding(start, self.code, message, tokens)
            seen.append((text, start))


def _examples(document: Document) -> Iterator[tuple[str, int]]:
    """The examples of a text that are long enough to compare, each with its position."""
    for zone in document.zones:
        if zone.kind in ("example", "code"):
            position = zone.start
            for part in _SPLIT.split(document.text[zone.start : zone.end]):
                if len(" ".join(part.split())) >= SHORTEST:
                    yield part, position + len(part) - len(part.lstrip())
                position += len(part) + 1


class Contradictions(ReportsOnly):
    """Two instructions in the same words that differ in a negation or a number; reported, never merged."""

    code: ClassVar[str] = "PO303"
    name: ClassVar[str] = "contradictions"
    reason: ClassVar[str] = "a model that reads both may follow either"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Finding]:
        seen: dict[frozenset[str], list[tuple[int, frozenset[tuple[str, str]]]]] = {}
        alike: dict[frozenset[str], dict[int, tuple[str, str]]] = {}
        for start, end, *_ in document.prose:
            as_written = document.masked[start:end], document.text[start:end]
            alike.setdefault(plain_words(as_written[0]), {})[start] = as_written
        # The same sentences contradict none of themselves.
        paired = {start for texts in alike.values() if len({*texts.values()}) > 1 for start in texts}
        for sentence in document.prose:
            if sentence.start not in paired:
                continue
            facts = document.facts_of(sentence).facts
            words = frozenset(fact.value for fact in facts if fact.kind in ("word", "quote", "code", "placeholder"))
            if len(words) < LEAST_WORDS:
                continue
            said = frozenset((fact.kind, fact.value) for fact in facts if fact.kind in _DIFFERING)
            for place, other in seen.get(words, []):
                opposed = other != said and _opposed(other, said, len(words))
                if opposed and self._both_hold(document, place, sentence.start):
                    line, _ = document.line_of(place)
                    shown = ", ".join(sorted(value for _, value in other ^ said))
                    message = f"contradicts line {line} ({shown}): decide which one applies"
                    yield Finding(sentence.start, self.code, message)
                    break
            seen.setdefault(words, []).append((sentence.start, said))

    def _both_hold(self, document: Document, first: int, second: int) -> bool:
        outer, inner = document.frames_at(first), document.frames_at(second)
        return document.flow_known and (inner[: len(outer)] == outer or outer[: len(inner)] == inner)


def _opposed(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]], words: int) -> bool:
    """Whether the two differ in a negation, or name different numbers."""
    negated = {kind for kind, _ in one ^ other} & {"negation"}
    numbers = [{value for kind, value in said if kind == "number"} for said in (one, other)]
    # Two short lines that name different numbers are more likely two items of a list.
    return bool(negated) or (words >= LEAST_WORDS_NUMBERS and all(numbers) and numbers[0] != numbers[1])


class FormatProse(ReportsOnly):
    """A strict schema enforces the format; describing it again in prose costs tokens and changes nothing."""

    code: ClassVar[str] = "PO304"
    name: ClassVar[str] = "format stated twice"
    reason: ClassVar[str] = "the output schema enforces the format already"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        if document.front.output_schema is None:
            return
        for sentence in document.prose:
            if _FORMAT.search(document.text, sentence.start, sentence.end):
                tokens = tokenizer_for(document.model).count(document.text[sentence.start : sentence.end])
                message = "the output schema enforces the format: this sentence can go"
                yield Finding(sentence.start, self.code, message, tokens)


class Prefix(ReportsOnly):
    """Providers cache the tokens that all calls begin with; an early variable ends that prefix."""

    code: ClassVar[str] = "PO501"
    name: ClassVar[str] = "uncacheable order"
    reason: ClassVar[str] = "static text after a variable is paid in full with every call"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        count = tokenizer_for(document.model).count
        code = [piece for piece in document.masks.source.pieces if piece.kind != "text"]
        # Rendering takes longest: not for a text without variables, nor for one too short to be cached as a whole,
        # with the few tokens around a message.
        least, _ = cache_rule(document.model)
        plain = all(piece.kind != "tag" or piece.name in ("chat", "endchat") for piece in code)
        short = plain and document.front.output_schema is None and document.tokens + 10 < least
        if not code or short:
            return
        if not document.is_cacheable:
            return
        prefix, end = document.prefix_tokens, document.static_prefix.end
        if end is None or end >= len(document.text):
            return
        spans = document.masks.spans
        static = prefix + sum(count(document.text[max(end, span.start) : span.end]) for span in spans if span.end > end)
        cached = cacheable_at(static, document.model)
        gain = cached - cacheable_at(prefix, document.model)
        if gain <= 0:
            return
        price = document.price
        worth = ""
        if price is not None and price.cache_read_mtok < price.input_mtok and document.front.calls_per_month:
            dollars = gain * (price.input_mtok - price.cache_read_mtok) * document.front.calls_per_month / 1_000_000
            worth = f", up to {cents(dollars)} a month"
        message = (
            f"only {prefix:,} of {static:,} static tokens come before the first variable part, and a prefix is cached "
            f"from {least:,} on: move the variable parts to the end to cache {cached:,} tokens{worth}"
        )
        yield Finding(end, self.code, message)


class OutputCap(ReportsOnly):
    """An answer that runs away is paid for to the model's limit."""

    code: ClassVar[str] = "PO502"
    name: ClassVar[str] = "no output cap"
    reason: ClassVar[str] = "an answer that runs away is paid for to the model's limit"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Finding]:
        if document.masks.source.front_end and document.front.params.max_output_tokens is None:
            message = "no max_output_tokens: set a cap in the front matter"
            yield Finding(0, self.code, message)


class Freeform(ReportsOnly):
    """A choice among labels that is answered in prose: `promptopt structure` turns it into a strict schema."""

    code: ClassVar[str] = "PO503"
    name: ClassVar[str] = "freeform labels"
    reason: ClassVar[str] = "output tokens cost the most, and a label needs few"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        if not document.masks.source.front_end or document.front.output_schema is not None:
            return
        for sentence in document.sentences:
            if _LABELS.search(document.text, sentence.start, sentence.end):
                message = f"asks for a label in free text: see `promptopt structure {document.path}`"
                yield Finding(sentence.start, self.code, message)
                return


class Pinned(ReportsOnly):
    """An alias follows the provider's newest snapshot: cost and answers change without a change here."""

    code: ClassVar[str] = "PO504"
    name: ClassVar[str] = "unpinned or retiring model"
    reason: ClassVar[str] = "a model that changes changes the bill"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Finding]:
        model = document.front.model
        if model is None or not document.masks.source.front_end:
            return
        name = model.rpartition("/")[2]
        place = document.front_key("model")
        if name.startswith(RETIRING):
            yield Finding(place, self.code, f"{model} is retired or retiring: move to a current model")
        elif _ALIASES.search(model) and not _PINNED.search(name):
            message = f"{model} follows the provider's newest snapshot: pin a dated one"
            yield Finding(place, self.code, message)
