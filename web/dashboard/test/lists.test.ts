import assert from "node:assert/strict";
import { test } from "node:test";
import { groupOf, shownLines, tally } from "../src/logFilter.ts";
import { Calm, ORDERS, type Order, ordered, REORDER_S } from "../src/order.ts";
import { line, server } from "./cluster.ts";

function names(servers: readonly { alias: string }[]): string {
  return servers.map(({ alias }) => alias).join(" ");
}

test("names that are numbers sort as numbers", () => {
  assert.equal(names(ordered([server("100"), server("9"), server("20"), server("10")], "name")), "9 10 20 100");
});

test("by any measure the highest comes first, and names decide between equals", () => {
  const rates = (packets_out: number) => ({ packets_in: 0, packets_out, bytes_in: 0, bytes_out: 0, records: 0, deliveries: 0 });
  const servers = [
    server("3"),
    server("1"),
    server("2", {
      clients: 5,
      rates: rates(7),
      latency_ms: { p50: 0, p99: 0.1 },
      drops: [{ reason: "slow", count: 1, rate: 2 }],
      cpu: 0.5,
    }),
  ];
  for (const order of Object.keys(ORDERS) as Order[]) {
    assert.equal(names(ordered(servers, order)), order === "name" ? "1 2 3" : "2 1 3", order);
  }
});

test("an order holds for a while, though measures change each second", () => {
  const calm = new Calm<{ alias: string }>((item) => item.alias);
  const items = (text: string) => text.split(" ").map((alias) => ({ alias }));
  assert.equal(names(calm.order(items("a b c"), 10)), "a b c");
  assert.equal(names(calm.order(items("c b a"), 11)), "a b c");
  assert.equal(names(calm.order(items("d c b"), 12)), "b c d", "the newcomer goes last, who left is gone");
  assert.equal(names(calm.order(items("d c b"), 10 + REORDER_S)), "d c b");
  calm.forget();
  assert.equal(names(calm.order(items("b c d"), 10 + REORDER_S)), "b c d");
  assert.equal(names(calm.order(items("c b d"), 3)), "c b d", "a clock that steps back does not freeze it");
});

test("every kind of line has its button, but for what must not be hidden", () => {
  assert.equal(groupOf("link-down"), "Links");
  assert.equal(groupOf("server-joined"), "Servers");
  assert.equal(groupOf("operator"), "Operators");
  assert.equal(groupOf("lost-events"), null);
});

test("lines are counted by button, and nothing chosen is everything", () => {
  const log = [line(1), line(2, { kind: "link-up" }), line(3, { kind: "link-down" }), line(4, { kind: "lost-events" })];
  assert.equal(tally(log).get("Links"), 2);
  assert.equal(tally(log).get("Joins"), 1);
  assert.equal(tally(log).get("States"), 0);
  assert.equal(shownLines(log, new Set()), 4);
  assert.equal(shownLines(log, new Set(["Links"])), 3, "what was lost is always told");
});
