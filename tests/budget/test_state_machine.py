"""Prompts, cases, models, caps, volumes, prices, names and locks change at random.

What grew fails, what did not grow does not, and an update asks for a reason if something grew. What grew is counted
here without the gate.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from guarded_project import check, make_gate
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from promptopt.budget.update import draft_removals, update, write_locks
from promptopt.config import load_config
from promptopt.errors import PromptoptError, UsageError
from promptopt.templates import load_prompt
from promptopt.tokens import count_tokens

LINES = st.sampled_from(
    ["Be kind.", "Ответь вежливо.", "{{ who }}", "{% if who|length > 4 %}A long name.{% endif %}", "Say 1, 2, 3.", "  "]
)
# By how much more than the other one each model costs: more than any tokenizer or change of the price table can hide.
MODELS = {"gpt-4o-mini": 1, "gpt-3.5-turbo": 100}
CAPS = st.sampled_from([None, 9, 10, 500])
CALLS = st.sampled_from([None, 1_000, 1_001, 90_000])
# Limits of the command line, and the metric that none of their breaches fails.
OPTIONS = {
    "": "",
    "*:input=warn": "input",
    "output=off": "output",
    "[pq]:model=off": "model",
    "parameters=warn": "parameters",
    "calls_per_month=off": "calls_per_month",
    "other:input=off": "",
}
PROMPTS = ("p", "q")
NAMES = ("a", "b", "c")
# As it is written, and the share and the tokens that may be exceeded only together.
LIMITS = {"": (0.0, 0), "0 tokens": (0.0, 0), "10% & 3": (0.1, 3), "25%": (0.25, 0), "2 tokens": (0.0, 2)}


@dataclass
class Accepted:
    """What the lock of one prompt accepts.

    Attributes:
        cases: By name: the lines of the prompt, the variable, and the cap of the answer.
        price: Of a million input tokens of the cheaper model.
    """

    model: str
    cap: int | None
    calls: int | None
    price: int
    cases: dict[str, tuple[tuple[str, ...], str, int | None]] = field(default_factory=dict)


def higher(now: int | None, accepted: int | None) -> bool:
    """Whether a cap or a volume is more than was accepted, or not known any more."""
    return accepted is not None and (now is None or now > accepted)


class Locking(RuleBasedStateMachine):
    """The files of a project, and what was accepted, counted without the gate."""

    @initialize(
        lines=st.lists(LINES, min_size=1, max_size=3),
        whos=st.lists(st.text("xyz ", max_size=6), min_size=3, max_size=3),
        limit=st.sampled_from(sorted(LIMITS)),
    )
    def start(self, lines: list[str], whos: list[str], limit: str) -> None:
        self.limit = limit
        self.here = Path.cwd()
        self.folder = tempfile.TemporaryDirectory()
        os.chdir(self.folder.name)
        self.lines, self.input_price, self.version = lines, 1, 1
        self.model, self.cap, self.calls = "gpt-4o-mini", 9, 1_000
        self.prompt = "p"
        self.cases = dict(zip(NAMES, whos, strict=True))
        self.strict, self.option = False, ""
        # By prompt; one of them has a template, and the others are left from before it was renamed.
        self.locks: dict[str, Accepted] = {}
        self.write()
        # Most faults can only show after a first lock.
        self.lock("because")

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            os.chdir(self.here)
            self.folder.cleanup()

    @property
    def accepted(self) -> Accepted | None:
        return self.locks.get(self.prompt)

    def write(self) -> None:
        tables = "".join(
            f'[tool.promptopt.prices."{model}"]\n'
            f"input_mtok = {self.input_price * factor}\noutput_mtok = {2 * self.input_price * factor}\n"
            for model, factor in MODELS.items()
        )
        limit = f'input = "{self.limit}"\n' if self.limit else ""
        Path("pyproject.toml").write_text(
            f'{tables}[tool.promptopt.budget]\n{limit}cacheable = "off"\nusd_call = "off"\n'
        )
        folder = Path("prompts", self.prompt)
        folder.mkdir(parents=True, exist_ok=True)
        Path("suites").mkdir(exist_ok=True)
        (folder / f"v{self.version}.j2").write_text(self.source(self.lines))
        tests = "".join(f"  - {{description: {name}, vars: {{who: '{who}'}}}}\n" for name, who in self.cases.items())
        Path(f"suites/{self.prompt}.yaml").write_text(f"tests:\n{tests}")

    def source(self, lines: Sequence[str]) -> str:
        cap = "" if self.cap is None else f"max_output_tokens: {self.cap}\n"
        calls = "" if self.calls is None else f"calls_per_month: {self.calls}\n"
        return f"---\nmodel: {self.model}\n{cap}{calls}---\n" + "\n".join(lines) + "\nEnd {{ who }}\n"

    def count(self, lines: Sequence[str], who: str, model: str) -> int:
        Path("other").mkdir(exist_ok=True)
        file = Path(f"other/{abs(hash(tuple(lines)))}.j2")
        file.write_text("---\nmodel: gpt-4o-mini\n---\n" + "\n".join(lines) + "\nEnd {{ who }}\n")
        return count_tokens(load_prompt(file).render({"who": who}), model).tokens

    @rule(line=LINES, index=st.integers(0, 5))
    def edit(self, line: str, index: int) -> None:
        self.lines = [*self.lines]
        self.lines.insert(index, line)
        self.write()

    @precondition(lambda self: len(self.lines) > 1)
    @rule(index=st.integers(0, 5))
    def shorten(self, index: int) -> None:
        self.lines = [*self.lines]
        self.lines.pop(index % len(self.lines))
        self.write()

    @rule()
    def next_version(self) -> None:
        self.version += 1
        self.write()

    @rule(name=st.sampled_from(NAMES), who=st.text("xyz ", max_size=6))
    def edit_case(self, name: str, who: str) -> None:
        self.cases[name] = who
        self.write()

    @rule(name=st.sampled_from(NAMES))
    def drop_case(self, name: str) -> None:
        if len(self.cases) > 1 and name in self.cases:
            del self.cases[name]
            self.write()

    @rule(price=st.integers(1, 9))
    def reprice(self, price: int) -> None:
        self.input_price = price
        self.write()

    @rule(model=st.sampled_from(sorted(MODELS)))
    def change_model(self, model: str) -> None:
        self.model = model
        self.write()

    @rule(cap=CAPS)
    def change_cap(self, cap: int | None) -> None:
        self.cap = cap
        self.write()

    @rule(calls=CALLS)
    def change_volume(self, calls: int | None) -> None:
        self.calls = calls
        self.write()

    @rule(option=st.sampled_from(sorted(OPTIONS)), strict=st.booleans())
    def change_options(self, option: str, *, strict: bool) -> None:
        self.option, self.strict = option, strict

    @rule()
    def rename(self) -> None:
        """The files of the prompt get another name, and the lock stays where it is."""
        self.remove()
        self.prompt = PROMPTS[self.prompt == PROMPTS[0]]
        self.write()

    def remove(self) -> None:
        shutil.rmtree(Path("prompts", self.prompt))
        Path(f"suites/{self.prompt}.yaml").unlink()

    @rule(accept=st.booleans())
    def delete(self, *, accept: bool) -> None:
        """The prompt is deleted, which its lock says, and comes back; perhaps the deletion was accepted before."""
        self.remove()
        try:
            assert {result.prompt for result in self.check().values() if result.failed} == set(self.locks)
        except PromptoptError:
            assert not self.locks, "a deleted prompt has left the gate"
        if accept:
            write_locks(draft_removals(load_config()), "")
            self.locks = {}
        self.write()

    @rule()
    def accept_renames(self) -> None:
        write_locks(draft_removals(load_config()), "")
        self.locks = {name: lock for name, lock in self.locks.items() if name == self.prompt}

    @rule(reason=st.sampled_from(["", "because"]))
    def lock(self, reason: str) -> None:
        path = Path(f"prompts/{self.prompt}.lock.toml")
        before = path.read_bytes() if path.exists() else None
        known = self.accepted
        try:
            update({self.prompt: (make_gate().prompts[self.prompt], None)}, reason)
        except UsageError:
            assert reason == ""
            assert (path.read_bytes() if path.exists() else None) == before
            assert self.locks, "a first lock needs no reason"
            assert known is None or self.may_have_risen(known), "nothing rose"
            return
        # A renamed prompt is compared with the lock that it had, if all cases are in it.
        others = [lock for name, lock in self.locks.items() if name != self.prompt]
        former = known or (others[0] if others and self.has_all_cases(others[0]) else None)
        if not reason and former is not None:
            self.nothing_was_raised(former)
        self.locks[self.prompt] = Accepted(self.model, self.cap, self.calls, self.input_price)
        for name, who in self.cases.items():
            self.locks[self.prompt].cases[name] = tuple(self.lines), who, self.cap

    def has_all_cases(self, lock: Accepted) -> bool:
        return {name: who for name, (_, who, _) in lock.cases.items()} == self.cases

    def nothing_was_raised(self, lock: Accepted) -> None:
        """With the tokenizer that it was locked with; another tokenizer does not raise a count that was accepted."""
        assert not higher(self.cap, lock.cap)
        assert not higher(self.calls, lock.calls)
        same = {name for name, who in self.cases.items() if name in lock.cases and lock.cases[name][1] == who}
        if same:
            assert MODELS[self.model] <= MODELS[lock.model]
        for name in same:
            lines, who, cap = lock.cases[name]
            assert not higher(self.cap, cap)
            if lock.model == self.model:
                assert self.count(self.lines, who, self.model) <= self.count(lines, who, self.model)

    def may_have_risen(self, lock: Accepted) -> bool:
        known = [lock.cases.get(name) for name in self.cases]
        if higher(self.cap, lock.cap) or higher(self.calls, lock.calls) or self.model != lock.model:
            return True
        if self.input_price > lock.price or any(higher(self.cap, each[2]) for each in known if each):
            return True
        # A case with other variables, or with another name, may be longer.
        return any(
            each != (tuple(self.lines), who, each[2] if each else 0)
            for each, who in zip(known, self.cases.values(), strict=True)
        )

    @precondition(lambda self: self.accepted is not None)
    @rule()
    def trim(self) -> None:
        prompt = make_gate().prompts[self.prompt]
        if prompt.lock is not None and prompt.lock.basis == prompt.basis:
            before = prompt.lock.cases
            update({self.prompt: (prompt, None)}, "", trim=True)
            lock = make_gate().prompts[self.prompt].lock
            assert lock is not None
            for name, entry in lock.cases.items():
                assert entry.input <= before[name].input
                assert not higher(entry.output, before[name].output)
                if entry != before[name]:
                    self.locks[self.prompt].cases[name] = tuple(self.lines), self.cases[name], self.cap

    def check(self):
        return check(overrides=[self.option] if self.option else [], strict=self.strict)

    @invariant()
    def the_gate_is_right(self) -> None:
        results = self.check()
        lock = self.accepted
        for name, who in self.cases.items():
            failed = results[f"{self.prompt} [{name}]"].failed
            if lock is None or name not in lock.cases:
                assert failed, "what is not locked passed"
            else:
                self.case_is_right(lock, lock.cases[name], who, failed=failed)
        assert results[self.prompt].failed == (lock is not None and self.whole_grew(lock))
        for name in set(self.locks) - {self.prompt}:
            assert results[name].failed, "a renamed prompt has left the gate"

    def case_is_right(
        self, lock: Accepted, case: tuple[tuple[str, ...], str, int | None], who: str, *, failed: bool
    ) -> None:
        lines, accepted_who, cap = case
        if None not in (self.cap, cap) and higher(self.cap, cap) and OPTIONS[self.option] != "output":
            assert failed, "a larger cap passed"
            return
        if tuple(self.lines) == lines:
            assert not failed or accepted_who != who, "an unchanged prompt failed"
            return
        share, amount = LIMITS[self.limit]
        grown = []
        # If only counts of another tokenizer are left, growth is measured with the old one.
        for model in (self.model, lock.model):
            before, now = self.count(lines, who, model), self.count(self.lines, who, model)
            grown.append(now - before > max(share * before, amount) and OPTIONS[self.option] != "input")
        if all(grown):
            assert failed, "a growth past its limit passed"
        if not any(grown) and accepted_who == who:
            assert not failed, "a growth within its limit failed"

    def whole_grew(self, lock: Accepted) -> bool:
        """What is judged for the whole prompt: entries without a case, model, volume, and a cap that is gone."""
        silent = OPTIONS[self.option]
        known_caps = [lock.cap, *(cap for name, (_, _, cap) in lock.cases.items() if name in self.cases)]
        return (
            bool(lock.cases.keys() - self.cases)
            or (silent != "model" and MODELS[self.model] > MODELS[lock.model])
            or (silent != "calls_per_month" and higher(self.calls, lock.calls))
            or (silent != "parameters" and self.cap is None and any(cap is not None for cap in known_caps))
        )


TestLocking = pytest.mark.filterwarnings("default")(Locking.TestCase)
TestLocking.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)


def test_growth_by_the_old_tokenizer_is_a_share_of_its_own_count() -> None:
    """The locked text is gone, and the tokenizer is another one: 4 of 15 tokens are more than a quarter."""
    state = Locking()
    try:
        state.start(["Be kind."], ["", "", "y y yz"], "25%")
        state.next_version()
        state.lock("")
        state.edit("{{ who }}", 0)
        state.change_model("gpt-3.5-turbo")
        state.the_gate_is_right()
    finally:
        state.teardown()


def test_a_cap_that_was_only_trimmed_is_known_too() -> None:
    """The lock of a prompt without a cap is trimmed after it got one: to take the cap away again is a growth."""
    state = Locking()
    try:
        state.start(["Be kind."], ["x", "y", "z"], "")
        state.change_cap(None)
        state.lock("because")
        state.change_cap(9)
        state.trim()
        state.change_cap(None)
        assert state.check()["p"].failed
        state.the_gate_is_right()
        state.lock("")
        state.the_gate_is_right()
    finally:
        state.teardown()


def test_a_larger_cap_is_seen_beside_another_tokenizer() -> None:
    """The text is the same, so that only its count is taken from today."""
    state = Locking()
    try:
        state.start(["Be kind."], ["x", "y", "z"], "")
        state.change_cap(10)
        state.change_model("gpt-3.5-turbo")
        assert state.check()["p [a]"].failed
        state.the_gate_is_right()
    finally:
        state.teardown()
