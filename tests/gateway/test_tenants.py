"""Who shares with whom: keys, organisations, projects and tenants are apart in everything that calls share."""

import threading
from itertools import pairwise

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream import ask

import promptopt
from promptopt.errors import UsageError
from promptopt.gateway.call import PARTITION, Call, Labels, partition_of
from promptopt.gateway.openai.headers import call_of, said_in

BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}'
CALLERS = [
    {"api_key": "sk-one"},
    {"api_key": "sk-two"},
    {"api_key": "sk-one", "organization": "org-1"},
    {"api_key": "sk-one", "organization": "org-2"},
    {"api_key": "sk-one", "project": "proj-1"},
    {"api_key": "sk-one", "default_headers": {"x-promptopt-tenant": "acme"}},
    {"api_key": "sk-one", "default_headers": {"x-promptopt-tenant": "umbrella"}},
]


@pytest.fixture
def callers(upstream, folder):
    """SDK clients of everybody in CALLERS, over one gateway each on the same files."""
    made = []

    def make(**settings):
        for caller in CALLERS:
            http = promptopt.http_client(path=folder / "shared", **settings)
            made.append(openai.OpenAI(base_url=upstream.url, max_retries=0, http_client=http, **caller))
        return made

    yield make
    for each in made:
        each.close()


def test_nobody_gets_an_answer_that_another_one_paid_for(callers, upstream):
    sdks = callers()
    for _ in range(2):
        for sdk in sdks:
            ask(sdk, "our salaries?")
    assert upstream.calls == len(CALLERS)
    assert {headers.get("x-promptopt-tenant") for _, _, headers in upstream.requests} == {None}


def test_nobody_gets_an_answer_out_of_another_ones_flight(callers, upstream):
    upstream.delay_s = 0.3
    threads = [threading.Thread(target=ask, args=(sdk, "same")) for sdk in callers() for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert upstream.calls == len(CALLERS)


def test_users_of_two_tenants_are_two_users(client, upstream):
    sdk = client(limits={"per_user": "1/hour"}, cache=False)
    for tenant in ("acme", "umbrella"):
        with promptopt.labels(tenant=tenant, user="ann@example.com"):
            ask(sdk)
            with pytest.raises(promptopt.LimitExceeded, match=r"reached for user ann@example\.com;"):
                ask(sdk)


def test_sharing_is_a_setting(callers, upstream):
    for sdk in callers(partition=["tenant"]):
        ask(sdk)
    assert upstream.calls == 3  # no tenant, acme, umbrella


@pytest.mark.parametrize("value", [["keys"], "key", 3])
def test_a_part_that_is_none_is_refused(client, value):
    with pytest.raises(UsageError, match="partition"):
        client(partition=value)


def test_a_setting_of_the_project(folder, client, upstream):
    (folder / "pyproject.toml").write_text('[tool.promptopt.gateway]\npartition = ["organization"]\n')
    assert client()._client.gateway.settings.partition == ("organization",)


@pytest.mark.parametrize("header", [b"Authorization", b"api-key", b"X-Api-Key"])
def test_a_key_counts_wherever_the_provider_reads_it(header):
    keys = {
        call_of("http://h/v1/chat/completions", said_in([(header, key)]), BODY).labels.key for key in (b"one", b"two")
    }
    assert len(keys) == 2
    assert None not in keys


def test_azure_keys_have_limits_of_their_own(upstream, folder):
    sdks = [
        openai.AzureOpenAI(
            api_key=key,
            api_version="2024-10-21",
            azure_endpoint=upstream.url.removesuffix("/v1"),
            max_retries=0,
            http_client=promptopt.http_client(path=folder / key, limits={"per_key": "1/hour"}, cache=False),
        )
        for key in ("azure-1", "azure-2")
    ]
    for sdk in sdks:
        ask(sdk)
        with pytest.raises(promptopt.LimitExceeded, match="for key"):
            ask(sdk)
        sdk.close()


def test_a_key_is_kept_nowhere(client, upstream, folder):
    sdk = client()
    ask(sdk)
    sdk.close()
    assert not [path for path in (folder / ".promptopt").iterdir() if b"sk-test" in path.read_bytes()]


def test_a_call_of_nobody_keeps_the_identity_of_earlier_versions():
    body = {"model": "m", "messages": [], "temperature": 0}
    assert Call.of("chat", "u", body).identity == "2e2bf22f0b2591ad6939b151993319c3b983a194f26cabbb56320c5b89477476"


def test_a_partition_keeps_the_name_of_earlier_versions():
    """Else every kept answer of a call with a key is lost by an upgrade."""
    assert partition_of(Labels(key="k", tenant="t")) == "72d8fc6014c93620e0d5fe2a67e64eee"
    assert partition_of(Labels(key="k", project="p"), ("key",)) == "9b37f69bce351501700570d2e0a9e2ea"


NAMES = st.one_of(st.none(), st.text(min_size=1, max_size=5))


@given(
    st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=2, max_size=6, unique=True),
    st.sets(st.sampled_from(PARTITION)),
)
def test_two_calls_share_exactly_if_they_agree_on_all_parts(people, parts):
    found = [Labels(**dict(zip(PARTITION, person, strict=True))) for person in people]
    for one, other in pairwise(found):
        agree = all(getattr(one, part) == getattr(other, part) for part in parts)
        assert (partition_of(one, parts) == partition_of(other, parts)) is agree
