"""The command line. Commands are imported when they are called: ``promptopt --help`` loads none of them."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from promptopt import __version__
from promptopt.errors import PromptoptError, UsageError, did_you_mean

# Name, module, and the line of `promptopt --help`; kept here so that help needs no command's module.
COMMANDS = {
    "ablate": ("promptopt.cli.ablate", "Say what each sentence of a prompt is worth, as a heat map."),
    "audit": ("promptopt.cli.audit", "Say where a request log's money went, and what each strategy would save."),
    "budget": ("promptopt.cli.budget", "Guard prompts: fail if one costs more than its lock allows."),
    "cache": ("promptopt.cli.cache", "List and clear cached answers; calibrate the semantic cache."),
    "check": ("promptopt.cli.check", "Lint prompts for what costs tokens; show the facts that must stay."),
    "compare": ("promptopt.cli.compare", "Compare prompts over the same cases: tokens, dollars, quality, a verdict."),
    "compress": ("promptopt.cli.compress", "Shorten a prompt as a reviewable diff; every constraint stays."),
    "count": ("promptopt.cli.count", "Count a prompt's tokens and dollars, per call and per month."),
    "diff": ("promptopt.cli.history", "Compare two versions line by line: tokens, cost, the answers that changed."),
    "estimate": ("promptopt.cli.estimate", "Estimate a prompt's cost for so many users and calls, without a log."),
    "formats": (
        "promptopt.cli.formats",
        "Print the JSON Schemas of suites, front matter, settings, locks and reports.",
    ),
    "gateway": (
        "promptopt.cli.gateway",
        "Show the gateway's budgets by team, user and model; make virtual keys.",
    ),
    "history": ("promptopt.cli.history", "Show a prompt's tokens, dollars and quality over versions and commits."),
    "import": (
        "promptopt.cli.importing",
        "Bring a promptfoo config over: prompts, suites and providers of this project.",
    ),
    "init": ("promptopt.cli.init", "Bring an existing repository under the gate: find its prompts, propose files."),
    "judge": ("promptopt.cli.judge", "Compare judges with people's labels, and estimate quality with both."),
    "label": ("promptopt.cli.label", "Label recorded answers by hand, blind and shuffled: pass or fail, or a score."),
    "list": ("promptopt.cli.list", "List prompts with their versions and suites."),
    "minimize": ("promptopt.cli.minimize", "Search for the cheapest version that provably still does the job."),
    "recordings": ("promptopt.cli.recordings", "Import and check recorded answers."),
    "render": ("promptopt.cli.render", "Print a prompt with its variables filled in."),
    "schema": ("promptopt.cli.schema", "Check and fix JSON schemas for strict mode."),
    "serve": (
        "promptopt.cli.serve",
        "Serve the gateway's layers to programs in any language: a proxy.",
    ),
    "structure": ("promptopt.cli.structure", "Turn a prompt that is answered in prose into one for strict JSON."),
    "suite": ("promptopt.cli.suite", "Write a suite as a data set: inspect, OpenAI evals, Langfuse, JSONL or CSV."),
    "usage": ("promptopt.cli.usage", "Show where the money goes: spend, repeats, cache hits, errors, a forecast."),
}

INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        from promptopt.cli.verbosity import add_verbosity

        module = import_module(COMMANDS[cmd_name][0])
        command = module.diff_command if cmd_name == "diff" else module.command
        assert isinstance(command, click.Command)
        return add_verbosity(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(error.message + did_you_mean(args[0], COMMANDS), ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SystemExit as left:
            # No command leaves by it: its exit code would be taken for a verdict.
            message = f"code that was called left by sys.exit({left.code!r}), so that there is no result"
            raise UsageError(message) from left

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="promptopt")
@click.pass_context
def cli(context: click.Context) -> None:
    """Make LLM prompts cheaper, prove that they still work, and stop the cost from creeping back."""
    # https://no-color.org; without it, colour is for terminals alone.
    context.color = False if os.environ.get("NO_COLOR") else None


def main() -> NoReturn:
    """Run the command line and leave with its exit code: 0 good, 1 a gate failed, 2 wrong input, 130 interrupted."""
    try:
        code = _called()
        sys.stdout.flush()
    except PromptoptError as error:
        _fail(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _interrupted()
    except BrokenPipeError:
        # The reader has gone, as in `promptopt list | head -1`.
        _discard_output()
        code = 0
    except OSError as error:
        if error.filename is None:
            _discard_output()
        _fail(f"{error.filename or 'output'}: {error.strerror or error}", 2)
    sys.exit(code)


def _called() -> int:
    """The exit code of the command."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return code if isinstance(code, int) else 0


def _discard_output() -> None:
    """Stdout takes no more; Python would try once more at exit, complain, and leave with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> NoReturn:
    from promptopt.tables import printable

    # It may name a case or a file, whose characters must not act on a terminal.
    click.echo(f"promptopt: {printable(message)}", err=True)
    sys.exit(code)


def _interrupted() -> NoReturn:
    click.echo("promptopt: interrupted; answers so far are kept, and the same command continues from there", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    # Calls in flight cannot be cancelled, and their threads would keep the process alive until they time out.
    os._exit(INTERRUPTED)
