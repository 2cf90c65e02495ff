// Callbacks of the application: any number, ended one by one, kept from doing harm when they throw.

/** Who wants to hear of one kind of thing. */
export class Listeners<A extends unknown[]> {
  readonly #listeners = new Map<object, (...args: A) => void>();

  constructor(readonly report: (error: unknown) => void) {}

  /** Call `listener` from now on. Returns a function that ends this; the same listener may be added twice. */
  add(listener: (...args: A) => void): () => void {
    const key = {};
    this.#listeners.set(key, listener);
    return () => {
      this.#listeners.delete(key);
    };
  }

  /** Call every listener, in the order they came. */
  tell(...args: A): void {
    for (const listener of [...this.#listeners.values()]) {
      try {
        listener(...args);
      } catch (error) {
        this.report(error);
      }
    }
  }
}
