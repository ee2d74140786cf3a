"""A variant of a comparison: a prompt, the model that answers it, its settings, and what it is measured with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from promptopt.call_options import NO_OPTIONS, CallOptions
from promptopt.config import Config
from promptopt.errors import TemplateError, UsageError
from promptopt.prices import Price, Processing, find_price, find_tier_price
from promptopt.providers import is_free
from promptopt.providers.openai.models import refused_options
from promptopt.providers.recordings import RecordingFile, RecordingFiles, RecordingStatus
from promptopt.suites import Suite
from promptopt.templates import Template
from promptopt.templates.frontmatter import FrontMatter
from promptopt.templates.prompt_cache import static_prefix
from promptopt.templates.readers import GitReader
from promptopt.tokens import (
    Basis,
    PartialCount,
    cacheable_at,
    calls_tokens,
    count_tokens,
    definition_tokens,
    tokenizer_for,
)
from promptopt.values import Cost, Rendered, Request, Response, Usage, canonical_json, sha256_hex

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})
"""A variant that sets nothing beside its prompt."""

_LONGEST_IN_A_NAME = 40


@dataclass(frozen=True, slots=True)
class Measurement:
    """The tokens of one call, as the priced model is billed for them.

    Attributes:
        usage: What is multiplied by prices.
        basis: Whether the provider measured it, the priced model's tokenizer counted it, or another one estimated it.
        cost: List cost; ``None`` for an unpriced model.
        warm_tokens: Input tokens that the provider's prompt cache serves of such a call once it is warm; ``None`` if it
            shows no cache. What it served of this call depends on what was asked before.
        warm_cost: List cost with a warm cache; ``None`` as above, or for an unpriced model.
    """

    usage: Usage
    basis: Basis
    cost: Cost | None
    warm_tokens: int | None = None
    warm_cost: Cost | None = None

    @property
    def judged_cost(self) -> Cost | None:
        """The list cost that does not depend on the order of asking; ``None`` for an unpriced model."""
        return self.cost if self.warm_tokens is None else self.warm_cost

    def __add__(self, other: Measurement) -> Measurement:
        """Of two calls: the less certain basis, and no sum of what one of them does not have."""
        return Measurement(
            self.usage + other.usage,
            max(self.basis, other.basis, key=("measured", "counted", "estimated").index),
            None if self.cost is None or other.cost is None else self.cost + other.cost,
            None if self.warm_tokens is None or other.warm_tokens is None else self.warm_tokens + other.warm_tokens,
            None if self.warm_cost is None or other.warm_cost is None else self.warm_cost + other.warm_cost,
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of a comparison: a prompt, the model that answers it, and the settings that it is called with.

    Attributes:
        label: ``reviews@v1``; of many variants with what tells them apart: ``reviews@v1 · gpt-5.6-luna · low``.
        model: The model that answers, or answered.
        params: The settings of each call: the prompt's own, with ``settings``, those that the variant sets.
        unsent: Settings of the prompt that its model refuses.
        priced_as: The model whose price and tokenizer count.
        price: Its list price; ``None`` if it is unpriced.
        live_price: What a live call of ``model`` is billed at; ``None`` if it is unpriced.
        files: Where recorded answers are looked up, in order; new ones go into the first.
        fresh_only: Files in which an answer to this very request counts, and an older one does not.
    """

    label: str
    template: Template
    model: str
    params: CallOptions
    settings: Mapping[str, Any] = field(hash=False)
    unsent: tuple[str, ...]
    priced_as: str
    price: Price | None
    live_price: Price | None
    files: tuple[RecordingFile, ...] = field(repr=False)
    fresh_only: tuple[RecordingFile, ...] = field(default=(), repr=False)

    @property
    def free(self) -> bool:
        """Whether live calls cost nothing."""
        return is_free(self.model)

    def request(self, rendered: Rendered, *, case: str, sample: int = 0) -> Request:
        """What asks this variant."""
        return rendered.request(self.model, sample=sample, case=case, params=self.params)

    def recorded(self, request: Request) -> tuple[RecordingStatus, RecordingFile]:
        """What is recorded of a request, and in which file: fresh before stale before missing."""
        stale = None
        for file in (*self.files, *self.fresh_only):
            status, _ = file.status(request)
            if status == "fresh":
                return status, file
            if status == "stale" and stale is None and file not in self.fresh_only:
                stale = file
        return ("stale", stale) if stale else ("missing", self.files[0])

    def cacheable(self) -> int:
        """Input tokens of each call that the priced model's prompt cache serves once it is warm."""
        tokenizer, front = tokenizer_for(self.priced_as), self.template.front
        billed = definition_tokens(front.output_schema, front.tools, tokenizer)
        prefix = static_prefix(self.template).tokens(tokenizer, billed)
        return self.kept_tokens(prefix)

    def kept_tokens(self, prefix: int) -> int:
        """What the priced model's prompt cache serves of so many first tokens of a call, once it has them."""
        return cacheable_at(prefix, self.priced_as)

    def counted_tokens(self, request: Request) -> int:
        """Input tokens of a request, counted with the priced model's tokenizer."""
        return count_tokens(request, self.priced_as).tokens

    def measure(self, request: Request | int, response: Response, cacheable: int | None = None) -> Measurement:
        """The tokens and the list cost of an answered request.

        What the provider measured is taken if it uses the priced model's tokenizer; else request and answer are counted
        with that tokenizer.

        Args:
            request: Or what :meth:`counted_tokens` says of it.
            cacheable: What :meth:`cacheable` says, if the provider shows that it has a prompt cache.
        """
        usage = response.usage
        basis: Basis = "measured"
        if usage is None or not self._same_tokenizer():
            tokenizer = tokenizer_for(self.priced_as)
            hidden = 0 if usage is None else self._hidden(response, usage)
            output = tokenizer.count(response.text) + calls_tokens(response.tool_calls, tokenizer) + hidden
            counted = request if isinstance(request, int) else self.counted_tokens(request)
            said = 0 if usage is None else usage.output_reasoning_tokens
            usage, basis = Usage(counted, output_tokens=output, output_reasoning_tokens=said), tokenizer.basis
            if self.template.front.tools:
                # How tools are written into a prompt is known by a recipe only.
                basis = "estimated"
            if isinstance(counted, PartialCount):
                return Measurement(usage, "estimated", None)
        if cacheable is None:
            return Measurement(usage, basis, self.cost(usage))
        tokens = min(cacheable, usage.input_tokens)
        warm = replace(usage, cache_read_tokens=tokens, cache_write_tokens=0, cache_write_1h_tokens=0)
        return Measurement(usage, basis, self.cost(usage), tokens, self.cost(warm))

    def cost(self, usage: Usage) -> Cost | None:
        """List cost of a call; ``None`` if the priced model is unpriced."""
        if self.price is None or self.price.tiers is not None:
            return self.price.cost(usage) if self.price else None
        return _cost(self.price, usage)

    def _hidden(self, response: Response, usage: Usage) -> int:
        """Output tokens that were billed and are not in the text: the reasoning before it.

        Some providers bill reasoning and do not say how much. The model's own tokenizer knows what is not text; with an
        estimate, only so many tokens that no tokenizer makes of the text are taken to be something else.
        """
        if usage.output_reasoning_tokens:
            return usage.output_reasoning_tokens
        own = tokenizer_for(self.model)
        visible = own.count(response.text) + calls_tokens(response.tool_calls, own)
        return max(0, usage.output_tokens - visible) if own.exact or usage.output_tokens > 4 * visible else 0

    def _same_tokenizer(self) -> bool:
        if self.model == self.priced_as:
            return True
        own, priced = tokenizer_for(self.model), tokenizer_for(self.priced_as)
        return own.exact and priced.exact and own == priced


@lru_cache(maxsize=4096)
def _cost(price: Price, usage: Usage) -> Cost:
    """One cost for all calls of that many tokens; prices of genai-prices with tiers cannot be looked up so."""
    return price.cost(usage)


def make_variant(
    template: Template,
    suite: Suite,
    config: Config,
    *,
    model: str | None = None,
    price_as: str | None = None,
    processing: Processing = "standard",
    files: RecordingFiles | None = None,
    settings: Mapping[str, Any] = NO_SETTINGS,
    label: str = "",
) -> Variant:
    """The variant of a prompt on a suite.

    Args:
        model: Overrides the prompt's own model.
        price_as: Overrides the configuration's.
        processing: The price tier of live calls.
        files: The recording files of the run, which its variants share.
        settings: Settings of a call, by name, in the place of the prompt's own.
        label: What it is called beside others; by default the prompt's name and version.

    Raises:
        UsageError: Nothing names a model, or the model refuses one of the settings.
        RecordingError: Its recordings are broken.
    """
    answering = model or template.front.model or config.model
    if answering is None:
        raise UsageError(
            f"{template.path} names no model. Set `model` in its front matter or in [tool.promptopt], or pass --model"
        )
    params, unsent = sent_params(template.front, answering, settings)
    if wanted := [name for name in unsent if name in settings]:
        raise UsageError(f"{answering} takes no {wanted[0]}: leave it out for this model")
    priced_as = price_as or config.price_as or answering
    opened, tier = files or RecordingFiles(), params.service_tier
    own = _recording_files(template, suite, opened, settings)
    return Variant(
        label=label or template.origin.label,
        template=template,
        model=answering,
        params=params,
        settings=settings,
        unsent=unsent,
        priced_as=priced_as,
        price=find_tier_price(priced_as, tier, config=config),
        live_price=find_price(answering, processing=processing, config=config)
        if processing != "standard"
        else find_tier_price(answering, tier, config=config),
        files=own,
        # A prompt that has these very settings may have been asked already.
        fresh_only=_recording_files(template, suite, opened) if settings else (),
    )


def sent_params(
    front: FrontMatter, model: str, settings: Mapping[str, Any] = NO_SETTINGS
) -> tuple[CallOptions, tuple[str, ...]]:
    """What of a prompt's settings, with those of a variant in their place, a model is sent; and what it is not sent.

    A prompt's own model is sent what the prompt says, as in production.
    """
    wanted = replace(front.params, **settings)
    refused = refused_options(model, wanted.to_dict())
    unsent = tuple(name for name in refused if model != front.model or name in settings)
    return replace(wanted, **{name: getattr(NO_OPTIONS, name) for name in unsent}), unsent


def recording_path(suite: Suite, prompt: str, version: str | None, settings: Mapping[str, Any] = NO_SETTINGS) -> Path:
    """``suites/NAME/recordings/PROMPT/VERSION.jsonl``; a prompt without versions has ``PROMPT.jsonl``.

    Args:
        settings: Those that a variant sets: they are part of the name, ``v1+reasoning_effort=low.jsonl``.
    """
    path = suite.recordings / PurePosixPath(prompt)
    added = "".join(f"+{name}={_in_a_name(value)}" for name, value in sorted(settings.items()))
    return path / f"{version}{added}.jsonl" if version else path.with_name(f"{path.name}{added}.jsonl")


def _in_a_name(value: object) -> str:
    """A value as a part of a file's name."""
    text = value if isinstance(value, str) else canonical_json(value)
    plain = re.sub(r"[^\w.-]+", "_", text)
    return plain if plain == text and len(plain) <= _LONGEST_IN_A_NAME else sha256_hex(text)[:12]


def _recording_files(
    template: Template, suite: Suite, opened: RecordingFiles, settings: Mapping[str, Any] = NO_SETTINGS
) -> tuple[RecordingFile, ...]:
    origin = template.origin
    own = opened.read(recording_path(suite, origin.prompt, origin.version, settings))
    reader = template.reader
    if not isinstance(reader, GitReader):
        return (own,)
    # A prompt out of git was recorded under its plain version, in the working tree or in its own commit.
    plain = (origin.version or "").partition("@")[0] or None
    working = recording_path(suite, origin.prompt, plain, settings)
    files = [own, opened.read(working)]
    if working.resolve().is_relative_to(reader.repository):
        path = PurePosixPath(working.resolve().relative_to(reader.repository).as_posix())
        display = f"{reader.reference}:{path}"
        try:
            files.append(RecordingFile.from_text(reader.show(path, display), display))
        except (FileNotFoundError, TemplateError):
            pass
    return tuple(files)
