// How smoothly it runs.

const SPAN_S = 1;

/** Counts frames over the last second. */
export class Frames {
  private times: number[] = [];

  /** A frame was begun at `now`, in seconds. */
  note(now: number): void {
    this.times.push(now);
    while ((this.times[0] ?? now) < now - SPAN_S) this.times.shift();
  }

  get perSecond(): number {
    const [first, last] = [this.times[0], this.times[this.times.length - 1]];
    return first === undefined || last === undefined || last <= first ? 0 : (this.times.length - 1) / (last - first);
  }

  /** The longest time between two frames, in seconds. */
  get worst(): number {
    return this.times.reduce((most, time, index) => Math.max(most, time - (this.times[index - 1] ?? time)), 0);
  }
}
