"""A real HTTP server that speaks chat completions, responses, embeddings, files and batches, and fails on demand."""

import asyncio
import functools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count


@dataclass
class Reply:
    """What the server does with one request.

    ``raw`` is written as it is and the connection closed, ``stays_s`` later; ``hang_s`` waits before anything is
    written.
    """

    status: int = 200
    body: dict | bytes | None = None
    headers: dict = field(default_factory=dict)
    events: list | None = None
    raw: bytes | None = None
    reset: bool = False
    hang_s: float = 0.0
    stays_s: float = 0.0


def chat(body, text="ok", *, prompt_tokens=10, completion_tokens=2, cached=0, finish="stop", logprobs=None):
    """A chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish,
                "logprobs": None if logprobs is None else {"content": [{"token": "x", "logprob": p} for p in logprobs]},
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }


def chat_events(body, text="ok then", *, prompt_tokens=10, completion_tokens=2):
    """The events of a streamed chat completion."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    usage = (body.get("stream_options") or {}).get("include_usage")
    events = [
        {**base, "choices": [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]}
        for word in text.split(" ")
    ]
    events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        total = prompt_tokens + completion_tokens
        events.append(
            {
                **base,
                "choices": [],
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": completion_tokens,
                    "total_tokens": total,
                },
            }
        )
    return [*events, "[DONE]"]


def response(body, text="ok", *, input_tokens=10, output_tokens=2, cached=0, status="completed"):
    """A response of the Responses API."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": body["model"],
        "status": status,
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def response_events(body, text="ok then"):
    """The events of a streamed response."""
    final = response(body, text)
    events = [{"type": "response.created", "sequence_number": 0, "response": {**final, "output": []}}]
    for number, word in enumerate(text.split(" "), 1):
        events.append(
            {
                "type": "response.output_text.delta",
                "sequence_number": number,
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "delta": word,
                "logprobs": [],
            }
        )
    return [*events, {"type": "response.completed", "sequence_number": 99, "response": final}]


def answer(body, path="/v1/chat/completions", **options):
    """The usual reply to a request."""
    if path.endswith("/responses"):
        if body.get("stream"):
            return Reply(events=response_events(body))
        return Reply(body=response(body, **options))
    if body.get("stream"):
        return Reply(events=chat_events(body, **options))
    return Reply(body=chat(body, **options))


def error(status, code=None, message="no", **headers):
    """An error as the API sends it."""
    return Reply(status=status, body={"error": {"message": message, "type": code, "code": code}}, headers=headers)


class Upstream:
    """Serves ``on(path, body) -> Reply`` on a free port of this machine, in a thread of its own."""

    def __init__(self, on: Callable | None = None, delay_s: float = 0.0) -> None:
        self.on = on or (lambda path, body: answer(body, path))
        self.delay_s = delay_s
        self.requests: list[tuple[str, dict, dict]] = []
        self.numbers = count()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def calls(self) -> int:
        return len(self.requests)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._tasks = set()
        server = self._loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _client(self, reader, writer) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if ": " in line)}
                data = await reader.readexactly(int(headers.get("content-length", 0)))
                body = data
                if headers.get("content-type", "").startswith("application/json") and data:
                    body = json.loads(data)
                self.requests.append((path, body, headers))
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                reply = self.on(path, body) if method == "POST" else self.on(f"{method} {path}", body)
                if not await self._write(writer, reply):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()

    @staticmethod
    async def _write(writer, reply: Reply) -> bool:
        if reply.hang_s:
            await asyncio.sleep(reply.hang_s)
        if reply.reset:
            writer.transport.abort()
            return False
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            await asyncio.sleep(reply.stays_s)
            return False
        if reply.events is not None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for event in reply.events:
                data = event if isinstance(event, str) else json.dumps(event)
                kind = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
                piece = f"{kind}data: {data}\n\n".encode()
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(data)), **reply.headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + data)
        await writer.drain()
        return True

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


def in_event_loop(test):
    """Runs an async test in an event loop of its own."""

    @functools.wraps(test)
    def run_test(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run_test


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Whether the condition came true in time."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.005)
    return False


def ask(client, text="hi", *, temperature=0, model="gpt-4o-mini", **options):
    """One chat completion."""
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=model, messages=messages, temperature=temperature, **options)
