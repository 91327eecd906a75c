import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import {
  applyModel,
  DynamicConv2d,
  type ForwardContext,
  Module,
  type RecordedAttention,
  Sequential,
} from "../../src/nn/index.js";
import { globalAvgPool2d, input, mul, reshape, sigmoid, softmax } from "../../src/ops/index.js";

/** Weighs channels by a sigmoid and positions by a softmax, as omni-dimensional convolutions do. */
class TwoKinds extends Module {
  readonly inner = new DynamicConv2d(4, 4, 3, { padding: 1, experts: 3, routing: "sigmoid" });

  forward(x: Tensor, context: ForwardContext): Tensor {
    const channels = sigmoid(globalAvgPool2d(x));
    context.recordAttention("channel", { values: channels, activation: "sigmoid", axis: 1 });
    const y = this.inner.call(mul(x, channels), context);
    const spatial = softmax(reshape(y, [2, 4, 25]), 2);
    context.recordAttention("spatial", { values: spatial, activation: "softmax", axis: 2 });
    return y;
  }
}

const x = input("float32", [2, 4, 5, 5]);
const stateOf = (model: Module) =>
  Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)]));
const described = (kinds: Readonly<Record<string, RecordedAttention>>) =>
  Object.entries(kinds).map(([kind, { values, ...rest }]) => ({ kind, ...rest, shape: values.shape }));

describe("attention", () => {
  it("is kept by the layer that records it and by kind, with what a reader must know", () => {
    const model = new Sequential(new TwoKinds(), new DynamicConv2d(4, 4, 1));
    const { attention } = applyModel(model, stateOf(model), x);
    expect(Object.keys(attention).sort()).toEqual(["0", "0.inner", "1"]);
    expect(described(attention["0"]!)).toEqual([
      { kind: "channel", activation: "sigmoid", axis: 1, shape: [2, 4, 1, 1] },
      { kind: "spatial", activation: "softmax", axis: 2, shape: [2, 4, 25] },
    ]);
    expect(described(attention["0.inner"]!)).toEqual([
      { kind: "kernel", activation: "sigmoid", axis: 1, shape: [2, 3] },
    ]);
    expect(described(attention["1"]!)).toEqual([
      { kind: "kernel", activation: "softmax", axis: 1, shape: [2, 4] },
    ]);
  });

  it("can be replaced, and the layer goes on with what replaces it", () => {
    const model = new Sequential(new DynamicConv2d(4, 4, 1));
    const uniform = input("float32", [2, 4]);
    const places: unknown[] = [];
    const { output, attention } = applyModel(model, stateOf(model), x, {
      replaceAttention: (place) => {
        places.push(place);
        return uniform;
      },
    });
    expect(places).toEqual([{ layer: "0", kind: "kernel" }]);
    expect(attention["0"]!.kernel!.values).toBe(uniform);
    expect(output.inputs[1]).toBe(uniform);
  });

  it("is not replaced by values of another shape", () => {
    const model = new Sequential(new DynamicConv2d(4, 4, 1));
    const replaceAttention = () => input("float32", [2, 3]);
    expect(() => applyModel(model, stateOf(model), x, { replaceAttention })).toThrow(
      'attention that replaces "kernel" of 0',
    );
  });

  it("of a layer that is called twice is kept for each call", () => {
    const layer = new TwoKinds();
    const model = new Sequential(layer, layer);
    const { attention } = applyModel(model, stateOf(model), x);
    expect(Object.keys(attention).sort()).toEqual(["0", "0#2", "0.inner", "0.inner#2"]);
    expect(attention["0"]!.channel!.values).not.toBe(attention["0#2"]!.channel!.values);
    expect(Object.keys(attention["0#2"]!)).toEqual(["channel", "spatial"]);
  });
});
