import type { OnnxBuilder } from "../onnx/builder.js";
import { currentScope } from "./scope.js";
import type { DType, Shape, Target, TensorData, TensorType } from "./types.js";

/** What distinguishes two uses of one operator: strides, axes, permutations. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A value an attribute can take. */
export type AttributeValue = number | string | boolean | readonly number[] | Shape | TensorData | undefined;

/** What an operator's gradient rule is given. */
export interface GradientContext<A> {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly attributes: A;
}

/** What an operator's emission rule is given. */
export interface EmitContext<A> {
  /** ONNX value names of the inputs. */
  readonly inputs: readonly string[];
  readonly types: readonly TensorType[];
  readonly output: TensorType;
  readonly attributes: A;
  readonly target: Target;
}

/** An operator: its shape rule, its gradient and its emission, in one place. */
export interface Operator<A extends Attributes = Attributes> {
  /** Unique, camelCase; the name in prints and errors. */
  readonly name: string;
  /** Checks the inputs and gives the type of the output; throws {@link ShapeError}. */
  infer(inputs: readonly TensorType[], attributes: A): TensorType;
  /**
   * The gradient of each input, given that of the output; `null` where there is none (integers,
   * conditions). A gradient may have the output's broadcast shape: the walker sums it down.
   */
  gradient(outputGradient: Tensor, context: GradientContext<A>): readonly (Tensor | null)[];
  /** Writes ONNX nodes and returns the name of the value that holds the output. */
  emit(context: EmitContext<A>, onnx: OnnxBuilder): string;
}

/**
 * A node of a graph: an operator applied to other tensors. It holds no data; `trace` collects the
 * tensors that a function returns into a graph that can be run.
 */
export class Tensor implements TensorType {
  /** The module path in which the tensor was made, such as `features.8.routing`. */
  readonly scope: string;

  private constructor(
    /** The operator that makes this tensor. */
    readonly operator: Operator,
    /** What the operator is applied to. */
    readonly inputs: readonly Tensor[],
    /** The operator's attributes. */
    readonly attributes: Attributes,
    /** Element type. */
    readonly dtype: DType,
    /** Sizes from the outermost dimension inwards. */
    readonly shape: Shape,
    scope: string,
  ) {
    this.scope = scope;
  }

  /**
   * Applies an operator.
   *
   * @throws ShapeError where the operator cannot take these inputs
   */
  static apply<A extends Attributes>(
    operator: Operator<A>,
    inputs: readonly Tensor[],
    attributes: A,
    scope: string = currentScope(),
  ): Tensor {
    const { dtype, shape } = operator.infer(inputs, attributes);
    return new Tensor(operator as unknown as Operator, inputs, attributes, dtype, shape, scope);
  }
}
