// One visit to the plaza: what goes to the broker and what comes from it.
import type { Broker, BrokerPacket, BrokerTopics } from "./broker.ts";
import { decodePosition, encodePosition, topicMark } from "./packets.ts";
import { CHAT_TOPIC, decodeLine, encodeLine, type Line, MAX_NAME, MAX_TEXT, tidy } from "./talk.ts";
import { bubble, type Crowd } from "./world/crowd.ts";
import { around, type Cell, difference, sameCell, topicOf } from "./world/grid.ts";
import type { LossMeter } from "./world/loss.ts";
import { Rate } from "./world/rate.ts";
import type { Walker } from "./world/walker.ts";

/** Positions per second. */
export const HZ = 20;

/** After a change of topics that was not acknowledged, in seconds. */
const RETRY_S = 0.5;

/** Who hears a new name tells its own after a random time up to this, in seconds, so that not all speak at once. */
const GREET_S = 1.5;

/** Without a newcomer a name is told again so often, in seconds: a greeting may have been lost with a connection. */
const NAME_AGAIN_S = 45;

export interface Parts {
  readonly broker: Broker;
  readonly walker: Walker;
  readonly crowd: Crowd;
  readonly loss: LossMeter;
  /** Called with each line that others say. */
  readonly heard: (sender: number, line: Line) => void;
  /** Seconds that never step back. */
  readonly clock: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export class Visit {
  readonly incoming = new Rate();
  readonly outgoing = new Rate();
  /** Packets that came under another topic than they were sent to: none, if all is well. */
  misrouted = 0;
  /** When a packet came last, by the clock. */
  heardAt: number;
  private name: string;
  private sequence = 0;
  private cell: Cell;
  private cells: BrokerTopics | undefined;
  private isChanging = false;
  private changeAt = 0;
  private greetAt: number;
  private readonly marks = new Map<string, number>();

  constructor(
    private readonly parts: Parts,
    name: string,
  ) {
    this.name = tidy(name, MAX_NAME);
    this.cell = parts.walker.cell;
    this.greetAt = this.heardAt = parts.clock();
  }

  /** Hear what is around, and what is said. Rejects as the SDK's `subscribe`. */
  async begin(): Promise<void> {
    const { broker } = this.parts;
    await broker.subscribe([CHAT_TOPIC], (packet) => this.onLine(packet));
    this.cell = this.parts.walker.cell;
    this.cells = await broker.subscribe(around(this.cell), (packet) => this.onPosition(packet));
  }

  /** The cell in the middle of what is heard. */
  get middle(): Cell {
    return this.cell;
  }

  get ownName(): string {
    return this.name;
  }

  /** Called HZ times a second: say where you are, hear what is around there, tell your name when it is time. */
  tick(): void {
    const { broker, walker, clock } = this.parts;
    const now = clock();
    this.cell = walker.cell;
    if (broker.state !== "connected") return;
    this.publish(now);
    if (!this.isChanging && now >= this.changeAt) void this.change();
    if (now >= this.greetAt) this.greet(now);
  }

  /** Say something. Rejects as the SDK's `publish`. */
  async say(text: string): Promise<Line | undefined> {
    const { broker, walker, clock } = this.parts;
    const line = { name: this.name, text: tidy(text, MAX_TEXT) };
    if (!line.text) return undefined;
    walker.bubble = bubble(line.text, clock());
    await broker.publish(CHAT_TOPIC, encodeLine(line), { reliable: true });
    this.outgoing.note(clock());
    return line;
  }

  /** Have another name from now on. */
  rename(name: string): void {
    this.name = tidy(name, MAX_NAME) || this.name;
    this.greetAt = this.parts.clock();
  }

  /** The connection is another: what is missing was not lost on the way, and who hears us may not know us. */
  moved(): void {
    this.parts.crowd.restart();
    this.greetAt = this.parts.clock();
  }

  private publish(now: number): void {
    const { broker, walker } = this.parts;
    const topic = topicOf(this.cell);
    const body = encodePosition({
      run: 0,
      sender: broker.alias % 2 ** 32,
      sequence: this.sequence++ % 2 ** 32,
      mark: this.mark(topic),
      time: now,
      x: walker.x,
      y: walker.y,
    });
    if (broker.publishNowait(topic, body, { reliable: false })) this.outgoing.note(now);
  }

  private greet(now: number): void {
    this.greetAt = now + NAME_AGAIN_S;
    if (this.parts.broker.publishNowait(CHAT_TOPIC, encodeLine({ name: this.name, text: "" }), { reliable: true }))
      this.outgoing.note(now);
  }

  /** Come from the topics that are held to those around the present cell, one change at a time. */
  private async change(): Promise<void> {
    const { cells, cell } = this;
    if (!cells) return;
    const change = difference(cells.topics, around(cell));
    if (change.add.length + change.remove.length === 0) return;
    this.isChanging = true;
    try {
      await cells.update(change);
    } catch {
      // Whatever it was, the state and the errors of the client tell it to people; here it is tried again.
      this.changeAt = this.parts.clock() + RETRY_S;
    } finally {
      this.isChanging = false;
    }
    if (!sameCell(cell, this.cell) && this.parts.clock() >= this.changeAt) await this.change();
  }

  private onPosition(packet: BrokerPacket): void {
    const now = this.parts.clock();
    this.incoming.note(now);
    this.heardAt = now;
    const position = decodePosition(packet.body);
    if (!position) return;
    if (position.mark !== this.mark(packet.topic)) {
      this.misrouted++;
      return;
    }
    const { sender, topic } = packet;
    const { sequence, time, x, y } = position;
    const bot = position.run === 0 ? undefined : position.sender;
    this.parts.crowd.hear({ sender, bot, topic, sequence, time, x, y }, now);
  }

  private onLine(packet: BrokerPacket): void {
    const { crowd, clock, random, heard } = this.parts;
    const now = clock();
    this.incoming.note(now);
    this.heardAt = now;
    const line = decodeLine(packet.body);
    if (!line) return;
    // A name without a word is a newcomer's, who does not know ours.
    if (!line.text && !crowd.isNamed(packet.sender)) this.greetAt = Math.min(this.greetAt, now + random() * GREET_S);
    crowd.name(packet.sender, line.name);
    if (!line.text) return;
    crowd.say(packet.sender, line.text, now);
    heard(packet.sender, line);
  }

  private mark(topic: string): number {
    let mark = this.marks.get(topic);
    if (mark === undefined) {
      // The few topics that are heard and published to; old ones go when they have become many.
      if (this.marks.size > 100) this.marks.clear();
      mark = topicMark(topic);
      this.marks.set(topic, mark);
    }
    return mark;
  }
}
