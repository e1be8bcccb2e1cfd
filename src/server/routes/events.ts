import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { closed } from "../api/common.ts";
import type { ServerContext } from "../context.ts";
import { EventStream } from "../http/event-stream.ts";
import { addressOf } from "../http/address-of.ts";
import { StatusBoard } from "../status-of.ts";

const EVERY_MS = 1_000;
/** Pages and commands of one machine; more is somebody who forgets to close. */
const MOST_STREAMS = 100;

/** The status each second, for as long as somebody listens. */
export function addEventRoutes(app: FastifyInstance, context: ServerContext): void {
  const board = new StatusBoard(context, () => addressOf(app));
  const streams = new Set<EventStream>();
  let timer: NodeJS.Timeout | undefined;

  async function tell(): Promise<void> {
    const json = JSON.stringify(await board.status());
    for (const stream of streams) if (!stream.isBehind) stream.send("status", json);
  }

  app.get(
    "/api/v1/events",
    {
      schema: {
        summary: "The status as an event each second, with the progress of the analysis that runs",
        tags: ["status"],
        querystring: Type.Object({}, closed),
        produces: ["text/event-stream"],
      },
    },
    async (_, reply) => {
      if (streams.size >= MOST_STREAMS) {
        return reply
          .code(503)
          .header("retry-after", "10")
          .send({ detail: `${MOST_STREAMS} listeners already` });
      }
      const stream = new EventStream(reply);
      streams.add(stream);
      stream.signal.addEventListener("abort", () => {
        streams.delete(stream);
        if (streams.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
      timer ??= setInterval(() => void tell(), EVERY_MS);
      await tell();
      return undefined;
    },
  );
  app.addHook("preClose", async () => {
    clearInterval(timer);
    for (const stream of streams) stream.end();
  });
}
