import type { ZonesSettings } from "../../settings.ts";
import { grouped } from "./grouped.ts";

export interface NamedRecord {
  readonly name: string;
  readonly type: string;
}

/**
 * Names of records that answer for each other: an alias may not share its name,
 * or the name with one of the usual prefixes, with any other record.
 */
export function conflictsOf(records: readonly NamedRecord[], how: ZonesSettings["conflicts"]): string[] {
  return how === "set" ? bySet(records) : pairwise(records);
}

const PREFIXES = "www mail ftp api dev test m cdn static shop blog imap smtp vpn ns img".split(" ");
const LEADS = ["", ...PREFIXES.map((prefix) => `${prefix}.`)];

interface Variant {
  readonly name: string;
  readonly record: NamedRecord;
}

function variantsOf(records: readonly NamedRecord[]): Variant[] {
  return records.flatMap((record) => LEADS.map((lead) => ({ name: `${lead}${record.name}`, record })));
}

function bySet(records: readonly NamedRecord[]): string[] {
  const byName = grouped(variantsOf(records), ({ name }) => normalised(name));
  const conflicts = new Set<string>();
  for (const [name, variants] of byName) {
    const isShared = variants.some(({ record }) => record !== variants[0]?.record);
    if (isShared && variants.some(({ record }) => record.type === "CNAME")) conflicts.add(name);
  }
  return [...conflicts].sort();
}

function pairwise(records: readonly NamedRecord[]): string[] {
  const conflicts = new Set<string>();
  const variants = variantsOf(records);
  for (const one of variants) {
    for (const other of variants) {
      if (one.record === other.record) continue;
      if (normalised(one.name) !== normalised(other.name)) continue;
      if (one.record.type === "CNAME" || other.record.type === "CNAME") conflicts.add(normalised(one.name));
    }
  }
  return [...conflicts].sort();
}

function normalised(name: string): string {
  return name.trim().toLowerCase().replace(/\.$/, "");
}
