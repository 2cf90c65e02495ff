// What a call does, output by output, where the order or the moment matters.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Requests } from "../../src/core/requests.ts";
import { answer, Bench, candidate, joined, kinds, offer, POST_URL, requests } from "./bench.ts";

const BYE = { type: "bye" };
const MESSAGES = "POST http://r.test/message/room-1/7";

function added(outputs: readonly { kind: string }[]): string[] {
  return outputs.flatMap((output) =>
    "candidate" in output ? [(output.candidate as { candidate: string }).candidate.replace("candidate:", "")] : [],
  );
}

test("the initiator opens socket and connection at once, and offers when it is described", () => {
  const bench = new Bench();
  assert.deepEqual(kinds(bench.join()), ["stateChanged", "openSocket", "openPeer", "offer"]);
  assert.deepEqual(kinds(bench.feed({ kind: "localCandidate", peer: 1, candidate: candidate("early") })), []);
  const [first] = bench.feed({ kind: "described", peer: 1, sdp: "v=0" });
  assert.deepEqual(kinds([first as never]), [MESSAGES]);
  const [second] = bench.answer(first);
  assert.match(requests([second as never])[0]?.body ?? "", /candidate:early/, "a candidate never comes before its description");
});

test("stored messages are heard before the socket is open, in any order", () => {
  const bench = new Bench();
  const messages = [candidate("1"), offer("9"), candidate("2")].map((message) => JSON.stringify(message));
  const outputs = bench.join({ is_initiator: "false", messages });
  assert.deepEqual(kinds(outputs), [
    "stateChanged",
    "openSocket",
    "openPeer",
    "accept",
    "addCandidate",
    "stateChanged",
    "addCandidate",
  ]);
  assert.deepEqual(added(outputs), ["1", "2"]);
});

test("candidates wait for the answer, and go with the connection they belong to", () => {
  const bench = new Bench();
  bench.join();
  bench.feed({ kind: "described", peer: 1, sdp: offer("1").sdp });
  assert.deepEqual(kinds(bench.hear(candidate("old"))), []);
  bench.hear(BYE);
  bench.feed({ kind: "described", peer: 2, sdp: offer("2").sdp });
  bench.hear(candidate("new"));
  const outputs = bench.hear(answer("9"));
  assert.deepEqual(kinds(outputs), ["accept", "addCandidate", "stateChanged"]);
  assert.deepEqual(added(outputs), ["new"]);
});

test("an answer is taken once, and only to an offer that is out", () => {
  const bench = new Bench();
  bench.join();
  assert.deepEqual(kinds(bench.hear(answer("9"))), []);
  bench.feed({ kind: "described", peer: 1, sdp: "v=0" });
  assert.deepEqual(kinds(bench.hear(answer("9"))), ["accept", "stateChanged"]);
  assert.deepEqual(kinds(bench.hear(answer("9"))), []);
});

test("of two offers that cross, the smaller gives way", () => {
  for (const [own, gives] of [
    ["5", true],
    ["7", false],
  ] as const) {
    const bench = new Bench();
    bench.join();
    bench.feed({ kind: "described", peer: 1, sdp: offer(own).sdp });
    const outputs = kinds(bench.hear(offer("6")));
    assert.deepEqual(outputs, gives ? ["closePeer", "openPeer", "accept", "stateChanged"] : [], own);
  }
  const unready = new Bench();
  unready.join();
  assert.deepEqual(kinds(unready.hear(offer("6"))), ["closePeer", "openPeer", "accept", "stateChanged"], "ours is not out");
});

test("an offer of the same session changes the connection, one of another begins a new one", () => {
  const bench = new Bench();
  bench.join({ is_initiator: "false", messages: [JSON.stringify(offer("9"))] });
  bench.feed({ kind: "described", peer: 1, sdp: "v=0" });
  bench.feed({ kind: "pathChanged", peer: 1, state: "connected" });
  assert.deepEqual(kinds(bench.hear(offer("9"))), ["accept"]);
  assert.equal(bench.call.state.name, "connected");
  assert.deepEqual(kinds(bench.hear(offer("10"))), ["closePeer", "openPeer", "accept", "stateChanged"]);
});

test("what an older connection does says nothing", () => {
  const bench = new Bench();
  bench.join();
  bench.hear(BYE);
  assert.equal(bench.call.state.name, "waiting");
  for (const event of [
    { kind: "pathChanged", peer: 1, state: "connected" },
    { kind: "pathChanged", peer: 1, state: "failed" },
    { kind: "peerRefused", peer: 1, reason: "x" },
    { kind: "described", peer: 1, sdp: "v=0" },
    { kind: "localCandidate", peer: 1, candidate: candidate("x") },
  ] as const) {
    assert.deepEqual(bench.feed(event), [], event.kind);
  }
});

test("a bye makes what was not said yet void", () => {
  const bench = new Bench();
  bench.join();
  const [first] = bench.feed({ kind: "described", peer: 1, sdp: offer("1").sdp });
  bench.feed({ kind: "localCandidate", peer: 1, candidate: candidate("old") });
  bench.hear(BYE);
  const [second, ...more] = requests(bench.feed({ kind: "described", peer: 2, sdp: offer("2").sdp }));
  assert.deepEqual(more, []);
  assert.match(second?.body ?? "", /o=- 2 /);
  bench.feed({ kind: "localCandidate", peer: 2, candidate: candidate("new") });
  assert.deepEqual(kinds(bench.answer(first)), [], "the answer to the old offer is none to the new one");
  const [third] = requests(bench.answer(second));
  assert.match(third?.body ?? "", /candidate:new/);
  assert.deepEqual(kinds(bench.answer(third)), []);
});

test("ICE servers are asked for with each connection, and an answer is for the one it was asked for", () => {
  const bench = new Bench();
  const [ask] = requests(bench.join({ ice_server_url: "http://r.test/ice" }));
  const again = bench.hear(BYE);
  assert.deepEqual(kinds(again), [], "it is heard when there is a connection");
  const outputs = bench.answer(ask, '{"iceServers":[{"urls":["stun:a"]}]}');
  assert.deepEqual(kinds(outputs), ["openPeer", "offer", "closePeer", "stateChanged", "POST http://r.test/ice"]);
  const [second] = requests(outputs);
  bench.feed({ kind: "hangUp" });
  assert.deepEqual(kinds(bench.answer(second, "{}")), [], "nobody is there any more");
});

test("how soon a lost connection is begun anew", () => {
  for (const [isInitiator, grace] of [
    ["true", 0],
    ["false", 3],
  ] as const) {
    const bench = new Bench();
    bench.join({ is_initiator: isInitiator, messages: isInitiator === "true" ? [] : [JSON.stringify(offer("9"))] });
    bench.feed({ kind: "socketOpened" });
    bench.feed({ kind: "pathChanged", peer: 1, state: "failed" });
    assert.equal(bench.call.nextDeadline(), bench.now + grace + 0.375);
    assert.deepEqual(kinds(bench.wait()), ["closePeer", "stateChanged", "openPeer", "offer"]);
    for (const [index, seconds] of [0.75, 1.5, 3, 6, 6].entries()) {
      bench.feed({ kind: "peerRefused", peer: 2 + index, reason: "x" });
      assert.equal(bench.call.nextDeadline(), bench.now + seconds);
      bench.wait();
    }
    bench.feed({ kind: "pathChanged", peer: 7, state: "connected" });
    bench.feed({ kind: "pathChanged", peer: 7, state: "failed" });
    assert.equal(bench.call.nextDeadline(), bench.now + 0.375, "who was connected begins with short pauses again");
  }
});

test("who is offered a connection while waiting to offer one offers none", () => {
  const bench = new Bench();
  bench.join({ is_initiator: "false", messages: [JSON.stringify(offer("9"))] });
  bench.feed({ kind: "socketOpened" });
  bench.feed({ kind: "pathChanged", peer: 1, state: "failed" });
  bench.hear(offer("10"));
  assert.equal(bench.call.nextDeadline(), undefined);
});

test("who came second and hears nothing says bye, then joins anew", () => {
  const bench = new Bench();
  bench.join({ is_initiator: "false" });
  bench.feed({ kind: "socketOpened" });
  assert.equal(bench.call.nextDeadline(), bench.now + 10);
  const said = bench.wait();
  assert.deepEqual(said, [{ kind: "sendFrame", frame: JSON.stringify({ cmd: "send", msg: JSON.stringify(BYE) }) }]);
  assert.equal(bench.call.nextDeadline(), bench.now + 20);
  const outputs = bench.wait();
  assert.deepEqual(kinds(outputs), [
    "closePeer",
    "closeSocket",
    `DELETE ${POST_URL}/room-1/7`,
    "stateChanged",
    "POST http://r.test/leave/room-1/7",
  ]);
  const left = requests(outputs).at(-1);
  assert.equal(bench.call.nextDeadline(), undefined, "first the server must know that we left, or we meet ourselves");
  bench.answer(left, "");
  assert.deepEqual(kinds(bench.wait()), ["POST http://r.test/join/room-1"]);
});

test("who hangs up while joining anew does not join", () => {
  const bench = new Bench();
  bench.join({ is_initiator: "false" });
  bench.feed({ kind: "socketOpened" });
  bench.wait();
  const left = requests(bench.wait()).at(-1);
  bench.feed({ kind: "hangUp" });
  assert.equal(bench.call.state.name, "left");
  bench.answer(left, "");
  assert.equal(bench.call.nextDeadline(), undefined);
});

test("a room server that forgets us again and again is asked later and later", () => {
  const bench = new Bench();
  bench.join();
  for (const [index, seconds] of [0.375, 0.75, 1.5, 3].entries()) {
    const [said] = requests(bench.feed({ kind: "described", peer: 1 + index, sdp: "v=0" }));
    bench.answer(said, '{"result":"UNKNOWN_CLIENT"}');
    assert.equal(bench.call.state.name, "joining");
    assert.equal(bench.call.nextDeadline(), bench.now + seconds);
    const [join] = requests(bench.wait());
    bench.answer(join, joined());
  }
});

test("nothing is heard while leaving", () => {
  const bench = new Bench();
  bench.join();
  bench.feed({ kind: "socketOpened" });
  bench.feed({ kind: "hangUp" });
  assert.deepEqual(bench.hear(BYE), []);
  assert.equal(bench.call.state.name, "leaving");
});

test("a page that goes says bye by POST where there is no socket", () => {
  const bench = new Bench();
  bench.join();
  const outputs = bench.feed({ kind: "pageGone" });
  assert.deepEqual(kinds(outputs), [
    "closePeer",
    "POST http://r.test/leave/room-1/7",
    `POST ${POST_URL}/room-1/7`,
    "closeSocket",
    `DELETE ${POST_URL}/room-1/7`,
    "stateChanged",
  ]);
  assert.equal(requests(outputs)[1]?.body, JSON.stringify(BYE));
  assert.ok(requests(outputs).every(({ urgent, number }) => urgent && number === 0));
});

test("a socket that does not open in time is closed and opened again; one that lived is opened anew at once", () => {
  const bench = new Bench();
  bench.join({ is_initiator: "false", messages: [JSON.stringify(offer("9"))] });
  assert.equal(bench.call.nextDeadline(), bench.now + 10);
  assert.deepEqual(kinds(bench.wait()), ["closeSocket", "reachable"]);
  assert.equal(bench.call.nextDeadline(), bench.now + 0.375);
  bench.feed({ kind: "socketLost" });
  assert.equal(bench.call.nextDeadline(), bench.now + 0.375, "it was lost already");
  assert.deepEqual(kinds(bench.wait()), ["openSocket"]);
  assert.deepEqual(kinds(bench.feed({ kind: "socketOpened" })), ["sendFrame", "reachable"]);
  bench.now += 9;
  bench.feed({ kind: "socketLost" });
  assert.equal(bench.call.nextDeadline(), bench.now + 0.75, "it lived too short to be trusted");
  bench.wait();
  bench.feed({ kind: "socketOpened" });
  bench.now += 10;
  bench.feed({ kind: "socketLost" });
  assert.equal(bench.call.nextDeadline(), bench.now + 0.375);
});

test("an answer counts once", () => {
  const numbers: number[] = [];
  const asked = new Requests((output) => output.kind === "request" && numbers.push(output.number));
  let answers = 0;
  asked.ask("POST", "x", "", () => {
    answers += 1;
  });
  for (const _ of [1, 2]) asked.answered(numbers[0] ?? 0, { status: 200, body: "" }, 0);
  assert.equal(answers, 1);
});
