import { existsSync, readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import type { PageDocument } from "../../model/page.ts";
import { pageHtml } from "../../web/page-html.ts";
import { ReportQuery } from "../api/window-query.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import { liveQuery } from "./report.ts";

/** The built UI's files, by the path at which they are asked for. Nothing else of the disk can be asked for. */
const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/ui.js": { file: "ui.js", type: "text/javascript; charset=utf-8" },
  "/ui.css": { file: "ui.css", type: "text/css; charset=utf-8" },
};

/** The web UI, and a window's page in one file to keep or to send. */
export function addUiRoutes(app: FastifyInstance, context: ServerContext): void {
  for (const [path, { file, type }] of Object.entries(FILES)) {
    // Two folders above stands dist, from dist/server/routes.
    const place = new URL(`../../ui/${file}`, import.meta.url);
    app.get(path, (_, reply) => {
      if (!existsSync(place)) throw new HttpError(404, "the web UI is not built: npm run build");
      return reply.type(type).send(readFileSync(place));
    });
  }

  app.get<{ Querystring: ReportQuery }>(
    "/api/v1/page.html",
    {
      schema: {
        summary: "The page of a window as one file that loads nothing",
        tags: ["report"],
        querystring: ReportQuery,
        produces: ["text/html"],
      },
    },
    async ({ query }, reply) => {
      const task = { kind: "page", query: liveQuery(query, context), producer: context.version } as const;
      const page = JSON.parse(await context.analyst.ask(task, { signal: callerSignal(reply) })) as PageDocument;
      // Saved, not shown: in the file its own policy holds, which allows the one script in it.
      return reply
        .header("content-disposition", 'attachment; filename="longpole.html"')
        .type("text/html; charset=utf-8")
        .send(pageHtml(page));
    },
  );
}
