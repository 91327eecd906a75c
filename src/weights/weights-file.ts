import { readFile } from "node:fs/promises";
import { CheckpointError } from "../errors/index.js";
import { decodeSafetensors, fileError, type StoredTensor } from "../files/index.js";
import { decodeNumpyPickle } from "./numpy-pickle.js";
import { decodeOnnxWeights } from "./onnx-file.js";
import { decodeTorchFile, isLegacyTorch } from "./torch-file.js";

/** What a file of weights can be. */
export type WeightsFormat = "safetensors" | "torch" | "paddle" | "onnx";

/** Tensors of a file, and where in it they stood. */
export interface DecodedWeights {
  /** In the order of the file. */
  readonly tensors: Record<string, StoredTensor>;
  /** Keys of a checkpoint that they were under. */
  readonly under: readonly string[];
  /** Other keys of it that hold tensors. */
  readonly others: readonly string[];
}

/** Weights from a file of any kind. */
export interface Weights {
  readonly format: WeightsFormat;
  /** By name, in the order of the file. */
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  /** Free text entries of a safetensors file; empty for others. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What is to be told of where the tensors were found, a line each. */
  readonly notes: readonly string[];
}

/** What wrappers put before every name. */
const WRAPPERS = ["module.", "_orig_mod."];

/**
 * Reads the tensors of a file of weights, whatever it is: safetensors, PyTorch's `.pt` and `.pth` of any version, Paddle's
 * `.pdparams`, or the initialisers of an ONNX model. Its content decides, not its name.
 *
 * Nothing in a file is run: a pickle may ask for tensors, and all else is refused by name. Elements of float64, float16 and
 * bfloat16 become float32. Of a checkpoint the weights are taken, under `state_dict`, `model` or another usual key; `module.`
 * and `_orig_mod.` before every name are left out.
 *
 * @throws DyconvError where the file cannot be read, CheckpointError where it is damaged, of another kind or without tensors,
 * DataError where a pickle asks for anything but tensors
 */
export async function readWeights(path: string): Promise<Weights> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError("read", path, cause);
  });
  return decodeWeights(bytes, path);
}

/**
 * {@link readWeights} of bytes.
 *
 * @param source named in errors, usually the path
 */
export function decodeWeights(bytes: Uint8Array, source: string): Weights {
  const { format, metadata = {}, tensors, under, others } = decode(bytes, source);
  const notes: string[] = [];
  if (under.length > 0) notes.push(`${source}: weights are those under ${under.join(".")}`);
  if (others.length > 0)
    notes.push(`${source}: ${others.join(" and ")} hold tensors too, which are not taken`);
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
  // A header's length in eight bytes, then its opening brace.
  if (bytes[8] === 0x7b && bytes[6] === 0 && bytes[7] === 0) {
    return { format: "safetensors", ...decodeSafetensors(bytes, source), under: [], others: [] };
  }
  if (first === 0x80 && second !== undefined && second >= 2 && second <= 5) {
    return { format: "paddle", ...decodeNumpyPickle(bytes, source) };
  }
  // The version of the format is the first field that every known writer of ONNX writes.
  if (first === 0x08 && second !== undefined && second < 0x40) {
    return { format: "onnx", ...decodeOnnxWeights(bytes, source) };
  }
  throw new CheckpointError(`${source}: ${unreadable(bytes)}`, {
    hint: "Weights are read from safetensors, PyTorch's .pt and .pth, Paddle's .pdparams and ONNX files.",
  });
}

/** What a file is that cannot be read. */
function unreadable(bytes: Uint8Array): string {
  if (bytes.length === 0) return "the file is empty";
  const begin = new TextDecoder("latin1").decode(bytes.subarray(0, 265));
  if (begin.startsWith("\x89HDF")) return "an HDF5 file, as Keras writes, is not read";
  if (begin.startsWith("version https://git-lfs")) return "a pointer of Git LFS, not the file itself";
  if (begin.startsWith("\x1f\x8b")) return "a gzip archive; unpack it first";
  if (begin.startsWith("ustar", 257)) return "a tar archive; unpack it first";
  if (/^\s*<(!doctype|html)/i.test(begin)) return "a web page, not the file that was asked for";
  return "no format of weights that is known here";
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
