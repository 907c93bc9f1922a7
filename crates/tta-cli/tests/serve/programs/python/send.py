"""Sends traces through the OpenTelemetry SDK and prints what it sent, as `tta serve` has to show it.

    send.py grpc|http ENDPOINT [--gzip] [--traceparent]

Prints one JSON object: trace ids, and all that the API says of each of their spans. Every value is
read back from the SDK's own finished spans, so that what is compared is what the SDK meant to send.

With --traceparent it sends one trace only: it prints the W3C context to go on from, ends its spans
once standard input ends, and then prints the same object.
"""

import argparse
import base64
import json
import logging
import math
import sys
from datetime import datetime, timezone

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

EXACT = 2**53 - 1

ATTRIBUTES = {
    "text": "plain",
    "text.empty": "",
    "text.unicode": "naïve ✓ 漢字 🦀 \u202eright to left \u0000 nul",
    "text.long": "x" * 4_000,
    "bool": True,
    "int": -7,
    "int.exact": EXACT,
    "int.beyond": EXACT + 2,
    "int.most": 2**63 - 1,
    "int.least": -(2**63),
    "double": 0.1,
    "double.whole": 3.0,
    "double.large": 1.7976931348623157e308,
    "double.nan": math.nan,
    "double.endless": -math.inf,
    "texts": ["a", "", "ß"],
    "texts.none": [],
    "bools": [True, False],
    "ints": [1, -(2**63), 2**53],
    "doubles": [1.5, math.inf],
    "bytes": bytes(range(256)),
    "bytes.empty": b"",
    "map": {"a": 1, "b": {"c": ["d", 2.5, None]}},
    "mixed": ["a", 1, 2.0, False, b"\x00"],
    "dotted.$money": "$5",
}


class Sent(SpanProcessor):
    """Keeps finished spans."""

    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


def value(given):
    """A value in the notation of the API."""
    if isinstance(given, bool) or given is None or isinstance(given, str):
        return given
    if isinstance(given, int):
        return given if abs(given) <= EXACT else {"$int": str(given)}
    if isinstance(given, float):
        if math.isfinite(given):
            return given
        return {"$double": "NaN" if math.isnan(given) else "Infinity" if given > 0 else "-Infinity"}
    if isinstance(given, bytes):
        return {"$bytes": base64.b64encode(given).decode()}
    if hasattr(given, "items"):
        return {key: value(inner) for key, inner in given.items()}
    return [value(inner) for inner in given]


def time(unix_ns):
    second = datetime.fromtimestamp(unix_ns // 10**9, timezone.utc)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{unix_ns % 10**9:09}Z"


def flags(parent):
    # This SDK sends whether the parent is of another process, and leaves the low bits at zero.
    return 0x300 if parent and parent.is_remote else 0x100


def shown(span):
    """A span as the API has to show it."""
    scope = span.instrumentation_scope
    return {
        "span_id": f"{span.context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "service": span.resource.attributes["service.name"],
        "kind": span.kind.name.lower(),
        "start_unix_ns": str(span.start_time),
        "start_time": time(span.start_time),
        "duration_ns": span.end_time - span.start_time,
        "status": {
            "outcome": "error" if span.status.status_code is StatusCode.ERROR else "ok",
            "code": span.status.status_code.name.lower(),
            "message": span.status.description or "",
        },
        "attributes": value(span.attributes),
        "events": [
            {
                "name": event.name,
                "unix_ns": str(event.timestamp),
                "time": time(event.timestamp),
                "attributes": value(event.attributes),
                "dropped_attributes": event.dropped_attributes,
            }
            for event in span.events
        ],
        "links": [
            {
                "trace_id": f"{link.context.trace_id:032x}",
                "span_id": f"{link.context.span_id:016x}",
                "attributes": value(link.attributes or {}),
                "dropped_attributes": link.dropped_attributes,
                # This SDK does not send it.
                "trace_state": "",
                "flags": flags(link.context),
            }
            for link in span.links
        ],
        "resource": {
            "attributes": value(span.resource.attributes),
            "dropped_attributes": 0,
            "schema_url": span.resource.schema_url or "",
        },
        "scope": {
            "name": scope.name,
            "version": scope.version or "",
            "attributes": value(scope.attributes or {}),
            "dropped_attributes": 0,
            "schema_url": scope.schema_url or "",
        },
        "trace_state": ",".join(f"{key}={text}" for key, text in span.context.trace_state.items()),
        "flags": flags(span.parent),
        "handled": False,
        "dropped": {
            "attributes": span.dropped_attributes,
            "truncated_attributes": 0,
            "events": span.dropped_events,
            "links": span.dropped_links,
        },
    }


def exporter(arguments):
    if arguments.protocol == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        compression = Compression.Gzip if arguments.gzip else Compression.NoCompression
        return OTLPSpanExporter(endpoint=arguments.endpoint, insecure=True, compression=compression)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    compression = Compression.Gzip if arguments.gzip else Compression.NoCompression
    return OTLPSpanExporter(endpoint=f"{arguments.endpoint}/v1/traces", compression=compression)


class Services:
    """A provider for each service, all of which send on their own."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.sent = Sent()
        self.providers = []

    def tracer(self, service, provider=None, **scope):
        resource = Resource(
            {"service.name": service, "service.version": "1.2.3", "host.ports": [80, 443], "host.name": ""},
            "https://opentelemetry.io/schemas/1.27.0",
        )
        provider = TracerProvider(resource=resource, shutdown_on_exit=False, **(provider or {}))
        provider.add_span_processor(self.sent)
        provider.add_span_processor(BatchSpanProcessor(exporter(self.arguments)))
        self.providers.append(provider)
        return provider.get_tracer(f"{service}.instruments", **scope)

    def finish(self):
        for provider in self.providers:
            provider.force_flush()
            provider.shutdown()
        traces = {}
        for span in self.sent.spans:
            traces.setdefault(f"{span.context.trace_id:032x}", []).append(shown(span))
        print(json.dumps({"traces": traces}), flush=True)


def everything(services):
    """One trace of two services in which all is used that a span can have."""
    shop = services.tracer(
        "shop",
        instrumenting_library_version="0.9",
        schema_url="https://opentelemetry.io/schemas/1.30.0",
        attributes={"scope.text": "ü", "scope.ints": [1, 2]},
    )
    stock = services.tracer("stock")
    other = SpanContext(0xABCDEF, 0x123, True, TraceFlags(1), TraceState([("a", "b")]))
    links = [Link(other, ATTRIBUTES), Link(SpanContext(1, 2, False))]
    with shop.start_as_current_span("GET /buy/{id}", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=links) as root:
        root.add_event("all of it", ATTRIBUTES)
        root.add_event("", {}, timestamp=root.start_time)
        root.set_status(Status(StatusCode.OK))
        with shop.start_as_current_span("reserve", kind=SpanKind.CLIENT) as client:
            client.set_attribute("peer.service", "stock")
            with stock.start_as_current_span("reserve", kind=SpanKind.SERVER):
                with stock.start_as_current_span("publier la réservation ✓", kind=SpanKind.PRODUCER) as producer:
                    producer.add_link(root.get_span_context(), {"why": "caused by"})
        try:
            with shop.start_as_current_span("pay", kind=SpanKind.INTERNAL):
                raise ValueError("no money left\n  not even a little: ✗")
        except ValueError:
            pass
        with stock.start_as_current_span("consume", kind=SpanKind.CONSUMER) as consumer:
            consumer.set_status(Status(StatusCode.ERROR, "gave up: „später“"))


def limited(services):
    """A span of which the SDK has dropped something of each kind."""
    limits = SpanLimits(
        max_span_attributes=3, max_events=2, max_links=1, max_event_attributes=1, max_link_attributes=1
    )
    tracer = services.tracer("limited", {"span_limits": limits})
    many = {f"k{number}": number for number in range(10)}
    links = [Link(SpanContext(number, number, True), many) for number in range(1, 4)]
    with tracer.start_as_current_span("much", attributes=many, links=links) as span:
        for number in range(5):
            span.add_event(f"event {number}", many)


class OneOfTwo(Sampler):
    """Says in `tracestate` that one of two traces was kept; these ids are of those."""

    def should_sample(self, parent_context, trace_id, *_):
        state = TraceState([("ot", "th:8"), ("vendor", "opaque value")])
        return SamplingResult(Decision.RECORD_AND_SAMPLE, trace_state=state)

    def get_description(self):
        return "OneOfTwo"


class HighIds(RandomIdGenerator):
    def generate_trace_id(self):
        return super().generate_trace_id() | 1 << 55


def weighted(services):
    """A trace that stands for two, by the sampler of its sender."""
    tracer = services.tracer("sampled", {"sampler": OneOfTwo(), "id_generator": HighIds()})
    with tracer.start_as_current_span("one of two", kind=SpanKind.SERVER):
        pass


def shared(services):
    """The first half of a trace that another process goes on with."""
    tracer = services.tracer("front", instrumenting_library_version="2")
    with tracer.start_as_current_span("order", kind=SpanKind.SERVER):
        with tracer.start_as_current_span("ask back", kind=SpanKind.CLIENT, attributes=ATTRIBUTES) as client:
            context = client.get_span_context()
            print(f"00-{context.trace_id:032x}-{context.span_id:016x}-01", flush=True)
            sys.stdin.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=["grpc", "http"])
    parser.add_argument("endpoint")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--traceparent", action="store_true")
    arguments = parser.parse_args()
    # It warns of each thing that it drops as told.
    logging.getLogger("opentelemetry.attributes").setLevel(logging.ERROR)
    services = Services(arguments)
    for send in [shared] if arguments.traceparent else [everything, limited, weighted]:
        send(services)
    services.finish()


main()
