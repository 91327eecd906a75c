import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DyconvError } from "../errors/index.js";
import { errorCode } from "../files/index.js";
import type { ProfileFile } from "./backend.js";

/** Creates an empty temporary folder for the profile, since ONNX Runtime appends a timestamp to the file name. */
export async function createProfileFile(): Promise<ProfileFile> {
  const folder = await mkdtemp(join(tmpdir(), "dyconv-profile-")).catch((cause: unknown) => {
    throw unusable(errorCode(cause), cause);
  });
  return {
    prefix: join(folder, "operators"),
    read: async () => {
      try {
        const [name] = await readdir(folder);
        return JSON.parse(name === undefined ? "" : await readFile(join(folder, name), "utf8"));
      } catch (cause) {
        // On a full disk, ONNX Runtime silently stops writing, wherever it is.
        throw unusable(cause instanceof SyntaxError ? "the profile was cut short" : errorCode(cause), cause);
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function unusable(reason: string, cause: unknown): DyconvError {
  return new DyconvError(`the temporary folder ${tmpdir()} cannot hold a profile: ${reason}`, {
    hint: "Free some space there, or set TMPDIR to another folder.",
    cause,
  });
}
