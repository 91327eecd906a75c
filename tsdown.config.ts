import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/node.ts", "src/cli/main.ts"],
  format: "esm",
  // The files keep the names that package.json gives: index.js, not index.mjs.
  fixedExtension: false,
  target: "node20.9",
  dts: true,
  sourcemap: true,
});
