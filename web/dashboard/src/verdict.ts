/** What the end of the dashboard's socket means, and how long to wait before the next try. Numbers: the coordinator's close codes. */

export type TokenTrouble = "wanted" | "refused" | "expired" | "early" | "role";

export type Verdict = { kind: "token"; trouble: TokenTrouble } | { kind: "full" } | { kind: "lost"; why: string };

const TOKEN_CODES: ReadonlyMap<number, TokenTrouble> = new Map([
  [4210, "refused"],
  [4212, "expired"],
  [4213, "early"],
  [4214, "role"],
]);
const FULL = new Set([4100, 1013]);

const FIRST_DELAY_S = 0.5;
const MAX_DELAY_S = 15;
const FULL_DELAY_S = 10;

/** `offered` says whether a token was sent: without one every complaint about tokens is the wish for one. */
export function verdictOf(code: number, reason: string, offered: boolean): Verdict {
  const trouble = TOKEN_CODES.get(code);
  if (trouble !== undefined) {
    return { kind: "token", trouble: offered ? trouble : "wanted" };
  }
  if (FULL.has(code)) {
    return { kind: "full" };
  }
  // 1000 to 1006 carry no news but the end itself
  return { kind: "lost", why: code < 1007 || reason === "" ? "" : reason };
}

/** Seconds before try number `attempt` (from 0); `random` in 0..1 keeps many pages from coming back in step. */
export function retryDelay(verdict: Verdict, attempt: number, random: number): number {
  const full = verdict.kind === "full" ? FULL_DELAY_S : Math.min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** Math.min(attempt, 16));
  return full * (0.5 + random / 2);
}
