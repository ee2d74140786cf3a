"""``promptopt serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from promptopt.gateway.serve.settings import Configuration


@click.command("serve")
@click.option("--host", help="Address to listen on [default: 127.0.0.1]; any other one needs virtual keys.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for any free one [default: 4141].")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="A file written as pyproject.toml [default: the nearest]."
)
@click.option("--check", is_flag=True, help="Only read the configuration, say what is wrong with it, and end.")
def command(host: str | None, port: int | None, path: Path | None, check: bool) -> None:
    """Serve the gateway's layers to programs in any language, as an OpenAI-compatible proxy.

    \b
    promptopt serve
    curl localhost:4141/v1/chat/completions -H 'Content-Type: application/json' \\
      -d '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}'
    """
    import logging

    from promptopt.errors import ConfigError, MissingExtra

    try:
        from promptopt.gateway.serve.server import serve
    except ImportError as error:
        raise MissingExtra(error.name or "starlette", "serve", "`promptopt serve`") from None
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)

    configuration = _read(path, host, port)
    if check:
        click.echo("the configuration is good")
        return

    began = configuration.config.path is not None and configuration.config.path.stat().st_size

    def read() -> Configuration:
        # A file that is gone must not open what it closed, nor one that names another host than is listened on, nor one
        # that was emptied: by a full disk, or to be written anew.
        place = path or configuration.config.path
        again = _read(place, configuration.serve.host, port)
        if place is not None and began and not place.stat().st_size:
            raise ConfigError("is empty, and was not when the server began; write it again", path=place)
        return again

    serve(configuration, read, started=lambda url: click.echo(f"promptopt serves {url}/v1", err=True))


def _read(path: Path | None, host: str | None, port: int | None) -> Configuration:
    from promptopt.config import load_config, load_config_file
    from promptopt.gateway.serve.settings import read_configuration

    config = load_config() if path is None else load_config_file(path)
    return read_configuration(config, host=host, port=port)
