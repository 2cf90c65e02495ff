/** Dark, light, or as the system says. The choice is kept; the colours are the style sheet's. */

import { setAttribute } from "./dom.ts";

const KEY = "rtcbroker.theme";
const CHOICES = ["auto", "light", "dark"] as const;
export type Theme = (typeof CHOICES)[number];

/** The choice that was kept, or "auto". */
export function keptTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return CHOICES.find((choice) => choice === kept) ?? "auto";
  } catch {
    return "auto";
  }
}

/** Show the theme and keep it. */
export function useTheme(theme: Theme): void {
  // without the attribute the style sheet follows the system
  setAttribute(document.documentElement, "data-theme", theme === "auto" ? undefined : theme);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // storage is closed to this page: the choice lives as long as the page
  }
}
