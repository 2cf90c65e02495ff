import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HUB, layout, linkPath, type Place, pictureHeight } from "../src/layout.ts";
import { linksOf, linkWidth, MAX_LINKS } from "../src/links.ts";
import { server } from "./cluster.ts";

function link(alias: string, bytes_in: number, bytes_out: number) {
  return { alias, bytes_in, bytes_out };
}

test("two views of a link are one line; of each direction the larger view counts", () => {
  const { drawn, total, flow } = linksOf([
    server("2", { links: [link("1", 30, 10)] }),
    server("1", { links: [link("2", 12, 20)] }),
  ]);
  assert.deepEqual(drawn, [{ key: "1 2", from: "1", to: "2", forth: 30, back: 12 }]);
  assert.equal(total, 1);
  assert.equal(flow, 42);
});

test("a link that only one end tells of is drawn, one to nobody is not", () => {
  const { drawn } = linksOf([server("1", { links: [link("2", 1, 2), link("gone", 9, 9), link("1", 9, 9)] }), server("2")]);
  assert.deepEqual(
    drawn.map(({ key, forth, back }) => ({ key, forth, back })),
    [{ key: "1 2", forth: 2, back: 1 }],
  );
});

test("of very many links the busiest are drawn, and all are counted", () => {
  const aliases = Array.from({ length: 30 }, (_, index) => String(100 + index));
  const servers = aliases.map((alias, index) =>
    server(alias, { links: aliases.filter((other) => other !== alias).map((other) => link(other, index, index)) }),
  );
  const { drawn, total } = linksOf(servers);
  assert.equal(total, (30 * 29) / 2);
  assert.equal(drawn.length, MAX_LINKS);
  assert.ok(drawn.every((one) => one.forth + one.back > 0));
});

test("more traffic is a wider line, within bounds", () => {
  const widths = [0, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e12].map((bytes) => linkWidth(bytes));
  assert.deepEqual(
    widths,
    [...widths].sort((one, other) => one - other),
  );
  assert.equal(widths[0], 1);
  assert.equal(widths[widths.length - 1], 10);
  assert.ok(new Set(widths).size >= 6);
  assert.ok(linkWidth(1e6, true) < linkWidth(1e6));
});

const CASES = fc.record({ width: fc.integer({ min: 300, max: 1500 }), servers: fc.integer({ min: 1, max: 200 }) });

test("every server has its place inside the picture, and none lies on the coordinator", () => {
  fc.assert(
    fc.property(CASES, ({ width, servers }) => {
      const { places, centre, half, height } = layout(width, pictureHeight(width, servers), servers);
      assert.equal(places.length, servers);
      for (const { x, y } of places) {
        assert.ok(x >= half.x && x <= width - half.x && y >= half.y && y <= height - half.y, `${x} ${y} of ${width} ${height}`);
        assert.ok(Math.abs(x - centre.x) > HUB.x || Math.abs(y - centre.y) > HUB.y, `${x} ${y} is behind the coordinator`);
      }
    }),
  );
});

test("no server covers the coordinator or is covered by it, neither on a laptop nor on a phone", () => {
  for (let width = 320; width <= 1000; width += 10) {
    for (let servers = 1; servers <= 60; servers += 1) {
      const { places, centre, half, size } = layout(width, pictureHeight(width, servers), servers);
      for (const { x, y } of places) {
        const apart = Math.max(Math.abs(x - centre.x) - HUB.x - half.x, Math.abs(y - centre.y) - HUB.y - half.y);
        assert.ok(apart > -1, `one of ${servers} of size ${size} at ${width}: ${apart}`);
      }
    }
  }
});

test("servers do not hide each other, neither on a laptop nor on a phone", () => {
  for (const width of [760, 340]) {
    for (let servers = 1; servers <= 200; servers += 1) {
      const { places, size, half } = layout(width, pictureHeight(width, servers), servers);
      const apart = size === "card" ? half.y : half.x;
      assert.ok(closest(places) > 1.6 * apart, `${servers} of size ${size} at ${width}: ${closest(places)}`);
    }
  }
});

function closest(places: readonly Place[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const [index, one] of places.entries()) {
    for (const other of places.slice(index + 1)) {
      least = Math.min(least, Math.hypot(one.x - other.x, one.y - other.y));
    }
  }
  return least;
}

test("links pass by the coordinator, and are straight where it is not in the way", () => {
  const centre = { x: 300, y: 200 };
  assert.equal(linkPath({ x: 0, y: 0 }, { x: 600, y: 10 }, centre), "M0 0L600 10");
  assert.equal(linkPath({ x: 0, y: 200 }, { x: 100, y: 200 }, centre), "M0 200L100 200");
  const across = linkPath({ x: 0, y: 200 }, { x: 600, y: 200 }, centre).match(/^M0 200Q300 ([\d.]+) 600 200$/);
  assert.ok(across);
  // the curve's middle lies half way to its control point
  assert.ok(Math.abs(Number(across[1]) - 200) / 2 >= HUB.y);
});
