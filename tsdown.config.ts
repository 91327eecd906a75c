import { defineConfig } from "tsdown";

export default defineConfig({
  entry: [
    "src/index.ts",
    "src/node.ts",
    "src/cli/main.ts",
    "src/runtime/backend.node.ts",
    "src/runtime/backend.browser.ts",
  ],
  format: "esm",
  // The files keep the names that package.json gives: index.js, not index.mjs.
  fixedExtension: false,
  target: "node20.9",
  // The types of what users import; with the other entries' files, ours would be called Tensor$1.
  dts: { entry: ["src/index.ts", "src/node.ts"] },
  sourcemap: true,
  // Whoever loads or bundles the package resolves it, by the conditions of package.json's `imports`.
  deps: { neverBundle: ["#backend"] },
});
