"""A model of which it is known what it needs, and the sentences of its prompt."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptopt import Request, Response, Usage


def share(*key: object) -> float:
    """A number from 0 to 1 that the key alone decides."""
    return int(hashlib.sha256(repr(key).encode()).hexdigest()[:13], 16) / 16**13


@dataclass
class Planted:
    """A model that needs some sentences: without each of them it fails in a share of the cases.

    Attributes:
        needs: The sentences, with the share of cases that each decides.
        flips: Of all answers so many are another one than they should be, whatever the prompt says.
        wordy: Whether an answer shows that the prompt's words are others.
    """

    needs: Mapping[str, float]
    flips: float = 0.0
    right: float = 0.95
    seed: int = 0
    wordy: bool = False
    output_tokens: int = 4
    asked: list[Request] = field(default_factory=list)

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        text = "\n".join(message.content for message in request.messages if isinstance(message.content, str))
        number = text.rsplit("case ", 1)[1].split()[0]
        good = share(self.seed, number) < self.right
        for sentence, decided in self.needs.items():
            good = good and (sentence in text or share(self.seed, number, sentence) >= decided)
        if share(self.seed, number, text) < self.flips:
            good = not good
        word = f" ({len(text)})" if self.wordy else ""
        answer = ("right" if good else "wrong") + word
        return Response(request.model, answer, usage=Usage(len(text) // 4, output_tokens=self.output_tokens))

    def close(self) -> None: ...


Write = Callable[..., Path]

USEFUL = {
    "Answer in capitals.": 0.3,
    "Round to whole numbers.": 0.2,
    "Use the metric system.": 0.15,
}
USELESS = (
    "You are a kind assistant.",
    "Thank you very much!",
    "Please read the text with great care.",
    "We are happy to have you with us.",
    "Think about the text as a whole.",
    "Hello and welcome.",
    "It is a pleasure to work with you.",
)


def sentences() -> list[str]:
    """Useful and useless ones in turn."""
    useful = list(USEFUL)
    return [*(each for pair in zip(USELESS, useful, strict=False) for each in pair), *USELESS[len(useful) :]]
