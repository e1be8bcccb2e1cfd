declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

/**
 * How much of a law is tried: `usual` in `npm run check`, `long` in `npm run test:long`, which sets
 * LONGPOLE_LONG_TESTS=1. The law is the same; more seeds or larger data only make it harder to escape.
 */
export const usually = <T>(usual: T, long: T): T => (process.env["LONGPOLE_LONG_TESTS"] === "1" ? long : usual);
