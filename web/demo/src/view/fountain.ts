// The fountain: rings that spread on a shallow pool, and jets. The only part of the plaza that moves by itself.
import { type Camera, TILT } from "./camera.ts";
import { POOL_M } from "./ground.ts";
import { MIDDLE } from "./scenery.ts";
import type { Palette } from "./theme.ts";

const RINGS = 4;
const RING_S = 3.2;
const JETS = 8;
const DROPS = 5;
const JET_REACH_M = 1.15;
const DROP_S = 0.95;

/** Rings on the water; `time` in seconds, where it stands still they do. */
export function rings(context: CanvasRenderingContext2D, camera: Camera, palette: Palette, time: number): void {
  const [x, y] = [camera.toX(MIDDLE), camera.toY(MIDDLE)];
  context.strokeStyle = palette.ripple;
  context.lineWidth = Math.max(1, camera.scale * 0.025);
  for (let ring = 0; ring < RINGS; ring++) {
    const age = (time / RING_S + ring / RINGS) % 1;
    const radius = (0.25 + age * 0.75) * POOL_M * camera.scale * 0.96;
    context.globalAlpha = (1 - age) * 0.8;
    context.beginPath();
    context.ellipse(x, y, radius, radius * TILT, 0, 0, 2 * Math.PI);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Water that leaps from the middle to all sides. */
export function jets(context: CanvasRenderingContext2D, camera: Camera, palette: Palette, time: number): void {
  const { scale } = camera;
  const [x, y] = [camera.toX(MIDDLE), camera.toY(MIDDLE)];
  context.fillStyle = palette.jet;
  for (let jet = 0; jet < JETS; jet++) {
    const angle = ((jet + 0.5) / JETS) * 2 * Math.PI;
    for (let drop = 0; drop < DROPS; drop++) {
      const age = (time / DROP_S + drop / DROPS + (jet % 2) / (2 * DROPS)) % 1;
      const reach = age * JET_REACH_M * scale;
      const height = 4 * age * (1 - age) * 0.95 * scale + 0.12 * scale * (1 - age);
      context.globalAlpha = 0.9 * (1 - age * 0.6);
      dot(context, x + Math.cos(angle) * reach, y + Math.sin(angle) * reach * TILT - height, (0.028 + 0.03 * age) * scale);
    }
  }
  for (let drop = 0; drop < 2 * DROPS; drop++) {
    const age = (time / DROP_S + drop / (2 * DROPS)) % 1;
    context.globalAlpha = 0.85;
    dot(context, x + Math.sin(drop * 2.4) * 0.05 * scale, y - 4 * age * (1 - age) * 1.5 * scale, 0.045 * scale);
  }
  context.globalAlpha = 1;
}

function dot(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
