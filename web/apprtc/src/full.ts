// The page of a room that is full. It says so, and leads back, without a script too; only the query it takes from there.
import { storeOf, takeStep } from "./io/store.ts";
import { byId, write } from "./view/dom.ts";

const AGAIN_MS = 700;

const room = decodeURIComponent(location.pathname.split("/").pop() ?? "");
write(byId("room", HTMLElement), room);
byId("home", HTMLAnchorElement).search = location.search;

// A page that is loaded again leaves its room when the next is there: the second in the room was oneself.
const step = storeOf(() => sessionStorage);
if (takeStep(step, "left", room)) setTimeout(() => location.reload(), AGAIN_MS);
