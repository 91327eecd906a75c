import { link, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { writeTransformersFolder } from "../../src/deploy/transformers-folder.js";
import { refuseReplacingForeign, refuseReplacingSource } from "../../src/files/index.js";
import { convertWeights } from "../../src/weights/convert-weights.js";
import { writeImported } from "../../src/weights/write-imported.js";
import { smallRun } from "../deploy/small-run.js";
import { temporaryFolder } from "./folder.js";

describe("a file that would be lost", () => {
  it("is not written over by what is made from it, under any of its names", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "a");
    await writeFile(path, "a");
    await symlink(path, join(folder, "link"));
    await link(path, join(folder, "second"));
    for (const name of ["a", "link", "second"]) {
      const replaced = refuseReplacingSource(join(folder, name), ["nowhere", path]);
      await expect(replaced).rejects.toThrow("is the file that is read");
    }
    await refuseReplacingSource(join(folder, "new"), [path]);
    await expect(convertWeights(path, path)).rejects.toThrow("is the file that is read");
  });

  it("is not written over where dyconv did not write it", async () => {
    const folder = await temporaryFolder();
    const config = join(folder, "config.json");
    await writeFile(config, '{ "model": "alexnet-dy" }');
    const bytes = new Uint8Array([1]);
    const exported = {
      bytes,
      form: "constant",
      multiplyAdds: 1,
      times: [],
      attention: [],
      warnings: [],
    } as const;
    await expect(writeTransformersFolder(folder, smallRun(), exported)).rejects.toThrow(
      `${config} is not what this command writes`,
    );
    expect(await readFile(config, "utf8")).toBe('{ "model": "alexnet-dy" }');
    const other = join(folder, "model");
    await writeTransformersFolder(other, smallRun(), exported);
    await writeTransformersFolder(other, smallRun(), exported);
    expect(await refuseReplacingForeign(join(folder, "none"), () => false)).toBe(false);
  });

  it("is kept beside an imported network", async () => {
    const onnx = fileURLToPath(new URL("../weights/imported/tiny.onnx", import.meta.url));
    const folder = await temporaryFolder();
    await writeImported(onnx, folder, { name: "net" });
    await writeImported(onnx, folder, { name: "net" });
    await writeFile(join(folder, "model.mjs"), "// mine");
    await expect(writeImported(onnx, folder, { name: "net" })).rejects.toThrow("model.mjs is not what");
  });
});
