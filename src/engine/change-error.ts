/**
 * A change that cannot be tried: its spec is wrong, or names nothing that is there. The message says what was meant, perhaps.
 * It stands apart from what throws it, so that whoever tells errors need not load all of the replay.
 */
export class ChangeError extends Error {
  override readonly name: string = "ChangeError";
}
