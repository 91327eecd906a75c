import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DataError, UsageError } from "../../src/errors/index.js";
import { writeSafetensors } from "../../src/files/index.js";
import { FAMILY_LAYERS } from "../../src/parity/family/index.js";
import { checkParity, type ParityOptions } from "../../src/parity/parity.js";
import { temporaryFolder } from "../files/folder.js";

const INDEX = "../shared/golden-family/index.json";

/** Files of cases that are off, and how many were checked. */
async function check(index: string, options: ParityOptions = {}) {
  const failed: string[] = [];
  let cases = 0;
  for await (const { file, errors, passed } of checkParity(index, options)) {
    cases++;
    if (!passed) failed.push(`${file} ${JSON.stringify(errors)}`);
  }
  return { cases, failed };
}

describe.skipIf(!existsSync(INDEX))(
  `reference vectors of the family (skipped where ${INDEX} is absent)`,
  () => {
    it.each(FAMILY_LAYERS)("all cases of %s are within tolerance", async (only) => {
      const { cases, failed } = await check(INDEX, { only });
      expect(failed).toEqual([]);
      expect(cases).toBeGreaterThan(0);
    });
  },
);

describe("a case that names its layer", () => {
  const CASE = {
    file: "case.safetensors",
    layer: "odConv",
    tolerance: 1e-5,
    options: {},
    state: { parameters: {}, buffers: {}, constants: {} },
    inputs: ["x"],
    outputs: ["y"],
    tensors: { x: [1], y: [1] },
  };
  const write = async (testCase: object) => {
    const folder = await temporaryFolder();
    const one = { dtype: "float32", shape: [1], data: new Float32Array(1) } as const;
    await writeSafetensors(join(folder, CASE.file), { x: one, y: one });
    const path = join(folder, "index.json");
    await writeFile(path, JSON.stringify({ cases: [testCase] }));
    return path;
  };

  it.each([
    ["of a layer that is not known", { layer: "toString" }, /no layer is named "toString"/],
    ["without the layer's options", {}, /case\.safetensors: options: .*inChannels/s],
    [
      "with a result that is not in the file",
      { outputs: ["y", "attention"] },
      /the result "attention" is not/,
    ],
    [
      "with an input that is not among its tensors",
      { inputs: ["toString"] },
      /case\.safetensors: .*toString/s,
    ],
    ["with a static kernel that is not", { plain: ["constructor"] }, /case\.safetensors: .*constructor/s],
    [
      "without an input that its layer reads",
      { layer: "dyRelu", options: { channels: 1, context: 1 } },
      /case\.safetensors: the layer needs "context", which is not among the case's inputs/,
    ],
    [
      "with keypoints and visibility of different shapes",
      { layer: "heatmapTarget", options: { imageSize: [4, 4], heatmapSize: [1, 1], sigma: 1 } },
      /case\.safetensors: tensor "visibility" must have 2 axes/,
    ],
    ["without a list of results", { outputs: undefined }, /no index of reference vectors: .*outputs/s],
  ])("%s is refused", async (_, change, message) => {
    const path = await write({ ...CASE, ...change });
    await expect(check(path)).rejects.toThrow(message);
    await expect(check(path)).rejects.toBeInstanceOf(DataError);
  });

  it("whose state is not the layer's is refused, and says what differs", async () => {
    const options = {
      ...{ inChannels: 4, outChannels: 4, kernelSize: 1, stride: 1, padding: 0, dilation: 1, groups: 1 },
      ...{
        ratio: 16,
        minWidth: 16,
        normMomentum: 0.1,
        normEpsilon: 1e-5,
        experts: 1,
        temperature: 1,
        mode: "eval",
      },
    };
    const path = await write({ ...CASE, options });
    await expect(check(path)).rejects.toThrow(
      /the parameter "weight" \[1, 4, 4, 1, 1\]; the case lists absent/,
    );
  });

  it("is found by a part of its file's or its layer's name", async () => {
    const path = await write(CASE);
    await expect(check(path, { only: "other" })).rejects.toThrow(/no case .* contains "other"/);
    await expect(check(path, { only: "other" })).rejects.toBeInstanceOf(UsageError);
  });
});
