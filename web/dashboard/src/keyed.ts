/** A list of elements that follows a list of things: made once, changed in place, moved only when the order changed, removed when gone. */

export interface Part<T> {
  readonly element: Element;
  update(item: T): void;
}

export class KeyedList<T, P extends Part<T>> {
  readonly #parts = new Map<string, P>();

  constructor(
    private readonly parent: Element,
    private readonly key: (item: T) => string,
    private readonly create: (item: T) => P,
    private readonly remove: (part: P) => void = () => {},
  ) {}

  get size(): number {
    return this.#parts.size;
  }

  get(key: string): P | undefined {
    return this.#parts.get(key);
  }

  parts(): Iterable<P> {
    return this.#parts.values();
  }

  /** Make the elements follow `items`. Of items with the same key the first counts. */
  follow(items: readonly T[]): void {
    const wanted = new Map<string, T>();
    for (const item of items) {
      const key = this.key(item);
      if (!wanted.has(key)) {
        wanted.set(key, item);
      }
    }
    this.#forget(wanted);
    let place = this.parent.firstElementChild;
    for (const [key, item] of wanted) {
      const part = this.#parts.get(key) ?? this.#made(key, item);
      part.update(item);
      if (part.element === place) {
        place = place.nextElementSibling;
      } else {
        this.parent.insertBefore(part.element, place);
      }
    }
  }

  #made(key: string, item: T): P {
    const part = this.create(item);
    this.#parts.set(key, part);
    return part;
  }

  #forget(wanted: ReadonlyMap<string, T>): void {
    for (const [key, part] of this.#parts) {
      if (!wanted.has(key)) {
        part.element.remove();
        this.#parts.delete(key);
        this.remove(part);
      }
    }
  }
}
