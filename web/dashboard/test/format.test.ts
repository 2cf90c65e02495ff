import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as format from "../src/format.ts";

/** Narrow spaces as plain ones, to be read here. */
function plain(text: string): string {
  return text.replaceAll(format.THIN, " ");
}

function says(write: (value: number) => string, cases: readonly (readonly [number, string])[]): void {
  for (const [value, text] of cases) {
    assert.equal(plain(write(value)), text, String(value));
  }
}

test("counts are exact while they are short, then three figures and a unit", () => {
  says(format.count, [
    [0, "0"],
    [7, "7"],
    [999, "999"],
    [1204, "1 204"],
    [9999, "9 999"],
    [12_345, "12.3 k"],
    [999_499, "999 k"],
    [999_600, "1.00 M"],
    [2_000_000, "2 M"],
    [7.3e9, "7.30 G"],
    [Number.NaN, "–"],
  ]);
});

test("short counts leave out what there is no room for", () => {
  says(format.shortCount, [
    [57, "57"],
    [1204, "1.20k"],
    [123_456, "123k"],
    [Number.POSITIVE_INFINITY, "–"],
  ]);
});

test("rates say per second, and small ones are not lost", () => {
  says(format.perSecond, [
    [0, "0/s"],
    [0.041, "0.04/s"],
    [0.25, "0.3/s"],
    [3, "3.0/s"],
    [9.96, "10/s"],
    [12.34, "12/s"],
    [999.7, "1.00 k/s"],
    [2_520, "2.52 k/s"],
    [Number.NaN, "–"],
  ]);
});

test("bytes go by 1024", () => {
  says(format.bytes, [
    [0, "0 B"],
    [512.4, "512 B"],
    [1023.8, "1 KiB"],
    [1536, "1.50 KiB"],
    [132e6, "126 MiB"],
    [8.5e12, "7.73 TiB"],
  ]);
  assert.equal(plain(format.bytesPerSecond(1_200_000)), "1.14 MiB/s");
  assert.equal(format.bytesPerSecond(Number.NaN), "–");
});

test("latency is written in the unit that suits it", () => {
  says(format.latency, [
    [0.0004, "0 µs"],
    [0.085, "85 µs"],
    [0.9999, "1.00 ms"],
    [1.238, "1.24 ms"],
    [45.67, "45.7 ms"],
    [3100, "3.10 s"],
  ]);
  assert.equal(format.latency(null), "–");
  assert.equal(format.latency(undefined), "–");
});

test("shares are percent, and a little is told from nothing", () => {
  says(format.percent, [
    [0, "0 %"],
    [0.00001, "< 0.01 %"],
    [0.0012, "0.12 %"],
    [0.021, "2.1 %"],
    [0.43, "43 %"],
    [1.27, "127 %"],
  ]);
  assert.equal(format.percent(null), "–");
  says(format.cores, [
    [0.83, "83 %"],
    [62.1, "62.1 cores"],
  ]);
});

test("durations have two units at most", () => {
  says(format.duration, [
    [0.4, "0 s"],
    [59, "59 s"],
    [120, "2 min"],
    [125, "2 min 5 s"],
    [11_520, "3 h 12 min"],
    [90_000, "1 d 1 h"],
    [86_460, "1 d"],
    [-5, "0 s"],
    [Number.NaN, "–"],
  ]);
});

test("the clock is the reader's", () => {
  assert.equal(format.clock(1_000_000_000, "UTC"), "01:46:40");
  assert.equal(format.clock(1_000_000_000, "Asia/Tokyo"), "10:46:40");
  assert.equal(format.clock(Number.NaN), "–");
});

test("one is not many", () => {
  assert.equal(format.plural(1, "server"), "1 server");
  assert.equal(format.plural(0, "server"), "0 servers");
  assert.equal(format.plural(2, "box", "boxes"), "2 boxes");
});

test("long names keep their end", () => {
  assert.equal(format.shortName("123", 6), "123");
  assert.equal(format.shortName("3531476936151", 6), "…36151");
});

test("what hides in a stranger's text is written out", () => {
  assert.equal(format.visible("room/1 é שלום <b>"), "room/1 é שלום <b>");
  assert.equal(format.visible("a\u202eb\u0000c\u200b"), "aU+202EbU+0000cU+200B");
});

test("no number makes a text that breaks the layout", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e15, noNaN: true }), (value) => {
      for (const write of [format.count, format.rate, format.bytes]) {
        assert.match(plain(write(value)), /^(\d{1,4}|\d \d{3}|\d{1,3}\.\d{1,2})( ([kMGT]|B|[KMGTP]iB))?$/);
      }
    }),
  );
});
