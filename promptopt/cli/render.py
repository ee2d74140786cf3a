"""``promptopt render``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from promptopt.cli.options import read_variables, variable_options


@click.command("render")
@click.argument("prompt")
@variable_options
@click.option("--model", help="The model, instead of the prompt's own.")
@click.option("--openai", "as_openai", is_flag=True, help="Print the arguments for the OpenAI SDK, as JSON.")
def command(
    prompt: str, variables: tuple[str, ...], vars_file: Path | None, model: str | None, as_openai: bool
) -> None:
    """Print a prompt with its variables filled in.

    \b
    promptopt render reviews --var review="Broke after two days."
    promptopt render reviews@v1 --var review=@review.txt --openai
    promptopt render receipts --var photo=file://receipt.jpg
    """
    from promptopt.api import load_prompt, render
    from promptopt.errors import UsageError

    template = load_prompt(prompt)
    given = read_variables(variables, vars_file)
    template.check_names(given)
    rendered = render(template, given, model=model)
    if as_openai:
        if rendered.model is None:
            raise UsageError(f"{template.path} names no model; pass --model")
        click.echo(json.dumps(rendered.openai(), indent=2, ensure_ascii=False))
        return
    for message in rendered.messages:
        click.secho(f"[{message.role}]", dim=True)
        if message.content or message.parts or not message.tool_calls:
            click.echo("".join(map(str, message.parts or (message.content,))))
        for call in message.tool_calls:
            click.echo(f"{call.name}({call.arguments})")
