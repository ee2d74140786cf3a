"""What an endpoint sends, made with the SDK's own types, and an endpoint that sends it."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.completion_usage import PromptTokensDetails


def completion(text: str, model: str = "gpt-4o-mini", prompt_tokens: int = 11, cached: int = 0) -> bytes:
    """A chat completion on the wire, made with the SDK's own types."""
    message = ChatCompletionMessage(role="assistant", content=text)
    tokens = max(1, len(text.split()))
    body = ChatCompletion(
        id="chatcmpl-1",
        created=1,
        model=model,
        object="chat.completion",
        choices=[Choice(finish_reason="stop", index=0, message=message)],
        usage=CompletionUsage(
            prompt_tokens=prompt_tokens,
            completion_tokens=tokens,
            total_tokens=prompt_tokens + tokens,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=cached),
        ),
    )
    return body.model_dump_json().encode()


Sent = bytes | tuple[int, dict[str, str], bytes]
"""What an endpoint sends: a body, or a status, headers and a body."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is part of the tests.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def answering(reply: Callable[[dict[str, Any]], Sent]) -> Iterator[str]:
    """The base URL of an endpoint that answers each request, at any path, with what ``reply`` makes of its body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the body waits for the acknowledgement of the headers

        def do_POST(self) -> None:
            made = reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            status, headers, content = (200, {}, made) if isinstance(made, bytes) else made
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
