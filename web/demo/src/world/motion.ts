// Where somebody is between packets: positions are shown a little in the past, so that there is nearly always one before and one after.
//
// Positions carry their sender's time. How far the sender's clock is from ours is taken from the packets that came quickest, so that those
// that were held up on their way (jitter, batches, another order) do not shake the picture.

/** So far in the past positions are shown, in seconds: two packets at 20 Hz, and room for one that comes late. */
export const DELAY_S = 0.13;

/** For so long movement goes on without packets. */
const COAST_S = 0.15;

/** Between packets further apart than this, in seconds, or in metres, nobody walked: they were away, or jumped. */
const AWAY_S = 0.7;
const JUMP_M = 3;

/** A sender's time that is off by more than this is another clock: the sender has begun anew. */
const OTHER_CLOCK_S = 3;

const MAX_SAMPLES = 24;
const MAX_TRAVELS = 40;

/** Our idea of the other clock changes by at most this share of the time that passes. */
const SLEW = 0.1;

export interface Pose {
  x: number;
  y: number;
  /** Metres per second, over the piece of way that is shown. */
  vx: number;
  vy: number;
}

interface Sample {
  readonly time: number;
  readonly x: number;
  readonly y: number;
}

export class Motion {
  /** By the sender's time, oldest first. */
  private samples: Sample[] = [];
  /** Arrival by our clock less departure by the sender's, of the latest packets. */
  private travels: number[] = [];
  private offset = 0;
  private lastArrival = 0;

  /** A packet that was sent at `time` (the sender's clock) arrived at `arrival` (ours), in seconds. */
  add(time: number, x: number, y: number, arrival: number): void {
    const travel = arrival - time;
    if (this.travels.length > 0 && Math.abs(travel - this.offset) > OTHER_CLOCK_S) this.clear();
    this.learn(travel, arrival);
    const samples = this.samples;
    let place = samples.length;
    while (place > 0 && (samples[place - 1]?.time ?? 0) > time) place--;
    if (samples[place - 1]?.time === time) return; // seen before
    if (place === 0 && samples.length === MAX_SAMPLES) return; // far too late
    samples.splice(place, 0, { time, x, y });
    if (samples.length > MAX_SAMPLES) samples.shift();
  }

  /** Write where it is shown at `now` (our clock) into `pose`; false while nothing is known. */
  at(now: number, pose: Pose): boolean {
    const samples = this.samples;
    const time = now - this.offset - DELAY_S;
    let after = samples.length;
    while (after > 0 && (samples[after - 1]?.time ?? 0) > time) after--;
    const a = samples[after - 1];
    const b = samples[after];
    if (a && b) between(a, b, time, pose);
    else if (a) this.beyond(a, time, pose);
    else if (b) stand(b, pose);
    return samples.length > 0;
  }

  /** Where it must be so many seconds after its newest packet, if it goes on as it went. */
  ahead(seconds: number): { x: number; y: number } | undefined {
    const last = this.samples[this.samples.length - 1];
    const before = this.samples[this.samples.length - 2];
    if (!last || !before || !isWalk(before, last)) return last;
    const share = seconds / (last.time - before.time);
    return { x: last.x + (last.x - before.x) * share, y: last.y + (last.y - before.y) * share };
  }

  clear(): void {
    this.samples = [];
    this.travels = [];
  }

  private learn(travel: number, arrival: number): void {
    this.travels.push(travel);
    if (this.travels.length > MAX_TRAVELS) this.travels.shift();
    let quickest = travel;
    for (const each of this.travels) if (each < quickest) quickest = each;
    const most = this.travels.length === 1 ? Number.POSITIVE_INFINITY : Math.max(0, arrival - this.lastArrival) * SLEW;
    this.offset += Math.min(most, Math.max(-most, quickest - this.offset));
    this.lastArrival = arrival;
  }

  /** After the newest packet: go on as before for a moment, then stand. */
  private beyond(last: Sample, time: number, pose: Pose): void {
    const before = this.samples[this.samples.length - 2];
    stand(last, pose);
    if (!before || !isWalk(before, last)) return;
    const past = time - last.time;
    if (past >= COAST_S) return;
    const span = last.time - before.time;
    pose.vx = (last.x - before.x) / span;
    pose.vy = (last.y - before.y) / span;
    pose.x += pose.vx * past;
    pose.y += pose.vy * past;
  }
}

function isWalk(a: Sample, b: Sample): boolean {
  return b.time - a.time <= AWAY_S && Math.hypot(b.x - a.x, b.y - a.y) <= JUMP_M;
}

function between(a: Sample, b: Sample, time: number, pose: Pose): void {
  if (!isWalk(a, b)) {
    stand(a, pose);
    return;
  }
  const span = b.time - a.time;
  const share = (time - a.time) / span;
  pose.x = a.x + (b.x - a.x) * share;
  pose.y = a.y + (b.y - a.y) * share;
  pose.vx = (b.x - a.x) / span;
  pose.vy = (b.y - a.y) / span;
}

function stand(at: Sample, pose: Pose): void {
  pose.x = at.x;
  pose.y = at.y;
  pose.vx = 0;
  pose.vy = 0;
}
