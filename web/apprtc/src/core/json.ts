// Reading JSON that others made: nothing about its shape is taken for granted.

export type Fields = Readonly<Record<string, unknown>>;

/** The value of a text, undefined where it is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The members of an object; none for anything else. */
export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function texts(value: unknown): readonly string[] {
  return array(value).filter((one) => typeof one === "string");
}

/** AppRTC writes truth values as texts. */
export function flag(value: unknown): boolean {
  return value === true || value === "true";
}
