/** The lab cannot do what was asked of it, and why: one sentence for the user. `code` is for programs. */
export class LabError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LabError";
    this.code = code;
  }
}
