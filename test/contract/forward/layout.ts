import { gradients } from "../../../src/grad/index.js";
import * as ops from "../../../src/ops/index.js";
import { agrees, positions, total } from "./check.js";

const X = [2, 3, 4];
const whole = (i: number, j: number, k: number) => (i * 3 + j) * 4 + k;

/** Operators that move elements, or add them up where they fall together. */
export function layoutOperators(): void {
  agrees(
    "reshape",
    (x) => ops.reshape(x, [4, -1]),
    [X],
    [4, 6],
    ([i, j], x) => {
      const at = i! * 6 + j!;
      return x!(Math.floor(at / 12), Math.floor(at / 4) % 3, at % 4)!;
    },
  );
  agrees(
    "transpose",
    (x) => ops.transpose(x, [2, 0, 1]),
    [X],
    [4, 2, 3],
    ([k, i, j], x) => x!(i!, j!, k!)!,
  );
  agrees(
    "expand",
    (x) => ops.expand(x, [2, 4, 3]),
    [[4, 1]],
    [2, 4, 3],
    ([, j], x) => x!(j!, 0)!,
  );
  agrees(
    "slice",
    (x) => ops.slice(x, { axis: 1, start: 1, end: 3 }),
    [X],
    [2, 2, 4],
    ([i, j, k], x) => x!(i!, j! + 1, k!)!,
  );
  agrees(
    "pad with a value",
    (x) => ops.pad(x, { axis: -1, before: 1, after: 2, value: 7 }),
    [X],
    [2, 3, 7],
    ([i, j, k], x) => x!(i!, j!, k! - 1) ?? 7,
  );
  agrees(
    "concat",
    (a, b) => ops.concat([a!, b!], 1),
    [X, [2, 1, 4]],
    [2, 4, 4],
    ([i, j, k], a, b) => (j! < 3 ? a!(i!, j!, k!)! : b!(i!, 0, k!)!),
  );
  agrees(
    "takeTap",
    (x) => ops.takeTap(x, { axis: 2, start: 1, step: 2, count: 2 }),
    [X],
    [2, 3, 2],
    ([i, j, k], x) => x!(i!, j!, 1 + 2 * k!)!,
  );
  agrees(
    "interleave",
    (a, b) => ops.interleave([a!, b!], -2),
    [X, X],
    [2, 6, 4],
    ([i, j, k], ...both) => both[j! % 2]!(i!, Math.floor(j! / 2), k!)!,
  );
  const indices = [1, 0, 1];
  const picked = ops.constant(BigInt64Array.from(indices, BigInt));
  agrees(
    "scatterRows, by which gather is differentiated",
    (x, dy) => gradients(ops.sum(ops.mul(ops.gather(x!, picked), dy!)), x!),
    [
      [2, 4],
      [3, 4],
    ],
    [2, 4],
    ([row, k], _, dy) => total(indices.map((index, i) => (index === row ? dy!(i, k!)! : 0))),
  );
  agrees(
    "takeEqual, by which maxima are differentiated",
    (x, dy) => gradients(ops.sum(ops.mul(ops.maxPool2d(x!, { kernelSize: [1, 2] }), dy!)), x!),
    [
      [1, 1, 2, 4],
      [1, 1, 2, 2],
    ],
    [1, 1, 2, 4],
    ([, , i, j], x, dy) => {
      const other = j! ^ 1;
      return x!(0, 0, i!, j!)! > x!(0, 0, i!, other)! ? dy!(0, 0, i!, j! >> 1)! : 0;
    },
  );
  agrees(
    "a constant",
    (x) =>
      ops.add(
        x,
        ops.constant(
          Float32Array.from({ length: 24 }, (_, i) => i),
          X,
        ),
      ),
    [X],
    X,
    ([i, j, k], x) => x!(i!, j!, k!)! + whole(i!, j!, k!),
  );
}

/** Operators that add up or normalise. */
export function reducingOperators(): void {
  const row = (x: (...at: number[]) => number | undefined, i: number, k: number) =>
    [0, 1, 2].map((j) => x(i, j, k)!);
  agrees(
    "sum",
    (x) => ops.sum(x, { axes: [1] }),
    [X],
    [2, 4],
    ([i, k], x) => total(row(x!, i!, k!)),
  );
  agrees(
    "mean",
    (x) => ops.mean(x, { axes: [1] }),
    [X],
    [2, 4],
    ([i, k], x) => total(row(x!, i!, k!)) / 3,
  );
  agrees(
    "sumSquares",
    (x) => ops.sumSquares(x, { axes: [1], keepDims: true }),
    [X],
    [2, 1, 4],
    ([i, , k], x) => total(row(x!, i!, k!).map((value) => value ** 2)),
  );
  agrees(
    "max",
    (x) => ops.max(x, { axes: [1] }),
    [X],
    [2, 4],
    ([i, k], x) => Math.max(...row(x!, i!, k!)),
  );
  agrees(
    "logSoftmax",
    (x) => ops.logSoftmax(x, 1),
    [X],
    X,
    ([i, j, k], x) => {
      return x!(i!, j!, k!)! - Math.log(total(row(x!, i!, k!).map(Math.exp)));
    },
  );
  const image = [3, 2, 2, 3];
  agrees(
    "channelStatistics",
    (x) => {
      const { mean, variance } = ops.channelStatistics(x!);
      return ops.reshape(ops.concat([mean, variance], 0), [2, 2]);
    },
    [image],
    [2, 2],
    ([which, c], x) => {
      const values = positions([3, 2, 3]).map(([b, i, j]) => x!(b!, c!, i!, j!)!);
      const mean = total(values) / 18;
      return which === 0 ? mean : total(values.map((value) => (value - mean) ** 2)) / 18;
    },
  );
  agrees(
    "centred and its offset",
    (x) => {
      const { centred, offset } = ops.channelStatistics(x!);
      return ops.sub(centred, ops.reshape(offset, [2, 1, 1]));
    },
    [image],
    image,
    ([b, c, i, j], x) =>
      x!(b!, c!, i!, j!)! - total(positions([3, 2, 3]).map(([n, k, l]) => x!(n!, c!, k!, l!)!)) / 18,
  );
  agrees(
    "channelDot",
    (a, b) => ops.channelDot(a!, b!),
    [image, image],
    [2],
    ([c], a, b) => total(positions([3, 2, 3]).map(([n, i, j]) => a!(n!, c!, i!, j!)! * b!(n!, c!, i!, j!)!)),
  );
  agrees(
    "channelStatistics of a matrix",
    (x) => ops.channelStatistics(x).mean,
    [[3, 2]],
    [2],
    ([c], x) => total([0, 1, 2].map((b) => x!(b, c!)!)) / 3,
  );
  agrees(
    "channelAffine",
    (x, scale, shift, addend) => ops.channelAffine(x!, scale!, shift!, addend, { relu: true }),
    [image, [2], [2], image],
    image,
    ([b, c, i, j], x, scale, shift, addend) =>
      Math.max(0, x!(b!, c!, i!, j!)! * scale!(c!)! + shift!(c!)! + addend!(b!, c!, i!, j!)!),
  );
  agrees(
    "mixExperts in groups",
    (y, attention) => ops.mixExperts(y!, attention!, { groups: 2 }),
    [
      [2, 12, 2],
      [2, 3],
    ],
    [2, 4, 2],
    ([b, o, i], y, attention) =>
      total([0, 1, 2].map((k) => attention!(b!, k)! * y!(b!, ((o! >> 1) * 3 + k) * 2 + (o! & 1), i!)!)),
  );
  agrees(
    "spreadExperts in groups",
    (y, attention) => ops.spreadExperts(y!, attention!, { groups: 2 }),
    [
      [2, 4, 2],
      [2, 3],
    ],
    [2, 12, 2],
    ([b, c, i], y, attention) =>
      attention!(b!, (c! >> 1) % 3)! * y!(b!, Math.floor(c! / 6) * 2 + (c! & 1), i!)!,
  );
  agrees(
    "expertProducts in groups",
    (many, y) => ops.expertProducts(many!, y!, { groups: 2 }),
    [
      [2, 12, 2],
      [2, 4, 2],
    ],
    [2, 3],
    ([b, k], many, y) =>
      total(
        positions([4, 2]).map(
          ([o, i]) => many!(b!, ((o! >> 1) * 3 + k!) * 2 + (o! & 1), i!)! * y!(b!, o!, i!)!,
        ),
      ),
  );
  agrees(
    "conv2dWeightGradient",
    (x, w, dy) =>
      gradients(ops.sum(ops.mul(ops.conv2d(x!, w!, undefined, { stride: 2, padding: 1 }), dy!)), w!),
    [
      [2, 2, 5, 4],
      [3, 2, 3, 2],
      [2, 3, 3, 3],
    ],
    [3, 2, 3, 2],
    ([o, c, u, v], x, _, dy) =>
      total(
        positions([2, 3, 3]).map(
          ([b, i, j]) => (x!(b!, c!, i! * 2 - 1 + u!, j! * 2 - 1 + v!) ?? 0) * dy!(b!, o!, i!, j!)!,
        ),
      ),
  );
}
