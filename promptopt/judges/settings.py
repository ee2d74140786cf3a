"""Which model judges, and how: ``[tool.promptopt.judge]``, the options of a case, the keys of an assert."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeGuard

from promptopt.call_options import NO_OPTIONS, CallOptions, setting_names
from promptopt.config import Config, find_line
from promptopt.errors import ConfigError, UsageError, did_you_mean
from promptopt.providers.openai.models import refused_options

OPTIONS = ("provider", "rubricPrompt", "votes", "reasons")
"""Keys of an assert that say how it is judged, beside those of every assert."""

_OWN = ("model", "votes", "batch", "second", "unsure", "structured", "reasons")
_THEIR_KINDS = ("chat:", "messages:", "completion:", "responses:")
_NO_JUDGE = (
    "no model judges: an assert {name!r} asks one. Name it with --judge MODEL, as `model` in [tool.promptopt.judge], "
    "as `provider` of the assert, or as `options.provider` of the test"
)


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How an answer is judged.

    Attributes:
        model: Who is asked; ``None``: nobody is named.
        params: The settings of its calls.
        votes: How often it is asked; the majority decides, the score is the mean. An odd number.
        batch: How many answers one call judges against a rubric.
        second: The model that is asked if the first is unsure; ``None``: none is.
        unsure: Mean scores between these, and votes that are not of one mind, ask the second model.
        structured: Whether the judge is sent a JSON schema for its verdict.
        reasons: Whether the judge of a rubric says why; without, its answers are a fifth as long.
        rubric_prompt: A text or a chat in the place of the built-in one.
        overruled: ``--judge`` named the model, whatever asserts say.
    """

    model: str | None = None
    params: CallOptions = NO_OPTIONS
    votes: int = 1
    batch: int = 1
    second: str | None = None
    unsure: tuple[float, float] = (0.2, 0.8)
    structured: bool = True
    reasons: bool = True
    rubric_prompt: Any = field(default=None, hash=False)
    overruled: bool = False

    def of(self, options: Mapping[str, Any]) -> JudgeSettings:
        """These with the keys of a case's options, or of an assert, in their place.

        Raises:
            ValueError: A value makes no sense.
        """
        found = self
        if "votes" in options:
            found = replace(found, votes=_votes(options["votes"]))
        if "reasons" in options:
            found = replace(found, reasons=_flag(options["reasons"]))
        if options.get("rubricPrompt") is not None:
            found = replace(found, rubric_prompt=options["rubricPrompt"])
        if options.get("provider") is not None and not self.overruled:
            model, config = read_provider(options["provider"])
            params = _params(config, found.params)
            # Who is named for one assert judges it alone.
            found = replace(found, model=model, params=params, second=None)
        return found

    def sent(self, model: str) -> CallOptions:
        """The settings that a model is sent: without those that it refuses, and steady if it is asked once."""
        params = self.params
        if params.max_output_tokens is None:
            params = replace(params, max_output_tokens=1024)
        if params.temperature is None and self.votes == 1:
            params = replace(params, temperature=0.0)
        refused = refused_options(model, params.to_dict())
        return replace(params, **{name: getattr(NO_OPTIONS, name) for name in refused})

    def named(self, assertion: str) -> str:
        """The model.

        Raises:
            UsageError: Nobody is named.
        """
        if self.model is None:
            raise UsageError(_NO_JUDGE.format(name=assertion))
        return self.model


def read_judge(config: Config, model: str | None = None) -> JudgeSettings:
    """The settings of ``[tool.promptopt.judge]``.

    Args:
        model: Judges in the place of every other that is named.

    Raises:
        ConfigError: A key or a value is wrong.
    """
    table = config.judge
    names = [each.name for each in fields(CallOptions)]
    settings = JudgeSettings()
    for key, value in table.items():
        known = [*_OWN, *names]
        if key not in known:
            raise _wrong(config, key, f"unknown key {key!r} in [tool.promptopt.judge].{did_you_mean(key, known)}")
        try:
            if key in names:
                settings = replace(settings, params=replace(settings.params, **{key: CallOptions.read(key, value)}))
            else:
                changes: dict[str, Any] = {key: _READ[key](value)}
                settings = replace(settings, **changes)
        except ValueError as error:
            raise _wrong(config, key, f"{key} in [tool.promptopt.judge]: {error}") from None
    return settings if model is None else replace(settings, model=model, second=None, overruled=True)


def read_provider(given: object) -> tuple[str, Mapping[str, Any]]:
    """The model of a ``provider``, and the settings that it states: a name, or ``{id, config}`` as in promptfoo.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(given, Mapping) and isinstance(given.get("text"), str | Mapping):
        # {text: ..., embedding: ...}: what grades is the one for text.
        given = given["text"]
    name = given.get("id") if isinstance(given, Mapping) else given
    config = given.get("config") if isinstance(given, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"provider: {given!r} is neither the name of a model nor `id` with `config`")
    head, colon, rest = name.strip().partition(":")
    kind = next((kind for kind in _THEIR_KINDS if rest.startswith(kind)), "")
    return f"{head}{colon}{rest.removeprefix(kind)}", config if isinstance(config, Mapping) else {}


def _params(config: Mapping[str, Any], params: CallOptions) -> CallOptions:
    names = {each.name for each in fields(CallOptions)}
    for key, value in config.items():
        name = setting_names().get(key, key)
        # Keys and addresses are a provider's own, and are in the configuration.
        if name in names and value is not None and name != "response_format":
            params = replace(params, **{name: CallOptions.read(name, value)})
    return params


def _votes(value: object) -> int:
    if type(value) is not int or value < 1 or value % 2 == 0:
        raise ValueError(f"votes: {value!r} is not an odd number of at least 1, which a majority needs")
    return value


def _batch(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a whole number of at least 1")
    return value


def _model(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not the name of a model")
    return value


def _unsure(value: object) -> tuple[float, float]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value):
        low, high = map(float, value)
        if 0 <= low <= high <= 1:
            return low, high
    raise ValueError(f"{value!r} is not two scores [low, high] between 0 and 1")


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


_READ = {
    "model": _model,
    "votes": _votes,
    "batch": _batch,
    "second": _model,
    "unsure": _unsure,
    "structured": _flag,
    "reasons": _flag,
}


def _wrong(config: Config, key: str, message: str) -> ConfigError:
    lines = config.path.read_text(encoding="utf-8").splitlines() if config.path else []
    return ConfigError(message, path=config.path, line=find_line(lines, key))


def is_chat(prompt: object) -> bool:
    """Whether a ``rubricPrompt`` is a list of messages."""
    return isinstance(prompt, list) and all(isinstance(turn, Mapping) and "role" in turn for turn in prompt)


def is_chat_template(prompt: object) -> TypeGuard[str]:
    """Whether a ``rubricPrompt`` is a text that is a chat in JSON only once its variables are filled in."""
    if not isinstance(prompt, str) or not prompt.lstrip().startswith("[") or '"role"' not in prompt:
        return False
    try:
        json.loads(prompt)
    except ValueError:
        return True
    return False


def read_chat(prompt: object) -> list[tuple[str, str]]:
    """A ``rubricPrompt`` as roles and templates: a text is one user message, unless it is a chat in JSON or YAML.

    Raises:
        ValueError: It is neither a text nor a chat.
    """
    if isinstance(prompt, str):
        found: object = None
        text = prompt.strip()
        if text.startswith("["):
            try:
                found = json.loads(text)
            except ValueError:
                found = None
        elif text.startswith("- role:"):
            from promptopt.yaml import load_yaml

            found = load_yaml(text, "rubricPrompt")
        if not is_chat(found):
            return [("user", prompt)]
        prompt = found
    if not is_chat(prompt):
        raise ValueError(f"rubricPrompt: {prompt!r} is neither a text nor a chat of `role` and `content`")
    assert isinstance(prompt, list)
    return [(str(turn["role"]), _content(turn.get("content"))) for turn in prompt]


def _content(content: object) -> str:
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return "" if content is None else str(content)
