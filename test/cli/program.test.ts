import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands/index.js";
import { run, runAt } from "./run.js";

describe("dyconv", () => {
  it("prints help with examples and exit codes", async () => {
    const { code, stdout, stderr } = await run("--help");
    expect(code).toBe(0);
    expect(stdout).toContain("Examples:");
    expect(stdout).toContain("Exit codes:");
    expect(stderr).toBe("");
  });

  it.each([60, 80, 120])("prints help that fits a terminal of %i columns", async (width) => {
    const { stdout: overview } = await runAt(width, "--help");
    const names = [...overview.matchAll(/^ {2}([a-z]+) .*\[options\]/gm)].map(([, name]) => name!);
    expect(names).toHaveLength(COMMANDS.length);
    for (const name of names) {
      const { stdout } = await runAt(width, name, "--help");
      const tooLong = stdout.split("\n").filter((line) => [...line].length > width);
      expect(tooLong).toEqual([]);
    }
  });

  it("names the models that an option is for in short", async () => {
    const { stdout } = await run("train", "--help");
    expect(stdout).toContain("\nOptions of alexnet…, vgg…, resnet…, mobilenet…, efficientnet…, pose…:\n");
    expect(stdout).toContain("\nOptions of alexnet-dy:\n");
    expect(stdout).toMatch(/\(default:\s+256 for pose-resnet18; else 64\)/);
  });

  it("breaks the examples of help so that they can be copied", async () => {
    const { stdout } = await runAt(60, "train", "--help");
    expect(stdout).toContain(
      "  $ dyconv train runs/dy --new-head --data my-images --out \\\n      runs/fine-tuned\n",
    );
  });

  it("prints its version", async () => {
    expect(await run("--version")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  it.each([
    [["sumary", "alexnet"], "Did you mean summary?"],
    [["summary", "alexnet", "--jsn"], "Did you mean --json?"],
    [["summary", "alexnet-dyn"], "hint: did you mean alexnet-dy?"],
    [["summary", "constructor"], "alexnet-dy, vgg11, "],
    [["bench", "alexnet", "--device", "cuba"], "did you mean cuda?"],
    [["bench", "alexnet", "--steps", "0"], "a whole number of at least 1"],
    [["bench", "alexnet", "--without-rewrites", "pool-frist"], "hint: did you mean pool-first?"],
    [["bench", "alexnet", "--profile", "--without-rewrites", "x"], "hint: all disables every one"],
    [["parity", "x.json", "--without-rewrites", "all,x"], 'no rewrite "x", only pool-first, '],
    [["train", "alexnet-dx", "--out", "x"], "hint: did you mean alexnet-dy?"],
    [["train", "alexnet-dy", "--out", "x", "--schedule", "cosin"], "did you mean cosine?"],
    [["train", "alexnet-dy", "--out", "x", "--optimizer", "lion"], "choose from sgd, adam, adamw"],
    [["train", "alexnet-dy", "--out", "x", "--milestones", "30,x"], "it must be a number"],
    [
      ["train", "alexnet-dy", "--out", "x", "--schedule", "cosine", "--milestones", "30,60"],
      "error: the schedule cosine has no milestones\nhint: remove --milestones, or use --schedule multi-step",
    ],
    [
      ["train", "alexnet-dy", "--out", "x", "--router", "block"],
      "alexnet-dy has no option --router\nhint: Its options: --experts,",
    ],
    [["compare", "alexnet", "alexnet", "--out", "x"], "both sides of the comparison are the same"],
    [["summary", "alexnet", "--plan", "auto"], "alexnet has no option --plan"],
    [["predict", "run"], "either image files or --from-test"],
    [["predict", "run", "a.png", "--from-test", "18"], "either image files or --from-test"],
    [["eval", "run", "--temperature", "0"], "it must be a number above 0"],
    [["predict", "run", "a.png", "--temperature", "-1"], "it must be a number above 0"],
    [["predict", "run", "a.png", "--grid", "out.jpg"], "the file name must end in .png"],
    [["train", "alexnet", "--out", ""], "it must name a folder"],
    [["plot", "run", "--out", " "], "it must name a folder"],
    [["train", "alexnet", "--out", "x", "--learning-rate", "1"], "(Did you mean --lr?)"],
    [["train", "alexnet", "--out", "x", "--weight_decay", "1"], "(Did you mean --weight-decay?)"],
    [["train", "alexnet", "--out", "x", "--warmup", "1"], "(Did you mean --warm-up?)"],
    [["train", "alexnet", "--out", "x", "--opt", "sgd"], "(Did you mean --optimizer?)"],
    [["train", "alexnet", "--out", "x", "--epoch", "3"], "(Did you mean --epochs?)"],
    [["bench", "alexnet", "--workers", "2"], "(Did you mean --threads?)"],
    [["train", "alexnet", "--out", "x", "--lr", "-1"], "--lr must be more than 0, not -1"],
    [["train", "alexnet", "--out", "x", "--seed", "1.5"], "--seed must be a whole number, not 1.5"],
    [["train", "alexnet-dy", "--out", "x", "--ratio", "-1"], "--ratio must be at least 0.0625, not -1"],
    [["train", "alexnet-dy", "--out", "x", "--ratio", "1e-9"], "--ratio must be at least 0.0625, not 1e-9"],
    [["train", "alexnet-dy", "--out", "x", "--experts", "300"], "--experts must be at most 64, not 300"],
    [["summary", "alexnet-dy", "--experts", "1000000"], "--experts must be at most 64, not 1000000"],
    [["train", "alexnet", "--out", "x", "--dropout", "1"], "--dropout must be less than 1, not 1"],
    [["train", "alexnet", "--out", "x", "--batch-size", "999999999"], "--batch-size must be at most 65536"],
    [["bench", "alexnet", "--batch-size", "999999999"], "it must be at most 65536"],
    [["bench", "alexnet", "--batch-size", "65536"], "need at least"],
    [["summary", "alexnet", "--image-size", "9999"], "it must be at most 4096"],
    [
      ["summary", "alexnet", "--image-size", "224"],
      "error: alexnet cannot take images of 224×224: matmul: expected",
    ],
    [["summary"], "missing required argument"],
    [[], "Usage: dyconv"],
  ])("exits with 2 on wrong usage: %j", async (args, words) => {
    const { code, stdout, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(words);
  });
});
