"""Traces and metrics over every hop, through OpenTelemetry; without an OTLP endpoint both cost next to nothing.

Metrics of the runtime (each with attributes `service` and, where it says so, `topic`):

| name | unit | what |
|---|---|---|
| chargebus.runtime.records | {record} | records applied, by topic |
| chargebus.runtime.batch.records | {record} | size of a micro-batch |
| chargebus.runtime.batch.duration | s | from taking a micro-batch to its commit |
| chargebus.runtime.parked | {record} | records parked, by topic |
| chargebus.runtime.stops | {stop} | partitions that stopped, as more was to be parked than may be, by topic |
| chargebus.runtime.faults | {fault} | errors of a service's own `refuse` or `patience`, by `where` |
| chargebus.runtime.retries | {batch} | batches tried again, as a server was away, in conflict, or a partition stopped |
| chargebus.runtime.holes | {hole} | holes found in the log |
| chargebus.runtime.unreadable | {record} | records that a process cannot read and passed over, by topic |
| chargebus.runtime.outbox.age | s | for how long the oldest record of the outbox has waited to be sent |
| chargebus.runtime.outbox.recovered | {row} | outbox rows that a crash had left behind and that went out |
| chargebus.runtime.http.duration | s | HTTP requests, by route, method and status |
| chargebus.runtime.clock.skew | s | how far a clock is ahead of Kafka's, by `process`: this one, and each edge |
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from chargebus_events.record import Received, Record
from opentelemetry import metrics as otel_metrics
from opentelemetry import trace as otel_trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation import tracecontext

from chargebus_runtime.settings import RuntimeSettings

TRACEPARENT = "traceparent"
_propagator = tracecontext.TraceContextTextMapPropagator()


class RuntimeMetrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = otel_metrics.get_meter("chargebus.runtime")
        self.records = meter.create_counter("chargebus.runtime.records", "{record}")
        self.batch_records = meter.create_histogram("chargebus.runtime.batch.records", "{record}")
        self.batch_duration = meter.create_histogram("chargebus.runtime.batch.duration", "s")
        self.parked = meter.create_counter("chargebus.runtime.parked", "{record}")
        self.stops = meter.create_counter("chargebus.runtime.stops", "{stop}")
        self.faults = meter.create_counter("chargebus.runtime.faults", "{fault}")
        self.retries = meter.create_counter("chargebus.runtime.retries", "{batch}")
        self.holes = meter.create_counter("chargebus.runtime.holes", "{hole}")
        self.unreadable = meter.create_counter("chargebus.runtime.unreadable", "{record}")
        self.outbox_age = meter.create_gauge("chargebus.runtime.outbox.age", "s")
        self.outbox_recovered = meter.create_counter("chargebus.runtime.outbox.recovered", "{row}")
        self.http_duration = meter.create_histogram("chargebus.runtime.http.duration", "s")


@functools.cache
def metrics() -> RuntimeMetrics:
    """Return the process's runtime instruments."""
    return RuntimeMetrics()


@dataclass
class Trace:
    """The spans of one micro-batch: one for each record that came with a sampled trace; none when tracing is off."""

    spans: dict[tuple[str, int, int], Span] = field(default_factory=dict)

    def carry(self, record: Record, because: Received) -> Record:
        """Return `record` with the trace of the record that caused it, if that one has any."""
        span = self.spans.get((because.topic, because.partition, because.offset)) if self.spans else None
        return record if span is None else with_trace(record, span)

    def end(self) -> None:
        """End the spans: the batch is committed."""
        for span in self.spans.values():
            span.end()


class Tracing:
    """Makes spans where tracing is on and the trace is sampled; `enabled` lets a hot path skip even asking."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self._tracer = otel_trace.get_tracer("chargebus")

    def batch(self, service: str, records: Iterable[Received]) -> Trace:
        """Start a span for each record that carries a sampled trace."""
        if not self.enabled:
            return Trace()
        spans = {}
        for record in records:
            parent = _parent(record)
            if parent is not None and parent.trace_flags.sampled:
                spans[record.topic, record.partition, record.offset] = self._tracer.start_span(
                    f"{service} {record.text('ocpp_action') or record.type}",
                    context=otel_trace.set_span_in_context(NonRecordingSpan(parent)),
                    kind=SpanKind.CONSUMER,
                    attributes={
                        "messaging.system": "kafka",
                        "messaging.destination.name": record.topic,
                        "messaging.kafka.offset": record.offset,
                        "chargebus.station": record.key,
                    },
                )
        return Trace(spans)

    def start(self, name: str, **attributes: str) -> Span:
        """Start a root span, for what enters the system here."""
        return self._tracer.start_span(name, kind=SpanKind.SERVER, attributes=dict(attributes))

    def carry_current(self, record: Record) -> Record:
        """Return `record` with the trace of the current span (an HTTP request), if there is one."""
        if not self.enabled:
            return record
        span = otel_trace.get_current_span()
        return with_trace(record, span) if span.get_span_context().is_valid else record


def with_trace(record: Record, span: Span) -> Record:
    """Return `record` with a `traceparent` header, unless it has one."""
    header = (TRACEPARENT, traceparent(span.get_span_context()))
    return msgspec.structs.replace(record, headers=(*record.headers, header))


def traceparent(context: SpanContext) -> bytes:
    """Format a span's context as W3C Trace Context prescribes."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}".encode()


def _parent(record: Received) -> SpanContext | None:
    header = record.headers.get(TRACEPARENT)
    if header is None or header.endswith(b"-00"):
        return None
    context = _propagator.extract({TRACEPARENT: header.decode("ascii", "replace")})
    span_context = otel_trace.get_current_span(context).get_span_context()
    return span_context if span_context.is_valid and span_context.trace_flags & TraceFlags.SAMPLED else None


class Telemetry:
    """The process's exporters; nothing is exported, and tracing is off, without an OTLP endpoint."""

    def __init__(self, settings: RuntimeSettings, name: str) -> None:
        self._providers: list[TracerProvider | MeterProvider] = []
        endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/")
        if endpoint:
            self._export(endpoint, settings.otel_traces_ratio, Resource.create({"service.name": name}))
        self.tracing = Tracing(enabled=bool(endpoint) and settings.otel_traces_ratio > 0)

    def stop(self) -> None:
        """Send what is left and stop the exporters."""
        for provider in self._providers:
            provider.shutdown()

    def _export(self, endpoint: str, ratio: float, resource: Resource) -> None:
        tracer_provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)))
        tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"))
        meter_provider = MeterProvider([reader], resource=resource)
        otel_trace.set_tracer_provider(tracer_provider)
        otel_metrics.set_meter_provider(meter_provider)
        self._providers = [tracer_provider, meter_provider]
