import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkParity } from "../../src/parity/parity.js";

const INDEX = "../shared/golden/index.json";

describe.skipIf(!existsSync(INDEX))(`reference vectors (skipped where ${INDEX} is absent)`, () => {
  // Only dynamic convolutions have plans.
  const runs = [
    ["auto", "", 16],
    ["aggregate", "alexnet-dy", 1],
    ["aggregate", "dynamic-conv2d", 12],
    ["mix-inputs", "alexnet-dy", 1],
    ["mix-inputs", "dynamic-conv2d", 12],
  ] as const;
  for (const [plan, only, count] of runs) {
    it(`all cases of "${only}" are within tolerance, plan ${plan}`, async () => {
      const failed: string[] = [];
      let cases = 0;
      for await (const { file, errors, passed } of checkParity(INDEX, { plan, only })) {
        cases++;
        if (!passed) failed.push(`${file} ${JSON.stringify(errors)}`);
      }
      expect(failed).toEqual([]);
      expect(cases).toBe(count);
    }, 120_000);
  }
});
