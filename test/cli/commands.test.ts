import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { writeSafetensors } from "../../src/files/index.js";
import type { LayerPlan } from "../../src/inspect/plans.js";
import { run } from "./run.js";

/** Quick to open and to run. */
const SMALL = "test/cli/models/small-dy.ts";

describe("dyconv summary", () => {
  it.each([
    ["alexnet", 7_526_794, 7_525_418],
    ["alexnet-dy", 8_324_368, 8_322_992],
  ])("gives the numbers of %s as JSON", async (model, parameters, trainableParameters) => {
    const { code, stdout, stderr } = await run("summary", model, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ model, parameters, trainableParameters });
  });

  it("takes options of the dynamic convolutions", async () => {
    const { stdout } = await run("summary", "alexnet-dy", "--experts", "1", "--ratio", "32", "--json");
    const { layers } = JSON.parse(stdout) as { layers: { type: string; parameters: number }[] };
    const [first] = layers.filter(({ type }) => type === "DynamicConv2d");
    const hidden = 128 / 32;
    expect(first!.parameters).toBe(192 * 128 * 9 + 192 + (128 + 1) * hidden + (hidden + 1));
  });

  it("shows the plan of each dynamic layer for a batch, and what each plan would take", async () => {
    const { stdout } = await run("summary", "alexnet-dy", "--plans", "--batch-size", "1");
    expect(stdout).toMatch(/^layer +when +gradient by +plan +ms$/m);
    for (const layer of ["features.8", "features.11", "features.14"]) {
      expect(stdout).toMatch(new RegExp(`^${layer} +evaluating +[a-z-]+ +[\\d.]+$`, "m"));
      expect(stdout).toMatch(new RegExp(`^${layer} +training +[a-z-]+ +[\\d.]+$`, "m"));
    }
    for (const gradient of ["input", "experts", "attention"]) {
      expect(stdout.match(new RegExp(`^ +${gradient} +[a-z-]+ *$`, "gm"))).toHaveLength(3);
    }
    const { stdout: json } = await run("summary", "alexnet-dy", "--plans", "--plan", "mix-inputs", "--json");
    const { batchSize, plans } = JSON.parse(json) as { batchSize: number; plans: LayerPlan[] };
    expect(batchSize).toBe(64);
    const plan = "mix-inputs";
    const training = { output: plan, input: plan, experts: plan, attention: plan };
    const expected = [{ output: plan }, training];
    expect(plans.map(({ plans }) => plans)).toEqual([...expected, ...expected, ...expected]);
  });

  it("predicts nothing for a device on which nothing was measured", async () => {
    const { stdout } = await run("summary", "alexnet-dy", "--plans", "--device", "webgpu");
    expect(stdout).toMatch(/^features\.8 +training +mix-outputs +–$/m);
  });

  it("prints a table and totals", async () => {
    const { stdout } = await run("summary", "alexnet-dy");
    expect(stdout).toContain("DynamicConv2d");
    expect(stdout).toContain("8,324,368 (8,322,992 trainable)");
  });
});

describe("dyconv bench", () => {
  it("gives its figures as JSON", async () => {
    const { code, stdout } = await run(
      ...["bench", SMALL, "--batch-size", "2", "--steps", "1", "--threads", "1", "--json"],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: "small-dy", batchSize: 2, threads: 1 });
  });

  it("trains a model for the task that it is made for", async () => {
    const size = ["--batch-size", "1", "--steps", "1", "--threads", "1"];
    const { code, stdout, stderr } = await run("bench", "test/cli/models/small-pose.ts", ...size, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ model: "small-pose", batchSize: 1 });
    const sound = await run("bench", "dymn04", ...size);
    expect(sound.code).toBe(2);
    expect(sound.stderr).toContain('there is no task "tags of sounds"');
  });
});

describe("dyconv bench --profile", () => {
  it("lists operators and their types, and the share of the peak", async () => {
    const { code, stdout } = await run("bench", SMALL, "--profile", "--batch-size", "1", "--steps", "1");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^features\.\d+\.grad\/Conv\w* +Conv +[\d.]+ +[\d.]+% +[\d.]+ +[\d.]+$/m);
    expect(stdout).toMatch(/^Conv +\d+ +[\d.]+ +[\d.]+%/m);
    expect(stdout).toMatch(/[\d.]+% of the GFLOP\/s reached/);
  });

  it("leaves rewrites out, and says which", async () => {
    const flags = "--profile --batch-size 1 --steps 1 --threads 1 --json".split(" ");
    const names = ["fused-activations,keep-blocked", "pool-first"];
    const leftOut = names.flatMap((name) => ["--without-rewrites", name]);
    const { stdout } = await run("bench", "alexnet", ...flags, ...leftOut);
    const { withoutRewrites, operators } = JSON.parse(stdout) as {
      withoutRewrites: string[];
      operators: { name: string }[];
    };
    expect(withoutRewrites.toSorted()).toEqual(["fused-activations", "keep-blocked", "pool-first"]);
    // Otherwise pooling comes first, and the activation after it.
    expect(operators.map(({ name }) => name)).toContain("features.2/Relu");
  });

  it("says what is wrong with the temporary folder", async () => {
    vi.stubEnv("TMPDIR", "/nowhere");
    const { code, stderr } = await run("bench", "alexnet", "--profile", "--batch-size", "1", "--steps", "1");
    vi.unstubAllEnvs();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: the temporary folder \/nowhere cannot hold a profile: ENOENT\nhint: .*TMPDIR/,
    );
  });

  it("says that the disk is full, and leaves nothing there", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dyconv-"));
    // A limit on the size of files cuts them as a full disk does.
    const limited = ["-c", 'ulimit -f 8 && exec "$0" "$@"', process.execPath, "--import", "tsx"];
    const command = `src/cli/main.ts bench ${SMALL} --profile --batch-size 1 --steps 1 --threads 1`.split(
      " ",
    );
    const env = { ...process.env, TMPDIR: folder, TSX_DISABLE_CACHE: "1" };
    const { status, stdout, stderr } = spawnSync("sh", [...limited, ...command], { env, encoding: "utf8" });
    expect(stderr).toBe(
      `error: the temporary folder ${folder} cannot hold a profile: the profile was cut short\n` +
        "hint: Free some space there, or set TMPDIR to another folder.\n",
    );
    expect({ status, stdout, left: await readdir(folder) }).toEqual({ status: 1, stdout: "", left: [] });
    await rm(folder, { recursive: true });
  });

  it("says which device can do it", async () => {
    const { code, stderr } = await run("bench", "alexnet-dy", "--profile", "--device", "wasm");
    expect(code).toBe(1);
    expect(stderr).toMatch(/operators cannot be timed on "wasm"[\s\S]*hint: .*"cpu"/);
  });
});

describe("dyconv parity", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-parity-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Cross entropy of equal logits of two classes is ln 2. */
  async function writeIndex(loss: number): Promise<string> {
    const tensors = { logits: [1, 2], target: [1], loss: [] };
    await writeSafetensors(join(folder, "loss.safetensors"), {
      logits: { dtype: "float32", shape: tensors.logits, data: new Float32Array(2) },
      target: { dtype: "int64", shape: tensors.target, data: new BigInt64Array(1) },
      loss: { dtype: "float32", shape: tensors.loss, data: Float32Array.of(loss) },
    });
    const index = join(folder, "index.json");
    const options = { labelSmoothing: 0 };
    await writeFile(
      index,
      JSON.stringify({ cases: [{ file: "loss.safetensors", tolerance: 1e-5, options, tensors }] }),
    );
    return index;
  }

  it("exits with 0 where all cases pass", async () => {
    const { code, stdout } = await run("parity", await writeIndex(Math.LN2));
    expect(code).toBe(0);
    expect(stdout).toContain("1 of 1 cases passed");
  });

  it("checks without rewrites", async () => {
    const index = await writeIndex(Math.LN2);
    const { code, stdout } = await run("parity", index, "--without-rewrites", "all");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("1 of 1 cases") });
  });

  it("exits with 1 where a case is off", async () => {
    const { code, stdout } = await run("parity", await writeIndex(1), "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ passed: false, cases: [{ file: "loss.safetensors" }] });
  });

  it("says what is wrong with an index, and what to do", async () => {
    const { code, stderr } = await run("parity", join(folder, "none.json"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: .*none\.json is no index[\s\S]*hint: /);
  });
});
