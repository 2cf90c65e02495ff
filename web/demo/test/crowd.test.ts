import assert from "node:assert/strict";
import { test } from "node:test";
import { type Avatar, Crowd, MAX_AVATARS } from "../src/world/crowd.ts";
import { topicOf } from "../src/world/grid.ts";
import { LossMeter } from "../src/world/loss.ts";

const MIDDLE = { x: 2, y: 2 };
const FRAME_S = 1 / 60;

class Scene {
  readonly loss = new LossMeter();
  readonly crowd = new Crowd(this.loss);
  now = 10;

  hear(sender: number, x: number, y: number, bot?: number): void {
    const sequence = Math.round(this.now * 20);
    this.crowd.hear({ sender, bot, topic: topicOf(MIDDLE), sequence, time: this.now, x, y }, this.now);
  }

  /** Goes on for so many seconds, and has somebody send 20 times a second. */
  play(seconds: number, send?: (scene: Scene) => void): void {
    const end = this.now + seconds;
    let next = this.now;
    while (this.now < end) {
      if (send && this.now >= next) {
        send(this);
        next += 0.05;
      }
      this.crowd.frame(this.now, FRAME_S, MIDDLE);
      this.now += FRAME_S;
    }
  }

  only(): Avatar {
    const [avatar, ...more] = this.crowd.avatars();
    assert.ok(avatar);
    assert.equal(more.length, 0);
    return avatar;
  }
}

test("they come in softly with their first packet", () => {
  const scene = new Scene();
  scene.hear(7, 9, 9, 3);
  scene.play(0.1, (each) => each.hear(7, 9, 9, 3));
  const avatar = scene.only();
  assert.ok(avatar.opacity > 0 && avatar.opacity < 0.5);
  scene.play(0.5, (each) => each.hear(7, 9, 9, 3));
  assert.equal(avatar.opacity, 1);
  assert.deepEqual([avatar.x, avatar.y, avatar.bot, avatar.name], [9, 9, 3, "bot 3"]);
});

test("one who stands among us stays for a while without a packet, then fades and is forgotten", () => {
  const scene = new Scene();
  scene.play(1, (each) => each.hear(7, 9, 9));
  scene.play(2);
  assert.equal(scene.only().opacity, 1);
  scene.play(1.2);
  assert.equal(scene.crowd.size, 0);
});

test("one who walked out of what is heard fades at once", () => {
  const scene = new Scene();
  scene.play(1, (each) => each.hear(7, 14.9 + 1.3 * (each.now - 10), 9));
  const avatar = scene.only();
  scene.play(0.8);
  assert.equal(avatar.opacity, 0);
  scene.play(0.1, (each) => each.hear(7, 15.8, 9));
  assert.ok(avatar.opacity > 0, "and comes back");
});

test("those that are left behind fade at once", () => {
  const scene = new Scene();
  scene.play(1, (each) => each.hear(7, 21, 9));
  scene.play(0.8);
  assert.equal(scene.only().opacity, 0);
});

test("names are known before and after, of so many only", () => {
  const scene = new Scene();
  scene.crowd.name(7, "Ada");
  scene.hear(7, 9, 9);
  scene.hear(8, 9, 9);
  assert.deepEqual(
    [...scene.crowd.avatars()].map((avatar) => avatar.name),
    ["Ada", "someone"],
  );
  scene.crowd.name(8, "Grace");
  assert.deepEqual(
    [...scene.crowd.avatars()].map((avatar) => avatar.name),
    ["Ada", "Grace"],
  );
  for (let sender = 100; sender < 2000; sender++) scene.crowd.name(sender, "x");
  assert.ok(!scene.crowd.isNamed(100));
  assert.ok(scene.crowd.isNamed(1999));
  assert.ok(Reflect.get(scene.crowd, "names").size <= 500);
});

test("what is said hangs over its speaker for a while, and over nobody who is not here", () => {
  const scene = new Scene();
  scene.hear(7, 9, 9);
  scene.crowd.say(7, "Hello", scene.now);
  scene.crowd.say(8, "Hello?", scene.now);
  assert.equal(scene.only().bubble?.text, "Hello");
  scene.play(3, (each) => each.hear(7, 9, 9));
  assert.equal(scene.only().bubble?.text, "Hello");
  scene.play(1.5, (each) => each.hear(7, 9, 9));
  assert.equal(scene.only().bubble, undefined);
});

test("figures turn to where they go, and take steps", () => {
  const scene = new Scene();
  scene.play(2, (each) => each.hear(7, 8 + 1.3 * (each.now - 10), 9));
  const avatar = scene.only();
  assert.ok(Math.abs(avatar.heading) < 0.05, String(avatar.heading));
  assert.ok(avatar.walked > 1.5 && avatar.walked < 2.6, String(avatar.walked));
});

test("however many send, so many are shown", () => {
  const scene = new Scene();
  for (let sender = 1; sender <= 2 * MAX_AVATARS; sender++) scene.hear(sender, 9, 9);
  assert.equal(scene.crowd.size, MAX_AVATARS);
  scene.play(3.5);
  assert.equal(scene.crowd.size, 0);
});

test("what is missed while the connection is another is no loss", () => {
  const scene = new Scene();
  scene.play(1, (each) => each.hear(7, 9, 9));
  scene.now += 0.5;
  scene.crowd.restart();
  scene.play(1, (each) => each.hear(7, 9, 9));
  assert.equal(scene.loss.share(scene.now), 0);
});
