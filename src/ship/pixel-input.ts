import { create, toBinary } from "@bufbuild/protobuf";
import { GraphProtoSchema, ModelProtoSchema } from "onnx-buf";
import { OnnxBuilder, type Opset } from "../onnx/builder.js";
import { decodeModel } from "../onnx/model.js";

/** Options of {@link withPixelInput}. */
export interface PixelInputOptions {
  /** Height and width of the model's input. */
  readonly size: number;
  /** How an image that is not square is fitted: stretched, or cropped to its centre. Defaults to `"stretch"`. */
  readonly fit?: "stretch" | "crop";
  /** Mean of the pixels, scaled to 0 … 1. Defaults to 0.5. */
  readonly mean?: number;
  /** Standard deviation, on the same scale. Defaults to 0.5. */
  readonly std?: number;
}

/** Name of the pixel input. */
export const PIXELS = "pixels";

/**
 * Prepends image preprocessing to a model: its input becomes `pixels`, uint8 [batch, height, width, 3] of any height
 * and width, as returned by image decoders. Resizing is bilinear with antialiasing (PIL's filter), as two matrix
 * products whose matrices are computed from the image size.
 *
 * @param model ONNX with one input, float32 [batch, 3, size, size], whose batch may be open or a number
 * @throws CheckpointError if the bytes are not an ONNX model
 */
export function withPixelInput(model: Uint8Array, options: PixelInputOptions): Uint8Array {
  const { graph, opsetImport, ...others } = decodeModel(model, "the model");
  const [input] = graph!.input;
  const { version } = opsetImport.find(({ domain }) => domain === "")!;
  const type = input!.type!.value;
  const first = type.case === "tensorType" ? type.value.shape!.dim[0]!.value : undefined;
  const batch = first?.case === "dimValue" ? Number(first.value) : "batch";
  const ahead = decodeModel(
    preparation(input!.name, batch, Number(version) as Opset, options),
    "the preparation",
  );
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      ...others,
      opsetImport,
      graph: create(GraphProtoSchema, {
        ...graph!,
        node: [...ahead.graph!.node, ...graph!.node],
        initializer: [...ahead.graph!.initializer, ...graph!.initializer],
        input: ahead.graph!.input,
      }),
    }),
  );
}

/** A separate model that outputs preprocessed images as `output`. */
function preparation(
  output: string,
  batch: number | "batch",
  opset: Opset,
  options: PixelInputOptions,
): Uint8Array {
  const { size, mean = 0.5, std = 0.5 } = options;
  const builder = new OnnxBuilder([PIXELS, output], opset);
  builder.setScope("preprocessing");
  const sizes = builder.cast(builder.node("Shape", [PIXELS]), "float32");
  const extents = [1, 2].map((axis) => builder.node("Gather", [sizes, scalar(builder, axis)]));
  const rows = resizeMatrix(builder, extents[0]!, extents, options);
  const columns = resizeMatrix(builder, extents[1]!, extents, options);
  const planes = builder.cast(builder.node("Transpose", [PIXELS], { perm: [0, 3, 1, 2] }), "float32");
  const narrow = builder.node("MatMul", [rows, planes]);
  const resized = builder.node("MatMul", [narrow, builder.node("Transpose", [columns], { perm: [1, 0] })]);
  const scaled = builder.node("Mul", [resized, builder.float(1 / (255 * std))]);
  const value = builder.node("Add", [scaled, builder.float(-mean / std)]);
  return builder.build(
    "preprocessing",
    [{ name: PIXELS, dtype: "uint8", shape: [batch, "height", "width", 3] }],
    [{ name: output, dtype: "float32", shape: [batch, 3, size, size], value }],
  );
}

/**
 * The matrix [size, extent] that resizes a line of `extent` pixels bilinearly, with triangle filters and half-pixel
 * centres.
 */
function resizeMatrix(
  builder: OnnxBuilder,
  extent: string,
  extents: readonly string[],
  { size, fit = "stretch" }: PixelInputOptions,
): string {
  const kept = fit === "crop" ? builder.node("Min", extents) : extent;
  const scale = builder.node("Div", [kept, builder.float(size)]);
  const places = builder.constant(
    "float32",
    [size, 1],
    Float32Array.from({ length: size }, (_, i) => i + 0.5),
  );
  const left = builder.node("Mul", [builder.node("Sub", [extent, kept]), builder.float(0.5)]);
  const centres = builder.node("Add", [builder.node("Mul", [places, scale]), left]);
  const support = builder.node("Max", [scale, builder.float(1)]);
  const line = builder.node("Range", [builder.float(0), extent, builder.float(1)]);
  const pixels = builder.node("Add", [line, builder.float(0.5)]);
  const distance = builder.node("Abs", [builder.node("Sub", [pixels, centres])]);
  const slope = builder.node("Div", [distance, support]);
  const weights = builder.node("Relu", [builder.node("Sub", [builder.float(1), slope])]);
  return builder.node("Div", [weights, builder.reduce("ReduceSum", weights, [1], true)]);
}

function scalar(builder: OnnxBuilder, value: number): string {
  return builder.constant("int64", [], BigInt64Array.of(BigInt(value)));
}
