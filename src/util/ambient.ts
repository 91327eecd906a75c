/**
 * A dynamically scoped value, such as the scope of the module being called: it holds during a call and in all it calls.
 */
export class Ambient<T> {
  #current: T;

  /** @param initial the value outside every `run` */
  constructor(initial: T) {
    this.#current = initial;
  }

  get current(): T {
    return this.#current;
  }

  /** Calls `body` with another value in place. `body` must be synchronous. */
  run<R>(value: T, body: () => R): R {
    const outer = this.#current;
    this.#current = value;
    try {
      return body();
    } finally {
      this.#current = outer;
    }
  }
}
