import { DataError } from "../errors/index.js";
import { CIFAR_HINT, cifarPair, readCifarMembers } from "./cifar-members.js";
import type { DatasetPair, MemoryDataset } from "./dataset.js";
import { Md5 } from "./md5.js";

/**
 * Reads a CIFAR-10 archive that a page has, such as a file that its user picked: what `readCifarArchive` reads from a path.
 *
 * @throws DataError if it is damaged, cut short or holds something else
 */
export async function readCifarBlob(archive: Blob): Promise<DatasetPair<MemoryDataset>> {
  const hash = new Md5();
  const hashed = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      hash.update(chunk);
      controller.enqueue(chunk);
    },
  });
  try {
    const packed = archive.stream().pipeThrough(hashed);
    const members = await readCifarMembers(packed.pipeThrough(new DecompressionStream("gzip")));
    return cifarPair(members, hash.digest());
  } catch (cause) {
    const { message, hint = CIFAR_HINT } = cause as Partial<DataError>;
    const reason = cause instanceof DataError ? message : `the archive cannot be unpacked (${message})`;
    throw new DataError(`CIFAR-10: ${reason}`, { hint, cause });
  }
}
