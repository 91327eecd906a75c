import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { Md5 } from "../../src/data/md5.js";

it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])("the MD5 of %d bytes, in pieces", (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => 7 * i + length);
  const hash = new Md5();
  for (let at = 0; at < length; at += 37) hash.update(bytes.subarray(at, at + 37));
  expect(hash.digest()).toBe(createHash("md5").update(bytes).digest("hex"));
});
