import { readFile } from "node:fs/promises";
import { CheckpointError } from "../errors/index.js";
import { decodeSafetensors, fileError, type StoredTensor } from "../files/index.js";
import { decodeNumpyPickle } from "./numpy-pickle.js";
import { decodeOnnxWeights } from "./onnx-file.js";
import { decodeTorchFile, isLegacyTorch } from "./torch-file.js";

/** Formats of weights files. */
export type WeightsFormat = "safetensors" | "torch" | "paddle" | "onnx";

/** Tensors of a file, and their location in it. */
export interface DecodedWeights {
  /** In file order. */
  readonly tensors: Record<string, StoredTensor>;
  /** Keys of the checkpoint that they were under. */
  readonly under: readonly string[];
  /** Other keys of the checkpoint that hold tensors. */
  readonly others: readonly string[];
}

/** Weights from a file of any format. */
export interface Weights {
  readonly format: WeightsFormat;
  /** By name, in file order. */
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  /** Metadata of a safetensors file. Empty for other formats. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Notes on where the tensors were found, one line each. */
  readonly notes: readonly string[];
}

/** Prefixes that wrappers add to every name. */
const WRAPPERS = ["module.", "_orig_mod."];

/**
 * Reads the tensors of a weights file: safetensors, PyTorch's `.pt` and `.pth` of any version, Paddle's
 * `.pdparams`, or the initialisers of an ONNX model. The format is detected from the content, not from the
 * name.
 *
 * Nothing in a file is executed: a pickle may ask for tensors, and everything else is rejected by name.
 * float64, float16 and bfloat16 become float32. In a checkpoint, weights are found under `state_dict`,
 * `model` or another usual key. A prefix `module.` or `_orig_mod.` of every name is removed.
 *
 * @throws DyconvError if the file cannot be read, CheckpointError if it is damaged, has an unknown format or
 * no tensors, DataError if a pickle asks for anything but tensors
 */
export async function readWeights(path: string): Promise<Weights> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError("read", path, cause);
  });
  return decodeWeights(bytes, path);
}

/**
 * {@link readWeights} from bytes.
 *
 * @param source named in errors, usually the path
 */
export function decodeWeights(bytes: Uint8Array, source: string): Weights {
  const { format, metadata = {}, tensors, under, others } = decode(bytes, source);
  const notes: string[] = [];
  if (under.length > 0) notes.push(`${source}: weights are those under ${under.join(".")}`);
  if (others.length > 0)
    notes.push(`${source}: ${others.join(" and ")} also hold tensors, which are not used`);
  const wrapped = unwrap(tensors);
  if (wrapped.prefix !== "") notes.push(`${source}: "${wrapped.prefix}" before every name was left out`);
  return { format, metadata, tensors: wrapped.tensors, notes };
}

function decode(
  bytes: Uint8Array,
  source: string,
): DecodedWeights & Pick<Weights, "format"> & Partial<Pick<Weights, "metadata">> {
  const [first, second, third, fourth] = bytes;
  if (first === 0x50 && second === 0x4b && third === 3 && fourth === 4) {
    return { format: "torch", ...decodeTorchFile(bytes, source) };
  }
  if (isLegacyTorch(bytes)) return { format: "torch", ...decodeTorchFile(bytes, source) };
  // The length of a header in eight bytes, then its opening brace.
  if (bytes[8] === 0x7b && bytes[6] === 0 && bytes[7] === 0) {
    return { format: "safetensors", ...decodeSafetensors(bytes, source), under: [], others: [] };
  }
  if (first === 0x80 && second !== undefined && second >= 2 && second <= 5) {
    return { format: "paddle", ...decodeNumpyPickle(bytes, source) };
  }
  // All known ONNX writers start with the field for the format version.
  if (first === 0x08 && second !== undefined && second < 0x40) {
    return { format: "onnx", ...decodeOnnxWeights(bytes, source) };
  }
  throw new CheckpointError(`${source}: ${unreadable(bytes)}`, {
    hint: "Weights are read from safetensors, PyTorch's .pt and .pth, Paddle's .pdparams and ONNX files.",
  });
}

/** Describes a file that cannot be read. */
function unreadable(bytes: Uint8Array): string {
  if (bytes.length === 0) return "the file is empty";
  const begin = new TextDecoder("latin1").decode(bytes.subarray(0, 265));
  if (begin.startsWith("\x89HDF")) return "an HDF5 file, as Keras writes, is not read";
  if (begin.startsWith("version https://git-lfs")) return "a pointer of Git LFS, not the file itself";
  if (begin.startsWith("\x1f\x8b")) return "a gzip archive; unpack it first";
  if (begin.startsWith("ustar", 257)) return "a tar archive; unpack it first";
  if (/^\s*<(!doctype|html)/i.test(begin)) return "a web page, not the expected file";
  return "not a known weights format";
}

function unwrap(tensors: Readonly<Record<string, StoredTensor>>) {
  let names = Object.keys(tensors);
  let prefix = "";
  for (;;) {
    const wrapper = WRAPPERS.find((each) => names.every((name) => name.startsWith(each)));
    if (wrapper === undefined) break;
    names = names.map((name) => name.slice(wrapper.length));
    prefix += wrapper;
  }
  if (prefix === "") return { prefix, tensors };
  const bare = Object.entries(tensors).map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  return { prefix, tensors: Object.fromEntries(bare) };
}
