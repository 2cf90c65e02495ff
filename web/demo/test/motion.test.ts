import assert from "node:assert/strict";
import { test } from "node:test";
import { DELAY_S, Motion, type Pose } from "../src/world/motion.ts";

const STEP_S = 0.05;
const SPEED = 1.3;

interface Sent {
  time: number;
  x: number;
  arrival: number;
}

/** Somebody who walks to the right; packets take `travel(number)` seconds, those where it is NaN are lost. */
function walk(count: number, travel: (number: number) => number, skew = 1000): Sent[] {
  return Array.from({ length: count }, (_, number) => {
    const time = number * STEP_S;
    return { time: time + skew, x: time * SPEED, arrival: time + travel(number) };
  })
    .filter(({ arrival }) => !Number.isNaN(arrival))
    .sort((a, b) => a.arrival - b.arrival);
}

/** Plays it at 60 frames a second; returns what was shown from `from` on. */
function play(sent: Sent[], from: number, until: number): { now: number; x: number; vx: number }[] {
  const motion = new Motion();
  const pose: Pose = { x: 0, y: 0, vx: 0, vy: 0 };
  const shown = [];
  const queue = [...sent];
  for (let frame = 0; frame / 60 < until; frame++) {
    const now = frame / 60;
    while (queue[0] && queue[0].arrival <= now) {
      const { time, x, arrival } = queue.shift() as Sent;
      motion.add(time, x, 5, arrival);
    }
    if (motion.at(now, pose) && now >= from) shown.push({ now, x: pose.x, vx: pose.vx });
  }
  return shown;
}

/** The greatest difference between what is shown and a way at an even pace. */
function roughness(shown: { now: number; x: number }[]): number {
  const first = shown[0];
  assert.ok(first);
  return Math.max(...shown.map(({ now, x }) => Math.abs(x - first.x - (now - first.now) * SPEED)));
}

/** Repeatable noise, 0 to 1. */
const noise = (number: number): number => (((Math.sin(number * 12.9898) * 43758.5453) % 1) + 1) % 1;

test("an even pace is shown evenly, a fixed time ago", () => {
  const shown = play(
    walk(100, () => 0.03),
    1,
    4,
  );
  assert.ok(roughness(shown) < 0.002, String(roughness(shown)));
  const some = shown[30];
  assert.ok(some);
  assert.ok(Math.abs(some.x - (some.now - 0.03 - DELAY_S) * SPEED) < 0.01);
  assert.ok(Math.abs(some.vx - SPEED) < 0.01);
});

test("jitter does not shake it", () => {
  const shown = play(
    walk(100, (number) => 0.01 + 0.06 * noise(number)),
    1.5,
    4,
  );
  assert.ok(roughness(shown) < 0.02, String(roughness(shown)));
});

test("packets in another order are put in order", () => {
  const shown = play(
    walk(100, (number) => (number % 5 === 2 ? 0.1 : 0.01)),
    1,
    4,
  );
  assert.ok(roughness(shown) < 0.005, String(roughness(shown)));
});

test("a packet or four that are lost are not seen, more in a row make a short stop", () => {
  const one = play(
    walk(100, (number) => (number % 7 === 3 ? Number.NaN : 0.02)),
    1,
    4,
  );
  assert.ok(roughness(one) < 0.005, String(roughness(one)));
  const four = play(
    walk(100, (number) => (number >= 40 && number < 44 ? Number.NaN : 0.02)),
    1,
    4,
  );
  assert.ok(roughness(four) < 0.01, String(roughness(four)));
  const eight = play(
    walk(100, (number) => (number >= 40 && number < 48 ? Number.NaN : 0.02)),
    1,
    4,
  );
  assert.ok(roughness(eight) < 0.45, String(roughness(eight)));
  assert.ok(roughness(eight.filter(({ now }) => now > 3)) < 0.005);
});

test("without packets it goes on for a moment, then stands", () => {
  const shown = play(
    walk(40, () => 0.02),
    3,
    5,
  );
  const last = shown[shown.length - 1];
  assert.ok(last);
  assert.equal(last.vx, 0);
  assert.ok(Math.abs(last.x - 39 * STEP_S * SPEED) < 0.001);
});

test("a path that grows longer is followed without a jump", () => {
  const shown = play(
    walk(200, (number) => (number < 60 ? 0.01 : 0.09)),
    1,
    9,
  );
  const steps = shown.slice(1).map(({ x }, index) => x - (shown[index]?.x ?? x));
  assert.ok(Math.max(...steps) < (SPEED / 60) * 1.5, "never much faster");
  assert.ok(Math.min(...steps) >= 0, "never back");
  const some = shown[shown.length - 1];
  assert.ok(some);
  assert.ok(Math.abs(some.x - (some.now - 0.09 - DELAY_S) * SPEED) < 0.03, "in the end as late as at first");
});

test("nobody slides over a jump or an absence", () => {
  for (const [time, x] of [
    [0.05, 10],
    [1.5, 1],
  ] as const) {
    const motion = new Motion();
    const pose: Pose = { x: 0, y: 0, vx: 0, vy: 0 };
    motion.add(0, 0, 0, 0.01);
    motion.add(time, x, 0, time + 0.01);
    for (let now = 0.1; now < time + 0.5; now += 0.01) {
      motion.at(now, pose);
      assert.ok(pose.x === 0 || pose.x === x, `${pose.x} at ${now}`);
    }
    assert.equal(pose.x, x);
  }
});

test("a sender whose clock begins anew is followed at once", () => {
  const motion = new Motion();
  const pose: Pose = { x: 0, y: 0, vx: 0, vy: 0 };
  for (let number = 0; number < 20; number++) motion.add(5000 + number * STEP_S, 1, 1, number * STEP_S);
  for (let number = 0; number < 10; number++) motion.add(number * STEP_S, 2, 2, 1 + number * STEP_S);
  motion.at(1.5, pose);
  assert.deepEqual([pose.x, pose.y], [2, 2]);
});

test("it knows nothing before the first packet, and keeps but the latest", () => {
  const motion = new Motion();
  const pose: Pose = { x: 0, y: 0, vx: 0, vy: 0 };
  assert.equal(motion.at(1, pose), false);
  assert.equal(motion.ahead(1), undefined);
  for (let number = 0; number < 10_000; number++) motion.add(number * STEP_S, number, 0, number * STEP_S);
  assert.ok(Reflect.get(motion, "samples").length <= 24);
  assert.ok(Reflect.get(motion, "travels").length <= 40);
  motion.add(9999 * STEP_S - 2, -5, 0, 500);
  assert.equal(motion.ahead(0)?.x, 9999, "one that is far too late changes nothing");
});

test("it thinks ahead", () => {
  const motion = new Motion();
  motion.add(0, 0, 0, 0);
  motion.add(0.05, 0.1, 0.05, 0.05);
  const ahead = motion.ahead(0.5);
  assert.ok(ahead && Math.abs(ahead.x - 1.1) < 1e-9 && Math.abs(ahead.y - 0.55) < 1e-9);
});
