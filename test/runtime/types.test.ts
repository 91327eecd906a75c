/** What the compiler knows of compiled functions: names and dtypes. `npm run types` is the test. */
import {
  type ArraysByName,
  add,
  type CompiledStep,
  cast,
  compile,
  compileStep,
  crossEntropy,
  equal,
  mul,
  reshape,
  spec,
  sum,
  type Tensor,
  type TensorData,
  type TensorSpec,
  trace,
} from "dyconv";
import { expectTypeOf, it } from "vitest";

const inputs = {
  images: spec([2], "uint8"),
  targets: spec([2], "int64"),
  mask: spec([2], "bool"),
  rate: spec([]),
};
const state = { w: spec([2]) };

it("a step knows its inputs, its state and its results", () => {
  const open = () =>
    compileStep(({ w }, { rate }) => ({ state: { w: mul(w, rate) }, results: { loss: sum(w) } }), {
      state,
      inputs,
    });
  type Step = Awaited<ReturnType<typeof open>>;
  expectTypeOf<Parameters<Step["run"]>[0]>().toEqualTypeOf<{
    readonly images: Uint8Array;
    readonly targets: BigInt64Array;
    readonly mask: Uint8Array;
    readonly rate: Float32Array;
  }>();
  expectTypeOf<Awaited<ReturnType<Step["run"]>>>().toEqualTypeOf<{ readonly loss: TensorData }>();
  expectTypeOf<Awaited<ReturnType<Step["state"]>>>().toEqualTypeOf<{ readonly w: Float32Array }>();
  expectTypeOf<Parameters<Step["setState"]>[0]>().toEqualTypeOf<{ readonly w?: Float32Array }>();
  expectTypeOf<Step>().toExtend<CompiledStep<typeof state, typeof inputs, { loss: Tensor }>>();
});

it("a step refuses names that it has not", () => {
  // Never run: what is wrong in it is seen by the compiler.
  const wrong = async () => {
    const specs = { state, inputs: { x: spec([2]) } };
    // @ts-expect-error: the state has no `v`
    await compileStep(({ v }, { x }) => ({ state: { w: add(v, x) }, results: {} }), specs);
    // @ts-expect-error: there is no input `y`
    await compileStep(({ w }, { y }) => ({ state: { w: add(w, y) }, results: {} }), specs);
    // @ts-expect-error: the new state lacks `w`
    await compileStep(({ w }) => ({ state: { v: w }, results: {} }), specs);
    const fn = ({ w }: { w: Tensor }) => ({ state: { w }, results: { loss: sum(w) } });
    // @ts-expect-error: the state to begin with is float32
    await compileStep(fn, specs, { w: new Uint8Array(2) });
    // @ts-expect-error: the state to begin with has no `v`
    await compileStep(fn, specs, { v: new Float32Array(2) });
    const step = await compileStep(fn, specs);
    // @ts-expect-error: there is no result `lost`
    (await step.run({ x: new Float32Array(2) })).lost;
    // @ts-expect-error: there is no state `v`
    step.setState({ v: new Float32Array(2) });
  };
  expectTypeOf(wrong).returns.resolves.toBeVoid();
});

it("dtypes follow from specs, losses and cast", () => {
  const open = () =>
    compileStep(
      ({ w }, { rate, images, targets }) => {
        expectTypeOf(w).toEqualTypeOf<Tensor<"float32">>();
        expectTypeOf(images).toEqualTypeOf<Tensor<"uint8">>();
        const logits = reshape(mul(cast(images, "float32"), w), [2, 1]);
        return {
          state: { w: mul(w, rate) },
          results: { loss: crossEntropy(logits, targets), logits, w, seen: cast(logits, "float32"), targets },
        };
      },
      { state, inputs },
    );
  type Results = Awaited<ReturnType<Awaited<ReturnType<typeof open>>["run"]>>;
  expectTypeOf<Results>().toEqualTypeOf<{
    readonly loss: Float32Array;
    readonly logits: TensorData;
    readonly w: Float32Array;
    readonly seen: Float32Array;
    readonly targets: BigInt64Array;
  }>();
  expectTypeOf<Tensor<"int64">>().toExtend<Tensor>();
  expectTypeOf<Tensor>().not.toExtend<Tensor<"int64">>();
  // @ts-expect-error: there is no such dtype
  expectTypeOf<Tensor<"float64">>();
});

it("names that are known when the program runs leave arrays by any name", () => {
  const open = (specs: Readonly<Record<string, TensorSpec>>) =>
    compileStep((old) => ({ state: old, results: old }), { state: specs, inputs: specs });
  type Step = Awaited<ReturnType<typeof open>>;
  expectTypeOf<Parameters<Step["run"]>[0]>().toEqualTypeOf<Readonly<Record<string, TensorData>>>();
  expectTypeOf<Awaited<ReturnType<Step["run"]>>>().toEqualTypeOf<Readonly<Record<string, TensorData>>>();
  expectTypeOf<ArraysByName<Record<string, TensorSpec<"float32">>>>().toEqualTypeOf<
    Readonly<Record<string, Float32Array>>
  >();
});

it("a compiled function knows its arguments and its results", () => {
  const open = () =>
    compile(
      (labels, { scale }) => ({ hit: equal(labels, labels), both: [scale, scale] as const }),
      [spec([2], "int64"), { scale: spec(["batch", 2]) }],
    );
  type Fn = Awaited<ReturnType<typeof open>>;
  expectTypeOf<Parameters<Fn>>().toEqualTypeOf<[BigInt64Array, { readonly scale: Float32Array }]>();
  expectTypeOf<Awaited<ReturnType<Fn>>>().toEqualTypeOf<{
    readonly hit: TensorData;
    readonly both: readonly [Float32Array, Float32Array];
  }>();
  expectTypeOf<Fn["into"]>().returns.resolves.toBeVoid();
});

it("a trace knows the names of its outputs", () => {
  const open = () => trace((x) => ({ y: add(x, 1) }), [spec([2])]);
  expectTypeOf<ReturnType<typeof open>["outputNames"]>().toEqualTypeOf<{ readonly y: string }>();
});
