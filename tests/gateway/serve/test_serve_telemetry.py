"""What the server tells of itself: metrics, spans, and who may see them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from upstream import ask, error, wait_until

from promptopt.gateway.keys import key_sha256
from promptopt.gateway.serve.telemetry import Metrics
from promptopt.gateway.stores.ledger_row import LedgerRow


def samples(text: str) -> dict:
    families = text_string_to_metric_families(text)
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_metrics_say_what_the_ledger_says(proxy, upstream):
    server = proxy()
    client = server.openai()
    for _ in range(3):
        ask(client)
    upstream.on = lambda path, body: error(500, "server_error")
    server.post({"model": "gpt-4o", "messages": []})
    assert wait_until(lambda: len(server.rows()) == 4)
    response = server.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = samples(response.text)
    assert found["promptopt_calls_total", "", "chat", "gpt-4o-mini", "miss", "ok"] == 1
    assert found["promptopt_calls_total", "", "cache", "chat", "gpt-4o-mini", "ok"] == 2
    assert found["promptopt_errors_total", "gpt-4o", "server_error"] == 1
    assert found["promptopt_tokens_total", "", "gpt-4o-mini", "input"] == 10
    assert found["promptopt_cost_dollars_total", "", "gpt-4o-mini"] == pytest.approx(2.7e-6)
    assert found["promptopt_saved_dollars_total", "", "gpt-4o-mini"] == pytest.approx(5.4e-6)
    assert found["promptopt_call_duration_seconds_count", "gpt-4o-mini", "miss"] == 1
    assert found["promptopt_in_flight",] == 0
    assert found["process_resident_memory_bytes",] > 0


def test_metrics_count_without_a_ledger(proxy):
    server = proxy("[tool.promptopt.gateway]\nledger = false")
    ask(server.openai())
    assert samples(server.get("/metrics").text)["promptopt_calls_total", "", "chat", "gpt-4o-mini", "miss", "ok"] == 1


def test_clients_cannot_make_series_without_end():
    metrics = Metrics(dict, dict)
    for number in range(1000):
        metrics.count(LedgerRow(1.0, f"model-{number}"))
    found = samples(metrics.text().decode())
    calls = {key: value for key, value in found.items() if key[0] == "promptopt_calls_total"}
    assert len(calls) == 201
    assert sum(calls.values()) == 1000


def test_a_resting_upstream_is_seen(proxy, upstream):
    upstream.on = lambda path, body: error(401, "invalid_api_key")
    server = proxy('[[tool.promptopt.gateway.upstreams]]\nname = "eu"\nurl = "UPSTREAM"')
    server.post({"model": "gpt-4o", "messages": []})
    assert 0 < samples(server.get("/metrics").text)["promptopt_upstream_rest_seconds", "eu"] <= 30


@pytest.mark.parametrize("path", ["/metrics", "/"])
def test_only_viewers_see_what_all_teams_do(proxy, path):
    keys = "".join(
        f'[tool.promptopt.gateway.keys.{name}]\nsha256 = "{key_sha256(f"po-{name}")}"\n' for name in ("team", "ops")
    )
    server = proxy(f'{keys}[tool.promptopt.serve]\nviewers = ["ops"]')
    assert server.get(path).status_code == 401
    response = server.get(path, authorization="Bearer po-team")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "not_a_viewer")
    assert server.get(path, authorization="Bearer po-ops").status_code == 200


class Collector:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list = []
        self.resources: list = []
        spans, resources = self.spans, self.resources

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        resources.append({each.key: each.value.string_value for each in resource.resource.attributes})
                        spans.extend(span for scope in resource.scope_spans for span in scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def test_a_collector_gets_a_span_of_each_call_in_the_words_of_the_conventions(process, upstream, collector):
    server = process(f'[tool.promptopt.serve]\notlp = "{collector.url}"')
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    ask(server.openai(), extra_headers={"x-promptopt-prompt": "triage", "traceparent": parent})
    upstream.on = lambda path, body: error(400, "bad_request")
    server.post({"model": "gpt-4o", "messages": []}, traceparent=parent.replace("cd", "00"))
    assert server.stop() == 0
    assert upstream.requests[0][2]["traceparent"] == parent
    good, bad = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    values = {each.key: json.loads(_json(each.value)) for each in good.attributes}
    assert (good.name, good.kind) == ("chat gpt-4o-mini", 3)
    assert values["gen_ai.operation.name"] == "chat"
    assert values["gen_ai.request.model"] == "gpt-4o-mini"
    assert (values["gen_ai.usage.input_tokens"], values["gen_ai.usage.output_tokens"]) == (10, 2)
    assert values["promptopt.prompt"] == "triage"
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert (bad.trace_id.hex() == "ab" * 16, bad.parent_span_id) == (False, b"")
    assert good.end_time_unix_nano > good.start_time_unix_nano
    assert (bad.status.code, bad.status.message) == (2, "bad_request")
    assert collector.resources[0]["service.name"] == "promptopt"


def _json(value: object) -> str:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return str(found) if kind == "int_value" else json.dumps(found if kind != "array_value" else str(found))


def test_the_variables_of_opentelemetry_name_the_collector(process, collector):
    server = process("", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="our-gateway")
    ask(server.openai())
    assert server.stop() == 0
    assert len(collector.spans) == 1
    assert collector.resources[0]["service.name"] == "our-gateway"


def test_a_collector_that_is_away_holds_up_nobody(process):
    server = process('[tool.promptopt.serve]\notlp = "http://127.0.0.1:1"')
    assert ask(server.openai()).choices[0].message.content == "ok"
    assert server.stop() == 0
