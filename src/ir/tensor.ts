import { ShapeError } from "../errors/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { formatShape } from "../util/shape.js";
import { currentScope } from "./scope.js";
import type { Dim, DType, Shape, Target, TensorData, TensorType } from "./types.js";

/** What distinguishes two uses of one operator: strides, axes, permutations. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A value an attribute can take. */
export type AttributeValue = number | string | boolean | readonly number[] | Shape | TensorData | undefined;

/** What an operator's gradient rule receives. */
export interface GradientContext<A> {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly attributes: A;
}

/** What an operator's emission rule receives. */
export interface EmitContext<A> {
  /** ONNX value names of the inputs. */
  readonly inputs: readonly string[];
  readonly types: readonly TensorType[];
  readonly output: TensorType;
  readonly attributes: A;
  readonly target: Target;
}

/**
 * Where an operator whose kernel slides over images has them: an input, by index, or the output. Height and width are the
 * last two axes of each.
 */
export interface SlidingKernel {
  readonly image: number | "output";
  readonly kernel: number | "output";
  /** The tensor with a pixel for each window. */
  readonly windows: number | "output";
}

/**
 * Facts about an operator, besides its three rules, that rewrites may rely on. An omitted fact does not hold. None of
 * them changes what the operator computes.
 */
export interface OperatorFacts<A> {
  /** Each element of the output depends only on the inputs' elements at the same position; inputs broadcast. */
  readonly elementwise?: boolean;
  /** Its two inputs may be swapped. */
  readonly commutative?: boolean;
  /** The output consists of the elements of its float inputs, rearranged, and nothing else. */
  readonly rearranges?: boolean;
  /** Inputs in each of which it is linear with the others fixed. Does not hold if it has further inputs. */
  readonly linearIn?: readonly number[];
  /**
   * Its kernel slides over images, as `stride`, `padding` and `dilation` among its attributes say, and so does `kernel`, the
   * kernel's size, if the output is the kernel.
   */
  readonly slides?: SlidingKernel;
  /** It stands for a value fed when the graph runs. */
  readonly isFed?: boolean;
  /** The attributes that apply ReLU, clipped at `most` if given, to the output in the same pass. */
  withRelu?(attributes: A, most?: number): A;
  /** Number of multiply-adds. Defaults to 0. */
  multiplyAdds?(inputs: readonly TensorType[], output: TensorType, attributes: A): number;
  /**
   * The same computation on blocked images, [B, C/b, H, W, b] instead of [B, C, H, W]; `undefined` if it is not
   * possible. Images in the result are blocked, other results unchanged. Elementwise operators do not need this.
   *
   * @param context images among the inputs are blocked; `output` is the tensor to be replaced
   */
  inBlocks?(context: GradientContext<A>): Tensor | undefined;
  /**
   * The values of a float32 output computed from those of the inputs, for constant folding: exactly those that the
   * runtime computes, so that a model gives the same whether folded or not.
   */
  evaluate?(
    values: readonly Float32Array[],
    context: { readonly inputs: readonly TensorType[]; readonly output: TensorType; readonly attributes: A },
  ): Float32Array;
}

/** An operator in one place: its shape rule, its gradient, its emission, and the facts that rewrites use. */
export interface Operator<A extends Attributes = Attributes> extends OperatorFacts<A> {
  /** Unique camelCase name, shown in printed graphs and errors. */
  readonly name: string;
  /** Checks the inputs and returns the type of the output; throws {@link ShapeError}. */
  infer(inputs: readonly TensorType[], attributes: A): TensorType;
  /**
   * The gradient with respect to each input, given that of the output; `null` where there is none (integers,
   * conditions). A gradient may have the output's broadcast shape: `gradients` sums it down.
   */
  gradient(outputGradient: Tensor, context: GradientContext<A>): readonly (Tensor | null)[];
  /** Writes ONNX nodes and returns the name of the value that holds the output. */
  emit(context: EmitContext<A>, onnx: OnnxBuilder): string;
}

/** Changes that {@link Tensor.with} makes to a tensor. */
export interface Changes<A> {
  readonly inputs?: readonly Tensor[];
  readonly attributes?: Partial<A>;
}

/** A tensor made by an operator whose attributes are known to be `A`. */
export interface TensorOf<A extends Attributes> extends Tensor {
  readonly attributes: A;
}

/**
 * A node of a graph: an operator applied to other tensors. It holds no data; `trace` collects the tensors that a
 * function returns into a graph. `D` is the dtype where the compiler knows it: of what a traced function is given, of
 * losses, and of `cast(x, dtype)`.
 */
export class Tensor<D extends DType = DType> implements TensorType<D> {
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
    readonly dtype: D,
    /** Sizes from the outermost dimension inwards. */
    readonly shape: Shape,
    scope: string,
  ) {
    this.scope = scope;
  }

  /**
   * Applies an operator.
   *
   * @throws ShapeError if the operator does not accept these inputs
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
  /** Whether this tensor was made by `operator`; narrows the type of its attributes. */
  is<A extends Attributes>(operator: Operator<A>): this is TensorOf<A> {
    return this.operator === (operator as unknown as Operator);
  }

  /** The same operator with other inputs or some attributes changed. Everything else is kept. */
  with({ inputs = this.inputs, attributes }: Changes<this["attributes"]>): Tensor {
    return Tensor.apply(this.operator, inputs, { ...this.attributes, ...attributes }, this.scope);
  }
}

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;
