import assert from "node:assert/strict";
import { test } from "node:test";
import type { Broker, BrokerPacket, BrokerState } from "../src/broker.ts";
import { decodePosition, encodePosition, topicMark } from "../src/packets.ts";
import { decodeLine } from "../src/talk.ts";
import { HZ, Visit } from "../src/visit.ts";
import { Crowd } from "../src/world/crowd.ts";
import { around } from "../src/world/grid.ts";
import { LossMeter } from "../src/world/loss.ts";
import { Walker } from "../src/world/walker.ts";

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Published {
  topic: string;
  body: Uint8Array;
  reliable: boolean;
}

class FakeTopics {
  changes: { add: string[]; remove: string[] }[] = [];
  answer: Promise<void> = Promise.resolve();

  constructor(
    readonly topics: Set<string>,
    readonly callback: (packet: BrokerPacket) => void,
  ) {}

  async update(change: { add: string[]; remove: string[] }): Promise<void> {
    this.changes.push(change);
    await this.answer;
    for (const topic of change.add) this.topics.add(topic);
    for (const topic of change.remove) this.topics.delete(topic);
  }
}

class FakeBroker implements Broker {
  state: BrokerState = "connected";
  alias = 2 ** 33 + 5;
  server = 9;
  published: Published[] = [];
  subscriptions: FakeTopics[] = [];
  hasRoom = true;

  async subscribe(topics: string[], callback: (packet: BrokerPacket) => void): Promise<FakeTopics> {
    const made = new FakeTopics(new Set(topics), callback);
    this.subscriptions.push(made);
    return made;
  }

  async publish(topic: string, body: Uint8Array | string, { reliable }: { reliable: boolean }): Promise<void> {
    this.publishNowait(topic, body, { reliable });
  }

  publishNowait(topic: string, body: Uint8Array | string, { reliable }: { reliable: boolean }): boolean {
    this.published.push({ topic, body: typeof body === "string" ? new TextEncoder().encode(body) : body, reliable });
    return this.hasRoom;
  }

  async ping(): Promise<number> {
    return 0.001;
  }

  on(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}

  lines(): { name: string; text: string }[] {
    return this.published.filter(({ topic }) => topic === "demo/chat").flatMap(({ body }) => decodeLine(body) ?? []);
  }

  positions(): Published[] {
    return this.published.filter(({ topic }) => topic !== "demo/chat");
  }
}

async function begun(x = 10, y = 10) {
  const broker = new FakeBroker();
  const walker = new Walker(x, y);
  const loss = new LossMeter();
  const crowd = new Crowd(loss);
  const heard: string[] = [];
  const time = { now: 100 };
  const parts = { broker, walker, crowd, loss, clock: () => time.now, random: () => 0.5 };
  const visit = new Visit({ ...parts, heard: (sender, line) => heard.push(`${sender} ${line.name}: ${line.text}`) }, "Ada");
  await visit.begin();
  const [chat, cells] = broker.subscriptions;
  assert.ok(chat && cells);
  const tick = async (count = 1): Promise<void> => {
    for (let number = 0; number < count; number++) {
      time.now += 1 / HZ;
      visit.tick();
      await settle();
    }
  };
  return { broker, walker, crowd, loss, heard, time, visit, chat, cells, tick };
}

test("it hears the chat and the nine cells around", async () => {
  const { chat, cells } = await begun();
  assert.deepEqual([...chat.topics], ["demo/chat"]);
  assert.deepEqual([...cells.topics].sort(), around({ x: 2, y: 2 }).sort());
});

test("each tick says where you are, to the cell you are in, unreliably, numbered", async () => {
  const { broker, walker, tick } = await begun();
  await tick(3);
  walker.x = 13;
  await tick();
  const sent = broker.positions();
  assert.deepEqual(
    sent.map(({ topic }) => topic),
    ["demo/cell/2/2", "demo/cell/2/2", "demo/cell/2/2", "demo/cell/3/2"],
  );
  sent.forEach(({ topic, body, reliable }, number) => {
    assert.equal(reliable, false);
    const position = decodePosition(body);
    assert.deepEqual([position?.run, position?.sender, position?.sequence, position?.mark], [0, 5, number, topicMark(topic)]);
  });
  assert.equal(decodePosition(sent[3]?.body ?? new Uint8Array())?.x, 13);
});

test("in another cell the topics are changed in one request, and only then", async () => {
  const { walker, cells, tick } = await begun();
  await tick(5);
  assert.equal(cells.changes.length, 0);
  walker.x = 12.1;
  await tick(5);
  assert.equal(cells.changes.length, 1);
  assert.deepEqual([cells.changes[0]?.add.length, cells.changes[0]?.remove.length], [3, 3]);
  assert.deepEqual([...cells.topics].sort(), around({ x: 3, y: 2 }).sort());
});

test("who walks on before a change is acknowledged gets there in the next", async () => {
  const { walker, cells, tick } = await begun();
  let acknowledge = (): void => {};
  cells.answer = new Promise((resolve) => {
    acknowledge = resolve;
  });
  walker.x = 13;
  await tick();
  walker.x = 17;
  await tick(3);
  assert.equal(cells.changes.length, 1, "one at a time");
  acknowledge();
  await settle();
  await tick();
  assert.equal(cells.changes.length, 2);
  assert.deepEqual([...cells.topics].sort(), around({ x: 4, y: 2 }).sort());
});

test("a change that failed is tried again, not at once", async () => {
  const { walker, cells, tick } = await begun();
  cells.answer = Promise.reject(new Error("not connected"));
  cells.answer.catch(() => {});
  walker.x = 13;
  await tick(3);
  assert.equal(cells.changes.length, 1);
  cells.answer = Promise.resolve();
  await tick(12);
  assert.equal(cells.changes.length, 2);
  assert.deepEqual([...cells.topics].sort(), around({ x: 3, y: 2 }).sort());
});

test("without a connection nothing is sent", async () => {
  const { broker, walker, cells, tick } = await begun();
  broker.state = "reconnecting";
  walker.x = 13;
  await tick(5);
  assert.deepEqual([broker.published.length, cells.changes.length], [0, 0]);
});

test("positions of others, bots and people, reach the crowd", async () => {
  const { crowd, cells, time, visit } = await begun();
  const topic = "demo/cell/2/2";
  const position = { sender: 4, sequence: 1, mark: topicMark(topic), time: 7, x: 9, y: 9 };
  assert.equal(visit.heardAt, 100);
  time.now = 100.25;
  cells.callback({ topic, sender: 70, body: encodePosition({ ...position, run: 3 }) });
  cells.callback({ topic, sender: 80, body: encodePosition({ ...position, run: 0 }) });
  assert.equal(visit.heardAt, 100.25);
  assert.deepEqual(
    [...crowd.avatars()].map(({ sender, bot }) => [sender, bot]),
    [
      [70, 4],
      [80, undefined],
    ],
  );
  time.now += 0.5;
  assert.ok(visit.incoming.perSecond(time.now) > 0);
});

test("garbage and what lies in the wrong cell reach nobody", async () => {
  const { crowd, cells, visit } = await begun();
  cells.callback({ topic: "demo/cell/2/2", sender: 70, body: new Uint8Array(5) });
  const stray = encodePosition({ run: 1, sender: 4, sequence: 1, mark: topicMark("demo/cell/9/9"), time: 7, x: 9, y: 9 });
  cells.callback({ topic: "demo/cell/2/2", sender: 70, body: stray });
  assert.deepEqual([crowd.size, visit.misrouted], [0, 1]);
});

test("your name is told at once, to each newcomer, and after a move", async () => {
  const { broker, chat, visit, tick } = await begun();
  await tick();
  assert.deepEqual(broker.lines(), [{ name: "Ada", text: "" }]);
  await tick(40);
  assert.equal(broker.lines().length, 1);
  const hello = { topic: "demo/chat", sender: 80, body: new TextEncoder().encode('{"name":"Grace","text":""}') };
  chat.callback(hello);
  await tick(40);
  assert.equal(broker.lines().length, 2);
  chat.callback(hello);
  await tick(40);
  assert.equal(broker.lines().length, 2, "who is known is no newcomer");
  visit.moved();
  await tick();
  assert.equal(broker.lines().length, 3);
});

test("what you say goes out reliably, and hangs over your head", async () => {
  const { broker, walker, visit } = await begun();
  assert.deepEqual(await visit.say("  Hello\nthere "), { name: "Ada", text: "Hello there" });
  assert.deepEqual(broker.lines(), [{ name: "Ada", text: "Hello there" }]);
  assert.equal(broker.published[0]?.reliable, true);
  assert.equal(walker.bubble?.text, "Hello there");
  assert.equal(await visit.say(" \u200b "), undefined);
  assert.equal(broker.published.length, 1);
});

test("what others say is told and hangs over their heads", async () => {
  const { crowd, heard, cells, chat } = await begun();
  const topic = "demo/cell/2/2";
  const body = encodePosition({ run: 0, sender: 4, sequence: 1, mark: topicMark(topic), time: 7, x: 9, y: 9 });
  cells.callback({ topic, sender: 80, body });
  chat.callback({ topic: "demo/chat", sender: 80, body: new TextEncoder().encode('{"name":"Grace","text":"Hi"}') });
  chat.callback({ topic: "demo/chat", sender: 80, body: new TextEncoder().encode("nonsense") });
  assert.deepEqual(heard, ["80 Grace: Hi"]);
  const [avatar] = crowd.avatars();
  assert.deepEqual([avatar?.name, avatar?.bubble?.text], ["Grace", "Hi"]);
});

test("another name is told, a blank one is none", async () => {
  const { broker, visit, tick } = await begun();
  await tick();
  visit.rename("  ");
  visit.rename("Lin");
  await tick();
  assert.deepEqual(
    broker.lines().map(({ name }) => name),
    ["Ada", "Lin"],
  );
});
