import { packTar, unpackTar } from "modern-tar";
import { CheckpointError } from "../errors/index.js";
import { CONFIG_FILE, checkpointFile, METRICS_FILE } from "../runs/run-files.js";
import type { RunFiles } from "./messages.js";

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

/** What a run goes on with. */
const PATHS: readonly string[] = [
  CONFIG_FILE,
  METRICS_FILE,
  ...(["last", "best", "final"] as const).map(checkpointFile),
];

/**
 * Reads a run from an archive: a .tar or .tar.gz of its folder, as `packRun` and `tar` make it. Files that a run does not
 * need to go on are left out.
 *
 * @throws CheckpointError if it cannot be unpacked, or holds no run
 * @example
 * const resume = await unpackRun(document.querySelector("input[type=file]").files[0]);
 */
export async function unpackRun(archive: Blob): Promise<RunFiles> {
  const entries = await unpackTar(await unzipped(archive)).catch((cause: unknown) => {
    throw new CheckpointError(`the archive cannot be unpacked: ${(cause as Error).message}`, {
      cause,
      hint: "give a .tar or .tar.gz of a run folder",
    });
  });
  const contents = new Map(entries.map(({ header, data }) => [header.name, data]));
  // The one nearest to the root, should a run folder lie among others.
  const [config] = [...contents.keys()]
    .filter((name) => name === CONFIG_FILE || name.endsWith(`/${CONFIG_FILE}`))
    .toSorted((a, b) => a.length - b.length);
  if (config === undefined) throw holdsNoRun("the archive");
  const folder = config.slice(0, -CONFIG_FILE.length);
  return Object.fromEntries(
    PATHS.flatMap((path) => {
      const data = contents.get(folder + path);
      return data === undefined ? [] : [[path, new Blob([data])]];
    }),
  );
}

/**
 * Reads a run from a folder that the user picked. Files that a run does not need to go on are left out.
 *
 * @throws CheckpointError if the folder holds no run
 */
export async function readRun(folder: FileSystemDirectoryHandle): Promise<RunFiles> {
  const found = await Promise.all(PATHS.map(async (path) => [path, await fileIn(folder, path)] as const));
  const files = Object.fromEntries(found.filter((entry): entry is [string, File] => entry[1] !== undefined));
  if (files[CONFIG_FILE] === undefined) throw holdsNoRun(folder.name);
  return files;
}

async function fileIn(folder: Folder, path: string): Promise<File | undefined> {
  const parts = path.split("/");
  const name = parts.pop()!;
  let from: Folder = folder;
  try {
    for (const part of parts) from = await from.getDirectoryHandle(part);
    return await (await from.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

async function unzipped(archive: Blob): Promise<ReadableStream<Uint8Array>> {
  const [first, second] = new Uint8Array(await archive.slice(0, 2).arrayBuffer());
  const isGzip = first === 0x1f && second === 0x8b;
  return isGzip ? archive.stream().pipeThrough(new DecompressionStream("gzip")) : archive.stream();
}

function holdsNoRun(what: string): CheckpointError {
  return new CheckpointError(`${what} holds no run: there is no ${CONFIG_FILE}`, {
    hint: "give the folder that train wrote, its --out, or what packRun packed",
  });
}
