// Everyone else who is heard: they come with their first packet, and go when they are silent.
import { type Cell, isHeard } from "./grid.ts";
import { type LossMeter, SequenceWatch } from "./loss.ts";
import { Motion, type Pose } from "./motion.ts";

/** More are not shown, whoever sends. */
export const MAX_AVATARS = 300;

/** One who is silent for so long has gone; sooner where the last packets led out of what is heard. */
const SILENT_S = 2.5;
const LEFT_S = 0.3;

/** How far ahead a way is thought on, to see whether it leads out. */
const AHEAD_S = 0.4;

/** Avatars come in and go out softly. */
const FADE_S = 0.35;

/** A bubble is read for so long, and longer by what it says. */
const BUBBLE_S = 3.5;
const BUBBLE_S_A_CHARACTER = 0.045;

const MAX_NAMES = 500;

/** Radians per second a figure turns by, at most. */
const TURN = 9;

export interface Bubble {
  readonly text: string;
  readonly since: number;
  readonly until: number;
}

export interface Avatar extends Pose {
  readonly sender: number;
  /** The bot's number; undefined for people. */
  bot: number | undefined;
  name: string;
  /** 0 to 1. */
  opacity: number;
  /** Where the figure looks, in radians; 0 is to the right, a quarter turn down. */
  heading: number;
  /** Metres walked, for the steps of the figure. */
  walked: number;
  bubble: Bubble | undefined;
}

/** One position as the crowd takes it. */
export interface Heard {
  readonly sender: number;
  readonly bot: number | undefined;
  readonly topic: string;
  readonly sequence: number;
  /** Seconds by the sender's clock. */
  readonly time: number;
  readonly x: number;
  readonly y: number;
}

class Member implements Avatar {
  x = 0;
  y = 0;
  vx = 0;
  vy = 0;
  opacity = 0;
  heading = Math.PI / 2;
  walked = 0;
  bubble: Bubble | undefined;
  heardAt = 0;
  readonly motion = new Motion();
  readonly watch: SequenceWatch;

  constructor(
    readonly sender: number,
    public bot: number | undefined,
    public name: string,
    meter: LossMeter,
  ) {
    this.watch = new SequenceWatch(meter);
  }
}

export class Crowd {
  private readonly members = new Map<number, Member>();
  /** Names that were told, the latest last. */
  private readonly names = new Map<number, string>();

  constructor(private readonly loss: LossMeter) {}

  get size(): number {
    return this.members.size;
  }

  avatars(): Iterable<Avatar> {
    return this.members.values();
  }

  /** A position arrived at `now`, in seconds. */
  hear(heard: Heard, now: number): void {
    let member = this.members.get(heard.sender);
    if (!member) {
      if (this.members.size >= MAX_AVATARS) return;
      member = new Member(heard.sender, heard.bot, this.nameOf(heard.sender, heard.bot), this.loss);
      this.members.set(heard.sender, member);
    } else if (now - member.heardAt > SILENT_S) {
      member.motion.clear(); // was away: it does not slide here from where it was last seen
    }
    member.bot = heard.bot;
    member.heardAt = now;
    member.motion.add(heard.time, heard.x, heard.y, now);
    member.watch.note(heard.sequence, heard.topic, now);
  }

  /** Whether its name was told. */
  isNamed(sender: number): boolean {
    return this.names.has(sender);
  }

  /** It told its name. */
  name(sender: number, name: string): void {
    this.names.delete(sender);
    this.names.set(sender, name);
    for (const oldest of this.names.keys()) {
      if (this.names.size <= MAX_NAMES) break;
      this.names.delete(oldest);
    }
    const member = this.members.get(sender);
    if (member) member.name = name;
  }

  /** It said something: shown over its head, if it is here. */
  say(sender: number, text: string, now: number): void {
    const member = this.members.get(sender);
    if (member) member.bubble = bubble(text, now);
  }

  /** The numbers that come next have nothing to do with those before: the connection was another. */
  restart(): void {
    for (const member of this.members.values()) member.watch.restart();
  }

  /** Everyone as they are shown at `now`, `passed` seconds after the time before; whoever has gone is no more. */
  frame(now: number, passed: number, middle: Cell): void {
    for (const member of this.members.values()) {
      const isHere = this.isHere(member, now, middle);
      const step = passed / FADE_S;
      member.opacity = Math.min(1, Math.max(0, member.opacity + (isHere ? step : -step)));
      if (!isHere && member.opacity === 0 && now - member.heardAt > SILENT_S) {
        this.members.delete(member.sender);
        continue;
      }
      member.motion.at(now, member);
      if (member.bubble && now > member.bubble.until) member.bubble = undefined;
      walk(member, passed);
    }
  }

  /** Whether it is to be seen: it was heard just now, or was silent for a while in a place where it would be heard. */
  private isHere(member: Member, now: number, middle: Cell): boolean {
    const silence = now - member.heardAt;
    if (silence <= LEFT_S) return true;
    if (silence > SILENT_S) return false;
    const ahead = member.motion.ahead(AHEAD_S);
    return ahead !== undefined && isHeard(middle, ahead.x, ahead.y);
  }

  private nameOf(sender: number, bot: number | undefined): string {
    return this.names.get(sender) ?? (bot === undefined ? "someone" : `bot ${bot}`);
  }
}

/** What somebody said at `now`, for as long as it takes to read it. */
export function bubble(text: string, now: number): Bubble {
  return { text, since: now, until: now + BUBBLE_S + text.length * BUBBLE_S_A_CHARACTER };
}

/** Turn a figure to where it goes, and let it take its steps. */
export function walk(figure: Pick<Avatar, "vx" | "vy" | "heading" | "walked">, passed: number): void {
  const speed = Math.hypot(figure.vx, figure.vy);
  if (speed < 0.15) return;
  figure.walked += speed * passed;
  const turn = Math.atan2(figure.vy, figure.vx) - figure.heading;
  const short = Math.atan2(Math.sin(turn), Math.cos(turn));
  figure.heading += Math.min(TURN * passed, Math.max(-TURN * passed, short));
}
