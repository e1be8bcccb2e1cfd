/**
 * The way to a service that has a network of its own: it listens within that
 * network, and passes on what comes, byte by byte. The delay and the loss are the
 * kernel's, on the way to here and on the way back.
 */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { CONFIG_VARIABLE, type RelayConfig } from "../messages.ts";
import { obeyParent, tellParent } from "../obey-parent.ts";

const { listenAt, target } = JSON.parse(process.env[CONFIG_VARIABLE] ?? "") as RelayConfig;

const server = createServer({ noDelay: true }, (caller) => {
  const service = connect({ ...target, noDelay: true });
  passOn(caller, service);
  passOn(service, caller);
});
server.listen({ host: listenAt, port: 0 }, () => {
  tellParent({ kind: "listening", url: `http://${listenAt}:${(server.address() as AddressInfo).port}` });
});
obeyParent({ answer: async () => undefined, end: async () => {} });

function passOn(from: Socket, to: Socket): void {
  from.pipe(to);
  // Whoever breaks off, the other side is to notice.
  from.once("error", () => to.destroy());
  from.once("close", () => to.destroy());
}
