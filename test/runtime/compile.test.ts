import { add, compile, mul, ShapeError, spec, sub, sum } from "dyconv";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadBackend } from "../../src/runtime/backend.node.js";

const a = Float32Array.of(5, 7);
const b = Float32Array.of(2, 3);

describe("a compiled function", () => {
  it("takes the arrays of a record by name, in whatever order", async () => {
    const fn = await compile(({ a, b }) => sub(a, b), [{ a: spec([2]), b: spec([2]) }]);
    expect(await fn({ b, a })).toEqual(Float32Array.of(3, 4));
    await fn.dispose();
  });

  it("names what is missing, unknown or does not fit", async () => {
    const fn = await compile(({ a, b }) => add(a, b), [{ a: spec([2]), b: spec([2]) }]);
    const call = fn as unknown as (args: object) => Promise<unknown>;
    await expect(call({ a })).rejects.toThrow("call: expected arrays for a,b, received none for b");
    await expect(call({ a, b, c: a })).rejects.toThrow('call: expected arrays for a,b, received "c"');
    await expect(fn({ a, b: new Float32Array(3) })).rejects.toThrow(
      'argument "b": expected Float32Array for float32[2], received Float32Array of 3 elements',
    );
    // @ts-expect-error: bytes for float32
    await expect(fn({ a, b: new Uint8Array(2) })).rejects.toThrow(ShapeError);
    await fn.dispose();
  });

  it("runs calls that are not awaited one after the other", async () => {
    const fn = await compile((x) => mul(x, 2), [spec([2])]);
    expect(await Promise.all([fn(a), fn(b)])).toEqual([Float32Array.of(10, 14), Float32Array.of(4, 6)]);
    await fn.dispose();
  });

  it("lets its threads sleep between runs where functions take turns", async () => {
    const { InferenceSession } = await loadBackend("cpu", {});
    const create = vi.spyOn(InferenceSession, "create");
    const alone = await compile((x) => mul(x, 2), [spec([2])]);
    const turns = await compile((x) => mul(x, 2), [spec([2])], { sharesCores: true });
    const [first, second] = create.mock.calls.slice(-2).map((call) => call[1]);
    create.mockRestore();
    expect(first).not.toHaveProperty("extra");
    expect(second).toMatchObject({ extra: { session: { force_spinning_stop: "1" } } });
    expect(await turns(a)).toEqual(await alone(a));
    await alone.dispose();
    await turns.dispose();
  });

  it("can be disposed of twice, and then says so when it is called", async () => {
    const fn = await compile((x) => mul(x, 2), [spec([2])]);
    const last = fn(a);
    await fn.dispose();
    await fn.dispose();
    expect(await last).toEqual(Float32Array.of(10, 14));
    await expect(fn(a)).rejects.toThrow("this compiled function has been disposed");
  });
});

describe.each(["cpu", "wasm"] as const)("results into given arrays, %s", (device) => {
  const open = () =>
    compile((x) => ({ double: mul(x, 2), total: sum(x) }), [spec(["batch", 2])], { device }).catch(String);
  let fn: Exclude<Awaited<ReturnType<typeof open>>, string>;
  beforeAll(async () => {
    fn = (await open()) as typeof fn;
  });
  afterAll(() => fn.dispose());

  it("are written where the caller wants them", async () => {
    const double = new Float32Array(4);
    const total = new Float32Array(1);
    await fn.into({ total, double }, Float32Array.of(1, 2, 3, 4));
    expect([double, total]).toEqual([Float32Array.of(2, 4, 6, 8), Float32Array.of(10)]);
    await fn.into({ total, double }, Float32Array.of(0, 0, 0, 1));
    expect([double, total]).toEqual([Float32Array.of(0, 0, 0, 2), Float32Array.of(1)]);
  });

  it("must have the size that the batch asks for", async () => {
    const outputs = { double: new Float32Array(4), total: new Float32Array(1) };
    await expect(fn.into(outputs, Float32Array.of(1, 2))).rejects.toThrow(
      'output "out.double": expected Float32Array for float32[1, 2], received Float32Array of 4 elements',
    );
    await expect(fn.into({ double: a } as never, a)).rejects.toThrow('an array for output "out.total"');
  });
});
