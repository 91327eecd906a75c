import { UnsupportedPickle } from "../data/index.js";
import { ELEMENT_READERS, type StoredTensor } from "../files/index.js";
import { formatShape } from "../util/shape.js";

/** A tensor as pickles describe it: a view of a range of elements. */
export interface StridedTensor {
  /** Safetensors code of the elements. */
  readonly code: string;
  readonly bytes: Uint8Array;
  /** Index of the first element, and the stride along each axis, in elements. */
  readonly begin: number;
  readonly steps: readonly number[];
  readonly shape: readonly number[];
}

/** Tensors may share memory, but their total size is limited to this multiple of the file size. */
const MOST_GROWTH = 8;

/** Copies the tensors out of a file, row by row, and tracks their total size. */
export class StridedReader {
  readonly #most: number;
  #room: number;

  /** @param fileBytes size of the file */
  constructor(fileBytes: number) {
    this.#most = MOST_GROWTH * fileBytes;
    this.#room = this.#most;
  }

  /**
   * @throws UnsupportedPickle if a view exceeds its elements, or the tensors are much larger than the file
   */
  read({ code, bytes, begin, steps, shape }: StridedTensor): StoredTensor {
    const { bytesPerElement, read } = ELEMENT_READERS.get(code)!;
    if (steps.length !== shape.length)
      throw new UnsupportedPickle("has a tensor with too many or too few strides");
    const count = shape.reduce((product, size) => product * size, 1);
    const last = shape.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, begin);
    const held = bytes.length / bytesPerElement;
    if (count > 0 && (last >= held || count > held)) {
      throw new UnsupportedPickle(
        `has a tensor of shape ${formatShape(shape)} outside its storage of ${held} elements`,
      );
    }
    this.#room -= count * Math.max(4, bytesPerElement);
    if (this.#room < 0) throw new UnsupportedPickle(`has tensors of more than ${this.#most} bytes together`);
    const elements = isRowMajor(shape, steps)
      ? new Uint8Array(bytes.subarray(begin * bytesPerElement, (begin + count) * bytesPerElement))
      : gather(bytes, { width: bytesPerElement, begin, shape, steps, count });
    return { shape, ...read(elements.buffer) };
  }
}

/** Strides of a shape in row-major or, as in Fortran, column-major order. */
export function contiguousSteps(shape: readonly number[], fortran = false): readonly number[] {
  const sizes = fortran ? shape : shape.toReversed();
  let step = 1;
  const steps = sizes.map((size) => {
    const own = step;
    step *= size;
    return own;
  });
  return fortran ? steps : steps.reverse();
}

function isRowMajor(shape: readonly number[], steps: readonly number[]): boolean {
  const plain = contiguousSteps(shape);
  return shape.every((size, axis) => size === 1 || steps[axis] === plain[axis]);
}

interface Gathering extends Pick<StridedTensor, "begin" | "shape" | "steps"> {
  readonly width: number;
  readonly count: number;
}

function gather(bytes: Uint8Array, { width, begin, shape, steps, count }: Gathering) {
  const out = new Uint8Array(count * width);
  const index = shape.map(() => 0);
  let from = begin;
  for (let to = 0; to < count; to++) {
    for (let byte = 0; byte < width; byte++) out[to * width + byte] = bytes[from * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      from -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Validates sizes, strides or offsets. */
export function wholeNumbers(values: unknown): readonly number[] {
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if (Array.isArray(values) && values.every(whole)) return values;
  throw new UnsupportedPickle("has a tensor with a size, stride or offset that is no whole number");
}
