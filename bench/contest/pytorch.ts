import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** A Python installation with PyTorch. */
export interface Pytorch {
  readonly python: string;
  readonly version: string;
  /** The library to preload, if it is installed. */
  readonly tcmalloc: string | undefined;
}

/** Paths of Debian's libtcmalloc-minimal4. */
const TCMALLOC = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(
  (triplet) => `/usr/lib/${triplet}/libtcmalloc_minimal.so.4`,
);

/**
 * Checks a Python for PyTorch.
 *
 * @returns `undefined` if there is none, which is reported on standard error
 */
export async function findPytorch(python: string): Promise<Pytorch | undefined> {
  try {
    const script = "import torch; print(torch.__version__)";
    const { stdout } = await promisify(execFile)(python, ["-c", script]);
    const tcmalloc = TCMALLOC.find((path) => existsSync(path));
    if (tcmalloc === undefined) console.error("no tcmalloc (libtcmalloc-minimal4): PyTorch runs without");
    return { python, version: stdout.trim(), tcmalloc };
  } catch {
    console.error(`"${python}" has no PyTorch, which is left out: --python or DYCONV_PYTHON names another`);
    return undefined;
  }
}
