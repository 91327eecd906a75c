import { appendFileSync, closeSync, openSync } from "node:fs";
import { fileError } from "./file-error.js";

/** A file that only grows. What was appended is in the file, not in memory, when `append` returns. */
export class AppendFile {
  readonly #file: number;

  /**
   * Opens `path`, creating it where it is missing.
   *
   * @throws DyconvError with a hint when its folder is missing or not writable.
   */
  constructor(readonly path: string) {
    try {
      this.#file = openSync(path, "a");
    } catch (cause) {
      throw fileError("open", path, cause);
    }
  }

  /** @throws DyconvError with a hint when the disk is full. */
  append(content: string | Uint8Array): void {
    try {
      appendFileSync(this.#file, content);
    } catch (cause) {
      throw fileError("append to", this.path, cause);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
