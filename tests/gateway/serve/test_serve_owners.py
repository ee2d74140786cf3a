"""What a provider keeps belongs to the team that made it: responses, files, batches, and what goes on from them."""

import json

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream import Reply, answer

from promptopt.gateway.keys import key_sha256
from promptopt.gateway.serve.ids import collection_of, named_in
from promptopt.gateway.stores.owners import MemoryOwners, SqliteOwners

KEYS = "\n".join(
    f'[tool.promptopt.gateway.keys.{name}]\nsha256 = "{key_sha256(f"po-{name}")}"{more}'
    for name, more in (("ann", '\nteam = "red"'), ("bob", '\nteam = "red"'), ("eve", '\nteam = "blue"'), ("solo", ""))
)
PASS = '\n[tool.promptopt.serve]\npass = ["/v1/files", "/v1/batches", "/v1/conversations", "/v1/audio"]\n'
ASK = {"model": "gpt-4o-mini", "input": "hi"}


FILE = {"type": "file", "file": {"file_id": "ID"}}


class Kept:
    """An upstream that keeps what is made, under numbers."""

    def __init__(self):
        self.things = {}

    def __call__(self, path, body):
        method, _, place = path.rpartition(" ")
        parts = place.partition("?")[0].removeprefix("/v1/").split("/")
        kind = parts[0]
        if not method and len(parts) == 1 and kind in ("responses", "files", "batches", "conversations"):
            name = f"{kind[:4]}_{len(self.things) + 1}"
            if kind == "responses" and body.get("stream"):
                reply = answer(body, place)
                events = [json.loads(json.dumps(each).replace("resp_1", name)) for each in reply.events]
                self.things[name] = {"id": name, "object": kind}
                return Reply(events=events)
            made = {**answer(body, place).body, "id": name} if kind == "responses" else {"id": name, "object": kind}
            self.things[name] = made
            return Reply(body=made)
        if len(parts) == 1:
            return Reply(body={"object": "list", "data": list(self.things.values()), "first_id": "x", "last_id": "y"})
        found = self.things.get(parts[1])
        return Reply(body=found) if found else Reply(status=404, body={"error": {"message": "no such thing"}})


@pytest.fixture
def kept(upstream):
    upstream.on = Kept()
    return upstream.on


def code(response):
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_for_the_team_that_made_it(proxy, kept, upstream, stream):
    server = proxy(KEYS)
    made = server.openai("po-ann").responses.create(**ASK, stream=stream)
    name = next(event.response.id for event in made) if stream else made.id
    assert server.openai("po-bob").responses.retrieve(name).id == name
    sent = upstream.calls
    for key in ("po-eve", "po-solo"):
        client = server.openai(key)
        for use in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
            with pytest.raises(openai.NotFoundError, match="is not of the key"):
                use(name)
        with pytest.raises(openai.NotFoundError):
            client.responses.input_items.list(name)
        with pytest.raises(openai.NotFoundError, match="is not of the key"):
            client.responses.create(**ASK, previous_response_id=name)
    assert upstream.calls == sent
    assert server.openai("po-ann").responses.create(**ASK, previous_response_id=name).id
    server.openai("po-ann").responses.delete(name)


def test_an_id_is_known_to_its_team_before_the_stream_ends_and_after_a_restart(proxy, kept):
    server = proxy(KEYS)
    stream = server.openai("po-ann").responses.create(**ASK, stream=True)
    name = next(iter(stream)).response.id
    assert server.openai("po-bob").responses.retrieve(name)
    stream.close()
    server.close()
    again = proxy(KEYS)
    assert again.openai("po-ann").responses.retrieve(name)
    with pytest.raises(openai.NotFoundError):
        again.openai("po-eve").responses.retrieve(name)


def test_an_id_that_nobody_made_here_is_nobodys(proxy, kept, upstream):
    kept.things["resp_old"] = {"id": "resp_old"}
    server = proxy(KEYS)
    assert code(server.get("/v1/responses/resp_old", authorization="Bearer po-ann")) == (404, "not_found")
    assert upstream.calls == 0


def test_without_keys_everything_is_the_one_users(proxy, kept):
    kept.things["resp_old"] = {"id": "resp_old"}
    assert proxy().openai().responses.retrieve("resp_old").id == "resp_old"


@pytest.mark.parametrize("kind", ["files", "batches", "conversations"])
def test_what_is_passed_on_belongs_to_somebody_too(proxy, kept, upstream, kind):
    server = proxy(KEYS + PASS)
    ids = {key: server.post({}, f"/v1/{kind}", authorization=f"Bearer po-{key}").json()["id"] for key in ("ann", "eve")}
    listed = server.get(f"/v1/{kind}", authorization="Bearer po-bob").json()
    assert [each["id"] for each in listed["data"]] == [ids["ann"]]
    assert (listed["first_id"], listed["last_id"]) == (ids["ann"], ids["ann"])
    assert server.get(f"/v1/{kind}/{ids['ann']}", authorization="Bearer po-bob").json()["id"] == ids["ann"]
    sent = upstream.calls
    for path in ("", "/content", "/cancel", "/items"):
        for method in ("GET", "POST", "DELETE"):
            url = f"{server.url}/v1/{kind}/{ids['eve']}{path}"
            got = httpx2.request(method, url, headers={"authorization": "Bearer po-ann"})
            assert code(got) == (404, "not_found")
    assert upstream.calls == sent


@pytest.mark.parametrize(
    "place", ["/v1/files%2F{}", "/v1/files//{}", "/v1//files/{}", "/v1/files/%66{}", "/v1/files/{}/."]
)
def test_another_spelling_of_the_path_opens_nothing(proxy, kept, upstream, place):
    server = proxy(KEYS + PASS)
    name = server.post({}, "/v1/files", authorization="Bearer po-eve").json()["id"]
    sent = upstream.calls
    shown = name if "%66" not in place else name[1:]
    got = httpx2.get(server.url + place.format(shown), headers={"authorization": "Bearer po-ann"})
    assert got.status_code == 404
    assert upstream.calls == sent


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/batches", {"input_file_id": "ID"}),
        ("/v1/responses", {**ASK, "conversation": "ID"}),
        ("/v1/responses", {**ASK, "conversation": {"id": "ID"}}),
        ("/v1/responses", {**ASK, "input": [{"role": "user", "content": [{"type": "input_file", "file_id": "ID"}]}]}),
        ("/v1/responses", {**ASK, "tools": [{"type": "file_search", "vector_store_ids": ["ID"]}], "max_tool_calls": 1}),
        ("/v1/responses/input_tokens", {**ASK, "previous_response_id": "ID"}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": [FILE]}]}),
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_asked_about_what_another_team_has(proxy, kept, upstream, path, body):
    server = proxy(KEYS + PASS)
    name = server.post({}, "/v1/files", authorization="Bearer po-eve").json()["id"]
    sent = upstream.calls
    asked = json.loads(json.dumps(body).replace("ID", name))
    assert code(server.post(asked, path, authorization="Bearer po-ann")) == (404, "not_found")
    escaped = json.dumps(asked).replace("_id", "\\u005fid").encode()
    headers = {"authorization": "Bearer po-ann", "content-type": "application/json"}
    assert code(httpx2.post(server.url + path, content=escaped, headers=headers)) == (404, "not_found")
    assert upstream.calls == sent
    server.post(asked, path, authorization="Bearer po-eve")
    assert upstream.calls == sent + 1


def test_a_file_that_a_batch_has_made_is_its_makers(proxy, kept, upstream):
    server = proxy(KEYS + PASS)
    name = server.post({}, "/v1/batches", authorization="Bearer po-ann").json()["id"]
    kept.things[name] |= {"output_file_id": "file-out"}
    kept.things["file-out"] = {"id": "file-out"}
    assert server.get("/v1/files/file-out", authorization="Bearer po-ann").status_code == 404
    assert server.get(f"/v1/batches/{name}", authorization="Bearer po-bob").status_code == 200
    assert server.get("/v1/files/file-out/content", authorization="Bearer po-ann").status_code == 200
    assert server.get("/v1/files/file-out/content", authorization="Bearer po-eve").status_code == 404


def test_a_file_that_says_so_makes_nothing_ones_own(proxy, kept, upstream):
    server = proxy(KEYS + PASS)
    theirs = server.post({}, "/v1/files", authorization="Bearer po-eve").json()["id"]
    mine = server.post({}, "/v1/files", authorization="Bearer po-ann").json()["id"]
    kept.things[mine] |= {"output_file_id": theirs, "error_file_id": "file-unknown"}
    assert server.get(f"/v1/files/{mine}/content", authorization="Bearer po-ann").status_code == 200
    for name in (theirs, "file-unknown"):
        assert server.get(f"/v1/files/{name}", authorization="Bearer po-ann").status_code == 404


def test_what_is_shared_is_for_all_and_other_paths_pass(proxy, kept, upstream):
    kept.things["file-handbook"] = {"id": "file-handbook"}
    server = proxy(KEYS + PASS + 'shared_ids = ["file-handbook"]\n')
    assert server.get("/v1/files/file-handbook", authorization="Bearer po-eve").status_code == 200
    upstream.on = lambda path, body: Reply(body={"text": "hello"})
    assert server.post({}, "/v1/audio/transcriptions", authorization="Bearer po-eve").json() == {"text": "hello"}


def test_replicas_on_one_redis_know_whose_it_is(proxy, kept, redis_server, monkeypatch):
    settings = KEYS + f'\n[tool.promptopt.gateway]\nredis = "{redis_server.url}"\n'
    first, second = proxy(settings), proxy(settings)
    name = first.openai("po-ann").responses.create(**ASK).id
    assert second.openai("po-bob").responses.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        second.openai("po-eve").responses.retrieve(name)
    redis_server.kill()
    with pytest.raises(openai.InternalServerError, match="whose this is cannot be said"):
        second.openai("po-ann").responses.retrieve(name)


@pytest.mark.parametrize("make", [lambda folder: MemoryOwners(), lambda folder: SqliteOwners(folder / "owners.sqlite")])
def test_a_store_of_owners(folder, make):
    owners = make(folder)
    owners.add(["a", "b"], "team:red", 100.0)
    owners.add(["b"], "key:x", 100.0, 50.0)
    assert owners.of(["a", "b", "c"], 120.0) == {"a": {"team:red"}, "b": {"team:red", "key:x"}}
    assert owners.of(["b"], 150.0) == {"b": {"team:red"}}
    owners.close()


NAMES = st.sampled_from(["file_id", "a", "metadata", "conversation", "id"])


@given(
    st.recursive(
        st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    )
)
def test_what_a_body_names_is_a_text_of_it(body):
    for name in named_in(body):
        assert name in json.dumps(body, ensure_ascii=False) or json.dumps(name)[1:-1] in json.dumps(body)


def test_what_a_caller_notes_for_itself_names_nothing():
    assert (
        list(named_in({"metadata": {"file_id": "x"}, "tools": [{"parameters": {"file_id": {"type": "string"}}}]})) == []
    )


def test_collections():
    assert collection_of("/v1/files/file-1/content") == ("/v1/files", ["file-1", "content"])
    assert collection_of("/v1/fine_tuning/jobs/ftjob-1") == ("/v1/fine_tuning/jobs", ["ftjob-1"])
    assert collection_of("/v1/messages/batches/b") == ("/v1/messages/batches", ["b"])
    assert collection_of("/v1/audio/speech") == (None, ["audio", "speech"])
