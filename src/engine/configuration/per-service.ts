import type { Measures } from "../resources/read-measures.ts";
import type { ServiceMeasure } from "../resources/service-measures.ts";
import { NOTHING, together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";

/** A check that looks at each service's metrics by themselves, and at those of machines under their names. */
export function perService(
  what: string,
  judge: (service: string, measures: readonly ServiceMeasure[], all: Measures) => CheckResult,
): ConfigurationCheck {
  return {
    what,
    run: ({ resources }) =>
      resources === undefined
        ? NOTHING
        : together(
            [...resources.now.services, ...resources.now.hosts].map(([service, measures]) =>
              judge(service, measures, resources.measures),
            ),
          ),
  };
}
