/** Where a sparkline runs. Time goes to the right and ends at `now`; a missing value is a gap, and so is a missing second. */

export interface Sample {
  /** Seconds. */
  time: number;
  value: number | null;
}

export interface Box {
  width: number;
  height: number;
  /** Seconds from the left edge to the right. */
  span: number;
}

export interface Spark {
  /** SVG path data. */
  line: string;
  /** The same, closed along the bottom. */
  area: string;
  peak: number;
}

/** Between two samples at most, before it is a gap. */
const GAP_S = 3.5;
/** Room for the line's width at the top and the bottom. */
const MARGIN = 1.5;

/** Lines from zero to the highest value of the span; a line at the bottom when all are zero, nothing when there are none. */
export function spark(samples: readonly Sample[], now: number, box: Box): Spark {
  const runs = runsOf(samples, now, box.span);
  const peak = Math.max(0, ...runs.map((run) => Math.max(...run.map((sample) => sample.value))));
  const x = (time: number) => round(box.width * (1 - (now - time) / box.span));
  const y = (value: number) => round(box.height - MARGIN - (peak > 0 ? value / peak : 0) * (box.height - 2 * MARGIN));
  const lines: string[] = [];
  const areas: string[] = [];
  for (const run of runs) {
    const path = run.map((sample) => `${x(sample.time)} ${y(sample.value)}`).join("L");
    const first = run[0];
    const last = run[run.length - 1];
    if (first === undefined || last === undefined) {
      continue;
    }
    // a single sample is a dot: zero length, round caps
    lines.push(run.length === 1 ? `M${path}h0` : `M${path}`);
    areas.push(`M${x(first.time)} ${box.height}L${path}V${box.height}Z`);
  }
  return { line: lines.join(""), area: areas.join(""), peak };
}

interface Known {
  time: number;
  value: number;
}

function runsOf(samples: readonly Sample[], now: number, span: number): Known[][] {
  const runs: Known[][] = [];
  let run: Known[] = [];
  for (const { time, value } of samples) {
    if (time < now - span || time > now) {
      continue;
    }
    const before = run[run.length - 1];
    if (value === null || !Number.isFinite(value) || (before !== undefined && time - before.time > GAP_S)) {
      runs.push(run);
      run = [];
    }
    if (value !== null && Number.isFinite(value)) {
      run.push({ time, value });
    }
  }
  runs.push(run);
  return runs.filter((known) => known.length > 0);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
