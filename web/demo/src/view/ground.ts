// The ground: lawn, paths, paving, the mosaic around the fountain, shadows of trees and the light of lamps. It never changes, so that it is
// painted once, in square pieces as they come into sight.
import { CELL_M, WORLD_M } from "../world/grid.ts";
import { type Camera, TILT } from "./camera.ts";
import { MIDDLE, THINGS } from "./scenery.ts";
import { type Palette, pick, scatter } from "./theme.ts";

const PIECE_M = 6;

const PATH_M = 3;
export const POOL_M = 2.2;
const MOSAIC_M = 3.6;

export class Ground {
  private readonly pieces = new Map<string, HTMLCanvasElement>();
  private look = "";

  draw(context: CanvasRenderingContext2D, camera: Camera, palette: Palette): void {
    const look = `${camera.scale} ${palette.isDark}`;
    if (look !== this.look) this.pieces.clear();
    this.look = look;
    const sight = piecesIn(camera.seen());
    for (const [column, row] of sight) {
      const piece = this.piece(column, row, camera.scale, palette);
      context.drawImage(piece, Math.round(camera.toX(column * PIECE_M)), Math.round(camera.toY(row * PIECE_M)));
    }
    const [left, top, right, bottom] = camera.seen();
    const near = piecesIn([left - PIECE_M, top - PIECE_M, right + PIECE_M, bottom + PIECE_M]);
    // One a frame from beyond the edge, so that there is no haste when they come into sight.
    const next = near.find(([column, row]) => !this.pieces.has(`${column} ${row}`));
    if (next) this.piece(...next, camera.scale, palette);
    for (const oldest of this.pieces.keys()) {
      if (this.pieces.size <= near.length) break;
      this.pieces.delete(oldest);
    }
  }

  private piece(column: number, row: number, scale: number, palette: Palette): HTMLCanvasElement {
    const key = `${column} ${row}`;
    let piece = this.pieces.get(key);
    if (piece) this.pieces.delete(key);
    else piece = paint(column * PIECE_M, row * PIECE_M, scale, palette);
    this.pieces.set(key, piece);
    return piece;
  }
}

/** Column and row of the pieces between these metres: left, top, right, bottom. */
function piecesIn(metres: readonly [number, number, number, number]): [number, number][] {
  const [left, top, right, bottom] = metres;
  const found: [number, number][] = [];
  for (let row = Math.floor(top / PIECE_M); row * PIECE_M < bottom; row++)
    for (let column = Math.floor(left / PIECE_M); column * PIECE_M < right; column++) found.push([column, row]);
  return found;
}

function paint(left: number, top: number, scale: number, palette: Palette): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = PIECE_M * scale;
  canvas.height = Math.ceil(PIECE_M * scale * TILT) + 1; // no seam where it does not come out even
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return canvas;
  // From here on in metres.
  context.setTransform(scale, 0, 0, scale * TILT, -left * scale, -top * scale * TILT);
  const area = { left, top, right: left + PIECE_M, bottom: top + PIECE_M + 0.2 };
  lawn(context, area, palette);
  paving(context, area, palette);
  mosaic(context, palette);
  shadows(context, area, palette);
  lights(context, area, palette);
  return canvas;
}

interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function isNear(area: Area, x: number, y: number, reach: number): boolean {
  return x > area.left - reach && x < area.right + reach && y > area.top - reach && y < area.bottom + reach;
}

function lawn(context: CanvasRenderingContext2D, area: Area, palette: Palette): void {
  context.fillStyle = palette.grass;
  context.fillRect(area.left - 1, area.top - 1, area.right - area.left + 2, area.bottom - area.top + 2);
  for (let x = Math.floor(area.left) - 2; x < area.right + 2; x++) {
    for (let y = Math.floor(area.top) - 2; y < area.bottom + 2; y++) {
      context.fillStyle = pick(palette.grassTones, scatter(x, y, 20));
      context.globalAlpha = 0.55;
      disc(context, x + scatter(x, y, 21), y + scatter(x, y, 22), 0.5 + 0.7 * scatter(x, y, 23));
      context.globalAlpha = 1;
      if (scatter(x, y, 24) > 0.72) {
        context.fillStyle = pick(palette.flowers, scatter(x, y, 25));
        for (let petal = 0; petal < 4; petal++)
          disc(context, x + scatter(x, y, 26 + petal), y + scatter(x, y, 36 + petal), 0.045);
      }
    }
  }
}

function paving(context: CanvasRenderingContext2D, area: Area, palette: Palette): void {
  const far = 60;
  const paved = new Path2D();
  paved.roundRect(-0.4, -0.4, WORLD_M + 0.8, WORLD_M + 0.8, 1.2);
  paved.rect(MIDDLE - PATH_M / 2, -far, PATH_M, WORLD_M + 2 * far);
  paved.rect(-far, MIDDLE - PATH_M / 2, WORLD_M + 2 * far, PATH_M);
  context.strokeStyle = palette.curb;
  context.lineWidth = 0.5;
  context.stroke(paved);
  context.save();
  context.clip(paved);
  context.fillStyle = palette.stone;
  context.fillRect(area.left, area.top, area.right - area.left, area.bottom - area.top);
  stones(context, area, palette);
  context.fillStyle = palette.band;
  const width = 0.16;
  for (let at = 0; at <= WORLD_M; at += CELL_M) {
    context.fillRect(at - width / 2, 0, width, WORLD_M);
    context.fillRect(0, at - width / 2, WORLD_M, width);
  }
  context.restore();
}

/** Rows of stones, every second row shifted by half a stone. */
function stones(context: CanvasRenderingContext2D, area: Area, palette: Palette): void {
  const [length, height, gap] = [0.8, 0.4, 0.03];
  for (let row = Math.floor(area.top / height) - 1; row * height < area.bottom; row++) {
    const shift = row % 2 === 0 ? 0 : length / 2;
    for (let column = Math.floor(area.left / length) - 1; column * length < area.right; column++) {
      context.fillStyle = pick(palette.stoneTones, scatter(column, row, 40));
      context.fillRect(column * length + shift + gap / 2, row * height + gap / 2, length - gap, height - gap);
    }
    context.fillStyle = palette.joint;
    context.fillRect(area.left, row * height - gap / 2, area.right - area.left, gap);
  }
}

function mosaic(context: CanvasRenderingContext2D, palette: Palette): void {
  context.fillStyle = palette.curb;
  disc(context, MIDDLE, MIDDLE, MOSAIC_M + 0.1);
  const rings = [MOSAIC_M, 3.3, 2.95, 2.6];
  const wedges = 48;
  rings.forEach((radius, ring) => {
    for (let wedge = 0; wedge < wedges; wedge++) {
      // A zigzag of two tones, between rings of the other two.
      const tone = ring % 2 === 0 ? 1 + 2 * (wedge % 2) : 2 * ((wedge + (ring >> 1)) % 2);
      context.fillStyle = pick(palette.mosaic, tone / 4);
      context.beginPath();
      context.moveTo(MIDDLE, MIDDLE);
      context.arc(MIDDLE, MIDDLE, radius, ((wedge - 0.02) / wedges) * 2 * Math.PI, ((wedge + 1.02) / wedges) * 2 * Math.PI);
      context.fill();
    }
  });
  const water = context.createRadialGradient(MIDDLE, MIDDLE, 0.2, MIDDLE, MIDDLE, POOL_M);
  water.addColorStop(0, palette.water[0]);
  water.addColorStop(1, palette.water[1]);
  context.fillStyle = palette.curb;
  disc(context, MIDDLE, MIDDLE, POOL_M + 0.12);
  context.fillStyle = water;
  disc(context, MIDDLE, MIDDLE, POOL_M);
}

function shadows(context: CanvasRenderingContext2D, area: Area, palette: Palette): void {
  for (const thing of THINGS) {
    context.globalAlpha = thing.kind === "tree" ? 0.75 : 1;
    const reach = thing.kind === "tree" ? thing.size * 1.1 : thing.kind === "bench" ? 0.75 : 0.3;
    const x = thing.x + reach * 0.3;
    const y = thing.y + reach * 0.12;
    if (!isNear(area, x, y, reach)) continue;
    const shade = context.createRadialGradient(x, y, reach * 0.15, x, y, reach);
    shade.addColorStop(0, palette.shadow);
    shade.addColorStop(0.6, palette.shadow.replace(/[\d.]+\)$/, "0.16)"));
    shade.addColorStop(1, palette.shadow.replace(/[\d.]+\)$/, "0)"));
    context.fillStyle = shade;
    disc(context, x, y, reach);
  }
  context.globalAlpha = 1;
}

function lights(context: CanvasRenderingContext2D, area: Area, palette: Palette): void {
  if (!palette.glow) return;
  const reach = 3.4;
  context.globalCompositeOperation = "lighter";
  for (const thing of THINGS) {
    if (thing.kind !== "lamp" || !isNear(area, thing.x, thing.y, reach)) continue;
    const light = context.createRadialGradient(thing.x, thing.y, 0, thing.x, thing.y, reach);
    light.addColorStop(0, `rgba(${palette.glow}, 0.34)`);
    light.addColorStop(0.45, `rgba(${palette.glow}, 0.12)`);
    light.addColorStop(1, `rgba(${palette.glow}, 0)`);
    context.fillStyle = light;
    disc(context, thing.x, thing.y, reach);
  }
  context.globalCompositeOperation = "source-over";
}

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
