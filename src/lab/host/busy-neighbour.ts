/** A process of somebody else: it uses one core, until its parent goes or ten minutes have passed. */
const SLICE_MS = 20;
const endsAt = performance.now() + 10 * 60_000;
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
work(1);

/** In slices, so that the parent's end is noticed between two of them. */
function work(state: number): void {
  const until = performance.now() + SLICE_MS;
  let value = state;
  while (performance.now() < until) for (let i = 0; i < 10_000; i++) value = (value * 48_271) % 2_147_483_647;
  if (performance.now() > endsAt) process.exit(0);
  setImmediate(work, value);
}
