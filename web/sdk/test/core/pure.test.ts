// The parts of the core by themselves, with properties where they fit.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Backoff } from "../../src/core/backoff.ts";
import { describe as describeCode, retryVerdict } from "../../src/core/codes.ts";
import { Credentials, peekTimes } from "../../src/core/credentials.ts";
import { ClientClosed, ConnectError, RequestRefused, RtcBrokerError, TopicError } from "../../src/core/errors.ts";
import { Inbox } from "../../src/core/inbox.ts";
import { Liveness } from "../../src/core/liveness.ts";
import { DEFAULT_OPTIONS, makeOptions } from "../../src/core/options.ts";
import { Outbox } from "../../src/core/outbox.ts";
import { Packet } from "../../src/core/packet.ts";
import { DecodeError, decodePacket } from "../../src/core/packets.ts";
import { ServerList } from "../../src/core/servers.ts";
import { decodeSignal } from "../../src/core/signals.ts";
import { Lifecycle, TRANSITIONS } from "../../src/core/states.ts";
import { newStats } from "../../src/core/stats.ts";
import { checkTopic } from "../../src/core/topics.ts";
import {
  MessageHeader,
  MessageType,
  PingMessage,
  TopicBatchMessage,
  TopicIdentityMessage,
  TopicMessage,
} from "../../src/gen/broker.ts";
import { Code, MAX_BATCH_RECORDS, UNRELIABLE_BATCH_BYTES } from "../../src/gen/constants.ts";
import { jwt } from "../support/world.ts";

describe("codes", () => {
  test("the verdict is in the range, for codes of the future too", () => {
    assert.equal(retryVerdict(Code.TIMEOUT), "retry");
    assert.equal(retryVerdict(4199), "retry elsewhere");
    assert.equal(retryVerdict(4299), "do not retry");
    assert.equal(retryVerdict(Code.NOT_ALLOWED), "still connected");
    assert.equal(retryVerdict(1006), "retry");
    assert.equal(describeCode(4199), "4199 unknown code (retry elsewhere)");
    assert.equal(new RtcBrokerError(Code.SERVER_FULL).message, "4100 the server is full (retry elsewhere)");
    assert.equal(new RtcBrokerError(Code.SERVER_FULL, "of bots").message, "4100 the server is full (retry elsewhere): of bots");
  });

  test("an error without a reason has that of its code", () => {
    assert.equal(new RtcBrokerError(Code.NO_SERVERS).reason, "no server is available");
    assert.equal(new ConnectError(Code.NO_SERVERS, "").reason, "no server is available");
    assert.equal(new ClientClosed(Code.TIMEOUT, "").reason, "nothing was heard in time");
    assert.equal(new RequestRefused(Code.NOT_ALLOWED, "", "a").reason, "the token does not grant this topic");
    assert.equal(new RtcBrokerError(1006).reason, "");
  });

  test("what the client concludes itself is told as it sees it", () => {
    const error = new ConnectError(Code.TIMEOUT, "nothing was heard from the server in time");
    assert.equal(error.message, "4001 nothing was heard from the server in time (retry)");
    assert.doesNotMatch(new ConnectError(Code.SLOW_CONSUMER, "the coordinator does not read").message, /\byou\b/);
  });
});

describe("topics", () => {
  test("good and bad ones", () => {
    for (const topic of ["a", "/", "a//b", "Straße/🙂", "a*b", "***", "x".repeat(256)]) assert.equal(checkTopic(topic), topic);
    const bad = [
      "",
      " ",
      "a\tb",
      "a\u00a0b",
      "a\u200bb",
      "\ufeff",
      "\x7f",
      "\x85",
      "a\u2028",
      "*",
      "a/**/b",
      "ä".repeat(129),
      "\ud83d",
      "a\udc00",
    ];
    for (const topic of bad) assert.throws(() => checkTopic(topic), TopicError, JSON.stringify(topic));
  });

  test("never white space, never over 256 bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (topic) => {
        const isFine = (() => {
          try {
            return checkTopic(topic) === topic;
          } catch {
            return false;
          }
        })();
        if (isFine)
          assert.ok(topic && Buffer.byteLength(topic) <= 256 && !/\s/.test(topic) && Buffer.from(topic).toString() === topic);
        else if (/^[a-z0-9/]{1,256}$/.test(topic)) assert.fail(`${topic} is a topic`);
      }),
    );
  });
});

describe("options and states", () => {
  test("defaults are what they are, undefined changes nothing", () => {
    assert.deepEqual(makeOptions(), DEFAULT_OPTIONS);
    assert.equal(makeOptions({ maxAttempts: Number.POSITIVE_INFINITY }).maxAttempts, Number.POSITIVE_INFINITY);
    assert.deepEqual(makeOptions({ ...DEFAULT_OPTIONS }), DEFAULT_OPTIONS);
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "5"])
      assert.throws(() => makeOptions({ joinTimeout: value as number }), RangeError);
  });

  test("only what the table allows", () => {
    for (const from of Object.keys(TRANSITIONS) as (keyof typeof TRANSITIONS)[])
      for (const to of Object.keys(TRANSITIONS) as (keyof typeof TRANSITIONS)[]) {
        const lifecycle = new Lifecycle();
        lifecycle.state = from;
        if (from === to) assert.equal(lifecycle.to(to), false);
        else if (TRANSITIONS[from].includes(to)) assert.equal(lifecycle.to(to), true);
        else assert.throws(() => lifecycle.to(to));
      }
  });
});

describe("backoff and servers", () => {
  test("pauses stay below their growing end", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 60 }), (draws) => {
        const left = [...draws];
        const backoff = new Backoff(0.25, 10, () => left.shift() ?? 0);
        draws.forEach((draw, index) => {
          const pause = backoff.next();
          assert.ok(pause >= 0 && pause <= Math.min(10, 0.25 * 2 ** index) && (draw === 0 || pause > 0 || draw < 1e-300));
        });
        backoff.reset();
        assert.ok(backoff.next() <= 0.25);
      }),
    );
  });

  test("each server once a round", () => {
    const servers = new ServerList();
    const round = () => {
      const all: number[] = [];
      for (let next = servers.next(); next !== undefined; next = servers.next()) all.push(next);
      return all;
    };
    servers.refresh([3, 1, 0, 3, 2]);
    assert.deepEqual(round(), [3, 1, 2]);
    assert.ok(!servers.hasMore);
    servers.refresh([3, 1, 2]);
    servers.next();
    assert.ok(servers.hasMore);
    servers.restart({ without: 2 });
    assert.deepEqual(round(), [3, 1]);
    assert.ok(servers.hasMore, "in a newer list");
    servers.restart({ first: 2 });
    assert.deepEqual(round(), [2, 3, 1]);
    servers.restart({ without: 3 });
    assert.deepEqual(round(), [1, 2]);
    servers.restart({ first: 9 });
    assert.deepEqual(round(), [3, 1, 2]);
  });
});

describe("credentials", () => {
  test("the times of what is a JWT, and of nothing else", () => {
    assert.deepEqual(peekTimes(jwt(1_800)), { expiresAt: 1_800, lifetime: undefined });
    assert.deepEqual(peekTimes(jwt(1_800, { iat: 1_000, nbf: 900 })), { expiresAt: 1_800, lifetime: 800 });
    assert.deepEqual(peekTimes(jwt(1_800, { iat: "x", nbf: 900 })), { expiresAt: 1_800, lifetime: 900 });
    assert.deepEqual(peekTimes(jwt(1_800, { iat: 1_800 })), { expiresAt: 1_800, lifetime: undefined });
    for (const token of [
      "",
      "abc",
      "a.b.c",
      "a.!!.c",
      `x.${Buffer.from("null").toString("base64url")}.y`,
      `x.${Buffer.from('{"exp":"5"}').toString("base64url")}.`,
    ])
      assert.equal(peekTimes(token), undefined);
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (expiry) => peekTimes(jwt(expiry))?.expiresAt === expiry));
    fc.assert(fc.property(fc.string(), (token) => ["undefined", "number"].includes(typeof peekTimes(token)?.expiresAt)));
  });

  test("the clock may be wrong: never later than four fifths of a life, never sooner than a pause", () => {
    const lives = fc.integer({ min: 1, max: 1_000_000 });
    const skews = fc.integer({ min: -10_000_000, max: 10_000_000 });
    fc.assert(
      fc.property(lives, skews, (life, skew) => {
        const credentials = new Credentials(undefined, true);
        const [issued, now] = [1e9, 1e9 + skew];
        credentials.received(jwt(issued + life, { iat: issued }), now);
        const wait = (credentials.renewAt ?? 0) - now;
        const pause = Math.max(0.5, Math.min(5, life / 10));
        return wait >= pause - 1e-6 && wait <= Math.max(pause, 0.8 * life) + 1e-6;
      }),
    );
    const credentials = new Credentials(undefined, true);
    credentials.received(jwt(1_000, { iat: 900 }), 4_600);
    assert.equal(credentials.renewAt, 4_680, "an hour ahead");
    credentials.received(jwt(1_000, { iat: 900 }), -2_600);
    assert.equal(credentials.renewAt, -2_520, "an hour behind");
    credentials.received(jwt(1_000, { iat: 900 }), 950);
    assert.equal(credentials.renewAt, 990, "half of it was over when it came");
    credentials.received(jwt(1_000), 4_600);
    assert.equal(credentials.renewAt, 4_648, "nothing to go by");
  });

  test("renewed after four fifths, and tried again after a pause", () => {
    const credentials = new Credentials(undefined, true);
    assert.ok(credentials.isDue(0));
    credentials.received(jwt(1_100), 1_000);
    assert.ok(!credentials.isDue(1_079) && credentials.isDue(1_080));
    assert.equal(credentials.renewAt, 1_080);
    credentials.asked = true;
    assert.equal(credentials.renewAt, undefined);
    credentials.failed(1_080);
    assert.equal(credentials.renewAt, 1_085);
    credentials.failed(1_085);
    assert.equal(credentials.renewAt, 1_090);
    credentials.received(jwt(1_010), 1_000);
    credentials.failed(1_008);
    assert.equal(credentials.renewAt, 1_009, "sooner where it lives only for seconds");
    const fixed = new Credentials(jwt(5), false);
    assert.deepEqual([fixed.renewAt, fixed.isDue(10), fixed.refused()], [undefined, false, false]);
    credentials.received("no jwt", 0);
    assert.equal(credentials.renewAt, undefined);
  });
});

describe("liveness", () => {
  test("echoes are told from the other side's own pings, however old", () => {
    const liveness = new Liveness(5, 15, 1, () => 0.25);
    liveness.begin(100);
    const times: number[] = [];
    for (let count = 0; count < 70; count += 1) times.push(PingMessage.decode(liveness.ping(100 + count)[1]).time);
    const [first = 0] = times;
    assert.equal(liveness.echoed(first, 200), undefined, "too old to be remembered");
    assert.ok(!liveness.isToBeEchoed(first));
    assert.deepEqual(liveness.echoed(times[69] ?? 0, 171), [70, 2]);
    assert.equal(liveness.echoed(times[69] ?? 0, 172), undefined, "twice");
    assert.ok(liveness.isToBeEchoed(12.5));
    assert.ok(!liveness.isToBeEchoed(12.5), "our echo, sent back");
    for (let count = 0; count < 8; count += 1) assert.ok(liveness.isToBeEchoed(1_000 + count));
    assert.ok(liveness.isToBeEchoed(12.5), "long forgotten");
  });

  test("its deadlines are where its mind changes", () => {
    const liveness = new Liveness(5, 15, 1, () => 0.5);
    liveness.begin(0);
    assert.equal(liveness.nextDeadline(), 5);
    assert.equal(liveness.look(4.9), "alive");
    assert.equal(liveness.look(5), "quiet");
    liveness.ping(5);
    assert.equal(liveness.nextDeadline(), 10);
    liveness.heard(7);
    assert.equal(liveness.look(7.5), "alive");
    assert.equal(liveness.look(30), "quiet", "it slept");
    assert.equal(liveness.look(35), "quiet");
    assert.equal(liveness.look(40), "quiet");
    assert.equal(liveness.look(45), "lost");
  });

  const probed = () => {
    const liveness = new Liveness(5, 15, 1, () => 0.5);
    liveness.begin(100);
    const time = () => PingMessage.decode(liveness.ping(102)[1]).time;
    const before = time();
    liveness.probe(102);
    const probe = time();
    liveness.probe(102.5); // a second reason to doubt gives no more time
    assert.equal(liveness.nextDeadline(), 103);
    return { liveness, before, probe };
  };

  test("a probe ends with its own answer", () => {
    const { liveness, probe } = probed();
    liveness.heard(102.1);
    assert.ok(liveness.echoed(probe, 102.1));
    assert.equal(liveness.look(103), "alive");
    assert.ok(liveness.nextDeadline() > 107);
  });

  test("last words of a server that died do not end a probe", () => {
    const { liveness, before } = probed();
    liveness.heard(102.05);
    assert.ok(liveness.echoed(before, 102.05), "answered before it died");
    liveness.heard(102.3);
    assert.equal(liveness.look(102.9), "alive");
    assert.equal(liveness.look(103), "lost");
  });

  test("what still comes after last words is a sign of life", () => {
    const { liveness } = probed();
    liveness.heard(102.31); // the answer may be behind much else
    assert.equal(liveness.look(103), "alive");
    assert.ok(liveness.nextDeadline() > 107);
  });

  test("a probe that was slept through is made anew", () => {
    const { liveness } = probed();
    assert.equal(liveness.look(3_700), "quiet");
    liveness.ping(3_700);
    assert.equal(liveness.nextDeadline(), 3_701);
    assert.equal(liveness.look(3_701), "lost");
  });
});

describe("inbox", () => {
  test("a queue that loses its oldest", () => {
    const command = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant("get" as const));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(command, { maxLength: 60 }), (size, commands) => {
        const stats = newStats();
        let woken = 0;
        const inbox = new Inbox(size, stats, () => ++woken);
        const model: number[] = [];
        let dropped = 0;
        let wakes = 0;
        for (const given of commands) {
          if (given === "get") {
            assert.equal(inbox.get()?.sender, model.shift());
            continue;
          }
          inbox.put(new Packet("a", given, new Uint8Array(), true));
          if (model.push(given) === 1) wakes += 1;
          if (model.length > size) {
            model.shift();
            dropped += 1;
          }
        }
        assert.deepEqual([inbox.length, inbox.dropped, stats.dropped.queue, woken], [model.length, dropped, dropped, wakes]);
      }),
    );
  });
});

describe("outbox", () => {
  const packet = fc.record({
    topic: fc.constantFrom("a", "b", "room/ä", "x".repeat(100)),
    body: fc.uint8Array({ maxLength: 400 }),
    identity: fc.boolean(),
  });

  const opened = (message: Uint8Array) => {
    const { type } = MessageHeader.decode(message);
    if (type === MessageType.TOPIC_BATCH)
      return TopicBatchMessage.decode(message).groups.flatMap(({ topic, body: bodies, identity }) =>
        bodies.map((body) => ({ topic, body: Buffer.from(body).toString("hex"), identity })),
      );
    const { topic, body } = type === MessageType.TOPIC ? TopicMessage.decode(message) : TopicIdentityMessage.decode(message);
    return [{ topic, body: Buffer.from(body).toString("hex"), identity: type === MessageType.TOPIC_IDENTITY }];
  };

  test("everything, in order, in messages within the limits", () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 300 }), fc.boolean(), fc.boolean(), (packets, reliable, batched) => {
        const outbox = new Outbox(reliable);
        const limit = 4_000;
        for (const { topic, body, identity } of packets) outbox.add(topic, body, identity, limit);
        assert.equal(outbox.length, packets.length);
        const messages = outbox.drain(batched, limit);
        assert.deepEqual(
          messages.flatMap(({ data }) => opened(data)),
          packets.map(({ topic, body, identity }) => ({ topic, body: Buffer.from(body).toString("hex"), identity })),
        );
        for (const { data, packets: count } of messages) {
          assert.equal(opened(data).length, count);
          assert.ok(count <= (batched ? MAX_BATCH_RECORDS : 1));
          assert.ok(data.length <= (reliable ? limit : UNRELIABLE_BATCH_BYTES));
        }
        assert.deepEqual([outbox.length, outbox.pendingBytes], [0, 0]);
      }),
    );
  });

  test("batches are filled: hardly a message that the one before had room for", () => {
    const outbox = new Outbox(false);
    for (let count = 0; count < 100; count += 1) outbox.add("demo/cell/1/2", new Uint8Array(26), false, 65_536);
    const messages = outbox.drain(true, 65_536);
    assert.equal(messages.length, 3);
    assert.ok((messages[0]?.data.length ?? 0) > UNRELIABLE_BATCH_BYTES - 150);
  });
});

describe("decoding", () => {
  test("any bytes are a packet, none of ours, or a DecodeError", () => {
    const codecs = [decodePacket, decodeSignal];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 127 }), (data, type) => {
        for (const decode of codecs) {
          try {
            decode(Uint8Array.from([8, type, ...data]));
          } catch (error) {
            assert.ok(error instanceof DecodeError);
          }
        }
      }),
    );
    assert.throws(() => decodeSignal(new Uint8Array(70_000)), DecodeError);
  });
});
