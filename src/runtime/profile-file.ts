import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProfileFile } from "./backend.js";

/** A folder for temporary files with nothing in it but the profile, whose name ONNX Runtime completes by the time. */
export async function createProfileFile(): Promise<ProfileFile> {
  const folder = await mkdtemp(join(tmpdir(), "dyconv-profile-"));
  return {
    prefix: join(folder, "operators"),
    read: async () => readFile(join(folder, (await readdir(folder))[0]!), "utf8"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
