import { GraphError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import { AnnealedScalar } from "./annealed-scalar.js";
import type { ForwardContext } from "./context.js";
import { Parameter } from "./parameter.js";

/** A module with any further inputs. */
export type AnyModule = Module<readonly Tensor[]>;

type Member = AnyModule | Parameter | AnnealedScalar;

/**
 * A layer, or a network of layers. Parameters and inner modules are plain properties, or items of arrays and records
 * that are. The path of property names is a parameter's state name, such as `features.8.routing.net.0.weight` or
 * `blocks.0.norm.weight`. `#private` properties are ignored.
 *
 * A module or parameter used in several places is shared, under the path found first: it has one state, and its
 * gradient is the sum over its uses.
 *
 * A module takes one tensor. If it needs more, such as attention computed elsewhere, it declares them as `More`.
 *
 * @example
 * class Residual extends Module {
 *   readonly scale = new Parameter([1], onesInit);
 *   readonly blocks = [new Conv2d(8, 8, 3, { padding: 1 }), new ReLU()];
 *
 *   forward(x: Tensor, context: ForwardContext): Tensor {
 *     const y = this.blocks.reduce((value, block) => block.call(value, context), x);
 *     return add(x, mul(y, context.read(this.scale)));
 *   }
 * }
 */
export abstract class Module<More extends readonly Tensor[] = readonly []> {
  /** Computes the output while the model is traced. To apply a module, use {@link Module.call}. */
  abstract forward(x: Tensor, context: ForwardContext, ...more: More): Tensor;

  /** Applies the module: calls `forward` and labels every node and recorded attention with this module's path. */
  call(x: Tensor, context: ForwardContext, ...more: More): Tensor {
    return context.call(this, x, ...more);
  }

  /** Direct children: modules among the properties, including those in arrays and records, each once, by name. */
  children(): readonly (readonly [name: string, module: AnyModule])[] {
    return this.#members().filter((member): member is [string, AnyModule] => member[1] instanceof Module);
  }

  /** This module and all its descendants by path, each once, parents first. This module's path is `""`. */
  namedModules(): readonly (readonly [path: string, module: AnyModule])[] {
    const found = new Map<AnyModule, string>();
    const visit = (module: AnyModule, path: string) => {
      if (found.has(module)) return;
      found.set(module, path);
      for (const [name, child] of module.children()) visit(child, below(path, name));
    };
    visit(this as unknown as AnyModule, "");
    return Array.from(found, ([module, path]) => [path, module] as const);
  }

  /**
   * Parameters and buffers by state name, each once, those of a parent first.
   *
   * @param options `recurse: false` omits those of inner modules; defaults to true
   */
  namedParameters({ recurse = true }: { readonly recurse?: boolean } = {}): [string, Parameter][] {
    const found = new Map<Parameter, string>();
    for (const [path, module] of recurse
      ? this.namedModules()
      : [["", this as unknown as AnyModule] as const]) {
      for (const [name, member] of module.#members()) {
        if (member instanceof Parameter && !found.has(member)) found.set(member, below(path, name));
      }
    }
    return Array.from(found, ([parameter, name]) => [name, parameter]);
  }

  /**
   * The annealed scalars of this module and all its descendants, each once.
   *
   * @throws GraphError if two of them have the same name
   */
  annealedScalars(): readonly AnnealedScalar[] {
    const members = this.namedModules().flatMap(([, module]) =>
      module.#members().map(([, member]) => member),
    );
    const found = new Set(members.filter((member) => member instanceof AnnealedScalar));
    const names = new Set<string>();
    for (const { name } of found) {
      if (names.has(name)) {
        throw new GraphError(`two annealed scalars are named "${name}"`, {
          hint: "use one AnnealedScalar for layers that share a value, and different names otherwise",
        });
      }
      names.add(name);
    }
    return [...found];
  }

  /** The properties, by name, that are searched for modules and parameters. */
  protected properties(): readonly (readonly [name: string, value: unknown])[] {
    return Object.entries(this);
  }

  /** Modules, parameters and annealed scalars among the properties, each once. */
  #members(): readonly (readonly [name: string, member: Member])[] {
    const found: [string, Member][] = [];
    const seen = new Set<object>();
    const visit = (value: unknown, name: string) => {
      if (typeof value !== "object" || value === null || seen.has(value)) return;
      seen.add(value);
      if (isMember(value)) found.push([name, value]);
      else if (isContainer(value))
        for (const [key, item] of Object.entries(value)) visit(item, below(name, key));
    };
    for (const [name, value] of this.properties()) visit(value, name);
    return found;
  }
}

function isMember(value: object): value is Member {
  return value instanceof Module || value instanceof Parameter || value instanceof AnnealedScalar;
}

/** Joins two parts of a path, either of which may be empty. */
export function below(path: string, name: string): string {
  return path === "" || name === "" ? path + name : `${path}.${name}`;
}

/** A plain array or record. */
function isContainer(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}
