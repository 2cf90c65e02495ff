import assert from "node:assert/strict";
import { test } from "node:test";
import { spark } from "../src/sparkline.ts";

const BOX = { width: 60, height: 13, span: 60 };

function samples(...values: (number | null)[]): { time: number; value: number | null }[] {
  return values.map((value, index) => ({ time: index, value }));
}

test("time runs to the right edge, values from the bottom to the top", () => {
  const { line, area, peak } = spark(samples(0, 5, 10), 2, BOX);
  assert.equal(line, "M58 11.5L59 6.5L60 1.5");
  assert.equal(area, "M58 13L58 11.5L59 6.5L60 1.5V13Z");
  assert.equal(peak, 10);
});

test("a value that is missing is a gap, and so is a time without samples", () => {
  assert.equal(spark(samples(1, 1, null, 1, 1), 4, BOX).line.match(/M/g)?.length, 2);
  const late = [
    { time: 0, value: 1 },
    { time: 1, value: 1 },
    { time: 9, value: 1 },
  ];
  assert.equal(spark(late, 9, BOX).line, "M51 1.5L52 1.5M60 1.5h0");
});

test("what is older than the box, or of tomorrow, is not drawn", () => {
  const { line, peak } = spark([{ time: -100, value: 99 }, ...samples(1, 2), { time: 70, value: 50 }], 1, BOX);
  assert.equal(line.match(/L/g)?.length, 1);
  assert.equal(peak, 2);
});

test("nothing but zeros is a line at the bottom; nothing at all is none", () => {
  assert.equal(spark(samples(0, 0), 1, BOX).line, "M59 11.5L60 11.5");
  assert.deepEqual(spark([], 1, BOX), { line: "", area: "", peak: 0 });
  assert.deepEqual(spark(samples(null, Number.NaN), 1, BOX), { line: "", area: "", peak: 0 });
});
