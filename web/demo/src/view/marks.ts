// What is drawn on the plaza though it does not lie there: how far you hear, which server you are on, the stick under your finger.
import { CELL_M } from "../world/grid.ts";
import { type Camera, TILT } from "./camera.ts";
import { type Palette, serverHueOf } from "./theme.ts";

interface Place {
  readonly x: number;
  readonly y: number;
}

export interface StickMark extends Place {
  /** Where it points, at most 1 long. */
  readonly dx: number;
  readonly dy: number;
  /** CSS pixels, as x and y are. */
  readonly reach: number;
}

/** What is not heard lies in a haze; `middle` is that of the nine cells. */
export function veil(
  context: CanvasRenderingContext2D,
  camera: Camera,
  palette: Palette,
  middle: Place,
  isConnected: boolean,
): void {
  const reach = 1.5 * CELL_M;
  const [left, top] = [camera.toX(middle.x - reach), camera.toY(middle.y - reach)];
  const [width, height] = [2 * reach * camera.scale, 2 * reach * camera.scale * TILT];
  context.beginPath();
  context.rect(0, 0, camera.width, camera.height);
  context.roundRect(left, top, width, height, 0.5 * camera.scale);
  context.fillStyle = palette.veil;
  context.fill("evenodd");
  context.beginPath();
  context.roundRect(left, top, width, height, 0.5 * camera.scale);
  context.setLineDash([6 * camera.ratio, 6 * camera.ratio]);
  context.strokeStyle = palette.edge;
  context.globalAlpha = isConnected ? 1 : 0.4;
  context.lineWidth = 1.5 * camera.ratio;
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
}

export interface RingMark extends Place {
  readonly server: number;
  readonly isConnected: boolean;
  /** How far a new server's colour has spread, 0 to 1. */
  readonly wave: number | undefined;
  /** Metres by which it is wider just now. */
  readonly beat: number;
}

const RING_M = 0.4;
const WAVE_M = 5;
const WAVES = [0, 0.15];

/** A ring around your feet, in the colour of your comm server. */
export function ring(context: CanvasRenderingContext2D, camera: Camera, palette: Palette, mark: RingMark): void {
  const saturation = mark.isConnected ? 70 : 6;
  context.strokeStyle = `hsl(${serverHueOf(mark.server)}, ${saturation}%, ${palette.isDark ? 66 : 46}%)`;
  context.lineWidth = 0.06 * camera.scale;
  const circle = (metres: number, opacity: number): void => {
    const radius = metres * camera.scale;
    context.globalAlpha = opacity;
    context.beginPath();
    context.ellipse(camera.toX(mark.x), camera.toY(mark.y), radius, radius * 0.65, 0, 0, 2 * Math.PI);
    context.stroke();
  };
  circle(RING_M + mark.beat, 1);
  if (mark.wave !== undefined) {
    for (const lag of WAVES) {
      const age = Math.max(0, mark.wave - lag);
      circle(RING_M + (1 - (1 - age) ** 2) * WAVE_M, 0.8 * (1 - mark.wave));
    }
  }
  context.globalAlpha = 1;
}

const KNOB_PX = 22;

export function stick(context: CanvasRenderingContext2D, camera: Camera, palette: Palette, mark: StickMark): void {
  const { ratio } = camera;
  const colour = palette.isDark ? "255, 255, 255" : "40, 34, 28";
  const disc = (x: number, y: number, radius: number, opacity: number): void => {
    context.fillStyle = `rgba(${colour}, ${opacity})`;
    context.beginPath();
    context.arc(x * ratio, y * ratio, radius * ratio, 0, 2 * Math.PI);
    context.fill();
  };
  disc(mark.x, mark.y, mark.reach, 0.12);
  context.lineWidth = 1.5 * ratio;
  context.strokeStyle = `rgba(${colour}, 0.30)`;
  context.stroke();
  disc(mark.x + mark.dx * mark.reach, mark.y + mark.dy * mark.reach, KNOB_PX, 0.35);
}
