// Pictures drawn once and shown often: a figure, a name, a tree.

export interface Sprite {
  readonly image: HTMLCanvasElement;
  /** Where in the picture its foot is, in pixels of the device. */
  readonly footX: number;
  readonly footY: number;
}

/** Keeps the pictures used last. */
export class SpriteCache {
  private readonly sprites = new Map<string, Sprite>();

  constructor(private readonly most: number) {}

  get(key: string, draw: () => Sprite): Sprite {
    let sprite = this.sprites.get(key);
    if (sprite) {
      this.sprites.delete(key);
    } else {
      sprite = draw();
      for (const oldest of this.sprites.keys()) {
        if (this.sprites.size < this.most) break;
        this.sprites.delete(oldest);
      }
    }
    this.sprites.set(key, sprite);
    return sprite;
  }
}

/** A picture of `width` by `height` pixels with the foot at the given place, drawn from there. */
export function sprite(
  width: number,
  height: number,
  footX: number,
  footY: number,
  draw: (context: CanvasRenderingContext2D) => void,
): Sprite {
  const image = document.createElement("canvas");
  image.width = Math.max(1, Math.ceil(width));
  image.height = Math.max(1, Math.ceil(height));
  const foot = { footX: Math.round(footX), footY: Math.round(footY) };
  const context = image.getContext("2d");
  if (context) {
    context.translate(foot.footX, foot.footY);
    draw(context);
  }
  return { image, ...foot };
}

/** Show it with its foot at this place. */
export function stamp(context: CanvasRenderingContext2D, { image, footX, footY }: Sprite, x: number, y: number): void {
  context.drawImage(image, Math.round(x) - footX, Math.round(y) - footY);
}
