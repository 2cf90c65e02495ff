// Getting a token from the application, with a deadline.
import type { Platform } from "./platform.ts";
import { TimedOut, Waiters } from "./waiting.ts";

/** Call the application's function, for so many seconds at most. Rejects with what it throws, TimedOut, and TypeError for what is no text. */
export async function askToken(token: () => string | Promise<string>, seconds: number, platform: Platform): Promise<string> {
  const waiters = new Waiters<null, string>(platform);
  const answer = waiters.wait(null, seconds);
  Promise.resolve()
    .then(token)
    .then(
      (text) => waiters.serve(() => true, text),
      (error: unknown) => waiters.fail(() => (error instanceof Error ? error : new Error(String(error)))),
    );
  let text: unknown;
  try {
    text = await answer;
  } catch (error) {
    throw error instanceof TimedOut ? new Error(`the token function took longer than ${seconds} s`) : error;
  }
  if (typeof text !== "string") throw new TypeError(`the token function gave ${typeof text}, not a text`);
  return text.trim();
}
