// What an application passes, looked at before it does harm: errors name the argument, and what it should have been.

/** What a value is: `null`, `a list`, or the type as JavaScript has it. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value;
}

/** Throws TypeError where `value` is not what it should be; `what` says that. */
export function mustBe(isIt: boolean, name: string, what: string, value: unknown): void {
  if (!isIt) throw new TypeError(`${name}: ${what}, not ${kindOf(value)}`);
}

/** Throws TypeError where `value` has something else than `known`, misspelled perhaps. */
export function mustBeKnown(value: object, name: string, known: readonly string[]): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) throw new TypeError(`${name}.${key}: there is no such option`);
}

/** Options as they were passed, none being fine; `known` are all there are. Throws TypeError. */
export function asOptions<T extends object>(value: T | null | undefined, known: readonly (keyof T & string)[]): Partial<T> {
  mustBe(value == null || kindOf(value) === "object", "options", "an object", value);
  if (value == null) return {};
  mustBeKnown(value, "options", known);
  return value;
}

/** One topic or several, as a list. Throws TypeError naming the argument. */
export function asTopics(value: string | Iterable<string>, name: string): string[] {
  if (typeof value === "string") return [value];
  const isIterable = typeof (value as Partial<Iterable<string>> | null | undefined)?.[Symbol.iterator] === "function";
  mustBe(isIterable, name, "a topic or several (in an array or a Set, say)", value);
  return [...value];
}
