import { CheckpointError, UsageError } from "../errors/index.js";
import type { StoredTensor } from "../files/index.js";
import {
  type ImportedNetwork,
  type ImportedNode,
  IMPORTED_LAYERS as LAYERS,
  NORMALIZATIONS,
  type NormalizationName,
  IMPORTED_OPERATORS as OPERATORS,
} from "../models/index.js";
import { decodeModel, type OnnxNode } from "../onnx/model.js";
import { formatShape } from "../util/shape.js";
import { readOnnxTensor } from "./onnx-file.js";

/** A network and its weights. */
export interface ImportedModel {
  readonly network: ImportedNetwork;
  /** By state name. */
  readonly state: Readonly<Record<string, StoredTensor>>;
  readonly notes: readonly string[];
}

/** Options of {@link importOnnx}. */
export interface ImportOptions {
  /** Name for the network. */
  readonly name: string;
  /** Height and width of the images, if the file does not fix them. */
  readonly imageSize?: number;
  /** How its pixels are normalised. Defaults to `"symmetric"`, −1 … 1. */
  readonly normalization?: NormalizationName;
}

/**
 * Imports a static image classifier from an ONNX model with one input [B, 3, size, size] and one output [B,
 * classes]. A final softmax is dropped, since training works on logits.
 *
 * @param source named in errors, usually the path
 * @throws CheckpointError if the file is damaged, or uses unsupported operators, which it names
 */
export function importOnnx(
  bytes: Uint8Array,
  source: string,
  { name, imageSize, normalization = "symmetric" }: ImportOptions,
): ImportedModel {
  const { graph, opsetImport } = decodeModel(bytes, source);
  const opset = Number(opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0);
  const { node: nodes = [], initializer = [], input: inputs = [], output: outputs = [] } = graph!;
  refuseUnknown(nodes, source);
  const reader = new GraphReader(source, opset);
  for (const tensor of initializer) reader.tensors.set(tensor.name, readOnnxTensor(tensor, source));
  const images = inputs.filter((each) => !reader.tensors.has(each.name));
  if (images.length !== 1 || outputs.length !== 1) {
    throw new CheckpointError(
      `${source}: expected one input and one output, found ${images.length} and ${outputs.length}`,
      { hint: "Only classifiers of images are imported." },
    );
  }
  const type = images[0]!.type?.value;
  const sizes = type?.case === "tensorType" ? (type.value.shape?.dim ?? []) : [];
  const dims = sizes.map(({ value }, axis) => {
    if (value.case === "dimValue" && Number(value.value) > 0) return Number(value.value);
    return axis > 1 ? imageSize : undefined;
  });
  if (dims.length !== 4 || dims[1] !== 3 || dims[2] === undefined || dims[2] !== dims[3]) {
    throw new CheckpointError(
      `${source}: its input is ${formatShape(dims.map((size) => size ?? "?"))}, expected [B, 3, size, size]`,
      {
        hint: "It must take square colour images, channels first; --image-size sets a size that the file does not fix.",
      },
    );
  }
  for (const each of nodes) reader.read(each);
  const notes: string[] = [];
  const read = reader.nodes;
  let output = outputs[0]!.name;
  const end = read.find((each) => each.output === output);
  if (end?.op === "Softmax") {
    output = end.inputs[0]!;
    read.splice(read.indexOf(end), 1);
    notes.push("the softmax at its end is left out: outputs are logits");
  }
  const last = read.findLast(({ weight }) => weight !== undefined);
  if (last === undefined) throw new CheckpointError(`${source}: it has no layer with weights`);
  const network: ImportedNetwork = {
    ...{ name, imageSize: dims[2], classes: last.weight![0]!, input: images[0]!.name, output, nodes: read },
    ...(normalization !== "symmetric" && { normalization: NORMALIZATIONS[normalization] }),
    ...reader.leaves(),
  };
  return { network, state: reader.state, notes };
}

/** Reports all unsupported operators in one error. */
function refuseUnknown(nodes: readonly OnnxNode[], source: string): void {
  const known = (node: OnnxNode) =>
    (node.domain === "" || node.domain === "ai.onnx") &&
    (node.opType === "Constant" || LAYERS.includes(node.opType) || Object.hasOwn(OPERATORS, node.opType));
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const title = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
    if (!known(node)) counts.set(title, (counts.get(title) ?? 0) + 1);
  }
  if (counts.size === 0) return;
  const list = [...counts].map(([op, count]) => `${op} (${count})`).join(", ");
  throw new CheckpointError(`${source}: operators that are not imported: ${list}`, {
    hint: "Only static classifiers are imported; docs/weights.md lists the operators.",
  });
}

/** Operators between a stored slope and its PRelu. */
const RESHAPING: ReadonlySet<string> = new Set(["Identity", "Reshape", "Squeeze", "Unsqueeze"]);

class GraphReader {
  readonly tensors = new Map<string, StoredTensor>();
  readonly nodes: ImportedNode[] = [];
  readonly state: Record<string, StoredTensor> = {};
  readonly #paths = new Set<string>();

  constructor(
    readonly source: string,
    readonly opset: number,
  ) {}

  read(node: OnnxNode): void {
    const [output] = node.output as [string, ...string[]];
    const attributes = {
      ...this.#attributes(node),
      // Before opset 7 a list of slopes goes along the channels, not along the last axis.
      ...(node.opType === "PRelu" && this.opset < 7 && { along: "channels" }),
    };
    if (node.opType === "Constant") {
      const tensor = node.attribute.find(({ name }) => name === "value")?.t;
      if (tensor) this.tensors.set(output, readOnnxTensor(tensor, this.source));
      else this.tensors.set(output, ofNumber(attributes));
      return;
    }
    if (node.opType === "Identity" && this.tensors.has(node.input[0]!)) {
      this.tensors.set(output, this.tensors.get(node.input[0]!)!);
      return;
    }
    const { opType: op, name } = node;
    const plain = { op, name: name || output, inputs: node.input, output, attributes };
    if (op === "Split") this.#split(node, plain);
    else this.nodes.push(this.#layer(node, plain) ?? plain);
  }

  /** One node for each output of a Split. */
  #split(node: OnnxNode, plain: ImportedNode): void {
    const [x, sizesName = ""] = node.input as [string, ...string[]];
    const sizes = this.tensors.get(sizesName);
    const split = sizes === undefined ? {} : { split: Array.from(sizes.data as BigInt64Array, Number) };
    const inputs = sizes === undefined && sizesName !== "" ? [x, sizesName] : [x];
    for (const [part, output] of node.output.entries()) {
      const attributes = { ...plain.attributes, ...split, part, parts: node.output.length };
      if (output !== "") this.nodes.push({ ...plain, inputs, output, attributes });
    }
  }

  /** Names of the tensors that are slopes of PRelu, which are trained even if they are single numbers. */
  #slopes(): ReadonlySet<string> {
    const makers = new Map(this.nodes.map((node) => [node.output, node]));
    const slopes = this.nodes.flatMap(({ op, inputs }) => (op === "PRelu" ? [inputs[1]!] : []));
    const leafOf = (name: string): string => {
      const maker = makers.get(name);
      return maker !== undefined && RESHAPING.has(maker.op) ? leafOf(maker.inputs[0]!) : name;
    };
    return new Set(slopes.map(leafOf));
  }

  /** The node as a layer with weights, which are added to the state. */
  #layer(node: OnnxNode, plain: ImportedNode): ImportedNode | undefined {
    const [x, weightName = "", biasName = ""] = node.input as [string, ...string[]];
    const matmul = plain.op === "MatMul" && this.tensors.get(weightName)?.shape.length === 2;
    if (!LAYERS.includes(plain.op) && !matmul) return undefined;
    if (plain.op === "Dropout") {
      const ratio = this.tensors.get(weightName)?.data[0];
      const attributes = { ratio: Number(ratio ?? plain.attributes.ratio ?? 0.5) };
      return { ...plain, inputs: [x], attributes, layer: this.#path(plain, "") };
    }
    const weight = this.#weight(weightName, plain);
    const path = this.#path(plain, weightName);
    const layer = { ...plain, inputs: [x], layer: path };
    if (plain.op === "BatchNormalization") {
      const names = ["weight", "bias", "running_mean", "running_var"];
      for (const [i, name] of names.entries())
        this.state[`${path}.${name}`] = this.#weight(node.input[i + 1]!, plain);
      return { ...layer, weight: weight.shape };
    }
    if (plain.op === "Conv" && weight.shape.length !== 4) {
      throw this.#refused(plain, `has a kernel of ${weight.shape.length - 2} dimensions, expected 2`);
    }
    const { alpha = 1, beta = 1, transA = 0, transB = 0 } = plain.attributes;
    if (plain.op === "Gemm" && (alpha !== 1 || beta !== 1 || transA !== 0)) {
      throw this.#refused(plain, "has alpha, beta or transA");
    }
    const turned = matmul || (plain.op === "Gemm" && transB === 0) ? transposed(weight) : weight;
    const bias = biasName === "" || matmul ? undefined : this.#weight(biasName, plain);
    this.state[`${path}.weight`] = turned;
    if (bias) this.state[plain.op === "Conv" ? `${path}_bias` : `${path}.bias`] = flat(bias);
    return { ...layer, weight: turned.shape, bias: bias !== undefined };
  }

  #weight(name: string, node: ImportedNode): StoredTensor & { readonly dtype: "float32" } {
    const tensor = this.tensors.get(name);
    if (tensor?.dtype === "float32") return tensor;
    throw this.#refused(node, `has weights that are computed, "${name}"`);
  }

  #refused({ op, name }: ImportedNode, what: string): CheckpointError {
    return new CheckpointError(`${this.source}: ${op} ${name} ${what}, which is not imported`);
  }

  /** A path for a layer, from the name of its weight or of its node. */
  #path({ op, name }: ImportedNode, weight: string): string {
    const named = /^([\w.]+)\.(?:weight|gamma|scale)$/.exec(weight)?.[1];
    const base = named ?? (name.replace(/\W+/g, "_").replace(/^_+|_+$/g, "") || op.toLowerCase());
    let path = base;
    for (let n = 2; this.#paths.has(path); n++) path = `${base}_${n}`;
    this.#paths.add(path);
    return path;
  }

  #attributes({ attribute }: OnnxNode): ImportedNode["attributes"] {
    const entries = attribute.flatMap(
      ({ name, type, i, f, s, ints, floats }): [string, number | string | number[]][] => {
        if (type === 2) return [[name, Number(i)]];
        if (type === 1) return [[name, f]];
        if (type === 3) return [[name, new TextDecoder().decode(s)]];
        if (type === 7) return [[name, ints.map(Number)]];
        return type === 6 ? [[name, [...floats]]] : [];
      },
    );
    return Object.fromEntries(entries);
  }

  /** The leaves of the graph: trained parameters, and constants. */
  leaves(): Pick<ImportedNetwork, "parameters" | "constants"> {
    const used = new Set(this.nodes.flatMap(({ inputs }) => inputs));
    const slopes = this.#slopes();
    const parameters: Record<string, readonly number[]> = {};
    const constants: Record<string, { values: number[]; scalar: boolean }> = {};
    for (const [name, tensor] of this.tensors) {
      if (!used.has(name)) continue;
      const { dtype, shape, data } = tensor;
      if (dtype === "float32" && (data.length > 1 || slopes.has(name))) {
        parameters[name] = shape;
        this.state[`parameters.${name}`] = tensor;
      } else if (data.length <= 64) {
        const scalar = shape.length === 0 || (dtype === "float32" && data.length === 1);
        constants[name] = { values: Array.from(data as Float32Array, Number), scalar };
      } else {
        throw new UsageError(`${this.source}: "${name}" is a table of ${data.length} whole numbers`);
      }
    }
    return { parameters, constants };
  }
}

function ofNumber(attributes: ImportedNode["attributes"]): StoredTensor {
  const [value] = Object.values(attributes);
  const list = Array.isArray(value) ? (value as readonly number[]) : [Number(value ?? 0)];
  const shape = Array.isArray(value) ? [list.length] : [];
  return list.every(Number.isInteger)
    ? { dtype: "int64", shape, data: BigInt64Array.from(list, BigInt) }
    : { dtype: "float32", shape, data: Float32Array.from(list) };
}

function flat({ data }: StoredTensor & { readonly dtype: "float32" }): StoredTensor {
  return { dtype: "float32", shape: [data.length], data };
}

function transposed({ shape, data }: StoredTensor & { readonly dtype: "float32" }) {
  const [rows, columns] = shape as readonly [number, number];
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j]!;
  return { dtype: "float32", shape: [columns, rows], data: turned } as const;
}
