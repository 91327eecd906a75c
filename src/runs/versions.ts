import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

const versionOf = (name: string) => (require(`${name}/package.json`) as { readonly version: string }).version;

/** Version of this package. */
export const version = versionOf("dyconv");

/** Versions that the last bit of a result may depend on, by name. */
export function installedVersions(): Readonly<Record<string, string>> {
  return { dyconv: version, ...runtimeVersion(), node: process.versions.node };
}

/** Empty if the optional package is not installed and the runtime is WebAssembly. */
function runtimeVersion(): Readonly<Record<string, string>> {
  try {
    return { "onnxruntime-node": versionOf("onnxruntime-node") };
  } catch {
    return {};
  }
}
