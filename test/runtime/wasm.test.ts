import { afterEach, describe, expect, it, vi } from "vitest";
import { expectSameTraining } from "./same-training.js";
import { trainSmallNetwork } from "./small-network.js";

afterEach(() => {
  vi.doUnmock("onnxruntime-node");
  vi.restoreAllMocks();
  vi.resetModules();
});

describe("WebAssembly in node", () => {
  it("trains as the CPU does", async () => {
    expectSameTraining(
      await trainSmallNetwork({ device: "wasm" }),
      await trainSmallNetwork({ device: "cpu" }),
    );
  });

  it("stands in for the CPU where onnxruntime-node is missing, and says so once", async () => {
    vi.resetModules();
    vi.doMock("onnxruntime-node", () => {
      throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    });
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const { add, compile, spec } = await import("dyconv");
    for (let n = 1; n <= 2; n++) {
      const fn = await compile((x) => add(x, n), [spec([2])]);
      expect(await fn(Float32Array.of(1, 2))).toEqual(Float32Array.of(1 + n, 2 + n));
      await fn.dispose();
    }
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/onnxruntime-node .*WebAssembly/)]]);
  });
});
