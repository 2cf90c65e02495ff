import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenOf } from "../src/access.ts";
import { Frames } from "../src/frames.ts";
import { texts } from "../src/hud.ts";
import { Keys, stickDirection } from "../src/input.ts";
import { Pinger } from "../src/pinger.ts";
import { Camera } from "../src/view/camera.ts";
import { wrap } from "../src/view/labels.ts";
import { hueOf } from "../src/view/theme.ts";
import { Rate } from "../src/world/rate.ts";
import { Walker } from "../src/world/walker.ts";

test("the token is what the fragment says", () => {
  assert.equal(tokenOf("#token=abc.def-_"), "abc.def-_");
  assert.equal(tokenOf("#x=1&token=abc"), "abc");
  assert.equal(tokenOf("#token="), undefined);
  assert.equal(tokenOf(""), undefined);
});

test("keys point in eight directions, none of them faster", () => {
  const keys = new Keys();
  assert.ok(keys.press("KeyW"));
  assert.deepEqual(keys.direction(), { dx: 0, dy: -1 });
  keys.press("ArrowRight");
  assert.ok(Math.abs(Math.hypot(keys.direction().dx, keys.direction().dy) - 1) < 1e-9);
  keys.press("ArrowUp");
  keys.press("ArrowLeft");
  assert.deepEqual(keys.direction(), { dx: 0, dy: -1 });
  keys.clear();
  assert.deepEqual(keys.direction(), { dx: 0, dy: 0 });
  assert.ok(!keys.press("KeyX"));
});

test("a stick has a middle where it does nothing and an end", () => {
  assert.deepEqual(stickDirection(3, 3), { dx: 0, dy: 0 });
  assert.deepEqual(stickDirection(28, 0), { dx: 0.5, dy: 0 });
  assert.deepEqual(stickDirection(0, -500), { dx: 0, dy: -1 });
});

test("you come to speed, and stop at the edge", () => {
  const you = new Walker(12, 12);
  for (let frame = 0; frame < 60; frame++) you.step(1, 0, 1 / 60, frame / 60);
  assert.ok(you.x > 14 && you.x < 14.7, String(you.x));
  assert.ok(Math.abs(you.heading) < 0.01);
  for (let frame = 0; frame < 600; frame++) you.step(1, 0, 1 / 60, frame / 60);
  assert.ok(you.x < 24 && you.x > 23);
  you.step(-1, 0, 1000, 1000);
  assert.ok(you.x > 22, "a pause of the page is no step");
});

test("a rate is that of the last moments", () => {
  const rate = new Rate();
  assert.equal(rate.perSecond(0), 0);
  for (let number = 0; number < 60; number++) rate.note(10 + number / 20);
  assert.ok(Math.abs(rate.perSecond(13) - 20) < 1.5, String(rate.perSecond(13)));
  assert.equal(rate.perSecond(20), 0);
});

test("readings are told in words", () => {
  const none = { state: "connected", server: 1, inPerS: 12.4, outPerS: 20, others: 3, fps: 59.7, worstFrame: 0.0171 } as const;
  assert.deepEqual(texts({ ...none, rtt: undefined, loss: undefined }), {
    rtt: "–",
    in: "12/s",
    out: "20/s",
    loss: "–",
    others: "3",
    fps: "60 (longest 17 ms)",
  });
  assert.equal(texts({ ...none, rtt: 0.00134, loss: 0.0123 }).rtt, "1.3 ms");
  assert.equal(texts({ ...none, rtt: 0.0834, loss: 0.0123 }).loss, "1.2 %");
});

test("frames are counted over a second", () => {
  const frames = new Frames();
  assert.equal(frames.perSecond, 0);
  for (let frame = 0; frame <= 300; frame++) frames.note(frame / 60);
  frames.note(5.1);
  assert.ok(Math.abs(frames.perSecond - 56) < 1.5, String(frames.perSecond));
  assert.ok(Math.abs(frames.worst - 0.1) < 1e-9);
});

test("one ping at a time, none without a connection", async () => {
  const broker = {
    state: "connected" as "connected" | "reconnecting",
    pings: 0,
    answer: Promise.resolve(0.002),
    ping: async () => 0,
  };
  broker.ping = () => {
    broker.pings++;
    return broker.answer;
  };
  let now = 5;
  const pinger = new Pinger(broker, () => now++);
  await Promise.all([pinger.ask(), pinger.ask()]);
  assert.deepEqual([broker.pings, pinger.rtt, pinger.answeredAt], [1, 0.002, 6]);
  broker.answer = Promise.reject(new Error("not in time"));
  await pinger.ask();
  assert.deepEqual([pinger.rtt, pinger.answeredAt], [undefined, 6]);
  broker.state = "reconnecting";
  await pinger.ask();
  assert.equal(broker.pings, 2);
});

test("what the camera looks at is in the middle, in whole pixels", () => {
  const camera = new Camera();
  camera.resize(390, 844, 3);
  camera.lookAt(7.123, 3.456);
  assert.deepEqual([camera.width, camera.height], [1170, 2532]);
  assert.ok(Math.abs(camera.toX(camera.x) - 585) < 1e-6);
  const [left, , right] = camera.seen();
  assert.ok(Math.abs(right - left - 1170 / camera.scale) < 1e-9);
  assert.ok(right - left > 9 && right - left < 14, "a phone sees about what is heard");
});

test("text is wrapped at words, and cut where it must be", () => {
  const measure = (text: string): number => text.length;
  assert.deepEqual(wrap("one two three four", 9, 4, measure), ["one two", "three", "four"]);
  assert.deepEqual(wrap("abcdefghijkl", 5, 4, measure), ["abcde", "fghij", "kl"]);
  assert.deepEqual(wrap("aaaa bbbb cccc dddd", 4, 2, measure), ["aaaa", "bbb…"]);
  assert.deepEqual(wrap("", 5, 3, measure), [""]);
});

test("neighbours have colours far apart", () => {
  for (let alias = 1; alias < 50; alias++) {
    const apart = Math.abs(hueOf(alias) - hueOf(alias + 1));
    assert.ok(Math.min(apart, 360 - apart) > 60);
  }
  assert.ok(hueOf(2 ** 42 - 1) >= 0 && hueOf(2 ** 42 - 1) <= 360);
});
