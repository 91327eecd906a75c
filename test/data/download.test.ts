import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { downloadFile } from "../../src/data/download.js";
import { DataError } from "../../src/errors/index.js";

const CONTENT = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) % 251));
const md5 = createHash("md5").update(CONTENT).digest("hex");

describe("downloadFile", () => {
  let folder = "";
  let path = "";
  let server: Server | undefined;
  let ranges: (string | undefined)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-download-"));
    path = join(folder, "cache", "file.bin");
    ranges = [];
  });
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  async function serve(listener: RequestListener): Promise<string> {
    const started = createServer((request, response) => {
      ranges.push(request.headers.range);
      listener(request, response);
    });
    server = started;
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(started.address() as AddressInfo).port}/file.bin`;
  }

  async function startPart(content: Uint8Array): Promise<void> {
    await rm(folder, { recursive: true, force: true });
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(folder, "cache"), { recursive: true });
    await writeFile(`${path}.part`, content);
  }

  const whole: RequestListener = (_, response) => {
    response.writeHead(200, { "content-length": CONTENT.length }).end(CONTENT);
  };
  const ranged: RequestListener = (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
    if (Number.isNaN(start)) return whole(request, response);
    if (start >= CONTENT.length) return void response.writeHead(416).end();
    const range = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
    const rest = CONTENT.subarray(start);
    response.writeHead(206, { "content-range": range, "content-length": rest.length }).end(rest);
  };

  async function failure(url: string, options = {}): Promise<DataError> {
    const error: unknown = await downloadFile(url, path, options).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DataError);
    expect(existsSync(path)).toBe(false);
    return error as DataError;
  }

  it("downloads, reports progress and leaves no part", async () => {
    const seen: [number, number | undefined][] = [];
    await downloadFile(await serve(whole), path, { md5, onProgress: (...at) => seen.push(at) });
    expect(await readFile(path)).toEqual(CONTENT);
    expect(existsSync(`${path}.part`)).toBe(false);
    expect(seen.at(-1)).toEqual([CONTENT.length, CONTENT.length]);
  });

  it("resumes an interrupted download", async () => {
    const url = await serve(ranged);
    await startPart(CONTENT.subarray(0, 40_000));
    await downloadFile(url, path, { md5 });
    expect(await readFile(path)).toEqual(CONTENT);
    expect(ranges).toEqual(["bytes=40000-"]);
  });

  it("starts over where the server ignores the range", async () => {
    const url = await serve(whole);
    await startPart(CONTENT.subarray(0, 40_000));
    await downloadFile(url, path, { md5 });
    expect(await readFile(path)).toEqual(CONTENT);
  });

  it("starts over where the server refuses the range", async () => {
    const url = await serve(ranged);
    await startPart(Buffer.alloc(CONTENT.length + 5));
    await downloadFile(url, path, { md5 });
    expect(await readFile(path)).toEqual(CONTENT);
    expect(ranges).toEqual([`bytes=${CONTENT.length + 5}-`, undefined]);
  });

  it("starts over where the part is of another file", async () => {
    const url = await serve(ranged);
    await startPart(Buffer.alloc(40_000));
    await downloadFile(url, path, { md5 });
    expect(await readFile(path)).toEqual(CONTENT);
  });

  it("keeps the part of a connection that broke, and goes on from it", async () => {
    let broken = false;
    const url = await serve((request, response) => {
      if (broken) return ranged(request, response);
      broken = true;
      response.writeHead(200, { "content-length": CONTENT.length });
      response.write(CONTENT.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 50));
    });
    expect((await failure(url, { md5 })).hint).toContain(`${path}.part`);
    await downloadFile(url, path, { md5 });
    expect(await readFile(path)).toEqual(CONTENT);
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
  });

  it("refuses a file with another md5", async () => {
    const error = await failure(await serve(whole), { md5: "0".repeat(32) });
    expect(error.message).toContain(md5);
    expect(existsSync(`${path}.part`)).toBe(false);
  });

  it("checks SHA-256 beside md5", async () => {
    const sha256 = createHash("sha256").update(CONTENT).digest("hex");
    const url = await serve(whole);
    const error = await failure(url, { md5, sha256: "0".repeat(64) });
    expect(error.message).toContain(`sha256 ${sha256}, expected 000`);
    await downloadFile(url, path, { md5, sha256 });
    expect(await readFile(path)).toEqual(CONTENT);
  });

  it("passes on what the server answers", async () => {
    const error = await failure(await serve((_, response) => void response.writeHead(404).end()));
    expect(error.message).toContain("404");
  });

  it("says where to put the file when there is no network", async () => {
    const error = await failure("http://127.0.0.1:1/file.bin");
    expect(error.message).toContain("cannot be reached");
    expect(error.hint).toContain(path);
  });
});
