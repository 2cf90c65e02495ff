// The call page: starts it with the parameters that the server put in.
import { parsePageParams } from "./core/params.ts";
import { storeOf, takeStep } from "./io/store.ts";
import { CallPage } from "./page.ts";
import { byId, pageJson, showNotices, write } from "./view/dom.ts";

const params = parsePageParams(pageJson());
// Wherever this server's pages lie, this script lies one folder below.
const base = new URL("..", import.meta.url).href;

write(byId("room", HTMLElement), params.room);
showNotices([params.header, ...params.warnings]);
byId("home", HTMLAnchorElement).search = location.search;

const step = storeOf(() => sessionStorage);
const rooms = storeOf(() => localStorage);
const isChosen = takeStep(step, "chosen", params.room);
const page = new CallPage(params, base, rooms, step);
void page.run(isChosen || params.joinsAtOnce);
