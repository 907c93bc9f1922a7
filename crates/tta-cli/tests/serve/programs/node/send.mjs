// Sends traces through the OpenTelemetry SDK and prints what it sent, as `tta serve` has to show it.
//
//     node send.mjs MODULES proto|json|grpc ENDPOINT [--gzip] [--traceparent=00-...]
//
// MODULES is the directory of node_modules. Prints one JSON object: trace ids, and all that the API
// says of each of their spans, read back from the SDK's own finished spans. With --traceparent it
// sends only spans that go on from there.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const [modules, protocol, endpoint, ...options] = process.argv.slice(2);
const require = createRequire(join(modules, 'here.js'));
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

const ATTRIBUTES = {
  text: 'plain',
  'text.empty': '',
  'text.unicode': 'naïve ✓ 漢字 🦀 \u202eright to left \u0000 nul',
  'text.long': 'x'.repeat(4000),
  bool: true,
  int: -7,
  'int.exact': Number.MAX_SAFE_INTEGER,
  'int.beyond': -(2 ** 53 + 4),
  double: 0.1,
  'double.large': 1.5e-300,
  texts: ['a', '', 'ß'],
  'texts.none': [],
  bools: [true, false],
  ints: [1, -2, 2 ** 53],
  doubles: [1.5, -0.25],
  // JSON has no word for it, and this SDK sends null there.
  ...(protocol === 'json' ? {} : { 'double.nan': NaN }),
};

/** A value in the notation of the API. */
function value(given) {
  if (typeof given === 'number') {
    if (Number.isNaN(given)) return { $double: 'NaN' };
    return !Number.isInteger(given) || Number.isSafeInteger(given) ? given : { $int: BigInt(given).toString() };
  }
  return Array.isArray(given) ? given.map(value) : given;
}

const attributes = (of) => Object.fromEntries(Object.entries(of ?? {}).map(([key, given]) => [key, value(given)]));
const nanoseconds = ([seconds, ns]) => BigInt(seconds) * 1_000_000_000n + BigInt(ns);
const time = ([seconds, ns]) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(ns).padStart(9, '0')}Z`;
const flags = (traceFlags, isRemote) => traceFlags | (isRemote ? 0x300 : 0x100);

/** A span as the API has to show it. */
function shown(span) {
  const context = span.spanContext();
  const scope = span.instrumentationScope;
  return {
    span_id: context.spanId,
    parent_span_id: span.parentSpanContext?.spanId ?? null,
    name: span.name,
    service: span.resource.attributes['service.name'],
    kind: SpanKind[span.kind].toLowerCase(),
    start_unix_ns: nanoseconds(span.startTime).toString(),
    start_time: time(span.startTime),
    duration_ns: Number(nanoseconds(span.endTime) - nanoseconds(span.startTime)),
    status: {
      outcome: span.status.code === SpanStatusCode.ERROR ? 'error' : 'ok',
      code: SpanStatusCode[span.status.code].toLowerCase(),
      message: span.status.message ?? '',
    },
    attributes: attributes(span.attributes),
    events: span.events.map((event) => ({
      name: event.name,
      unix_ns: nanoseconds(event.time).toString(),
      time: time(event.time),
      attributes: attributes(event.attributes),
      dropped_attributes: event.droppedAttributesCount ?? 0,
    })),
    links: span.links.map((link) => ({
      trace_id: link.context.traceId,
      span_id: link.context.spanId,
      attributes: attributes(link.attributes),
      dropped_attributes: link.droppedAttributesCount ?? 0,
      trace_state: link.context.traceState?.serialize() ?? '',
      flags: flags(link.context.traceFlags, link.context.isRemote),
    })),
    resource: { attributes: attributes(span.resource.attributes), dropped_attributes: 0, schema_url: span.resource.schemaUrl ?? '' },
    scope: { name: scope.name, version: scope.version ?? '', attributes: {}, dropped_attributes: 0, schema_url: scope.schemaUrl ?? '' },
    trace_state: context.traceState?.serialize() ?? '',
    flags: flags(context.traceFlags, span.parentSpanContext?.isRemote),
    handled: false,
    dropped: {
      attributes: span.droppedAttributesCount,
      truncated_attributes: 0,
      events: span.droppedEventsCount,
      links: span.droppedLinksCount,
    },
  };
}

function exporter() {
  const [name, url] = {
    proto: ['proto', `${endpoint}/v1/traces`],
    json: ['http', `${endpoint}/v1/traces`],
    grpc: ['grpc', endpoint],
  }[protocol];
  const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${name}`);
  return new OTLPTraceExporter({ url, compression: options.includes('--gzip') ? 'gzip' : 'none' });
}

const sent = [];
const providers = [];
const keep = { onStart() {}, onEnd: (span) => sent.push(span), forceFlush: async () => {}, shutdown: async () => {} };

function tracer(service, spanLimits, schemaUrl) {
  const resource = resourceFromAttributes(
    { 'service.name': service, 'service.version': '1.2.3', 'host.ports': [80, 443], 'host.name': '' },
    { schemaUrl: 'https://opentelemetry.io/schemas/1.27.0' },
  );
  const provider = new NodeTracerProvider({ resource, spanLimits, spanProcessors: [keep, new BatchSpanProcessor(exporter())] });
  providers.push(provider);
  return provider.getTracer(`${service}.instruments`, '0.9', { schemaUrl });
}

const below = (span) => trace.setSpan(ROOT_CONTEXT, span);
const remote = (traceId, spanId, state) => ({ traceId, spanId, isRemote: true, traceFlags: TraceFlags.SAMPLED, traceState: state && createTraceState(state) });

/** One trace of two services in which all is used that a span can have. */
function everything() {
  const [shop, stock] = [tracer('shop', {}, 'https://opentelemetry.io/schemas/1.30.0'), tracer('stock')];
  const links = [
    { context: remote('0'.repeat(31) + '1', '0'.repeat(15) + '2', 'a=b'), attributes: ATTRIBUTES },
    { context: { ...remote('f'.repeat(32), 'e'.repeat(16)), isRemote: false, traceFlags: TraceFlags.NONE } },
  ];
  const root = shop.startSpan('GET /buy/{id}', { kind: SpanKind.SERVER, attributes: ATTRIBUTES, links }, ROOT_CONTEXT);
  root.addEvent('all of it', ATTRIBUTES);
  root.addEvent('');
  root.setStatus({ code: SpanStatusCode.OK });
  const client = shop.startSpan('reserve', { kind: SpanKind.CLIENT }, below(root));
  const server = stock.startSpan('reserve', { kind: SpanKind.SERVER }, below(client));
  const producer = stock.startSpan('publier la réservation ✓', { kind: SpanKind.PRODUCER }, below(server));
  producer.addLink({ context: root.spanContext(), attributes: { why: 'caused by' } });
  const pay = shop.startSpan('pay', { kind: SpanKind.INTERNAL }, below(root));
  pay.recordException(new RangeError('no money left\n  not even a little: ✗'));
  pay.setStatus({ code: SpanStatusCode.ERROR, message: 'RangeError: „später“' });
  const consumer = stock.startSpan('consume', { kind: SpanKind.CONSUMER }, below(producer));
  for (const span of [consumer, pay, producer, server, client, root]) span.end();
}

/** A span of which the SDK has dropped something of each kind. */
function limited() {
  const limits = { attributeCountLimit: 3, eventCountLimit: 2, linkCountLimit: 1, attributePerEventCountLimit: 1, attributePerLinkCountLimit: 1 };
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, number) => [`k${number}`, number]));
  const links = [1, 2, 3].map((number) => ({ context: remote(`${number}`.repeat(32), `${number}`.repeat(16)), attributes: many }));
  const span = tracer('limited', limits).startSpan('much', { attributes: many, links }, ROOT_CONTEXT);
  for (let number = 0; number < 5; number += 1) span.addEvent(`event ${number}`, many);
  span.end();
}

/** What follows in this process on a span of another one, by its W3C context. */
function shared(traceparent) {
  const [, traceId, spanId] = traceparent.split('-');
  const back = tracer('back');
  const context = trace.setSpanContext(ROOT_CONTEXT, remote(traceId, spanId, 'vendor=opaque value'));
  const server = back.startSpan('answer', { kind: SpanKind.SERVER, attributes: ATTRIBUTES }, context);
  back.startSpan('look up', { kind: SpanKind.CLIENT }, below(server)).end();
  server.end();
}

const given = options.find((option) => option.startsWith('--traceparent='));
if (given) {
  shared(given.slice('--traceparent='.length));
} else {
  everything();
  limited();
}
await Promise.all(providers.map((provider) => provider.forceFlush()));
await Promise.all(providers.map((provider) => provider.shutdown()));
const traces = {};
for (const span of sent) (traces[span.spanContext().traceId] ??= []).push(shown(span));
console.log(JSON.stringify({ traces }));
