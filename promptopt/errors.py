"""Every error that promptopt raises on purpose.

The tree::

    PromptoptError                 exit code 2 unless said otherwise
    ├── UsageError                 an option, an argument or a combination of them is wrong
    ├── MissingExtra               an optional dependency is not installed; names the command that installs it
    ├── InputError                 a file the user wrote cannot be used as it is
    │   ├── ConfigError            [tool.promptopt] in pyproject.toml
    │   ├── TemplateError          a prompt file: front matter, syntax, rendering
    │   │   └── UndefinedVariable  a variable that it uses is not given
    │   ├── SuiteError             a suite: cases, asserts
    │   ├── SchemaError            an output schema
    │   ├── RecordingError         recorded answers: broken, missing, stale
    │   │   └── SecretRecorded     they contain, or would contain, what looks like a secret
    │   ├── LabelError             people's labels of answers
    │   └── LockError              a prompt's lock file: broken, in conflict, edited by hand, without its prompt
    ├── ProviderError              an endpoint did not answer as it should; one failed trial
    │   ├── ProviderUnusable       no further call can succeed (credentials, address, quota); ends the run
    │   │   └── NothingAnswered    each of many calls failed; exit code 3
    │   └── Refused                the gateway did not send a call
    │       ├── BudgetExceeded     the call may cost more than is left of a budget
    │       ├── LimitExceeded      a user, tier or key has made as many calls as it may
    │       ├── QueueFull          too many calls are in flight or waiting
    │       ├── KeyRefused         a virtual key does not allow what a call asks for
    │       ├── NotCached          a call wants a kept answer only, and there is none
    │       ├── BadCacheControl    a call says of the cache what makes no sense
    │       ├── UnreadableBody     a provider may take the body of a call, and the gateway cannot read it
    │       ├── NoUpstream         no upstream of the configuration has the model
    │       ├── GatewayUnavailable a shared store cannot be reached, and the setting says to refuse then
    │       └── UnknownTier        a call is labelled with a tier that has no limit
    ├── CostLimitError             a run would cost more than it may
    └── AnswerError                a model's answer cannot be read as data
        ├── AnswerRefused          the model declined
        ├── AnswerCutOff           it ends before the data does
        ├── AnswerAmbiguous        it holds several different data
        ├── AnswerUnreadable       it holds no data, or so damaged that a repair would be a guess
        └── AnswerInvalid          its data is not valid under the schema

Other exceptions are caught inside the package; whoever calls a public function never sees them::

    Exception
    ├── HttpStatus                 providers: the status of an error, for those that repeat calls
    ├── CallFailed                 gateway: the upstream gave no answer, with the kind of failure
    ├── StoreDown                  gateway: a store did not take or give something
    │   ├── StoreBusy              gateway: a store is locked for the moment
    │   ├── Unanswered             gateway: nobody knows whether Redis did what it was asked
    │   ├── WrongFile              gateway: a file is not the one that it should be
    │   ├── WrongValue             gateway: a name holds something of another kind
    │   └── Unstorable             gateway: a value that no store takes
    ├── Suspended                  gateway: leaves a flow at its call, which somebody else sends
    │   └── Passing                server: a stream goes on to the client
    ├── Unbounded                  gateway: nothing bounds what a call may cost
    ├── Rejected                   server: a request is answered with an error
    ├── HasReply                   server: a call that failed has a response already
    ├── ClientGone                 server: the client closed its connection
    ├── NoAnswer                   templates: a response holds no answer
    ├── NoVerdict                  judges: an answer of a judge holds no verdict
    ├── CannotMark                 templates: attribution cannot mark the places of a template
    ├── DuplicateKey               schemas: an object has a key twice, with different values
    ├── UnreadForm                 structured: a form of answers that is not read
    ├── NotPseudo                  structured: a text is not a template of JSON
    ├── NotQuoted                  structured: words that a model quotes prove nothing
    ├── NoSchema                   structured: values that a model read make no schema
    ├── TooSlow                    structured: a text takes too long to read
    ├── OutOfMoney                 minimization: the next answers may cost more than is left
    ├── OverBudget                 budget: how a case fails its pytest item
    ├── Unreadable                 onboarding: what a program sends cannot be carried over, with the reason
    └── ValueError
        ├── JavaScriptError        javascript: a suite's code is not valid, throws, runs too long or returns no JSON
        ├── MediaRefused           messages: an API does not take a medium, or not in its place
        ├── BadBody                gateway: an answer with a good status is not what the API promises
        ├── LongNumber             gateway: a body has a number that Python does not read
        └── BadRow                 auditing: a row of a log that cannot be read

A message says what is wrong, in which file and line, with which value, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from pathlib import Path

INCOMPLETE = 3
"""Exit code of a run in which too many calls failed."""


class PromptoptError(Exception):
    """Base of all errors that promptopt raises on purpose."""

    exit_code = 2


class UsageError(PromptoptError):
    """An option, an argument or a combination of them is wrong."""


class MissingExtra(PromptoptError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it: pip install 'promptopt-llm[{extra}]'"
        )
        self._needed = (package, extra, purpose)

    def within(self, what: str) -> MissingExtra:
        """The same, said of a place in a file."""
        package, extra, purpose = self._needed
        return MissingExtra(package, extra, f"{what}: {purpose}")


class InputError(PromptoptError):
    """A file the user wrote cannot be used as it is.

    Attributes:
        message: What is wrong, with the bad value.
        path: The file, if there is one.
        line: The line in it, counted from 1, if it is known.
        remedy: What to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message = message
        self.path = path
        self.line = line
        self.remedy = remedy
        place = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(place + message + (f"\n  {remedy}" if remedy else ""))


class ConfigError(InputError):
    """``[tool.promptopt]`` in pyproject.toml cannot be used."""


class TemplateError(InputError):
    """A prompt file cannot be read, compiled or rendered."""


class UndefinedVariable(TemplateError):
    """A prompt is rendered without a variable that it uses."""


class SuiteError(InputError):
    """A suite cannot be read."""


class SchemaError(InputError):
    """An output schema cannot be used."""


class RecordingError(InputError):
    """Recorded answers are broken, missing or stale."""


class SecretRecorded(RecordingError):
    """Recorded answers contain, or would contain, what looks like a secret."""


class LockError(InputError):
    """A prompt's lock file is broken, in conflict, edited by hand, or has no prompt any more."""


class ProviderError(PromptoptError):
    """An endpoint did not answer as it should: the trial fails, the run goes on."""


class ProviderUnusable(ProviderError):
    """No further call to this endpoint can succeed: the run ends, what was answered is kept."""


class NothingAnswered(ProviderUnusable):
    """Each of many calls failed, whyever: nothing is known."""

    exit_code = INCOMPLETE


class CostLimitError(PromptoptError):
    """A run would cost more than it may; nothing was sent."""


class AnswerError(PromptoptError):
    """A model's answer cannot be read as data.

    Attributes:
        text: The answer.
        pointer: JSON pointer to the place in the data, if there is one.
    """

    def __init__(self, message: str, text: str = "", pointer: str | None = None) -> None:
        super().__init__(f"{pointer}: {message}" if pointer else message)
        self.text = text
        self.pointer = pointer


class AnswerRefused(AnswerError):
    """The model declined to answer."""


class AnswerCutOff(AnswerError):
    """The answer ends before its data does, as at the cap on output tokens."""


class AnswerAmbiguous(AnswerError):
    """The answer holds several data that differ; nothing says which one is meant."""


class AnswerUnreadable(AnswerError):
    """The answer holds no data, or so damaged that a repair would be a guess."""


class AnswerInvalid(AnswerError):
    """The answer's data is not valid under the schema."""


def check_argument(fits: bool, name: str, value: object, what: str) -> None:
    """Refuse an argument of a wrong type before something inside fails on it in words of its own.

    Args:
        fits: Whether the value is of the right type.
        name: The parameter.
        what: What is needed, such as ``a text``.

    Raises:
        TypeError: It does not fit.
    """
    if not fits:
        shown = repr(value)
        raise TypeError(f"`{name}` is {shown if len(shown) <= 60 else f'{shown[:59]}…'}, not {what}")


def check_model(model: object, name: str = "model") -> None:
    """Refuse what is neither the name of a model nor ``None``. Raises TypeError."""
    if model is not None and not isinstance(model, str):
        check_argument(False, name, model, "the name of a model")


def check_number(number: object, name: str) -> None:
    """Refuse what is neither a number nor ``None``. Raises TypeError."""
    fits = number is None or (isinstance(number, Real | Decimal) and not isinstance(number, bool))
    check_argument(fits, name, number, "a number")


def did_you_mean(bad: str, known: Iterable[str], *, count: int = 3) -> str:
    """Close names as the end of a message, such as `` Did you mean 'model'?``; empty if none is close."""
    close = get_close_matches(bad, list(known), n=count, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
