import { defineConfig } from "vite";

/** The web UI: one script and one style sheet, so that a page in one file can hold them (src/web/page-html.ts). */
export default defineConfig({
  root: "src/ui",
  base: "./",
  build: {
    outDir: "../../dist/ui",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      output: {
        entryFileNames: "ui.js",
        assetFileNames: "ui[extname]",
        codeSplitting: false,
      },
    },
  },
});
