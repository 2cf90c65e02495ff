import assert from "node:assert/strict";
import { test } from "node:test";
import { LossMeter, SequenceWatch } from "../src/world/loss.ts";

/** The share after these numbers came, 50 ms apart. */
function share(numbers: number[], topics?: (number: number) => string): number | undefined {
  const meter = new LossMeter();
  const watch = new SequenceWatch(meter);
  numbers.forEach((number, index) => {
    watch.note(number, topics?.(number) ?? "a", 100 + index * 0.05);
  });
  return meter.share(100 + numbers.length * 0.05);
}

test("nothing is lost where every number comes", () => {
  assert.equal(share([7, 8, 9, 10, 11]), 0);
  assert.equal(share([]), undefined);
  assert.equal(share([5]), undefined, "one number says nothing");
});

test("a gap is a loss", () => {
  assert.equal(share([0, 1, 2, 3, 5]), 1 / 5);
  assert.equal(share([0, 4]), 3 / 4);
});

test("late ones were not lost, copies count once", () => {
  assert.equal(share([0, 1, 3, 2, 4]), 0);
  assert.equal(share([0, 1, 5, 3, 2, 4, 6]), 0);
  assert.equal(share([0, 1, 1, 2, 2, 1, 3]), 0);
  assert.equal(share([0, 1, 3, 3, 4]), 1 / 4);
});

test("a copy of one that came before a gap is no late one", () => {
  assert.equal(share([0, 1, 4, 1, 0, 5]), 2 / 5);
});

test("a gap between two cells may be an absence", () => {
  const topics = (number: number) => (number < 5 ? "a" : "b");
  assert.equal(share([1, 2, 3, 7, 8], topics), 0);
  assert.equal(share([1, 2, 3, 4, 5, 6], topics), 0);
  assert.equal(share([4, 5, 6, 8], topics), 1 / 4);
});

test("a long gap is an absence", () => {
  assert.equal(share([1, 2, 500, 501]), 0);
  const meter = new LossMeter();
  const watch = new SequenceWatch(meter);
  watch.note(1, "a", 10);
  watch.note(5, "a", 12);
  watch.note(6, "a", 12.05);
  assert.equal(meter.share(12.1), 0);
});

test("one that begins anew is watched from there", () => {
  assert.equal(share([1000, 1001, 1002, 0, 1, 2]), 0);
});

test("after a restart the next number is the first", () => {
  const meter = new LossMeter();
  const watch = new SequenceWatch(meter);
  watch.note(1, "a", 1);
  watch.note(2, "a", 1.1);
  watch.restart();
  watch.note(9, "a", 1.2);
  watch.note(10, "a", 1.3);
  assert.equal(meter.share(1.4), 0);
});

test("what was lost long ago is forgotten", () => {
  const meter = new LossMeter();
  meter.count(1, 9, 50);
  assert.equal(meter.share(50.5), 0.9);
  assert.equal(meter.share(54.9), 0.9);
  meter.count(10, 0, 55.5);
  assert.equal(meter.share(57), 0);
  assert.equal(meter.share(1000), undefined);
});
