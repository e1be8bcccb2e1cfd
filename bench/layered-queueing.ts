/**
 * The layered solver against the discrete-event simulator of the same models: relative errors of throughput and of
 * response time over random networks.
 *
 *   npm run bench:layered -- [--networks 50] [--first-seed 1] [--seconds 600]
 */
import { parseArgs } from "node:util";
import { solveLayered } from "../src/analysis/layered-queueing.ts";
import { randomLayeredModel, simulateLayered } from "../src/testing/layered-simulator.ts";

const { values } = parseArgs({
  options: {
    networks: { type: "string", default: "50" },
    "first-seed": { type: "string", default: "1" },
    seconds: { type: "string", default: "600" },
  },
});
const errors = { throughput: [] as number[], response: [] as number[] };
const cpu = { solved: 0, played: 0 };
let unsettled = 0;
const first = Number(values["first-seed"]);
for (let seed = first; seed < first + Number(values.networks); seed++) {
  const model = randomLayeredModel(seed);
  const before = process.cpuUsage();
  const solved = solveLayered(model);
  const between = process.cpuUsage(before);
  const played = simulateLayered(model, { seed, seconds: Number(values.seconds) });
  const after = process.cpuUsage(before);
  cpu.solved += between.user / 1e6;
  cpu.played += (after.user - between.user) / 1e6;
  if (!solved.converged) unsettled++;
  played.throughput.forEach((x, i) => {
    errors.throughput.push(Math.abs(solved.throughput[i]! / x - 1));
    errors.response.push(Math.abs(solved.responseS[i]! / played.responseS[i]! - 1));
  });
}
for (const [name, of] of Object.entries(errors)) {
  of.sort((a, b) => a - b);
  const at = (p: number): string => `${(100 * of[Math.ceil(p * of.length) - 1]!).toFixed(2)} %`;
  const mean = `${((100 * of.reduce((a, b) => a + b, 0)) / of.length).toFixed(2)} %`;
  console.log(
    `${name}: mean error ${mean}, median ${at(0.5)}, p90 ${at(0.9)}, largest ${at(1)} of ${of.length} sources`,
  );
}
console.log(
  `${unsettled} networks did not settle; CPU ${cpu.solved.toFixed(1)} s solved, ${cpu.played.toFixed(1)} s played`,
);
