import { existsSync } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UsageError } from "../errors/index.js";
import { errorCode, fileError } from "./file-error.js";

/**
 * Refuses to write a result over what it is made from, by whatever name or link.
 *
 * @param out where the result is to go
 * @param sources files that are read
 * @throws UsageError naming both, where they are one file
 */
export async function refuseReplacingSource(out: string, sources: readonly string[]): Promise<void> {
  const target = await identity(out);
  if (target === undefined) return;
  for (const source of sources) {
    if ((await identity(source)) !== target) continue;
    throw new UsageError(`${out} is the file that is read${out === source ? "" : `, ${source}`}`, {
      hint: "write the result under another name",
    });
  }
}

/**
 * Refuses to write results into a folder that is read as a whole, by whatever name or link.
 *
 * @param out where the results are to go; it need not exist
 * @param source folder that is read
 * @throws UsageError naming both, where one is, or lies in, the other
 */
export async function refuseWithinSource(out: string, source: string): Promise<void> {
  const read = await identity(source);
  let place = await realpath(nearestExisting(resolve(out)));
  while ((await identity(place)) !== read) {
    if (dirname(place) === place) return;
    place = dirname(place);
  }
  throw new UsageError(`${out} lies in ${source}, whose files are read as data`, {
    hint: "choose a folder outside of it for the results",
  });
}

/** The path, or the first folder above it that exists. */
function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

/** What tells a file from all others; undefined where there is none that could be lost. */
async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

/**
 * Refuses to write over a file that dyconv did not write there.
 *
 * @param isOurs told by its content
 * @returns whether there is such a file
 * @throws UsageError naming a file that would be lost; DyconvError where it cannot be read
 */
export async function refuseReplacingForeign(
  path: string,
  isOurs: (content: string) => boolean,
): Promise<boolean> {
  const content = await readFile(path, "utf8").catch((cause: unknown) => {
    if (errorCode(cause) === "ENOENT") return undefined;
    throw fileError("read", path, cause);
  });
  if (content !== undefined && !isOurs(content)) {
    throw new UsageError(`${path} is not what this command writes, and would be lost`, {
      hint: "choose another folder, or move the file away",
    });
  }
  return content !== undefined;
}
