/** `#backend` in node: onnxruntime-node, or onnxruntime-web's WebAssembly if it is unavailable. */
import { RuntimeUnavailableError } from "../errors/index.js";
import type { Backend, BackendSettings, Device } from "./backend.js";
import { usableCores } from "./cores.js";
import { createProfileFile } from "./profile-file.js";
import { tunedProfile } from "./tuned-profile.js";

type NativeDevice = Exclude<Device, "wasm">;
type Native = typeof import("onnxruntime-node");

const HINTS: Readonly<Partial<Record<NativeDevice, string>>> = {
  webgpu: 'WebGPU needs a GPU with a Vulkan, Metal or Direct3D 12 driver; device "cpu" runs everywhere',
  cuda:
    "CUDA needs Linux on x64, CUDA 12 with cuDNN 9, and files that the install script of onnxruntime-node " +
    "downloads: node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12; " +
    'device "cpu" runs everywhere',
};

let warned = false;

/**
 * Loads ONNX Runtime for a device. `"cpu"` falls back to WebAssembly with a single warning.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function loadBackend(device: Device, settings: BackendSettings = {}): Promise<Backend> {
  if (device === "wasm") return loadWebAssembly(settings);
  // By default, ONNX Runtime stores usage events in the user's cache folder and sends them.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  let native: Native;
  try {
    native = await import("onnxruntime-node");
  } catch (cause) {
    if (device !== "cpu") throw nativeMissing(device, cause);
    if (!warned) {
      console.warn(`${whyMissing(cause)}: running on WebAssembly, several times slower`);
      warned = true;
    }
    return loadWebAssembly(settings);
  }
  const machineProfile = device === "cpu" ? await tunedProfile() : undefined;
  return { ...nativeBackend(native, device, settings), ...(machineProfile && { machineProfile }) };
}

/** ONNX Runtime defaults to one thread per physical core, which it miscounts on virtual machines. */
function threadCount({ threads }: BackendSettings): number {
  const cores = usableCores();
  return Math.min(threads ?? cores, cores);
}

function nativeBackend(native: Native, device: NativeDevice, settings: BackendSettings): Backend {
  if (!native.listSupportedBackends().some(({ name }) => name === device)) {
    const { platform, arch } = process;
    throw new RuntimeUnavailableError(`onnxruntime-node has no "${device}" for ${platform} on ${arch}`, {
      hint: 'device "cpu" runs everywhere',
    });
  }
  // Failures are thrown as exceptions; the log would print each of them again.
  native.env.logLevel = "fatal";
  const hint = HINTS[device];
  return {
    InferenceSession: native.InferenceSession,
    Tensor: native.Tensor,
    target: device,
    threads: threadCount(settings),
    providers: device === "cpu" ? ["cpu"] : [device, "cpu"],
    fillsOutputs: true,
    // Only the CPU can be profiled: on a GPU, the call that starts an operator returns long before it is done.
    ...(device === "cpu" && { createProfileFile }),
    ...(hint === undefined ? {} : { hint }),
  };
}

async function loadWebAssembly(settings: BackendSettings): Promise<Backend> {
  const { env, InferenceSession, Tensor } = await import("onnxruntime-web");
  const threads = threadCount(settings);
  env.wasm.numThreads = threads;
  return { InferenceSession, Tensor, target: "wasm", threads, providers: ["wasm"], fillsOutputs: false };
}

function nativeMissing(device: NativeDevice, cause: unknown): RuntimeUnavailableError {
  return new RuntimeUnavailableError(`device "${device}" needs onnxruntime-node; ${whyMissing(cause)}`, {
    cause,
    hint: "npm install onnxruntime-node",
  });
}

function whyMissing(cause: unknown): string {
  const { code, message } = cause as Partial<NodeJS.ErrnoException>;
  if (code === "ERR_MODULE_NOT_FOUND") return "onnxruntime-node is not installed";
  return `onnxruntime-node cannot be loaded (${message?.split("\n")[0]})`;
}
