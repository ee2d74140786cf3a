"""``promptopt minimize``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.cli.options import read_dollars, read_settings, search_options

if TYPE_CHECKING:
    from promptopt.minimization.plan import SearchPlan
    from promptopt.minimization.result import Minimization
    from promptopt.suites import Suite


@click.command("minimize")
@click.argument("prompt")
@click.option("--suite", metavar="SUITE", help="File or name of the cases; by default the suite named like the prompt.")
@click.option("--margin", type=float, metavar="POINTS", help="Quality that may be lost as `not worse` [default: 2].")
@click.option("--max-cost", metavar="USD", help="Stop before more than this is spent [default: 1].")
@click.option("--model", help="The model that answers, instead of the prompt's own.")
@click.option("--price-as", metavar="MODEL", help="Price and count tokens as for this model.")
@click.option("--no-rules", is_flag=True, help="Leave out the edits of `promptopt compress`.")
@click.option("--structured", is_flag=True, help="Also try the answer as strict JSON.")
@click.option("--cap", is_flag=True, help="Also try lower output caps, by the lengths of the answers.")
@click.option("--models", metavar="A,B", help="Also try other models.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE,...", help="Also try settings of a call.")
@click.option("--order", is_flag=True, help="Also try the examples the other way round.")
@click.option("--add-examples", is_flag=True, help="Also add examples out of failed cases, if a pass costs less then.")
@click.option("--draft-cases", metavar="MODEL", help="Let a model draft cases for what no case tests.")
@click.option(
    "--untested",
    type=click.Choice(["keep", "remove"]),
    default="keep",
    show_default=True,
    help="What becomes of facts that no case tests.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), default=2, show_default=True, help="How many versions are confirmed at most."
)
@click.option(
    "--max-failed", type=float, metavar="PERCENT", help="Calls that may fail in the confirmation [default: 2]."
)
@search_options
@click.option("--dry-run", is_flag=True, help="Print the plan and the units; ask nothing.")
@click.option("--write", is_flag=True, help="Write the next version, such as v3.j2; nothing is overwritten.")
@click.option(
    "-o",
    "--output",
    "outputs",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Write it to FILE instead; FILE.html is a page. May be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the tables.")
def command(
    prompt: str,
    suite: str | None,
    margin: float | None,
    max_cost: str | None,
    model: str | None,
    price_as: str | None,
    no_rules: bool,
    structured: bool,
    cap: bool,
    models: str | None,
    settings: tuple[str, ...],
    order: bool,
    add_examples: bool,
    draft_cases: str | None,
    untested: Any,
    steps: int,
    max_failed: float | None,
    dry_run: bool,
    write: bool,
    outputs: tuple[Path, ...],
    as_json: bool,
    **asking: Any,
) -> None:
    """Search for the cheapest version of a prompt that provably still does its job.

    It looks for what can go on one part of the cases, and confirms the result once on a part never seen.

    \b
    promptopt minimize reviews --margin 2 --max-cost 1.00
    promptopt minimize reviews@v1 --margin 5 --dry-run
    promptopt minimize triage --models gpt-5.6-luna,gpt-4o-mini --set reasoning_effort=low --write

    Exit code 1 if no cheaper version is confirmed, 3 if too many calls failed to say anything.
    """
    from promptopt.cli.compare import asking_progress
    from promptopt.errors import INCOMPLETE
    from promptopt.minimization.minimize import minimize

    pages, output = _places(outputs, prompt if write and not dry_run else None)
    if draft_cases is not None and not dry_run:
        _check_drafts(prompt, suite)
    asking |= {"models": [name.strip() for name in (models or "").split(",") if name.strip()]}
    with asking_progress(price_as) as progress:
        found = minimize(
            prompt,
            suite=suite,
            margin=margin,
            max_cost=read_dollars(max_cost),
            rules=not no_rules,
            structured=structured,
            cap=cap,
            settings=read_settings(settings),
            order=order,
            add_examples=add_examples,
            untested=untested,
            steps=steps,
            max_failed=max_failed,
            model=model,
            price_as=price_as,
            **asking,
            **progress,
            dry_run=dry_run,
            on_plan=_announce,
        )
    written = [] if dry_run or found.chosen is None or not (write or output) else found.write(output)
    said: list[str] = []
    if draft_cases is not None and found.unsure and not dry_run:
        found, said = _draft(found, draft_cases)
    _print(found, dry_run, as_json)
    if pages:
        from promptopt.minimization.html_report import minimize_page
        from promptopt.webpage.page import write_page

        write_page(minimize_page(found), *pages)
    if dry_run:
        return
    from promptopt.files import show_path

    for line in (*(f"wrote {show_path(path)}" for path in written), *said):
        click.echo(line, err=True)
    if found.incomplete:
        raise click.exceptions.Exit(INCOMPLETE)
    if found.chosen is None:
        raise click.exceptions.Exit(1)


def _places(outputs: tuple[Path, ...], prompt: str | None) -> tuple[list[Path], Path | None]:
    """The pages and the file of the next version; what cannot be written is said before a call is paid.

    Args:
        prompt: Whose next version is written; ``None``: it is written only if a file of it is named.
    """
    from promptopt.errors import TemplateError, UsageError
    from promptopt.files import check_writable
    from promptopt.webpage.page import check_page_path

    pages = [path for path in outputs if path.suffix.lower() == ".html"]
    for page in pages:
        check_page_path(page)
    files = [path for path in outputs if path not in pages]
    if len(files) > 1:
        raise UsageError(f"-o {files[0]} and -o {files[1]}: the prompt is written to one file; pages end in .html")
    output = files[0] if files else None
    if output is not None:
        if output.exists():
            raise UsageError(f"{output} exists already; it is not overwritten")
        check_writable(output, TemplateError)
    elif prompt is not None:
        from promptopt.minimization.result import place_of_next
        from promptopt.templates import load_prompt

        place_of_next(load_prompt(prompt))
    return pages, output


def _drafts_of(suite: Suite) -> Path:
    return suite.path.with_name(f"{suite.name}.drafts.yaml")


def _check_drafts(prompt: str, suite: str | None) -> None:
    """Drafts that nobody has dealt with are said before a call is paid."""
    from promptopt.errors import UsageError
    from promptopt.files import show_path
    from promptopt.suites import load_suite, suite_of
    from promptopt.templates import load_prompt

    target = _drafts_of(load_suite(suite or suite_of(load_prompt(prompt).origin.prompt)))
    if target.exists():
        raise UsageError(
            f"{show_path(target)} exists already, and is not overwritten: move the cases that you have read to the "
            "suite and remove it, or leave out --draft-cases"
        )


def _draft(found: Minimization, model: str) -> tuple[Minimization, list[str]]:
    """Write a suite of drafts beside the suite; what is said of them. What was found is true without them."""
    from promptopt.errors import PromptoptError
    from promptopt.files import show_path
    from promptopt.minimization.drafts import write_drafts

    said = []
    try:
        drafts = found.draft_cases(model)
        found = found.with_drafts(drafts)
        said = [f"no draft for line {each.untested.unit.line}: {each.problem}" for each in drafts if each.problem]
        if any(each.case for each in drafts):
            target = show_path(write_drafts(drafts, _drafts_of(found.bench.suite)))
            said.append(f"wrote {target}: read each case before you use it")
    except PromptoptError as error:
        said.append(f"no case was drafted: {error}")
    return found, said


def _announce(plan: SearchPlan) -> None:
    from promptopt.tables import fold

    click.echo(fold(str(plan)), err=True)


def _print(found: Minimization, dry_run: bool, as_json: bool) -> None:
    from promptopt.minimization.text import worth_table

    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    elif dry_run:
        click.echo(worth_table(found.worths()))
    else:
        diff = found.diff()
        click.echo(f"{diff}\n" * bool(diff) + str(found), nl=False)
