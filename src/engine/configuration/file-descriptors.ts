import { largestOf, measureOf, meanOf } from "../resources/service-measures.ts";
import { count, percent } from "../wording.ts";
import { together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";
import { errorsLike } from "./error-texts.ts";

/** What the kernel answers when a process, or the machine, has no descriptor left. */
const REFUSED = /\bEMFILE\b|\bENFILE\b|too many open files/i;
/** Beyond nine tenths the next burst of connections finds none. */
const FULL = 0.9;

/** Open files and sockets against the limit of the process (nofile). */
export const fileDescriptors: ConfigurationCheck = {
  what: "open files",
  run: ({ window, resources }) => {
    const refused = errorsLike(window, REFUSED);
    const names = new Set([...refused.map(({ service }) => service), ...(resources?.now.services.keys() ?? [])]);
    return together(
      [...names].map((service): CheckResult => {
        const measures = resources?.now.services.get(service);
        const used = measureOf(measures, "fds-used");
        // The worst of the instances: each has a limit of its own.
        const most = Math.max(...(used?.instances.map(({ values }) => largestOf(values)) ?? [Number.NaN]));
        const limit = meanOf(measureOf(measures, "fds-max")?.values);
        const failed = refused.find((one) => one.service === service);
        const isKnown = most > 0 && limit > 0;
        const sum = isKnown ? `${count(most)} of ${count(limit)} descriptors open (${percent(most / limit)})` : "";
        if (failed === undefined && !(most >= FULL * limit))
          return { problems: [], fine: isKnown ? [{ text: `${service}: ${sum}`, tightness: most / limit }] : [] };
        const need = 2 ** Math.ceil(Math.log2(4 * most));
        const text = failed === undefined ? sum : `${count(failed.rows.length)} calls fail with "${failed.example}"`;
        const problem = {
          service,
          resource: "fds",
          setting: "nofile",
          ...(isKnown ? { change: `nofile: ${count(limit)} -> ${count(need)}` } : {}),
          mechanism: "misconfiguration" as const,
          saidAs: new Set(["error-handling"] as const),
          arithmetic: isKnown ? `${sum}; four times the need, as a power of two: ${count(need)}` : text,
          title: `${service} is at the limit of its open files and sockets`,
          remedy:
            "Raise the limit (LimitNOFILE of the unit, ulimits of the container), after a look whether something is opened and never closed.",
          reference: "getrlimit(2): RLIMIT_NOFILE",
          query: `process_open_fds against process_max_fds of ${service}; ls /proc/PID/fd`,
          refutedBy: "the number of open descriptors stays below the limit while calls fail",
          confidence: 0.85,
          harm: { text, ...(failed === undefined ? {} : { loss: failed.share }) },
        };
        return { problems: [problem], fine: [] };
      }),
    );
  },
};
