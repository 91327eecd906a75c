import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "#backend": new URL("src/runtime/backend.node.ts", import.meta.url).pathname } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
  },
});
