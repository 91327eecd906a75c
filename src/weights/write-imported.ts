import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ensureFolder,
  fileError,
  refuseReplacingForeign,
  withChecksum,
  writeFileAtomically,
  writeSafetensors,
} from "../files/index.js";
import { type ImportedModel, type ImportOptions, importOnnx } from "./import-onnx.js";

/** How a module that defines an imported network begins. */
const MODULE_START = 'import { defineImported } from "dyconv";\n\nexport default defineImported(';

/**
 * Imports an ONNX classifier and writes it to a folder: `model.mjs`, a module that defines it, and
 * `model.safetensors`.
 *
 * @param options what the network is to be called, and what the file does not say of its images
 * @throws UsageError where the folder holds files of these names that are not of an import
 * @throws DyconvError where a file cannot be used, CheckpointError where the model is not imported, and why
 */
export async function writeImported(
  path: string,
  out: string,
  options: ImportOptions,
): Promise<ImportedModel> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError("read", path, cause);
  });
  const imported = importOnnx(bytes, path, options);
  const [module, weights] = [join(out, "model.mjs"), join(out, "model.safetensors")];
  const again = await refuseReplacingForeign(module, (content) => content.startsWith(MODULE_START));
  if (!again) await refuseReplacingForeign(weights, () => false);
  await ensureFolder(out);
  // The module first: by it an import that was broken off is told, so that it can be made anew.
  await writeFileAtomically(module, `${MODULE_START}${JSON.stringify(imported.network, null, 1)});\n`);
  const metadata = { format: "dyconv", model: options.name };
  await writeSafetensors(weights, imported.state, withChecksum(imported.state, metadata));
  return imported;
}
