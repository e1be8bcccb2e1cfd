import { digits, ms, percent, perSecond } from "./numbers.ts";

const SECONDS = /-(?:delay|wait|mean|tail|life)$/;
const BYTES = /^(?:memory|heap|disk)-(?:used|limit|free)$|-bytes$|^db-buffer-size$|^network-limit$/;
const RATES = /-(?:rate|errors|bytes|timeouts|overflows|kills|failed|hits|reads)$|^(?:system-calls|work-done)$/;
/** seconds in a second: how many at once */
const PER_SECOND = /^(?:gc-time|throttled-time|request-time|call-time|event-loop-(?:active|idle))$/;

/** The value of a measure (src/engine/semantic-measures.ts: seconds, bytes, shares, rates) with its unit. */
export function measureText(measure: string, value: number): string {
  if (measure.endsWith("-share")) return percent(value);
  if (SECONDS.test(measure)) return ms(value * 1000);
  if (PER_SECOND.test(measure)) return `${digits(value)} s/s`;
  if (BYTES.test(measure))
    return `${bytes(value)}${measure.endsWith("-bytes") || measure.startsWith("network") ? "/s" : ""}`;
  if (RATES.test(measure)) return perSecond(value);
  return short(value);
}

export function bytes(count: number): string {
  const unit = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(unit.length - 1, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
  return `${digits(count / 2 ** (10 * power))} ${unit[power]}`;
}

/** 1200000 → "1.2M": an axis has little room. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)}G`;
  if (size >= 1e6) return `${digits(value / 1e6)}M`;
  if (size >= 1e4) return `${digits(value / 1e3)}k`;
  return size > 0 && size < 0.01 ? value.toExponential(0) : digits(value);
}
