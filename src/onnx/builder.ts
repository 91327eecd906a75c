import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeKind,
  type AttributeProto,
  AttributeProtoSchema,
  TensorProto_DataType as ElementType,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import manifest from "../../package.json" with { type: "json" };

/** Versions of the standard operators that a model can be written for. */
export type Opset = 17 | 18 | 19 | 20 | 21 | 22 | 23 | 24 | 25 | 26;

/** The versions that a model declares unless told otherwise. */
export const ONNX_VERSIONS = { opset: 21, microsoft: 1 } as const satisfies {
  opset: Opset;
  microsoft: number;
};

/** The version of the file format that came with each opset: whoever knows the one reads the other. */
const IR_VERSIONS: Readonly<Record<Opset, number>> = {
  17: 8,
  18: 8,
  19: 9,
  20: 9,
  21: 10,
  22: 10,
  23: 11,
  24: 12,
  25: 13,
  26: 13,
};

/** The oldest version of the file format that holds what we write. */
export const OLDEST_IR = 8;

/** The opsets that a model can be written for. */
export const OPSETS: readonly number[] = Object.keys(IR_VERSIONS).map(Number);

/** The element types a model can hold. */
export type ElementName = "float32" | "int64" | "uint8" | "bool";

const ELEMENT_TYPES: Readonly<Record<ElementName, ElementType>> = {
  float32: ElementType.FLOAT,
  int64: ElementType.INT64,
  uint8: ElementType.UINT8,
  bool: ElementType.BOOL,
};

/** An ONNX attribute: integer numbers become INT and INTS unless marked `{ float }` or `{ floats }`. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] };

/** A value at the model's border. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: ElementName;
  /** A string names an open dimension. */
  readonly shape: readonly (number | string)[];
}

/** The typed arrays an initializer can be made from. */
export type InitializerData = Float32Array | BigInt64Array | Uint8Array;

function attributeProto(name: string, value: OnnxAttribute): AttributeProto {
  if (typeof value === "string") {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeKind.STRING,
      s: new TextEncoder().encode(value),
    });
  }
  if (typeof value === "number") {
    return create(AttributeProtoSchema, { name, type: AttributeKind.INT, i: BigInt(value) });
  }
  if ("floats" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeKind.FLOATS, floats: [...value.floats] });
  }
  if ("float" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeKind.FLOAT, f: value.float });
  }
  return create(AttributeProtoSchema, { name, type: AttributeKind.INTS, ints: value.map(BigInt) });
}

function valueInfo({ name, dtype, shape }: OnnxValue): ValueInfoProto {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === "number"
          ? { case: "dimValue", value: BigInt(size) }
          : { case: "dimParam", value: size },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: ELEMENT_TYPES[dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } }),
  });
}

const POOLINGS: readonly string[] = ["MaxPool", "AveragePool"];

/** Collects nodes and initializers, and writes an ONNX model. It knows ONNX and nothing of our graph. */
export class OnnxBuilder {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #constants = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #domains = new Set<string>([""]);
  readonly #pads = new Set<string>();
  readonly #opset: Opset;
  #scope = "";

  /** @param border names of inputs and outputs, which nothing else may have */
  constructor(border: readonly string[] = [], opset: Opset = ONNX_VERSIONS.opset) {
    for (const name of border) this.#counts.set(name, 1);
    this.#opset = opset;
  }

  /** Nodes and values made from here on are named under this module path. */
  setScope(scope: string): void {
    this.#scope = scope;
  }

  /**
   * Adds a node with one output.
   *
   * @param type ONNX operator, such as `Conv`; for `Pad` there is {@link pad}, for `Reduce…` {@link reduce}
   * @param inputs value names; `""` leaves an optional input out
   * @returns the name of the output
   */
  node<Type extends string>(
    type: Type extends "Pad" | `Reduce${string}` ? never : Type,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = "",
  ): string {
    const isPooling = domain === "" && POOLINGS.includes(type);
    return this.#node(type, isPooling ? inputs.map((x) => this.#unfused(x)) : inputs, attributes, domain);
  }

  /**
   * ONNX Runtime makes a `Pad` before a pooling part of it, and then pads a `MaxPool` by −∞ instead of zeros, and
   * refuses any padding as wide as the window. A node between the two prevents that.
   */
  #unfused(x: string): string {
    return this.#pads.has(x) ? this.#node("Max", [x], {}, "") : x;
  }

  #node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>>,
    domain: string,
  ): string {
    const output = this.#unique(type);
    this.#domains.add(domain);
    this.#nodes.push(
      create(NodeProtoSchema, {
        name: output,
        opType: type,
        domain,
        input: [...inputs],
        output: [output],
        attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
      }),
    );
    return output;
  }

  /** Adds a constant tensor and returns its name; small equal ones without a name of their own are shared. */
  constant(dtype: ElementName, shape: readonly number[], data: InitializerData, given?: string): string {
    const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    const shared = given === undefined && data.length <= 64;
    const key = shared ? `${dtype}[${shape}]:${rawData.join()}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = given === undefined ? this.#unique("Constant") : this.#uniqueOf(given);
    this.#initializers.push(
      create(TensorProtoSchema, { name, dataType: ELEMENT_TYPES[dtype], dims: shape.map(BigInt), rawData }),
    );
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** A one-dimensional int64 constant, as axes, shapes and pads are given. */
  integers(values: readonly number[]): string {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A scalar float32 constant. */
  float(value: number): string {
    return this.constant("float32", [], Float32Array.of(value));
  }

  /** Reshapes to `shape`; one entry may be −1, and 0 keeps the input's size at its place. */
  reshape(input: string, shape: readonly number[]): string {
    return this.node("Reshape", [input, this.integers(shape)]);
  }

  /**
   * Puts cells around a tensor, or takes some away where an amount is negative. Amounts are given for every axis:
   * ONNX Runtime mistakes the axes of a `Pad` that names some when it moves a transposition past it.
   *
   * @param before cells before each axis
   * @param after cells after each axis
   */
  pad(input: string, before: readonly number[], after: readonly number[], value = 0): string {
    const cells = value === 0 ? [] : [this.float(value)];
    const padded = this.#node("Pad", [input, this.integers([...before, ...after]), ...cells], {}, "");
    this.#pads.add(padded);
    return padded;
  }

  /** Reduces over axes, which older opsets take as an attribute (save for sums). */
  reduce(type: `Reduce${string}`, input: string, axes: readonly number[], keepDims: boolean): string {
    const keepdims = keepDims ? 1 : 0;
    if (this.#opset < 18 && type !== "ReduceSum") return this.#node(type, [input], { axes, keepdims }, "");
    return this.#node(type, [input, this.integers(axes)], { keepdims }, "");
  }

  /** Casts to `dtype`. */
  cast(input: string, dtype: ElementName): string {
    return this.node("Cast", [input], { to: ELEMENT_TYPES[dtype] });
  }

  /** Names of the convolutions whose weight is no initializer. */
  computedConvolutions(): readonly string[] {
    const constant = new Set(this.#initializers.map(({ name }) => name));
    return this.#nodes
      .filter(({ opType, input }) => /^Conv/.test(opType) && !constant.has(input[1]!))
      .map(({ name }) => name);
  }

  /** Writes the model. `outputs` maps each declared output to the value that holds it. */
  build(
    name: string,
    inputs: readonly OnnxValue[],
    outputs: readonly (OnnxValue & { readonly value: string })[],
    metadata: Readonly<Record<string, string>> = {},
    irVersion = IR_VERSIONS[this.#opset],
  ): Uint8Array {
    const identities = outputs.map((output) =>
      create(NodeProtoSchema, {
        name: `${output.name}.out`,
        opType: "Identity",
        input: [output.value],
        output: [output.name],
      }),
    );
    const opsetImport = [...this.#domains].map((domain) =>
      create(OperatorSetIdProtoSchema, {
        domain,
        version: BigInt(domain === "" ? this.#opset : ONNX_VERSIONS.microsoft),
      }),
    );
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(irVersion),
      producerName: "dyconv",
      producerVersion: manifest.version,
      opsetImport,
      graph: create(GraphProtoSchema, {
        name,
        node: [...this.#nodes, ...identities],
        initializer: this.#initializers,
        input: inputs.map(valueInfo),
        output: outputs.map(valueInfo),
      }),
      metadataProps: Object.entries(metadata).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value }),
      ),
    });
    return toBinary(ModelProtoSchema, model);
  }

  #unique(type: string): string {
    return this.#uniqueOf(this.#scope === "" ? type : `${this.#scope}/${type}`);
  }

  #uniqueOf(stem: string): string {
    const count = this.#counts.get(stem) ?? 0;
    this.#counts.set(stem, count + 1);
    return count === 0 ? stem : `${stem}_${count}`;
  }
}
