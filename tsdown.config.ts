import { fileURLToPath } from "node:url";
import { defineConfig } from "tsdown";

const shared = {
  format: "esm",
  // The files keep the names that package.json gives: index.js, not index.mjs.
  fixedExtension: false,
  sourcemap: true,
} as const;

/** What the paths of tsconfig.json call `#backend` is node's. */
const BROWSER = fileURLToPath(new URL("src/runtime/backend.browser.ts", import.meta.url));

export default defineConfig([
  {
    ...shared,
    entry: [
      "src/index.ts",
      "src/node.ts",
      "src/cli/main.ts",
      "src/runtime/backend.node.ts",
      "src/runtime/backend.browser.ts",
    ],
    target: "node20.9",
    // The types of what users import; with the other entries' files, ours would be called Tensor$1.
    dts: { entry: ["src/index.ts", "src/node.ts"] },
    // Whoever loads or bundles the package resolves it, by the conditions of package.json's `imports`.
    deps: { neverBundle: ["#backend"] },
  },
  {
    ...shared,
    // One file for pages, so that a page without a bundler can load it.
    entry: ["src/web.ts"],
    platform: "browser",
    target: "es2022",
    dts: true,
    plugins: [{ name: "browser-backend", resolveId: (name) => (name === "#backend" ? BROWSER : undefined) }],
    deps: { neverBundle: [/^onnxruntime-web\//] },
    clean: false,
  },
]);
