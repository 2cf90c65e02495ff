// Names of rooms, and which were used lately.
import { parse, texts } from "./json.ts";

/** Shorter names are guessed by strangers, and whoever knows the name may come in. */
export const MIN_CHARS = 5;
export const MAX_CHARS = 64;
export const MAX_RECENT = 8;

// Neither vowels, which make words, nor what is mistaken for something else.
const LETTERS = "bcdfghjkmnpqrstvwxz";
const GROUPS = [3, 4, 3];

/** What is wrong with a name, in words; empty: nothing. */
export function roomProblem(name: string): string {
  if (name === "") return "Give the room a name.";
  if (/[^a-zA-Z0-9_-]/.test(name)) return "Only letters without accents, digits, - and _ may be in it, and no spaces.";
  if (name.length < MIN_CHARS) return `It needs at least ${MIN_CHARS} characters, so that nobody comes in by chance.`;
  if (name.length > MAX_CHARS) return `It may have at most ${MAX_CHARS} characters.`;
  return "";
}

/** A name that nobody guesses (over 40 bits); `random` gives integers below a bound, each as likely as the others. */
export function randomRoom(random: (bound: number) => number): string {
  return GROUPS.map((size) => Array.from({ length: size }, () => LETTERS[random(LETTERS.length)]).join("")).join("-");
}

/** The rooms in what was kept, newest first. */
export function recentRooms(kept: string | null): string[] {
  const rooms = texts(parse(kept ?? "")).filter((room) => roomProblem(room) === "");
  return [...new Set(rooms)].slice(0, MAX_RECENT);
}

/** What to keep when a room is used. */
export function withRoom(rooms: readonly string[], room: string): string {
  return JSON.stringify([room, ...withoutRoom(rooms, room)].slice(0, MAX_RECENT));
}

export function withoutRoom(rooms: readonly string[], room: string): string[] {
  return rooms.filter((known) => known !== room);
}
