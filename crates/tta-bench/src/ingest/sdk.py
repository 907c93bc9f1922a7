"""What it costs the Python SDK to record spans and to send them: prints one line of JSON."""

import json
import sys
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

endpoint, seconds = sys.argv[1], float(sys.argv[2])
exporter = OTLPSpanExporter(endpoint=endpoint)
processor = BatchSpanProcessor(exporter, max_queue_size=8192, max_export_batch_size=512)
provider = TracerProvider(resource=Resource.create({"service.name": "shop-python"}))
provider.add_span_processor(processor)
tracer = provider.get_tracer("shop.instrumentation", "1.4.0")
attributes = {
    "http.request.method": "GET",
    "url.scheme": "https",
    "url.path": "/products/10000",
    "http.response.status_code": 200,
    "server.address": "products.example.com",
    "server.port": 8443,
    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
    "network.protocol.version": "1.1",
    "app.customer.tier": "gold",
    "app.cart.total": 12.5,
}


def batch():
    """So many spans that none is dropped, sent before it returns."""
    for _ in range(200):
        with tracer.start_as_current_span("GET /cart", attributes=attributes):
            for _ in range(9):
                with tracer.start_as_current_span("charge", attributes=attributes):
                    pass
    if not processor.force_flush(30000):
        sys.exit("the exporter did not finish")
    return 2000


batch()
begin, cpu, spans = time.perf_counter(), time.process_time(), 0
while time.perf_counter() - begin < seconds:
    spans += batch()
elapsed, cpu = time.perf_counter() - begin, time.process_time() - cpu
provider.shutdown()
print(json.dumps({"spans": spans, "seconds": elapsed, "cpu_seconds": cpu}))
