import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { loadProfiles } from "../../formats/load-profiles.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { ProfileQuery, StoredProfile } from "../api/profiles.ts";
import type { ServerContext } from "../context.ts";
import { HttpError } from "../http/http-error.ts";
import { timeOf } from "../http/window-of.ts";

/** A heap profile of a large process; as sent, and an analysis of it takes a few times as much. */
const BODY_LIMIT = 64 << 20;

/** Profiles of services, in whatever format `longpole analyze` reads. */
export function addProfileRoutes(app: FastifyInstance, context: ServerContext): void {
  void app.register(async (scope) => {
    // Whatever its content type says: what a profile is, its content tells.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: BODY_LIMIT }, (_, body, done) => done(null, body));
    scope.post<{ Querystring: ProfileQuery; Body: Buffer | undefined }>(
      "/api/v1/profiles",
      {
        bodyLimit: BODY_LIMIT,
        schema: {
          summary:
            "Keeps a profile of a service: OTLP profiles, pprof, JFR, .cpuprofile, .heapprofile, folded stacks or perf script; plain, gzip or zstd",
          tags: ["profiles"],
          querystring: ProfileQuery,
          consumes: ["application/octet-stream"],
          response: { 201: StoredProfile },
        },
      },
      async ({ query, body }, reply) => {
        if (body === undefined || body.length === 0) throw new HttpError(400, "the body is empty");
        const { profiles, errors } = await loadProfiles(["-"], { others: "refuse", stdin: Readable.from([body]) });
        const [profile] = profiles;
        if (errors[0] !== undefined) throw new HttpError(400, errors[0].message.replace(/^-/, "the body"));
        if (profile === undefined) throw new HttpError(415, "the body is no profile of a kind that is known");
        const startUnixNs = query.start === undefined ? undefined : timeOf(query.start, "start");
        const stacks = ofService(profile.stacks, query.service, startUnixNs, context.nowUnixNs());
        await context.store.insertStacks(stacks, randomUUID());
        return reply.code(201).send({ format: profile.format, samples: stacks.samples.rowCount });
      },
    );
  });
}

/** The profile as the service's; one whose clock is not known ended when it came. */
function ofService(
  stacks: StackTable,
  service: string,
  startUnixNs: bigint | undefined,
  nowUnixNs: bigint,
): StackTable {
  const { processes } = stacks;
  const id = stacks.strings.intern(service);
  return {
    ...stacks,
    processes: {
      ...processes,
      service: new Int32Array(processes.rowCount).fill(id),
      startUnixNs: processes.startUnixNs.map((start, row) => {
        if (startUnixNs !== undefined) return startUnixNs;
        if (start >= 0n) return start;
        return nowUnixNs - BigInt(Math.round(Math.max(0, processes.durationNs[row]!)));
      }),
    },
  };
}
