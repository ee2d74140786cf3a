"""The most that a request can use: what a budget sets aside before it is sent.

What the request itself says is counted. What it only refers to (earlier turns, files, stored prompts, sounds) cannot be
larger than the model's context window, so that the window is the bound. What nothing bounds raises ``Unbounded``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from promptopt.gateway.body import UNREADABLE, bodies_in, listed
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.images import part_tokens
from promptopt.gateway.openai.state import needs_state, self_contained
from promptopt.gateway.openai.wire import count_text, output_cap
from promptopt.prices import Price
from promptopt.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_REPLY, tokenizer_for
from promptopt.values import Usage, canonical_json

_IMAGES = frozenset({"image_url", "input_image", "image", "computer_screenshot"})
_TEXTS = frozenset({"text", "input_text", "output_text", None})
# Input that a request names or encodes; how many tokens it becomes is up to the provider.
_REFERENCES = frozenset(
    {
        *("file", "input_file", "document", "input_audio", "audio", "audio_url", "video", "video_url", "input_video"),
        *("item_reference", "program", "program_output"),
    }
)
_REFERRING_KEYS = ("file_id", "file_url", "file_data", "audio", "video_url")
_HISTORY = {"previous_response_id": "earlier turns", "conversation": "a conversation", "prompt": "a stored prompt"}
# Tools that the caller runs; the provider runs all others, and bills what they read and do.
_CALLERS_TOOLS = frozenset(
    {"function", "custom", "namespace", "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
_CALLERS_STARTS = ("bash_", "computer_", "memory_", "str_replace", "text_editor_")
_SEARCHES = {"web_search": "web_searches_kcount", "file_search": "storage_searches_kcount"}
_FREE_TOOLS = frozenset({"mcp", "tool_search"})
# Parameters by which other providers search or route to other models on their own.
_UNPRICED_KEYS = ("web_search_options", "search_parameters", "plugins", "models", "route", "fallbacks")
_PLAIN = frozenset({"role", "content"})
# Fields of a plain request, which say all that it uses.
_PLAIN_FIELDS = frozenset(
    {
        *("model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stream"),
        *("stop", "seed", "user", "metadata", "frequency_penalty", "presence_penalty", "service_tier"),
        *("safety_identifier", "prompt_cache_key", "stream_options"),
    }
)
_NAMES = ("type", "role", "id", "status", "call_id", "tool_call_id")
# More input than the request's own letters, and more output of a choice than its cap, is possible up to here: hidden
# instructions, pictures by other rules, reasoning that an endpoint counts beside the cap.
_BEYOND = 1_000_000
# No model has a larger window; one that the table knows may have been made larger since, up to the other bound.
_LARGEST_WINDOW, _LEAST_WINDOW = 10_000_000, 1_000_000
# How often a provider's own tools are used at most if the request does not say.
_MOST_ROUNDS = 1_000
_SEALED_SHARE = 0.75


class Unbounded(Exception):
    """Nothing bounds what a call may cost; the message says what and what to do."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a call uses at worst.

    Attributes:
        fees_usd: Dollars for what the provider's own tools do.
        estimated: Whether a rule of the provider's for images, or its context window, is a part of it.
    """

    usage: Usage
    fees_usd: Decimal = Decimal(0)
    estimated: bool = False


def bound_of(call: Call, price: Price) -> Bound:
    """What a call uses at worst.

    Raises:
        Unbounded: Nothing bounds it.
    """
    try:
        return _Reader(call, price).bound()
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        # The provider would say what is wrong, and might understand what is not understood here.
        raise Unbounded(f"the request cannot be read ({type(error).__name__})") from None


def loose_bound(call: Call) -> tuple[int, int] | None:
    """Input and output tokens that a plain request cannot exceed, not counted: each is at least a byte of UTF-8.

    Returns:
        ``None`` for a request that is not plain, or has no output cap.
    """
    body, items = call.body, call.body.get("messages")
    if call.endpoint != "chat" or not body.keys() <= _PLAIN_FIELDS or "-search" in call.model:
        return None
    cap = output_cap(call)
    if cap is None or not isinstance(items, list) or not all(map(_is_plain, items)):
        return None
    texts = [item["content"] for item in items]
    size = sum(len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return size + TOKENS_PER_MESSAGE * len(items) + TOKENS_PER_REPLY, cap


def is_possible(usage: Usage, call: Call, price: Price | None) -> bool:
    """Whether a call can have used so many tokens; what is beyond is an error of whoever counted.

    Input is at most a token for each letter of a request that says all itself, else the context window for each round
    of the provider's tools; output is at most the cap, or the window, for each choice; both with a million to spare.
    """
    if max(usage.input_tokens, usage.output_tokens) <= _BEYOND:
        return True
    known, body = None if price is None else price.context_window, call.body
    window = _LARGEST_WINDOW if known is None else max(known, _LEAST_WINDOW)
    if needs_state(call) or not self_contained(call):
        rounds = 1 + (_number(body.get("max_tool_calls"), _MOST_ROUNDS) if body.get("tools") else 0)
        letters = window * rounds
    else:
        rounds, letters = 1, len(canonical_json(body))
    choices, cap = _number(body.get("n"), 1), output_cap(call)
    output = window * choices * rounds
    if cap is not None:
        output = min(output, cap + _BEYOND * choices)
    return usage.input_tokens <= letters + _BEYOND and usage.output_tokens <= output + _BEYOND


def _number(value: Any, default: int) -> int:
    """A number out of a request, as far as a provider may take it."""
    return min(value, _MOST_ROUNDS) if type(value) is int and value > 0 else default


def tool_fees(call: Call, answer: Answer, price: Price | None) -> Decimal | None:
    """Dollars for the provider's own tools: for what an answer shows of them, else for as much as the call allows.

    Returns:
        ``None`` if that is not known.
    """
    try:
        reader = _Reader(call, price) if price is not None else None
        if reader is None or not reader.served:
            return Decimal(0)
        uses = _shown(call, answer)
        if uses is None or uses.total() > _MOST_ROUNDS:
            return reader.server_tools()[1]
        return sum((reader.fee(kind) * count for kind, count in uses.items()), Decimal(0))
    except (Unbounded, *UNREADABLE):
        return None


def _shown(call: Call, answer: Answer) -> Counter[str] | None:
    """How often an answer says that it used each of the provider's tools; ``None`` if it cannot say."""
    if answer.wire is None or call.endpoint not in ("messages", "responses"):
        return None
    bodies = [body for body in bodies_in(*answer.wire) if isinstance(body, Mapping)]
    return _in_message(bodies) if call.endpoint == "messages" else _in_response(bodies)


def _in_response(bodies: list[Mapping[str, Any]]) -> Counter[str] | None:
    # The last event of a stream has the whole response.
    last = bodies[-1] if bodies else {}
    output = last.get("response", last).get("output")
    if not isinstance(output, list):
        return None
    kinds = [str(item.get("type")) for item in output if isinstance(item, Mapping)]
    names = [kind.removesuffix("_call") for kind in kinds if kind.endswith("_call")]
    return Counter(name for name in names if name not in _CALLERS_TOOLS)


def _in_message(bodies: list[Mapping[str, Any]]) -> Counter[str] | None:
    """By the usage, which is what is billed; of a tool that it does not count, by the blocks of its calls."""
    uses: Counter[str] = Counter()
    said: dict[str, int] = {}
    for body in bodies:
        message = body["message"] if body.get("type") == "message_start" else body
        for block in (*listed(message.get("content")), body.get("content_block")):
            if isinstance(block, Mapping) and block.get("type") == "server_tool_use":
                uses[str(block.get("name"))] += 1
        counts = (message.get("usage") or {}).get("server_tool_use") or {}
        # What a later event counts is the total so far.
        said |= {name.removesuffix("_requests"): count for name, count in counts.items() if type(count) is int}
    return Counter({name: count for name, count in {**uses, **said}.items() if count > 0}) if bodies else None


def _is_plain(item: Any) -> bool:
    """Whether a message is a role and a text, and nothing else."""
    return type(item) is dict and item.keys() == _PLAIN and isinstance(item["content"], str)


class _Reader:
    """Reads one request."""

    def __init__(self, call: Call, price: Price) -> None:
        self._call = call
        self._body = call.body
        self._price = price
        # Tokens of images and sealed texts.
        self._apart = 0
        self._estimated = False
        self._sounds = False
        # Why the input is larger than what is counted.
        self._beyond: str | None = None

    def bound(self) -> Bound:
        calls, fees = self.server_tools()
        text = self._input()
        output = self._output(text)
        window = self._price.context_window
        if self._beyond is not None:
            if window is None:
                raise Unbounded(
                    f"{self._beyond} may be of any length, and the context window of {self._call.model!r} is not known"
                )
            text = max(text, window - min(output, window))
        # What a tool of the provider's brought is read again after each of its calls.
        total = text if not calls else text + calls * (window or 0)
        total += self._apart
        if self._compacts:
            # What is compacted is read once more, and its summary written.
            total, output = 2 * total, 2 * output
        sounds = total if self._sounds else 0
        spoken = output if "audio" in (self._body.get("modalities") or ()) else 0
        usage = Usage(input_tokens=total, output_tokens=output, input_audio_tokens=sounds, output_audio_tokens=spoken)
        return Bound(usage, fees, estimated=self._estimated or self._beyond is not None or calls > 0)

    @property
    def _compacts(self) -> bool:
        """Whether Anthropic may compact the context, beside what it answers."""
        managed = self._body.get("context_management")
        edits = managed.get("edits") if isinstance(managed, Mapping) else None
        kinds = [str(each.get("type")) for each in edits or () if isinstance(each, Mapping)]
        return self._body.get("compaction") is not None or any(kind.startswith("compact") for kind in kinds)

    def _input(self) -> int:
        """Tokens of what the request says; what it refers to, and its images, are noted."""
        for name, what in _HISTORY.items():
            if self._body.get(name) is not None:
                self._beyond = f"{what} ({name})"
        total = count_text(self._call)
        for name in ("messages", "input", "system"):
            items = self._body.get(name)
            if items is None or isinstance(items, str):
                continue
            if not isinstance(items, list):
                raise TypeError
            for item in items:
                # What most messages are, a role and a text, is counted already.
                if not _is_plain(item):
                    total += sum(map(self._count, self._item(item)))
        return total

    def _item(self, item: Any) -> Iterator[str]:
        """Texts of a message that are not the text of its content, which is counted already."""
        if not isinstance(item, Mapping):
            return
        if item.get("type") in _REFERENCES:
            self._beyond = f"what {item['type']} refers to"
        for name, value in item.items():
            if name == "content" and not isinstance(value, str):
                for part in value if isinstance(value, list) else [value]:
                    yield from self._part(part)
            elif name == "audio" and value is not None:
                # What was said before, by its id.
                self._beyond, self._sounds = "earlier sound", True
            elif name in ("output", "arguments") and isinstance(value, str) and item.get("content") is None:
                # Counted as the text of the item.
                continue
            elif name not in ("role", "content", "type", "id", "status"):
                yield from self._texts(value, name)

    def _part(self, part: Any) -> Iterator[str]:
        if isinstance(part, Mapping) and part.get("type") in _TEXTS:
            yield from self._texts({name: value for name, value in part.items() if name != "text"})
        else:
            yield from self._texts(part)

    def _texts(self, value: Any, name: str = "") -> Iterator[str]:
        """All texts in a value. Images, sounds and files are noted and not read."""
        if isinstance(value, Mapping):
            if not self._noted(value):
                for key, each in value.items():
                    yield from self._texts(each, str(key))
        elif isinstance(value, list):
            for each in value:
                yield from self._texts(each)
        elif name == "encrypted_content":
            # Sealed text is as long as what is in it, by four letters of Base64 for three bytes.
            self._apart += int(len(str(value)) * _SEALED_SHARE)
        elif value is not None and name not in _NAMES:
            yield str(value)

    def _noted(self, part: Mapping[str, Any]) -> bool:
        """Whether a part is an image, a sound or a file, which is noted."""
        kind = part.get("type")
        if kind in _IMAGES:
            self._image(part)
        elif kind in _REFERENCES or any(part.get(key) for key in _REFERRING_KEYS):
            self._beyond = f"a part of type {kind}"
            self._sounds = self._sounds or "audio" in str(kind)
        else:
            return False
        return True

    def _image(self, part: Mapping[str, Any]) -> None:
        tokens = part_tokens(self._call.model, part)
        if tokens is None:
            self._beyond = "an image"
        else:
            self._apart += tokens
            self._estimated = True

    def _count(self, text: str) -> int:
        # One more for what is between two texts.
        return tokenizer_for(self._call.model or None).count(text) + 1

    def _output(self, text: int) -> int:
        """The most output tokens: the cap, or what the context window leaves, for each of the choices."""
        choices = self._body.get("n")
        if choices is None:
            choices = 1
        if isinstance(choices, bool) or not isinstance(choices, int) or choices < 1:
            raise Unbounded(f"n = {choices!r} is not a number of choices")
        cap = output_cap(self._call)
        if cap is None:
            if self._price.context_window is None:
                raise Unbounded(
                    f"nothing bounds the output of {self._call.model!r}. Set an output cap "
                    "(max_completion_tokens, max_output_tokens)"
                )
            cap = max(0, self._price.context_window - text) * choices
        predicted = self._body.get("prediction")
        return cap + (sum(map(self._count, self._texts(predicted))) if predicted else 0)

    @property
    def served(self) -> list[str]:
        """The kinds of the tools that the provider runs."""
        tools = [each for each in self._body.get("tools") or () if isinstance(each, Mapping)]
        kinds = [str(each.get("type", "function")) for each in tools]
        return [kind for kind in kinds if kind not in _CALLERS_TOOLS and not kind.startswith(_CALLERS_STARTS)]

    def server_tools(self) -> tuple[int, Decimal]:
        """How often the provider may call tools of its own, and what that costs."""
        if found := next((key for key in _UNPRICED_KEYS if self._body.get(key) not in (None, [], "")), None):
            raise Unbounded(f"nothing bounds what {found} costs: the provider searches, or asks models, on its own")
        if self._call.endpoint == "chat" and "-search" in self._call.model:
            raise Unbounded(f"nothing bounds how often {self._call.model} searches")
        served = self.served if self._body.get("tools") else ()
        if not served:
            return 0, Decimal(0)
        fees = [self.fee(kind) for kind in served]
        calls = self._body.get("max_tool_calls", self._uses())
        if isinstance(calls, bool) or not isinstance(calls, int) or calls < 0:
            bound = "max_uses of each" if self._call.endpoint == "messages" else "max_tool_calls"
            raise Unbounded(f"nothing bounds how often the provider uses {', '.join(served)}. Set {bound}")
        if self._price.context_window is None:
            raise Unbounded(f"the context window of {self._call.model!r} is not known, and {served[0]} may fill it")
        return calls, calls * max(fees)

    def _uses(self) -> Any:
        """How often the tools may be used, if each of them says so itself."""
        tools = [each for each in self._body.get("tools") or () if isinstance(each, Mapping)]
        uses = [each.get("max_uses") for each in tools if str(each.get("type", "function")) in self.served]
        return sum(uses) if uses and all(type(each) is int and each >= 0 for each in uses) else None

    def fee(self, kind: str) -> Decimal:
        """Dollars for one call of a tool of the provider's."""
        if kind in _FREE_TOOLS:
            return Decimal(0)
        name = next((name for start, name in _SEARCHES.items() if kind.startswith(start)), None)
        kilo = None if name is None else self._price.fees.get(name)
        if kilo is None:
            raise Unbounded(f"what a call of the provider's tool {kind!r} costs is not in the price table")
        return kilo / 1000
