import { findAttribute } from "../model/attribute-table.ts";
import { SpanRole, type SpanFacts } from "../model/span-facts.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";

/**
 * The least facts that an analysis can be tested with: service and host from
 * the resource, the operation is the name, the role follows the kind; nothing
 * else is known. The real ones come from analysis/span-facts.ts.
 */
export function plainFacts(spans: SpanTable): SpanFacts {
  const n = spans.rowCount;
  const none = (): Int32Array => new Int32Array(n).fill(-1);
  const resourceText = (key: string): Int32Array => {
    const keyId = spans.strings.intern(key);
    const perResource = new Int32Array(spans.resources.listCount);
    for (let r = 0; r < perResource.length; r++) {
      const at = findAttribute(spans.resources, r, keyId);
      perResource[r] = at < 0 ? -1 : spans.resources.value[at]!;
    }
    return none().map((_, row) => perResource[spans.resource[row]!]!);
  };
  return {
    service: resourceText("service.name"),
    operation: spans.name.slice(),
    role: spans.kind.map((kind) => ROLE_OF_KIND[kind] ?? SpanRole.internal),
    callee: none(),
    statement: none(),
    instance: none(),
    host: resourceText("host.name"),
    error: spans.status.map((status) => (status === 2 ? 1 : 0)),
  };
}

const ROLE_OF_KIND: Record<number, number> = {
  [SpanKind.server]: SpanRole.server,
  [SpanKind.client]: SpanRole.client,
  [SpanKind.producer]: SpanRole.producer,
  [SpanKind.consumer]: SpanRole.consumer,
};
