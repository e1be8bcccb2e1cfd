/** The registrar: somebody else's service, of which the system knows no more than its answers. */
import { createServer } from "node:http";
import { readConfig, serve } from "./serve.ts";

const { settings } = readConfig<"registrar">();
let calls = 0;

const server = createServer((request, response) => {
  request.resume();
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (request.url === "/health") return answer(200, { ok: true });
  const call = calls++;
  if (dice(call) < settings.hangRatio) return;
  setTimeout(() => {
    if (dice(call + 0x40000000) < settings.errorRatio) answer(503, { error: "try again later" });
    else answer(200, { subject: request.url, status: "ok", nameServers: ["ns1.example", "ns2.example"] });
  }, settings.delayMs);
});

/** Evenly spread over [0, 1) and the same in each run, by the golden ratio. */
function dice(n: number): number {
  return (n * 0.6180339887498949) % 1;
}

serve(server, async () => {});
