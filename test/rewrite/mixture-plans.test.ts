import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import { predictMilliseconds } from "../../src/inspect/plan-fit.js";
import { type Graph, nodesOf, type Shape, type Tensor } from "../../src/ir/index.js";
import {
  batchNorm,
  constant,
  type MixedConvolutionOptions,
  mixedConv2d,
  mul,
  perSampleConv2d,
  sum,
} from "../../src/ops/index.js";
import { machineOf, plansFor, planWork, rewrite } from "../../src/rewrite/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

const CPU = machineOf({ target: "cpu", block: 16 });

/** K, channels in and out, and height and width of image and kernel. */
interface Sizes {
  readonly batch: number | "batch";
  readonly experts: number;
  readonly channels: readonly [number, number];
  readonly size: number;
  readonly kernel: number;
}

const SIZES: Sizes = { batch: 64, experts: 2, channels: [128, 192], size: 7, kernel: 3 };

function weightShape({ experts, channels: [from, to], kernel }: Sizes): readonly number[] {
  return [experts, to, from, kernel, kernel];
}

function imageShape({ batch, channels, size }: Sizes): Shape {
  return [batch, channels[0], size, size];
}

/** The output alone, by constant experts. */
function evaluating(sizes: Sizes, options: MixedConvolutionOptions = {}): Graph {
  const shape = weightShape(sizes);
  const experts = constant(new Float32Array(count(shape)), shape);
  const padding = (sizes.kernel - 1) / 2;
  return trace(
    (x: Tensor, attention: Tensor) => mixedConv2d(x, attention, experts, undefined, { padding, ...options }),
    [spec(imageShape(sizes)), spec([sizes.batch, sizes.experts])],
  ).graph;
}

/** The output and all gradients. */
function training(sizes: Sizes, options: MixedConvolutionOptions = {}): Graph {
  const padding = (sizes.kernel - 1) / 2;
  return trace(
    (...inputs: [Tensor, Tensor, Tensor]) => {
      const [x, attention, experts] = inputs;
      const y = mixedConv2d(x, attention, experts, undefined, { padding, ...options });
      return [y, ...gradients(sum(mul(y, y)), inputs)];
    },
    [spec(imageShape(sizes)), spec([sizes.batch, sizes.experts]), spec(weightShape(sizes))],
  ).graph;
}

function plansOf(graph: Graph, machine = CPU) {
  return plansFor(graph, machine).map(({ group, choice }) =>
    Object.fromEntries(group.map(({ operator }) => [operator.name, choice.plans.get(operator)])),
  );
}

function operatorsOf(graph: Graph): ReadonlySet<string> {
  return new Set(nodesOf(graph).map(({ operator }) => operator.name));
}

describe("the plans of a convolution with mixed kernels", () => {
  it("are priced without the candidates that are not taken", () => {
    // Winograd's algorithm pays off only if all directions share it, which a combination of plans may not.
    const machine = machineOf({ target: "cpu", block: 8 });
    const sizes: Sizes = { batch: 64, experts: 8, channels: [128, 256], size: 4, kernel: 3 };
    const { group, choice } = plansFor(training(sizes), machine)[0]!;
    const work = planWork(group, choice.plans, machine);
    expect(choice.predicted!.chosen).toBeCloseTo(predictMilliseconds(work, machine.profile.plans!), 9);
  });

  it("are chosen for all directions as one", () => {
    const { choice } = plansFor(training(SIZES), CPU)[0]!;
    expect(choice.plans.size).toBe(4);
    const { chosen, byPlan } = choice.predicted!;
    expect(Object.keys(byPlan)).toEqual(["aggregate", "mix-outputs", "mix-inputs", "unfold"]);
    for (const milliseconds of Object.values(byPlan)) expect(chosen).toBeLessThan(1.03 * milliseconds);
  });

  it("are to aggregate where experts are so many that computing each costs more", () => {
    expect(plansOf(evaluating({ ...SIZES, size: 28, batch: 8, experts: 16 }))).toEqual([
      { mixedConv2d: "aggregate" },
    ]);
  });

  it("are those of constant experts where a batch normalisation is folded into them", () => {
    const sizes = { ...SIZES, batch: 1 };
    const shape = weightShape(sizes);
    const [experts, ones] = [
      constant(new Float32Array(count(shape)), shape),
      constant(new Float32Array(192)),
    ];
    const normalised = trace(
      (x: Tensor, attention: Tensor) => {
        const y = mixedConv2d(x, attention, experts, undefined, { padding: 1 });
        return batchNorm(y, { scale: ones, bias: ones, mean: ones, variance: ones });
      },
      [spec(imageShape(sizes)), spec([1, sizes.experts])],
    ).graph;
    const workOf = (graph: Graph) => {
      const { group } = plansFor(graph, CPU)[0]!;
      return planWork(group, new Map([[group[0]!.operator, "aggregate" as const]]), CPU);
    };
    expect(workOf(normalised)).toEqual(workOf(evaluating(sizes)));
  });

  it("are those that are asked for, in every direction", () => {
    for (const plan of ["aggregate", "mix-outputs", "mix-inputs", "unfold"] as const) {
      expect(plansOf(training(SIZES, { plan }))).toEqual([
        {
          ...{ mixedConv2d: plan, mixedInputGradient: plan },
          ...{ mixedExpertGradient: plan, mixedAttentionGradient: plan },
        },
      ]);
    }
  });

  it("are chosen apart for layers that share their attention", () => {
    const shape = [2, 32, 32, 3, 3];
    const graph = trace(
      (x: Tensor, attention: Tensor, first: Tensor, second: Tensor) => {
        const y = mixedConv2d(x, attention, first, undefined, { padding: 1 });
        return mixedConv2d(y, attention, second, undefined, { padding: 1 });
      },
      [spec([4, 32, 7, 7]), spec([4, 2]), spec(shape), spec(shape)],
    ).graph;
    expect(plansFor(graph, CPU)).toHaveLength(2);
  });

  it("never aggregate an open batch", () => {
    for (const experts of [1, 2, 16]) {
      const [plans] = plansOf(evaluating({ ...SIZES, batch: "batch", experts }));
      expect(["mix-outputs", "mix-inputs", "unfold"]).toContain(plans!.mixedConv2d);
    }
  });

  it("never mix the kernels of all samples at once where they take more than 128 MB", () => {
    const predicted = (batch: number) => {
      const [found] = plansFor(evaluating({ ...SIZES, batch }), machineOf({ target: "cpu", block: 8 }));
      return found!.choice.predicted!;
    };
    expect(predicted(128).byPlan).toHaveProperty("unfold");
    expect(predicted(256).byPlan).not.toHaveProperty("unfold");
    expect(predicted(256).chosen).toBeGreaterThan(0);
  });

  it("unfold an open batch where experts are so many that computing each costs more", () => {
    const many = { ...SIZES, batch: "batch", experts: 16 } as const;
    expect(plansOf(evaluating(many), machineOf({ target: "cpu", block: 0 }))).toEqual([
      { mixedConv2d: "unfold" },
    ]);
  });

  it.each(["webgpu", "cuda"] as const)("go by the batch where nothing was measured: %s", (target) => {
    const machine = machineOf({ target, block: 0 });
    expect(plansOf(evaluating({ ...SIZES, batch: 1 }), machine)).toEqual([{ mixedConv2d: "aggregate" }]);
    expect(plansOf(evaluating({ ...SIZES, experts: 16 }), machine)).toEqual([{ mixedConv2d: "mix-outputs" }]);
    expect(plansFor(evaluating(SIZES), machine)[0]!.choice.predicted).toBeUndefined();
  });
});

describe("what a plan has to do", () => {
  const once = 64 * 192 * 49 * 128 * 9;
  const workOf = (graph: Graph) => {
    const { group, choice } = plansFor(graph, CPU)[0]!;
    return planWork(group, choice.plans, CPU);
  };

  it("aggregating computes once, with kernels mixed for each sample", () => {
    expect(workOf(evaluating(SIZES, { plan: "aggregate" }))).toMatchObject({
      ...{ blockedMultiplyAdds: once, productMultiplyAdds: 64 * 2 * 192 * 128 * 9 },
    });
  });

  it("mixing computes K times", () => {
    expect(workOf(evaluating(SIZES, { plan: "mix-outputs" })).blockedMultiplyAdds).toBe(2 * once);
    expect(workOf(evaluating(SIZES, { plan: "mix-inputs" })).blockedMultiplyAdds).toBe(2 * once);
  });

  it("unfolding multiplies columns, outside of the blocked layout", () => {
    const work = workOf(evaluating(SIZES, { plan: "unfold" }));
    expect(work.productMultiplyAdds).toBe(once + 64 * 2 * 192 * 128 * 9);
    expect(work.blockedMultiplyAdds).toBeUndefined();
  });

  it("knows minimal filtering: training by mixed outputs is products at points", () => {
    const work = workOf(training(SIZES, { plan: "mix-outputs" }));
    expect(work.blockedMultiplyAdds).toBeUndefined();
    expect(work.productMultiplyAdds).toBeLessThan(3 * 2 * once);
  });

  it("what the weights alone decide is done beforehand while they are constant", () => {
    const work = workOf(evaluating(SIZES, { plan: "mix-outputs" }));
    expect(work.transposedBytes ?? 0).toBe(0);
  });
});

describe("lowering", () => {
  it("leaves none of the operators", () => {
    const mixed = ["mixedConv2d", "mixedInputGradient", "mixedExpertGradient", "mixedAttentionGradient"];
    const names = operatorsOf(rewrite(training(SIZES), CPU));
    for (const name of mixed) expect(names).not.toContain(name);
  });

  it("gives a gradient by the input one convolution, not K, when it aggregates", () => {
    const names = operatorsOf(rewrite(training({ ...SIZES, experts: 4 }, { plan: "aggregate" }), CPU));
    expect(names).not.toContain("spreadExperts");
    expect(names).not.toContain("convTranspose2d");
  });
});

type Arrays = [Float32Array, Float32Array, Float32Array];

describe("kernels for each sample", () => {
  const shapes = [
    [3, 8, 6, 7],
    [3, 4, 4, 3, 2],
    [3, 4],
  ];
  const run = async (plan: "aggregate" | "unfold", withoutRewrites: readonly "mixture-plans"[] = []) => {
    const fn = await compile(
      (...inputs: [Tensor, Tensor, Tensor]) => {
        const [x, kernels, bias] = inputs;
        const options = { plan, groups: 2, padding: [1, 0], stride: [1, 2] } as const;
        const y = perSampleConv2d(x, kernels, bias, options);
        return [y, ...gradients(sum(mul(y, y)), inputs)];
      },
      [spec(shapes[0]!), spec(shapes[1]!), spec(shapes[2]!)],
      { withoutRewrites },
    );
    const results = await fn(...(shapes.map((shape, n) => randomArray(count(shape), `${n}`)) as Arrays));
    await fn.dispose();
    return results as Float32Array[];
  };

  it("give the same by each plan, and without one, gradients included", async () => {
    const reference = await run("unfold", ["mixture-plans"]);
    for (const results of [await run("aggregate"), await run("unfold")]) {
      for (const [n, values] of results.entries()) {
        const scale = Math.max(...reference[n]!.map(Math.abs));
        const error = Math.max(...values.map((value, i) => Math.abs(value - reference[n]![i]!)));
        expect(error / scale).toBeLessThan(1e-5);
      }
    }
  });
});
