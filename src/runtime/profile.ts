import { groupBy } from "../util/group.js";

/** A tensor as ONNX Runtime describes it in a profile. */
export interface OperandType {
  /** Element type as ONNX Runtime names it: `float`, `int64`, `uint8`, `bool`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** ONNX Runtime's timings of one operator. */
export interface OperatorTimes {
  /** Name of the ONNX node, module path and operator, such as `features.8/Conv`. */
  readonly name: string;
  /** ONNX operator, such as `Conv`. */
  readonly type: string;
  readonly inputs: readonly OperandType[];
  readonly outputs: readonly OperandType[];
  /** Duration of each run, in order. */
  readonly milliseconds: readonly number[];
}

type OperandJson = Readonly<Record<string, readonly number[]>>;

/** The fields used of an event in ONNX Runtime's profile. */
interface EventJson {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args: {
    readonly node_index: string;
    readonly op_name: string;
    readonly input_type_shape: readonly OperandJson[];
    readonly output_type_shape: readonly OperandJson[];
  };
}

const KERNEL_TIME = /_kernel_time$/;
/** What ONNX Runtime adds to the names of nodes that it changes. */
const FUSION = /^fused |(\/\w*Fusion)+\/?|_nchwc$/g;

/** The operators in ONNX Runtime's profile, parsed from JSON, in execution order. */
export function readProfile(profile: unknown): readonly OperatorTimes[] {
  const events = (profile as readonly EventJson[]).filter(
    ({ cat, name }) => cat === "Node" && KERNEL_TIME.test(name),
  );
  const byNode = groupBy(events, ({ args }) => args.node_index);
  return [...byNode.values()].map((runs) => {
    const { name, args } = runs[0]!;
    return {
      name: name.replace(KERNEL_TIME, "").replaceAll(FUSION, ""),
      type: args.op_name,
      inputs: args.input_type_shape.flatMap(operandTypes),
      outputs: args.output_type_shape.flatMap(operandTypes),
      milliseconds: runs.map(({ dur }) => dur / 1000),
    };
  });
}

function operandTypes(operand: OperandJson): readonly OperandType[] {
  return Object.entries(operand).map(([dtype, shape]) => ({ dtype, shape }));
}
