/** Amounts as people read them: three digits, the unit with them. */
export function ms(value: number): string {
  const size = Math.abs(value);
  if (size >= 60_000) return `${digits(value / 60_000)} min`;
  if (size >= 1000) return `${digits(value / 1000)} s`;
  if (size >= 1 || size === 0) return `${digits(value)} ms`;
  return `${digits(value * 1000)} µs`;
}

/** At least two digits behind the first: 1.84, 12.1, 412, 41 200. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en").replaceAll(",", " ");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trimmed(value.toFixed(1));
  return trimmed(value.toFixed(2));
}

const trimmed = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** With sign; the minus is the long one. */
export const signedMs = (value: number): string => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${ms(Math.abs(value))}`;

export const percent = (share: number): string => `${digits(share * 100)} %`;

export const perSecond = (value: number): string => `${digits(value)}/s`;

export const plural = (count: number, noun: string, many = `${noun}s`): string =>
  `${digits(count)} ${count === 1 ? noun : many}`;
