import { createStore } from "./store";

export type Theme = "system" | "light" | "dark";

const KEY = "registry.theme";

export const theme = createStore<Theme>(read());

function read(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function setTheme(choice: Theme): void {
  theme.set(choice);
  if (choice === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  applyTheme();
}

/** The styles follow the system unless the root element names a theme. */
export function applyTheme(): void {
  const choice = theme.get();
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}
