// You: from the direction you press to where you are.
import { type Bubble, walk } from "./crowd.ts";
import { type Cell, cellOf, WORLD_M } from "./grid.ts";

/** Twice the pace of the bots: one who looks around is in a hurry. */
const SPEED_M_PER_S = 2.6;

/** Seconds to come to speed, or to a stand, about. */
const EASE_S = 0.09;

/** As near as one comes to the edge of the plaza. */
const MARGIN_M = 0.35;

/** A longer frame than this is a pause of the page, not a step. */
const MAX_STEP_S = 0.25;

export class Walker {
  vx = 0;
  vy = 0;
  heading = Math.PI / 2;
  walked = 0;
  bubble: Bubble | undefined;

  constructor(
    public x: number,
    public y: number,
  ) {}

  get cell(): Cell {
    return cellOf(this.x, this.y);
  }

  /** Walk for `passed` seconds; `dx` and `dy` say where to, together at most 1 long. */
  step(dx: number, dy: number, passed: number, now: number): void {
    const seconds = Math.min(passed, MAX_STEP_S);
    const ease = 1 - Math.exp(-seconds / EASE_S);
    this.vx += (dx * SPEED_M_PER_S - this.vx) * ease;
    this.vy += (dy * SPEED_M_PER_S - this.vy) * ease;
    this.x = inside(this.x + this.vx * seconds);
    this.y = inside(this.y + this.vy * seconds);
    walk(this, seconds);
    if (this.bubble && now > this.bubble.until) this.bubble = undefined;
  }
}

function inside(along: number): number {
  return Math.min(WORLD_M - MARGIN_M, Math.max(MARGIN_M, along));
}
