"""The variants of a comparison: prompt x model x settings, with the labels that tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from promptopt.call_options import CallOptions
from promptopt.config import OwnVariants
from promptopt.errors import UsageError, did_you_mean
from promptopt.templates import Template

_DOT = " · "


@dataclass(frozen=True, slots=True)
class Cell:
    """What one variant is to be.

    Attributes:
        model: Answers instead of the prompt's own model; ``None``: that one.
        settings: Settings of a call in the place of the prompt's own.
    """

    label: str
    template: Template
    model: str | None
    settings: Mapping[str, Any]


def make_grid(
    templates: Sequence[Template],
    models: Sequence[str],
    settings: Mapping[str, Sequence[object]],
    configured: OwnVariants,
    baseline: str | None = None,
) -> list[Cell]:
    """Every prompt with every model and every combination of settings; the baseline comes first.

    Args:
        models: In the place of the prompts' own.
        settings: The values of each setting, as a user writes them.
        configured: What the project varies, if neither models nor settings are given.
        baseline: A label; by default the configuration's, or the first variant.

    Raises:
        UsageError: A setting is not known or has no such value, a model or value comes twice, or no variant has the
            baseline's label.
    """
    if not models and not settings:
        models, settings = configured.models, configured.settings
        baseline = baseline or configured.baseline
    read = {name: [_value(name, value) for value in values] for name, values in settings.items()}
    for name, given in {"the model": list(models), **read}.items():
        again = next((value for at, value in enumerate(given) if value in given[:at]), None)
        if again is not None:
            raise UsageError(f"{name} {again!r} is given twice: its variants would be one and the same")
    varied = [name for name, values in read.items() if len(values) > 1]
    cells = []
    for template, model, *values in product(templates, models or (None,), *read.values()):
        chosen = dict(zip(read, values, strict=True))
        shown = [template.origin.label, *([model] if len(models) > 1 and model else [])]
        shown += [_shown(name, chosen[name]) for name in varied]
        cells.append(Cell(_DOT.join(shown), template, model, chosen))
    return _baseline_first(cells, baseline)


def _value(name: str, value: object) -> Any:
    known = list(CallOptions.__dataclass_fields__)
    if name not in known:
        raise UsageError(f"no setting {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}")
    try:
        return CallOptions.read(name, value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _shown(name: str, value: object) -> str:
    """A word says what it is the value of; a number or a flag does not."""
    return value if isinstance(value, str) else f"{name}={value}"


def _baseline_first(cells: list[Cell], baseline: str | None) -> list[Cell]:
    if baseline is None:
        return cells
    found = [cell for cell in cells if cell.label == baseline]
    if not found:
        labels = [cell.label for cell in cells]
        raise UsageError(f"no variant {baseline!r}.{did_you_mean(baseline, labels)} They are: {'; '.join(labels)}")
    return [found[0], *(cell for cell in cells if cell is not found[0])]
