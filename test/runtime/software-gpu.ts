import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where Linux distributions put Chromium's libraries, a Vulkan driver for the processor among them. */
const FOLDERS = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/usr/lib64/chromium-browser",
  "/opt/google/chrome",
];

/** Environment in which node finds WebGPU on the processor; undefined where there is no Chromium to lend it. */
export function softwareGpu(): NodeJS.ProcessEnv | undefined {
  const folder = FOLDERS.find((path) => existsSync(join(path, "vk_swiftshader_icd.json")));
  if (folder === undefined || !existsSync(join(folder, "libvulkan.so.1"))) return undefined;
  return { VK_DRIVER_FILES: join(folder, "vk_swiftshader_icd.json"), LD_LIBRARY_PATH: folder };
}
