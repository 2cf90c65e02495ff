/** Which lines of the log are shown. Nothing chosen is everything. */

import type { LogEntry, LogKind } from "./frames.ts";

/** Kinds that are chosen together, by the name of their button. */
export const GROUPS = {
  Joins: ["joined"],
  Leaves: ["left"],
  Refusals: ["refused"],
  Servers: ["server-joined", "server-left"],
  Links: ["link-up", "link-down"],
  States: ["state"],
  Operators: ["operator"],
} as const satisfies Record<string, readonly LogKind[]>;
export type Group = keyof typeof GROUPS;
export const GROUP_NAMES = Object.keys(GROUPS) as Group[];

/** The group of a kind; null for what is always shown: that lines were lost, and kinds this page does not know. */
export function groupOf(kind: LogKind): Group | null {
  return GROUP_NAMES.find((name) => (GROUPS[name] as readonly LogKind[]).includes(kind)) ?? null;
}

/** How many lines each group has. */
export function tally(log: readonly LogEntry[]): Map<Group, number> {
  const counts = new Map<Group, number>(GROUP_NAMES.map((name) => [name, 0]));
  for (const entry of log) {
    const group = groupOf(entry.kind);
    if (group !== null) {
      counts.set(group, (counts.get(group) ?? 0) + 1);
    }
  }
  return counts;
}

/** How many lines are shown with these groups chosen. */
export function shownLines(log: readonly LogEntry[], chosen: ReadonlySet<Group>): number {
  return chosen.size === 0
    ? log.length
    : log.filter((entry) => {
        const group = groupOf(entry.kind);
        return group === null || chosen.has(group);
      }).length;
}
