import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../errors/index.js";

/** Entries of a folder, without hidden ones. Links are followed. */
export interface FolderListing {
  /** Names of subfolders, sorted. */
  readonly folders: readonly string[];
  /** Names of all other entries, sorted. */
  readonly files: readonly string[];
}

/**
 * Lists a folder.
 *
 * @throws DataError if the folder does not exist, or a name in it is not UTF-8, which Node could not open
 */
export async function listFolder(path: string): Promise<FolderListing> {
  const entries = await readdir(path, { encoding: "buffer" }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === "ENOENT" || cause.code === "ENOTDIR" ? "no such folder" : cause.message;
    throw new DataError(`${path}: ${reason}`, { hint: "Check the path.", cause });
  });
  const names = entries
    .map((entry) => decodeName(path, entry))
    .filter((name) => !name.startsWith("."))
    .sort();
  const areFolders = await Promise.all(names.map((name) => isFolder(join(path, name))));
  return {
    folders: names.filter((_, i) => areFolders[i]),
    files: names.filter((_, i) => !areFolders[i]),
  };
}

/** Whether a path is a folder, or a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

function decodeName(folder: string, bytes: Uint8Array): string {
  const name = Buffer.from(bytes).toString("utf8");
  if (Buffer.from(name, "utf8").equals(bytes)) return name;
  const shown = Buffer.from(bytes)
    .toString("latin1")
    .replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
  throw new DataError(`${folder}: the name "${shown}" is not UTF-8`, {
    hint: "Rename it, for example with: convmv -f latin1 -t utf8 --notest",
  });
}
