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

/** Versions of ONNX's standard operator set that a model can target. */
export type Opset = 17 | 18 | 19 | 20 | 21 | 22 | 23 | 24 | 25 | 26;

/** The operator set versions that a model declares by default. */
export const ONNX_VERSIONS = { opset: 21, microsoft: 1 } as const satisfies {
  opset: Opset;
  microsoft: number;
};

/** The file format (IR) version released with each opset: a runtime that supports the opset can read it. */
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

/** The oldest IR version that can hold the models written here. */
export const OLDEST_IR = 8;

/** The opsets that a model can target. */
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

/** An input or output of the model. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: ElementName;
  /** A string names a dynamic dimension. */
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

/** Collects nodes and initializers and writes an ONNX model. Knows nothing of dyconv's graph. */
export class OnnxBuilder {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #constants = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #domains = new Set<string>([""]);
  readonly #pads = new Set<string>();
  /** What each reshape starts from, by its output. */
  readonly #reshaped = new Map<
    string,
    { readonly value: string; readonly shape: readonly number[] | undefined }
  >();
  readonly #opset: Opset;
  #scope = "";

  /** @param border names of the model's inputs and outputs, reserved for them */
  constructor(border: readonly string[] = [], opset: Opset = ONNX_VERSIONS.opset) {
    for (const name of border) this.#counts.set(name, 1);
    this.#opset = opset;
  }

  /** Names nodes and values added from now on under this module path. */
  setScope(scope: string): void {
    this.#scope = scope;
  }

  /**
   * Adds a node with one output.
   *
   * @param type ONNX operator, such as `Conv`; use {@link pad} for `Pad` and {@link reduce} for `Reduce…`
   * @param inputs value names; `""` omits an optional input
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
   * ONNX Runtime fuses a `Pad` into the pooling after it. A `MaxPool` is then padded with −∞ instead of zeros, and
   * padding as wide as the window is rejected. A node between the two prevents the fusion.
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

  /** Adds a constant tensor and returns its name. Small, equal, unnamed constants are shared. */
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

  /** A one-dimensional int64 constant, as ONNX takes axes, shapes and pads. */
  integers(values: readonly number[]): string {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A scalar float32 constant. */
  float(value: number): string {
    return this.constant("float32", [], Float32Array.of(value));
  }

  /**
   * Reshapes to `shape`. One entry may be −1 (inferred), and 0 keeps the input's size on that axis. Of several reshapes in
   * a row only the last is written, and none if it leads back to the first shape.
   *
   * @param from the shape of the input, if it has fixed sizes
   */
  reshape(input: string, shape: readonly number[], from?: readonly number[]): string {
    // A 0 refers to the shape between two reshapes.
    const before = shape.includes(0) ? undefined : this.#reshaped.get(input);
    const origin = before ?? { value: input, shape: from };
    if (origin.shape?.join() === shape.join()) return origin.value;
    const output = this.node("Reshape", [origin.value, this.integers(shape)]);
    this.#reshaped.set(output, origin);
    return output;
  }

  /**
   * Pads a tensor with a constant, or crops it where an amount is negative. Takes amounts for every axis: ONNX Runtime
   * confuses the axes of a `Pad` with an `axes` input when it moves a transpose past it.
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

  /** Reduces over axes. Opsets before 18 take the axes as an attribute, except for sums. */
  reduce(type: `Reduce${string}`, input: string, axes: readonly number[], keepDims: boolean): string {
    const keepdims = keepDims ? 1 : 0;
    if (this.#opset < 18 && type !== "ReduceSum") return this.#node(type, [input], { axes, keepdims }, "");
    return this.#node(type, [input, this.integers(axes)], { keepdims }, "");
  }

  /** Casts to `dtype`. */
  cast(input: string, dtype: ElementName): string {
    return this.node("Cast", [input], { to: ELEMENT_TYPES[dtype] });
  }

  /** Names of the convolutions whose weight is computed rather than an initializer. */
  computedConvolutions(): readonly string[] {
    const constant = new Set(this.#initializers.map(({ name }) => name));
    return this.#nodes
      .filter(({ opType, input }) => /^Conv/.test(opType) && !constant.has(input[1]!))
      .map(({ name }) => name);
  }

  /** Serializes the model. Each output names the `value` that holds it. */
  build(
    name: string,
    inputs: readonly OnnxValue[],
    outputs: readonly (OnnxValue & { readonly value: string })[],
    metadata: Readonly<Record<string, string>> = {},
    irVersion = IR_VERSIONS[this.#opset],
  ): Uint8Array {
    const nodes = this.#nameOutputs(outputs);
    const read = new Set(nodes.flatMap(({ input }) => input));
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
        node: nodes,
        initializer: this.#initializers.filter(({ name }) => read.has(name)),
        input: inputs.map(valueInfo),
        output: outputs.map(valueInfo),
      }),
      metadataProps: Object.entries(metadata).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value }),
      ),
    });
    return toBinary(ModelProtoSchema, model);
  }

  /**
   * Nodes that compute an output give it that output's name. An `Identity` does so for inputs, constants and further
   * names only: where a linear layer reads an output as well, ONNX Runtime loses that output as it removes the `Identity`.
   */
  #nameOutputs(outputs: readonly (OnnxValue & { readonly value: string })[]) {
    const kept = this.#withoutUnread(outputs.map(({ value }) => value));
    const computed = new Set(kept.flatMap(({ output }) => output));
    const names = new Map<string, string>();
    for (const { name, value } of outputs) {
      if (computed.has(value) && !names.has(value)) names.set(value, name);
    }
    const named = (value: string) => names.get(value) ?? value;
    const nodes = kept.map((node) =>
      create(NodeProtoSchema, { ...node, input: node.input.map(named), output: node.output.map(named) }),
    );
    const identities = outputs
      .filter(({ name, value }) => named(value) !== name)
      .map(({ name, value }) =>
        create(NodeProtoSchema, {
          ...{ name: `${name}.out`, opType: "Identity" },
          ...{ input: [named(value)], output: [name] },
        }),
      );
    return [...nodes, ...identities];
  }

  /** The nodes that the given values depend on: not the reshapes that others have taken the place of. */
  #withoutUnread(values: readonly string[]): readonly NodeProto[] {
    const read = new Set(values);
    return this.#nodes
      .toReversed()
      .filter(({ input, output }) => {
        const isRead = output.some((name) => read.has(name));
        if (isRead) for (const name of input) read.add(name);
        return isRead;
      })
      .reverse();
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
