// Names under figures and bubbles over them. Text is slow to draw, so that each is drawn once.
import { type Sprite, SpriteCache, sprite } from "./sprites.ts";
import type { Palette } from "./theme.ts";

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';

const NAME_PX = 12;
const BUBBLE_PX = 14;
const LINE_PX = 18;
const BUBBLE_WIDTH_PX = 190;
const MAX_LINES = 4;
const PAD_PX = 9;
const TAIL_PX = 7;

export class Labels {
  private readonly cache = new SpriteCache(400);
  private readonly ruler = document.createElement("canvas").getContext("2d");

  /** A name; its foot is the middle of its upper edge. */
  name(text: string, isYou: boolean, ratio: number, palette: Palette): Sprite {
    return this.cache.get(`name ${isYou} ${palette.isDark} ${ratio} ${text}`, () => {
      const font = `${isYou ? 700 : 500} ${NAME_PX * ratio}px ${FONT}`;
      const width = this.width(text, font) + 8 * ratio;
      return sprite(width, 18 * ratio, width / 2, 0, (context) => {
        context.font = font;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.lineJoin = "round";
        context.lineWidth = 3.5 * ratio;
        context.strokeStyle = palette.nameHalo;
        context.strokeText(text, 0, 9 * ratio);
        context.fillStyle = palette.name;
        context.fillText(text, 0, 9 * ratio);
      });
    });
  }

  /** A bubble; its foot is the tip of its tail. */
  bubble(text: string, ratio: number, palette: Palette): Sprite {
    return this.cache.get(`bubble ${palette.isDark} ${ratio} ${text}`, () => {
      const font = `500 ${BUBBLE_PX * ratio}px ${FONT}`;
      const lines = wrap(text, BUBBLE_WIDTH_PX * ratio, MAX_LINES, (piece) => this.width(piece, font));
      const inner = Math.max(...lines.map((line) => this.width(line, font)));
      const width = Math.ceil(inner) + 2 * PAD_PX * ratio;
      const height = lines.length * LINE_PX * ratio + PAD_PX * ratio;
      const tail = TAIL_PX * ratio;
      const edge = 4 * ratio;
      return sprite(width + 2 * edge, height + tail + 2 * edge, width / 2 + edge, height + tail + edge, (context) => {
        speech(context, width, height, tail, ratio);
        context.shadowColor = palette.shadow;
        context.shadowBlur = 3 * ratio;
        context.shadowOffsetY = ratio;
        context.fillStyle = palette.bubble;
        context.fill();
        context.shadowColor = "transparent";
        context.strokeStyle = palette.bubbleEdge;
        context.lineWidth = ratio;
        context.stroke();
        context.font = font;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillStyle = palette.bubbleText;
        const top = -tail - height + (PAD_PX * ratio) / 2;
        lines.forEach((line, number) => {
          context.fillText(line, 0, top + (number + 0.5) * LINE_PX * ratio);
        });
      });
    });
  }

  private width(text: string, font: string): number {
    if (!this.ruler) return 0;
    this.ruler.font = font;
    return this.ruler.measureText(text).width;
  }
}

function speech(context: CanvasRenderingContext2D, width: number, height: number, tail: number, ratio: number): void {
  const radius = Math.min(11 * ratio, height / 2);
  const [left, top, right, bottom] = [-width / 2, -tail - height, width / 2, -tail];
  context.beginPath();
  context.moveTo(-tail, bottom);
  context.lineTo(0, 0);
  context.lineTo(tail, bottom);
  context.arcTo(right, bottom, right, top, radius);
  context.arcTo(right, top, left, top, radius);
  context.arcTo(left, top, left, bottom, radius);
  context.arcTo(left, bottom, right, bottom, radius);
  context.closePath();
}

/** The text in lines of at most `width`, as `measure` measures; words longer than a line are cut, what is too much ends with an ellipsis. */
export function wrap(text: string, width: number, most: number, measure: (text: string) => number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((each) => pieces(each, width, measure))) {
    const longer = line ? `${line} ${word}` : word;
    if (line && measure(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  lines.push(line);
  if (lines.length <= most) return lines;
  const last = [...(lines[most - 1] ?? "")];
  while (last.length > 0 && measure(`${last.join("")}…`) > width) last.pop();
  return [...lines.slice(0, most - 1), `${last.join("")}…`];
}

function pieces(word: string, width: number, measure: (text: string) => number): string[] {
  if (measure(word) <= width) return [word];
  const found: string[] = [];
  let piece = "";
  for (const character of word) {
    if (piece && measure(piece + character) > width) {
      found.push(piece);
      piece = "";
    }
    piece += character;
  }
  return [...found, piece];
}
