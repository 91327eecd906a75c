import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeRun } from "../../src/runs/description.js";
import { writeShapeFolder } from "../runs/shape-folder.js";
import { run as dyconv } from "./run.js";

const FLAGS = "--epochs 1 --batch-size 8 --limit-train 16 --limit-val 8 --lr 0.01 --threads 2".split(" ");

const [DYNAMIC, STATIC] = ["test/cli/models/small-dy.ts", "test/cli/models/small.ts"] as const;

/** A comparison of both models that was cut before the end of its first run. */
let folder: string;
const dynamic = () => join(folder, "small-dy");
const compare = (...flags: readonly string[]) =>
  dyconv("compare", DYNAMIC, STATIC, "--out", folder, ...flags);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
  const data = await writeShapeFolder(join(folder, "data"), { train: 40, test: 80 });
  await compare("--data", data, "--experts", "3", "--max-steps", "1", ...FLAGS);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("dyconv compare", () => {
  it("does not touch a run that is there already", async () => {
    const { code, stderr } = await compare(...FLAGS);
    expect(code).toBe(1);
    expect(stderr).toMatch(/small-dy already holds a run[\s\S]*hint: continue the comparison with --resume/);
    expect(stderr).not.toContain("training");
  });

  it("goes on with --resume, and gives table and report; then the curves can be drawn in one", async () => {
    const { code, stdout, stderr } = await compare("--resume");
    expect(stderr.match(/^epoch 1\/1 /gm)).toHaveLength(2);
    expect(code).toBe(0);
    expect(stdout).toContain("small-dy");
    expect(stdout).toContain("3,014");
    const [first, second] = await Promise.all([describeRun(dynamic()), describeRun(join(folder, "small"))]);
    expect(first.config.modelOptions.experts).toBe(3);
    const { modelOptions: _, ...others } = first.config;
    expect(second.config).toMatchObject({ ...others, model: "small", modelOptions: {} });
    const report = await readFile(join(folder, "report.html"), "utf8");
    expect(report).toContain("small-dy against small");
    expect(report).toContain("onnxruntime-node");
    expect(stdout).toMatch(/^seed +small-dy +small +difference/m);
    for (const part of ["Comparison on the test images", "Confusion of small-dy", "Accuracy by class"]) {
      expect(report).toContain(part);
    }

    expect((await dyconv("plot", dynamic(), join(folder, "small"), "--out", folder)).code).toBe(0);
    const curves = await readFile(join(folder, "curves-accuracy.svg"), "utf8");
    for (const name of ["small-dy", "small"]) expect(curves).toContain(`${name} validation`);
  }, 180_000);
});

describe("dyconv compare with a run", () => {
  it("trains the model like the run, makes the folder, and names two runs of one model apart", async () => {
    const out = join(folder, "new", "place");
    const { code, stderr, stdout } = await dyconv("compare", dynamic(), DYNAMIC, "--out", out);
    expect(stderr).toContain(`, with the recipe and data of ${dynamic()}`);
    expect(code).toBe(0);
    const [run, model] = await Promise.all([describeRun(dynamic()), describeRun(join(out, "small-dy"))]);
    expect(model.config).toEqual(run.config);
    expect(stdout).toContain("place/small-dy (small-dy)");
    const report = await readFile(join(out, "report.html"), "utf8");
    expect(report).not.toContain("Published");
    expect(report).toContain("place/small-dy validation");
  }, 180_000);

  it("refuses options that would make the model incomparable, or do nothing", async () => {
    const out = join(folder, "other");
    const data = await dyconv("compare", dynamic(), STATIC, "--out", out, "--limit-val", "4");
    expect(data.code).toBe(2);
    expect(data.stderr).toContain("was trained with --limit-val 8, not 4");
    const two = await dyconv(
      "compare",
      dynamic(),
      join(folder, "small"),
      "--out",
      out,
      "--lr",
      "0.1",
      "--epochs",
      "2",
    );
    expect(two.code).toBe(2);
    expect(two.stderr).toContain("two runs are compared as they are, so --lr, --epochs would have no effect");
    const same = await dyconv("compare", dynamic(), `${dynamic()}/`, "--out", out);
    expect(same.stderr).toContain("both sides of the comparison are the same");
  });

  it("is refused where the data has other classes", async () => {
    const images = join(folder, "images");
    for (const part of ["train", "test"]) {
      for (const name of ["one", "two"]) {
        await mkdir(join(images, part, name), { recursive: true });
        const image = sharp({ create: { width: 32, height: 32, channels: 3, background: "red" } });
        await image.png().toFile(join(images, part, name, "a.png"));
      }
    }
    const { code, stderr } = await dyconv("eval", dynamic(), "--data", images);
    expect(code).toBe(1);
    expect(stderr).toMatch(/has other classes than the run was trained on: 2, not 10; class 0 is "one", not/);
  });
});

describe("a run", () => {
  it("is evaluated", async () => {
    const { stdout, stderr } = await dyconv("eval", dynamic(), "--json");
    const { accuracy, loss, ...others } = JSON.parse(stdout) as { accuracy: number; loss: number };
    expect(others).toMatchObject({ annealed: { temperature: 30 } });
    expect(stderr).toBe("temperature 30 (the checkpoint's)\n");
    expect(accuracy).toBeGreaterThanOrEqual(0);
    expect(loss).toBeGreaterThan(0);
  });

  it("classifies files, whose folders name their true class", async () => {
    const paths = [join(folder, "star", "red.png"), join(folder, "red.png")];
    await mkdir(join(folder, "star"));
    const red = sharp({ create: { width: 40, height: 30, channels: 3, background: "red" } }).png();
    for (const path of paths) await red.toFile(path);
    const { stdout } = await dyconv("predict", dynamic(), ...paths, "--json");
    const predictions = JSON.parse(stdout) as { image: string; truth?: string; classes: unknown[] }[];
    expect(predictions.map(({ image }) => image)).toEqual(paths);
    expect(predictions.map(({ truth }) => truth)).toEqual(["star", undefined]);
    expect(predictions[0]!.classes).toHaveLength(5);
    expect(predictions[0]!.classes).toEqual(predictions[1]!.classes);
  });

  it("classifies the files that can be read, says which cannot, and fails", async () => {
    const broken = join(folder, "star", "broken.png");
    await writeFile(broken, "no png");
    const readable = join(folder, "star", "red.png");
    const { code, stdout, stderr } = await dyconv("predict", dynamic(), broken, readable, folder, "--json");
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as { image: string }[]).map(({ image }) => image)).toEqual([readable]);
    expect(stderr).toContain(`${broken}: the image cannot be read (its content is none of PNG, JPEG, WebP)`);
    expect(stderr).toContain(`${folder}: the image cannot be read (a folder, expected a file)`);
    expect(stderr).not.toMatch(/[Dd]elete/);

    const none = await dyconv("attention", dynamic(), broken);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("none of the images could be read");
  });

  it("classifies test images, and draws them in a row of 18", async () => {
    const grid = join(folder, "grid.png");
    const { stdout } = await dyconv("predict", dynamic(), "--from-test", "18", "--grid", grid);
    expect(stdout.match(/^test \d+, truly \w+$/gm)).toHaveLength(18);
    const { format, width, height } = await sharp(grid).metadata();
    expect(format).toBe("png");
    expect(width).toBeGreaterThan(10 * height);

    const columns = join(folder, "new", "grid.png");
    await dyconv("predict", dynamic(), "--from-test", "4", "--grid", columns, "--columns", "2");
    const narrow = await sharp(columns).metadata();
    expect(narrow.width).toBeLessThan(narrow.height);
    expect((await dyconv("predict", dynamic(), "--from-test", "4", "--columns", "2")).code).toBe(2);
  });

  it("shows its attention: a table, a figure, and each image's as JSON", async () => {
    const plot = join(folder, "attention.svg");
    const { stdout } = await dyconv("attention", dynamic(), "--from-test", "2", "--plot", plot);
    expect(stdout).toMatch(/^features\.4 +(0\.\d{3} ?){3} +[01]\.\d{3} +0\.\d{3} +(uniform|mixed|one-hot)$/m);
    expect(stdout.match(/^test \d+ +features\.0 /gm)).toHaveLength(2);
    expect(await readFile(plot, "utf8")).toContain("features.2");

    const out = join(dynamic(), "attention");
    const all = await dyconv("attention", dynamic(), "--from-test", "70", "--json", "--out", out);
    expect(all.stderr).toMatch(/wrote attention\.json, .*, kernels-features\.4\.svg/);
    expect((await readFile(join(out, "images-features.0.png"))).subarray(1, 4).toString()).toBe("PNG");
    expect(await readFile(join(out, "by-class.svg"), "utf8")).toContain("Attention by class");
    const { layers } = JSON.parse(all.stdout) as { layers: { samples: number[][] }[] };
    expect(layers).toHaveLength(3);
    for (const { samples } of layers) {
      expect(samples).toHaveLength(70);
      for (const shares of samples) expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
    }

    const ablated = await dyconv("attention", dynamic(), "--ablate", "--from-test", "8", "--out", out);
    expect(ablated.stderr).toContain("wrote ablation.json");
    const { stdout: path } = await dyconv("report", dynamic());
    const report = await readFile(path.trim(), "utf8");
    for (const part of ["Entropy of the attention", "Use of the experts", "Attention by class"]) {
      expect(report).toContain(`<title>${part}</title>`);
    }
    expect(report).toContain("Accuracy with attention replaced, on 8 images");
    await writeFile(join(out, "attention.json"), '{"images": 3}');
    const damaged = await dyconv("report", dynamic());
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toMatch(
      /attention\.json was not written by dyconv attention[\s\S]*hint: write it again/,
    );
  }, 120_000);

  it("of a model without dynamic convolutions has no attention", async () => {
    const { code, stderr } = await dyconv("attention", join(folder, "small"));
    expect(code).toBe(2);
    expect(stderr).toContain("small has no dynamic convolutions");
  });
});

it("says what to do where there is no run", async () => {
  const { code, stderr } = await dyconv("eval", join(folder, "nothing"));
  expect(code).toBe(1);
  expect(stderr).toMatch(/holds no run[\s\S]*hint: give the folder/);
});
