"""What a comparison has measured, by its JSON: that a model does the job, and ratios of tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from promptopt.errors import InputError, UsageError

GOOD_VERDICTS = ("improved", "equivalent", "not-worse")
"""Those that show that the job is still done."""
TokenKind = Literal["input", "output", "reasoning"]


def model_evidence(path: Path, model: str) -> str:
    """Say where it was shown that a model does the job.

    Raises:
        InputError: The file is not the JSON of a comparison, has no such model, or does not show it.
    """
    data = _comparison(path)
    names = [each["prompt"] for each in data["variants"][1:]]
    models = [str(each["model"]) for each in data["variants"][1:]]
    places = [place for place, each in enumerate(models) if _bare(each) == _bare(model)]
    if not places:
        raise InputError(f"compares {', '.join(models) or 'no model'}, and not {model}", path=path)
    verdicts = [_verdicts(data)[place] for place in places]
    if not any(each in GOOD_VERDICTS for each in verdicts):
        raise InputError(f"says {verdicts[0]!r} of {model} ({names[places[0]]}): {_NOT_SHOWN}", path=path)
    return str(path)


def measured_ratio(text: str, kind: TokenKind, option: str) -> float:
    """A ratio as a number, or the candidate's tokens by the baseline's of a comparison's JSON.

    Raises:
        UsageError: It is neither a number from 0 to 1 nor a file.
        InputError: The file is not the JSON of a comparison of two variants, or does not show that the job is done.
    """
    try:
        found = float(text)
    except ValueError:
        return _ratio_in(Path(text), kind, option)
    if not 0 <= found <= 1:
        raise UsageError(f"{option} {text}: is not from 0 to 1")
    return found


_NOT_SHOWN = "that does not show that the job is still done"


def _ratio_in(path: Path, kind: TokenKind, option: str) -> float:
    if not path.is_file():
        raise UsageError(f"{option} {path}: is neither a number from 0 to 1 nor the JSON of `promptopt compare`")
    data = _comparison(path)
    verdicts = _verdicts(data)
    if len(verdicts) != 1:
        raise InputError(f"compares {len(verdicts) + 1} variants: compare the two that {option} is of", path=path)
    if verdicts[0] not in GOOD_VERDICTS:
        raise InputError(f"says {verdicts[0]!r}: {_NOT_SHOWN}", path=path)
    before, after = (each.get(f"{kind}_tokens") for each in data["variants"])
    if not before or after is None:
        raise InputError(f"has no {kind} tokens of the baseline", path=path)
    if after > before:
        raise InputError(
            f"has {after:,.1f} {kind} tokens a call after {before:,.1f} before: nothing to save", path=path
        )
    return float(after / before)


def _comparison(path: Path) -> Mapping[str, Any]:
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"is not the JSON of a comparison: {error}", path=path) from None
    variants = data.get("variants") if isinstance(data, dict) else None
    rows = data.get("comparisons") if isinstance(data, dict) else None
    if not isinstance(variants, list) or not isinstance(rows, list) or not all(
        isinstance(each, dict) and {"prompt", "model"} <= each.keys() for each in variants
    ):  # fmt: skip
        raise InputError("is not the JSON of a comparison: make it with `promptopt compare A B --json`", path=path)
    return dict(data)


def _verdicts(data: Mapping[str, Any]) -> list[str]:
    """The verdict of each variant after the first; the rows of one pair have the same."""
    by_pair: dict[str, str] = {}
    for row in data["comparisons"]:
        by_pair.setdefault(str(row.get("candidate")), str(row.get("verdict")))
    found = list(by_pair.values())
    # A variant that a race dropped has no pair.
    return found + ["dropped"] * (len(data["variants"]) - 1 - len(found))


def _bare(model: str) -> str:
    """A model without the name of who serves it."""
    return model.rpartition(":")[2].rpartition("/")[2]
