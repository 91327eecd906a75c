import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import { adam, adamW, type Optimizer, sgd } from "../../src/optim/index.js";
import { compileStep } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { randomArray } from "../contract/gradient-check.js";

const SIZE = 6;
const STEPS = 5;
const RATE = 0.05;
const start = randomArray(SIZE, "parameter");
const gradientAt = (step: number) => randomArray(SIZE, `gradient ${step}`);

/** The parameter after some steps through the runtime. */
async function compiled(optimizer: Optimizer): Promise<number[]> {
  const names = ["p", ...optimizer.slots];
  const step = await compileStep(
    (state: Readonly<Record<string, Tensor>>, { gradient, learningRate, n }) => {
      const update = optimizer.update(state.p!, gradient, { slots: state, learningRate, step: n });
      return { state: { ...state, ...update.slots, p: update.parameter }, results: {} };
    },
    {
      state: Object.fromEntries(names.map((name) => [name, spec([SIZE])])),
      inputs: { gradient: spec([SIZE]), learningRate: spec([]), n: spec([]) },
    },
    { p: start },
  );
  for (let n = 1; n <= STEPS; n++) {
    await step.run({ gradient: gradientAt(n), learningRate: Float32Array.of(RATE), n: Float32Array.of(n) });
  }
  const values = Array.from((await step.state()).p!, Number);
  await step.dispose();
  return values;
}

/** The same by a plain loop over each element on its own. */
function oracle(rule: () => (p: number, g: number, n: number) => number): number[] {
  return Array.from(start, (value, i) => {
    const next = rule();
    let p = value;
    for (let n = 1; n <= STEPS; n++) p = next(p, gradientAt(n)[i]!, n);
    return p;
  });
}

const momentumRule = (nesterov: boolean, decay: number) => () => {
  let v = 0;
  return (p: number, raw: number) => {
    const g = raw + decay * p;
    v = 0.9 * v + g;
    return p - RATE * (nesterov ? g + 0.9 * v : v);
  };
};

const adamRule =
  (decay: number, decoupled: boolean, beta = 0.999) =>
  () => {
    let [m, v] = [0, 0];
    return (p: number, raw: number, n: number) => {
      const g = decoupled ? raw : raw + decay * p;
      m = 0.9 * m + 0.1 * g;
      v = beta * v + (1 - beta) * g * g;
      const moved = (RATE * (m / (1 - 0.9 ** n))) / (Math.sqrt(v / (1 - beta ** n)) + 1e-8);
      return (decoupled ? p * (1 - RATE * decay) : p) - moved;
    };
  };

describe("optimisers agree with plain loops", () => {
  const cases: Readonly<Record<string, readonly [Optimizer, Parameters<typeof oracle>[0]]>> = {
    sgd: [sgd({ weightDecay: 0.1 }), () => (p, g) => p - RATE * (g + 0.1 * p)],
    "sgd with momentum": [sgd({ momentum: 0.9, weightDecay: 0.1 }), momentumRule(false, 0.1)],
    "sgd with Nesterov momentum": [sgd({ momentum: 0.9, nesterov: true }), momentumRule(true, 0)],
    adam: [adam({ weightDecay: 0.1 }), adamRule(0.1, false)],
    adamW: [adamW({ weightDecay: 0.1 }), adamRule(0.1, true)],
    // 1 − β₂ᵗ, taken as a difference in float32, has three digits at the first step.
    "adam with a β₂ near 1": [adam({ betas: [0.9, 0.99999] }), adamRule(0, false, 0.99999)],
    "adam with a β₂ of 0": [adam({ betas: [0.9, 0] }), adamRule(0, false, 0)],
  };
  for (const [name, [optimizer, rule]] of Object.entries(cases)) {
    it(name, async () => {
      const values = await compiled(optimizer);
      oracle(rule).forEach((expected, i) => {
        expect(values[i]).toBeCloseTo(expected, 6);
      });
    });
  }

  it("Nesterov without momentum is refused", () => {
    expect(() => sgd({ nesterov: true })).toThrow(/momentum above 0/);
  });
});
