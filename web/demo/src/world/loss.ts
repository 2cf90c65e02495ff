// Loss, by the gaps in each sender's numbers.
//
// A sender numbers all its packets, but only those in cells around us come here: a gap counts as loss only where the packets on both sides
// of it came from the same cell within a moment.

/** The share of loss is that of the last seconds. */
const SPAN_S = 5;

/** A longer gap is an absence: at 20 Hz, a second. So far back a missing packet may still come, too. */
const MAX_GAP = 20;
const MAX_SILENCE_S = 1.5;

/** Counts what came and what is missing, of all senders. */
export class LossMeter {
  private readonly came: number[] = new Array(SPAN_S + 1).fill(0);
  private readonly missing: number[] = new Array(SPAN_S + 1).fill(0);
  private second = 0;

  count(came: number, missing: number, now: number): void {
    const slot = this.turn(now);
    this.came[slot] = (this.came[slot] ?? 0) + came;
    this.missing[slot] = (this.missing[slot] ?? 0) + missing;
  }

  /** The share that was lost lately, 0 to 1; undefined where nothing was expected. `now` in seconds. */
  share(now: number): number | undefined {
    this.turn(now);
    const came = this.came.reduce((sum, each) => sum + each, 0);
    const missing = Math.max(
      0,
      this.missing.reduce((sum, each) => sum + each, 0),
    );
    return came + missing > 0 ? missing / (came + missing) : undefined;
  }

  /** Forget the seconds that are over; returns the slot of the present one. */
  private turn(now: number): number {
    const second = Math.floor(now);
    const slots = this.came.length;
    for (let passed = Math.min(second - this.second, slots); passed > 0; passed--) {
      const slot = (second - passed + 1) % slots;
      this.came[slot] = 0;
      this.missing[slot] = 0;
    }
    if (second > this.second) this.second = second;
    return this.second % slots;
  }
}

/** Watches the numbers of one sender. */
export class SequenceWatch {
  private last = -1;
  private topic = "";
  private heardAt = 0;
  /** Bit n: number `last - 1 - n` was counted as missing. */
  private holes = 0;

  constructor(private readonly meter: LossMeter) {}

  /** A packet with this number came by `topic` at `now`, in seconds. */
  note(sequence: number, topic: string, now: number): void {
    const step = sequence - this.last;
    if (this.last >= 0 && step <= 0 && step > -MAX_GAP) this.late(-step, now);
    else this.next(step, sequence, topic, now);
  }

  /** Forget it: what is missing next was not lost on the way. */
  restart(): void {
    this.last = -1;
  }

  private next(step: number, sequence: number, topic: string, now: number): void {
    const isNext = step === 1;
    const isGap = topic === this.topic && step > 1 && step <= MAX_GAP && now - this.heardAt <= MAX_SILENCE_S;
    if (this.last < 0 || !(isNext || isGap)) {
      this.holes = 0;
    } else {
      const missing = step - 1;
      // The packets between the last one and this one, and behind them the last one itself, which came.
      this.holes = ((this.holes << step) | (2 ** missing - 1)) >>> 0;
      this.meter.count(1, missing, now);
    }
    this.last = sequence;
    this.topic = topic;
    this.heardAt = now;
  }

  /** One that comes after a later one: it was not lost. A second copy is nothing. */
  private late(back: number, now: number): void {
    if (back === 0) return;
    const bit = 2 ** (back - 1);
    if ((this.holes & bit) === 0) return;
    this.holes = (this.holes & ~bit) >>> 0;
    this.meter.count(1, -1, now);
  }
}
