"""What to do about a finding: what a strategy assumes, what carries it out, and the gateway's settings for it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from promptopt.auditing.audit import LogAudit
from promptopt.auditing.evidence import MARGIN
from promptopt.auditing.strategy_settings import StrategyName
from promptopt.auditing.waterfall import steps
from promptopt.gateway.layers.cache import HOUR_S

_MEANING: Mapping[StrategyName, tuple[str, str]] = {
    "waste": (
        "fix what fails (timeouts, bad requests, retries) and raise caps that cut",
        "calls that failed, and those that were cut off and asked again, are not made",
    ),
    "exact-cache": (
        "[tool.promptopt.gateway] cache = {ttl = ...}",
        "the same request may have the same answer for the time to live",
    ),
    "single-flight": (
        "[tool.promptopt.gateway] single_flight = true",
        "callers may share the answer of a call in flight",
    ),
    "semantic-cache": (
        "[tool.promptopt.gateway] semantic = {calibration = ...}",
        "questions from the cosine on, and with the same hard facts, may share an answer",
    ),
    "provider-cache": (
        "[tool.promptopt.gateway] prompt_caching = true",
        "each miss is written; a prefix is kept for the lifetime, by model",
    ),
    "layout": (
        "promptopt check --only PO501",
        "lines that every call of a prompt has may come first, and each miss is written",
    ),
    "output-cap": ("max_output_tokens in the prompt's front matter", "answers that are cut are still of use"),
    "structured-output": ("promptopt structure", "the measured ratio holds for all calls"),
    "compression": ("promptopt compress", "the measured ratio holds for all calls"),
    "smaller-model": (
        "[tool.promptopt.gateway] router = [{model = ...}], or model in the prompt's front matter",
        "the A/B run is of calls like these, and as many tokens are used",
    ),
    "lower-effort": ("reasoning_effort in the prompt's front matter", "the measured ratio holds for all calls"),
    "cascade": (
        "[tool.promptopt.gateway] cascade = [{model = ..., validators = {...}}, ...]",
        "as many calls go on to the next model as in the run, and all models use as many tokens",
    ),
    "batch": ("promptopt.batch(requests)", "nobody waits for these calls"),
    "flex": ("service_tier: flex in the prompt's front matter", "nobody waits for these calls"),
}


def assumed(name: StrategyName, audit: LogAudit) -> str:
    """What a step takes for granted, with the evidence that it rests on."""
    settings, labels = audit.settings, audit.labelled
    if name == "semantic-cache" and settings.semantic_threshold is not None:
        risk = (
            "nobody has measured how many of them should not"
            if settings.false_hits is None
            else f"at most {settings.false_hits:.1%} of such hits are wrong, by {settings.semantic_calibration}"
        )
        start = f"questions from a cosine of {settings.semantic_threshold:.3f} on"
        return f"{start}, with the same hard facts, may share an answer; {risk}"
    if name == "smaller-model" and labels and not settings.model_evidence:
        return (
            f"labels of {', '.join(labels)} show that it loses at most {MARGIN:.0%}; calls were given to either model "
            "alike, and as many tokens are used"
        )
    if name == "lower-effort" and audit.effort_labelled and settings.effort_ratio is None:
        return (
            f"labels of {', '.join(audit.effort_labelled)} show that {settings.to_effort} effort loses at most "
            f"{MARGIN:.0%}; calls were given to either effort alike, and reason as much less as those in the log"
        )
    if name == "cascade" and not settings.cascade:
        return (
            "a validator finds the smaller model's answers that labels call bad, as many as the 95% bound of their "
            "share; both models use as many tokens"
        )
    return _MEANING[name][1]


def gateway_settings(audit: LogAudit) -> str:
    """The settings of the gateway that carry out the steps that save, as TOML; in comments, what it has none for."""
    saving = {step.strategy for step in steps(audit.outcomes, audit.order) if step.saved_usd > 0}
    lines = ["# What the audit of a log found to save money; copy it into pyproject.toml.", "[tool.promptopt.gateway]"]
    others = []
    for name in audit.order:
        switched = _SWITCHES.get(name)
        if name not in saving:
            lines += [f"{switched} = false"] if switched else []
        elif (setting := _setting(name, audit)) is not None:
            lines.append(setting)
        else:
            others.append(f"# {name}: {carried_out(name, audit)}")
    return "\n".join([*lines, *others]) + "\n"


_SWITCHES: Mapping[StrategyName, str] = {
    "exact-cache": "cache",
    "single-flight": "single_flight",
    "semantic-cache": "semantic",
    "provider-cache": "prompt_caching",
}


def _setting(name: StrategyName, audit: LogAudit) -> str | None:
    """The line of the gateway's settings that switches a strategy on; ``None`` if it has none."""
    settings = audit.settings
    if name == "exact-cache":
        # Answers that nobody calls lasting have a time of their own, unless it is the longer one.
        ttl = f'"{settings.ttl_s:g}s"'
        return f"cache = {{ttl = {ttl}{f', time_sensitive_ttl = {ttl}' if settings.ttl_s > HOUR_S else ''}}}"
    if name == "semantic-cache" and settings.semantic_calibration is not None:
        return f"semantic = {{calibration = {json.dumps(settings.semantic_calibration)}}}"
    if name == "smaller-model":
        column = audit.labelled_by if audit.labelled and not settings.model_evidence else None
        rules = [f", {column} = {json.dumps(each.partition('@')[0])}" for each in audit.labelled] if column else [""]
        shown = ", ".join(f"{{model = {json.dumps(settings.to_model)}{rule}}}" for rule in dict.fromkeys(rules))
        return f"router = [{shown}]"
    if name == "cascade" and settings.cascade_steps:
        return f"cascade = {settings.cascade_steps}"
    return f"{_SWITCHES[name]} = true" if name in ("single-flight", "provider-cache") else None


def carried_out(name: StrategyName, audit: LogAudit) -> str:
    """The command, the setting or the change of a file that carries a strategy out."""
    settings = audit.settings
    able = name in audit.order
    if able and (setting := _setting(name, audit)) is not None:
        return f"[tool.promptopt.gateway] {setting}"
    if name == "output-cap" and settings.cap is not None:
        return f"max_output_tokens: {settings.cap} in the prompt's front matter"
    if able and name == "lower-effort" and settings.effort_ratio is None:
        named = ", ".join(audit.effort_labelled)
        return f"reasoning_effort: {settings.to_effort} in the front matter of {named}"
    return _MEANING[name][0]
