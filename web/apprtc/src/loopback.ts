// For pages made for AppRTC's own scripts: a function of the page that plays the other person of a loopback call. Ours need no script for it.
import { registerEchoFrame } from "./core/messages.ts";
import { Echo } from "./io/echo.ts";
import { browserPlatform } from "./io/platform.ts";

let echo: Echo | undefined;

Object.assign(globalThis, {
  setupLoopback(socketUrl: string, room: string): void {
    echo?.close();
    echo = new Echo(browserPlatform(), socketUrl, registerEchoFrame(room));
  },
});
