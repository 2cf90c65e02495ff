// The page as it is drawn: the canvas, what you do to it, and how it looks; whoever visits comes and goes.
import { byId } from "./dom.ts";
import { Frames } from "./frames.ts";
import { Input } from "./input.ts";
import { View } from "./view/view.ts";
import type { Avatar, Crowd } from "./world/crowd.ts";
import type { Cell } from "./world/grid.ts";
import { Walker } from "./world/walker.ts";

/** Somebody new stands near the fountain. */
const MIDDLE_M = 12;
const START_M = 4;

/** Who is here, as far as the picture needs to know. */
export interface Guest {
  readonly crowd: Crowd;
  readonly middle: Cell;
  readonly alias: number;
  readonly server: number;
  readonly name: string;
}

const NOBODY: readonly Avatar[] = [];

export class Stage {
  private readonly canvas = byId("world", HTMLCanvasElement);
  readonly frames = new Frames();
  readonly walker: Walker;
  guest: Guest | undefined;
  private readonly view: View;
  private readonly input: Input;
  private readonly prefersStill = window.matchMedia("(prefers-reduced-motion: reduce)");
  private before = 0;
  private hasGrown = true;

  constructor(random: () => number, onMove: () => void) {
    const angle = random() * 2 * Math.PI;
    this.walker = new Walker(MIDDLE_M + Math.cos(angle) * START_M, MIDDLE_M + Math.sin(angle) * START_M);
    this.view = new View(this.canvas);
    this.input = new Input(this.canvas, onMove);
    const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
    this.view.dress(prefersDark.matches);
    prefersDark.addEventListener("change", () => this.view.dress(prefersDark.matches));
    new ResizeObserver(() => this.outgrow()).observe(this.canvas);
    this.watchRatio();
  }

  /** Keys are for walking again. */
  focus(): void {
    byId("stage", HTMLElement).focus();
  }

  /** What a canvas does not tell, for whoever looks at the page from outside. */
  tell(): void {
    const [x, y] = [this.walker.x.toFixed(2), this.walker.y.toFixed(2)];
    Object.assign(this.canvas.dataset, { x, y, others: String(this.guest?.crowd.size ?? 0) });
  }

  /** Draw from now on, as often as the screen shows pictures. */
  run(): void {
    const frame = (): void => {
      this.frame(performance.now() / 1000);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  private frame(now: number): void {
    const passed = Math.min(1, this.before ? now - this.before : 0);
    this.before = now;
    this.frames.note(now);
    const { walker, guest, input } = this;
    const { dx, dy } = guest ? input.direction() : { dx: 0, dy: 0 };
    walker.step(dx, dy, passed, now);
    guest?.crowd.frame(now, passed, guest.middle);
    const scene = {
      you: walker,
      alias: guest?.alias ?? 0,
      name: guest?.name ?? "",
      others: guest?.crowd.avatars() ?? NOBODY,
      middle: guest?.middle ?? walker.cell,
      server: guest?.server ?? 0,
      stick: guest ? input.stick() : undefined,
    };
    if (this.hasGrown) this.view.resize();
    this.hasGrown = false;
    this.view.draw(scene, now, passed, this.prefersStill.matches);
  }

  /** The canvas takes its new size with the next picture: one that has just taken it is blank. */
  private outgrow(): void {
    this.hasGrown = true;
  }

  /** Another screen may have other pixels. */
  private watchRatio(): void {
    const query = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    const changed = (): void => {
      this.outgrow();
      this.watchRatio();
    };
    query.addEventListener("change", changed, { once: true });
  }
}
