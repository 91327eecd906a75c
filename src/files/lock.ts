import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { DyconvError } from "../errors/index.js";
import { errorCode, fileError } from "./file-error.js";
import { processStart } from "./process-start.js";

const holderSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  /** The {@link processStart} of the process. */
  processStart: z.string(),
  /** ISO 8601. */
  since: z.string(),
});

type Holder = z.infer<typeof holderSchema>;

/** How long a lock may be empty: its writer fills it right after creating it. */
const WRITING_MS = 2000;

/**
 * The exclusive right of a process to write in a folder, stored as `.lock` in it. It ends with the process.
 */
export class FolderLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Locks a folder, taking over the lock of a process that ended without releasing it.
   *
   * @throws DyconvError naming the process that holds the lock, or if the folder is not writable
   */
  static acquire(folder: string): FolderLock {
    const path = join(folder, ".lock");
    while (!create(path)) takeAway(path, folder);
    return new FolderLock(path);
  }

  /** Releases the lock. */
  release(): void {
    rmSync(this.#path, { force: true });
  }
}

/** @returns `false` if there already is a lock */
function create(path: string): boolean {
  const { pid } = process;
  const holder: Holder = {
    pid,
    host: hostname(),
    processStart: processStart(pid) ?? "",
    since: new Date().toISOString(),
  };
  try {
    writeFileSync(path, `${JSON.stringify(holder)}\n`, { flag: "wx" });
    return true;
  } catch (cause) {
    if (errorCode(cause) === "EEXIST") return false;
    throw fileError("write", path, cause);
  }
}

/**
 * Removes a lock whose holder is gone. It is renamed first, as another process may have replaced it
 * meanwhile.
 */
function takeAway(path: string, folder: string): void {
  const found = read(path);
  if (found === undefined) return;
  assertGone(found, path, folder);
  const aside = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    renameSync(path, aside);
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return;
    throw fileError("write", path, cause);
  }
  if (readFileSync(aside, "utf8") === found.content) rmSync(aside);
  else renameSync(aside, path);
}

interface FoundLock {
  readonly content: string;
  /** Milliseconds since it was created. */
  readonly age: number;
}

function read(path: string): FoundLock | undefined {
  try {
    return { content: readFileSync(path, "utf8"), age: Date.now() - statSync(path).mtimeMs };
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return undefined;
    throw fileError("read", path, cause);
  }
}

function assertGone({ content, age }: FoundLock, path: string, folder: string): void {
  const holder = parse(content);
  if (holder === undefined) {
    if (Math.abs(age) > WRITING_MS) return;
    throw new DyconvError(`${folder} is being locked by another process`, { hint: "try again in a moment" });
  }
  const { pid, host, processStart: start, since } = holder;
  const here = host === hostname();
  const now = here ? processStart(pid) : start;
  if (now === undefined || (now !== start && now !== "" && start !== "")) return;
  throw new DyconvError(`${folder} is in use by process ${pid} on ${host}, since ${since}`, {
    hint: here
      ? "wait until it is done, stop it, or choose another folder"
      : `choose another folder, or delete ${path} if that process is gone`,
  });
}

function parse(content: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(content));
  } catch {
    return undefined;
  }
}
