"""What no layer sees: other paths of the API, and what the provider keeps, which belongs to the team that made it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import aiohttp
from starlette.types import Receive, Scope, Send

from promptopt.gateway.assembly import Gateway
from promptopt.gateway.call import Call, Upstream
from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.failures import CallFailed, Refused
from promptopt.gateway.flow import Subflow, run_async
from promptopt.gateway.keys import VirtualKey
from promptopt.gateway.serve.exchange import ClientGone, pass_bytes, read_content, respond, run_here, unless_gone
from promptopt.gateway.serve.forward import (
    Forwarder,
    Reply,
    forwarded_headers,
    location_of,
    passed_headers,
    transport_failure,
)
from promptopt.gateway.serve.ids import collection_of, lasting_s, listed_in, made_by, named_in, own_part, owner_of
from promptopt.gateway.serve.requests import Rejected, failed, not_allowed, read_body, read_unambiguous, refused
from promptopt.gateway.serve.settings import Configuration
from promptopt.gateway.stores.base import StoreDown, using
from promptopt.gateway.stores.owners import MemoryOwners, Owners, OwnersFound, SqliteOwners

log = logging.getLogger("promptopt.serve")

# Asked before a call, and free of charge: how many tokens it would have.
_COUNTING = frozenset({"/v1/messages/count_tokens", "/v1/responses/input_tokens"})
# Responses that the upstream keeps: asking for one, or ending it, is not a call of a model.
_KEPT_RESPONSE = re.compile(r"/v1/responses/[^/]+(/cancel|/input_items)?")
# Bodies that name nothing; any other must be JSON, which is looked through.
_UPLOADS = ("multipart/", "application/octet-stream")
_READ_WHOLE = re.compile(r"application/json\b")


def keeps_answer(call: Call) -> bool:
    """Whether the provider keeps the answer to a call, so that somebody may ask for it by its id."""
    if call.endpoint == "responses":
        return call.body.get("store") is not False or bool(call.body.get("background"))
    return call.endpoint == "chat" and call.body.get("store") is True


def id_in(reply: Reply) -> str:
    """The id of an answer; an empty text if it has none."""
    events = [line[5:] for line in reply.content.split(b"\n") if line.startswith(b"data:")]
    try:
        body = json.loads(events[0] if events else reply.content)
        return str((body.get("response") or body).get("id") or "")
    except (ValueError, AttributeError, RecursionError):
        return ""


class Belongings:
    """Who may use which id. Without virtual keys there is one user, and everything is his."""

    def __init__(self, configuration: Configuration, gateway: Gateway) -> None:
        self._shared = frozenset(configuration.serve.shared_ids)
        self._owners = _owners(gateway) if configuration.gateway.keys else MemoryOwners()

    async def of(self, ids: Sequence[str]) -> OwnersFound:
        """The owners of ids. Raises Rejected if nobody can say."""
        try:
            found: OwnersFound = await run_async(self._asked(ids), _never)
        except StoreDown as error:
            raise Rejected(503, "gateway_unavailable", f"whose this is cannot be said now: {error}") from None
        return found

    def _asked(self, ids: Sequence[str]) -> Subflow[OwnersFound]:
        return (yield from using(self._owners, partial(self._owners.of, ids, SYSTEM_CLOCK.time())))

    async def check(self, body: Any, key: VirtualKey) -> None:
        """Raises Rejected if a body names what is not the key's."""
        await self.check_ids(list(dict.fromkeys(named_in(body))), key)

    async def check_ids(self, ids: Sequence[str], key: VirtualKey, others: Sequence[str] = ()) -> None:
        """Raises Rejected if one of the ids is not the key's, or one of ``others`` is somebody else's."""
        ids = [each for each in ids if each not in self._shared]
        if not ids and not others:
            return
        owner, owners = owner_of(key), await self.of([*ids, *others])
        alien = [each for each in ids if owner not in owners.get(each, ())]
        alien += [each for each in others if each in owners and owner not in owners[each]]
        if alien:
            raise Rejected(
                404,
                "not_found",
                f"{alien[0]!r} is not of the key {key.name}: what a provider keeps is for the team, or the key, that "
                "made it. `shared_ids` in [tool.promptopt.serve] names what all keys may use",
            )

    async def made(self, key: VirtualKey, *ids: str) -> None:
        """The key has made these."""

        def add() -> None:
            for each in ids:
                self._owners.add([each], owner_of(key), SYSTEM_CLOCK.time(), lasting_s(each))

        def adding() -> Subflow[None]:
            yield from using(self._owners, add)

        try:
            await run_here(adding())
        except StoreDown as error:
            log.error("whose %s is could not be kept, so that nobody may ask for it: %s", ", ".join(ids), error)

    def close(self) -> None:
        """Give back what owners are kept in."""
        self._owners.close()


def _owners(gateway: Gateway) -> Owners:
    """Owners beside all else that is shared; a store that keeps none has them in a file."""
    make = getattr(gateway.store, "owners", None)
    owners: Owners = SqliteOwners(gateway.settings.path / "owners.sqlite", gateway.clock) if make is None else make()
    return owners


async def _never(call: Call) -> Any:
    raise AssertionError(f"nothing is asked here: {call.model}")


class PassThrough:
    """Passes on what no layer sees."""

    def __init__(
        self, configuration: Configuration, gateway: Gateway, forwarder: Forwarder, belongings: Belongings
    ) -> None:
        self._configuration = configuration
        self._gateway = gateway
        self._forwarder = forwarder
        self._belongings = belongings

    async def answer(self, scope: Scope, receive: Receive, send: Send, key: VirtualKey | None) -> None:
        """Another path of the API, if the configuration lets it pass."""
        try:
            await self._pass(scope, receive, send, key)
        except Rejected as rejected:
            await respond(send, rejected.reply())
        except CallFailed as failure:
            await respond(send, failed(failure))
        except (aiohttp.ClientError, TimeoutError) as error:
            await respond(send, failed(transport_failure(error)))
        except ClientGone:
            return

    async def _pass(self, scope: Scope, receive: Receive, send: Send, key: VirtualKey | None) -> None:
        path, settings = scope["path"], self._configuration.serve
        counting, kept = path in _COUNTING, _KEPT_RESPONSE.fullmatch(path)
        listed = any(path == each or path.startswith(f"{each}/") for each in settings.passed)
        if not (listed or kept or counting) or ".." in path:
            raise Rejected(
                404,
                "not_served",
                f"{path} is not served: no layer could count it. To let it pass uncounted, add it to `pass` in "
                "[tool.promptopt.serve]",
            )
        if counting or kept is not None:
            _check_method(scope["method"], path, "POST" if counting else kept[1] if kept is not None else None)
        if key is not None and not counting:
            await self._check_path(path, key)
        content = await read_content(scope, receive, settings, json_only=counting)
        upstream = self._upstream_for(content, key) if counting else None
        given = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        if key is not None and content and not given.startswith(_UPLOADS):
            await self._belongings.check(read_unambiguous(content), key)
        headers = forwarded_headers(scope["headers"])
        headers.pop("content-type")
        if given:
            headers["content-type"] = given
        query = scope["query_string"].decode("latin-1")
        below = scope["raw_path"].decode("latin-1").partition("?")[0].removeprefix("/v1")
        response = await self._forwarder.pass_on(scope["method"], below, query, content, headers, upstream)
        shown = _shown_headers(response, below)
        if not _READ_WHOLE.match(response.content_type) or not (kept or key is not None):
            await unless_gone(scope, partial(pass_bytes, response, shown, send))
            return
        body = await response.read()
        if kept:
            # How a response in the background ended is known when somebody asks for it: its budget settles then.
            await run_here(self._gateway.ended(path, body))
        if key is not None and response.status < 400:
            body = await self._own(path, scope["method"], body, key)
        await respond(send, Reply(response.status, shown, body))

    async def _check_path(self, path: str, key: VirtualKey) -> None:
        start, rest = collection_of(path)
        ids = rest[:1] if start is not None else []
        await self._belongings.check_ids(ids, key, others=rest[len(ids) :])

    async def _own(self, path: str, method: str, body: bytes, key: VirtualKey) -> bytes:
        """A body as its key may see it; what it has made is the key's from now on."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return body
        listed = listed_in(path, found) if method == "GET" else None
        if listed is not None:
            shown = own_part(found, await self._belongings.of(listed), owner_of(key))
            return json.dumps(shown).encode()
        made = made_by(path, method, found)
        # What has an owner is not taken away by an answer that names it.
        known = await self._belongings.of(made) if made else {}
        if new := [each for each in made if each not in known]:
            await self._belongings.made(key, *new)
        return body

    def _upstream_for(self, content: bytes, key: VirtualKey | None) -> Upstream | None:
        """The upstream that counts the tokens of a request: the first that has its model."""
        model = str(read_body(content).get("model") or "")
        if key is not None:
            try:
                key.check_model(model)
            except Refused as refusal:
                raise refused(refusal) from None
        upstreams = self._configuration.gateway.upstreams
        return next((each for each in upstreams if each.serves(model)), None)


def _shown_headers(response: aiohttp.ClientResponse, below: str) -> list[tuple[bytes, bytes]]:
    """The headers that a client sees; it is redirected as by its upstream, whose own places are this server's here."""
    headers = passed_headers(response)
    place = location_of(response)
    if place is not None:
        whole = str(place)
        base = str(response.url.with_query(None)).removesuffix(below)
        shown = whole if not whole.startswith(f"{base}/") else "/v1" + whole.removeprefix(base)
        headers.append((b"location", shown.encode("latin-1", "replace")))
    return headers


def _check_method(method: str, path: str, part: str | None) -> None:
    """Raises Rejected if a path below responses does not take a method."""
    allowed = ("POST",) if part in ("POST", "/cancel") else ("GET", "HEAD") if part else ("GET", "HEAD", "DELETE")
    if method not in allowed:
        raise not_allowed(method, path, *allowed)
