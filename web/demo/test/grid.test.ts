import assert from "node:assert/strict";
import { test } from "node:test";
import { around, cellOf, difference, isHeard, topicOf } from "../src/world/grid.ts";

test("a cell has its lower borders, not its upper ones", () => {
  assert.deepEqual(cellOf(0, 3.999), { x: 0, y: 0 });
  assert.deepEqual(cellOf(4, 7.9), { x: 1, y: 1 });
  assert.deepEqual(cellOf(-0.001, -4.001), { x: -1, y: -2 });
});

test("nine cells are around, named as the bots name them", () => {
  const topics = around({ x: 0, y: 5 });
  assert.equal(new Set(topics).size, 9);
  assert.ok(topics.includes("demo/cell/-1/4"));
  assert.ok(topics.includes("demo/cell/1/6"));
  assert.ok(topics.includes(topicOf({ x: 0, y: 5 })));
});

test("a step into the next cell changes three topics, one across a corner five", () => {
  const held = around({ x: 2, y: 2 });
  const straight = difference(held, around({ x: 3, y: 2 }));
  assert.deepEqual(straight.add.sort(), ["demo/cell/4/1", "demo/cell/4/2", "demo/cell/4/3"]);
  assert.deepEqual(straight.remove.sort(), ["demo/cell/1/1", "demo/cell/1/2", "demo/cell/1/3"]);
  const across = difference(held, around({ x: 3, y: 3 }));
  assert.deepEqual([across.add.length, across.remove.length], [5, 5]);
  assert.deepEqual(difference(held, held), { add: [], remove: [] });
});

test("what is heard are the nine cells", () => {
  const middle = { x: 2, y: 2 };
  assert.ok(isHeard(middle, 4, 15.99));
  assert.ok(!isHeard(middle, 3.99, 10));
  assert.ok(!isHeard(middle, 10, 16));
});
