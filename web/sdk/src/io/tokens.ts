// Getting a token from the application, with a deadline.
import { kindOf } from "../core/arguments.ts";
import type { Platform } from "./platform.ts";
import { TimedOut, Waiters } from "./waiting.ts";

/** The token function gave something that is no token: no failure that passes, but a mistake in it. */
export class NoToken extends TypeError {}

/** Call the application's function, for so many seconds at most. Rejects with what it throws, and NoToken for what is no text or empty. */
export async function askToken(token: () => string | Promise<string>, seconds: number, platform: Platform): Promise<string> {
  const waiters = new Waiters<null, string>(platform);
  const answer = waiters.wait(null, seconds);
  Promise.resolve()
    .then(token)
    .then(
      (text) => waiters.serve(() => true, text),
      (error: unknown) => waiters.fail(() => (error instanceof Error ? error : new Error(String(error)))),
    );
  let given: unknown;
  try {
    given = await answer;
  } catch (error) {
    throw error instanceof TimedOut ? new Error(`it took longer than ${seconds} s`) : error;
  }
  const text = typeof given === "string" ? given.trim() : "";
  if (text) return text;
  throw new NoToken(`it gave ${typeof given === "string" ? "an empty text" : kindOf(given)}, where a token belongs`);
}
