"""``promptopt structure``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from promptopt.structured.field_sources import Evidence
    from promptopt.structured.proposal import Options, Structured
    from promptopt.structured.recommendation import Recommendation
    from promptopt.suites import Suite
    from promptopt.templates import Template


@click.command("structure")
@click.argument("prompt")
@click.option("--schema", "schema", metavar="FILE", help="A JSON schema file, or a Pydantic model as MODULE:MODEL.")
@click.option("--from-recordings", is_flag=True, help="Read the form from the recorded answers (of --suite).")
@click.option("--draft", metavar="FILE", help="Write the form that was read, even if it is doubted, to correct it.")
@click.option("--ask", metavar="MODEL", help="Let a model read the form; it is taken if the prompt's words prove it.")
@click.option(
    "--suite", metavar="SUITE", help="Compare both versions on these cases and say whether to take the new one."
)
@click.option(
    "--reasoning", type=click.IntRange(min=0), metavar="TOKENS", help="A reasoning field before the answer; 0 for none."
)
@click.option("--codes", is_flag=True, help="Code labels and keys of several tokens; `promptopt.parse` decodes them.")
@click.option(
    "--form",
    type=click.Choice(["auto", "schema", "text"]),
    default="auto",
    help="A strict schema, the form as the prompt's text states it, or the cheaper one [default].",
)
@click.option("--no-minify", is_flag=True, help="Do not ask for minified JSON.")
@click.option("--price-as", metavar="MODEL", help="Price and count tokens as for this model.")
@click.option("--model", help="The model that answers, instead of the prompt's own.")
@click.option("--record", type=click.Choice(["none", "missing", "stale", "all"]), help="Which answers to ask for.")
@click.option("--margin", type=float, metavar="POINTS", help="Quality that may be lost as `not worse` [default: 2].")
@click.option("--max-cost", type=float, metavar="USD", help="Refuse a run that may cost more, before any call.")
@click.option("--write", is_flag=True, help="Write the next version (with --suite: if it is recommended).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    prompt: str,
    schema: str | None,
    from_recordings: bool,
    draft: str | None,
    ask: str | None,
    suite: str | None,
    reasoning: int | None,
    codes: bool,
    form: Any,
    no_minify: bool,
    price_as: str | None,
    model: str | None,
    record: Any,
    margin: float | None,
    max_cost: float | None,
    write: bool,
    as_json: bool,
) -> None:
    """Propose the next version of a prompt, answered in strict JSON, as a diff.

    The schema comes from the prompt's words, from --schema, --from-recordings, --ask, or from what --suite expects.

    \b
    promptopt structure reviews@v1
    promptopt structure reviews@v1 --suite reviews --write
    promptopt structure tickets --schema app.models:Ticket

    Exit code 1 if --suite shows that the new version is not to be recommended.
    """
    from dataclasses import replace

    from promptopt.config import load_config
    from promptopt.structured.format_string import load_any
    from promptopt.structured.proposal import Options
    from promptopt.structured.recommendation import recorded_tokens
    from promptopt.suites import load_suite

    template, written_as = load_any(prompt)
    if draft is not None:
        others = {"--schema": schema, "--from-recordings": from_recordings, "--ask": ask, "--suite": suite}
        _draft(template, draft, prompt, [name for name, value in others.items() if value])
        return
    loaded = load_suite(suite) if suite else None
    options = Options(
        reasoning=reasoning,
        codes=codes,
        minify=not no_minify,
        form=form,
        as_written=written_as,
        price_as=price_as or load_config().price_as or model,
    )
    options = replace(options, answer_tokens=recorded_tokens(template, loaded))
    evidence = _evidence(template, schema, from_recordings, ask, loaded, max_cost)
    if max_cost is not None and evidence is not None and evidence.asked is not None:
        max_cost = max(0.0, max_cost - float(evidence.asked.usd or 0))  # what asking left of it
    proposals = _proposals(template, evidence, options, loaded)
    recommendation = None
    if loaded is not None:
        from promptopt.errors import PromptoptError
        from promptopt.structured.recommendation import recommend

        try:
            recommendation = recommend(
                proposals, loaded, model=model, price_as=price_as, record=record, margin=margin, max_cost=max_cost
            )
        except PromptoptError:
            # A proposal that cannot be compared is shown all the same.
            if not as_json:
                _print(proposals[0], None, None)
            raise
    chosen = recommendation.chosen if recommendation else proposals[0]
    written = _write(chosen) if write and chosen is not None else None
    if as_json:
        click.echo(json.dumps(_dict(chosen or proposals[0], recommendation, written), indent=2, ensure_ascii=False))
    else:
        _print(chosen or proposals[0], recommendation, written)
    if recommendation is not None and recommendation.chosen is None:
        raise click.exceptions.Exit(1)


def _draft(template: Template, file: str, prompt: str, others: list[str]) -> None:
    from pathlib import Path

    from promptopt.errors import UsageError
    from promptopt.schemas.summary import summary
    from promptopt.structured.draft import write_draft
    from promptopt.tables import fold

    if others:
        raise UsageError(f"--draft and {others[0]} exclude each other")
    draft = write_draft(template, Path(file))
    for item in draft.form.fields:
        click.echo(fold(f"{item.name}: {summary(item.schema)}  ({item.source})"))
    for doubt in draft.doubts:
        click.echo(fold(f"doubted: {doubt}"))
    then = "correct it, then" if draft.doubts else "then"
    click.echo(f"wrote {draft.path}; {then}: promptopt structure {prompt} --schema {draft.path}")


def _evidence(
    template: Template,
    schema: str | None,
    recordings: bool,
    ask: str | None,
    suite: Suite | None,
    max_cost: float | None,
) -> Evidence | None:
    from promptopt.errors import UsageError
    from promptopt.structured import field_sources
    from promptopt.structured.infer import infer

    if (schema is not None) + recordings + (ask is not None) > 1:
        raise UsageError("--schema, --from-recordings and --ask exclude each other")
    if schema is not None:
        return field_sources.from_schema(schema)
    if recordings:
        from promptopt.structured.recommendation import recordings_of

        return field_sources.from_recordings(recordings_of(template, suite), template.front.answer)
    if ask is not None:
        from promptopt.structured.by_model.ask import ask_model

        asked = ask_model(template, ask, max_cost=max_cost)
        return field_sources.Evidence(asked.inferred.fields, asked=asked)
    if suite is not None and not infer(template.source).fields:
        return field_sources.from_suite(suite)
    return None


def _proposals(template: Template, found: Evidence | None, options: Options, suite: Suite | None) -> list[Structured]:
    """One proposal; of a task that needs reasoning and has a suite, one without and one with it."""
    from dataclasses import replace

    from promptopt.structured.build import reason_to_reason, structure
    from promptopt.structured.field_sources import suite_labels

    if suite is None:
        return [structure(template, found, options)]
    options = replace(options, labels=tuple(suite_labels(suite)))
    if reason_to_reason(template) is None:
        return [structure(template, found, options)]
    tokens = options.reasoning or 100
    # Both under a schema: without one the bare version would be the prompt as it is, which reasons.
    both = replace(options, form="schema")
    return [structure(template, found, replace(both, reasoning=count)) for count in (tokens, 0)]


def _write(proposal: Structured) -> str:
    from promptopt.errors import TemplateError, UsageError
    from promptopt.files import show_path, write_new

    if proposal.path.exists():
        raise UsageError(f"{proposal.path} exists already; it is not overwritten")
    write_new(proposal.path, proposal.source, TemplateError)
    return show_path(proposal.path)


def _print(proposal: Structured, recommendation: Recommendation | None, written: str | None) -> None:
    from promptopt.schemas.summary import summary
    from promptopt.tables import fold

    click.echo(proposal.diff() or "nothing to change\n", nl=False)
    click.echo()
    for item in proposal.fields:
        click.echo(fold(f"{item.name}: {summary(item.schema)}  ({item.source})"))
    economics = proposal.economics
    cost = economics.cost
    billed = f"the schema is billed {economics.schema_tokens} tokens" if economics.schema_tokens else "no schema"
    go = f"{economics.prose_tokens} tokens of prose go: {economics.input_difference:+d} a call"
    click.echo(fold(f"input: {billed}, {go}"))
    if proposal.form == "text":
        cap = proposal.max_output_tokens
        click.echo(f"output: as the text asks for it, {'no cap' if cap is None else f'{cap} tokens at most'}")
    elif economics.break_even is not None:
        even = (
            "saves from the first call"
            if not economics.break_even
            else (f"breaks even if answers are {economics.break_even:.1f} tokens shorter")
        )
        longest = "unbounded" if cost.longest_tokens is None else f"{cost.longest_tokens} at most"
        click.echo(fold(f"output: an answer of some {cost.typical_tokens} tokens ({longest}); {even}"))
    for note in proposal.notes:
        click.echo(fold(f"note: {note}"))
    if recommendation is not None:
        click.echo(fold(f"\n{recommendation.comparison}\n{recommendation.statement}"))
    if written:
        click.echo(f"wrote {written}")


def _dict(proposal: Structured, recommendation: Recommendation | None, written: str | None) -> dict[str, Any]:
    economics = proposal.economics
    return {
        "version": 1,
        "prompt": proposal.template.origin.label,
        "path": str(proposal.path),
        "written": written is not None,
        "form": proposal.form,
        "output_schema": proposal.schema if proposal.form == "schema" else None,
        "output_codes": proposal.codes.to_dict() or None,
        "answer": proposal.answer,
        "max_output_tokens": proposal.max_output_tokens,
        "fields": [
            {"name": f.name, "schema": dict(f.schema), "source": f.source, "line": f.line} for f in proposal.fields
        ],
        "edits": [
            {
                "start": e.start,
                "end": e.end,
                "old": proposal.template.source[e.start : e.end],
                "new": e.new,
                "reason": e.message,
            }
            for e in proposal.edits
        ],
        "economics": {
            "schema_tokens": economics.schema_tokens,
            "prose_tokens": economics.prose_tokens,
            "input_difference": economics.input_difference,
            "typical_output_tokens": economics.cost.typical_tokens,
            "longest_output_tokens": economics.cost.longest_tokens,
            "break_even_output_tokens": economics.break_even,
        },
        "notes": list(proposal.notes),
        "source": proposal.source,
        "diff": proposal.diff(),
        "recommended": recommendation.chosen is not None if recommendation else None,
        "statement": recommendation.statement if recommendation else None,
        "comparison": recommendation.comparison.to_dict() if recommendation else None,
    }
