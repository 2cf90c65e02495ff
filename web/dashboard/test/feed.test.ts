import assert from "node:assert/strict";
import { test } from "node:test";
import { Feed, type Phase, type Socket } from "../src/feed.ts";
import type { Frame } from "../src/frames.ts";
import { frame, hello, server } from "./cluster.ts";

class FakeSocket implements Socket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  sent: string[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.({} as Event);
  }

  say(message: Frame | string): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) } as MessageEvent);
  }

  end(code: number, reason = ""): void {
    this.onclose?.({ code, reason } as CloseEvent);
  }
}

/** A page's surroundings with a clock that is turned by hand. */
class World {
  time = 0;
  sockets: FakeSocket[] = [];
  frames: Frame[] = [];
  phases: Phase[] = [];
  #timers: { at: number; call: () => void }[] = [];

  feed = new Feed(
    {
      open: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        return socket;
      },
      now: () => this.time,
      random: () => 1,
      after: (milliseconds, call) => {
        const timer = { at: this.time + milliseconds, call };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
        };
      },
    },
    { frame: (news) => this.frames.push(news), phase: (phase) => this.phases.push(phase) },
  );

  get socket(): FakeSocket {
    const last = this.sockets[this.sockets.length - 1];
    assert.ok(last);
    return last;
  }

  get timers(): number {
    return this.#timers.length;
  }

  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) {
        break;
      }
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.time = next.at;
      next.call();
    }
    this.time = end;
  }
}

function live(token = ""): World {
  const world = new World();
  world.feed.start(token);
  world.socket.open();
  world.socket.say(hello());
  world.socket.say(frame(1, [server("1")]));
  return world;
}

test("the first frame is the token, or nothing in braces", () => {
  assert.deepEqual(live("a.b.c").socket.sent, ['{"token":"a.b.c"}']);
  assert.deepEqual(live().socket.sent, ["{}"]);
});

test("it is live with the first state, and frames go on", () => {
  const world = live();
  assert.deepEqual(
    world.phases.map((phase) => phase.kind),
    ["connecting", "live"],
  );
  world.socket.say(frame(2, []));
  world.socket.say('{"type":"of tomorrow"}');
  assert.equal(world.frames.length, 3);
  assert.equal(world.phases.length, 2);
});

test("a lost connection is tried again, later and later, at most every 15 s", () => {
  const world = live();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    world.socket.end(1006);
    const phase = world.feed.phase;
    assert.ok(phase.kind === "lost");
    waits.push(phase.retryAt - world.time);
    world.pass(phase.retryAt - world.time);
    assert.equal(world.feed.phase.kind, "connecting");
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  assert.equal(world.sockets.length, 9);
});

test("a hello begins the waiting from the start", () => {
  const world = live();
  world.socket.end(1006);
  world.pass(500);
  world.socket.end(1006);
  world.pass(1000);
  world.socket.open();
  world.socket.say(hello());
  world.socket.end(1006);
  assert.ok(world.feed.phase.kind === "lost");
  assert.equal(world.feed.phase.retryAt - world.time, 500);
});

test("trying now needs no waiting, and only where something is waited for", () => {
  const world = live();
  world.feed.retry();
  assert.equal(world.sockets.length, 1);
  world.socket.end(4006, "the coordinator is stopping");
  assert.deepEqual(world.feed.phase, { kind: "lost", why: "the coordinator is stopping", retryAt: 500 });
  world.feed.retry();
  assert.equal(world.sockets.length, 2);
  world.pass(9000);
  assert.equal(world.sockets.length, 2, "the old timer is gone");
});

test("silence is an end, though TCP says nothing", () => {
  const world = live();
  const silent = world.socket;
  world.pass(5_900);
  world.socket.say(frame(2, []));
  world.pass(5_900);
  assert.equal(world.feed.phase.kind, "live");
  world.pass(200);
  assert.equal(world.feed.phase.kind, "lost");
  assert.ok(silent.closed);
  silent.say(frame(3, []));
  assert.equal(world.frames.length, 3, "nobody listens to it any more");
});

test("a socket that never opens is given up", () => {
  const world = new World();
  world.feed.start("");
  world.pass(10_000);
  assert.equal(world.feed.phase.kind, "lost");
});

test("without a token one is wanted; nothing is tried until there is one", () => {
  const world = new World();
  world.feed.start("");
  world.socket.open();
  world.socket.end(4210, "a token is needed");
  assert.deepEqual(world.feed.phase, { kind: "token", trouble: "wanted" });
  assert.equal(world.timers, 0);
  world.feed.retry();
  world.pass(100_000);
  assert.equal(world.sockets.length, 1);
  world.feed.start("a.b.c");
  assert.equal(world.sockets.length, 2);
});

test("a token may be refused, expire, be too early, be another role's", () => {
  for (const [code, trouble] of [
    [4210, "refused"],
    [4212, "expired"],
    [4213, "early"],
    [4214, "role"],
  ] as const) {
    const world = live("a.b.c");
    world.socket.end(code);
    assert.deepEqual(world.feed.phase, { kind: "token", trouble });
  }
});

test("too many viewers is no loss, and is tried with patience", () => {
  const world = new World();
  world.feed.start("");
  world.socket.open();
  world.socket.end(4100, "32 dashboards are open already");
  assert.deepEqual(world.feed.phase, { kind: "full", retryAt: 10_000 });
  world.pass(10_000);
  assert.equal(world.sockets.length, 2);
});

test("a new start ends what was before", () => {
  const world = live();
  const old = world.socket;
  world.feed.start("x.y.z");
  assert.ok(old.closed);
  assert.equal(world.timers, 1, "of the new socket's hello alone");
});
