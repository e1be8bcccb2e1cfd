import type { FastifyInstance } from "fastify";

/** HOST:PORT at which an app listens; "" while it does not. */
export function addressOf(app: FastifyInstance): string {
  const address = app.server.address();
  if (address === null || typeof address === "string") return "";
  return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
