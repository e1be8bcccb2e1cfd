import { InputError, type Intake } from "../model/intake.ts";

/** Damaged lines of one file that are told one by one; the rest is told as a number. */
const TOLD_LINES = 3;

/** Tells the damaged lines of a text in `intake.errors` without flooding it. */
export class ToldLines {
  private damaged = 0;
  private readonly intake: Intake;
  private readonly file: string;

  constructor(intake: Intake, file: string) {
    this.intake = intake;
    this.file = file;
  }

  tell(error: InputError): void {
    if (++this.damaged <= TOLD_LINES) this.intake.errors.push(error);
  }

  /** After the last line. */
  finish(): void {
    if (this.damaged <= TOLD_LINES) return;
    const found = `damage in ${this.damaged - TOLD_LINES} more lines`;
    const at = { file: this.file, byteOffset: -1, expected: "lines of this format", found };
    this.intake.errors.push(new InputError("malformed", at));
  }
}
