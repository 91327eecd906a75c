import { any, type Graph, pattern, type Tensor } from "../ir/index.js";
import type { FusedRelu } from "../ops/fused-relu.js";
import {
  add,
  addOperator,
  blockedConv2dOperator,
  channelAffine,
  channelAffineOperator,
  constant,
  constantData,
  expand,
  mul,
  mulOperator,
  reshape,
  reshapeOperator,
} from "../ops/index.js";
import { elementCount, sameShape } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { readersOf, transformGraph } from "./transform.js";

/**
 * Scales and shifts the channels of blocked images by `channelAffine`, with a number per channel or, as in
 * squeeze-and-excitation, per sample and channel. An operator that broadcasts such numbers goes over b elements at a
 * time, several times as slowly. A shift right after a convolution becomes its bias, and a scale or shift right after
 * another merges with it.
 */
export const channelScales = {
  name: "channel-scales",
  sentence: "scales and shifts channels of blocked images in whole rows",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training", "evaluation"],
  apply: (graph, { machine: { block } }) => {
    const sourceOf = sources(graph);
    return transformGraph(graph, (node, original) => {
      const step = stepOf(node, block);
      if (step === undefined) return undefined;
      const source = sourceOf(step.image, original.inputs[node.inputs.indexOf(step.image)]!);
      const before = source && affineOf(source);
      if (before?.relu === false) return written(node, merged(before, step));
      return node.is(channelAffineOperator) ? undefined : (biased(node, step, source) ?? written(node, step));
    });
  },
} as const satisfies MachineRewrite;

type Sizes = readonly number[];

/** image · scale + shift. An omitted scale is 1, an omitted shift 0; each is [C] or, for every sample, [B·C]. */
interface Affine {
  readonly image: Tensor;
  readonly scale?: Tensor;
  readonly shift?: Tensor;
  readonly relu: FusedRelu;
}

/** image · values */
const SCALED = pattern(mulOperator, any("image", isImage), any("values"));
/** image + values */
const SHIFTED = pattern(addOperator, any("image", isImage), any("values"));

/** Whether a tensor can be a blocked image, [B, C/b, H, W, b], of more than one pixel. */
function isImage({ shape }: Tensor): boolean {
  return shape.length === 5 && !shape.includes("batch") && elementCount(shape.slice(2, 4)) > 1;
}

/** Whether `values` is [1, C/b, 1, 1, b] or [B, C/b, 1, 1, b]. */
function isPerChannel({ shape }: Tensor, image: Tensor, block: number): boolean {
  const [batch, blocks] = image.shape as Sizes;
  return [1, batch!].some((samples) => sameShape(shape, [samples, blocks!, 1, 1, block]));
}

/** What a node computes, if it scales or shifts the channels of a blocked image. */
function stepOf(node: Tensor, block: number): Affine | undefined {
  if (node.is(channelAffineOperator)) return affineOf(node);
  const found = SCALED.match(node) ?? SHIFTED.match(node);
  if (found === undefined || !isPerChannel(found.values, found.image, block)) return undefined;
  const values = reshape(found.values, [-1]);
  return {
    image: found.image,
    relu: false,
    ...(node.is(mulOperator) ? { scale: values } : { shift: values }),
  };
}

function affineOf(node: Tensor): Affine | undefined {
  if (!node.is(channelAffineOperator) || !node.attributes.blocked || node.inputs.length > 3) return undefined;
  const [image, scale, shift] = node.inputs as readonly [Tensor, Tensor, Tensor];
  const isZero = constantData(shift)?.every((value) => Number(value) === 0) ?? false;
  return { image, scale, relu: node.attributes.relu, ...(!isZero && { shift }) };
}

/** Finds the operator that computes a tensor, behind a reshape at most, unless something else reads its output. */
function sources(graph: Graph) {
  const readers = readersOf(graph);
  const isReadOnce = (tensor: Tensor) => readers.get(tensor)!.length === 1;
  /** `original` is the counterpart of `x` in the graph being rebuilt. */
  return (x: Tensor, original: Tensor): Tensor | undefined => {
    const behind = original.is(reshapeOperator) ? [original, original.inputs[0]!] : [original];
    if (!behind.every(isReadOnce)) return undefined;
    return x.is(reshapeOperator) ? x.inputs[0] : x;
  };
}

/** [C] → [length], once for every sample. */
function forSamples(values: Tensor, length: number): Tensor {
  const channels = values.shape[0] as number;
  if (channels === length) return values;
  return reshape(expand(reshape(values, [1, channels]), [length / channels, channels]), [length]);
}

/** Combines numbers of channels by `operator`, which leaves omitted ones out. */
function combined(operator: typeof mul, a: Tensor | undefined, b: Tensor | undefined): Tensor | undefined {
  if (!a || !b) return a ?? b;
  const length = Math.max(a.shape[0] as number, b.shape[0] as number);
  return operator(forSamples(a, length), forSamples(b, length));
}

/** `outer` after `inner`. */
function merged(inner: Affine, outer: Affine): Affine {
  const scale = combined(mul, inner.scale, outer.scale);
  const shift = combined(add, inner.shift && combined(mul, inner.shift, outer.scale), outer.shift);
  return { image: inner.image, relu: outer.relu, ...(scale && { scale }), ...(shift && { shift }) };
}

/** Replaces the node. */
function written(node: Tensor, { image, relu, ...numbers }: Affine): Tensor {
  const [, , height, width, block] = image.shape as readonly number[];
  const length = Math.max(...[numbers.scale, numbers.shift].map((values) => Number(values?.shape[0] ?? 0)));
  const filled = (value: number) => constant(new Float32Array(length).fill(value));
  const scale = numbers.scale ? forSamples(numbers.scale, length) : filled(1);
  const shift = numbers.shift ? forSamples(numbers.shift, length) : filled(0);
  // With numbers of their own, samples take the place of channels.
  const rows = reshape(image, [-1, length / block!, height!, width!, block!]);
  return reshape(channelAffine(rows, scale, shift, undefined, { blocked: true, relu }), node.shape);
}

/** The convolution that computes the image, with the shift as its bias. */
function biased(node: Tensor, { scale, shift }: Affine, source: Tensor | undefined): Tensor | undefined {
  if (scale || !shift || !source?.is(blockedConv2dOperator)) return undefined;
  const { inputs, shape, attributes } = source;
  const outputs = (shape[1] as number) * (shape[4] as number);
  const isPlain = inputs.length === 2 && attributes.relu === false;
  if (!isPlain || outputs < (shift.shape[0] as number)) return undefined;
  return reshape(source.with({ inputs: [...inputs, forSamples(shift, outputs)] }), node.shape);
}
