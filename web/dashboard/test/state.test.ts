import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFrame } from "../src/frames.ts";
import { type ClusterState, dropCount, dropRate, EMPTY, MAX_LOG, reduce, SPAN_S } from "../src/state.ts";
import { frame, hello, line, point, server } from "./cluster.ts";

function ids(state: ClusterState): number[] {
  return state.log.map((entry) => entry.id);
}

test("a hello brings the history, of every server and of all together", () => {
  const history = {
    "1": [point(10, { clients: 2, p99_ms: 0.5 }), point(11, { clients: 3 })],
    "2": [point(10.01, { clients: 5, p99_ms: 0.9 })],
  };
  const state = reduce(EMPTY, hello({ history, auth: true }));
  assert.equal(state.history.get("1")?.length, 2);
  assert.deepEqual(
    state.cluster.map(({ time, clients, p99_ms }) => ({ time, clients, p99_ms })),
    [
      { time: 10, clients: 7, p99_ms: 0.9 },
      { time: 11, clients: 3, p99_ms: null },
    ],
  );
  assert.equal(state.auth, true);
  assert.equal(state.time, 0, "nothing is known to be so now");
});

test("a state adds a point to each server and to the whole", () => {
  const rates = { packets_in: 10, packets_out: 20, bytes_in: 100, bytes_out: 200, records: 9, deliveries: 19 };
  const drops = [
    { reason: "slow", count: 4, rate: 1 },
    { reason: "late", count: 6, rate: 0.5 },
  ];
  const one = server("1", { rates, clients: 3, latency_ms: { p50: 0.1, p99: 0.4 }, cpu: 0.5, drops });
  const state = reduce(EMPTY, frame(5, [one, server("2", { rates, clients: 4, cpu: 0.25 })]));
  assert.deepEqual(state.history.get("1"), [
    point(5, {
      clients: 3,
      packets_in: 10,
      packets_out: 20,
      bytes_in: 100,
      bytes_out: 200,
      drops: 1.5,
      p50_ms: 0.1,
      p99_ms: 0.4,
      cpu: 0.5,
    }),
  ]);
  const sum = state.cluster[0];
  assert.equal(sum?.packets_out, 40);
  assert.equal(sum?.clients, 7);
  assert.equal(sum?.p99_ms, 0.4);
  assert.equal(sum?.cpu, 0.75);
  assert.equal(dropRate(one), 1.5);
  assert.equal(dropCount(one), 10);
});

test("history is a minute of the servers that are here, and nothing else", () => {
  let state = reduce(EMPTY, hello({ history: { gone: [point(1)] } }));
  for (let time = 1; time <= 500; time += 1) {
    state = reduce(state, frame(time, [server("1")]));
  }
  assert.deepEqual([...state.history.keys()], ["1"]);
  assert.equal(state.history.get("1")?.length, SPAN_S + 1);
  assert.equal(state.cluster.length, SPAN_S + 1);
  assert.equal(state.history.get("1")?.[0]?.time, 500 - SPAN_S);
});

test("a clock that steps back overwrites what it has yet to live through", () => {
  let state = reduce(EMPTY, frame(100, [server("1")]));
  state = reduce(state, frame(90, [server("1")]));
  assert.deepEqual(
    state.history.get("1")?.map((old) => old.time),
    [90],
  );
});

test("the log is newest first, without repeats, and bounded", () => {
  let state = reduce(EMPTY, hello({ log: [line(1), line(2)] }));
  state = reduce(state, frame(1, [], { log: [line(2), line(3), line(4)] }));
  assert.deepEqual(ids(state), [4, 3, 2, 1]);
  const before = state.log;
  state = reduce(state, frame(2, []));
  assert.equal(state.log, before, "no news leaves the very list");
  state = reduce(state, frame(3, [], { log: Array.from({ length: 2 * MAX_LOG }, (_, index) => line(5 + index)) }));
  assert.equal(state.log.length, MAX_LOG);
  assert.equal(ids(state)[0], 4 + 2 * MAX_LOG);
});

test("a coordinator that begins anew begins its log anew", () => {
  let state = reduce(EMPTY, hello({ log: [line(900)] }));
  state = reduce(state, hello({ log: [line(1)] }));
  state = reduce(state, frame(1, [], { log: [line(2)] }));
  assert.deepEqual(ids(state), [2, 1]);
  assert.equal(state.outdated, false);
});

test("another version of the coordinator has another page, until this one is loaded again", () => {
  let state = reduce(EMPTY, hello({ version: "1.0" }));
  state = reduce(state, hello({ version: "1.1" }));
  assert.equal(state.outdated, true);
  assert.equal(reduce(state, hello({ version: "1.1" })).outdated, true);
});

test("an interval of nothing is taken for a second", () => {
  assert.equal(reduce(EMPTY, hello({ interval_s: 0 })).interval_s, 1);
});

test("frames of no known kind are none", () => {
  for (const text of ["", "nonsense", "null", "3", "[]", "{}", '{"type":"news"}']) {
    assert.equal(parseFrame(text), null, text);
  }
  assert.equal(parseFrame(new ArrayBuffer(2)), null);
  assert.equal(parseFrame(JSON.stringify(hello()))?.type, "hello");
});
