import { CheckpointError } from "../errors/index.js";

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/**
 * The entries, by name, of a zip archive with uncompressed files, as PyTorch writes it. Each is a view of
 * `bytes`, so reading cannot use more memory than the archive.
 *
 * @param source named in errors
 * @throws CheckpointError if the archive is truncated, compressed, encrypted or larger than 4 GiB
 */
export function zipEntries(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (what: string): never => {
    throw new CheckpointError(`${source}: the zip archive ${what}`, { hint: "Get the file again." });
  };
  const need = (position: number, length: number) =>
    position + length <= bytes.length || fail(`ends in the middle, after ${bytes.length} bytes`);

  let end = bytes.length - 22;
  while (end >= 0 && end >= bytes.length - 22 - 0xffff && view.getUint32(end, true) !== END) end--;
  if (end < 0 || view.getUint32(end, true) !== END) fail("has no table of contents; it was cut off");

  const entries = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    need(at, 46);
    if (view.getUint32(at, true) !== CENTRAL) fail("has a damaged table of contents");
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    need(at + 46, nameLength!);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength!));
    if (view.getUint16(at + 8, true) & 1) fail(`has the encrypted entry ${name}`);
    if (view.getUint16(at + 10, true) !== 0)
      fail(`has the compressed entry ${name}; PyTorch stores its entries`);
    if (entries.has(name)) fail(`has the entry ${name} twice`);
    const size = view.getUint32(at + 24, true);
    const local = view.getUint32(at + 42, true);
    need(local, 30);
    if (view.getUint32(local, true) !== LOCAL) fail(`has no entry where ${name} should begin`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    need(start, size);
    entries.set(name, bytes.subarray(start, start + size));
    at += 46 + nameLength! + extra! + comment!;
  }
  return entries;
}
