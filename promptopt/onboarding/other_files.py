"""Prompts in files of other tools: .prompty, LangChain's JSON, GitHub's .prompt.yml, promptfoo, chats, plain text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from promptopt.call_options import setting_names
from promptopt.errors import InputError
from promptopt.onboarding.carried import as_front_matter, notes_of
from promptopt.onboarding.found import ROLES, SAYS_PROMPT, FoundMessage, FoundPrompt, Unreadable, format_text
from promptopt.yaml import load_yaml

_TEMPLATES = (".j2", ".jinja", ".jinja2")
_ROLE_LINE = re.compile(r"^[ \t]*#?[ \t]*(system|user|assistant|developer)[ \t]*:[ \t]*$", re.MULTILINE)
_NOT_PROMPTS = re.compile(
    r"^(readme|changelog|contributing|license|licence|code_of_conduct|security|requirements|notes|todo|agents|claude)",
    re.IGNORECASE,
)
_LANGCHAIN = {"SystemMessagePromptTemplate": "system", "HumanMessagePromptTemplate": "user"} | {
    "AIMessagePromptTemplate": "assistant",
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
}
_SUFFIXES = (*_TEMPLATES, ".txt", ".md", ".json", ".yaml", ".yml", ".toml", ".prompt", ".tmpl", ".xml")
# Keys that describe a prompt.
_ABOUT = re.compile(r"description|comment|notes?|name|title|author|summary", re.IGNORECASE)
_FEWEST_WORDS = 12
_MOST_OF_A_LIST = 50
_NAMED = re.compile(rf"{SAYS_PROMPT.pattern}|(?i:instruction)")


def is_candidate(path: str) -> bool:
    """Whether a file, by its name and folder, may be a prompt."""
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    if suffix == ".prompty" or path.endswith((".prompt.yml", ".prompt.yaml")):
        return True
    if _NOT_PROMPTS.match(pure.name) or path.endswith(".lock.toml"):
        return False
    named = any(_NAMED.search(part) for part in (*pure.parts[-3:-1], pure.stem))
    return named and suffix in _SUFFIXES


def read_prompts(path: str, text: str) -> Iterator[FoundPrompt]:
    """The prompts of a file.

    Raises:
        Unreadable: It is one, in a way that cannot be carried over.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if not text.strip():
        return
    if suffix == ".prompty":
        yield _prompty(path, text)
    elif suffix in _TEMPLATES:
        yield FoundPrompt(path, 1, "", (FoundMessage("user", (text,), jinja=True),))
    elif suffix in (".json", ".yaml", ".yml", ".toml"):
        yield from _data(path, text)
    else:
        yield FoundPrompt(path, 1, "", _plain(text))


def _plain(text: str) -> tuple[FoundMessage, ...]:
    roles = _ROLE_LINE.split(text)
    if len(roles) > 1 and not roles[0].strip():
        return tuple(_message(role, body) for role, body in zip(roles[1::2], roles[2::2], strict=True))
    return (_message("user", text),)


def _message(role: str, text: str) -> FoundMessage:
    """A text in Jinja, in single braces, or as it is."""
    if re.search(r"\{\{.*?\}\}|\{%.*?%\}", text, re.DOTALL):
        return FoundMessage(role, (text,), jinja=True)
    try:
        return FoundMessage(role, format_text(text))
    except Unreadable:
        # JSON in a prompt, as of an example: its braces are letters.
        return FoundMessage(role, (text,))


def _prompty(path: str, text: str) -> FoundPrompt:
    match = re.match(r"\A---\s*\n(.*?)^---\s*$\n?(.*)", text, re.DOTALL | re.MULTILINE)
    if match is None:
        return FoundPrompt(path, 1, "", _plain(text))
    head = _yaml(path, match[1])
    if not isinstance(head, Mapping):
        raise Unreadable("its front matter is no mapping")
    model = head.get("model", {})
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    if isinstance(model, Mapping):
        configuration = model.get("configuration") or model.get("connection") or {}
        name = model.get("id") or (
            configuration.get("azure_deployment") if isinstance(configuration, Mapping) else None
        )
        name = name or (configuration.get("name") if isinstance(configuration, Mapping) else None)
        settings, notes = _settings(model.get("parameters") or model.get("options"))
        if isinstance(name, str) and not name.startswith("$"):
            settings = {"model": name, **settings}
    elif isinstance(model, str):
        settings = {"model": model}
    sample = head.get("sample") or {}
    cases = ({str(key): value for key, value in sample.items()},) if isinstance(sample, Mapping) and sample else ()
    messages = tuple(
        FoundMessage(each.role, each.text, jinja=True) if not each.jinja and _is_literal(each) else each
        for each in _plain(match[2])
    )
    return FoundPrompt(path, 1, "", messages, settings=settings, cases=cases, notes=notes)


def _is_literal(message: FoundMessage) -> bool:
    return all(isinstance(part, str) for part in message.text) and "{" not in "".join(map(str, message.text))


def _settings(given: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings as front matter, and notes on those that are none of it."""
    if not isinstance(given, Mapping):
        return {}, ()
    settings, refused = as_front_matter({str(name): value for name, value in given.items() if value is not None})
    return settings, tuple(notes_of(refused, call=False))


def _settings_among(data: Mapping[Any, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The same, of a table that holds other things too."""
    return _settings({name: value for name, value in data.items() if name in setting_names()})


def _yaml(path: str, text: str) -> Any:
    try:
        return load_yaml(text, path)
    except InputError as error:
        raise Unreadable(f"is not YAML: {error.message}") from None


def _data(path: str, text: str) -> Iterator[FoundPrompt]:
    if path.endswith(".json"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise Unreadable("is not JSON") from None
    elif path.endswith(".toml"):
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            raise Unreadable("is not TOML") from None
    else:
        data = _yaml(path, text)
    if isinstance(data, list) and _is_chat(data):
        yield FoundPrompt(path, 1, "", _chat(data))
    elif isinstance(data, Mapping):
        yield from _mapping(path, data)
    elif isinstance(data, list) and data:
        yield from _list(path, data, "")


def _list(path: str, data: list[Any], where: str) -> Iterator[FoundPrompt]:
    """Prompts of a list, by their names."""
    texts = [each for each in data if isinstance(each, str) and len(each.split()) > 1]
    if texts or len(data) > _MOST_OF_A_LIST:
        if (texts and not where) or _NAMED.search(where):
            raise Unreadable(
                f"{where or 'it'} is a list of {len(data)}, and their names are not known: cases, or prompts"
            )
        return
    for number, each in enumerate(data, 1):
        if isinstance(each, Mapping):
            name = each.get("name") or each.get("id") or number
            yield from _mapping(path, each, f"{where}.{name}" if where else str(name))


def _mapping(path: str, data: Mapping[Any, Any], where: str = "") -> Iterator[FoundPrompt]:
    if data.get("_type") in ("prompt", "chat") or data.get("lc") is not None:
        yield FoundPrompt(path, 1, where, tuple(_langchain(data)), notes=())
    elif isinstance(data.get("messages"), list) and _is_chat(data["messages"]):
        given = data.get("modelParameters") or data.get("parameters")
        settings, notes = _settings(given) if given else _settings_among(data)
        if isinstance(data.get("model"), str):
            settings = {"model": data["model"], **settings}
        tests = data.get("testData")
        cases = tuple(
            {str(key): value for key, value in each.items() if key != "expected"}
            for each in (tests if isinstance(tests, list) else [])
            if isinstance(each, Mapping)
        )
        yield FoundPrompt(path, 1, where, _chat(data["messages"]), settings=settings, cases=cases, notes=notes)
    else:
        texts = {str(key): value for key, value in data.items() if isinstance(value, str) and value.strip()}
        roles = [role for role in ROLES if role in texts]
        if roles:
            settings, notes = _settings_among(data)
            settings |= {"model": data["model"]} if isinstance(data.get("model"), str) else {}
            messages = tuple(_message(role, texts[role]) for role in roles)
            yield FoundPrompt(path, 1, where, messages, settings=settings, notes=notes)
            return
        for key, value in texts.items():
            told = len(value.split()) >= _FEWEST_WORDS and not (where and _ABOUT.fullmatch(key))
            if _NAMED.search(key) or key in ("template", "text", "content") or told:
                yield FoundPrompt(path, 1, f"{where}.{key}" if where else key, (_message("user", value),))
        for key, value in data.items():
            inner = f"{where}.{key}" if where else str(key)
            if isinstance(value, Mapping):
                yield from _mapping(path, value, inner)
            elif isinstance(value, list):
                yield from _list(path, value, inner)


def _is_chat(data: list[Any]) -> bool:
    return bool(data) and all(isinstance(each, Mapping) and {"role", "content"} <= each.keys() for each in data)


def _chat(data: list[Any]) -> tuple[FoundMessage, ...]:
    for each in data:
        if each["role"] not in ROLES:
            raise Unreadable(f"the role {each['role']!r} is none of {', '.join(ROLES)}")
        if not isinstance(each["content"], str):
            raise Unreadable("a message's content is no text")
    return tuple(_message(each["role"], each["content"]) for each in data)


def _langchain(data: Mapping[Any, Any]) -> Iterator[FoundMessage]:
    """A template as LangChain's hub and ``dumps`` write it."""
    inner = data.get("kwargs", data)
    name = data["id"][-1] if isinstance(data.get("id"), list) and data["id"] else ""
    if not isinstance(inner, Mapping):
        raise Unreadable("is no template of LangChain")
    if isinstance(inner.get("messages"), list):
        for message in inner["messages"]:
            if not isinstance(message, Mapping):
                raise Unreadable("a message of its chat is no mapping")
            yield from _langchain(message)
        return
    if name == "MessagesPlaceholder":
        raise Unreadable(f"messages are spliced in: MessagesPlaceholder {inner.get('variable_name', '')}".rstrip())
    role = _LANGCHAIN.get(str(name), "user")
    prompt = inner.get("prompt", inner)
    if isinstance(prompt, Mapping) and isinstance(prompt.get("content"), str):
        yield FoundMessage(role, (prompt["content"],))
        return
    prompt = prompt.get("kwargs", prompt) if isinstance(prompt, Mapping) else {}
    template, form = prompt.get("template"), prompt.get("template_format", "f-string")
    if not isinstance(template, str):
        raise Unreadable(f"{name or 'a part'} has no template that is a text")
    if form not in ("f-string", "jinja2", "mustache"):
        raise Unreadable(f"template_format {form!r} is not known")
    if form == "mustache" and re.search(r"\{\{[#^/>!&{]", template):
        raise Unreadable("a mustache template with sections")
    yield (
        FoundMessage(role, format_text(template)) if form == "f-string" else FoundMessage(role, (template,), jinja=True)
    )
