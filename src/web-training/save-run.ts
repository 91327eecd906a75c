import { packTar } from "modern-tar";
import type { RunFiles } from "./train.js";

/** A folder that the user picked, as `showDirectoryPicker()` gives it. */
type Folder = Pick<FileSystemDirectoryHandle, "getDirectoryHandle" | "getFileHandle">;

/**
 * Packs a run as a .tar, to be downloaded: `tar xf` makes the folder of it.
 *
 * @param name of the folder; defaults to `run`
 * @example
 * const archive = await packRun(run.files, "dy");
 * Object.assign(document.createElement("a"), { href: URL.createObjectURL(archive), download: "dy.tar" }).click();
 */
export async function packRun(files: RunFiles, name = "run"): Promise<Blob> {
  const entries = Object.entries(files).map(async ([path, blob]) => {
    const body = new Uint8Array(await blob.arrayBuffer());
    return { header: { name: `${name}/${path}`, size: body.length, type: "file" as const }, body };
  });
  return new Blob([await packTar(await Promise.all(entries))], { type: "application/x-tar" });
}

/**
 * Writes a run into a folder that the user picked, in browsers that have `showDirectoryPicker`.
 *
 * @param folder becomes the run's folder
 */
export async function writeRun(files: RunFiles, folder: FileSystemDirectoryHandle): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split("/");
    const name = parts.pop()!;
    let into: Folder = folder;
    for (const part of parts) into = await into.getDirectoryHandle(part, { create: true });
    const file = await (await into.getFileHandle(name, { create: true })).createWritable();
    await file.write(content);
    await file.close();
  }
}
