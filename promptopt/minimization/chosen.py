"""What of a search is to be confirmed, and why nothing is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from promptopt.minimization.choices import Move, Reduced, Workbench
from promptopt.minimization.search import Reduction


def put_back(bench: Workbench, steps: Sequence[Reduced], kept: Collection[str]) -> list[Reduced]:
    """Choices with some units put back, as far as there is such a version."""
    found = dict.fromkeys(step.minus(kept) for step in steps)
    return [step for step in found if bench.variant(step) is not None]


def try_again(
    bench: Workbench, reduction: Reduction, chosen: Sequence[Reduced], moves: Sequence[Sequence[Move]], most: int
) -> list[Reduced]:
    """At most so many of what was chosen, with the moves made that save something now that facts were put back.

    The rules' edits come last and find nothing in a prompt of which nothing is left; in what came back they may.
    """
    if not chosen or not moves:
        return list(chosen)
    reduction.go_on(chosen, [[move for move in axis if _acts(bench, chosen[-1], move)] for axis in moves])
    # What was put back on the way may be all that went.
    same = reduction.current in (chosen[-1], Reduced())
    return list(chosen) if same else [*chosen[: most - 1], reduction.current]


def _acts(bench: Workbench, choice: Reduced, move: Move) -> bool:
    made = choice.plus(moves=[move.id])
    return made != choice and bench.variant(made) is not None and bench.written(made) != bench.written(choice)


def why_nothing(
    bench: Workbench, reduction: Reduction, prospects: Sequence[Reduced], kept: Collection[str], cases: int
) -> str:
    """Why nothing is to be confirmed."""
    early = f", until the search stopped {reduction.stopped}" if reduction.stopped else ""
    if len(reduction.steps) == 1:
        lost = "everything that was tried loses something or saves nothing" if reduction.tried else "nothing was tried"
        return f"nothing to confirm: {lost}{early}"
    if not prospects:
        return f"nothing to confirm: nothing that was taken out is likely to be confirmed by {cases:,} cases{early}"
    back = [step.minus(kept) for step in prospects]
    if why := next((bench.refused[step] for step in back if step in bench.refused), ""):
        return f"nothing to confirm: with the facts that no case tests there is no such version: {why}"
    return f"nothing to confirm: all that could go are facts that no case tests{early}"
