import { useEffect } from "preact/hooks";

/** Keys that work on the whole page, with what they do, for the help. */
export const SHORTCUTS: [keys: string, does: string][] = [
  ["/", "Search on this page"],
  ["?", "Show the keys"],
  ["g m", "Go to the models"],
  ["g d", "Go to the deployments"],
  ["g e", "Go to the environments"],
  ["g a", "Go to the activity"],
  ["n", "Make a new one, where the page offers it"],
  ["Esc", "Close the dialog or the menu"],
];

/** Calls the handler for a key, or for two keys one after the other such as `g m`, unless the user is typing. */
export function useKeys(handlers: Record<string, () => void>): void {
  useEffect(() => {
    let first = "";
    let timer = 0;
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      const handler = handlers[first ? `${first} ${event.key}` : event.key];
      first = first ? "" : event.key === "g" ? "g" : "";
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        first = "";
      }, 1_000);
      if (!handler) return;
      event.preventDefault();
      handler();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  });
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
