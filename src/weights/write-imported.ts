import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ensureFolder,
  fileError,
  withChecksum,
  writeFileAtomically,
  writeSafetensors,
} from "../files/index.js";
import { type ImportedModel, importOnnx } from "./import-onnx.js";

/**
 * Imports an ONNX classifier and writes it to a folder: `model.mjs`, a module that defines it, and `weights.safetensors`.
 *
 * @param name what the network is to be called
 * @param imageSize height and width of its images, where the file leaves them open
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
  await ensureFolder(out);
  const metadata = { format: "dyconv", model: name };
  await writeSafetensors(
    join(out, "weights.safetensors"),
    imported.state,
    withChecksum(imported.state, metadata),
  );
  const module = `import { defineImported } from "dyconv";\n\nexport default defineImported(${JSON.stringify(imported.network, null, 1)});\n`;
  await writeFileAtomically(join(out, "model.mjs"), module);
  return imported;
}
