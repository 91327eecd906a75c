import { describe, expect, it } from "vitest";
import { layerPlans } from "../../src/inspect/plans.js";
import { type Tensor, topologicalOrder } from "../../src/ir/index.js";
import { alexnetDy } from "../../src/models/index.js";
import {
  applyModel,
  choosePlan,
  DynamicConv2d,
  type DynamicConv2dOptions,
  type MixingPlan,
  type MixtureSize,
  type PlanContext,
  planWork,
  predictPlans,
  stateSpecs,
} from "../../src/nn/index.js";
import { spec, trace } from "../../src/trace/index.js";

const cpu: PlanContext = { target: "cpu", training: false };

/** 128 → 192 channels, 3×3, 7×7 pixels. */
const size: MixtureSize = {
  ...{ batch: 4, experts: 2 },
  ...{ input: 128 * 49, output: 192 * 49, kernels: 192 * 128 * 9, summed: 128 * 9 },
};

describe("the plan on a CPU", () => {
  const plansOf = (batchSize: number, training: boolean) =>
    layerPlans(alexnetDy(), { imageSize: 128, batchSize })
      .filter((layer) => layer.training === training)
      .map(({ name, plan }) => [name, plan]);
  const everywhere = (plan: MixingPlan) =>
    ["features.8", "features.11", "features.14"].map((name) => [name, plan]);

  it("is to aggregate in AlexNet-DY once it is trained", () => {
    expect(plansOf(1, false)).toEqual(everywhere("aggregate"));
    expect(plansOf(64, false)).toEqual(everywhere("aggregate"));
  });

  it("is to mix outputs while it is being trained", () => {
    expect(plansOf(64, true)).toEqual(everywhere("mix-outputs"));
  });

  it("is to aggregate where experts are so many that computing each costs more", () => {
    expect(choosePlan({ ...size, experts: 16 }, cpu)).toBe("aggregate");
  });

  it("is to mix inputs where they are much smaller than the outputs, and kernels are used too little to be mixed", () => {
    const widening = { ...size, input: 8 * 4, output: 192 * 4, kernels: 192 * 8 * 9, summed: 8 * 9 };
    expect(choosePlan({ ...widening, batch: 1024 }, cpu)).toBe("mix-inputs");
  });

  it("is the one predicted to be quickest", () => {
    for (const batch of [1, 2, 8, 64]) {
      for (const training of [false, true]) {
        const predicted = predictPlans({ ...size, batch }, { target: "cpu", training })!;
        const least = Math.min(...Object.values(predicted));
        expect(predicted[choosePlan({ ...size, batch }, { target: "cpu", training })]).toBe(least);
      }
    }
  });
});

describe("where nothing was measured", () => {
  it.each(["webgpu", "cuda", "wasm"] as const)("%s goes by the batch", (target) => {
    const context = { target, training: true };
    expect(predictPlans(size, context)).toBeUndefined();
    expect(choosePlan({ ...size, batch: 1 }, context)).toBe("aggregate");
    expect(choosePlan({ ...size, experts: 16 }, context)).toBe("mix-outputs");
  });

  it("an open batch has outputs mixed", () => {
    expect(choosePlan("open", cpu)).toBe("mix-outputs");
    expect(new DynamicConv2d(8, 6, 3).mixtureSize(["batch", 8, 9, 9])).toBe("open");
  });
});

describe("what a plan has to do", () => {
  const once = 4 * 192 * 49 * 128 * 9;

  it("aggregating computes once, with kernels mixed for each sample", () => {
    expect(planWork("aggregate", size, false)).toMatchObject({
      ...{ blockedMultiplyAdds: once, plainMultiplyAdds: 0 },
      mixedWeights: 4 * size.kernels,
    });
  });

  it("mixing computes K times, and moves K outputs or K inputs", () => {
    const outputs = planWork("mix-outputs", size, false);
    const inputs = planWork("mix-inputs", size, false);
    expect(outputs.blockedMultiplyAdds).toBe(2 * once);
    expect(inputs.blockedMultiplyAdds).toBe(2 * once);
    expect(outputs.bytes - inputs.bytes).toBe(4 * 4 * 2 * 2 * (192 - 128) * 49);
  });

  it("outputs that were mixed have the input's gradient aggregated, and a weight gradient fills small batches up", () => {
    expect(planWork("mix-outputs", { ...size, batch: 12 }, true)).toMatchObject({
      ...{ blockedMultiplyAdds: once * (3 * (2 + 1) + 2 * (16 / 4)), plainMultiplyAdds: 0 },
      mixedWeights: 12 * size.kernels,
    });
  });

  it("the weight gradient of few images is computed outside of the blocked layout", () => {
    const work = planWork("mix-outputs", size, true);
    expect(work).toMatchObject({ blockedMultiplyAdds: 3 * once, plainMultiplyAdds: 2 * once });
  });
});

describe("a dynamic convolution", () => {
  it("knows its size: stride, groups and padding included", () => {
    const layer = new DynamicConv2d(8, 6, [3, 5], { experts: 3, groups: 2, stride: 2, padding: 1 });
    expect(layer.mixtureSize([2, 8, 9, 9])).toEqual({
      ...{ batch: 2, experts: 3 },
      ...{ input: 8 * 81, output: 6 * 5 * 4, kernels: 6 * 4 * 15, summed: 4 * 15 },
    });
  });

  function operators(options: DynamicConv2dOptions, target: PlanContext["target"]): ReadonlySet<string> {
    const layer = new DynamicConv2d(128, 192, 3, { padding: 1, ...options });
    const { graph } = trace(
      (tensors: Readonly<Record<string, Tensor>>, x: Tensor) => applyModel(layer, tensors, x).output,
      [stateSpecs(layer), spec([4, 128, 7, 7])],
      { target },
    );
    const nodes = topologicalOrder(graph.outputs.map(({ tensor }) => tensor));
    return new Set(nodes.map(({ operator }) => operator.name));
  }

  it("is computed by the plan for the target it is traced for", () => {
    expect(operators({ experts: 16 }, "cpu")).not.toContain("mixExperts");
    expect(operators({ experts: 16 }, "webgpu")).toContain("mixExperts");
  });

  it("is computed by the plan it is given", () => {
    expect(operators({ experts: 16, plan: "mix-inputs" }, "cpu")).toContain("spreadExperts");
  });
});
