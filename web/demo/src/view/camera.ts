// From metres to pixels and back. The ground is seen a little from the side, so that it is shorter from top to bottom.

/** Height of a square on the screen by its width. */
export const TILT = 0.82;

/** So many metres are seen across the shorter side, within what figures need to be neither specks nor giants. */
const METRES_ACROSS = 13.5;
const MIN_SCALE = 36;
const MAX_SCALE = 120;

/** You are a little above the middle: the chat lies below. */
const MIDDLE = 0.47;

export class Camera {
  /** What lies in the middle, in metres. */
  x = 0;
  y = 0;
  /** Size of the canvas and of a metre, in pixels of the device. */
  width = 1;
  height = 1;
  scale = 1;
  ratio = 1;

  /** The canvas has this size in CSS pixels, `ratio` device pixels each. */
  resize(width: number, height: number, ratio: number): void {
    this.ratio = ratio;
    this.width = Math.max(1, Math.round(width * ratio));
    this.height = Math.max(1, Math.round(height * ratio));
    const across = Math.min(width, height / TILT) / METRES_ACROSS;
    this.scale = Math.round(Math.min(MAX_SCALE, Math.max(MIN_SCALE, across)) * ratio);
  }

  lookAt(x: number, y: number): void {
    // Whole pixels: what stands still stays sharp.
    this.x = Math.round(x * this.scale) / this.scale;
    this.y = Math.round(y * this.scale * TILT) / (this.scale * TILT);
  }

  toX(x: number): number {
    return (x - this.x) * this.scale + Math.round(this.width / 2);
  }

  toY(y: number): number {
    return (y - this.y) * this.scale * TILT + Math.round(this.height * MIDDLE);
  }

  /** The metres that are seen: left, top, right, bottom. */
  seen(): readonly [number, number, number, number] {
    const left = this.x - Math.round(this.width / 2) / this.scale;
    const top = this.y - Math.round(this.height * MIDDLE) / (this.scale * TILT);
    return [left, top, left + this.width / this.scale, top + this.height / (this.scale * TILT)];
  }
}
