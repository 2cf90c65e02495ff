// The plaza on one canvas: the ground, then everything that stands on it from back to front, then names and bubbles.
import type { Avatar, Bubble } from "../world/crowd.ts";
import { CELL_M, type Cell } from "../world/grid.ts";
import type { Walker } from "../world/walker.ts";
import { Camera, TILT } from "./camera.ts";
import { Figures, TALL_M } from "./figures.ts";
import { jets, rings } from "./fountain.ts";
import { Ground } from "./ground.ts";
import { Labels } from "./labels.ts";
import { MIDDLE, Scenery, THINGS, type Thing } from "./scenery.ts";
import { stamp } from "./sprites.ts";
import { hueOf, type Palette, palette } from "./theme.ts";

/** Names of bots are shown when they are as near as this, those of people always. */
const NEAR_M = 2.6;

/** Others while there is no connection, when the last that is known of them grows old. */
const AWAY_OPACITY = 0.25;

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
  readonly stick:
    | { readonly x: number; readonly y: number; readonly dx: number; readonly dy: number; readonly reach: number }
    | undefined;
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
  private heard: { x: number; y: number } | undefined;
  private presence = 0;
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
    this.ground.clear();
    this.scenery.clear();
    this.figures.clear();
    this.labels.clear();
  }

  /** Draw it. `now` and `passed` in seconds; `still`: nothing moves that need not. */
  draw(scene: Scene, now: number, passed: number, still: boolean): void {
    const { context, camera } = this;
    this.follow(scene, passed, still);
    const wanted = scene.server ? 1 : AWAY_OPACITY;
    this.presence += (wanted - this.presence) * (1 - Math.exp(-passed / 0.25));
    this.ground.draw(context, camera, this.palette);
    rings(context, camera, this.palette, still ? 0.4 : now);
    this.veil(scene);
    this.ring(scene, now, still);
    this.stand(scene, now, still);
    this.names(scene, now);
    if (scene.stick) this.stick(scene.stick);
  }

  private follow(scene: Scene, passed: number, still: boolean): void {
    const { camera } = this;
    const ease = still || this.isFirst ? 1 : 1 - Math.exp(-passed / FOLLOW_S);
    this.isFirst = false;
    const { you } = scene;
    this.eye.x += (you.x - this.eye.x) * ease;
    this.eye.y += (you.y - this.eye.y) * ease;
    camera.lookAt(this.eye.x, this.eye.y);
    const middle = { x: (scene.middle.x + 0.5) * CELL_M, y: (scene.middle.y + 0.5) * CELL_M };
    this.heard ??= middle;
    const slide = still ? 1 : 1 - Math.exp(-passed / 0.16);
    this.heard.x += (middle.x - this.heard.x) * slide;
    this.heard.y += (middle.y - this.heard.y) * slide;
  }

  /** What is not heard lies in a haze. */
  private veil(scene: Scene): void {
    const { context, camera, heard } = this;
    if (!heard) return;
    const reach = 1.5 * CELL_M;
    const [left, top] = [camera.toX(heard.x - reach), camera.toY(heard.y - reach)];
    const [width, height] = [2 * reach * camera.scale, 2 * reach * camera.scale * TILT];
    context.beginPath();
    context.rect(0, 0, camera.width, camera.height);
    context.roundRect(left, top, width, height, 0.5 * camera.scale);
    context.fillStyle = this.palette.veil;
    context.fill("evenodd");
    context.beginPath();
    context.roundRect(left, top, width, height, 0.5 * camera.scale);
    context.setLineDash([6 * camera.ratio, 6 * camera.ratio]);
    context.strokeStyle = this.palette.edge;
    context.globalAlpha = scene.server ? 1 : 0.4;
    context.lineWidth = 1.5 * camera.ratio;
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** A ring around your feet, in the colour of your comm server. */
  private ring(scene: Scene, now: number, still: boolean): void {
    const { context, camera, palette: colours } = this;
    const beat = scene.server || still ? 0 : Math.sin(now * 6) * 0.06;
    const radius = (0.4 + beat) * camera.scale;
    context.strokeStyle = scene.server
      ? `hsl(${hueOf(scene.server)}, 70%, ${colours.isDark ? 66 : 46}%)`
      : colours.isDark
        ? "#8b90a0"
        : "#8f877c";
    context.lineWidth = 0.06 * camera.scale;
    context.beginPath();
    context.ellipse(camera.toX(scene.you.x), camera.toY(scene.you.y), radius, radius * 0.62, 0, 0, 2 * Math.PI);
    context.stroke();
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
    this.context.globalAlpha = avatar.opacity * this.presence;
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
      context.globalAlpha = share * avatar.opacity * this.presence;
      this.name(avatar, avatar.name, false);
    }
    context.globalAlpha = 1;
    this.name(scene.you, scene.name, true);
    for (const { avatar } of this.standing) {
      if (avatar?.bubble) this.bubble(avatar, avatar.bubble, now, avatar.opacity * this.presence);
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

  private stick(stick: NonNullable<Scene["stick"]>): void {
    const { context, camera } = this;
    const { ratio } = camera;
    const colour = this.palette.isDark ? "255, 255, 255" : "40, 34, 28";
    context.beginPath();
    context.arc(stick.x * ratio, stick.y * ratio, stick.reach * ratio, 0, 2 * Math.PI);
    context.fillStyle = `rgba(${colour}, 0.12)`;
    context.fill();
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = `rgba(${colour}, 0.30)`;
    context.stroke();
    context.beginPath();
    context.arc(
      (stick.x + stick.dx * stick.reach) * ratio,
      (stick.y + stick.dy * stick.reach) * ratio,
      22 * ratio,
      0,
      2 * Math.PI,
    );
    context.fillStyle = `rgba(${colour}, 0.35)`;
    context.fill();
  }

  private at(place: { readonly x: number; readonly y: number }): [number, number] {
    return [this.camera.toX(place.x), this.camera.toY(place.y)];
  }
}

const FOUNTAIN: Thing = { kind: "lamp", x: MIDDLE, y: MIDDLE, size: 0, variant: 0 };

function pose(you: Walker): { heading: number; walked: number; vx: number; vy: number } {
  return { heading: you.heading, walked: you.walked, vx: you.vx, vy: you.vy };
}
