// How often something happens: counted by tenths of a second, shown as a rate over the last ones.

const SLOT_S = 0.1;
const SLOTS = 15;

export class Rate {
  private readonly counts: number[] = new Array(SLOTS).fill(0);
  private slot = 0;
  private since: number | undefined;

  /** It happened at `now`, in seconds. */
  note(now: number, times = 1): void {
    this.turn(now);
    const index = this.slot % SLOTS;
    this.counts[index] = (this.counts[index] ?? 0) + times;
  }

  /** Times per second lately. */
  perSecond(now: number): number {
    this.turn(now);
    // The present slot is not over, so that it is left out.
    const whole = this.counts.reduce((sum, each, index) => (index === this.slot % SLOTS ? sum : sum + each), 0);
    const span = Math.min((SLOTS - 1) * SLOT_S, Math.max(SLOT_S, now - (this.since ?? now)));
    return whole / span;
  }

  private turn(now: number): void {
    this.since ??= now;
    const slot = Math.floor(now / SLOT_S);
    for (let passed = Math.min(slot - this.slot, SLOTS); passed > 0; passed--) this.counts[(slot - passed + 1) % SLOTS] = 0;
    if (slot > this.slot) this.slot = slot;
  }
}
