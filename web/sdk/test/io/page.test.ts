// What touches the page itself: the clock, gzip, URLs, the platform.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { clock } from "../../src/io/clock.ts";
import { gzip } from "../../src/io/gzip.ts";
import { browserPlatform } from "../../src/io/platform.ts";
import { connectUrl, withQuery } from "../../src/io/url.ts";

describe("clock", () => {
  test("steps forward after sleep, never back", () => {
    let wall = 1_000_000;
    let own = 0;
    const now = clock(
      () => wall,
      () => own,
    );
    assert.equal(now(), 1_000);
    own += 500;
    wall += 500;
    assert.equal(now(), 1_000.5);
    wall -= 3_600_000;
    assert.equal(now(), 1_000.5, "the system time was set back");
    wall += 3_600_000 + 60_000;
    assert.equal(now(), 1_060.5, "the machine slept");
    own += 1_000;
    wall += 1_000;
    assert.equal(now(), 1_061.5);
  });
});

describe("url", () => {
  test("as it is given, as it is dialed", () => {
    assert.equal(connectUrl("ws://h:9090", undefined), "ws://h:9090/connect");
    assert.equal(connectUrl("https://h/broker/", undefined), "wss://h/broker/connect");
    assert.equal(connectUrl("ws://[::1]:1/connect?x=1", undefined), "ws://[::1]:1/connect?x=1");
    assert.equal(connectUrl("", "http://h:1/demo#token=t"), "ws://h:1/connect");
    for (const url of ["h:9090", "//h", "ftp://h", "ws://"]) assert.throws(() => connectUrl(url, undefined), TypeError, url);
    assert.equal(withQuery("ws://h/connect?x=1", 0, "", ""), "ws://h/connect?x=1&v=2");
    assert.equal(withQuery("ws://h/connect", 7, "p+/=", "a.b"), "ws://h/connect?v=2&alias=7&resume=p%2B%2F%3D&access_token=a.b");
  });
});

describe("platform", () => {
  test("gzip is what others unzip", async () => {
    const data = new TextEncoder().encode("demo/cell/1/2 ".repeat(500));
    const zipped = await gzip(data);
    assert.ok(zipped.length < data.length / 10);
    assert.deepEqual(new Uint8Array(gunzipSync(zipped)), data);
  });

  test("the end of a turn comes after its microtasks, before its timers", async () => {
    const page = new EventTarget();
    const found: string[] = [];
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const channel = new MessageChannel();
    const around: Record<string, unknown> = {
      document,
      MessageChannel: function MessageChannel() {
        return channel;
      },
      navigator: { onLine: true },
      addEventListener: page.addEventListener.bind(page),
      reportError: (error: unknown) => found.push(String(error)),
      WebSocket: class {
        constructor(readonly url: string) {}
      },
      RTCPeerConnection: class {
        constructor(readonly config: unknown) {}
      },
    };
    for (const [name, value] of Object.entries(around))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    const platform = browserPlatform();
    assert.equal(platform.webSocket("ws://x").url, "ws://x");
    assert.ok(platform.peerConnection({}));
    platform.report(new Error("shown"));
    assert.deepEqual(found, ["Error: shown"]);
    const order: string[] = [];
    platform.soon(() => order.push("soon"));
    platform.soon(() => order.push("soon too"));
    await Promise.resolve().then(() => order.push("microtask"));
    const timer = platform.setTimer(() => order.push("never"), 0.001);
    platform.clearTimer(timer);
    await new Promise<void>((resolve) => {
      platform.setTimer(resolve, 0.02);
    });
    assert.deepEqual(order, ["microtask", "soon", "soon too"]);
    assert.ok(Math.abs(platform.now() - Date.now() / 1_000) < 3);
    assert.ok(platform.random() < 1);

    const changes: unknown[] = [];
    const end = platform.watch({ networkChanged: (online) => changes.push(online), gone: () => changes.push("gone") });
    const hide = (persisted: boolean) => Object.assign(new Event("pagehide"), { persisted });
    page.dispatchEvent(new Event("online"));
    page.dispatchEvent(hide(true));
    page.dispatchEvent(hide(false));
    document.dispatchEvent(new Event("visibilitychange"));
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    assert.deepEqual(changes, [true, "gone", true]);
    end();
    page.dispatchEvent(new Event("online"));
    assert.equal(changes.length, 3);
    channel.port1.close(); // which would keep node alive
  });
});
