#!/usr/bin/env node
import { keepCompiled } from "./compile-cache.ts";

keepCompiled(process.env);
// Only now, so that they come out of what is kept.
const [{ runCommandLine }, { processTerminal }] = await Promise.all([import("./run.ts"), import("./terminal.ts")]);

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
