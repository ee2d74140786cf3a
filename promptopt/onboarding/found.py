"""What a repository holds: prompts with their places, and what cannot be carried over with the reason."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROLES = ("system", "developer", "user", "assistant")
# A name that says what its owner holds; `promptfoo/` and `prompt_toolkit` are names of other things.
SAYS_PROMPT = re.compile(r"(?i:prompts?)(?![a-z]|_toolkit)")


@dataclass(frozen=True, slots=True)
class Hole:
    """A place that a variable fills.

    Attributes:
        code: What the call site gives for it, a Python expression; of a template, the name.
    """

    code: str


Pieces = tuple[str | Hole, ...]
"""Literal text and what varies."""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """One message. ``jinja``: its text is a template already, which is kept as it is written."""

    role: str
    text: Pieces
    jinja: bool = False


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """A prompt of the repository.

    Attributes:
        path: Its file, from the root.
        where: What it is in the file, as `classify` or `SYSTEM_PROMPT`; it names the prompt.
        settings: Front matter: model and settings of the call.
        cases: Values of variables that the repository itself knows.
        call: Which call sends it: openai, responses, anthropic, google, messages, or text; empty for a file.
        function: What is called, as it is written.
        rest: Arguments of the call that stay, as they are written.
        model_code: The model, if it is no literal.
        notes: What a reader must know.
    """

    path: str
    line: int
    where: str
    messages: tuple[FoundMessage, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Mapping[str, Any], ...] = ()
    call: str = ""
    function: str = ""
    rest: tuple[str, ...] = ()
    model_code: str = ""
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where it is from, as its file says; it names the prompt in later runs too, so that it has no line."""
        return f"{self.path}: {self.where}" if self.where else self.path

    def variables(self) -> dict[str, str]:
        """The variables by name, with the code that gives each."""
        names: dict[str, str] = {}
        for message in self.messages:
            for part in message.text:
                if isinstance(part, Hole) and part.code not in names.values():
                    names[_free(variable_name(part.code), names)] = part.code
        return names

    def sources(self) -> list[tuple[str, str]]:
        """The role and the template of each message."""
        names = {code: name for name, code in self.variables().items()}
        return [
            (
                message.role,
                "".join(map(str, message.text))
                if message.jinja
                else "".join(f"{{{{ {names[p.code]} }}}}" if isinstance(p, Hole) else literal(p) for p in message.text),
            )
            for message in self.messages
        ]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What cannot be carried over, with its place and the reason."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class Unreadable(Exception):
    """A text that depends on what only a run knows."""


def literal(text: str) -> str:
    """A text as Jinja prints it: what opens a tag is printed by an expression."""
    return re.sub(r"\{(?=[{%#]|\Z)", "{{ '{' }}", text)


def variable_name(code: str) -> str:
    """A name for what an expression gives: ``user.name`` is ``user_name``."""
    inner = re.fullmatch(r"(?:format|repr|str|ascii)\((.*?)(?:, *'.*')?\)", code, re.DOTALL)
    words = re.findall(r"[^\W\d]\w*|\d+", inner[1] if inner else code)
    name = "_".join(word for word in words if word not in ("self", "cls", "await"))[:40].strip("_") or "value"
    name = name if name.isidentifier() and not keyword.iskeyword(name) else f"value_{name}"
    return (
        f"{name}_" if name in ("loop", "true", "false", "none", "not", "and", "or", "in", "is", "if", "else") else name
    )


def _free(name: str, taken: Mapping[str, str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def slug(text: str) -> str:
    """A name for a folder: letters and digits of any language, and hyphens."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", re.sub(r"([a-z\d])([A-Z])", r"\1 \2", text)))
    return "-".join(words).lower()[:60].strip("-")


def joined(text: Pieces) -> Pieces:
    """Neighbouring literal parts as one."""
    parts: list[str | Hole] = []
    for part in text:
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part != "":
            parts.append(part)
    return tuple(parts)


def format_text(text: str, given: Mapping[str, str] | None = None, positional: Sequence[str] = ()) -> Pieces:
    """A text for ``str.format``, as LangChain's templates are too.

    Args:
        given: The code of each named argument; ``None``: a field's own name.

    Raises:
        Unreadable: It is not such a text, or an argument is not given.
    """
    from string import Formatter

    parts: list[str | Hole] = []
    number = 0
    try:
        for before, name, spec, conversion in Formatter().parse(text):
            parts.append(before)
            if name is None:
                continue
            first, rest = re.match(r"([^.\[]*)(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr] # always matches
            if first == "" or first.isdecimal():
                at = int(first) if first else number
                number += 1
                if at >= len(positional):
                    raise Unreadable(f"{{{name}}} has no argument")
                code = positional[at]
            elif given is None:
                if not first.isidentifier():
                    raise Unreadable(f"{{{name}}} is no variable: literal braces, or another notation")
                code = first
            elif first in given:
                code = given[first]
            else:
                raise Unreadable(f"{{{name}}} has no argument")
            code += re.sub(r"\[([^\d\]][^\]]*)\]", r"['\1']", rest)
            parts.append(Hole(formatted(code, conversion, spec or "")))
    except ValueError as error:
        raise Unreadable(f"is no text for str.format: {error}") from None
    return joined(tuple(parts))


def formatted(code: str, conversion: str | None, spec: str) -> str:
    """The code of a value with its conversion and format, as in ``{x!r:>10}``."""
    if "{" in spec:
        raise Unreadable(f"the format {spec!r} is itself formatted")
    if conversion:
        code = f"{ {'r': 'repr', 's': 'str', 'a': 'ascii'}[conversion] }({code})"
    return f"format({code}, {spec!r})" if spec else code
