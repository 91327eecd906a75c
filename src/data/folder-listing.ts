import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../errors/index.js";

/** What a folder holds; hidden entries are left out, and links stand for what they lead to. */
export interface FolderListing {
  /** Names of folders, sorted. */
  readonly folders: readonly string[];
  /** Names of all others, sorted. */
  readonly files: readonly string[];
}

/**
 * Lists a folder.
 *
 * @throws DataError if there is no such folder, or a name in it is not UTF-8: Node could not open it
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

/** Whether a path leads to a folder. */
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
