import { readdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fitPlanCoefficients, predictMilliseconds, type TimedWork } from "../../src/inspect/plan-fit.js";
import { drawPlanPoints } from "../../src/inspect/plan-points.js";
import { tuneMachine } from "../../src/inspect/tune.js";
import type { MachineProfile, PlanCoefficients } from "../../src/ir/index.js";
import { machineFor } from "../../src/runtime/index.js";
import {
  forgetTunedProfile,
  keepTunedProfile,
  tunedProfile,
  tunedProfilePath,
} from "../../src/runtime/tuned-profile.js";
import { RandomStream } from "../../src/util/random.js";
import { temporaryFolder } from "../files/folder.js";

const { profile: SHIPPED } = await machineFor();
const COEFFICIENTS = SHIPPED.plans!;

/** Plans that take exactly what some coefficients say. */
function timedBy(coefficients: PlanCoefficients, count: number): TimedWork[] {
  const random = new RandomStream(1, "timed work");
  return Array.from({ length: count }, () => {
    const work = {
      blockedMultiplyAdds: 1e8 * random.uniform(),
      movedBytes: 1e6 * random.uniform(),
      nodes: 1 + 20 * random.uniform(),
    };
    return { work, milliseconds: predictMilliseconds(work, coefficients) };
  });
}

describe("the cost model of plans", () => {
  it("is found again from what it predicts", () => {
    const truth = { ...COEFFICIENTS, blockedMultiplyAdds: 3e-8, movedBytes: 2e-8, nodes: 0.01 };
    const found = fitPlanCoefficients(timedBy(truth, 40));
    expect(found.blockedMultiplyAdds / truth.blockedMultiplyAdds).toBeCloseTo(1, 2);
    expect(found.movedBytes / truth.movedBytes).toBeCloseTo(1, 2);
    expect(found.nodes / truth.nodes).toBeCloseTo(1, 2);
  });

  it("keeps the coefficients that nothing was measured of, and moves the others", () => {
    const truth = { ...COEFFICIENTS, blockedMultiplyAdds: 10 * COEFFICIENTS.blockedMultiplyAdds };
    const found = fitPlanCoefficients(timedBy(truth, 60), { prior: COEFFICIENTS });
    expect(found.transposedBytes).toBe(COEFFICIENTS.transposedBytes);
    expect(found.blockedMultiplyAdds).toBeGreaterThan(3 * COEFFICIENTS.blockedMultiplyAdds);
  });

  it("is judged on points that are all different, depthwise ones among them", () => {
    const points = drawPlanPoints({ target: "cpu", count: 50, seed: 3, mostMultiplyAdds: 1e8 });
    expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(50);
    expect(points.filter(({ groups }) => groups > 1)).toHaveLength(10);
  });
});

describe("the profile of a machine", () => {
  beforeEach(async () => {
    vi.stubEnv("DYCONV_CACHE", await temporaryFolder());
    await forgetTunedProfile();
  });

  afterEach(async () => {
    await forgetTunedProfile();
    vi.unstubAllEnvs();
  });

  it("is used from when it is kept until it is forgotten", async () => {
    expect(await tunedProfile()).toBeUndefined();
    const profile = { ...SHIPPED, name: "tuned-1" };
    const path = await keepTunedProfile(profile);
    expect(await readdir(dirname(path))).toHaveLength(1);
    expect((await machineFor()).profile).toEqual(profile);
    expect((await machineFor({ device: "wasm" })).profile.name).toBe("wasm");
    expect((await machineFor({ machineProfile: SHIPPED })).profile).toEqual(SHIPPED);
    await forgetTunedProfile();
    expect((await machineFor()).profile).toEqual(SHIPPED);
  });

  it.each(["{", "{}", JSON.stringify({ ...SHIPPED, plans: { nodes: -1 } })])(
    "is left out where it is damaged, said so: %s",
    async (content) => {
      const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
      await writeFile(tunedProfilePath(), content);
      expect((await machineFor()).profile).toEqual(SHIPPED);
      expect(warn.mock.calls.flat().join()).toContain("dyconv tune");
      warn.mockRestore();
    },
  );

  it("gets the shipped numbers that an earlier version did not keep", async () => {
    const { bytesAtOnce, mostParts } = SHIPPED.mixedKernels;
    const kept = { ...SHIPPED, name: "tuned-2", mixedKernels: { bytesAtOnce, mostParts } };
    await keepTunedProfile(kept as MachineProfile);
    expect((await machineFor()).profile).toEqual({ ...SHIPPED, name: "tuned-2" });
  });

  it("is measured, and told beside the one in use", async () => {
    const shares: number[] = [];
    const points = drawPlanPoints({ target: "cpu", count: 4, seed: 3, mostMultiplyAdds: 1e5 });
    const tuning = await tuneMachine({ points, onProgress: (share) => shares.push(share) });
    expect([tuning.points, shares.length]).toEqual([4, 4]);
    for (const { withinFivePercent, lost } of [tuning.before, tuning.after]) {
      expect(withinFivePercent).toBeGreaterThanOrEqual(0);
      expect(lost).toBeGreaterThanOrEqual(0);
    }
    expect(tuning.profile === undefined).toBe(tuning.after.lost >= tuning.before.lost);
  });
});
