"""Any request, answer and stream of events is read, passed on or refused, and raises nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.gateway.body import BadBody, read_json
from promptopt.gateway.call import Call
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.openai.events import EventCollector
from promptopt.gateway.openai.headers import call_of, said_in
from promptopt.gateway.openai.wire import PATHS, count_input, output_cap, prompt_text, read_answer, schema_of

WORDS = """messages input content text type role delta choices message finish_reason index usage prompt_tokens output
output_text data embedding logprobs logprob error refusal tool_calls response status incomplete_details reason format
json_schema schema response_format max_tokens n user system stream stream_options""".split()  # noqa: SIM905 - short
KINDS = ["stop", "message", "text", "response.completed", "response.output_text.delta", "error", "completed"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), JSON, max_size=6)
ENDPOINTS = st.sampled_from(list(PATHS.values()))
HEADERS = st.sampled_from([b"Authorization", b"x-promptopt-sample", b"x-promptopt-user", b"x-stainless-retry-count"])


@given(st.sampled_from(list(PATHS)), OBJECTS, st.lists(st.tuples(HEADERS, st.binary(max_size=8)), max_size=4))
def test_requests(path, body, headers):
    call = call_of(f"http://h/v1{path}", said_in(headers), json.dumps({**body, "model": "m"}).encode())
    assert call is not None
    assert isinstance(prompt_text(call), str)
    assert count_input(call) >= 0
    assert output_cap(call) is None or output_cap(call) >= 0
    schema_of(call)
    assert CachePolicy().lifetime(call) > 0
    assert CachePolicy(deterministic_only=False).keepable(call) in (True, False)


@given(st.text(max_size=12), st.binary(max_size=40))
def test_bytes_of_requests(place, content):
    found = call_of(f"http://h/{place}/v1/chat/completions", said_in([]), content)
    assert found is None or found.endpoint == "chat"


@given(JSON | st.floats() | st.integers(-(10**30), 10**30) | st.text(), st.booleans())
def test_json_is_read_as_python_reads_it(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    content = text.encode("utf-8", "surrogatepass")
    try:
        wanted = repr(json.loads(content))
    except ValueError:
        wanted = ""
    try:
        assert repr(read_json(content)) == wanted
    except ValueError:
        assert wanted == ""


@given(st.binary(max_size=30) | st.text(alphabet='[]{}",:\\u0d8be+-.1 tfalsn', max_size=12).map(str.encode))
def test_what_python_does_not_read_as_json_is_not_read(content):
    try:
        wanted = repr(json.loads(content))
    except ValueError as error:
        with pytest.raises(type(error)):
            read_json(content)
    else:
        assert repr(read_json(content)) == wanted


@given(ENDPOINTS, OBJECTS, OBJECTS)
def test_answers(endpoint, asked, body):
    call = Call.of(endpoint, "", {**asked, "model": "m"})
    try:
        answer = read_answer(call, json.dumps(body).encode())
    except BadBody:
        return
    assert isinstance(answer.text, str)
    assert answer.finished in (True, False)


@given(ENDPOINTS, st.lists(OBJECTS | JSON, max_size=8), st.integers(1, 50))
def test_events(endpoint, events, size):
    collector = EventCollector(Call.of(endpoint, "", {"model": "m", "messages": [], "stream": True}))
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    passed = b"".join(collector.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert passed == data
    try:
        collector.last()
        answer = collector.finish()
    except BadBody:
        return
    assert isinstance(answer.text, str)


@given(ENDPOINTS, st.binary(max_size=60))
def test_bytes_of_streams(endpoint, data):
    collector = EventCollector(Call.of(endpoint, "", {"model": "m", "stream": True}), hide_usage=True)
    passed = collector.feed(data) + collector.last()
    if not any(line.startswith(b"data:") for line in data.splitlines()):
        # What is no stream reaches its reader all the same.
        assert passed.strip() == data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip()
    try:
        collector.finish()
    except BadBody:
        return
