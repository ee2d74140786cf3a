"""What may be changed of a prompt at once, units taken out and other moves, and the variant that each choice makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from promptopt.compression.engine import compress_prompt, with_source
from promptopt.config import Config
from promptopt.errors import PromptoptError, UsageError
from promptopt.experiment.conversation import render_case
from promptopt.experiment.variant import Variant, make_variant
from promptopt.minimization.units import Units
from promptopt.providers.recordings import RecordingFile, RecordingFiles
from promptopt.structured.build import structure
from promptopt.structured.field_sources import from_suite, suite_labels
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Options
from promptopt.suites import Suite
from promptopt.templates import Template
from promptopt.templates.frontmatter import set_front_matter
from promptopt.values import Request, sha256_hex

MoveKind = Literal["text", "model", "setting"]
_RENDERED = 8
"""So many cases are rendered to see whether a choice can be made."""
# Tokens are counted in so many cases, of long prompts in fewer: the letters of all of them are about so many then.
_FEWEST_COUNTED, _MOST_COUNTED, _LETTERS = 20, 200, 1_000_000


@dataclass(frozen=True, slots=True)
class Move:
    """A change beside taking something out.

    Attributes:
        id: ``rules``, ``structured``, ``cap=40``, ``model=gpt-4o-mini``, ``reasoning_effort=low``.
        axis: Of moves of one axis at most one is made: ``cap``, ``model``, ...
        value: Of a model its name, of a setting its value.
        rewrite: How a move of the text changes a prompt. Raises PromptoptError if it cannot.
    """

    id: str
    axis: str
    kind: MoveKind
    value: Any = None
    rewrite: Callable[[Template], Template] | None = None


@dataclass(frozen=True, slots=True)
class Reduced:
    """What is taken out, and what else is changed. The empty one is the prompt as it is."""

    removed: frozenset[str] = frozenset()
    moves: frozenset[str] = frozenset()

    def plus(self, units: Iterable[str] = (), moves: Iterable[str] = ()) -> Reduced:
        """With more taken out or changed."""
        return Reduced(self.removed | frozenset(units), self.moves | frozenset(moves))

    def minus(self, units: Iterable[str]) -> Reduced:
        """With some units left in again."""
        return replace(self, removed=self.removed - frozenset(units))

    def includes(self, other: Reduced) -> bool:
        """Whether it takes out all that another one does, and changes the same beside that."""
        return self.moves == other.moves and self.removed >= other.removed


class Workbench:
    """Makes the variant of each choice, once.

    Attributes:
        suite: The cases that count.
        store: Keeps the answers.
        left_out: Which others were left out, and why; empty if none were.
        refused: Why a choice has no variant.
    """

    def __init__(
        self,
        units: Units,
        moves: Sequence[Move],
        suite: Suite,
        config: Config,
        store: RecordingFile,
        *,
        model: str | None = None,
        price_as: str | None = None,
    ) -> None:
        """``store`` keeps the answers of all choices; those that the prompt itself has recorded are used too."""
        self.units, self.suite, self.moves = units, suite, {move.id: move for move in moves}
        self._config, self.store, self._model, self._price_as = config, store, model, price_as
        self._files = RecordingFiles()
        self._variants: dict[Reduced, Variant | None] = {}
        self.refused: dict[Reduced, str] = {}
        self.left_out = ""
        self._templates: dict[Reduced, Template] = {}
        self._tokens: dict[Reduced, float] = {}
        self._rewritten: dict[Reduced, frozenset[str]] = {}

    def template(self, choice: Reduced) -> Template:
        """The prompt that a choice makes, settings of calls included in its front matter.

        Raises:
            PromptoptError: A move cannot be made.
        """
        if choice not in self._templates:
            template = self.units.without(choice.removed)
            for move in self._of(choice):
                if move.rewrite is not None:
                    template = move.rewrite(template)
            self._templates[choice] = template
        return self._templates[choice]

    def drop_idle(self) -> None:
        """Forget the moves that change nothing, as the rules may: none of them is tried, or named in what is found."""
        own = self.written(Reduced())
        for name, move in list(self.moves.items()):
            choice = Reduced(moves=frozenset([name]))
            # One that cannot be made is tried, so that it is said why.
            if move.kind == "text" and self.variant(choice) is not None and self.written(choice) == own:
                del self.moves[name]

    def check_store(self) -> None:
        """Raises RecordingError if answers cannot be kept: that is known before one is paid for."""
        self.store.append()

    def kept_at(self, ending: str) -> Path:
        """Where else something of all searches of the prompt is kept, beside their answers."""
        return self.store.path.with_suffix(ending)

    def written(self, choice: Reduced) -> dict[str, str]:
        """The files that a choice changes, by their paths below the root of prompts."""
        template = self.template(choice)
        files = self.units.files_without(choice.removed)
        front = {move.axis: move.value for move in self._of(choice) if move.kind != "text"}
        return {**files, template.name: set_front_matter(template.source, front) if front else template.source}

    def digest(self, choice: Reduced) -> str:
        """What is compared with what: of the files, model and settings of the prompt and of a choice of it."""
        told = []
        for each in (Reduced(), choice):
            variant = self.variant(each)
            assert variant is not None
            told += [sorted(self.written(each).items()), variant.model, variant.params.to_dict()]
        return sha256_hex(json.dumps(told, sort_keys=True, default=repr, ensure_ascii=False))

    def holds(self, choice: Reduced, unit: str) -> bool:
        """Whether a unit is what decides if its text is in a choice: a description goes with its field anyway."""
        out = choice.removed - {unit}
        return self.units.files_without(out) != self.units.files_without(out | {unit})

    def rewritten(self, choice: Reduced) -> frozenset[str]:
        """Units that a choice leaves in and that lose most of their words by another move."""
        if choice not in self._rewritten:
            self._rewritten[choice] = frozenset(self._find_rewritten(choice))
        return self._rewritten[choice]

    def _find_rewritten(self, choice: Reduced) -> Iterator[str]:
        if not any(move.rewrite for move in self._of(choice)):
            return
        before, after = self.units.without(choice.removed).source, self.template(choice).source
        words = list(re.finditer(r"\S+", before))
        same = SequenceMatcher(None, [word[0] for word in words], after.split(), autojunk=False).get_matching_blocks()
        kept = {words[number].start() for block in same for number in range(block.a, block.a + block.size)}
        for unit in self.units.units:
            start = before.find(unit.text)
            if start < 0 or not unit.spans or unit.id in choice.removed:
                continue
            own = [word.start() for word in words if start <= word.start() < start + len(unit.text)]
            if 2 * len(kept.intersection(own)) < len(own):
                yield unit.id

    def variant(self, choice: Reduced) -> Variant | None:
        """The variant of a choice; ``None`` if it cannot be made, as a proposal of a structured answer may not."""
        if choice not in self._variants:
            try:
                self._variants[choice] = self._make(choice)
            except PromptoptError as error:
                if choice == Reduced():
                    raise
                self._variants[choice] = None
                self.refused[choice] = str(error).partition("\n")[0]
        return self._variants[choice]

    def _make(self, choice: Reduced) -> Variant:
        template = self.template(choice)
        moves = self._of(choice)
        model = next((move.value for move in moves if move.kind == "model"), self._model)
        settings = {move.axis: move.value for move in moves if move.kind == "setting"}
        # What it is to be called is its number of changes: the text of a prompt is in its files.
        label = self.label(choice)
        variant = make_variant(
            template, self.suite, self._config, model=model, price_as=None if model != self._model else self._price_as,
            files=self._files, settings=settings, label=label,
        )  # fmt: skip
        if choice != Reduced():
            # That some case does not render without a unit is known before anything is asked.
            for case in self.suite.cases[:_RENDERED]:
                render_case(template, case)
        return replace(variant, files=(self.store,), fresh_only=(*variant.files, *variant.fresh_only))

    def label(self, choice: Reduced) -> str:
        """``reviews@v1``, ``reviews@v1 without 3 units, rules``."""
        own = self.units.template.origin.label
        count = len(choice.removed)
        parts = [f"without {count} unit{'s' * (count != 1)}"] if count else []
        parts += [move.id for move in self._of(choice)]
        return f"{own} {', '.join(parts)}" if parts else own

    def _of(self, choice: Reduced) -> list[Move]:
        return [move for name, move in self.moves.items() if name in choice.moves]

    def input_tokens(self, choice: Reduced) -> float:
        """Mean input tokens of a call over the cases, counted with the priced model's tokenizer."""
        variant = self.variant(choice)
        if variant is None:
            return float("inf")
        if choice not in self._tokens:
            cases = self._counted
            counts = (variant.counted_tokens(self.request(variant, number)) for number in cases)
            self._tokens[choice] = sum(counts) / len(cases)
        return self._tokens[choice]

    def request(self, variant: Variant, number: int) -> Request:
        """The request of the case with a number."""
        case = self.suite.cases[number]
        return variant.request(render_case(variant.template, case), case=case.name)

    @cached_property
    def _counted(self) -> list[int]:
        """All cases, or some drawn at random with a fixed seed: kinds of cases may take turns in a suite."""
        cases = self.suite.cases
        most = min(_MOST_COUNTED, max(_FEWEST_COUNTED, _LETTERS // max(1, len(self.units.template.source))))
        drawn = sorted(range(len(cases)), key=lambda number: sha256_hex(f"count {cases[number].name}"))
        return sorted(drawn[:most])

    @cached_property
    def unit_tokens(self) -> Mapping[str, float]:
        """Input tokens of a call that each unit costs, the mean over the cases: a branch costs where it is taken."""
        whole = self.input_tokens(Reduced())
        return {unit.id: whole - self.input_tokens(Reduced().plus([unit.id])) for unit in self.units.units}


def rule_edits() -> Move:
    """The edits that ``promptopt compress`` makes."""

    def rewrite(template: Template) -> Template:
        text = compress_prompt(template).text
        return template if text == template.source else with_source(template, text)

    return Move("rules", "rules", "text", rewrite=rewrite)


def structured_answer(suite: Suite) -> Move:
    """The answer as strict JSON, as ``promptopt structure --suite`` proposes it."""

    def rewrite(template: Template) -> Template:
        evidence = None if infer(template.source).fields else from_suite(suite)
        found = structure(template, evidence, Options(labels=tuple(suite_labels(suite))))
        if not found.changes:
            raise UsageError(f"{template.path}: the answer is as short as it can be")
        return with_source(template, found.source)

    return Move("structured", "structured", "text", rewrite=rewrite)


def output_cap(tokens: int) -> Move:
    """At most so many output tokens."""
    return Move(f"cap={tokens}", "max_output_tokens", "setting", tokens)


def other_model(name: str) -> Move:
    """The answers of another model."""
    return Move(f"model={name}", "model", "model", name)


def other_setting(name: str, value: object) -> Move:
    """Another value of a setting of a call."""
    return Move(f"{name}={value}", name, "setting", value)
