"""The templates of a config: each prompt with the settings of each provider, compiled as Nunjucks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from promptopt.promptfoo.answers import ConfigAnswer
from promptopt.promptfoo.asserts import code_name
from promptopt.promptfoo.cases import PREFIX, SUFFIX
from promptopt.promptfoo.chats import chat_messages, rendered_messages
from promptopt.promptfoo.document import ConfigFile, is_script, plain
from promptopt.promptfoo.nunjucks import NunjucksEnvironment, has_template, to_jinja
from promptopt.promptfoo.prompts import ConfigPrompt
from promptopt.promptfoo.providers import ConfigProvider, read_providers
from promptopt.promptfoo.scripts import run_script
from promptopt.templates import Template
from promptopt.templates.frontmatter import set_front_matter
from promptopt.templates.readers import FolderReader, OverlayReader
from promptopt.values import Origin

FUNCTION = "promptfoo_prompt"
"""What a template calls whose prompt is written by code."""


class Templates:
    """Makes the templates of one config."""

    def __init__(self, document: ConfigFile) -> None:
        self._document = document
        self.filters = dict(self._read_filters())

    def _read_filters(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        document, table = self._document, self._document.table
        for name, file in (table.get("nunjucksFilters") or {}).items():
            with document.leaving_out(f"the filter {name!r}", table, "nunjucksFilters"):
                path = document.find(str(file))
                if not is_script(path.name) or not path.is_file():
                    raise ValueError(f"{file!r} is no JavaScript file")
                yield str(name), partial(_filtered, path)

    def make(self, prompt: ConfigPrompt, provider: ConfigProvider, several: bool, around: bool) -> Template:
        """The template of a prompt with the settings of a provider.

        Args:
            several: Whether its label says the provider.
            around: Whether some case puts a text before or after each prompt.
        """
        document = self._document
        text = f"{{{{ {FUNCTION}() }}}}" if prompt.function else prompt.text
        if around:
            text = f"{{{{ {PREFIX} }}}}{text}{{{{ {SUFFIX} }}}}"
        front = {"model": provider.model, **provider.front, **self._prompt_settings(prompt)}
        source = set_front_matter("", plain(front)) + _body(text, provider.system)
        name = "prompt.json" if source.endswith("]") else "prompt.txt"
        shown = document.shown if prompt.file is None else str(prompt.file)
        reader = _ConfigReader(FolderReader(document.folder), name, source, shown)
        origin = Origin(prompt.name, provider.name if several else None)
        template = Template.load(name, reader, origin, partial(self._environment, prompt=prompt, provider=provider))
        if provider.transform:
            front_matter = replace(template.front, answer=ConfigAnswer(str(code_name(document, provider.transform))))
            template = replace(template, front=front_matter)
        return template

    def _prompt_settings(self, prompt: ConfigPrompt) -> Mapping[str, Any]:
        """Settings that a prompt asks for, as those of a provider."""
        if not prompt.config:
            return {}
        entry = {"id": "openai:chat:gpt-4o", "config": prompt.config}
        found = read_providers(replace(self._document, table={"providers": [entry]}))
        return found[0].front if found else {}

    def _environment(self, loader: Any, prompt: ConfigPrompt, provider: ConfigProvider) -> NunjucksEnvironment:
        environment = NunjucksEnvironment(loader, self._document.environment(), self.filters)
        environment.filters["chat_messages"] = rendered_messages
        if prompt.function:
            environment.globals[FUNCTION] = _caller(prompt, provider, environment)
        return environment


class _ConfigReader(OverlayReader):
    """The text of one prompt, and the folder of the config for what it includes."""

    def __init__(self, inner: FolderReader, name: str, text: str, shown: str) -> None:
        super().__init__(inner, name, text)
        self._shown, self._name_shown = shown, name

    def display(self, name: str) -> str:
        return self._shown if name == self._name_shown else super().display(name)


def _caller(prompt: ConfigPrompt, provider: ConfigProvider, environment: NunjucksEnvironment) -> Callable[..., str]:
    """The function of a prompt as a template calls it."""

    @pass_context
    def call(context: Context) -> str:
        variables = {
            name: value
            for name, value in context.parent.items()
            if name.isidentifier() and name not in environment.globals
        }
        variables.pop(FUNCTION, None)
        assert prompt.function is not None
        told = {
            "vars": variables,
            "provider": {"id": provider.model, "label": provider.name},
            "config": dict(prompt.config),
        }
        written = prompt.function(told)
        # What a function returns is a template again.
        return str(environment.from_string(to_jinja(written)).render(variables)) if has_template(written) else written

    return call


def _filtered(path: Path, *arguments: Any) -> Any:
    return run_script(path, None, arguments)


def _body(text: str, system: str) -> str:
    """The text of a prompt for Jinja2: of a chat in JSON each content is a template of its own."""
    try:
        chat = json.loads(text)
    except (ValueError, RecursionError):
        chat = None
    if isinstance(chat, list | dict):
        chat = chat_messages(chat)
        if system and isinstance(chat, list):
            chat = [{"role": "system", "content": system}, *chat]
        return json.dumps(_translated(chat), ensure_ascii=False)
    if system:
        chat = [{"role": "system", "content": to_jinja(system)}, {"role": "user", "content": to_jinja(text)}]
        return json.dumps(chat, ensure_ascii=False)
    # A chat that is JSON only once it is rendered, in the form of another API.
    if text.lstrip().startswith(("[", "{")) and re.search(
        r'"(?:modality|parts|contents|inline_?[dD]ata|image|tool_(?:use|result)|tool(?:Use|Result))"', text
    ):
        return f"{{% filter chat_messages %}}{to_jinja(text)}{{% endfilter %}}"
    return to_jinja(text)


def _translated(value: Any) -> Any:
    if isinstance(value, str):
        return to_jinja(value)
    if isinstance(value, list):
        return [_translated(item) for item in value]
    if isinstance(value, dict):
        return {key: _translated(item) for key, item in value.items()}
    return value
