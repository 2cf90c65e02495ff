// What the SDK needs of the page around it; tests have one without network and time.
import { clock } from "./clock.ts";
import { gzip } from "./gzip.ts";

export type Timer = unknown;

export interface Platform {
  webSocket(url: string): WebSocket;
  peerConnection(config: RTCConfiguration): RTCPeerConnection;
  /** Seconds since the epoch, never stepping back. */
  now(): number;
  random(): number;
  setTimer(callback: () => void, seconds: number): Timer;
  clearTimer(timer: Timer): void;
  /** Call when the present turn of the event loop has ended. */
  soon(callback: () => void): void;
  gzip(data: Uint8Array): Promise<Uint8Array>;
  /** An error of the application's own code: shown where uncaught errors are shown. */
  report(error: unknown): void;
  /** Listen to the page; returns a function that ends it. */
  watch(watcher: PageWatcher): () => void;
}

export interface PageWatcher {
  /** The network came back, or went, or the page woke up. */
  networkChanged(online: boolean): void;
  /** The page goes away for good. */
  gone(): void;
}

// setTimeout counts in 31 bits of milliseconds; who is called early sets the next timer.
const MAX_TIMER_S = 86_400;

/** The page this runs in. */
export function browserPlatform(): Platform {
  return {
    webSocket: (url) => new WebSocket(url),
    peerConnection: (config) => new RTCPeerConnection(config),
    now: clock(),
    random: Math.random,
    setTimer: (callback, seconds) => setTimeout(callback, Math.min(seconds, MAX_TIMER_S) * 1_000),
    clearTimer: (timer) => clearTimeout(timer as number),
    soon: endOfTurn(),
    gzip,
    report: (error) => reportError(error),
    watch: watchPage,
  };
}

// A message to oneself: unlike a timer it is never held up, not even in a tab nobody looks at; and unlike a microtask it comes after all that
// goes on in this turn, loops of `await client.publish(...)` included.
function endOfTurn(): Platform["soon"] {
  const { port1, port2 } = new MessageChannel();
  let waiting: (() => void)[] = [];
  port1.onmessage = () => {
    const callbacks = waiting;
    waiting = [];
    for (const callback of callbacks) callback();
  };
  return (callback) => {
    if (waiting.push(callback) === 1) port2.postMessage(null);
  };
}

function watchPage(watcher: PageWatcher): () => void {
  const ended = new AbortController();
  const { signal } = ended;
  const changed = () => watcher.networkChanged(navigator.onLine);
  const options = { signal };
  addEventListener("online", changed, options);
  addEventListener("offline", changed, options);
  addEventListener("pageshow", changed, options);
  addEventListener(
    "pagehide",
    (event) => {
      if (!event.persisted) watcher.gone();
    },
    options,
  );
  document.addEventListener("resume", changed, options);
  document.addEventListener(
    "visibilitychange",
    () => {
      if (document.visibilityState === "visible") changed();
    },
    options,
  );
  return () => ended.abort();
}
