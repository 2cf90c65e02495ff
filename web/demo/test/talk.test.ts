import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeLine, encodeLine, guestName, MAX_NAME, MAX_TEXT, tidy } from "../src/talk.ts";
import golden from "./golden.json" with { type: "json" };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a line comes back as it was", () => {
  assert.deepEqual(decodeLine(bytes(encodeLine({ name: "Zoë", text: "Grüß Gott 👋" }))), { name: "Zoë", text: "Grüß Gott 👋" });
  assert.deepEqual(decodeLine(bytes(encodeLine({ name: "Zoë", text: "" }))), { name: "Zoë", text: "" });
});

test("bots' lines are read", () => {
  assert.deepEqual(decodeLine(bytes(golden.line.body)), { name: golden.line.name, text: golden.line.text });
});

test("what is no line is none", () => {
  const none = [
    "",
    "hello",
    "null",
    "3",
    "[]",
    "{}",
    '{"name":"x"}',
    '{"name":1,"text":"x"}',
    '{"name":"x","text":{}}',
    '{"name":" ","text":"x"}',
  ];
  for (const text of none) assert.equal(decodeLine(bytes(text)), undefined, text);
  assert.equal(decodeLine(new Uint8Array([0x7b, 0xff, 0x7d])), undefined);
  assert.equal(decodeLine(bytes(JSON.stringify({ name: "x", text: "y".repeat(5000) }))), undefined);
});

test("what is not to be seen is taken out, what is too long is cut", () => {
  assert.equal(tidy("  a\n\tb\u0000\u202e c\u2028 ", 20), "a b c");
  assert.equal(tidy("x".repeat(30), 10), `${"x".repeat(9)}…`);
  assert.equal([...tidy("👋".repeat(30), 10)].length, 10);
  const long = decodeLine(bytes(JSON.stringify({ name: "n".repeat(100), text: "t".repeat(1000) })));
  assert.deepEqual([long?.name.length, long?.text.length], [MAX_NAME, MAX_TEXT]);
});

test("guests have names that fit", () => {
  for (const share of [0, 0.5, 0.999999]) {
    const name = guestName(() => share);
    assert.match(name, /^\w+ \w+$/);
    assert.ok(name.length <= MAX_NAME);
  }
});
