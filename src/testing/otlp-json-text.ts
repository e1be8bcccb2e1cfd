import type { AttributeObject, SpanObject } from "./span-objects.ts";

/** Spans as one OTLP JSON export request, each under a resource of its own, as the protocol allows. */
export function otlpJsonText(spans: readonly SpanObject[]): string {
  const resourceSpans = spans.map((span) => ({
    resource: { attributes: keyValues(span.resource) },
    scopeSpans: [
      {
        scope: { name: span.scope },
        spans: [
          {
            traceId: span.traceId,
            spanId: span.spanId,
            parentSpanId: span.parentSpanId,
            traceState: span.traceState,
            name: span.name,
            kind: span.kind,
            startTimeUnixNano: String(span.startUnixNs),
            endTimeUnixNano: String(span.endUnixNs),
            attributes: keyValues(span.attributes),
            events: span.events.map((event) => ({
              timeUnixNano: String(event.unixNs),
              name: event.name,
              attributes: keyValues(event.attributes),
            })),
            links: span.links,
            status: { code: span.status },
          },
        ],
      },
    ],
  }));
  return JSON.stringify({ resourceSpans });
}

type KeyValue = { key: string; value: { stringValue: string } | { doubleValue: number } | { boolValue: boolean } };

function keyValues(attributes: AttributeObject): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => {
    switch (typeof value) {
      case "string":
        return { key, value: { stringValue: value } };
      case "number":
        return { key, value: { doubleValue: value } };
      case "boolean":
        return { key, value: { boolValue: value } };
      default:
        throw new Error(`${key}: arrays and maps are not written`);
    }
  });
}
