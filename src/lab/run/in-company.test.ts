import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { inCompany } from "./in-company.ts";

/** Settles when the signal is raised. */
const untilEnd = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

const never = new AbortController().signal;

test("the work's value, after the company has been told to end", async () => {
  const order: string[] = [];
  const company = async (ended: AbortSignal): Promise<void> => {
    await untilEnd(ended);
    order.push("company");
  };
  expect(await inCompany(async () => "done", company, never)).toBe("done");
  expect(order).toEqual(["company"]);
});

test("a company that fails ends the work, which is awaited", async () => {
  let worked = "";
  const work = async (signal: AbortSignal): Promise<string> => {
    await untilEnd(signal);
    await pause(1);
    worked = "ended";
    throw new Error("broken off");
  };
  await expect(inCompany(work, async () => Promise.reject(new Error("no such table")), never)).rejects.toThrow(
    "no such table",
  );
  expect(worked).toBe("ended");
});

test("work that is ended from outside, while the company takes its time, is no unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  const outside = new AbortController();
  const work = async (signal: AbortSignal): Promise<string> => {
    await untilEnd(signal);
    throw new Error("stopped by Ctrl-C");
  };
  let isCompanyOver = false;
  const company = async (ended: AbortSignal): Promise<void> => {
    await untilEnd(ended);
    // A statement that the database still has to break off.
    await pause(20);
    isCompanyOver = true;
  };
  const both = inCompany(work, company, outside.signal);
  outside.abort();
  await expect(both).rejects.toThrow("stopped by Ctrl-C");
  expect(isCompanyOver).toBe(true);
  await pause(1);
  expect(unhandled).toEqual([]);
});
