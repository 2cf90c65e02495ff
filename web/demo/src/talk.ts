// What people and bots say: `{"name": ..., "text": ...}` on one topic. A line without text only tells a name.

export const CHAT_TOPIC = "demo/chat";

export const MAX_NAME = 24;
export const MAX_TEXT = 200;

/** A name by far too long, or a whole book, is not read to its end. */
const MAX_BODY_BYTES = 4096;

export interface Line {
  readonly name: string;
  /** Empty: just a name. */
  readonly text: string;
}

/** What others sent, made fit to be shown; undefined where it is no line. */
export function decodeLine(body: Uint8Array): Line | undefined {
  if (body.byteLength > MAX_BODY_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined; // no UTF-8, or no JSON
  }
  if (typeof value !== "object" || value === null || !("name" in value) || !("text" in value)) return undefined;
  if (typeof value.name !== "string" || typeof value.text !== "string") return undefined;
  const name = tidy(value.name, MAX_NAME);
  return name ? { name, text: tidy(value.text, MAX_TEXT) } : undefined;
}

export function encodeLine(line: Line): string {
  return JSON.stringify({ name: tidy(line.name, MAX_NAME), text: tidy(line.text, MAX_TEXT) });
}

/** One line of at most `length` characters, without what is not seen: controls, and marks that turn the direction of what follows. */
export function tidy(text: string, length: number): string {
  const seen = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const characters = [...seen];
  return characters.length > length ? `${characters.slice(0, length - 1).join("")}…` : seen;
}

const FIRST = ["Quiet", "Merry", "Early", "Gentle", "Swift", "Sunny", "Misty", "Brave", "Kind", "Curious"];
const SECOND = ["Heron", "Otter", "Finch", "Maple", "Badger", "Willow", "Robin", "Hazel", "Marten", "Sparrow"];

/** A name for one who has not said theirs; `random` gives numbers from 0 to below 1. */
export function guestName(random: () => number): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "";
  return `${pick(FIRST)} ${pick(SECOND)}`;
}
