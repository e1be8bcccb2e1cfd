/**
 * Which layer may import which, as data: `check-imports.ts` holds the sources
 * against it, and ARCHITECTURE.md draws it. A layer may always import itself.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "src/model": [],
  "src/analysis": ["src/model"],
  "src/formats": ["src/model"],
  "src/store": ["src/model"],
  "src/engine": ["src/model", "src/analysis", "src/formats"],
  // Open-loop load and what a system sends meanwhile; shared by the command line and the lab.
  "src/load": ["src/model", "src/analysis"],
  "src/ingest": ["src/model", "src/formats"],
  "src/server": ["src/model", "src/analysis", "src/formats", "src/engine", "src/ingest", "src/store", "src/web"],
  // What a host tells of its processes: nothing here knows what it means, and nothing stores it.
  // Of the analysis it needs the normal form of statements: literals do not leave the host.
  "src/agent": ["src/model", "src/analysis", "src/formats"],
  // Loaded into programs that are looked at: small, and none of what it sends to is here.
  "src/node": ["src/model", "src/formats"],
  // Views in the browser; the command line and the server put its built files into pages.
  "src/ui": ["src/model", "src/analysis"],
  // The built UI as files: a page of one file, and what the server hands out.
  "src/web": ["src/model"],
  // The composition root; of the lab it knows only how to start it (docs/adr/0010-the-lab-within-the-package.md).
  "src/cli": [
    "src/model",
    "src/analysis",
    "src/formats",
    "src/engine",
    "src/load",
    "src/ingest",
    "src/store",
    "src/server",
    "src/agent",
    "src/web",
    "src/lab",
  ],
  // Of the agent it takes recordings of its own processes, and the look into its database.
  "src/lab": ["src/model", "src/analysis", "src/formats", "src/engine", "src/load", "src/agent"],
  "src/testing": ["src/model"],
  bench: [
    "src/model",
    "src/analysis",
    "src/formats",
    "src/engine",
    "src/ingest",
    "src/store",
    "src/server",
    "src/load",
    "src/agent",
    "src/lab",
    "src/web",
    "src/testing",
  ],
  e2e: ["src/model", "src/formats", "src/ingest", "src/store", "src/agent", "src/lab", "src/testing", "src/ui"],
  scripts: ["src/testing", "src/ui"],
};

/** What a `*.test.ts` may import on top of what its layer may. */
export const TESTS_MAY_IMPORT: readonly string[] = ["src/testing", "src/model"];

/**
 * Tests that take a road across the layers on purpose: the test of a layer's
 * helper for tests may use the layer it helps.
 */
export const TEST_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "src/testing": ["src/analysis", "src/formats", "src/engine"],
};

/** Modules that a tool loads by their default export, and cannot load otherwise. */
export const DEFAULT_EXPORTS: readonly string[] = ["scripts/second-tries.ts"];
