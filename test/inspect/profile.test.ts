import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { operatorCost } from "../../src/inspect/operator-cost.js";
import { profileTraining } from "../../src/inspect/profile.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
} from "../../src/nn/index.js";
import { REWRITE_NAMES, type RewriteName } from "../../src/rewrite/index.js";

const network = () =>
  new Sequential(
    new Conv2d(3, 16, 3, { padding: 1 }),
    new Conv2d(16, 32, 3, { padding: 1 }),
    new AdaptiveAvgPool2d(),
    new Flatten(),
    new Linear(32, 10),
  );
const options = { imageSize: 8, batchSize: 4, steps: 3, threads: 1 };

describe("profileTraining", () => {
  it("gives every operator of a step, under the path of its module, slowest first", async () => {
    const { operators, operatorMilliseconds, stepMilliseconds } = await profileTraining(network(), options);
    const convolution = operators.find(({ name }) => name === "1/Conv");
    expect(convolution).toMatchObject({ type: "Conv", outputShape: [4, 32, 8, 8] });
    expect(convolution!.gigaflopsPerSecond).toBeGreaterThan(0);
    expect(operators.some(({ name }) => name.startsWith("1.grad/"))).toBe(true);
    expect(operators.some(({ name }) => name.startsWith("1.weight.update/"))).toBe(true);

    const milliseconds = operators.map((operator) => operator.milliseconds);
    expect(milliseconds).toEqual([...milliseconds].sort((a, b) => b - a));
    expect(operators.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(stepMilliseconds).toBeGreaterThan(0);
    expect(operatorMilliseconds).toBeGreaterThan(0);
  });

  it("adds operators up by type", async () => {
    const { operators, types, multiplyAdds } = await profileTraining(network(), options);
    for (const { type, count, milliseconds } of types) {
      const members = operators.filter((operator) => operator.type === type);
      expect(count).toBe(members.length);
      expect(milliseconds).toBeCloseTo(members.reduce((sum, member) => sum + member.milliseconds, 0));
    }
    const forward = 4 * 64 * 9 * (3 * 16 + 16 * 32);
    expect(multiplyAdds).toBeGreaterThan(2 * forward);
  });

  it("leaves rewrites out, those of the forward pass as well", async () => {
    const pooled = () =>
      new Sequential(
        ...[new Conv2d(3, 16, 3, { padding: 1 }), new BatchNorm2d(16), new ReLU(), new MaxPool2d(2)],
        ...[new AdaptiveAvgPool2d(), new Flatten(), new Linear(16, 10)],
      );
    const reluShape = async (withoutRewrites: readonly RewriteName[]) => {
      const { operators } = await profileTraining(pooled(), { ...options, withoutRewrites });
      return operators.find(({ type }) => type === "Relu")!.outputShape;
    };
    const alone = REWRITE_NAMES.filter((name) => name !== "pool-first");
    expect(await reluShape(alone)).toEqual([4, 16, 4, 4]);
    expect(await reluShape(REWRITE_NAMES)).toEqual([4, 16, 8, 8]);
  });

  it("leaves no file behind", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dyconv-"));
    vi.stubEnv("TMPDIR", folder);
    try {
      await profileTraining(network(), options);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true });
    }
  });

  it("says where operators cannot be timed, and where they can", async () => {
    await expect(profileTraining(network(), { ...options, device: "wasm" })).rejects.toMatchObject({
      message: 'operators cannot be timed on "wasm"',
      hint: expect.stringContaining('device "cpu"'),
    });
  });
});

describe("operatorCost", () => {
  const float = (...shape: number[]) => ({ dtype: "float", shape });

  it.each([
    ["Conv", [float(2, 6, 9, 9), float(8, 3, 5, 5)], float(2, 8, 5, 5), 2 * 8 * 25 * 3 * 25],
    ["ConvTranspose", [float(2, 8, 5, 5), float(8, 3, 5, 5)], float(2, 3, 9, 9), 2 * 8 * 25 * 3 * 25],
    ["Gemm", [float(7, 4), float(7, 5)], float(4, 5), 4 * 5 * 7],
    ["MatMul", [float(3, 4, 7), float(7, 5)], float(3, 4, 5), 3 * 4 * 5 * 7],
    ["Add", [float(3, 4), float(4)], float(3, 4), 0],
  ])("counts the multiply-adds of %s", (type, inputs, output, expected) => {
    expect(operatorCost({ type, inputs, outputs: [output] }).multiplyAdds).toBe(expected);
  });

  it("counts the bytes of inputs and outputs", () => {
    const inputs = [float(3, 4), { dtype: "int64", shape: [2] }, { dtype: "bool", shape: [] }];
    const cost = operatorCost({ type: "Where", inputs, outputs: [float(3, 4)] });
    expect(cost.bytes).toBe(2 * 12 * 4 + 2 * 8 + 1);
  });
});
