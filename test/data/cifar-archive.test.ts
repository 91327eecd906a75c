import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCifarArchive } from "../../src/data/cifar-archive.js";
import { readCifarBlob } from "../../src/data/cifar-blob.js";
import { DataError } from "../../src/errors/index.js";

const REAL = join(import.meta.dirname, "../../../shared/cifar10/cifar-10-python.tar.gz");
const BATCHES = [
  "data_batch_1",
  "data_batch_2",
  "data_batch_3",
  "data_batch_4",
  "data_batch_5",
  "test_batch",
];
const COUNT = 2;

type Members = Record<string, Buffer>;

const text = (value: string) => Buffer.from(`U${String.fromCharCode(value.length)}${value}`, "latin1");
const int32 = (n: number) => Buffer.from(Int32Array.of(n).buffer);
const raw = (value: string) => Buffer.from(value, "latin1");

function pixels(seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: COUNT * 3072 }, (_, i) => (i * 7 + seed * 31) % 256));
}

function pickledBatch(seed: number, labels: readonly number[] = [seed % 2, 1]): Buffer {
  return Buffer.concat([
    raw("\x80\x02}("),
    text("labels"),
    raw(`](${labels.map((n) => `K${String.fromCharCode(n)}`).join("")}e`),
    text("data"),
    raw(
      `cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02M\x00\x0c\x86`,
    ),
    raw("cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNK\x00K\x00K\x00tb\x89T"),
    int32(COUNT * 3072),
    pixels(seed),
    raw("tbu."),
  ]);
}

function pickles(): Members {
  const meta = [raw("\x80\x02}("), text("label_names"), raw("]("), text("cat"), text("dog"), raw("e")];
  return {
    "batches.meta": Buffer.concat([...meta, text("num_cases_per_batch"), raw(`K\x02u.`)]),
    ...Object.fromEntries(BATCHES.map((name, seed) => [name, pickledBatch(seed)])),
  };
}

function binaryBatch(seed: number): Buffer {
  const data = pixels(seed);
  return Buffer.concat([
    raw(String.fromCharCode(seed % 2)),
    data.subarray(0, 3072),
    raw("\x01"),
    data.subarray(3072),
  ]);
}

function binaries(): Members {
  return {
    "batches.meta.txt": Buffer.from("cat\ndog\n\n"),
    ...Object.fromEntries(BATCHES.map((name, seed) => [`${name}.bin`, binaryBatch(seed)])),
  };
}

async function pack(members: Members): Promise<Buffer> {
  const files = Object.entries(members).map(([name, body]) => ({
    header: { name: `cifar/${name}`, size: body.length, type: "file" as const },
    body: new Uint8Array(body),
  }));
  const folder = { header: { name: "cifar/", size: 0, type: "directory" as const } };
  return gzipSync(await packTar([folder, ...files]));
}

describe("readCifarArchive", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-cifar-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function store(content: Uint8Array): Promise<string> {
    const path = join(folder, "archive.tar.gz");
    await writeFile(path, content);
    return path;
  }

  async function refusal(content: Uint8Array): Promise<DataError> {
    const path = await store(content);
    const error: unknown = await readCifarArchive(path).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toContain(path);
    expect((error as DataError).hint).toBeTruthy();
    return error as DataError;
  }

  it.each([
    ["python", pickles],
    ["binary", binaries],
  ])("reads the %s format", async (_, members) => {
    const content = await pack(members());
    const pair = await readCifarArchive(await store(content));
    expect(pair).toMatchObject({
      name: "cifar10",
      fingerprint: createHash("md5").update(content).digest("hex"),
    });
    expect(pair.note).toBeUndefined();
    expect(pair.train).toMatchObject({ classes: ["cat", "dog"], length: 10, height: 32, width: 32 });
    expect([...pair.train.labels]).toEqual([0, 1, 1, 1, 0, 1, 1, 1, 0, 1]);
    expect([...pair.test.labels]).toEqual([1, 1]);
    expect(Buffer.from(pair.train.images)).toEqual(Buffer.concat([0, 1, 2, 3, 4].map(pixels)));
    expect(Buffer.from(pair.test.images)).toEqual(pixels(5));
    expect(await readCifarBlob(new Blob([new Uint8Array(content)]))).toEqual(pair);
  });

  it("refuses a damaged archive of a page", async () => {
    const content = await pack(pickles());
    for (const bad of [content.subarray(0, content.length >> 1), Buffer.from("<html>not found</html>")]) {
      const error: unknown = await readCifarBlob(new Blob([new Uint8Array(bad)])).catch(
        (cause: unknown) => cause,
      );
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).message).toContain("the archive cannot be unpacked");
    }
  });

  it("refuses a truncated archive at any length", async () => {
    const content = await pack(pickles());
    for (const part of [0, 0.2, 0.6, 0.95, 1 - 4 / content.length]) {
      await refusal(content.subarray(0, Math.floor(content.length * part)));
    }
  });

  it("refuses a flipped bit anywhere in the data or its checksum", async () => {
    const content = await pack(pickles());
    for (const at of [40, content.length >> 1, content.length - 200, content.length - 6]) {
      const bad = Buffer.from(content);
      bad[at]! ^= 0x10;
      await refusal(bad);
    }
  });

  it("refuses what is not gzip, and a gzip that holds no tar", async () => {
    await refusal(Buffer.from("<html>not found</html>"));
    await refusal(gzipSync(Buffer.alloc(2000, "x")));
  });

  it("refuses a tar cut short inside a whole gzip", async () => {
    const { gunzipSync } = await import("node:zlib");
    const tar = gunzipSync(await pack(pickles()));
    await refusal(gzipSync(tar.subarray(0, tar.length - 5000)));
  });

  it.each<[string, (members: Members) => void, RegExp]>([
    ["a missing batch", (m) => void delete m.data_batch_3, /data_batch_3 is missing/],
    [
      "a label of no class",
      (m) => Object.assign(m, { data_batch_2: pickledBatch(1, [0, 7]) }),
      /label 7 of image 1/,
    ],
    [
      "too few labels",
      (m) => Object.assign(m, { test_batch: pickledBatch(5, [0]) }),
      /test_batch: expected one label/,
    ],
    [
      "a pickle that runs code",
      (m) => Object.assign(m, { test_batch: raw("cos\nsystem\n(S'true'\ntR.") }),
      /os\.system/,
    ],
    [
      "a pickle of another kind",
      (m) => Object.assign(m, { "batches.meta": raw("N.") }),
      /batches\.meta holds no dictionary/,
    ],
  ])("refuses %s", async (_, spoil, message) => {
    const members = pickles();
    spoil(members);
    expect((await refusal(await pack(members))).message).toMatch(message);
  });

  it("refuses binary batches of odd size or of differing counts", async () => {
    const odd = { ...binaries(), "test_batch.bin": Buffer.alloc(3072) };
    expect((await refusal(await pack(odd))).message).toMatch(/no whole number of records/);
    const fewer = { ...binaries(), "data_batch_4.bin": Buffer.alloc(3073) };
    expect((await refusal(await pack(fewer))).message).toMatch(/data_batch_4\.bin has 1 images, expected 2/);
  });

  it("stops at the size that an archive can have, whatever it unpacks to", async () => {
    const zeros = gzipSync(Buffer.alloc(2 ** 24));
    const error = await refusal(Buffer.concat(Array.from({ length: 64 }, () => zeros)));
    expect(error.message).toContain("unpacks to more than 268435456 bytes");
    expect(error.hint).toContain("cs.toronto.edu");
  });

  it("says that a file is not there", async () => {
    await expect(readCifarArchive(join(folder, "none.tar.gz"))).rejects.toThrow(/no such file/);
  });

  const absent = !existsSync(REAL);
  it.skipIf(absent)(
    absent ? "reads the real archive (skipped: ../shared/cifar10 is absent)" : "reads the real archive",
    async () => {
      const { train, test, fingerprint, note } = await readCifarArchive(REAL);
      expect([train.length, test.length, train.classes.length]).toEqual([50_000, 10_000, 10]);
      for (let label = 0; label < 10; label++) {
        expect(train.labels.filter((n) => n === label).length).toBe(5000);
      }
      expect(note !== undefined).toBe(fingerprint === "8a10b6fc3625440283b51baea900c073");
    },
    60_000,
  );
});
