"""A whole promptfoo config as what this project compares: templates, suites, settings, and notes on the rest."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from promptopt.config import Config, load_config, using_config
from promptopt.errors import SuiteError
from promptopt.promptfoo.cases import PREFIX, SUFFIX, Cases, ReadCase
from promptopt.promptfoo.document import ConfigFile, Note, plain, read_document
from promptopt.promptfoo.nunjucks import NunjucksEnvironment, has_template, to_jinja
from promptopt.promptfoo.prompts import ConfigPrompt, read_prompts, slug
from promptopt.promptfoo.providers import ConfigProvider, read_providers
from promptopt.promptfoo.tests import read_tests
from promptopt.promptfoo.texts import FUNCTION, Templates
from promptopt.suites import Case, Suite
from promptopt.suites.case import Turn
from promptopt.suites.derived import DerivedMetric
from promptopt.templates import Template
from promptopt.values import canonical_json

_READ = (
    "prompts",
    "providers",
    "targets",
    "tests",
    "defaultTest",
    "scenarios",
    "env",
    "evaluateOptions",
    "nunjucksFilters",
    "passRateThreshold",
    "derivedMetrics",
)
JUDGE = "gpt-5.5-2026-04-23"
"""promptfoo's default: its ``DEFAULT_OPENAI_GRADING_MODEL``."""

# Nothing that is measured depends on them.
_HARMLESS = (
    *("description", "version", "$schema", "sharing", "outputPath", "writeLatestResults", "tags", "metadata", "title"),
    *("assertionTemplates", "cache", "author", "commandLineOptions", "definitions", "templates", "verbose"),
)
_REMEDIES = {
    "extensions": "its hooks are not called: set up and clean up around the command",
    "redteam": "attacks are not generated: `promptfoo redteam` makes tests, which this reads",
    "tracing": "what is measured is the answer and its tool calls",
}


@dataclass(frozen=True)
class ComparedPart:
    """Templates that are all asked of the same cases."""

    templates: tuple[Template, ...]
    suite: Suite


@dataclass(frozen=True)
class Evaluation:
    """What a config compares.

    Attributes:
        parts: One comparison each; more than one if tests name the providers or prompts that they are for.
        config: The project's settings with the providers of the config.
        trials: How often each case is asked (``repeat``).
        jobs: Calls in flight (``maxConcurrency``).
        rpm: The most calls in a minute (``delay``).
        notes: What is left out, and what is read differently.
        pass_rate: The share of cases that must pass (``passRateThreshold``); ``None``: it says none.
        asserts: How many asserts the cases have.
        asserts_kept: How many of them are scored.
    """

    parts: tuple[ComparedPart, ...]
    config: Config
    trials: int = 1
    jobs: int | None = None
    rpm: int | None = None
    notes: tuple[Note, ...] = ()
    pass_rate: float | None = None
    asserts: int = 0
    asserts_kept: int = 0
    providers: tuple[ConfigProvider, ...] = ()
    prompts: tuple[ConfigPrompt, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def unavailable(self) -> str:
        """Why none of its providers can be asked; empty if one can."""
        return "" if any(not each.unavailable for each in self.providers) else self.providers[0].unavailable

    @contextmanager
    def active(self) -> Iterator[None]:
        """While this is open, the providers and variables of the config are those of the process."""
        before = {name: os.environ.get(name) for name in self.env}
        os.environ.update(self.env)
        try:
            with using_config(self.config):
                yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def read_evaluation(
    path: str | Path,
    *,
    models: Sequence[str] = (),
    datasets: Mapping[str, Path] | None = None,
    config: Config | None = None,
) -> Evaluation:
    """The evaluation of a promptfoo config.

    Args:
        models: Asked in the place of the config's providers.
        datasets: Local copies of data sets, by their names on Hugging Face.

    Raises:
        SuiteError: Nothing of it can be compared; what is left out is in its message.
    """
    document = read_document(Path(path), datasets)
    return _Reader(document, models, config or load_config()).evaluation()


class _Reader:
    """Reads one config."""

    def __init__(self, document: ConfigFile, models: Sequence[str], config: Config) -> None:
        self._document, self._models, self._config = document, models, config
        # Code of the config imports what is beside it.
        if str(document.folder) not in sys.path:
            sys.path.append(str(document.folder))
        self._templates = Templates(document)
        self._asked_providers: dict[str, ConfigProvider] = {}

    def evaluation(self) -> Evaluation:
        document = self._document
        self._check_keys()
        prompts = read_prompts(document)
        providers = self._providers()
        if not prompts:
            raise self._nothing("prompt", "")
        if not providers:
            # A config without one, as a file of tests is: whoever runs it names a model.
            providers = [ConfigProvider("model", (), "model", unavailable="the config names no provider")]
        environment = NunjucksEnvironment(None, document.environment(), self._templates.filters)
        cases = Cases(document, environment, prompts[0].text)
        read = cases.of(read_tests(document))
        if not read:
            raise self._nothing("test", "")
        around = any(PREFIX in each.case.vars or SUFFIX in each.case.vars for each in read)
        parts = tuple(self._parts(prompts, providers, read, around))
        options = {**self._options("evaluateOptions"), **self._options("commandLineOptions")}
        config = self._judged(self._with_tables([*providers, *self._asked_providers.values()]), cases, read)
        delay = max([_positive(options.get("delay")) or 0.0, *(provider.delay_ms for provider in providers)])
        return Evaluation(
            parts=parts,
            config=config,
            trials=int(_positive(options.get("repeat")) or 1),
            jobs=1 if delay else int(_positive(options.get("maxConcurrency")) or 0) or None,
            rpm=max(1, int(60_000 / delay)) if delay else None,
            notes=document.notes,
            pass_rate=self._pass_rate(),
            asserts=cases.asserts.read,
            asserts_kept=cases.asserts.kept,
            providers=tuple(providers),
            prompts=tuple(prompts),
            env=document.env,
        )

    def _options(self, key: str) -> Mapping[str, Any]:
        """What a table of the config sets, and does not leave open."""
        found = self._document.table.get(key)
        return {name: value for name, value in found.items() if value is not None} if isinstance(found, Mapping) else {}

    def _pass_rate(self) -> float | None:
        """The config's share of passing cases; promptfoo's own is a percentage in the environment."""
        tables = (self._document.table, self._options("evaluateOptions"), self._options("commandLineOptions"))
        given = [table.get("passRateThreshold") for table in tables]
        percent = self._document.environment().get("PROMPTFOO_PASS_RATE_THRESHOLD")
        for value in [*given, percent]:
            try:
                number = float(value)  # type: ignore[arg-type]  # what is no number is the next
            except (TypeError, ValueError):
                continue
            return number / 100 if number > 1 else number
        return None

    def _nothing(self, what: str, remedy: str) -> SuiteError:
        lost = [str(note) for note in self._document.notes if note.kind == "left out"]
        listed = "".join(f"\n    {note}" for note in lost[:8])
        if not lost:
            listed = f"\n    it has no `{what}s`"
        return SuiteError(f"no {what} of it can be used:{listed}", path=self._document.shown, remedy=remedy or None)

    def _check_keys(self) -> None:
        table = self._document.table
        for key in table:
            if key not in (*_READ, *_HARMLESS) and not key.startswith(("x-", "_", ".")):
                self._document.note("left out", f"`{key}` is not used", table, key, _REMEDIES.get(key, ""))

    def _providers(self) -> list[ConfigProvider]:
        if not self._models:
            return read_providers(self._document)
        given = self._document.table.get("providers", self._document.table.get("targets"))
        if given:
            models = ", ".join(self._models)
            self._document.note(
                "differs", f"{models} is asked in the place of the config's providers", self._document.table
            )
        return [ConfigProvider(slug(model) or "model", (model,), model) for model in self._models]

    def _with_tables(self, providers: Sequence[ConfigProvider]) -> Config:
        tables = {provider.table[0]: provider.table[1] for provider in providers if provider.table}
        return replace(self._config, providers={**self._config.providers, **tables})

    def _judged(self, config: Config, cases: Cases, read: Sequence[ReadCase]) -> Config:
        """The settings with promptfoo's own judge, if an assert asks a model and nobody names one."""
        named = all("provider" in each.case.options for each in read)
        if not cases.asserts.asks or named or "model" in config.judge:
            return config
        what = f"asserts that ask a model and name none are judged by {JUDGE}, as promptfoo does"
        self._document.note("differs", what, None, None, "--judge MODEL names another")
        return replace(config, judge={**config.judge, "model": JUDGE})

    def _parts(
        self,
        prompts: Sequence[ConfigPrompt],
        providers: Sequence[ConfigProvider],
        read: Sequence[ReadCase],
        around: bool,
    ) -> Iterator[ComparedPart]:
        """The cases by what is asked of them."""
        groups: dict[tuple[str, ...], list[ReadCase]] = {}
        made: dict[str, Template] = {}
        for each in read:
            asked = tuple(self._templates_for(each, prompts, providers, made, around))
            if asked:
                groups.setdefault(asked, []).append(each)
            else:
                name = each.case.name[:60]
                self._document.note("left out", f"the test {name!r}: no prompt and provider is for it", each.where)
        if not groups:
            raise self._nothing("test", "")
        path, derived = self._document.path, tuple(self._derived())
        for number, (keys, found) in enumerate(groups.items(), 1):
            name = path.stem if number == 1 else f"{path.stem}-{number}"
            templates = tuple(made[key] for key in keys)
            suite = Suite(name, path, tuple(self._joined(found, templates)), derived=derived)
            yield ComparedPart(templates, suite)
        self._note_undefined(list(made.values()), read)

    def _derived(self) -> Iterator[DerivedMetric]:
        table = self._document.table
        written = table.get("derivedMetrics") or []
        for entry in written if isinstance(written, list) else [written]:
            with self._document.leaving_out("a derived metric", entry if hasattr(entry, "lines") else table):
                yield DerivedMetric.read(entry)

    def _templates_for(
        self,
        each: ReadCase,
        prompts: Sequence[ConfigPrompt],
        providers: Sequence[ConfigProvider],
        made: dict[str, Template],
        around: bool,
    ) -> Iterator[str]:
        """The keys of the templates that a case is asked with; those that are new are made."""
        asked = self._asked(each, providers)
        for prompt, provider in product(prompts, asked):
            for wanted in (each.prompts, provider.prompts):
                if not _allowed(wanted, prompt.labels, prompt.name):
                    break
            else:
                key = f"{prompt.name}\n{provider.name}\n{provider.model}\n{canonical_json(plain(provider.front))}"
                if key not in made:
                    what = f"the prompt {prompt.name} for {provider.name}"
                    with self._document.leaving_out(what, provider.where):
                        made[key] = self._templates.make(prompt, provider, len(providers) > 1, around)
                        self._asked_providers[key] = provider
                if key in made:
                    yield key

    def _joined(self, read: Sequence[ReadCase], templates: Sequence[Template]) -> list[Case]:
        """The cases, those that need what another was answered with as turns of one."""
        names = {name for template in templates for name in template.variables()}
        if "_conversation" in names:
            # Prompts that are told what was said before.
            conversations: dict[str, list[ReadCase]] = {}
            for each in read:
                conversations.setdefault(str(each.case.metadata.get("conversationId", "")), []).append(each)
            return [self._one_case(name or turns[0].case.name, turns) for name, turns in conversations.items()]
        chains = _chains(read, names)
        return [
            chain[0].case if len(chain) == 1 else self._one_case(chain[0].case.name, chain, alone=True)
            for chain in chains
        ]

    def _one_case(self, name: str, read: Sequence[ReadCase], alone: bool = False) -> Case:
        """Tests as the turns of one case.

        Args:
            alone: Each is asked without what was said before.
        """
        first, several = read[0].case, len(read) > 1
        if several and any(each.case.threshold is not None for each in read):
            self._document.note("left out", "a threshold of one of several tests that are one case: the case has none")
        stored = {each.store_as for each in read} - {""}
        turns = tuple(
            Turn(
                None,
                {name: _later(value, stored) for name, value in each.case.vars.items()},
                each.case.asserts,
                store_as=each.store_as,
                alone=alone,
                options=each.case.options,
            )
            for each in read
        )
        threshold, options = None if several else first.threshold, read[-1].case.options
        return replace(first, name=name, asserts=(), threshold=threshold, turns=turns, options=options)

    def _asked(self, each: ReadCase, providers: Sequence[ConfigProvider]) -> Sequence[ConfigProvider]:
        if each.provider is not None and not self._models:
            table = {"providers": [each.provider]}
            own = read_providers(replace(self._document, table=table))
            if own:
                return own
        return [
            provider
            for provider in providers
            if self._models or _allowed(each.providers, provider.names, provider.model)
        ]

    def _note_undefined(self, templates: Sequence[Template], read: Sequence[ReadCase]) -> None:
        cases, stored = [each.case for each in read], {each.store_as for each in read}
        for template in templates:
            names = template.variables() - {FUNCTION, PREFIX, SUFFIX, "_conversation", "env"} - stored
            for name in sorted(names):
                without = sum(name not in case.vars for case in cases)
                if without:
                    count = "every case" if without == len(cases) else f"{without} of {len(cases)} cases"
                    printed = f"{template.origin.label}: {{{{ {name} }}}} prints nothing in {count}"
                    self._document.note("differs", f"{printed}: no such variable is given")


def _chains(read: Sequence[ReadCase], names: set[str]) -> list[list[ReadCase]]:
    """Tests in the order of the config, each with those whose stored answers it uses.

    Args:
        names: What the prompts use.
    """
    group = list(range(len(read)))
    stored: dict[str, int] = {}
    for number, each in enumerate(read):
        for name, by in stored.items():
            if name in names or any(_names(text, name) for text in each.case.vars.values()):
                own, other = group[number], group[by]
                group = [min(own, other) if one in (own, other) else one for one in group]
        if each.store_as:
            stored[each.store_as] = number
    chains: dict[int, list[ReadCase]] = {}
    for first, each in zip(group, read, strict=True):
        chains.setdefault(first, []).append(each)
    return list(chains.values())


def _names(text: Any, name: str) -> bool:
    return isinstance(text, str) and has_template(text) and re.search(rf"\b{re.escape(name)}\b", text) is not None


def _later(text: Any, stored: set[str]) -> Any:
    """A variable's text as it is rendered when the answers are known."""
    return to_jinja(text) if any(_names(text, name) for name in stored) else text


def _allowed(wanted: Sequence[str] | None, names: Sequence[str], name: str) -> bool:
    """Whether a filter of tests or providers lets something of these names through."""
    if wanted is None:
        return True
    known = (*names, name)
    return any(
        each == entry or (entry.endswith("*") and each.startswith(entry[:-1])) or each.startswith(f"{entry}:")
        for entry in wanted
        for each in known
    )


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
