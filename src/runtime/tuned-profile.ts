/** The profile of this machine measured by `dyconv tune`, kept in the user's cache. */

import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { machineOf } from "../export/index.js";
import { cacheFolder, ensureFolder, writeFileAtomically } from "../files/index.js";
import { type MachineProfile, WORK_KINDS } from "../ir/index.js";

const positive = z.number().positive();
// Profiles kept by earlier versions lack some numbers.
const { mixedKernels, plainConvolutions, weightGradients } = machineOf({ target: "cpu", block: 8 }).profile;
const { mostBytes, mostCopied, leastRun } = mixedKernels;
const profileSchema = z.object({
  name: z.string(),
  plans: z.record(z.enum(WORK_KINDS), z.number().nonnegative()),
  winograd: z.object({ leastSaving: positive, leastRows: positive, imagesAtOnce: positive }),
  mixedKernels: z.object({
    ...{ bytesAtOnce: positive, mostParts: positive },
    ...{ mostBytes: positive.default(mostBytes), mostCopied: positive.default(mostCopied) },
    leastRun: positive.default(leastRun),
  }),
  plainConvolutions: z
    .object({ mostPixels: positive, leastWeights: positive, mostImages: positive })
    .default(plainConvolutions),
  weightGradients: z.object({
    mostPartials: positive.default(weightGradients.mostPartials),
    ...{ mostPixels: positive, mostCopies: positive },
  }),
});

/** Where the profile is kept. Machines may share a home directory, so each processor model has a file of its own. */
export function tunedProfilePath(): string {
  const model = cpus()[0]?.model ?? "unknown";
  const hash = createHash("sha256").update(model).digest("hex").slice(0, 8);
  return join(cacheFolder(), `machine-profile-${hash}.json`);
}

let known: Promise<MachineProfile | undefined> | undefined;

/** The stored profile of this machine, if it was measured. An unreadable one is ignored with a warning. */
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
    console.warn(`${path} is damaged and ignored; run dyconv tune to measure this machine again`);
    return undefined;
  }
}

/** Stores a profile of this machine, used by whatever this and later processes compile from now on. */
export async function keepTunedProfile(profile: MachineProfile): Promise<string> {
  const path = tunedProfilePath();
  await ensureFolder(dirname(path));
  await writeFileAtomically(path, `${JSON.stringify(profile, null, 2)}\n`);
  known = undefined;
  return path;
}

/** Deletes the profile of this machine: the one shipped for its kind is used again. */
export async function forgetTunedProfile(): Promise<void> {
  await rm(tunedProfilePath(), { force: true });
  known = undefined;
}
