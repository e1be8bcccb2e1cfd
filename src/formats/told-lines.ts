import { InputError, type Intake } from "../model/intake.ts";

/** Damaged lines of one file that are told one by one; the rest is told as a number. */
const TOLD_LINES = 3;

/** Tells the damaged lines of a text in `intake.errors` without flooding it. */
export class ToldLines {
  private damaged = 0;
  private readonly told: InputError[] = [];
  private readonly intake: Intake;
  private readonly file: string;

  constructor(intake: Intake, file: string) {
    this.intake = intake;
    this.file = file;
  }

  /** All damaged lines, those that were not told one by one included. */
  get count(): number {
    return this.damaged;
  }

  tell(error: InputError): void {
    if (++this.damaged > TOLD_LINES) return;
    this.told.push(error);
    this.intake.errors.push(error);
  }

  /** Takes over from another reader of the same file, who met `count` damaged lines, `errors` the first of them: told is what one reader of all would have told. */
  join(errors: readonly InputError[], count: number): void {
    const { intake, told } = this;
    const first = [...told, ...errors].sort((a, b) => a.byteOffset - b.byteOffset).slice(0, TOLD_LINES);
    const others = intake.errors.filter((error) => !told.includes(error));
    told.splice(0, told.length, ...first);
    intake.errors.splice(0, intake.errors.length, ...others, ...first);
    this.damaged += count;
  }

  /** After the last line. */
  finish(): void {
    if (this.damaged <= TOLD_LINES) return;
    const found = `damage in ${this.damaged - TOLD_LINES} more lines`;
    const at = { file: this.file, byteOffset: -1, expected: "lines of this format", found };
    this.intake.errors.push(new InputError("malformed", at));
  }
}
