import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkParity } from "../../src/parity/parity.js";

const INDEX = "../shared/golden/index.json";

describe.skipIf(!existsSync(INDEX))(`reference vectors (skipped where ${INDEX} is absent)`, () => {
  for (const plan of ["auto", "aggregate", "mix-inputs"] as const) {
    it(`all cases are within tolerance, plan ${plan}`, async () => {
      const failed: string[] = [];
      let cases = 0;
      for await (const { file, errors, passed } of checkParity(INDEX, { plan })) {
        cases++;
        if (!passed) failed.push(`${file} ${JSON.stringify(errors)}`);
      }
      expect(failed).toEqual([]);
      expect(cases).toBe(16);
    }, 120_000);
  }
});
