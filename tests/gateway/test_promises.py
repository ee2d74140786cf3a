"""The built-in layers and stores keep the promises that those of other packages make."""

import pytest

from promptopt.gateway.stores.memory import MemoryStore
from promptopt.gateway.stores.redis import RedisStore
from promptopt.gateway.stores.sqlite import SqliteStore
from promptopt.registry import load
from promptopt.testing import check_layer, check_store


@pytest.mark.parametrize("name", ["cache", "fallback", "concurrency", "prompt-cache-hints", "cascade", "ledger"])
def test_the_built_in_layers_keep_their_promises(name) -> None:
    settings = {"concurrency": 4, "prompt_caching": True, "fallback": ["other"]}
    settings |= {"cascade": [{"model": "model", "validators": {"finished": True}}, {"model": "other"}]}
    check_layer(load("layer", name), **settings)


@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore])
def test_the_built_in_stores_keep_their_promises(kind, tmp_path) -> None:
    check_store(kind, tmp_path)


def test_the_store_in_redis_keeps_its_promises(redis_server, tmp_path) -> None:
    check_store(RedisStore, tmp_path, redis_server.url)
