// What a call needs of the page around it; tests have one without network and time.
import type { Answer } from "../core/requests.ts";

export type Timer = unknown;

export interface Platform {
  /** Always answers, at the latest after so many seconds; `urgent` requests outlive the page. */
  request(method: "POST" | "DELETE", url: string, body: string, seconds: number, urgent: boolean): Promise<Answer>;
  webSocket(url: string): WebSocket;
  peerConnection(config: RTCConfiguration): RTCPeerConnection;
  /** Seconds on a clock that never steps back. */
  now(): number;
  setTimer(callback: () => void, seconds: number): Timer;
  clearTimer(timer: Timer): void;
}

/** The page this runs in. */
export function browserPlatform(): Platform {
  return {
    request,
    webSocket: (url) => new WebSocket(url),
    peerConnection: (config) => new RTCPeerConnection(config),
    now: () => performance.now() / 1_000,
    setTimer: (callback, seconds) => setTimeout(callback, seconds * 1_000),
    clearTimer: (timer) => clearTimeout(timer as number),
  };
}

async function request(method: string, url: string, body: string, seconds: number, urgent: boolean): Promise<Answer> {
  try {
    const signal = AbortSignal.timeout(seconds * 1_000);
    const options: RequestInit = { method, signal, keepalive: urgent, credentials: "same-origin", cache: "no-store" };
    const response = await fetch(url, body === "" ? options : { ...options, body });
    return { status: response.status, body: await response.text() };
  } catch {
    return { status: 0, body: "" }; // no answer is an answer too
  }
}
