import { expect, test } from "vitest";
import { waitKind } from "./wait-kind.ts";

/** Names of wait events as the manuals of PostgreSQL 12 to 18 have them. */
test.each([
  ["", "", "active", "cpu"],
  ["Client", "ClientRead", "idle in transaction", "idle"],
  ["Client", "ClientWrite", "active", "network"],
  ["Lock", "transactionid", "active", "lock"],
  ["BufferPin", "BufferPin", "active", "lock"],
  // 12, 13, 14 to 16, 17 and later: the page that another reads.
  ["LWLock", "buffer_io", "active", "disk"],
  ["LWLock", "BufferIO", "active", "disk"],
  ["IPC", "BufferIO", "active", "disk"],
  ["IPC", "BufferIo", "active", "disk"],
  // 12, and later.
  ["LWLock", "WALWriteLock", "active", "disk"],
  ["LWLock", "WALWrite", "active", "disk"],
  ["LWLock", "buffer_content", "active", "lock"],
  ["LWLock", "BufferContent", "active", "lock"],
  ["LWLock", "WALInsert", "active", "lock"],
  ["IO", "DataFileRead", "active", "disk"],
  ["IO", "AioIoCompletion", "active", "disk"],
  ["Timeout", "PgSleep", "active", "sleep"],
  ["IPC", "SyncRep", "active", "other"],
  ["IPC", "ExecuteGather", "active", "other"],
])("%s: %s while %s is %s", (type, event, state, kind) => {
  expect(waitKind(type, event, state)).toBe(kind);
});
