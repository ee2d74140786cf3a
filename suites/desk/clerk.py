"""The target of the suite `desk`: a program in the place of a model. `python suites/desk/clerk.py` asks it again.

It reads the customer's message with a few patterns, calls the prompt's tools and says what it did. About one message in
twenty is too hard for it, and one answer in fifty goes wrong by the wording of the prompt: it takes the number down in
lower case, looks an order up that nobody named, cancels without a look, or writes an amount as a text or ten times too
high. What goes wrong is drawn by a digest, so that each run makes the same mistakes. The figures of the suite are about
promptopt and about no model.
"""

import hashlib
import json
import re

from promptopt import compare
from promptopt.providers.base import ProviderBase
from promptopt.values import Message, Request, Response, ToolCall

HARD = 0.05
"""Share of messages that go wrong with every prompt."""
UNLUCKY = 0.02
"""Share of answers that go wrong with one prompt."""
_NUMBER = re.compile(r"\b[A-Z]-\d{4}\b")
_CANCEL = re.compile(
    r"cancel|call (?:it|that|the order) off|don't want|no longer need|stop (?:my )?order", re.IGNORECASE
)
_REFUND = re.compile(r"refund|money back|pay me back|reimburse", re.IGNORECASE)


def draw(*texts: str) -> float:
    """A number from 0 to below 1 that belongs to these texts."""
    return int(hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8], 16) / 2**32


class Clerk(ProviderBase):
    """Answers one step of an exchange; what happened before is in the messages."""

    def complete(self, request: Request) -> Response:
        """The next calls of tools, or the last word."""
        message = next(each.content for each in request.messages if each.role == "user")
        hard = draw(message) < HARD
        unlucky = draw("unlucky", request.messages[0].content, message) < UNLUCKY
        called = [call for each in request.messages for call in each.tool_calls]
        said = self._step(message, request.messages, called, wrong=hard or unlucky)
        if isinstance(said, str):
            return Response(request.model, said)
        name, arguments = said
        call = ToolCall(f"call_{len(called) + 1}", name, json.dumps(arguments))
        return Response(request.model, "", "tool_calls", tool_calls=(call,))

    def _step(
        self, message: str, messages: tuple[Message, ...], called: list[ToolCall], *, wrong: bool
    ) -> str | tuple[str, dict[str, object]]:
        number = _NUMBER.search(message)
        cancels, refunds = _CANCEL.search(message), _REFUND.search(message)
        if number is None:
            if not wrong:
                return "How can I help? If it is about an order, please tell me its number."
            return "I could not find that order." if called else ("find_order", {"order_id": "A-0000"})
        order_id = number[0]
        if not called:
            if wrong and cancels:
                return "cancel_order", {"order_id": order_id}
            return "find_order", {"order_id": order_id.lower() if wrong and not refunds else order_id}
        result = json.loads(messages[-1].content)
        if "error" in result:
            return f"Sorry, that did not work: {result['error']}."
        if called[-1].name == "cancel_order":
            return f"Order {order_id} is cancelled."
        if called[-1].name == "refund_order":
            return f"Order {order_id} is refunded."
        status, total = result["status"], result["total_cents"]
        if cancels and status == "open":
            return "cancel_order", {"order_id": order_id}
        if refunds and status == "delivered":
            amount = (str(total) if total % 2 else total * 10) if wrong else total
            return "refund_order", {"order_id": order_id, "amount_cents": amount}
        return f"Order {order_id} is {status}."


if __name__ == "__main__":
    print(compare("desk@v1", "desk@v2", provider=Clerk()))
