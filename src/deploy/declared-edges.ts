import { decodeModel } from "../onnx/model.js";
import { type OnnxFeed, openOnnx, type RuntimeOptions } from "../runtime/index.js";
import {
  countMultiplyAdds,
  type EdgesOfRun,
  type OpenSizes,
  PIXELS,
  withDeclaredEdges,
  withEdgesAsOutputs,
} from "../ship/index.js";

/** A model with declared edges. */
export interface EdgeCount {
  /** The model, with type and shape of every edge declared. */
  readonly bytes: Uint8Array;
  /** Multiply-adds for one image. */
  readonly multiplyAdds: number;
}

/** Open sizes for the two runs: different, and not multiples of each other. */
const OPEN_SIZES: readonly [OpenSizes, OpenSizes] = [
  { batch: 2, height: 37, width: 41 },
  { batch: 3, height: 43, width: 53 },
];

/** Runs a model twice to declare its edges, and counts its multiply-adds. */
export async function declareEdges(
  model: Uint8Array,
  imageSize: number,
  runtime: Pick<RuntimeOptions, "threads"> = {},
): Promise<EdgeCount> {
  const input = decodeModel(model, "the model").graph!.input[0]!;
  const declared = input.type!.value;
  const dims = declared.case === "tensorType" ? declared.value.shape!.dim : [];
  const seen = await openOnnx(withEdgesAsOutputs(model), { device: "cpu", ...runtime });
  const look = async (open: OpenSizes): Promise<EdgesOfRun> => {
    const shape = dims.map(({ value }) =>
      value.case === "dimParam" ? open[value.value]! : Number(value.value),
    );
    const length = shape.reduce((product, size) => product * size, 1);
    const feed: OnnxFeed =
      input.name === PIXELS
        ? { dtype: "uint8", shape, data: new Uint8Array(length) }
        : { dtype: "float32", shape, data: new Float32Array(length) };
    const edges = await seen.run({ [input.name]: feed });
    const used = dims.flatMap(({ value }) => (value.case === "dimParam" ? [value.value] : []));
    return { edges, sizes: Object.fromEntries(used.map((name) => [name, open[name]!])) };
  };
  const runs = [await look(OPEN_SIZES[0]), await look(OPEN_SIZES[1])] as const;
  const single = await look({ batch: 1, height: imageSize, width: imageSize });
  await seen.dispose();
  const batch = Object.keys(single.sizes).includes("batch")
    ? 1
    : (single.edges[firstOutput(model)]?.shape[0] ?? 1);
  return {
    bytes: withDeclaredEdges(model, runs),
    multiplyAdds: countMultiplyAdds(model, single.edges) / batch,
  };
}

function firstOutput(model: Uint8Array): string {
  return decodeModel(model, "the model").graph!.output[0]!.name;
}
