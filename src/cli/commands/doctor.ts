import { hostCapabilities } from "../../agent/host-capabilities.ts";
import { helperPath } from "../../agent/probe-helper.ts";
import { EXIT } from "../exit-code.ts";
import { renderDoctor } from "../render/doctor.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

export interface DoctorOptions extends LookOptions {
  readonly json?: boolean;
}

/** `longpole doctor`: what this host lets be collected, why not more, and the command that mends it. */
export function doctor(options: DoctorOptions, terminal: Terminal): number {
  if (process.platform !== "linux") {
    terminal.err(`longpole: doctor looks at Linux hosts; this is ${process.platform}\n`);
    return EXIT.unusable;
  }
  const capabilities = hostCapabilities(helperPath(terminal.environment));
  const document = { schema: "longpole.doctor/1", capabilities };
  if (options.json === true) terminal.out(`${JSON.stringify(document, null, 2)}\n`);
  else terminal.out(`${renderDoctor(capabilities, lookOf(options, terminal)).join("\n")}\n`);
  return EXIT.ok;
}
