"""What was measured: by the JSON of a comparison, or by quality labels in the log itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from promptopt.auditing.log import CallLog, Flags, Floats
from promptopt.errors import InputError, UsageError
from promptopt.experiment.bounds import lower_bound, upper_bound
from promptopt.promptfoo.export import toml_value

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


@dataclass(frozen=True, slots=True)
class MeasuredCascade:
    """A cascade that a comparison has measured.

    Attributes:
        models: The cheapest first.
        escalated: The share of the calls that each of them gets; the first gets all.
        toml: Its steps as ``[tool.promptopt.gateway]`` has them.
    """

    models: tuple[str, ...]
    escalated: tuple[float, ...]
    toml: str


def measured_cascade(path: Path) -> MeasuredCascade:
    """The cascade of a comparison.

    Raises:
        InputError: There is none in it, or it is not shown to be as good as its last model.
    """
    found = _comparison(path).get("cascade")
    if not isinstance(found, dict):
        raise InputError(
            "has no cascade: compare its models with [tool.promptopt.gateway] cascade in the settings", path=path
        )
    if not found.get("not_worse"):
        raise InputError(f"says of {found['prompt']!r} that it may be worse than its last model alone", path=path)
    return MeasuredCascade(tuple(found["models"]), tuple(found["asked"]), toml_value(found["steps"]))


@dataclass(frozen=True)
class LabelEvidence:
    """What quality labels in a log say of a smaller model.

    Attributes:
        shown: Calls of prompts (or tags) in which the smaller model's answers are not worse than the others'.
        escalated: For each call the share of the smaller model's answers that are not good, at most; NaN is unknown.
        judged: How many labels the smaller model's answers have.
        prompts: Those that are shown.
        lacking: What more is needed.
    """

    shown: Flags
    escalated: Floats
    judged: int
    prompts: tuple[str, ...]
    column: str
    lacking: str

    def take(self, rows: Flags) -> LabelEvidence:
        """That of some calls."""
        return replace(self, shown=self.shown[rows], escalated=self.escalated[rows])


MARGIN, _LEVEL, _GOOD = 0.02, 0.05, 0.5


def label_evidence(log: CallLog, model: str | None) -> LabelEvidence | None:
    """What the labels of a whole log say of a model; ``None`` if it has none, or no model is named.

    Answers of the two models are independent samples: both bounds hold at half of 5% (Bonferroni), whatever the
    labels' distribution.
    """
    if model is None or not len(log.quality):
        return None
    judged = ~np.isnan(log.quality) & ~log.own_hit
    small = np.isin(log.codes["model"], [at for at, name in enumerate(log.names["model"]) if same_model(name, model)])
    column = _column(log)
    kinds = log.codes[column]
    shown, escalated, prompts = np.zeros(len(log), bool), np.full(len(log), np.nan), []
    for kind in np.unique(kinds[judged & small]).tolist():
        rows = kinds == kind
        mine, others = log.quality[rows & judged & small], log.quality[rows & judged & ~small]
        escalated[rows & ~small] = upper_bound((mine < _GOOD).astype(np.float64), 1.0, _LEVEL)
        if _is_as_good(mine, others):
            shown[rows] = True
            prompts.append(log.names[column][kind] if kind >= 0 else "")
    count = int((judged & small).sum())
    lacking = (
        f"more labels: the {count:,} of {model} in the log do not show that it loses at most {MARGIN:.0%}"
        if count
        else f"labels of answers of {model} in the log, or --evidence FILE"
    )
    return LabelEvidence(shown, escalated, count, tuple(prompts), column, lacking)


@dataclass(frozen=True)
class EffortEvidence:
    """What quality labels in a log say of a lower reasoning effort.

    Attributes:
        shown: Calls at other efforts of prompts (or tags) and models in which answers at this one are not worse.
        ratio: Reasoning tokens of a call at this effort by those at the others, as the log has them; NaN is unknown.
        judged: How many labels answers at this effort have.
        prompts: Those that are shown.
        lacking: What more is needed.
    """

    shown: Flags
    ratio: Floats
    judged: int
    prompts: tuple[str, ...]
    lacking: str

    def take(self, rows: Flags) -> EffortEvidence:
        """That of some calls."""
        return replace(self, shown=self.shown[rows], ratio=self.ratio[rows])


def effort_evidence(log: CallLog, effort: str | None) -> EffortEvidence | None:
    """What the labels of a whole log say of an effort; ``None`` if it has none, or no effort is named.

    As :func:`label_evidence`, of calls of one model.
    """
    if effort is None or not len(log.quality):
        return None
    judged, answered = ~np.isnan(log.quality) & ~log.own_hit, ~log.failed & ~log.own_hit
    low = np.isin(log.codes["effort"], [at for at, name in enumerate(log.names["effort"]) if name.lower() == effort])
    column = _column(log)
    kinds = log.codes[column].astype(np.int64) * len(log.names["model"]) + log.codes["model"]
    shown, ratio, prompts = np.zeros(len(log), bool), np.full(len(log), np.nan), []
    for kind in np.unique(kinds[judged & low]).tolist():
        rows = kinds == kind
        before, after = log.reasoning_tokens[rows & answered & ~low], log.reasoning_tokens[rows & answered & low]
        if not before.sum() or after.mean() > before.mean():
            continue
        if _is_as_good(log.quality[rows & judged & low], log.quality[rows & judged & ~low]):
            shown[rows & ~low] = True
            ratio[rows & ~low] = after.mean() / before.mean()
            prompts.append(kind // len(log.names["model"]))
    count = int((judged & low).sum())
    lacking = (
        f"more labels: the {count:,} of answers at {effort} effort do not show that it loses at most {MARGIN:.0%} and "
        "reasons less"
        if count
        else f"labels of answers at {effort} effort in the log, or --effort-ratio FILE"
    )
    names = tuple(log.names[column][each] if each >= 0 else "" for each in dict.fromkeys(prompts))
    return EffortEvidence(shown, ratio, count, names, lacking)


def _column(log: CallLog) -> str:
    """What calls are told apart by."""
    return "prompt" if (log.codes["prompt"] >= 0).any() else "tag"


def _is_as_good(mine: Floats, others: Floats) -> bool:
    """Whether labels of independent answers show a loss of at most the margin."""
    return bool(len(others) and lower_bound(mine, 0.0, _LEVEL / 2) - upper_bound(others, 1.0, _LEVEL / 2) > -MARGIN)


def same_model(named: str, model: str) -> bool:
    """Whether a name is that of a model, whoever serves it, or of a dated version of it."""
    bare, wanted = _bare(named), _bare(model)
    return bare == wanted or (bare.startswith(f"{wanted}-") and bare[len(wanted) + 1 :].replace("-", "").isdigit())


def _bare(model: str) -> str:
    """A model without the name of who serves it."""
    return model.rpartition(":")[2].rpartition("/")[2]
