import { expect, test, vi } from "vitest";
import { ensureFolder } from "../../src/files/index.js";

const fails = (code: string) => Promise.reject(Object.assign(new Error(code), { code }));

// What Node does on a read-only disk mounted at /disk.
vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  mkdir: () => fails("ENOENT"),
  access: (path: string) => fails(path === "/disk" ? "EROFS" : "ENOENT"),
}));

test("ensureFolder says that the disk is read-only, not that the folder is missing", async () => {
  await expect(ensureFolder("/disk/runs/a")).rejects.toMatchObject({
    message: "cannot make folder /disk/runs/a: EROFS",
    hint: expect.stringContaining("read-only"),
  });
});
