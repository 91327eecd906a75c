import { add, compileStep, exp, type RuntimeOptions, spec, sum } from "dyconv";
import { describe, expect, it } from "vitest";

/** A step that adds to a running total. */
const counter = (initial: Readonly<Record<string, Float32Array>> = {}, options: RuntimeOptions = {}) =>
  compileStep(
    ({ total }, { x }) => ({ state: { total: add(total, x) }, results: { sum: sum(add(total, x)) } }),
    { state: { total: spec([2]) }, inputs: { x: spec([2]) } },
    initial,
    options,
  );
const x = Float32Array.of(1, 2);

describe.each(["cpu", "wasm"] as const)("a compiled step, %s", (device) => {
  it("carries its state from run to run", async () => {
    const step = await counter({ total: Float32Array.of(10, 20) }, { device });
    expect((await step.run({ x })).sum).toEqual(Float32Array.of(33));
    expect((await step.run({ x })).sum).toEqual(Float32Array.of(36));
    expect((await step.state()).total).toEqual(Float32Array.of(12, 24));
    step.setState({ total: Float32Array.of(0, 1) });
    expect((await step.run({ x })).sum).toEqual(Float32Array.of(4));
    await step.dispose();
  });

  it("runs steps that are not awaited one after the other", async () => {
    const step = await counter({}, { device });
    await Promise.all([step.run({ x }), step.run({ x }), step.run({ x })]);
    expect((await step.state()).total).toEqual(Float32Array.of(3, 6));
    await step.dispose();
  });

  it("copies the values that it is given", async () => {
    const mine = Float32Array.of(1, 1);
    const step = await counter({ total: mine }, { device });
    for (let n = 0; n < 3; n++) await step.run({ x });
    expect(mine).toEqual(Float32Array.of(1, 1));
    await step.dispose();
  });
});

describe("a compiled step", () => {
  it("keeps to two sets of buffers for its state and one for its results", async () => {
    const step = await counter();
    const states = new Set<ArrayBufferLike>();
    const results = new Set<ArrayBufferLike>();
    for (let n = 0; n < 10; n++) {
      results.add((await step.run({ x })).sum.buffer);
      states.add((await step.state()).total.buffer);
    }
    expect([states.size, results.size]).toEqual([2, 1]);
    await step.dispose();
  });

  it("allocates nothing large from run to run", async () => {
    const size = 4 << 20;
    const step = await compileStep(({ w }) => ({ state: { w: add(w, 1) }, results: { sum: sum(w) } }), {
      state: { w: spec([size]) },
      inputs: {},
    });
    const held = () => process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    await step.run({});
    const before = held();
    let most = before;
    for (let n = 0; n < 8; n++) {
      await step.run({});
      most = Math.max(most, held());
    }
    // One fresh copy of the state would take 16 MB, eight of them 128 MB.
    expect(most - before).toBeLessThan(4 * size);
    await step.dispose();
  });

  it("names states and inputs that are wrong", async () => {
    await expect(counter({ count: x })).rejects.toThrow('the step has no state named "count"');
    await expect(counter({ total: new Float32Array(3) })).rejects.toThrow(
      'state "total": expected Float32Array',
    );
    const step = await counter();
    // @ts-expect-error: the input is missing
    await expect(step.run({})).rejects.toThrow('the step\'s input "x" is missing');
    // @ts-expect-error: there is no such input
    await expect(step.run({ x, y: x })).rejects.toThrow('the step has no input named "y"; its inputs: x');
    await expect(step.run({ x: new Float32Array(1) })).rejects.toThrow('input "x": expected Float32Array');
    await step.dispose();
  });

  it("must give the state that it takes", async () => {
    const specs = { state: { w: spec([2]) }, inputs: {} };
    // @ts-expect-error: the state is missing
    await expect(compileStep(() => ({ state: {}, results: {} }), specs)).rejects.toThrow(
      'the step must return state "w" as float32[2]; it returns nothing',
    );
    await expect(compileStep(({ w }) => ({ state: { w: sum(exp(w)) }, results: {} }), specs)).rejects.toThrow(
      'the step must return state "w" as float32[2]; it returns float32[]',
    );
  });

  it("frees its state when it is disposed of, and then says so when it is run", async () => {
    const step = await counter();
    const last = step.run({ x });
    await step.dispose();
    await step.dispose();
    expect((await last).sum).toEqual(Float32Array.of(3));
    expect(await step.state()).toEqual({});
    await expect(step.run({ x })).rejects.toThrow("this compiled function has been disposed");
  });
});
