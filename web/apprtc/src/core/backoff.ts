// How long to wait before something is tried again: longer each time, and not all at the same moment.

const FIRST_S = 0.5;
const LONGEST_S = 8;

/** Seconds; `tries` have failed before, `random` is in [0, 1). */
export function pause(tries: number, random: () => number): number {
  return Math.min(LONGEST_S, FIRST_S * 2 ** tries) * (0.5 + random() / 2);
}
