import { CALL_FAULTS } from "./calls.ts";
import { CAPACITY_FAULTS } from "./capacity.ts";
import { CODE_FAULTS } from "./code.ts";
import { DATABASE_FAULTS } from "./database.ts";
import type { Fault } from "./fault.ts";

/** Every kind of fault that the accuracy bench injects. */
export const FAULTS: readonly Fault[] = [...CODE_FAULTS, ...DATABASE_FAULTS, ...CALL_FAULTS, ...CAPACITY_FAULTS];
