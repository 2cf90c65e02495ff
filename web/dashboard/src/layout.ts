/**
 * Where everything in the picture stands: the coordinator in the middle, servers on one ellipse or several around it. Where these do
 * not hold all, the servers stand in rows below it.
 *
 * The coordinator is not on the packets' way, so no link may run behind it: a link that would come too near bends around.
 */

export interface Place {
  x: number;
  y: number;
}

export type NodeSize = "card" | "disc" | "dot";

export interface Layout {
  width: number;
  height: number;
  centre: Place;
  size: NodeSize;
  /** Half of a node's width and height, its name included. */
  half: Place;
  places: Place[];
}

const HALF: Record<NodeSize, Place> = { card: { x: 62, y: 26 }, disc: { x: 23, y: 37 }, dot: { x: 13, y: 13 } };
/** Between the middles of neighbours on a ring. */
const SPACING: Record<NodeSize, number> = { card: 142, disc: 58, dot: 31 };
const RING_GAP = 34;
const EDGE = 10;
/** Half of the coordinator's box. */
export const HUB: Place = { x: 62, y: 26 };
const CLEARANCE = 14;

const MAX_RINGS_HEIGHT = 640;
const HEIGHT_STEP = 20;

/** The height that suits a picture of this width with so many servers. */
export function pictureHeight(width: number, servers: number): number {
  const least = Math.round(Math.max(300, Math.min(460, width * 0.52)));
  for (let height = least; height <= MAX_RINGS_HEIGHT; height += HEIGHT_STEP) {
    if (fits(width, height, servers)) {
      return height;
    }
  }
  return gridTop() + Math.ceil(servers / columns(width)) * SPACING.dot + EDGE;
}

function fits(width: number, height: number, servers: number): boolean {
  return servers <= capacity(width, height, "disc") || servers <= roomOf(dotRings(radii(width, height, HALF.dot)));
}

/** Places for `servers` nodes, clockwise. The largest kind of node that fits is taken. */
export function layout(width: number, height: number, servers: number): Layout {
  const centre = { x: width / 2, y: height / 2 };
  const sizes: NodeSize[] = ["card", "disc", "dot"];
  const size = sizes.find((candidate) => servers <= capacity(width, height, candidate)) ?? "dot";
  const half = HALF[size];
  const outer = radii(width, height, half);
  if (!fits(width, height, servers)) {
    return { width, height, centre: { x: width / 2, y: EDGE + HUB.y }, size, half, places: grid(width, servers) };
  }
  if (size === "dot") {
    return { width, height, centre, size, half, places: rings(centre, outer, servers) };
  }
  const [middle, ...places] = spread([centre, ...ring(centre, outer, servers, 0)], height / 2, outer.y);
  return { width, height, centre: middle ?? centre, size, half, places };
}

/** A few servers do not reach all around: what there is, coordinator and all, is spread over the whole height. */
function spread(places: readonly Place[], middle: number, radius: number): Place[] {
  const top = Math.min(...places.map((place) => place.y));
  const extent = Math.max(...places.map((place) => place.y)) - top;
  if (extent < 1) {
    return [...places];
  }
  // a lone server does not go to the other end of the picture
  const factor = Math.min(4 / 3, (2 * radius) / extent);
  return places.map(({ x, y }) => ({ x, y: round(middle + (y - top - extent / 2) * factor) }));
}

/** From place to place, bent around the coordinator where it is in the way: SVG path data. */
export function linkPath(from: Place, to: Place, centre: Place): string {
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy) || 1;
  // the normal that points away from the centre; of a diameter, always the same side
  let normal = { x: -dy / length, y: dx / length };
  const offset = (middle.x - centre.x) * normal.x + (middle.y - centre.y) * normal.y;
  if (offset < 0) {
    normal = { x: -normal.x, y: -normal.y };
  }
  const extent = Math.abs(normal.x) * HUB.x + Math.abs(normal.y) * HUB.y + CLEARANCE;
  const missing = extent - Math.abs(offset);
  if (missing <= 0 || !between(from, to, centre)) {
    return `M${point(from)}L${point(to)}`;
  }
  // a quadratic curve passes half way between its chord and its control point
  const control = { x: middle.x + normal.x * 2 * missing, y: middle.y + normal.y * 2 * missing };
  return `M${point(from)}Q${point(control)} ${point(to)}`;
}

/** Whether the foot of `centre` on the line lies between its ends. */
function between(from: Place, to: Place, centre: Place): boolean {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const along = (centre.x - from.x) * dx + (centre.y - from.y) * dy;
  return along > 0 && along < dx * dx + dy * dy;
}

function radii(width: number, height: number, half: Place): Place {
  return { x: Math.max(40, width / 2 - half.x - EDGE), y: Math.max(40, height / 2 - half.y - EDGE) };
}

function capacity(width: number, height: number, size: NodeSize): number {
  if (size === "card") {
    // cards are wider than high, so the flat ends of the ellipse decide; beyond a dozen they hide the links
    const outer = radii(width, height, HALF.card);
    const fits = Math.floor(circumference(outer) / SPACING.card);
    if (!hasRoomBeside(outer, HALF.card)) {
      return Math.min(fits, 3);
    }
    return width < 520 ? Math.min(fits, 4) : Math.min(fits, 12);
  }
  return Math.floor(circumference(radii(width, height, HALF[size])) / SPACING[size]);
}

/** Whether a node can stand beside the coordinator, left or right of it; above and below there always is room. */
function hasRoomBeside(radius: Place, half: Place): boolean {
  return radius.x >= HUB.x + half.x + CLEARANCE;
}

/** Ramanujan's approximation for an ellipse. */
function circumference({ x, y }: Place): number {
  return Math.PI * (3 * (x + y) - Math.sqrt((3 * x + y) * (x + 3 * y)));
}

interface DotRing {
  radius: Place;
  room: number;
}

/** The rings that there is room for between the edge and the coordinator, the outermost first. */
function dotRings(outer: Place): DotRing[] {
  const found: DotRing[] = [];
  let radius = outer;
  while (radius.x >= HUB.x + 30 && radius.y >= HUB.y + 30) {
    found.push({ radius, room: Math.floor(circumference(radius) / SPACING.dot) });
    radius = { x: radius.x - RING_GAP, y: radius.y - RING_GAP };
  }
  return found;
}

function roomOf(found: readonly DotRing[]): number {
  return found.reduce((sum, { room }) => sum + room, 0);
}

/** As few rings as will do, each as full as the others. */
function rings(centre: Place, outer: Place, servers: number): Place[] {
  const all = dotRings(outer);
  const used = all.slice(0, 1 + all.findIndex((_, index) => roomOf(all.slice(0, index + 1)) >= servers));
  const whole = roomOf(used);
  const places: Place[] = [];
  let before = 0;
  for (const [index, { radius, room }] of used.entries()) {
    before += room;
    const share = Math.round((servers * before) / whole) - places.length;
    places.push(...ring(centre, radius, share, index % 2 === 0 ? 0 : Math.PI / Math.max(1, share)));
  }
  return places;
}

function columns(width: number): number {
  return Math.max(1, Math.floor((width - 2 * EDGE) / SPACING.dot));
}

/** Where the rows begin: the coordinator stands above them. */
function gridTop(): number {
  return EDGE + 2 * HUB.y + 2 * EDGE;
}

/** Rows: what is left for very many servers on a narrow screen. */
function grid(width: number, servers: number): Place[] {
  const across = columns(width);
  const left = (width - across * SPACING.dot) / 2;
  return Array.from({ length: servers }, (_, index) => ({
    x: round(left + ((index % across) + 0.5) * SPACING.dot),
    y: gridTop() + (Math.floor(index / across) + 0.5) * SPACING.dot,
  }));
}

const STEPS = 360;

/** Evenly along the line of an ellipse, not by angle: else they crowd at its ends. */
function ring(centre: Place, radius: Place, servers: number, turn: number): Place[] {
  const start = (servers === 2 && hasRoomBeside(radius, HALF.card) ? Math.PI : -Math.PI / 2) + turn;
  const lengths: number[] = [0];
  for (let step = 1; step <= STEPS; step += 1) {
    const one = start + ((step - 1) * 2 * Math.PI) / STEPS;
    const other = start + (step * 2 * Math.PI) / STEPS;
    const dx = radius.x * (Math.cos(other) - Math.cos(one));
    const dy = radius.y * (Math.sin(other) - Math.sin(one));
    lengths.push((lengths[step - 1] ?? 0) + Math.hypot(dx, dy));
  }
  const whole = lengths[STEPS] ?? 1;
  const places: Place[] = [];
  let step = 0;
  for (let server = 0; server < servers; server += 1) {
    const wanted = (whole * server) / servers;
    while (step < STEPS - 1 && (lengths[step + 1] ?? whole) < wanted) {
      step += 1;
    }
    const [before, after] = [lengths[step] ?? 0, lengths[step + 1] ?? whole];
    const angle = start + ((step + (wanted - before) / (after - before)) * 2 * Math.PI) / STEPS;
    places.push({ x: round(centre.x + radius.x * Math.cos(angle)), y: round(centre.y + radius.y * Math.sin(angle)) });
  }
  return places;
}

function point({ x, y }: Place): string {
  return `${round(x)} ${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
