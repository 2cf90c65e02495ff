// People and bots: a coloured coat, a head that looks where it goes, two feet. Bots have a visor and an antenna, people have hair.
import { type Sprite, SpriteCache, sprite } from "./sprites.ts";
import { hueOf, type Palette, pick } from "./theme.ts";

const HUES = 24;
const HEADINGS = 8;

/** So tall is a figure on the screen, in metres of its ground. */
export const TALL_M = 1.16;

const STRIDE_M = 0.75;
const HEAD_M = 0.235;
const SKINS = ["#f2cfb0", "#d9a77f", "#a8754f", "#7a5238"];
const HAIRS = ["#3a2c25", "#6e4a2f", "#c59a55", "#8f8a86", "#27262b"];

export interface Figure {
  readonly sender: number;
  readonly bot: number | undefined;
  readonly heading: number;
  readonly walked: number;
  readonly vx: number;
  readonly vy: number;
}

export class Figures {
  private readonly cache = new SpriteCache(500);

  /** Draw one whose feet are at this place of the screen. */
  draw(
    context: CanvasRenderingContext2D,
    figure: Figure,
    x: number,
    y: number,
    scale: number,
    palette: Palette,
    still: boolean,
  ): void {
    const isWalking = Math.hypot(figure.vx, figure.vy) > 0.15;
    const phase = isWalking ? (figure.walked / STRIDE_M) * 2 * Math.PI : 0;
    const swing = isWalking ? Math.sin(phase) : 0;
    this.stampAt(context, `shadow ${palette.isDark} ${scale}`, () => shadow(scale, palette), x, y);
    const step = 0.075 * scale;
    const foot = () => shoe(scale, palette);
    const key = `shoe ${palette.isDark} ${scale}`;
    // Feet go to and fro along the way: across the screen where one walks across it, up and down else.
    const alongX = Math.cos(figure.heading) * swing * step;
    const alongY = Math.sin(figure.heading) * swing * step * 0.6;
    const apart = 0.085 * scale;
    this.stampAt(context, key, foot, x - apart + alongX, y + alongY);
    this.stampAt(context, key, foot, x + apart - alongX, y - alongY);
    const rise = isWalking && !still ? Math.abs(Math.cos(phase)) * 0.045 * scale : 0;
    const facing = Math.round((figure.heading / (2 * Math.PI)) * HEADINGS + HEADINGS) % HEADINGS;
    const hue = Math.round((hueOf(figure.sender) / 360) * HUES) % HUES;
    const looks = figure.bot === undefined ? figure.sender % (SKINS.length * HAIRS.length) : -1;
    const body = `${hue} ${facing} ${looks} ${palette.isDark} ${scale}`;
    this.stampAt(context, body, () => person(hue, facing, looks, palette, scale), x, y - rise);
  }

  private stampAt(context: CanvasRenderingContext2D, key: string, draw: () => Sprite, x: number, y: number): void {
    const found = this.cache.get(key, draw);
    context.drawImage(found.image, Math.round(x) - found.footX, Math.round(y) - found.footY);
  }
}

function shadow(scale: number, palette: Palette): Sprite {
  const reach = 0.36 * scale;
  return sprite(2 * reach, 1.2 * reach, reach * 0.88, 0.6 * reach, (context) => {
    context.translate(reach * 0.12, 0);
    context.scale(1, 0.6);
    const shade = context.createRadialGradient(0, 0, 0, 0, 0, reach);
    shade.addColorStop(0, palette.shadow);
    shade.addColorStop(0.55, palette.shadow);
    shade.addColorStop(1, palette.shadow.replace(/[\d.]+\)$/, "0)"));
    context.fillStyle = shade;
    context.fillRect(-reach, -reach, 2 * reach, 2 * reach);
  });
}

function shoe(scale: number, palette: Palette): Sprite {
  const reach = 0.1 * scale;
  return sprite(2 * reach, 2 * reach, reach, reach, (context) => {
    context.fillStyle = palette.isDark ? "#15171f" : "#4a3f37";
    context.beginPath();
    context.ellipse(0, 0, 0.085 * scale, 0.06 * scale, 0, 0, 2 * Math.PI);
    context.fill();
  });
}

function person(hue: number, facing: number, looks: number, palette: Palette, scale: number): Sprite {
  const tall = TALL_M * scale;
  const width = 0.8 * scale;
  return sprite(width, tall + 0.3 * scale, width / 2, tall + 0.2 * scale, (context) => {
    const angle = (facing / HEADINGS) * 2 * Math.PI;
    coat(context, (hue / HUES) * 360, palette, scale);
    context.translate(0, -tall + HEAD_M * scale);
    if (looks < 0) botHead(context, angle, (hue / HUES) * 360, palette, scale);
    else personHead(context, angle, looks, palette, scale);
  });
}

/** Wide at its hem, narrow at the shoulders. */
function coat(context: CanvasRenderingContext2D, hue: number, palette: Palette, scale: number): void {
  const [light, dark] = palette.isDark ? [58, 40] : [66, 48];
  const colour = context.createLinearGradient(-0.28 * scale, 0, 0.28 * scale, 0);
  colour.addColorStop(0, `hsl(${hue}, 58%, ${light}%)`);
  colour.addColorStop(1, `hsl(${hue}, 52%, ${dark}%)`);
  const [hem, shoulder, top] = [0.27 * scale, 0.17 * scale, -0.86 * scale];
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(-hem, -0.1 * scale);
  context.bezierCurveTo(-hem, -0.5 * scale, -shoulder, top, 0, top);
  context.bezierCurveTo(shoulder, top, hem, -0.5 * scale, hem, -0.1 * scale);
  context.quadraticCurveTo(0, 0.06 * scale, -hem, -0.1 * scale);
  context.fill();
  context.strokeStyle = `hsla(${hue}, 45%, ${dark - 18}%, 0.55)`;
  context.lineWidth = Math.max(1, 0.022 * scale);
  context.stroke();
}

/** How far the face is to the side, up and down, and whether it is seen at all. */
function face(angle: number, scale: number): { x: number; y: number; isSeen: boolean } {
  const reach = HEAD_M * scale;
  return { x: Math.cos(angle) * reach * 0.42, y: Math.sin(angle) * reach * 0.26 + reach * 0.1, isSeen: Math.sin(angle) > -0.5 };
}

function ball(context: CanvasRenderingContext2D, radius: number, colour: string, palette: Palette): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(0, 0, radius, 0, 2 * Math.PI);
  context.fill();
  const light = context.createRadialGradient(-radius * 0.4, -radius * 0.5, 0, 0, 0, radius);
  light.addColorStop(0, palette.isDark ? "rgba(255,255,255,0.12)" : "rgba(255,255,255,0.35)");
  light.addColorStop(0.6, "rgba(255,255,255,0)");
  light.addColorStop(1, palette.isDark ? "rgba(8,10,24,0.42)" : "rgba(60,40,20,0.18)");
  context.fillStyle = light;
  context.fill();
}

function personHead(context: CanvasRenderingContext2D, angle: number, looks: number, palette: Palette, scale: number): void {
  const radius = HEAD_M * scale;
  const hair = pick(HAIRS, ((looks % HAIRS.length) + 0.5) / HAIRS.length);
  const skin = pick(SKINS, (Math.floor(looks / HAIRS.length) + 0.5) / SKINS.length);
  const { x, y, isSeen } = face(angle, scale);
  ball(context, radius, hair, palette);
  if (!isSeen) return;
  context.save();
  context.beginPath();
  context.arc(0, 0, radius * 0.97, 0, 2 * Math.PI);
  context.clip();
  context.fillStyle = skin;
  context.beginPath();
  context.ellipse(x, y + radius * 0.22, radius * 0.78, radius * 0.74, 0, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = "#2b2320";
  for (const side of [-1, 1]) {
    context.beginPath();
    context.arc(x + side * radius * 0.3, y + radius * 0.2, Math.max(1, radius * 0.1), 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();
}

function botHead(context: CanvasRenderingContext2D, angle: number, hue: number, palette: Palette, scale: number): void {
  const radius = HEAD_M * scale;
  context.strokeStyle = palette.isDark ? "#8a90a4" : "#8d8a86";
  context.lineWidth = Math.max(1, radius * 0.12);
  context.beginPath();
  context.moveTo(0, -radius * 0.8);
  context.lineTo(0, -radius * 1.35);
  context.stroke();
  context.fillStyle = `hsl(${hue}, 75%, ${palette.isDark ? 68 : 56}%)`;
  context.beginPath();
  context.arc(0, -radius * 1.42, radius * 0.17, 0, 2 * Math.PI);
  context.fill();
  ball(context, radius, palette.isDark ? "#a9afc2" : "#eceae6", palette);
  const { x, y, isSeen } = face(angle, scale);
  if (!isSeen) return;
  context.fillStyle = "#2c3440";
  context.beginPath();
  context.roundRect(x - radius * 0.62, y - radius * 0.2, radius * 1.24, radius * 0.58, radius * 0.28);
  context.fill();
  context.fillStyle = palette.isDark ? "#9fe6ff" : "#bfeefb";
  for (const side of [-1, 1]) {
    context.beginPath();
    context.arc(x + side * radius * 0.28, y + radius * 0.09, Math.max(1, radius * 0.12), 0, 2 * Math.PI);
    context.fill();
  }
}
