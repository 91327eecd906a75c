import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DyconvError } from "../errors/index.js";
import type { ProfileFile } from "./backend.js";

/** Creates an empty temporary folder for the profile, since ONNX Runtime appends a timestamp to the file name. */
export async function createProfileFile(): Promise<ProfileFile> {
  const folder = await mkdtemp(join(tmpdir(), "dyconv-profile-")).catch((cause: NodeJS.ErrnoException) => {
    throw unusable(cause.code ?? cause.message, cause);
  });
  return {
    prefix: join(folder, "operators"),
    read: async () => {
      const [name] = await readdir(folder);
      const text = name === undefined ? "" : await readFile(join(folder, name), "utf8");
      // On a full disk, ONNX Runtime silently stops writing.
      if (!text.trimEnd().endsWith("]")) throw unusable("the profile was cut short");
      return text;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function unusable(reason: string, cause?: unknown): DyconvError {
  return new DyconvError(`the temporary folder ${tmpdir()} cannot hold a profile: ${reason}`, {
    hint: "Free some space there, or set TMPDIR to another folder.",
    cause,
  });
}
