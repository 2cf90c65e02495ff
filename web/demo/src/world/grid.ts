// The plane cut into square cells, a topic each: who stands in a cell hears that cell and the eight around it.

export const CELL_M = 4;

/** The plaza is a square of so many metres, with its corner at the origin; x grows to the right, y downwards. */
export const WORLD_M = 24;

export const TOPIC_PREFIX = "demo/cell";

export interface Cell {
  readonly x: number;
  readonly y: number;
}

/** The cell of a position in metres. */
export function cellOf(x: number, y: number): Cell {
  return { x: Math.floor(x / CELL_M), y: Math.floor(y / CELL_M) };
}

export function sameCell(a: Cell, b: Cell): boolean {
  return a.x === b.x && a.y === b.y;
}

/** `demo/cell/3/-2` */
export function topicOf(cell: Cell): string {
  return `${TOPIC_PREFIX}/${cell.x}/${cell.y}`;
}

/** The topics of the cell and of its eight neighbours. */
export function around(cell: Cell): string[] {
  const topics = [];
  for (let dx = -1; dx <= 1; dx++) for (let dy = -1; dy <= 1; dy++) topics.push(topicOf({ x: cell.x + dx, y: cell.y + dy }));
  return topics;
}

/** Whether a position lies in the cell or in one of its eight neighbours. */
export function isHeard(middle: Cell, x: number, y: number): boolean {
  const cell = cellOf(x, y);
  return Math.abs(cell.x - middle.x) <= 1 && Math.abs(cell.y - middle.y) <= 1;
}

/** What to subscribe to and what to leave, to come from the topics that are held to those that are wanted. */
export function difference(held: Iterable<string>, wanted: Iterable<string>): { add: string[]; remove: string[] } {
  const before = new Set(held);
  const after = new Set(wanted);
  return { add: [...after].filter((topic) => !before.has(topic)), remove: [...before].filter((topic) => !after.has(topic)) };
}
