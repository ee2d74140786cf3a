"""The fixture ``prompt_budget``: the gate for prompts that a program builds itself.

Without ``--prompt-budget`` its checks do nothing, so that a test runs the same with and without the gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from promptopt.errors import UsageError

if TYPE_CHECKING:
    import pytest

    from promptopt.budget.gate import Gate
    from promptopt.budget.lock import Basis, Entry
    from promptopt.budget.result import Result
    from promptopt.budget.update import Written
    from promptopt.values import Message


@dataclass(frozen=True, slots=True)
class Built:
    """A prompt that a program built, measured.

    Attributes:
        basis: What it was counted with.
    """

    prompt: str
    case: str
    basis: Basis
    entry: Entry
    result: Result

    def to_dict(self) -> dict[str, Any]:
        """Plain data; see :meth:`from_dict`."""
        plain = {"prompt": self.prompt, "case": self.case, "basis": asdict(self.basis), "entry": asdict(self.entry)}
        return {**plain, "result": self.result.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Built:
        """What :meth:`to_dict` gave."""
        from promptopt.budget.lock import Basis, Entry
        from promptopt.budget.result import result_from

        basis, entry = Basis(**data["basis"]), Entry(**data["entry"])
        return cls(data["prompt"], data["case"], basis, entry, result_from(data["result"]))


class PromptBudget:
    """What the fixture gives a test."""

    def __init__(
        self, gate: Gate | None, prompt: str, limits: Mapping[str, str], built: list[Built], writes: bool
    ) -> None:
        self._gate = gate
        self._prompt = prompt
        self._limits = limits
        self._built = built
        self._writes = writes

    def check(
        self,
        messages: str | Iterable[Message | Mapping[str, str]],
        *,
        case: str = "prompt",
        prompt: str | None = None,
        model: str | None = None,
        max_output_tokens: int | None = None,
    ) -> None:
        """Compare a prompt with its lock, ``prompts/NAME.lock.toml``; does nothing without ``--prompt-budget``.

        Args:
            messages: A text, or messages as the OpenAI SDK takes them.
            case: Names this input, where a prompt is checked with several.
            prompt: The prompt's name; by default that of the marker, else of the test.
            model: The model whose tokenizer and price count; by default that of the configuration.
            max_output_tokens: The cap on the output.

        Raises:
            OverBudget: It costs more than it may.
            PromptoptError: The lock or the model cannot be used.
        """
        __tracebackhide__ = True
        if self._gate is None:
            return
        from promptopt.budget.built_prompt import check_built, measure_built

        name = prompt or self._prompt
        basis, entry, price = measure_built(self._gate, messages, model, max_output_tokens)
        result = check_built(self._gate, name, case, basis, entry, price, self._limits)
        self._built.append(Built(name, case, basis, entry, result))
        if result.failed and not self._writes:
            from promptopt.budget.stash import OverBudget

            raise OverBudget(result.text)


def make_fixture(request: pytest.FixtureRequest) -> PromptBudget:
    """The fixture's value for one test, with the limits of its marker."""
    marker = request.node.get_closest_marker("prompt_budget")
    name = request.node.name.partition("[")[0].removeprefix("test_")
    limits: dict[str, str] = {}
    if marker is not None:
        name = str(marker.args[0]) if marker.args else str(marker.kwargs.get("prompt", name))
        limits = {metric: value for metric, value in marker.kwargs.items() if metric != "prompt"}
    # Without the flag nothing of the gate is imported.
    if not request.config.pluginmanager.has_plugin("promptopt-budget"):
        return PromptBudget(None, name, limits, [], writes=False)
    from promptopt.budget.stash import BUILT, GATE, is_writing

    stash = request.config.stash
    return PromptBudget(stash[GATE], name, limits, stash[BUILT], is_writing(request.config))


def write_built(gate: Gate, built: Sequence[Built], reason: str, *, trim: bool) -> list[Written]:
    """Lock what programs built. Entries of other cases stay: another test may build them."""
    from promptopt.budget.lock import Lock, lock_path, read_lock
    from promptopt.budget.update import Written, change_lines, raised
    from promptopt.files import show_path

    locks: dict[str, tuple[Lock | None, Lock]] = {}
    raises = []
    for item in built:
        old = read_lock(lock_path(gate.config.prompts, item.prompt))
        _, lock = locks.get(item.prompt, (None, old or Lock(item.prompt, "", item.basis, {}, program=True)))
        known = lock.cases.get(item.case)
        if trim and (known is None or raised(known, item.entry)):
            continue
        if known is not None and raised(known, item.entry):
            raises.append(f"{item.prompt} [{item.case}]")
        entry = replace(item.entry, reason=reason if raises else (known.reason if known else ""))
        locks[item.prompt] = old, replace(lock, basis=item.basis, cases={**lock.cases, item.case: entry})
    if raises and not reason.strip():
        raise UsageError(f"this would raise {', '.join(raises)}; nothing of them was written: --prompt-budget-reason")
    written = []
    for prompt, (old, lock) in locks.items():
        lines = change_lines(old, lock)
        if lines:
            path = lock_path(gate.config.prompts, prompt)
            lock.write(path)
            written.append(Written(show_path(path), lines))
    return written
