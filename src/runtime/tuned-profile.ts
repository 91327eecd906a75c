/** What `dyconv tune` has measured of this machine, kept in the user's cache. */

import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { cacheFolder, ensureFolder, writeFileAtomically } from "../files/index.js";
import { type MachineProfile, WORK_KINDS } from "../ir/index.js";

const positive = z.number().positive();
const profileSchema = z.object({
  name: z.string(),
  plans: z.record(z.enum(WORK_KINDS), z.number().nonnegative()),
  winograd: z.object({ leastSaving: positive, leastRows: positive, imagesAtOnce: positive }),
  mixedKernels: z.object({ bytesAtOnce: positive, mostParts: positive }),
});

/** A home may be shared by machines: the file of each kind of processor has a name of its own. */
export function tunedProfilePath(): string {
  const model = cpus()[0]?.model ?? "unknown";
  const hash = createHash("sha256").update(model).digest("hex").slice(0, 8);
  return join(cacheFolder(), `machine-profile-${hash}.json`);
}

let known: Promise<MachineProfile | undefined> | undefined;

/** The profile of this machine that is kept; none where it was not measured. One that cannot be read is left out, said so. */
export function tunedProfile(): Promise<MachineProfile | undefined> {
  known ??= read(tunedProfilePath());
  return known;
}

async function read(path: string): Promise<MachineProfile | undefined> {
  const content = await readFile(path, "utf8").catch(() => undefined);
  if (content === undefined) return undefined;
  try {
    return profileSchema.parse(JSON.parse(content));
  } catch {
    console.warn(`${path} is damaged and not used; dyconv tune measures this machine anew`);
    return undefined;
  }
}

/** Keeps a profile of this machine: what is compiled from now on, by this and later processes, uses it. */
export async function keepTunedProfile(profile: MachineProfile): Promise<string> {
  const path = tunedProfilePath();
  await ensureFolder(dirname(path));
  await writeFileAtomically(path, `${JSON.stringify(profile, null, 2)}\n`);
  known = undefined;
  return path;
}

/** Forgets the profile of this machine: the one shipped for its kind is used again. */
export async function forgetTunedProfile(): Promise<void> {
  await rm(tunedProfilePath(), { force: true });
  known = undefined;
}
