/** The command line asks for something that makes no sense; the message says what would. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}
