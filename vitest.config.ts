import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  // As the paths of tsconfig.json say.
  resolve: {
    alias: [
      { find: "#backend", replacement: source("runtime/backend.node.ts") },
      { find: /^dyconv$/, replacement: source("index.ts") },
      { find: "dyconv/node", replacement: source("node.ts") },
      { find: "dyconv/web", replacement: source("web.ts") },
      { find: "dyconv/web-training", replacement: source("web-training.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
  },
});
