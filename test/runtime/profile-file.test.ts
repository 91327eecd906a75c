import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { createProfileFile } from "../../src/runtime/profile-file.js";
import { temporaryFolder } from "../files/folder.js";

afterEach(() => vi.unstubAllEnvs());

it("reads the profile that was written, and leaves nothing", async () => {
  const profile = await createProfileFile();
  await writeFile(`${profile.prefix}_now.json`, "[{}]\n");
  expect(await profile.read()).toEqual([{}]);
  await profile.remove();
  expect(existsSync(dirname(profile.prefix))).toBe(false);
});

it.each(["", '[{"cat": "Node", "du', '[{"args": {"shape": [1]'])(
  "refuses a profile that a full disk cut short: %j",
  async (text) => {
    const profile = await createProfileFile();
    await writeFile(`${profile.prefix}_now.json`, text);
    await expect(profile.read()).rejects.toMatchObject({
      message: expect.stringContaining("cut short"),
      hint: expect.stringContaining("TMPDIR"),
    });
    await profile.remove();
  },
);

it("refuses a profile that is gone", async () => {
  const profile = await createProfileFile();
  await expect(profile.read()).rejects.toThrow("cut short");
  await profile.remove();
  await expect(profile.read()).rejects.toThrow(/cannot hold a profile: ENOENT/);
});

it("names a temporary folder that is not there", async () => {
  vi.stubEnv("TMPDIR", join(await temporaryFolder(), "missing"));
  await expect(createProfileFile()).rejects.toThrow(/missing cannot hold a profile: ENOENT/);
});
