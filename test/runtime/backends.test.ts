import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { add, compile, constant, type Device, mul, RuntimeUnavailableError, spec } from "dyconv";
import { afterEach, describe, expect, it, vi } from "vitest";
import { loadBackend as loadInBrowser } from "../../src/runtime/backend.browser.js";
import { loadBackend } from "../../src/runtime/backend.node.js";

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

  it("a browser has no CUDA, and perhaps no WebGPU", async () => {
    expect((await refusal(loadInBrowser("cuda"))).hint).toBe('in a browser use device "webgpu" or "wasm"');
    vi.stubGlobal("navigator", {});
    expect((await refusal(loadInBrowser("webgpu"))).message).toBe("this page has no WebGPU");
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
