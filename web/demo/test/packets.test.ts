import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePosition, encodePosition, topicMark } from "../src/packets.ts";
import golden from "./golden.json" with { type: "json" };

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (body: Uint8Array): string => [...body].map((byte) => byte.toString(16).padStart(2, "0")).join("");

test("bots' packets are read as they meant them", () => {
  for (const { body, run, sender, sequence, topic, time, x, y } of golden.positions) {
    assert.deepEqual(decodePosition(bytes(body)), { run, sender, sequence, mark: topicMark(topic), time, x, y });
  }
});

test("ours are laid out as theirs", () => {
  for (const { body, topic, ...position } of golden.positions) {
    assert.equal(hex(encodePosition({ ...position, mark: topicMark(topic) })), body.slice(0, 64));
  }
});

test("topics have the marks they have in Python", () => {
  for (const [topic, mark] of Object.entries(golden.marks)) assert.equal(topicMark(topic), mark, topic);
});

test("a view into a larger message is read from where it begins", () => {
  const [{ body, x }] = golden.positions as [(typeof golden.positions)[0]];
  const message = new Uint8Array(500);
  message.set(bytes(body), 13);
  assert.equal(decodePosition(message.subarray(13, 13 + body.length / 2))?.x, x);
});

test("what is none is none", () => {
  const good = { run: 0, sender: 1, sequence: 2, mark: 3, time: 4, x: 5, y: 6 };
  assert.ok(decodePosition(encodePosition(good)));
  assert.equal(decodePosition(encodePosition(good).subarray(0, 31)), undefined);
  assert.equal(decodePosition(new Uint8Array()), undefined);
  for (const bad of [{ x: Number.NaN }, { y: Number.POSITIVE_INFINITY }, { x: 1e6 }, { time: Number.NaN }]) {
    assert.equal(decodePosition(encodePosition({ ...good, ...bad })), undefined);
  }
});
