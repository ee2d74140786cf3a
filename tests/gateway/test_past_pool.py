"""Exchanges past a pool whose only connection rests: nobody waits longer for it, and the pool has all others."""

import threading
import time

import httpx2
import pytest

import promptopt

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{} \r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def client(folder, **options):
    return promptopt.http_client(path=folder, **{"cache": False, "single_flight": False, **options})


def counted(http, monkeypatch):
    """The exchanges that the pool is asked for, from now on."""
    asked = []
    assign = http._transport._pool._assign_requests_to_connections
    monkeypatch.setattr(http._transport._pool, "_assign_requests_to_connections", lambda: asked.append(1) or assign())
    return asked


def test_a_resting_connection_is_used_past_its_pool(scripted, tmp_path, monkeypatch):
    scripted.says = [PLAIN, CHUNKED, PLAIN, CLOSING, PLAIN, PLAIN]
    with client(tmp_path) as http:
        http.post(scripted.url, json={})
        asked = counted(http, monkeypatch)
        assert [http.post(scripted.url, json={}).text for _ in range(3)] == ["{} ", "ok", "ok"]
        assert asked == []
        assert len(http._transport._pool.connections) == 1
        # The server closes it: the pool makes another one.
        assert http.post(scripted.url, json={}).text == "ok"
        assert asked
        assert http.post(scripted.url, json={}).text == "ok"
        assert len(http._transport._pool.connections) == 1
    assert scripted.accepted == 2


def test_a_connection_that_nobody_used_for_long_is_left_to_its_pool(scripted, tmp_path):
    scripted.says = [PLAIN, PLAIN, PLAIN]
    with client(tmp_path) as http:
        http.post(scripted.url, json={})
        http._transport._pool.connections[0]._state._keepalive_s = 0.05
        http.post(scripted.url, json={})
        time.sleep(0.1)
        assert http.post(scripted.url, json={}).text == "ok"
    assert scripted.accepted == 2


@pytest.mark.parametrize("said", [PLAIN, CLOSING, b"HTTP/2 nonsense\r\n\r\n"])
def test_who_waits_for_the_connection_gets_it_or_another(scripted, tmp_path, said):
    scripted.says = [PLAIN, said, PLAIN]
    found = []
    with client(tmp_path) as http:
        http._transport._pool._max_connections = 1
        http.post(scripted.url, json={})
        held = http.build_request("POST", scripted.url, json={})
        try:
            first = http.send(held, stream=True)
        except httpx2.RemoteProtocolError:
            first = None
        waiting = threading.Thread(target=lambda: found.append(http.post(scripted.url, json={}).text))
        waiting.start()
        time.sleep(0.2)
        assert found == ([] if first is not None else ["ok"])
        if first is not None:
            first.read()
            first.close()
        waiting.join(5)
        assert found == ["ok"]


def test_a_failed_exchange_past_the_pool_lets_others_go_on(scripted, tmp_path):
    scripted.says = [PLAIN, None, PLAIN]
    found = []
    with client(tmp_path) as http:
        http._transport._pool._max_connections = 1
        http.post(scripted.url, json={})

        def fail():
            with pytest.raises(httpx2.ReadTimeout):
                http.post(scripted.url, json={}, timeout=httpx2.Timeout(5, read=0.4))
            found.append("failed")

        failing = threading.Thread(target=fail)
        failing.start()
        time.sleep(0.1)
        found.append(http.post(scripted.url, json={}, timeout=10).text)
        failing.join()
    assert sorted(found) == ["failed", "ok"]


def test_threads_share_a_pool_of_few_connections(upstream, tmp_path):
    upstream.delay_s = 0.002
    with client(tmp_path, ledger=False) as http:
        http._transport._pool._max_connections = 2
        found = []

        def call(number):
            for turn in range(20):
                body = {"model": "m", "messages": [{"role": "user", "content": f"{number} {turn}"}]}
                found.append(http.post(f"{upstream.url}/chat/completions", json=body, timeout=20).status_code)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [200] * 120
