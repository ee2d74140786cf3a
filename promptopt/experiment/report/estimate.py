"""An estimate and an attribution as text and as data: what ``promptopt count`` prints."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from promptopt.experiment.estimate import Estimate
from promptopt.money import UNPRICED, dollars
from promptopt.tables import line_width, table
from promptopt.templates import Template
from promptopt.templates.attribution import Attribution
from promptopt.tokens import cache_rule
from promptopt.values import Cost

_LEAST_SOURCE = 24


def estimate_text(template: Template, counted: Estimate) -> str:
    """Tokens, and dollars per call, per 1,000 calls and per month, as a table, and the source of the prices."""

    def row(name: str, tokens: str, usd: Decimal | None) -> list[str]:
        if counted.price is None or counted.uncounted:
            return [name, tokens, UNPRICED, UNPRICED, UNPRICED]
        if usd is None:
            return [name, tokens, "-", "-", "-"]
        month = "-" if counted.calls_per_month is None else dollars(usd * counted.calls_per_month)
        return [name, tokens, f"${usd:.6f}", dollars(usd * 1000), month]

    cost, batch = counted.cost(counted.price), counted.cost(counted.batch)
    output = "-" if counted.output_tokens is None else f"{counted.output_tokens:,.1f}"
    more = " + not countable" if counted.uncounted else ""
    spread = f" ({counted.smallest:,} to {counted.largest:,})" if counted.renderings > 1 else ""
    part = f" ({counted.output_cases:,} of {counted.renderings:,} cases)"
    recorded = f"output, as recorded{part if counted.output_cases < counted.renderings else ''}"
    labels = {"recorded": recorded, "cap": "output, at most", "unknown": "output, no cap set"}
    known_output = cost if counted.output_tokens is not None else None
    rows = [
        row(f"input{spread}", f"{counted.input_tokens:,.1f}{more}", cost.input_usd if cost else None),
        row(labels[counted.output_basis], output, known_output.output_usd if known_output else None),
        row("total", "", known_output.total_usd if known_output else None),
        row("total, as a batch", "", batch.total_usd if batch and known_output else None),
    ]
    month = f"{counted.calls_per_month:,} calls a month" if counted.calls_per_month else "calls_per_month not set"
    turns = f" of {counted.calls:,.1f} calls, in which an answer is one token" if counted.calls > 1 else ""
    heading = f"{template.path}: {counted.renderings:,} rendering{'s' * (counted.renderings != 1)}{turns}, {month}"
    parts = [
        f"content {counted.content:,.1f}",
        f"framing {counted.framing:,.1f}",
        f"schema {counted.schema:,.1f}",
        *([f"tools {counted.tools:,.1f} (estimated)"] if counted.tools else []),
        *([f"media {counted.media:,.1f} (estimated)"] if counted.media else []),
        f"{counted.encoding}, {counted.basis}",
    ]
    price = counted.price
    tier = f" with service_tier {counted.service_tier!r}" if counted.service_tier else ""
    unpriced = f"{counted.model} is unpriced{tier}"
    named = unpriced if counted.model else "no model is named, so there is no price: pass --model"
    at_tier = f" ({price.processing})" if price and price.processing != "standard" else ""
    source = f"prices: {price.provider}/{price.model}{at_tier}, {price.source}" if price else named
    body = table(rows, ["", "tokens", "$ per call", "$ per 1,000", "$ per month"])
    other = counted.output_model not in (None, counted.model)
    answered = f"\noutput: recorded answers of {counted.output_model}" if other else ""
    uncounted = "".join(f"\nnot countable: {why}" for why in counted.uncounted)
    return f"{heading}\n\n{body}\n\ninput: {', '.join(parts)}{answered}{uncounted}\n{source}"


def attribution_text(attributed: Attribution, case: str | None) -> str:
    """Tokens of each template line and variable, and how long the static prefix is.

    Args:
        attributed: The attribution of one rendering.
        case: The case that it was rendered with, if there was one.
    """
    numbers = [
        [
            f"{part.path}:{part.line}",
            f"{part.tokens}" if part.countable else "not countable",
            f"{part.times}x" if part.times > 1 else "",
        ]
        for part in attributed.parts
    ]
    headers = ["line", "tokens", "times", "source"]
    # A line of a template is cut rather than broken.
    taken = sum(max(map(len, column)) + 2 for column in zip(headers, *numbers, strict=False))
    room = max(_LEAST_SOURCE, line_width() - taken)
    rows = [[*row, _source(part.kind, part.source, room)] for row, part in zip(numbers, attributed.parts, strict=True)]
    rows += [["(chat framing)", f"{attributed.framing}", "", ""]]
    if attributed.schema:
        rows += [["(output schema)", f"{attributed.schema}", "", ""]]
    rows += [[f"(tool {name})", f"{tokens}", "", ""] for name, tokens in attributed.tools]
    total = f"{attributed.total} + not countable" if attributed.uncounted else f"{attributed.total}"
    rows += [["total", total, "", ""]]
    title = f"rendered with case {case!r}\n\n" if case is not None else ""
    exact = "" if attributed.exact else "\na filter or test reads printed text: lines are those of the rendered prompt"
    broken = attributed.prefix_broken_by
    prefix = f"static prefix: {attributed.static_prefix_tokens:,} tokens"
    where = f", up to {broken.path}:{broken.line} {broken.source.strip()}" if broken else ", the whole prompt"
    least, step = cache_rule(attributed.model)
    steps = f", in steps of {step}" if step > 1 else ""
    cached = f"; {attributed.cacheable_tokens:,} of them cacheable (providers cache from {least:,} tokens{steps})"
    body = table(rows, headers, columns=("left", "right", "right", "left"))
    return f"{title}{body}{exact}\n\n{prefix}{where}{cached}"


def _source(kind: str, source: str, room: int) -> str:
    text, end = source.strip(), "… }}" if kind == "variable" else "…"
    return text if len(text) <= room else text[: room - len(end)] + end


def estimate_dict(template: Template, counted: Estimate, attributed: Attribution | None) -> dict[str, Any]:
    """The same as plain data: what ``--json`` prints."""

    def rounded(cost: Cost | None) -> float | None:
        return None if cost is None else float(round(cost.total_usd, 12))

    known = counted.output_tokens is not None
    per_call = rounded(counted.cost(counted.price)) if known else None
    per_month = None if per_call is None or not counted.calls_per_month else per_call * counted.calls_per_month
    data: dict[str, Any] = {
        "prompt": template.origin.label,
        "path": template.path,
        "model": counted.model,
        "encoding": counted.encoding,
        "basis": counted.basis,
        "renderings": counted.renderings,
        "calls": round(counted.calls, 6),
        "input_tokens": round(counted.input_tokens, 6),
        "content_tokens": round(counted.content, 6),
        "framing_tokens": round(counted.framing, 6),
        "schema_tokens": round(counted.schema, 6),
        "tools_tokens": round(counted.tools, 6),
        "media_tokens": round(counted.media, 6),
        "not_countable": list(counted.uncounted),
        "output_tokens": counted.output_tokens,
        "output_basis": counted.output_basis,
        "output_cases": counted.output_cases,
        "output_model": counted.output_model,
        "usd_per_call": per_call,
        "usd_per_1k_calls": None if per_call is None else round(per_call * 1000, 9),
        "usd_per_month": None if per_month is None else round(per_month, 6),
        "usd_per_call_batch": rounded(counted.cost(counted.batch)) if known else None,
        "calls_per_month": counted.calls_per_month,
        "prices": counted.price.source if counted.price else None,
    }
    if attributed is not None:
        data["lines"] = [
            {"path": part.path, "line": part.line, "kind": part.kind, "source": part.source, "tokens": part.tokens}
            for part in attributed.parts
        ]
        data["static_prefix_tokens"] = attributed.static_prefix_tokens
        data["cacheable_tokens"] = attributed.cacheable_tokens
    return data
