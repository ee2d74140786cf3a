"""Prompts, cases, prices, tokenizers and locks change at random: growth fails, an unchanged prompt does not."""

import os
import tempfile
from pathlib import Path

import pytest
from guarded_project import check, make_gate
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from promptopt.budget.update import update
from promptopt.errors import UsageError
from promptopt.templates import load_prompt
from promptopt.tokens import count_tokens

LINES = st.sampled_from(
    ["Be kind.", "Ответь вежливо.", "{{ who }}", "{% if who|length > 4 %}A long name.{% endif %}", "Say 1, 2, 3.", "  "]
)
MODELS = ("gpt-4o-mini", "gpt-3.5-turbo")
NAMES = ("a", "b", "c")
# As it is written, and the share and the tokens that may be exceeded only together.
LIMITS = {"": (0.0, 0), "0 tokens": (0.0, 0), "10% & 3": (0.1, 3), "25%": (0.25, 0), "2 tokens": (0.0, 2)}


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
        self.lines, self.model, self.input_price, self.version = lines, MODELS[0], 1, 1
        self.cases = dict(zip(NAMES, whos, strict=True))
        # For each case: the lines that were accepted, and the variable.
        self.accepted: dict[str, tuple[tuple[str, ...], str]] = {}
        self.write()
        # Most faults can only show after a first lock.
        self.lock("because")

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            os.chdir(self.here)
            self.folder.cleanup()

    def write(self) -> None:
        tables = "".join(
            f'[tool.promptopt.prices."{model}"]\ninput_mtok = {self.input_price}\noutput_mtok = 2\n' for model in MODELS
        )
        limit = f'input = "{self.limit}"\n' if self.limit else ""
        Path("pyproject.toml").write_text(
            f'{tables}[tool.promptopt.budget]\n{limit}cacheable = "off"\nusd_call = "off"\nmodel = "off"\n'
        )
        Path("prompts/p").mkdir(parents=True, exist_ok=True)
        Path("suites").mkdir(exist_ok=True)
        Path(f"prompts/p/v{self.version}.j2").write_text(self.source(self.lines, self.model))
        tests = "".join(f"  - {{description: {name}, vars: {{who: '{who}'}}}}\n" for name, who in self.cases.items())
        Path("suites/p.yaml").write_text(f"tests:\n{tests}")

    @staticmethod
    def source(lines: tuple[str, ...] | list[str], model: str) -> str:
        return f"---\nmodel: {model}\nmax_output_tokens: 9\n---\n" + "\n".join(lines) + "\nEnd {{ who }}\n"

    def count(self, lines: tuple[str, ...] | list[str], who: str, model: str) -> int:
        Path("other").mkdir(exist_ok=True)
        file = Path(f"other/{abs(hash((tuple(lines), model)))}.j2")
        file.write_text(self.source(lines, model))
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

    @rule(model=st.sampled_from(MODELS))
    def change_model(self, model: str) -> None:
        self.model = model
        self.write()

    @rule(reason=st.sampled_from(["", "because"]))
    def lock(self, reason: str) -> None:
        path = Path("prompts/p.lock.toml")
        before = path.read_bytes() if path.exists() else None
        try:
            update({"p": (make_gate().prompts["p"], None)}, reason)
        except UsageError:
            assert reason == ""
            assert path.read_bytes() == before
        else:
            if not reason:
                self.nothing_was_raised()
            self.accepted = {name: (tuple(self.lines), who) for name, who in self.cases.items()}
            self.locked_model = self.model

    def nothing_was_raised(self) -> None:
        """With the tokenizer that it was locked with; another tokenizer does not raise a count that was accepted."""
        for name, who in self.cases.items():
            lines, accepted_who = self.accepted.get(name, (None, ""))
            if lines is not None and accepted_who == who and self.locked_model == self.model:
                assert self.count(self.lines, who, self.model) <= self.count(lines, who, self.model)

    @precondition(lambda self: self.accepted)
    @rule()
    def trim(self) -> None:
        prompt = make_gate().prompts["p"]
        if prompt.lock is not None and prompt.lock.basis == prompt.basis:
            locked = {name: entry.input for name, entry in prompt.lock.cases.items()}
            update({"p": (prompt, None)}, "", trim=True)
            lock = make_gate().prompts["p"].lock
            assert lock is not None
            for name, entry in lock.cases.items():
                assert entry.input <= locked[name]
                if entry != prompt.lock.cases[name]:
                    self.accepted[name] = (tuple(self.lines), self.cases[name])

    @invariant()
    def the_gate_is_right(self) -> None:
        results = check()
        for name, who in self.cases.items():
            failed = results[f"p [{name}]"].failed
            if name not in self.accepted:
                assert failed
                continue
            lines, accepted_who = self.accepted[name]
            if tuple(self.lines) == lines:
                assert not failed or accepted_who != who, "an unchanged prompt failed"
                if accepted_who == who:
                    assert not failed
                continue
            before, now = self.count(lines, who, self.model), self.count(self.lines, who, self.model)
            old = make_gate().prompts["p"].lock
            assert old is not None
            # If only counts of another tokenizer are left, growth is measured with the old one.
            counted_by = old.basis.model
            before_old, now_old = self.count(lines, who, counted_by), self.count(self.lines, who, counted_by)
            share, amount = LIMITS[self.limit]
            grown = [n - b > max(share * b, amount) for b, n in ((before, now), (before_old, now_old))]
            if all(grown):
                assert failed, "a growth past its limit passed"
            if not any(grown) and accepted_who == who:
                assert not failed, "a growth within its limit failed"
        gone = set(self.accepted) - set(self.cases)
        assert results["p"].failed == bool(gone)


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
