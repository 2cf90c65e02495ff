// How the connection shows in the picture: others fade when it is lost, and the colour of a new server spreads around you.

/** Others while there is no connection, when the last that is known of them grows old. */
export const AWAY_OPACITY = 0.25;

const FADE_S = 0.15;
const RETURN_S = 0.6;

/** For so long the colour of a new server spreads. */
const WAVE_S = 1.4;

export class Presence {
  /** Of everyone else, 0 to 1. */
  opacity = 0;
  /** The latest server, also while the connection to it is lost; 0 before the first. */
  server = 0;
  private movedAt = Number.NEGATIVE_INFINITY;

  /** The next frame; `server` is 0 while there is none. Others fade at once, however soon there is another, and come back slowly. */
  frame(server: number, now: number, passed: number): void {
    if (server === 0) this.opacity = Math.max(Math.min(this.opacity, AWAY_OPACITY), this.opacity - passed / FADE_S);
    else this.opacity += (1 - this.opacity) * (1 - Math.exp(-passed / RETURN_S));
    if (server === 0 || server === this.server) return;
    if (this.server !== 0) {
      this.opacity = AWAY_OPACITY;
      this.movedAt = now;
    }
    this.server = server;
  }

  /** How far the colour of a new server has spread, 0 to 1; undefined where it is over. */
  wave(now: number): number | undefined {
    const age = (now - this.movedAt) / WAVE_S;
    return age < 1 ? age : undefined;
  }
}
