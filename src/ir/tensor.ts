import { ShapeError } from "../errors/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { formatShape } from "../util/shape.js";
import { currentScope } from "./scope.js";
import type { Dim, DType, Shape, Target, TensorData, TensorType } from "./types.js";

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

/**
 * What rewrites may rely on besides an operator's three rules. A fact that is left out does not hold; none of them
 * changes what the operator computes.
 */
export interface OperatorFacts<A> {
  /** Each element of the output is made from those of the inputs at its place; inputs broadcast. */
  readonly elementwise?: boolean;
  /** Its two inputs may be exchanged. */
  readonly commutative?: boolean;
  /** The output holds the elements of float inputs in other places, and nothing else. */
  readonly rearranges?: boolean;
  /** Inputs in each of which it is linear while the others stay the same; not with more inputs than these. */
  readonly linearIn?: readonly number[];
  /** It stands for a value that is fed when the graph runs. */
  readonly isFed?: boolean;
  /** The attributes with which ReLU, up to `most` where that is given, is applied to the output in the same pass. */
  withRelu?(attributes: A, most?: number): A;
  /** How often two numbers are multiplied and added to a sum; 0 where it is left out. */
  multiplyAdds?(inputs: readonly TensorType[], output: TensorType, attributes: A): number;
  /**
   * The same where images lie in blocks, [B, C/b, H, W, b] in place of [B, C, H, W]; `undefined` where it cannot be
   * done. It may give images in blocks, or another result as it was. Elementwise operators need no such form.
   *
   * @param context images among the inputs are in blocks; `output` is the tensor that is to be replaced
   */
  inBlocks?(context: GradientContext<A>): Tensor | undefined;
  /** The values of a float32 output, from those of the inputs, for what depends on constants alone. */
  evaluate?(
    values: readonly Float32Array[],
    context: { readonly inputs: readonly TensorType[]; readonly output: TensorType; readonly attributes: A },
  ): Float32Array;
}

/** An operator: its shape rule, its gradient and its emission, and what rewrites may know of it, in one place. */
export interface Operator<A extends Attributes = Attributes> extends OperatorFacts<A> {
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

/** What differs between two uses of an operator. */
export interface Changes<A> {
  readonly inputs?: readonly Tensor[];
  readonly attributes?: Partial<A>;
}

/** A tensor made by an operator whose attributes are known to be `A`. */
export interface TensorOf<A extends Attributes> extends Tensor {
  readonly attributes: A;
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
    const fits = (size: Dim, axis: number) =>
      size === "batch" ? axis === 0 : Number.isSafeInteger(size) && size > 0;
    if (!shape.every(fits)) {
      throw new ShapeError(
        operator.name,
        `sizes of at least 1, "batch" only as the first`,
        formatShape(shape),
      );
    }
    return new Tensor(operator as unknown as Operator, inputs, attributes, dtype, shape, scope);
  }
  /** Whether an operator made this tensor; its attributes then have the operator's type. */
  is<A extends Attributes>(operator: Operator<A>): this is TensorOf<A> {
    return this.operator === (operator as unknown as Operator);
  }

  /** The same operator, on other inputs or with some attributes changed. All else is carried over. */
  with({ inputs = this.inputs, attributes }: Changes<this["attributes"]>): Tensor {
    return Tensor.apply(this.operator, inputs, { ...this.attributes, ...attributes }, this.scope);
  }
}

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;
