// The plaza on one canvas: the ground, then everything that stands on it from back to front, then names and bubbles.
import type { Avatar, Bubble } from "../world/crowd.ts";
import { CELL_M, type Cell } from "../world/grid.ts";
import type { Walker } from "../world/walker.ts";
import { Camera } from "./camera.ts";
import { Figures, TALL_M } from "./figures.ts";
import { jets, rings } from "./fountain.ts";
import { Ground } from "./ground.ts";
import { Labels } from "./labels.ts";
import { ring, type StickMark, stick, veil } from "./marks.ts";
import { Presence } from "./presence.ts";
import { MIDDLE, Scenery, THINGS, type Thing } from "./scenery.ts";
import { stamp } from "./sprites.ts";
import { type Palette, palette } from "./theme.ts";

/** Names of bots are shown when they are as near as this, those of people always. */
const NEAR_M = 2.6;

/** The camera follows within about this time, in seconds. */
const FOLLOW_S = 0.12;

const MAX_RATIO = 2.5;

export interface Scene {
  readonly you: Walker;
  readonly alias: number;
  readonly name: string;
  readonly others: Iterable<Avatar>;
  /** The cell in the middle of what is heard. */
  readonly middle: Cell;
  /** Alias of the comm server; 0 while there is none. */
  readonly server: number;
  readonly stick: StickMark | undefined;
}

interface Standing {
  y: number;
  thing: Thing | undefined;
  avatar: Avatar | undefined;
}

export class View {
  readonly camera = new Camera();
  private readonly context: CanvasRenderingContext2D;
  private readonly ground = new Ground();
  private readonly scenery = new Scenery();
  private readonly figures = new Figures();
  private readonly labels = new Labels();
  private palette: Palette = palette(false);
  private readonly standing: Standing[] = [];
  private readonly eye = { x: 0, y: 0 };
  private readonly heard = { x: 0, y: 0 };
  private readonly presence = new Presence();
  private isFirst = true;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no canvas");
    this.context = context;
  }

  /** Light or dark from now on. */
  dress(isDark: boolean): void {
    this.palette = palette(isDark);
  }

  /** The canvas takes the size it has on the page. */
  resize(): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.camera.resize(clientWidth, clientHeight, Math.min(MAX_RATIO, window.devicePixelRatio || 1));
    this.canvas.width = this.camera.width;
    this.canvas.height = this.camera.height;
  }

  /** Draw it. `now` and `passed` in seconds; `still`: nothing moves that need not. */
  draw(scene: Scene, now: number, passed: number, still: boolean): void {
    const { context, camera } = this;
    this.follow(scene, passed, still);
    this.presence.frame(scene.server, now, passed);
    this.ground.draw(context, camera, this.palette);
    rings(context, camera, this.palette, still ? 0.4 : now);
    const isConnected = scene.server !== 0;
    veil(context, camera, this.palette, this.heard, isConnected);
    const { x, y } = scene.you;
    const beat = isConnected || still ? 0 : Math.sin(now * 6) * 0.06;
    const wave = still ? undefined : this.presence.wave(now);
    ring(context, camera, this.palette, { x, y, server: this.presence.server, isConnected, wave, beat });
    this.stand(scene, now, still);
    this.names(scene, now);
    if (scene.stick) stick(context, camera, this.palette, scene.stick);
  }

  private follow(scene: Scene, passed: number, still: boolean): void {
    const { camera } = this;
    const jumps = still || this.isFirst;
    this.isFirst = false;
    const ease = jumps ? 1 : 1 - Math.exp(-passed / FOLLOW_S);
    const { you } = scene;
    this.eye.x += (you.x - this.eye.x) * ease;
    this.eye.y += (you.y - this.eye.y) * ease;
    camera.lookAt(this.eye.x, this.eye.y);
    const middle = { x: (scene.middle.x + 0.5) * CELL_M, y: (scene.middle.y + 0.5) * CELL_M };
    const slide = jumps ? 1 : 1 - Math.exp(-passed / 0.16);
    this.heard.x += (middle.x - this.heard.x) * slide;
    this.heard.y += (middle.y - this.heard.y) * slide;
  }

  /** Everything upright, from back to front. */
  private stand(scene: Scene, now: number, still: boolean): void {
    const { context, camera, standing } = this;
    const [left, top, right, bottom] = camera.seen();
    let count = 0;
    const put = (y: number, thing: Thing | undefined, avatar: Avatar | undefined): void => {
      const entry = standing[count];
      if (entry) Object.assign(entry, { y, thing, avatar });
      else standing.push({ y, thing, avatar });
      count++;
    };
    for (const thing of THINGS) {
      if (thing.x > left - 2 && thing.x < right + 2 && thing.y > top - 1 && thing.y < bottom + 4) put(thing.y, thing, undefined);
    }
    for (const avatar of scene.others) {
      const isSeen = avatar.x > left - 1 && avatar.x < right + 1 && avatar.y > top - 1 && avatar.y < bottom + 2;
      if (avatar.opacity > 0 && isSeen) put(avatar.y, undefined, avatar);
    }
    put(scene.you.y, undefined, undefined);
    put(MIDDLE, FOUNTAIN, undefined);
    standing.length = count;
    standing.sort((a, b) => a.y - b.y);
    for (const { thing, avatar } of standing) {
      if (thing === FOUNTAIN) jets(context, camera, this.palette, still ? 0.4 : now);
      else if (thing) this.thing(thing, scene.you);
      else if (avatar) this.avatar(avatar, still);
      else
        this.figures.draw(
          context,
          { ...pose(scene.you), sender: scene.alias, bot: undefined },
          ...this.at(scene.you),
          camera.scale,
          this.palette,
          still,
        );
    }
  }

  private thing(thing: Thing, you: Walker): void {
    const { context, camera } = this;
    // A crown you are behind lets you be seen.
    const isBefore = thing.kind === "tree" && thing.y > you.y && thing.y - you.y < 4 && Math.abs(thing.x - you.x) < thing.size;
    context.globalAlpha = isBefore ? 0.45 : 1;
    stamp(context, this.scenery.sprite(thing, this.palette, camera.scale), camera.toX(thing.x), camera.toY(thing.y));
    context.globalAlpha = 1;
  }

  private avatar(avatar: Avatar, still: boolean): void {
    this.context.globalAlpha = avatar.opacity * this.presence.opacity;
    this.figures.draw(this.context, avatar, ...this.at(avatar), this.camera.scale, this.palette, still);
    this.context.globalAlpha = 1;
  }

  private names(scene: Scene, now: number): void {
    const { context } = this;
    for (const { avatar } of this.standing) {
      if (!avatar) continue;
      const isNear = Math.hypot(avatar.x - scene.you.x, avatar.y - scene.you.y) < NEAR_M;
      const share = avatar.bot === undefined || avatar.bubble ? 1 : isNear ? 0.75 : 0;
      if (share === 0) continue;
      context.globalAlpha = share * avatar.opacity * this.presence.opacity;
      this.name(avatar, avatar.name, false);
    }
    context.globalAlpha = 1;
    this.name(scene.you, scene.name, true);
    for (const { avatar } of this.standing) {
      if (avatar?.bubble) this.bubble(avatar, avatar.bubble, now, avatar.opacity * this.presence.opacity);
    }
    if (scene.you.bubble) this.bubble(scene.you, scene.you.bubble, now, 1);
    context.globalAlpha = 1;
  }

  private name(place: { x: number; y: number }, text: string, isYou: boolean): void {
    const [x, y] = this.at(place);
    stamp(this.context, this.labels.name(text, isYou, this.camera.ratio, this.palette), x, y + 0.2 * this.camera.scale);
  }

  private bubble(place: { x: number; y: number }, said: Bubble, now: number, opacity: number): void {
    const { camera, context } = this;
    const picture = this.labels.bubble(said.text, camera.ratio, this.palette);
    const [x, y] = this.at(place);
    const { width } = picture.image;
    // It stays on the canvas where its speaker is near the edge.
    const shown = Math.min(camera.width - width + picture.footX, Math.max(picture.footX, x));
    const appear = Math.min(1, (now - said.since) / 0.15, Math.max(0, (said.until - now) / 0.3));
    context.globalAlpha = opacity * Math.max(0, appear);
    stamp(context, picture, shown, y - (TALL_M + 0.28) * camera.scale);
  }

  private at(place: { readonly x: number; readonly y: number }): [number, number] {
    return [this.camera.toX(place.x), this.camera.toY(place.y)];
  }
}

const FOUNTAIN: Thing = { kind: "lamp", x: MIDDLE, y: MIDDLE, size: 0, variant: 0 };

function pose(you: Walker): { heading: number; walked: number; vx: number; vy: number } {
  return { heading: you.heading, walked: you.walked, vx: you.vx, vy: you.vy };
}
