import { AttributeType, findAttribute } from "../../model/attribute-table.ts";
import type { SpanTable } from "../../model/span-table.ts";
import type { OperationRule } from "../config/settings.ts";

/**
 * The name that the first matching rule gives to the span of a row, undefined where none does. Undefined without rules.
 * Instrumentation that puts an id into a span's name makes an endpoint of each request; a rule joins them again.
 */
export function operationNames(
  table: SpanTable,
  rules: readonly OperationRule[],
): ((row: number) => string | undefined) | undefined {
  if (rules.length === 0) return undefined;
  const compiled = rules.map((rule) => ({ ...rule, pattern: new RegExp(rule.match) }));
  const serviceKey = table.strings.intern("service.name");
  const known = new Map<number, string | undefined>();
  return (row) => {
    const resource = table.resource[row]!;
    // Exact: both are below 2^31, and of resources there are few.
    const key = resource * 2 ** 31 + table.name[row]!;
    if (known.has(key)) return known.get(key);
    const service = serviceOf(table, resource, serviceKey);
    const name = table.strings.get(table.name[row]!);
    const rule = compiled.find((one) => (one.service ?? service) === service && one.pattern.test(name));
    const renamed = rule === undefined ? undefined : name.replace(rule.pattern, rule.name);
    known.set(key, renamed);
    return renamed;
  };
}

function serviceOf(table: SpanTable, resource: number, serviceKey: number): string {
  const row = findAttribute(table.resources, resource, serviceKey);
  if (row < 0 || table.resources.type[row] !== AttributeType.string) return "";
  return table.strings.get(table.resources.value[row]!);
}
