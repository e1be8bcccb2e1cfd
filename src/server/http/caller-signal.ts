import type { FastifyReply } from "fastify";

/** Aborted when who asked went away before the answer was sent. */
export function callerSignal(reply: FastifyReply): AbortSignal {
  const abort = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) abort.abort(new Error("the caller went away"));
  });
  return abort.signal;
}
