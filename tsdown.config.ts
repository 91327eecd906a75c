import { fileURLToPath } from "node:url";
import type { UserConfig } from "tsdown";

const shared: UserConfig = {
  format: "esm",
  // The files keep the names that package.json gives: index.js, not index.mjs.
  fixedExtension: false,
  sourcemap: true,
};

const forNode: UserConfig = {
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
};

/** What the paths of tsconfig.json call `#backend` is node's. */
const BROWSER = fileURLToPath(new URL("src/runtime/backend.browser.ts", import.meta.url));

/** Files that need no other, so that a page without a bundler can load them. */
const forPages: UserConfig = {
  ...shared,
  platform: "browser",
  target: "es2022",
  plugins: [
    {
      name: "browser-backend",
      resolveId: { filter: { id: /^#backend$/ }, handler: () => BROWSER },
    },
  ],
  clean: false,
};

const web: UserConfig = {
  ...forPages,
  entry: ["src/web.ts"],
  dts: true,
  deps: { neverBundle: [/^onnxruntime-web\//] },
};

const training: UserConfig = {
  ...forPages,
  entry: ["src/web-training.ts"],
  dts: true,
  deps: { alwaysBundle: ["modern-tar"], onlyBundle: false },
};

/** A page's import map is not its worker's, which therefore brings everything along. */
const worker: UserConfig = {
  ...forPages,
  entry: { "web-training-worker": "src/web-training/worker.ts" },
  dts: false,
  // Errors and layers are told by the names of their classes.
  minify: { mangle: { keepNames: { class: true, function: false } } },
  deps: { alwaysBundle: [/./], onlyBundle: false },
  outputOptions: { codeSplitting: false },
};

export default [forNode, web, training, worker] as const;
