"""What a prompt costs today, case by case, without a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import jinja2
from jinja2 import meta

from promptopt.budget.limits import Metric
from promptopt.budget.lock import Lock, LockBasis, LockedCall, LockEntry, lock_path, template_lock
from promptopt.config import Config
from promptopt.errors import ConfigError, PromptoptError, TemplateError
from promptopt.experiment.conversation import (
    case_renderings,
    case_requests,
    judge_steps,
    recorded_steps,
    repeated_tokens,
)
from promptopt.experiment.variant import Variant, make_variant
from promptopt.judges import JudgeSession, read_judge
from promptopt.prices import Price, close_models, find_price, find_tier_price
from promptopt.providers.recordings import RecordingStatus, what_changed
from promptopt.scorers import JudgeAccess, SuiteChecks
from promptopt.suites import Case, Suite, load_suite
from promptopt.templates import PromptFiles, Template, load_prompt
from promptopt.templates.attribution import Attribution, attribute
from promptopt.templates.frontmatter import front_matter_end, mask_front_matter
from promptopt.templates.prompt_cache import StaticPrefix, static_prefix
from promptopt.tokens import (
    TokenCount,
    Tokenizer,
    cacheable_at,
    count_tokens,
    definition_tokens,
    tokenizer_for,
)
from promptopt.values import Rendered, Request, Usage, canonical_json, sha256_hex
from promptopt.vocabularies import vocabulary_sha256

_DIGEST_DIGITS = 16
_QUALITY_DIGITS = 6
_OPENINGS = ("{%", "{{", "{#")


@dataclass(frozen=True, slots=True)
class MeasuredCase:
    """What one case costs today.

    Attributes:
        entry: What would be locked.
        status: Of its recorded answers; ``stale`` ones give the output, labelled as an estimate, and no quality.
        changed: How the request of a stale answer differs from today's.
        reasoning: Of the output of recorded answers, what was reasoning; ``None`` if there are none or no provider
            said so.
    """

    case: Case
    entry: LockEntry
    status: RecordingStatus
    changed: str = ""
    reasoning: int | None = None

    @property
    def stale(self) -> bool:
        return self.status == "stale"


def metric_value(entry: LockEntry, metric: Metric, price: Price) -> Decimal | None:
    """An entry's value of a metric that cases have; ``None`` if unknown."""
    if metric == "usd_call":
        return usd_call(entry, price)
    number = {"input": entry.input, "cacheable": entry.cacheable, "output": entry.output}[metric]
    return None if number is None else Decimal(number)


def usd_call(entry: LockEntry, price: Price) -> Decimal:
    """Dollars of one call, with what the provider's cache serves of the static prefix."""
    served = min(cacheable_at(entry.cacheable, price.model), entry.input)
    usage = Usage(input_tokens=entry.input, cache_read_tokens=served, output_tokens=entry.output or 0)
    return price.cost(usage).total_usd


def price_of(basis: LockBasis, like: Price) -> Price:
    """A price with the rates in a lock; above the first tier of long inputs, those of ``like``."""
    return replace(
        like,
        model=basis.model,
        source="the lock",
        input_mtok=Decimal(basis.input_usd),
        cache_read_mtok=Decimal(basis.cached_usd),
        output_mtok=Decimal(basis.output_usd),
    )


def make_basis(model: str, price: Price) -> LockBasis:
    """Today's basis for a model."""
    input_usd, cached_usd, output_usd = (
        f"{rate.normalize():f}" for rate in (price.input_mtok, price.cache_read_mtok, price.output_mtok)
    )
    return LockBasis(
        tokenizer=tokenizer_name(tokenizer_for(model)),
        model=model,
        input_usd=input_usd,
        cached_usd=cached_usd,
        output_usd=output_usd,
    )


def tokenizer_name(tokenizer: Tokenizer) -> str:
    """``o200k_base@sha256:...``: the encoding and its vocabulary."""
    return f"{tokenizer.encoding}@sha256:{vocabulary_sha256(tokenizer.encoding)}"


def digest(value: object) -> str:
    """The first digits of a SHA-256: enough to notice a change."""
    return sha256_hex(canonical_json(value))[:_DIGEST_DIGITS]


def request_digest(rendered: Rendered | Request) -> str:
    """Digest of everything that is billed as input."""
    messages = [
        message.canonical() if message.parts or message.tool_calls else [message.role, message.content]
        for message in rendered.messages
    ]
    tools = [[tool.openai() for tool in rendered.tools]] if rendered.tools else []
    return digest([messages, rendered.output_schema, *tools])


def case_digest(template: Template, case: Case) -> str:
    """Digest of everything that is billed as input of a case: of a conversation, with short answers of the model.

    Raises:
        TemplateError: The prompt does not render for it.
    """
    return _requests_digest(case, case_requests(template, case))


def _requests_digest(case: Case, requests: Sequence[Request]) -> str:
    digests = [request_digest(request) for request in requests]
    return digest(digests) if case.turns else digests[0]


def case_tokens(template: Template, case: Case, model: str) -> tuple[int, int]:
    """Input tokens of a case, and those of them that a prompt cache can serve.

    These are the static prefix. Of a conversation they are what a cache keeps of each call: the static prefix, or what
    the call before began with.

    Raises:
        TemplateError: The prompt does not render for it.
    """
    requests = case_requests(template, case)
    counted = [count_tokens(request, model) for request in requests]
    return _requests_tokens(case, requests, counted, model, prefix_tokens(template, tokenizer_for(model)))


def _requests_tokens(
    case: Case, requests: Sequence[Request], counted: Sequence[TokenCount], model: str, prefix: int
) -> tuple[int, int]:
    counts = [count.tokens for count in counted]
    if not case.turns:
        return counts[0], min(prefix, counts[0])
    repeated = [0, *(repeated_tokens(before, request, model) for before, request in pairwise(requests))]
    served = (min(cacheable_at(max(prefix, each), model), count) for each, count in zip(repeated, counts, strict=True))
    return sum(counts), sum(served)


def media_of_case(template: Template, case: Case, model: str) -> int:
    """The tokens of images, sounds and files in the input of a case. Raises TemplateError if it does not render."""
    return sum(count_tokens(request, model).media for request in case_requests(template, case))


def sources_digest(template: Template, *, as_in_0_1_0: bool = False) -> str:
    """Digest of the template and its includes without front matter; empty if an expression names an include.

    Args:
        as_in_0_1_0: As locks of version 0.1.0 have it, which cannot tell ``# Rules`` from ``## Rules``.
    """
    environment = template.compiled.environment
    texts: dict[str, str] = {}
    queue = [template.name]
    while queue:
        name = queue.pop()
        if name in texts:
            continue
        try:
            texts[name] = mask_front_matter(template.reader.read(name))
            referenced = list(meta.find_referenced_templates(environment.parse(texts[name])))
        except (OSError, PromptoptError, jinja2.TemplateError):
            return ""
        if None in referenced:
            return ""
        queue.extend(name for name in referenced if name)
    # Without the file's name: a new version with the same text has the same digest.
    main = template.source[front_matter_end(template.source) :]
    del texts[template.name]
    if as_in_0_1_0:
        main = main.lstrip("{#\n}")
    elif main.startswith(_OPENINGS):
        # As in 0.1.0: most locks keep their digest.
        main = main.lstrip("{#")
    tools = [[tool.openai() for tool in template.front.tools]] if template.front.tools else []
    return digest([main, sorted(texts.items()), template.front.output_schema, *tools])


def output_cap(template: Template, case: Case) -> int | None:
    """Output tokens of a case at most: the cap, in each turn; ``None`` without one."""
    cap = template.front.params.max_output_tokens
    return None if cap is None else cap * max(1, len(case.turns))


def prefix_tokens(template: Template, tokenizer: Tokenizer) -> int:
    """Tokens of the static prefix, output schema and tools included."""
    billed = definition_tokens(template.front.output_schema, template.front.tools, tokenizer)
    return static_prefix(template).tokens(tokenizer, billed)


class GuardedPrompt:
    """A prompt with its suite and its lock. What takes time is computed on first use.

    Attributes:
        name: The prompt's name, without a version.
        files: Its versions; the newest is measured.
        path: The file of its lock, which may not exist yet.
    """

    def __init__(self, files: PromptFiles, suite: Path, config: Config) -> None:
        self.name = files.name
        self.files = files
        self.path = lock_path(config.prompts, files.name)
        self.config = config
        self._suite = suite
        self._measured: dict[str, MeasuredCase] = {}

    @cached_property
    def suite(self) -> Suite:
        """Raises PromptoptError if the file cannot be read."""
        return load_suite(self._suite, config=self.config)

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The suite's cases by name."""
        return {case.name: case for case in self.suite.cases}

    @cached_property
    def lock(self) -> Lock | None:
        """What is locked; ``None`` for a new prompt. Raises LockError if the file is broken."""
        return template_lock(self.config.prompts, self.name)

    @cached_property
    def template(self) -> Template:
        return load_prompt(self.files.newest, config=self.config)

    @cached_property
    def variant(self) -> Variant:
        return make_variant(self.template, self.suite, self.config)

    @cached_property
    def price(self) -> Price:
        """Raises ConfigError for a model without a price: its cost cannot be checked."""
        variant = self.variant
        tier = self.template.front.params.service_tier
        price = find_tier_price(variant.priced_as, tier, config=self.config)
        if price is None and find_price(variant.priced_as, config=self.config) is not None:
            raise ConfigError(
                f"the price of {variant.priced_as!r} with service_tier {tier!r} is not known: the prompt is unpriced",
                path=self.template.path,
                remedy="remove service_tier, or take one that the price table has for the model",
            )
        if price is None:
            close = close_models(variant.priced_as)
            hint = f" Close names: {', '.join(close)}." if close else ""
            raise ConfigError(
                f"the price table has no model {variant.priced_as!r}.{hint}",
                path=self.template.path,
                remedy="set price_as in [tool.promptopt], or give its price in "
                f'[tool.promptopt.prices."{variant.priced_as}"]',
            )
        return price

    @cached_property
    def locked_price(self) -> Price:
        """What the locked tokens are priced at: the rates in the lock, so that a commit has one verdict every day."""
        if self.lock is None or self.lock.basis == self.basis:
            return self.price
        basis = self.lock.basis
        like = self.price if basis.model == self.basis.model else find_price(basis.model, config=self.config)
        return price_of(basis, like or replace(self.price, tiers=None))

    @property
    def same_rates(self) -> bool:
        """Whether today's tokens are priced as the locked ones: the model and its tier are the same."""
        if self.lock is None or self.lock.basis.model != self.basis.model:
            return False
        call = self.lock.call
        return call is None or call.params.get("service_tier") == self.call.params.get("service_tier")

    @property
    def gate_price(self) -> Price:
        """What today's tokens are priced at: the locked rates, or today's if the prompt has another model or tier."""
        return self.locked_price if self.same_rates else self.price

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return tokenizer_for(self.variant.priced_as)

    @cached_property
    def basis(self) -> LockBasis:
        return make_basis(self.variant.priced_as, self.price)

    @cached_property
    def calls_per_month(self) -> int | None:
        return self.template.front.calls_per_month

    @cached_property
    def call(self) -> LockedCall:
        """Today's settings and volume, as they would be locked."""
        front = self.template.front
        schema = definition_tokens(front.output_schema, front.tools, self.tokenizer)
        return LockedCall(front.params.to_dict(), front.calls_per_month, schema)

    @cached_property
    def sources(self) -> str:
        """Digest of the template and its includes."""
        return sources_digest(self.template)

    @cached_property
    def _checks(self) -> SuiteChecks:
        return SuiteChecks(self.suite)

    @cached_property
    def _judges(self) -> JudgeSession | None:
        """Replays what judges answered; nobody is asked."""
        if not self._checks.asks:
            return None
        session = JudgeSession(read_judge(self.config), self.suite, "none", self.config)
        session.check(self._checks)
        return session

    def _access(self, sample: int) -> JudgeAccess | None:
        variant = self.variant
        files = [file.path for file in (*variant.files, *variant.fresh_only)]
        return None if self._judges is None else self._judges.access(variant.label, files, sample)

    @cached_property
    def _prefix_tokens(self) -> int:
        return prefix_tokens(self.template, self.tokenizer)

    @cached_property
    def prefix(self) -> StaticPrefix:
        """How much of the prompt no variable changes."""
        return static_prefix(self.template)

    @cached_property
    def attribution(self) -> Attribution:
        """What each line of the prompt prints in its first case."""
        variables = case_renderings(self.template, self.suite.cases[0])[0]
        return attribute(self.template, variables, self.variant.priced_as)

    def requests(self, case: Case) -> list[Request]:
        """Those of :func:`case_requests`. Raises TemplateError, which names the case, if it does not render."""
        try:
            return case_requests(self.template, case)
        except TemplateError as error:
            message = f"{error.message} (in case {case.name!r})"
            raise TemplateError(message, path=error.path, line=error.line, remedy=error.remedy) from None

    def measure(self, name: str) -> MeasuredCase:
        """What a case costs today; measured once."""
        if name not in self._measured:
            self._measured[name] = self._measure(self.cases[name])
        return self._measured[name]

    def _measure(self, case: Case) -> MeasuredCase:
        requests, model = self.requests(case), self.variant.priced_as
        counted = [count_tokens(request, model) for request in requests]
        if counted[0].uncounted:
            raise ConfigError(
                f"the input of case {case.name!r} cannot be counted: {counted[0].uncounted[0]}",
                path=self.template.path,
                remedy="measure its cost with `promptopt compare`, or take a model with a published rule in price_as",
            )
        total, cacheable = _requests_tokens(case, requests, counted, model, self._prefix_tokens)
        request = replace(requests[0], model=self.variant.model, params=self.variant.params)
        status, output, quality, changed, reasoning = self._answers(case, request)
        cap = output_cap(self.template, case)
        entry = LockEntry(
            input=total,
            cacheable=cacheable,
            output=cap if output is None else output,
            output_is="cap" if output is None else "recorded",
            quality=quality,
            variables=digest(case.given),
            request=_requests_digest(case, requests),
        )
        return MeasuredCase(case, entry, status, changed, reasoning or None)

    def _answers(self, case: Case, request: Request) -> tuple[RecordingStatus, int | None, float | None, str, int]:
        """Of the recorded answers to a case: status, output tokens, quality, what is stale, reasoning; means."""
        outputs: list[int] = []
        reasoning: list[int] = []
        qualities: list[float] = []
        assert request.origin is not None
        while True:
            sample = replace(request, sample=len(outputs))
            steps, unrecorded = recorded_steps(self.variant, case, sample)
            if unrecorded is not None:
                _, recording = unrecorded
                break
            judges = self._access(len(outputs))
            judged = judge_steps(self.variant, self._checks, case.name, steps, judges=judges)
            outputs.append(judged.measured.usage.output_tokens)
            reasoning.append(judged.measured.usage.output_reasoning_tokens)
            qualities.append(judged.score.quality)
        if outputs:
            quality = round(fmean(qualities), _QUALITY_DIGITS)
            return "fresh", round(fmean(outputs)), quality, "", round(fmean(reasoning))
        if recording is None:
            return "missing", None, None, "", 0
        usage = self.variant.measure(request, recording.response).usage
        return "stale", usage.output_tokens, None, what_changed(recording, request), usage.output_reasoning_tokens

    def value(self, entry: LockEntry, metric: Metric) -> Decimal | None:
        """Today's value of a metric that cases have; ``None`` if unknown."""
        return metric_value(entry, metric, self.gate_price)

    def locked_value(self, entry: LockEntry, metric: Metric) -> Decimal | None:
        """The same of a locked entry."""
        return metric_value(entry, metric, self.locked_price)

    def same_call(self) -> bool:
        """Whether the lock has today's model and settings, so that an equal request has the same answers."""
        if self.lock is None or self.lock.basis.model != self.basis.model:
            return False
        return self.lock.call is None or self.lock.call.params == self.call.params

    def held(self, measured: MeasuredCase, locked: LockEntry) -> MeasuredCase:
        """Today's entry as it compares with the locked one: what was not measured today is as it was locked.

        Recorded answers are no measure of a cap. A request that is the locked one, such as a copy of a version, has the
        locked answers.
        """
        now = measured.entry
        if measured.status == "missing" and locked.output_is == "recorded":
            quality = locked.quality if now.request == locked.request and self.same_call() else None
            return replace(measured, entry=replace(now, output=locked.output, output_is="recorded", quality=quality))
        if locked.output is None or now.output is None:
            return replace(measured, entry=replace(now, output=locked.output, output_is=locked.output_is))
        if locked.output_is != now.output_is:
            output = max(locked.output, now.output)
            return replace(measured, entry=replace(now, output=output, output_is=locked.output_is))
        return measured
