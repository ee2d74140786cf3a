"""Virtual keys in the configuration, and what their calls may ask."""

import hashlib

import pytest

from promptopt.config import load_config
from promptopt.errors import ConfigError, UsageError
from promptopt.gateway.call import Labels
from promptopt.gateway.keys import KeyRefused, VirtualKey, find_key, key_ring, key_sha256, new_key
from promptopt.gateway.settings import read_settings

HASH = "0" * 64


def test_a_key_is_found_by_its_secret_and_only_its_hash_is_kept(folder):
    secret = new_key()
    (folder / "pyproject.toml").write_text(
        "[tool.promptopt.gateway.keys.search]\n"
        f'sha256 = "{hashlib.sha256(secret.encode()).hexdigest()}"\n'
        'team = "shop"\ntags = ["find", "rank"]\nmodels = ["gpt-4o*"]\n'
    )
    keys = read_settings(load_config()).keys
    assert keys == (VirtualKey("search", key_sha256(secret), "shop", None, ("find", "rank"), ("gpt-4o*",)),)
    assert find_key(key_ring(keys), secret) is keys[0]
    assert find_key(key_ring(keys), secret + "x") is None
    assert find_key(key_ring(keys), "") is None
    assert secret not in repr(keys)


def test_secrets_are_long_and_differ():
    secrets = {new_key() for _ in range(100)}
    assert len(secrets) == 100
    assert min(map(len, secrets)) > 40


def test_what_the_key_says_counts_whatever_the_caller_says():
    key = VirtualKey("search", HASH, team="shop", user="crawler", tags=("find", "rank"))
    labels = key.labelled(Labels(team="other", user="somebody", key="x", prompt="p"))
    assert labels == Labels(team="shop", user="crawler", key="search", tag="find", prompt="p")
    assert key.labelled(Labels(tag="rank")).tag == "rank"
    with pytest.raises(KeyRefused, match="key search: tag 'pay' is not one of find, rank"):
        key.labelled(Labels(tag="pay"))


def test_without_a_team_nobody_names_one_and_without_a_user_the_caller_does():
    labels = VirtualKey("k", HASH).labelled(Labels(team="other", user="u1", tag="any"))
    assert (labels.team, labels.user, labels.tag) == (None, "u1", "any")


@pytest.mark.parametrize(("model", "allowed"), [("gpt-4o", True), ("gpt-4o-mini", True), ("gpt-5", False), ("", False)])
def test_models(model, allowed):
    key = VirtualKey("k", HASH, models=("gpt-4o*", "o3"))
    if allowed:
        key.check_model(model)
    else:
        with pytest.raises(KeyRefused, match="is not one of"):
            key.check_model(model)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"a": {"sha256": "po-secret"}}, "keys.a sha256 is not 64 hexadecimal digits"),
        ({"a": {"sha256": HASH.upper() + "A"}}, "keys.a sha256 is not 64"),
        ({"a": {"team": "t"}}, "names no sha256"),
        ({"a": {"sha256": HASH, "teams": "t"}}, "Did you mean 'team'"),
        ({"a": {"sha256": HASH, "models": "gpt-4o"}}, "models = 'gpt-4o' is not a list"),
        ({"a": {"sha256": HASH, "user": 7}}, "user = 7 is not a text"),
        ({"a": {"sha256": HASH}, "b": {"sha256": HASH}}, "a and b have the same sha256"),
        ({"a": HASH}, "is not a table"),
        ("po-x", "is not a table of keys"),
    ],
)
def test_bad_keys(keys, message):
    with pytest.raises(UsageError, match=message):
        read_settings(load_config(), {"keys": keys})


def test_a_secret_where_its_hash_should_be_is_not_shown(folder):
    secret = new_key()
    (folder / "pyproject.toml").write_text(f'[tool.promptopt.gateway]\nkeys.a.sha256 = "{secret}"\n')
    with pytest.raises(ConfigError) as error:
        read_settings(load_config())
    assert secret not in str(error.value)
