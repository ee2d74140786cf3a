"""What a call costs whose client goes away before the server could send it on."""

import httpx2
import pytest
from upstream import wait_until

from promptopt.gateway.layers.budget import Budget

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def test_a_client_that_goes_while_the_upstream_is_connected_to_costs_nothing(proxy, busy_port):
    server = proxy(
        '[tool.promptopt.serve]\nconnect_timeout = "60s"\n[tool.promptopt.gateway]\nbudget = {day = 1}\n'
        f'[[tool.promptopt.gateway.upstreams]]\nname = "a"\nurl = "http://127.0.0.1:{busy_port}/v1"'
    )
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{server.url}/v1/chat/completions", json=CHAT, timeout=1)
    assert wait_until(lambda: [(row.status, row.incurred_usd) for row in server.rows()] == [("abandoned", 0.0)])
    budget = next(each for each in server.service.serving.gateway.layers if isinstance(each, Budget))
    assert wait_until(lambda: [(each.spent_usd, each.reserved_usd) for each in budget.standings()] == [(0, 0)])
