import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");

let project = "";

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "dyconv-rooms-"));
  cpSync("biome.json", join(project, "biome.json"));
  cpSync("scripts/rooms.grit", join(project, "scripts/rooms.grit"));
});

afterAll(() => rmSync(project, { recursive: true }));

function lint(files: readonly (readonly [path: string, code: string])[]): string {
  for (const [path, code] of files) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), `${code}\n`);
  }
  const options = [
    "--vcs-enabled=false",
    "--max-diagnostics=none",
    "--reporter=github",
    "--skip=correctness",
  ];
  const run = spawnSync(process.execPath, [biome, "lint", ...options, "."], {
    cwd: project,
    encoding: "utf8",
  });
  for (const [path] of files) rmSync(join(project, path));
  return run.stdout + run.stderr;
}

const forbidden = [
  ["src/util/a.ts", 'export * from "../ir/x.js";'],
  ["src/errors/a.ts", 'export * from "../util/x.js";'],
  ["src/ir/a.ts", 'export * from "../ops/x.js";'],
  ["src/ir/b.ts", 'export { value } from "../onnx/x.js";'],
  ["src/ops/a.ts", 'export * from "../nn/x.js";'],
  ["src/nn/dynamic/a.ts", 'import "../../cli/x.js";'],
  ["src/nn/a.ts", 'export const lazy = () => import("../train/x.js");'],
  ["src/nn/b.ts", 'export type A = import("../train/x.js").A;'],
  ["src/nn/c.ts", 'import "../index.js";'],
  ["src/nn/d.ts", 'import "dyconv";'],
  ["src/models/a.ts", 'import "node:fs";'],
  ["src/models/b.ts", 'import "sharp";'],
  ["src/models/c.ts", "process.exit();"],
  ["src/train/a.ts", 'import "onnxruntime-node";'],
  ["src/train/b.ts", 'import "../cli/x.js";'],
  ["src/train/c.ts", 'import "../compare/x.js";'],
  ["src/runs/a.ts", 'import "../train/x.js";'],
  ["src/weights/a.ts", 'import "../runs/x.js";'],
  ["src/infer/a.ts", 'import "../train/x.js";'],
  ["src/parity/a.ts", 'import "../infer/x.js";'],
  ["src/report/text/a.ts", 'import "../drawing/x.js";'],
  ["src/report/drawing/a.ts", 'import "../figures/x.js";'],
  ["src/report/figures/a.ts", 'import "../page/x.js";'],
  ["src/report/page/a.ts", 'import "../../runs/x.js";'],
  ["src/cli/terminal/a.ts", 'import "../flags/x.js";'],
  ["src/cli/flags/a.ts", 'export const lazy = () => import("../training/x.js");'],
  ["src/cli/tables/a.ts", 'import type { A } from "../flags/x.js";'],
  ["src/cli/training/a.ts", 'import "../commands/x.js";'],
  ["src/web/a.ts", 'import "../nn/x.js";'],
  ["src/web/b.ts", 'import "node:fs";'],
  ["src/web-training/a.ts", 'import "../cli/x.js";'],
  ["src/web-training/b.ts", 'import "node:fs";'],
  ["src/index.ts", 'import "node:fs";'],
  ["examples/a.ts", 'import "../src/index.js";'],
] as const;

const allowed = [
  ["src/ir/a.ts", 'export type { OnnxBuilder } from "../onnx/builder.js";'],
  ["src/ops/a.ts", 'import "../ir/x.js";'],
  [
    "src/nn/dynamic/a.ts",
    'import "../../ops/x.js";\nimport "../x.js";\nimport "./x.js";\nimport "../../util/x.js";',
  ],
  ["src/runtime/a.ts", 'import "onnxruntime-node";\nimport "node:fs";'],
  ["src/train/a.ts", 'import "../report/x.js";\nimport "node:fs";'],
  ["src/train/b.ts", 'import "../infer/x.js";\nimport "../runs/x.js";'],
  ["src/inspect/a.ts", 'import "../train/x.js";\nimport "../infer/x.js";'],
  ["src/cli/a.ts", 'import "../train/x.js";\nimport "./commands/x.js";'],
  ["src/report/index.ts", 'import "./page/x.js";'],
  ["src/web/a.ts", 'import "../runtime/x.js";\nimport "../ship/x.js";'],
  ["src/web-training/a.ts", 'import "../train/x.js";'],
  ["src/report/page/a.ts", 'import "../figures/x.js";\nimport "../text/x.js";\nimport "../../errors/x.js";'],
  ["src/cli/training/a.ts", 'import "../flags/x.js";\nimport "../failed.js";\nimport "../../train/x.js";'],
  ["src/cli/commands/a.ts", 'import "../tables/x.js";\nimport "../training/x.js";'],
  ["examples/a.ts", 'import "dyconv";'],
] as const;

it("refuses what a room may not import", () => {
  const found = lint(forbidden);
  for (const [path] of forbidden) expect(found).toContain(`/${path},line=1`);
});

it("accepts what a room may import", () => {
  expect(lint(allowed)).not.toMatch(/::(error|warning|notice)/);
});
