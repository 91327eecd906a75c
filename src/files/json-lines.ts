import { readFile } from "node:fs/promises";
import { AppendFile } from "./append.js";
import { writeFileAtomically } from "./atomic.js";
import { errorCode, fileError } from "./file-error.js";
import { parseJsonLines } from "./parse-json-lines.js";

/** Options of {@link JsonLinesWriter.open}. */
export interface JsonLinesOptions {
  /**
   * Which records of an existing file to keep, such as `(record) => record.step <= checkpoint.step` when a
   * run resumes. Defaults to all.
   */
  readonly keep?: (record: unknown) => boolean;
}

/**
 * Reads a file with one JSON value per line. A truncated last line, as a killed process leaves it, is
 * skipped.
 *
 * @returns the records in order, or none if the file does not exist
 * @throws DyconvError naming the line, if another line is not JSON
 */
export async function readJsonLines(path: string): Promise<unknown[]> {
  return parseJsonLines(await readText(path), path);
}

/**
 * Appends records to a file with one JSON value per line. Each is in the file when `append` returns.
 *
 * @example
 * const metrics = await JsonLinesWriter.open("runs/a/metrics.jsonl", { keep: (record) => stepOf(record) <= 970 });
 * metrics.append({ step: 980, loss: 1.71 });
 * metrics.close();
 */
export class JsonLinesWriter {
  readonly #file: AppendFile;

  private constructor(readonly path: string) {
    this.#file = new AppendFile(path);
  }

  /**
   * Opens `path`, and creates it if it does not exist. Records that `keep` rejects and a truncated last line
   * are first removed, atomically.
   *
   * @throws DyconvError with a hint, if the file is damaged, or its folder missing or not writable
   */
  static async open(path: string, options: JsonLinesOptions = {}): Promise<JsonLinesWriter> {
    const { keep = () => true } = options;
    const present = await readText(path);
    const kept = (await readJsonLines(path)).filter(keep).map(toLine).join("");
    if (kept !== present) await writeFileAtomically(path, kept);
    return new JsonLinesWriter(path);
  }

  /**
   * Writes one record. NaN and infinity, which JSON lacks, become `null`.
   *
   * @throws DyconvError with a hint, if the disk is full
   */
  append(record: unknown): void {
    this.#file.append(toLine(record));
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

function toLine(record: unknown): string {
  return `${JSON.stringify(record)}\n`;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return "";
    throw fileError("read", path, cause);
  }
}
