/** What the lab cannot do, in one sentence for the user; `code` tells the kinds apart. */
export class LabError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LabError";
    this.code = code;
  }
}
