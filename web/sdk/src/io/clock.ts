// Seconds since the epoch that never step back: they are compared with token expiries and with their own earlier values.

// A page's own clock may stand still while the machine sleeps; behind the wall clock by more than this, it has.
const SLEPT_S = 2;

/** A clock. A correction of the system time to the past does not touch it; to the future, it counts as sleep. */
export function clock(wall = Date.now, own = () => performance.now()): () => number {
  let offset = wall() - own();
  return () => {
    const now = own() + offset;
    const behind = wall() - now;
    if (behind <= SLEPT_S * 1_000) return now / 1_000;
    offset += behind;
    return (now + behind) / 1_000;
  };
}
