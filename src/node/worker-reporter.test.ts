import { createHook } from "node:async_hooks";
import { once } from "node:events";
import { BroadcastChannel } from "node:worker_threads";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { WORKER_KEY, WorkerBoard } from "./worker-board.ts";
import { WorkerReporter } from "./worker-reporter.ts";

test("a report arrives, and no channel stays open for what others tell", async () => {
  const board = new WorkerBoard();
  const main = new BroadcastChannel(WORKER_KEY);
  const open = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === "MESSAGEPORT" && open.add(id)),
    destroy: (id) => void open.delete(id),
  }).enable();
  const settings = { isProfiling: false, isMeasuring: false, samplesPerSecond: 49, windowMs: 10_000 };
  const reporter = new WorkerReporter(
    { ...settings, links: "off", isTalking: false, cells: board.cells },
    board,
    false,
  );
  try {
    reporter.start();
    const arrived = once(main as unknown as EventTarget, "message");
    reporter.report(false);
    const [{ data }] = (await arrived) as [{ data: { activeS: number } }];
    expect(data.activeS).toBeGreaterThan(0);
    // A channel is closed in a later turn of the event loop.
    for (let i = 0; i < 100 && open.size > 0; i++) await turn();
    expect(open.size).toBe(0);
  } finally {
    hook.disable();
    reporter.stop();
    main.close();
  }
});
