import { describe, expect, it } from "vitest";
import { nodesOf, type Tensor, withScope } from "../../src/ir/index.js";
import {
  AnnealedScalar,
  applyModel,
  type ForwardContext,
  Linear,
  Module,
  onesInit,
  Parameter,
  ReLU,
  Sequential,
  stateSpecs,
} from "../../src/nn/index.js";
import { add, input, mul, relu } from "../../src/ops/index.js";
import { spec, trace } from "../../src/trace/index.js";

const scale = () => new Parameter([1], onesInit);
const names = (model: Module) => model.namedParameters().map(([name]) => name);
const scopes = (model: Module) => {
  const { graph } = trace(
    (state: Readonly<Record<string, Tensor>>, x: Tensor) => applyModel(model, state, x).output,
    [stateSpecs(model), spec([1, 2])],
  );
  return nodesOf(graph).flatMap(({ operator, scope }) => (operator.name === "input" ? [] : [scope]));
};

describe("lists and records of modules and parameters", () => {
  class Branches extends Module {
    readonly scales = [scale(), { deep: [scale()] }] as const;
    readonly blocks = [new Linear(2, 2), [new Linear(2, 2, { bias: false })]] as const;
    readonly heads = { left: new Linear(2, 2, { bias: false }), right: undefined, sizes: [1, 2] };

    forward(x: Tensor, context: ForwardContext): Tensor {
      const [first, [second]] = this.blocks;
      const y = second.call(first.call(x, context), context);
      return mul(add(y, this.heads.left.call(x, context)), context.read(this.scales[1].deep[0]));
    }
  }

  it("are named by their keys, nested ones too, parameters of a module before those within it", () => {
    expect(names(new Branches())).toEqual([
      ...["scales.0", "scales.1.deep.0"],
      ...["blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight", "heads.left.weight"],
    ]);
    expect(new Branches().children().map(([name]) => name)).toEqual(["blocks.0", "blocks.1.0", "heads.left"]);
  });

  it("give the nodes of the graph their paths", () => {
    expect(new Set(scopes(new Branches()))).toEqual(new Set(["blocks.0", "blocks.1.0", "heads.left", ""]));
  });

  it("are not looked for in other objects, nor in #private properties; reading such a parameter says so", () => {
    class Hidden extends Module {
      readonly #weight = scale();
      readonly map = new Map([["weight", scale()]]);

      forward(x: Tensor, context: ForwardContext): Tensor {
        return mul(x, context.read(this.#weight));
      }
    }
    const model = new Sequential(new Hidden());
    expect(names(model)).toEqual([]);
    expect(() => applyModel(model, {}, input("float32", [1]))).toThrow(
      expect.objectContaining({
        message: "0 reads a parameter that is not one of its properties",
        hint: expect.stringContaining("#private"),
      }),
    );
  });

  it("may refer to each other in a circle", () => {
    class Knot extends Module {
      readonly weight = scale();
      readonly others: Module[] = [];
      readonly record: { self?: object } = {};
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const knot = new Knot();
    knot.others.push(knot, new Linear(1, 1, { bias: false }));
    knot.record.self = knot.record;
    expect(names(knot)).toEqual(["weight", "others.1.weight"]);
  });
});

describe("a module called by identity", () => {
  it("keeps its path however deep, and wherever the model is called", () => {
    const model = new Sequential(new ReLU(), new Sequential(new ReLU()));
    const { output } = withScope("outer", () => applyModel(model, {}, input("float32", [1])));
    expect([output.scope, output.inputs[0]!.scope]).toEqual(["outer.1.0", "outer.0"]);
  });

  it("that was made within a forward works under the path of its maker", () => {
    class Maker extends Module {
      forward(x: Tensor, context: ForwardContext): Tensor {
        return new ReLU().call(x, context);
      }
    }
    expect(scopes(new Sequential(new Maker()))).toEqual(["0"]);
  });

  it("is told to onCall, inner calls first", () => {
    const inner = new ReLU();
    const model = new Sequential(inner, new Sequential(inner));
    const x = input("float32", [1]);
    const calls: string[] = [];
    const { output } = applyModel(model, {}, x, {
      onCall: ({ path, module, input, output }) =>
        calls.push(`${path}:${module === inner}:${input === x}:${output.operator === relu(x).operator}`),
    });
    expect(output.inputs[0]!.inputs[0]).toBe(x);
    expect(calls).toEqual([
      "0:true:true:true",
      "0:true:false:true",
      "1:false:false:true",
      ":false:true:true",
    ]);
  });
});

describe("annealed scalars", () => {
  const sharpness = new AnnealedScalar("sharpness", { rest: 4, schedule: (epoch) => Math.min(1 + epoch, 4) });
  class Sharpen extends Module {
    constructor(readonly sharpness: AnnealedScalar) {
      super();
    }
    forward(x: Tensor, context: ForwardContext): Tensor {
      return mul(x, context.annealed(this.sharpness));
    }
  }

  it("are shared by the layers that hold one", () => {
    const model = new Sequential(new Sharpen(sharpness), new Sharpen(sharpness));
    expect(model.annealedScalars()).toEqual([sharpness]);
  });

  it("of one name that are not the same are refused", () => {
    const other = new AnnealedScalar("sharpness", sharpness);
    const model = new Sequential(new Sharpen(sharpness), new Sharpen(other));
    expect(() => model.annealedScalars()).toThrow('two annealed scalars are named "sharpness"');
  });

  it("are at rest unless they are given, and no others can be given", () => {
    const x = input("float32", [1]);
    const factor = (annealed?: Record<string, number>) =>
      applyModel(new Sharpen(sharpness), {}, x, { ...(annealed && { annealed }) }).output.inputs[1]!
        .attributes;
    expect(factor()).toEqual(factor({ sharpness: 4 }));
    expect(factor({ sharpness: 2 })).not.toEqual(factor());
    expect(() => factor({ temperature: 2 })).toThrow(
      expect.objectContaining({
        message: 'the model has no annealed scalar "temperature"',
        hint: "it has: sharpness",
      }),
    );
  });
});
