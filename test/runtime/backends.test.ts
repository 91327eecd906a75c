import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  add,
  type BackendSettings,
  compile,
  constant,
  type Device,
  DyconvError,
  gather,
  mul,
  RuntimeUnavailableError,
  spec,
} from "dyconv";
import { afterEach, describe, expect, it, vi } from "vitest";
import { loadBackend as loadInBrowser } from "../../src/runtime/backend.browser.js";
import { loadBackend } from "../../src/runtime/backend.node.js";
import { machineFor } from "../../src/runtime/index.js";

const native = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
const cuda = join(native, "bin/napi-v6", process.platform, process.arch, "libonnxruntime_providers_cuda.so");

async function refusal(opening: Promise<unknown>): Promise<RuntimeUnavailableError> {
  const error: unknown = await opening.then(() => undefined).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RuntimeUnavailableError);
  return error as RuntimeUnavailableError;
}

describe("a device that is not to be had", () => {
  afterEach(() => {
    vi.doUnmock("onnxruntime-node");
    vi.unstubAllGlobals();
  });

  it.skipIf(existsSync(cuda))(
    "CUDA without its files says how to get them (skipped where they are)",
    async () => {
      const { message, hint } = await refusal(compile((x) => add(x, 1), [spec([2])], { device: "cuda" }));
      expect(message).toMatch(/^ONNX Runtime could not open the model on "cuda": /);
      expect(hint).toContain("install.js --onnxruntime-node-install=cuda12");
    },
  );

  it.each<Device>(["webgpu", "cuda"])("%s needs onnxruntime-node", async (device) => {
    vi.doMock("onnxruntime-node", () => {
      throw new Error("no such package");
    });
    const { message, hint } = await refusal(loadBackend(device));
    expect(message).toMatch(`device "${device}" needs onnxruntime-node; `);
    expect(hint).toBe("npm install onnxruntime-node");
  });

  it("the platform may have none", async () => {
    vi.doMock("onnxruntime-node", () => ({ listSupportedBackends: () => [{ name: "cpu", bundled: true }] }));
    const { message, hint } = await refusal(loadBackend("webgpu"));
    expect(message).toBe(`onnxruntime-node has no "webgpu" for ${process.platform} on ${process.arch}`);
    expect(hint).toBe('device "cpu" runs everywhere');
  });

  it("a graph is rewritten for WebAssembly where that is what the CPU comes to", async () => {
    expect((await machineFor()).target).toBe("cpu");
    vi.doMock("onnxruntime-node", () => {
      throw new Error("no such package");
    });
    expect(await machineFor()).toMatchObject({ target: "wasm", block: 0 });
    expect(await machineFor()).toEqual(await machineFor({ device: "wasm" }));
  });

  it("a page takes its cores where it is isolated and workers find their code", async () => {
    const wasmPaths = { mjs: "x.mjs", wasm: "x.wasm" };
    const threads = async (settings: BackendSettings) => (await loadInBrowser("wasm", settings)).threads;
    vi.stubGlobal("navigator", { hardwareConcurrency: 6 });
    vi.stubGlobal("crossOriginIsolated", true);
    expect([await threads({}), await threads({ threads: 4 })]).toEqual([1, 4]);
    expect([await threads({ wasmPaths }), await threads({ wasmPaths, threads: 9 })]).toEqual([6, 6]);
    // Paths stay known.
    expect(await threads({})).toBe(6);
    vi.stubGlobal("crossOriginIsolated", false);
    expect([await threads({ wasmPaths }), await threads({ wasmPaths, threads: 4 })]).toEqual([1, 1]);
  });

  it("a browser has no CUDA, and perhaps no WebGPU", async () => {
    expect((await refusal(loadInBrowser("cuda"))).hint).toBe('in a browser use device "webgpu" or "wasm"');
    vi.stubGlobal("navigator", {});
    expect((await refusal(loadInBrowser("webgpu"))).message).toBe("this page has no WebGPU");
    vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
    const { message, hint } = await refusal(loadInBrowser("webgpu"));
    expect(message).toBe("this page has WebGPU, but no adapter for it");
    expect(hint).toContain('device "wasm" runs everywhere');
  });
});

describe.each<Device>(["cpu", "wasm"])("a run that fails, %s", (device) => {
  it("is an error of dyconv that says what to look at", async () => {
    const specs = [spec([3, 2]), spec([1], "int64")] as const;
    const rows = await compile((x, index) => gather(x, index), specs, { device });
    const x = new Float32Array(6);
    for (const run of [
      () => rows(x, BigInt64Array.of(7n)),
      () => rows.into(new Float32Array(2), x, BigInt64Array.of(7n)),
    ]) {
      const error: unknown = await run().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DyconvError);
      const { message, hint } = error as DyconvError;
      expect(message).toMatch(new RegExp(`^ONNX Runtime could not run the model on "${device}": .*out of`));
      expect(hint).toContain("such as indices");
    }
    expect(await rows(x.fill(2), BigInt64Array.of(1n))).toEqual(Float32Array.of(2, 2));
    await rows.dispose();
  });
});

it("sessions give back their memory when they are disposed of", async () => {
  const size = 4 << 20;
  const weights = new Float32Array(size).fill(1);
  // They are kept, so that it is not the garbage collector that frees them.
  const disposed: object[] = [];
  const open = async () => {
    const fn = await compile((x) => mul(x, constant(weights, [size])), [spec([1])]);
    await fn.dispose();
    disposed.push(fn);
  };
  await open();
  const before = process.memoryUsage().rss;
  for (let n = 0; n < 20; n++) await open();
  // Each held 16 MB of weights at least, all of them 320 MB; what is freed comes back with delay.
  expect(process.memoryUsage().rss - before).toBeLessThan(250e6);
});
