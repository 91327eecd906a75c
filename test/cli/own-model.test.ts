import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const require = createRequire(import.meta.url);

let folder: string;
let commands: string[];
let script: string;

/** The code of docs/own-model.md, in a folder that knows nothing of this package. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-own-"));
  const text = await readFile(join(ROOT, "docs/own-model.md"), "utf8");
  const block = (language: string) => new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(text)![1]!;
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "my-model.js"), block("js"));
  commands = block("sh").trim().split("\n");
  script = block("ts");
  await writeFile(join(folder, "train.ts"), script);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function node(...args: readonly string[]) {
  // As `npx tsx` in the repository: from sources, in any folder.
  const env = { ...process.env, TSX_TSCONFIG_PATH: join(ROOT, "tsconfig.json") };
  const loader = ["--import", require.resolve("tsx")];
  return spawnSync(process.execPath, [...loader, ...args], { cwd: folder, env, encoding: "utf8" });
}

const dyconv = (command: string) =>
  node(join(ROOT, "src/cli/main.ts"), ...command.replace(/^dyconv /, "").split(" "));

describe("docs/own-model.md", () => {
  it("shows commands that work as they stand", async () => {
    const [help, summary, train, evaluate, attention] = commands.map(dyconv);
    for (const { status, stderr } of [help!, summary!, train!, evaluate!, attention!]) {
      expect({ status, stderr }).toMatchObject({ status: 0 });
    }
    expect(help!.stdout).toMatch(
      /Options of tiny-dy:\n(.*\n)*.*--width <n> +channels of the first convolution/,
    );
    expect(help!.stdout).toContain("--expert-init <name>");
    expect(summary!.stdout).toContain("width 32");
    expect(evaluate!.stdout).toMatch(/^top-1 +0\.\d+/m);
    expect(attention!.stdout).toMatch(/^4 .*(uniform|mixed|one-hot)$/m);

    const config = JSON.parse(await readFile(join(folder, "runs/tiny/config.json"), "utf8")) as object;
    expect(config).toMatchObject({
      model: "tiny-dy",
      modelOptions: { width: 24, experts: 2, routing: "softmax" },
      modelFile: { path: join(folder, "my-model.js"), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  }, 180_000);

  it("shows a program that works as it stands", () => {
    const { status, stdout, stderr } = node("train.ts");
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/^trained for 10 steps\nloss \d+\.\d{3}\n$/);
  }, 120_000);
});

describe("a run of one's own model", () => {
  it("says so where the file has changed since, and where it is gone", async () => {
    const path = join(folder, "my-model.js");
    const text = await readFile(path, "utf8");
    await writeFile(path, `${text}\n// Another comment.\n`);
    const changed = dyconv("dyconv eval runs/tiny");
    expect(changed).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("my-model.js has changed since"),
    });
    const flags = "--data shapes --epochs 2 --batch-size 16 --resume --max-steps 1";
    const resumed = dyconv(`dyconv train ./my-model.js --out runs/tiny ${flags}`);
    expect(resumed.stderr).toMatch(/warning: .*my-model\.js has changed since the run began/);

    await rm(path);
    const gone = dyconv("dyconv eval runs/tiny");
    expect(gone.status).toBe(1);
    expect(gone.stderr).toMatch(/error: the model of the run cannot be loaded: .*no such file\nhint: /);
    await writeFile(path, text);
  }, 120_000);

  it("is not loaded from beside the run, which may come from anyone", async () => {
    await cp(join(folder, "runs/tiny"), join(folder, "other"), { recursive: true });
    const path = join(folder, "other/config.json");
    const config = JSON.parse(await readFile(path, "utf8")) as { modelFile: { path: string } };
    config.modelFile.path = "./my-model.js";
    await writeFile(path, JSON.stringify(config));
    expect(dyconv("dyconv eval other")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("not an absolute path"),
    });
  });
});

/** Files that are no models, and what must be said of them. */
const NO_MODELS: readonly (readonly [name: string, text: string | undefined, message: string])[] = [
  ["nothing.js", "", "nothing.js: exports no model"],
  ["broken.js", "export default (", "broken.js: the module cannot be loaded"],
  [
    "bare.js",
    'import { defineModel, z } from "dyconv"; export default defineModel({ name: "bare", imageSize: 32, options: z.strictObject({ width: z.int() }) });',
    "bare: its option width has no default",
  ],
  [
    "clash.js",
    'import { defineModel, z } from "dyconv"; export default defineModel({ name: "clash", imageSize: 32, options: z.strictObject({ epochs: z.int().default(1).describe("x") }) });',
    "clash: its option epochs has the flag --epochs, which the command already has",
  ],
  [
    "same.ts",
    'import { alexnet, defineModel, z } from "dyconv"; const size: number = 128; export default defineModel({ name: "alexnet", summary: "", imageSize: size, options: z.strictObject({}), create: alexnet });',
    "same.ts: its model has the name of a registered model, alexnet",
  ],
  ["none.js", undefined, "./bad/none.js: no such file"],
];

/** Calls the command line for each of its arguments, in one process: starting one takes longer than all of them. */
const TRY_ALL = `
import { runCommandLine } from ${JSON.stringify(join(ROOT, "src/cli/program.ts"))};
const results = {};
for (const path of process.argv.slice(2)) {
  let stderr = "";
  const silent = { width: 80, colour: false, live: false, out: () => {}, draw: () => {} };
  const terminal = { ...silent, err: (text) => { stderr += text; } };
  const status = await runCommandLine(["train", path, "--out", "runs/bad"], terminal);
  results[path] = { status, stderr };
}
console.log(JSON.stringify(results));
`;

describe("a file that is no model", () => {
  const path = (name: string) => `./bad/${name}`;
  let results: Readonly<Record<string, { readonly status: number; readonly stderr: string }>>;
  beforeAll(async () => {
    await mkdir(join(folder, "bad"), { recursive: true });
    for (const [name, text] of NO_MODELS) {
      if (text !== undefined) await writeFile(join(folder, "bad", name), text);
    }
    await writeFile(join(folder, "try-all.mts"), TRY_ALL);
    results = JSON.parse(node("try-all.mts", ...NO_MODELS.map(([name]) => path(name))).stdout);
  });

  it.each(NO_MODELS)("is refused: %s", (name, _, message) => {
    const { status, stderr } = results[path(name)]!;
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});
