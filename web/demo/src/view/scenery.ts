// What stands on the plaza and around it, and where.
import { WORLD_M } from "../world/grid.ts";
import { type Sprite, SpriteCache, sprite } from "./sprites.ts";
import { type Palette, pick, scatter } from "./theme.ts";

export interface Thing {
  readonly kind: "tree" | "lamp" | "bench";
  readonly x: number;
  readonly y: number;
  /** Of a tree: radius of its crown in metres. */
  readonly size: number;
  readonly variant: number;
}

export const MIDDLE = WORLD_M / 2;

/** Trees of the lawn stand in a belt of this width. */
const LAWN_M = 12;

/** So far from an axis the lawn's trees leave room for its path. */
const PATH_M = 3.4;

const FIGURE_HEIGHT_M = 1.2;

export const THINGS: readonly Thing[] = [...plazaTrees(), ...lawnTrees(), ...lamps(), ...benches()].sort((a, b) => a.y - b.y);

function plazaTrees(): Thing[] {
  const near = WORLD_M / 4;
  return [near, WORLD_M - near].flatMap((x) =>
    [near, WORLD_M - near].map((y): Thing => ({ kind: "tree", x, y, size: 1.35, variant: (x + y) % 5 === 0 ? 3 : 1 })),
  );
}

function lawnTrees(): Thing[] {
  const trees: Thing[] = [];
  const step = 2.6;
  for (let column = 0; column * step < WORLD_M + 2 * LAWN_M; column++) {
    for (let row = 0; row * step < WORLD_M + 2 * LAWN_M; row++) {
      const x = -LAWN_M + (column + 0.2 + 0.6 * scatter(column, row, 1)) * step;
      const y = -LAWN_M + (row + 0.2 + 0.6 * scatter(column, row, 2)) * step;
      const size = 0.85 + 0.6 * scatter(column, row, 3);
      const isLawn = Math.max(Math.abs(x - MIDDLE), Math.abs(y - MIDDLE)) > MIDDLE + size + 0.3;
      const isOnPath = Math.min(Math.abs(x - MIDDLE), Math.abs(y - MIDDLE)) < PATH_M;
      if (!isLawn || isOnPath || scatter(column, row, 4) < 0.3) continue;
      trees.push({ kind: "tree", x, y, size, variant: Math.floor(scatter(column, row, 5) ** 1.6 * 4) });
    }
  }
  return trees;
}

function lamps(): Thing[] {
  const places = [0.12, 0.38, 0.62, 0.88].map((share) => share * WORLD_M);
  const edge = 0.25;
  return [
    ...places.flatMap((along) => [edge, WORLD_M - edge].map((y) => ({ x: along, y }))),
    ...places.flatMap((along) => [edge, WORLD_M - edge].map((x) => ({ x, y: along }))),
    ...[-1, 1].flatMap((dx) => [-1, 1].map((dy) => ({ x: MIDDLE + 3.2 * dx, y: MIDDLE + 3.2 * dy }))),
  ].map((place) => ({ kind: "lamp", ...place, size: 0, variant: 0 }));
}

function benches(): Thing[] {
  const near = WORLD_M / 4;
  return [near, WORLD_M - near].flatMap((x) =>
    [0.9, WORLD_M - 0.9].map((y): Thing => ({ kind: "bench", x, y, size: 0, variant: 0 })),
  );
}

/** Pictures of things, at one scale (device pixels a metre). */
export class Scenery {
  private readonly cache = new SpriteCache(60);

  sprite(thing: Thing, palette: Palette, scale: number): Sprite {
    const size = Math.round(thing.size * 10) / 10;
    const key = `${thing.kind} ${thing.variant} ${size} ${scale} ${palette.isDark}`;
    return this.cache.get(key, () => {
      if (thing.kind === "tree") return tree(size * scale, thing.variant, palette, scale);
      return thing.kind === "lamp" ? lamp(palette, scale) : bench(palette, scale);
    });
  }
}

function tree(radius: number, variant: number, palette: Palette, scale: number): Sprite {
  const [light, dark] = pick(palette.leaves, (variant + 0.5) / palette.leaves.length);
  const stem = radius * 0.55 + 0.35 * scale;
  const width = radius * 2.4;
  return sprite(width, stem + radius * 2.4, width / 2, stem + radius * 2.1, (context) => {
    context.fillStyle = palette.trunk;
    context.beginPath();
    context.roundRect(-0.09 * scale, -stem - radius * 0.5, 0.18 * scale, stem + radius * 0.5, 0.07 * scale);
    context.fill();
    const top = -stem - radius * 0.75;
    blobs(context, top + radius * 0.12, radius, dark, variant);
    blobs(context, top - radius * 0.1, radius * 0.86, light, variant + 7);
    context.globalAlpha = palette.isDark ? 0.07 : 0.22;
    blobs(context, top - radius * 0.28, radius * 0.55, "#ffffff", variant + 13);
  });
}

/** A crown of leaves: a ball with smaller ones around its rim. */
function blobs(context: CanvasRenderingContext2D, y: number, radius: number, colour: string, salt: number): void {
  context.fillStyle = colour;
  context.beginPath();
  context.ellipse(0, y, radius * 0.8, radius * 0.72, 0, 0, 2 * Math.PI);
  const count = 9;
  for (let number = 0; number < count; number++) {
    const angle = (number / count) * 2 * Math.PI + scatter(number, salt) * 0.5;
    const reach = radius * (0.24 + 0.1 * scatter(number, salt, 1));
    const x = Math.cos(angle) * radius * 0.68;
    context.moveTo(x + reach, y + Math.sin(angle) * radius * 0.6);
    context.arc(x, y + Math.sin(angle) * radius * 0.6, reach, 0, 2 * Math.PI);
  }
  context.fill();
}

function lamp(palette: Palette, scale: number): Sprite {
  const height = 1.7 * scale;
  const glow = palette.glow ? 0.7 * scale : 0.2 * scale;
  return sprite(2 * glow, height + glow + 4, glow, height + glow, (context) => {
    context.fillStyle = palette.post;
    context.fillRect(-0.035 * scale, -height, 0.07 * scale, height);
    context.fillRect(-0.09 * scale, -0.08 * scale, 0.18 * scale, 0.08 * scale);
    if (palette.glow) {
      const light = context.createRadialGradient(0, -height, 0, 0, -height, glow);
      light.addColorStop(0, `rgba(${palette.glow}, 0.55)`);
      light.addColorStop(1, `rgba(${palette.glow}, 0)`);
      context.fillStyle = light;
      context.fillRect(-glow, -height - glow, 2 * glow, 2 * glow);
    }
    context.fillStyle = palette.lamp;
    context.beginPath();
    context.arc(0, -height, 0.13 * scale, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = palette.post;
    context.lineWidth = Math.max(1, 0.03 * scale);
    context.stroke();
  });
}

function bench(palette: Palette, scale: number): Sprite {
  const width = 1.7 * scale;
  const [seat, legs] = palette.bench;
  return sprite(width, FIGURE_HEIGHT_M * scale, width / 2, 0.6 * scale, (context) => {
    context.fillStyle = legs;
    for (const x of [-0.42, 0.36]) context.fillRect(x * width, -0.3 * scale, 0.06 * width, 0.3 * scale);
    context.fillStyle = seat;
    for (const y of [-0.56, -0.44, -0.3]) {
      context.beginPath();
      context.roundRect(-width / 2, y * scale, width, 0.09 * scale, 0.03 * scale);
      context.fill();
    }
  });
}
