import { appendFileSync, closeSync, openSync } from "node:fs";
import { fileError } from "./file-error.js";

/** An append-only file. Content is in the file, not just in memory, when `append` returns. */
export class AppendFile {
  readonly #file: number;

  /**
   * Opens `path`, and creates it if it does not exist.
   *
   * @throws DyconvError with a hint, if its folder is missing or not writable
   */
  constructor(readonly path: string) {
    try {
      this.#file = openSync(path, "a");
    } catch (cause) {
      throw fileError("open", path, cause);
    }
  }

  /** @throws DyconvError with a hint, if the disk is full */
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
