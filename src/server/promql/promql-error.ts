/** What is wrong with a question, in the words and kinds of Prometheus' API. */
export class PromqlError extends Error {
  override readonly name: string = "PromqlError";
  readonly kind: "bad_data" | "execution" | "timeout" | "unavailable";

  constructor(kind: PromqlError["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}
