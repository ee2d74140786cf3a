"""A prompt file, compiled: variables in, a ``Rendered`` out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jinja2
from jinja2 import meta, nodes

from promptopt.errors import PromptoptError, TemplateError, did_you_mean
from promptopt.templates.chat import COLLECTOR, Collected, PlainChat, check_outside_text, turn_problem
from promptopt.templates.chat_file import chat_source, rendered_chat
from promptopt.templates.environment import (
    MODEL,
    NOTES,
    PromptEnvironment,
    ReaderLoader,
    check_filters,
    explain,
)
from promptopt.templates.frontmatter import FrontMatter, mask_front_matter, read_front_matter
from promptopt.templates.media_tags import check_files, rendering
from promptopt.templates.readers import Reader
from promptopt.values import Origin, Rendered


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled prompt.

    Attributes:
        origin: Prompt name and version.
        path: The file as a person would name it.
        name: The file's path below the folder that its includes resolve in.
        source: The text of the file, front matter included; of a chat in JSON or YAML, the same chat as blocks.
        front: Its front matter.
        lines: The line of the file that each line of ``source`` is from; empty if they are the same.
        plain: The same chat, if it can be filled in without Jinja2.
    """

    origin: Origin
    path: str
    name: str
    source: str
    front: FrontMatter
    reader: Reader = field(repr=False, compare=False)
    compiled: jinja2.Template = field(repr=False, compare=False)
    lines: tuple[int, ...] = field(default=(), repr=False)
    plain: PlainChat | None = field(default=None, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        name: str,
        reader: Reader,
        origin: Origin,
        make_environment: Callable[[ReaderLoader], PromptEnvironment] = PromptEnvironment,
    ) -> Template:
        """Read and compile a prompt file.

        Args:
            make_environment: The sandbox that it is compiled in.

        Raises:
            FileNotFoundError: There is no such file.
            TemplateError: It cannot be read or compiled.
            SchemaError: Its output schema is refused by strict mode.
        """
        written = reader.read(name)
        path = reader.display(name)
        source, lines = chat_source(written, path) or (written, ())
        front = read_front_matter(source, name, reader)
        environment = make_environment(ReaderLoader(reader))
        try:
            tree = environment.parse(mask_front_matter(source), name, path)
            check_outside_text(tree)
            check_files(tree, environment, name)
            check_filters(tree, environment)
            plain = PlainChat.of(tree, name) if type(environment) is PromptEnvironment else None
            code = environment.compile(tree, name, path)
        except Exception as error:  # noqa: BLE001 - extensions and filters may raise anything
            raise _in_file(explain(error, path, environment), path, lines) from None
        compiled = environment.template_class.from_code(environment, code, dict(environment.globals))
        return cls(origin, path, name, source, front, reader, compiled, lines, plain)

    def line(self, number: int) -> int:
        """The line of the file that a line of ``source`` is from."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else number

    def render(self, variables: Mapping[str, Any]) -> Rendered:
        """The prompt with its variables filled in; variables that it does not use are ignored.

        Raises:
            TemplateError: A variable is undefined, or the template cannot be rendered with these.
        """
        notes: list[str] = []
        filled = None if self.plain is None else self.plain.fill(variables)
        messages = self._rendered(variables, notes) if filled is None else filled
        if problem := turn_problem(messages):
            raise self._out_of_turn(messages, *problem)
        return Rendered(
            messages=tuple(messages),
            model=self.front.model,
            params=self.front.params,
            output_schema=self.front.output_schema,
            origin=self.origin.of(self.origin.case, variables),
            tools=self.front.tools,
            notes=tuple(notes),
        )

    def _rendered(self, variables: Mapping[str, Any], notes: list[str]) -> Collected:
        """The messages as Jinja2 renders them. Raises TemplateError."""
        messages = Collected()
        try:
            with rendering(variables) as (printed, given):
                text = self.compiled.render({**given, COLLECTOR: messages, NOTES: notes, MODEL: self.front.model})
                if not messages:
                    messages.extend(rendered_chat(text, self.path, printed) or [printed.message("user", text)])
                    text = ""
        except Exception as error:  # noqa: BLE001 - what a template calls may raise anything
            explained = explain(error, self.path, self.compiled.environment, variables)
            raise _in_file(explained, self.path, self.lines) from None
        if text.strip():
            shown = text.strip().splitlines()[0][:60]
            raise TemplateError(f"text outside the chat blocks: {shown!r}", path=self.path)
        return messages

    def _out_of_turn(self, messages: Collected, number: int, why: str) -> TemplateError:
        message = f"message {number + 1} of the chat: {why}"
        if number >= len(messages.places):
            return TemplateError(message, path=self.path)
        name, line = messages.places[number]
        if name in (None, self.name):
            return TemplateError(message, path=self.path, line=self.line(line))
        return TemplateError(message, path=self.reader.display(str(name)), line=line)

    def variables(self) -> frozenset[str]:
        """The variables that the prompt and its includes may use. Includes named by an expression are not followed."""
        found = set[str]().union(*(meta.find_undeclared_variables(tree) for _, tree in self._read(self.source)))
        return frozenset(found - set(self.compiled.environment.globals))

    def included(self, part: str) -> tuple[str, ...] | None:
        """The texts of the files that a part of the source includes, and of those that these include.

        ``None`` if an expression names one of them: what it says is not known before it is rendered.
        """
        read = list(self._read(part))
        if any(name is None for _, tree in read for name in meta.find_referenced_templates(tree)):
            return None
        return tuple(text for text, _ in read[1:])

    def _read(self, source: str) -> Iterator[tuple[str, nodes.Template]]:
        """A text and the files that it includes, one after the other, as far as they can be read."""
        seen = {self.name}
        queue: list[str | None] = [None]
        while queue:
            name = queue.pop()
            try:
                text = source if name is None else self.reader.read(name)
                shown = name or self.name
                tree = self.compiled.environment.parse(mask_front_matter(text), shown, self.reader.display(shown))
            except (OSError, TemplateError, jinja2.TemplateError):
                continue
            yield text, tree
            new = [each for each in meta.find_referenced_templates(tree) if each is not None and each not in seen]
            seen.update(new)
            queue.extend(new)

    def check_names(self, variables: Mapping[str, Any]) -> None:
        """Refuse variables that the prompt does not use: one of them is likely misspelled.

        Raises:
            TemplateError: There is one; it is named with its close relatives.
        """
        known = self.variables()
        for name in variables:
            if name not in known:
                used = f"it uses: {', '.join(sorted(known))}" if known else "it uses no variables"
                hint = did_you_mean(name, known)
                raise TemplateError(f"uses no variable {name!r}.{hint}", path=self.path, remedy=used)


def _in_file(error: PromptoptError, path: str, lines: tuple[int, ...]) -> PromptoptError:
    """An error with the line that the file has."""
    if isinstance(error, TemplateError) and error.path == path and error.line and error.line <= len(lines):
        return TemplateError(error.message, path=path, line=lines[error.line - 1], remedy=error.remedy)
    return error
