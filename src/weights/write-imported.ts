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
import { type ImportedModel, importOnnx } from "./import-onnx.js";

/** How a module that defines an imported network begins. */
const MODULE_START = 'import { defineImported } from "dyconv";\n\nexport default defineImported(';

/**
 * Imports an ONNX classifier and writes it to a folder: `model.mjs`, a module that defines it, and `weights.safetensors`.
 *
 * @param name what the network is to be called
 * @param imageSize height and width of its images, where the file leaves them open
 * @throws UsageError where the folder holds files of these names that are not of an import
 * @throws DyconvError where a file cannot be used, CheckpointError where the model is not imported, and why
 */
export async function writeImported(
  path: string,
  out: string,
  name: string,
  imageSize?: number,
): Promise<ImportedModel> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError("read", path, cause);
  });
  const imported = importOnnx(bytes, path, { name, ...(imageSize !== undefined && { imageSize }) });
  const [module, weights] = [join(out, "model.mjs"), join(out, "weights.safetensors")];
  const again = await refuseReplacingForeign(module, (content) => content.startsWith(MODULE_START));
  if (!again) await refuseReplacingForeign(weights, () => false);
  await ensureFolder(out);
  // The module first: by it an import that was broken off is told, so that it can be made anew.
  await writeFileAtomically(module, `${MODULE_START}${JSON.stringify(imported.network, null, 1)});\n`);
  const metadata = { format: "dyconv", model: name };
  await writeSafetensors(weights, imported.state, withChecksum(imported.state, metadata));
  return imported;
}
