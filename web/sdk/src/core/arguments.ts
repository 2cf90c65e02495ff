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

/** Options as they were passed, none being fine. Throws TypeError. */
export function asOptions<T extends object>(value: T | null | undefined): Partial<T> {
  mustBe(value == null || (typeof value === "object" && !Array.isArray(value)), "options", "an object", value);
  return value ?? {};
}

/** One topic or several, as a list. Throws TypeError naming the argument. */
export function asTopics(value: string | Iterable<string>, name: string): string[] {
  if (typeof value === "string") return [value];
  const isIterable = typeof (value as Partial<Iterable<string>> | null | undefined)?.[Symbol.iterator] === "function";
  mustBe(isIterable, name, "a topic or several (in an array or a Set, say)", value);
  return [...value];
}
