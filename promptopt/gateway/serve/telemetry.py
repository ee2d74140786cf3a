"""What the server tells of itself: metrics for Prometheus, and a span of each call for an OpenTelemetry collector.

Both are made of the rows of the ledger, so that they say the same as it does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from promptopt import __version__
from promptopt.gateway.layers.meter import otel_attributes
from promptopt.gateway.stores.ledger_row import LedgerRow

T = TypeVar("T", Counter, Histogram)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# A client chooses these texts; so many of each have series of their own.
_MOST_NAMES = 200
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)
_OTLP_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Metrics:
    """Counts what rows say."""

    def __init__(self, gauges: Callable[[], Mapping[str, float]], resting: Callable[[], Mapping[str, float]]) -> None:
        """``gauges`` says what is in flight now, by name; ``resting`` for how many seconds each upstream is rested."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Now(gauges, resting))
        who = ("model", "team")
        self._calls = self._counter("calls", "Calls, by how they ended.", (*who, "endpoint", "status", "cache"))
        self._errors = self._counter("errors", "Calls that failed or were refused, by why.", ("model", "error"))
        self._tokens = self._counter("tokens", "Tokens; cached ones are a part of the input.", (*who, "type"))
        self._cost = self._counter("cost_dollars", "Dollars paid.", who)
        self._saved = self._counter("saved_dollars", "List cost of the answers that were kept or shared.", who)
        self._unpriced = self._counter("unpriced_calls", "Calls that no price is known for.", ("model",))
        self._seconds = Histogram(
            "promptopt_call_duration_seconds", "From the request to the end of the answer.", ("model", "cache"),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._known: dict[str, set[str]] = {"model": set(), "team": set(), "error": set()}
        self._series: dict[tuple[Any, ...], Any] = {}

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"promptopt_{name}", text, labels, registry=self._registry)

    def _of(self, metric: T, *labels: str) -> T:
        """The series of a metric with these labels; its own look-up makes texts of them anew and takes a lock."""
        asked = (metric, *labels)
        found: T | None = self._series.get(asked)
        if found is None:
            found = self._series[asked] = metric.labels(*labels)
        return found

    def count(self, row: LedgerRow) -> None:
        """Count a call that has ended."""
        model, team = self._name("model", row.model), self._name("team", row.team)
        self._of(self._calls, model, team, row.endpoint, row.status, row.cache).inc()
        if row.error is not None:
            self._of(self._errors, model, self._name("error", row.error)).inc()
        if row.latency_ms is not None:
            self._of(self._seconds, model, row.cache).observe(row.latency_ms / 1000)
        if row.status == "refused":
            return
        if row.list_usd is None:
            self._of(self._unpriced, model).inc()
        if row.cache in ("none", "miss"):
            named = {"input": row.input_tokens, "cached": row.cache_read_tokens, "output": row.output_tokens}
            for name, tokens in named.items():
                self._of(self._tokens, model, team, name).inc(tokens or 0)
            self._of(self._cost, model, team).inc(row.incurred_usd or 0)
        else:
            self._of(self._saved, model, team).inc(row.list_usd or 0)

    def _name(self, label: str, value: str | None) -> str:
        known = self._known[label]
        if value is None or value in known:
            return value or ""
        if len(known) >= _MOST_NAMES:
            return "other"
        known.add(value)
        return value

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is so at the moment of asking."""

    def __init__(self, gauges: Callable[[], Mapping[str, float]], resting: Callable[[], Mapping[str, float]]) -> None:
        self._gauges = gauges
        self._resting = resting

    def collect(self) -> list[GaugeMetricFamily]:
        found = [GaugeMetricFamily(f"promptopt_{name}", name, value=value) for name, value in self._gauges().items()]
        info = GaugeMetricFamily("promptopt_info", "The version of promptopt.", labels=["version"])
        info.add_metric([__version__], 1)
        rest = GaugeMetricFamily(
            "promptopt_upstream_rest_seconds", "For how long an upstream is still rested.", labels=["upstream"]
        )
        for name, seconds in self._resting().items():
            rest.add_metric([name], seconds)
        return [*found, info, rest]


class Traces:
    """A span of each call, sent to a collector by OpenTelemetry's own SDK, with its conventions for GenAI."""

    def __init__(self, address: str | None) -> None:
        """Open the way to a collector, as ``http://localhost:4318``; ``None``: OpenTelemetry's variables name it."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        named = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: "promptopt"}
        exporter = OTLPSpanExporter(endpoint=None if address is None else f"{address.rstrip('/')}/v1/traces")
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("promptopt", __version__)

    def send(self, row: LedgerRow) -> None:
        """Send the span of a call that has ended."""
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        attributes = otel_attributes(row)
        operation, start = attributes["gen_ai.operation.name"], int(row.at * 1e9)
        context = None if row.trace is None else TraceContextTextMapPropagator().extract({"traceparent": row.trace})
        span = self._tracer.start_span(
            f"{operation} {row.model}", context, kind=SpanKind.CLIENT, attributes=attributes, start_time=start
        )
        if row.status != "ok":
            span.set_status(Status(StatusCode.ERROR, row.error or row.status))
        span.end(start + int((row.latency_ms or 0) * 1e6))

    def close(self) -> None:
        """Send what is held."""
        self._provider.shutdown()


def make_traces(address: str | None) -> Traces | None:
    """Traces to an address, or to where the variables of OpenTelemetry say; ``None`` if nobody wants them."""
    if address is None and not any(os.environ.get(name) for name in _OTLP_VARIABLES):
        return None
    return Traces(address)


class Telemetry:
    """Metrics, and traces if somebody wants them."""

    def __init__(self, metrics: Metrics, traces: Traces | None) -> None:
        self.metrics = metrics
        self._traces = traces

    def see(self, row: LedgerRow) -> None:
        """Tell of a call that has ended."""
        self.metrics.count(row)
        if self._traces is not None:
            self._traces.send(row)

    def close(self) -> None:
        """Send what is held."""
        if self._traces is not None:
            self._traces.close()
