/** A value that holds for all that is called from one place, such as the scope of the module being called. */
export class Ambient<T> {
  #current: T;

  /** @param initial holds outside every `run` */
  constructor(initial: T) {
    this.#current = initial;
  }

  get current(): T {
    return this.#current;
  }

  /** Calls `body`, which must not be asynchronous, with another value. */
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
