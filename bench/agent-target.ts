// A service for bench/agent.ts: answers each request after some computing and a short wait; and, as `load`, somebody who asks
// as fast as answers come over 16 connections, and prints how many came in each second.
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

const CONNECTIONS = 16;

function price(): number {
  let sum = 0;
  for (let i = 0; i < 20_000; i++) sum += Math.sqrt(i);
  return sum;
}

function serve(): void {
  const server = createServer((_, response) => {
    const body = String(price());
    setTimeout(() => response.end(body), 1);
  });
  server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
}

function load(port: number, seconds: number): void {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const until = performance.now() + seconds * 1000;
  let [done, open] = [0, CONNECTIONS];
  const ask = (): void => {
    if (performance.now() >= until) {
      if (--open === 0) {
        console.log(done / seconds);
        agent.destroy();
      }
      return;
    }
    request({ port, host: "127.0.0.1", agent }, (answer) => {
      answer.resume().once("end", () => {
        done++;
        ask();
      });
    }).end();
  };
  for (let i = 0; i < CONNECTIONS; i++) ask();
}

const [role, ...numbers] = process.argv.slice(2);
if (role === "load") load(Number(numbers[0]), Number(numbers[1]));
else serve();
