"""What a prompt costs today, case by case, without a call."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from statistics import fmean

import jinja2
from jinja2 import meta

from promptopt.budget.lock import SUFFIX, Basis, Entry, Lock, lock_path, read_lock
from promptopt.config import Config
from promptopt.errors import ConfigError, LockError, PromptoptError, TemplateError, UsageError, did_you_mean
from promptopt.experiment.variant import Variant, make_variant
from promptopt.files import show_path
from promptopt.prices import Price, close_models
from promptopt.providers.recordings import RecordingStatus, what_changed
from promptopt.scorers import SuiteChecks
from promptopt.suites import Case, Suite, find_suite, load_suite
from promptopt.templates import PromptFiles, Template, list_prompts, load_prompt
from promptopt.templates.frontmatter import mask_front_matter
from promptopt.templates.prompt_cache import StaticPrefix, cacheable, static_prefix
from promptopt.tokens import Tokenizer, count_tokens, schema_tokens, tokenizer_for, vocabulary_sha256
from promptopt.values import Rendered, Request, Usage, canonical_json, sha256_hex

_DIGEST_DIGITS = 16
_QUALITY_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """One case today.

    Attributes:
        entry: As it would be locked.
        status: What is recorded of it; ``stale`` answers give the output, labelled as an estimate, and no quality.
        changed: In what a stale answer's request differs.
    """

    case: Case
    entry: Entry
    status: RecordingStatus
    changed: str = ""

    @property
    def stale(self) -> bool:
        return self.status == "stale"


def tokenizer_name(tokenizer: Tokenizer) -> str:
    """``o200k_base@sha256:...``: the encoding and its vocabulary."""
    return f"{tokenizer.encoding}@sha256:{vocabulary_sha256(tokenizer.encoding)}"


def digest(value: object) -> str:
    """The first digits of a SHA-256: enough to see a change."""
    return sha256_hex(canonical_json(value))[:_DIGEST_DIGITS]


def request_digest(rendered: Rendered) -> str:
    """Of everything that is billed as input."""
    messages = [[message.role, message.content] for message in rendered.messages]
    return digest([messages, rendered.output_schema])


def sources_digest(template: Template) -> str:
    """Of the template and its includes, front matter aside; empty where an include is named by an expression."""
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
    # A version is a file of its own; its name says nothing about its text.
    main = texts.pop(template.name)
    return digest([main.lstrip("{#\n}"), sorted(texts.items()), template.front.output_schema])


class GuardedPrompt:
    """A prompt with its suite and its lock. Everything dear is done when it is first asked for.

    Attributes:
        name: The prompt's name, without a version.
        files: Its versions; the newest is measured.
        path: Of its lock, whether there is one or not.
    """

    def __init__(self, files: PromptFiles, suite: Path, config: Config) -> None:
        self.name = files.name
        self.files = files
        self.path = lock_path(config.prompts, files.name)
        self.config = config
        self._suite = suite
        self._measured: dict[str, Measured] = {}

    @cached_property
    def suite(self) -> Suite:
        """Raises PromptoptError where the file cannot be read."""
        return load_suite(self._suite, config=self.config)

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The suite's cases by name."""
        return {case.name: case for case in self.suite.cases}

    @cached_property
    def lock(self) -> Lock | None:
        """What is locked; ``None`` for a new prompt. Raises LockError where the file is broken."""
        lock = read_lock(self.path)
        if lock is not None and lock.program:
            raise LockError(
                f"it locks a prompt that a program builds, and {self.name!r} is a template",
                path=show_path(self.path),
                remedy="give one of the two another name",
            )
        return lock

    @cached_property
    def template(self) -> Template:
        return load_prompt(self.files.newest, config=self.config)

    @cached_property
    def variant(self) -> Variant:
        return make_variant(self.template, self.suite, self.config)

    @cached_property
    def price(self) -> Price:
        """Raises ConfigError for a model that has no price: a budget in dollars cannot be kept with it."""
        variant = self.variant
        if variant.price is None:
            close = close_models(variant.priced_as)
            hint = f" Close names: {', '.join(close)}." if close else ""
            raise ConfigError(
                f"the price table has no model {variant.priced_as!r}.{hint}",
                path=self.template.path,
                remedy="set price_as in [tool.promptopt], or give its price in "
                f'[tool.promptopt.prices."{variant.priced_as}"]',
            )
        return variant.price

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return tokenizer_for(self.variant.priced_as)

    @cached_property
    def basis(self) -> Basis:
        price = self.price
        rates = (price.input_mtok, price.cache_read_mtok, price.output_mtok)
        return Basis(
            tokenizer_name(self.tokenizer), self.variant.priced_as, *(f"{rate.normalize():f}" for rate in rates)
        )

    @cached_property
    def calls_per_month(self) -> int | None:
        return self.template.front.calls_per_month

    @cached_property
    def sources(self) -> str:
        """Digest of the template and its includes."""
        return sources_digest(self.template)

    @cached_property
    def _checks(self) -> SuiteChecks:
        return SuiteChecks(self.suite)

    @cached_property
    def _prefix_tokens(self) -> int:
        """The same for every case, so that the first one tells it."""
        schema = self.template.front.output_schema
        billed = 0 if schema is None else schema_tokens(schema, self.tokenizer)
        return self.prefix(self.suite.cases[0]).tokens(self.tokenizer, billed)

    def prefix(self, case: Case) -> StaticPrefix:
        """How much of the prompt no variable changes."""
        return static_prefix(self.template, case.vars, self.render(case))

    def render(self, case: Case) -> Rendered:
        """Raises TemplateError where the prompt does not render for the case, which it names."""
        try:
            return self.template.render(case.vars)
        except TemplateError as error:
            message = f"{error.message} (in case {case.name!r})"
            raise TemplateError(message, path=error.path, line=error.line, remedy=error.remedy) from None

    def forget(self) -> None:
        """Give back the memory of what was measured; it is measured again where it is asked for."""
        self._measured.clear()

    def measure(self, name: str) -> Measured:
        """The case today; measured once."""
        if name not in self._measured:
            self._measured[name] = self._measure(self.cases[name])
        return self._measured[name]

    def _measure(self, case: Case) -> Measured:
        rendered = self.render(case)
        total = count_tokens(rendered, self.variant.priced_as).tokens
        request = rendered.request(self.variant.model, case=case.name)
        status, output, quality, changed = self._answers(request)
        cap = request.params.max_output_tokens
        entry = Entry(
            input=total,
            cacheable=min(self._prefix_tokens, total),
            output=cap if output is None else output,
            output_is="cap" if output is None else "recorded",
            quality=quality,
            variables=digest(dict(case.vars)),
            request=request_digest(rendered),
        )
        return Measured(case, entry, status, changed)

    def _answers(self, request: Request) -> tuple[RecordingStatus, int | None, float | None, str]:
        """Status, output tokens and quality of the recorded answers to a case, all repetitions, and what is stale."""
        outputs: list[int] = []
        qualities: list[float] = []
        assert request.origin is not None
        while True:
            sample = replace(request, sample=len(outputs))
            status, file = self.variant.recorded(sample)
            recording = file.find(sample)
            if recording is None or status != "fresh":
                break
            measured = self.variant.measure(sample, recording.response)
            outputs.append(measured.usage.output_tokens)
            front = self.template.front
            score = self._checks.score(request.origin.case or "", recording.response, front.answer, measured.cost)
            qualities.append(score.quality)
        if outputs:
            return "fresh", round(fmean(outputs)), round(fmean(qualities), _QUALITY_DIGITS), ""
        if recording is None:
            return "missing", None, None, ""
        usage = self.variant.measure(request, recording.response).usage
        return "stale", usage.output_tokens, None, what_changed(recording, request)

    def usd_call(self, entry: Entry) -> Decimal:
        """Dollars of one call at today's rates, with what the provider's cache serves of the static prefix."""
        served = min(cacheable(entry.cacheable), entry.input)
        usage = Usage(input_tokens=entry.input, cache_read_tokens=served, output_tokens=entry.output or 0)
        return self.price.cost(usage).total_usd


def guarded_prompts(config: Config, names: Collection[str] = ()) -> list[GuardedPrompt]:
    """Every prompt that has a suite or a lock, by name. Suites and locks are read when a prompt is checked.

    Args:
        names: Only these, where there are any.

    Raises:
        LockError: A lock's prompt or suite is gone.
        UsageError: There is no prompt to guard, or none of a name.
    """
    files = {prompt.name: prompt for prompt in list_prompts(config)}
    locks = {path.relative_to(config.prompts).as_posix().removesuffix(SUFFIX): path for path in find_locks(config)}
    found: list[GuardedPrompt] = []
    for name in sorted({*files, *locks}):
        if name not in files:
            _refuse_orphan(name, locks[name])
            continue
        suite = find_suite(name, config=config)
        if suite is not None and (not names or name in names):
            found.append(GuardedPrompt(files[name], suite, config))
        elif suite is None and name in locks:
            where = show_path(config.suites / f"{name}.yaml")
            raise LockError(f"the suite of {name!r} is gone: no {where}", path=show_path(locks[name]))
    for name in names:
        if name not in {prompt.name for prompt in found}:
            raise UsageError(f"no prompt {name!r} has a suite.{did_you_mean(name, files)}")
    if not found:
        raise UsageError(
            f"nothing is guarded: no prompt in {show_path(config.prompts)} has a suite in {show_path(config.suites)}"
        )
    return found


def _refuse_orphan(name: str, path: Path) -> None:
    """Raise LockError for the lock of a template that is gone; a program's lock has none."""
    lock = read_lock(path)
    if lock is None or not lock.program:
        raise LockError(
            f"the prompt {name!r} is gone",
            path=show_path(path),
            remedy=f"remove its lock: git rm {show_path(path)}, or: promptopt budget update",
        )


def find_locks(config: Config) -> list[Path]:
    """All lock files below the prompts folder."""
    return sorted(config.prompts.rglob(f"*{SUFFIX}"))
