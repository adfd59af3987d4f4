import type { ComponentChildren, HTMLAttributes, TargetedMouseEvent } from "preact";
import { createStore, useStore } from "./store";

const BASE = "/ui";

/** The part of the address after /ui, with the query. */
const location_ = createStore(current());

function current(): string {
  const path = window.location.pathname;
  return (path.startsWith(BASE) ? path.slice(BASE.length) || "/" : "/") + window.location.search;
}

window.addEventListener("popstate", () => location_.set(current()));
history.scrollRestoration = "manual"; // pages restore it when their rows are there: see `usePageScroll`

export function navigate(path: string, options: { replace?: boolean } = {}): void {
  if (path === location_.get()) return;
  if (options.replace) {
    history.replaceState(history.state, "", BASE + path);
  } else {
    history.replaceState({ scroll: window.scrollY }, "");
    history.pushState(null, "", BASE + path);
    window.scrollTo(0, 0);
  }
  location_.set(current());
}

/** Where the page was scrolled to when the user left it, if they have come back to it. */
export function rememberedScroll(): number {
  return (history.state as { scroll?: number } | null)?.scroll ?? 0;
}

export function useLocation(): { path: string; query: URLSearchParams } {
  const [path = "/", query = ""] = splitOnce(useStore(location_), "?");
  return { path, query: new URLSearchParams(query) };
}

export function currentPath(): string {
  return location_.get();
}

/** Changes values in the query of the address without a new entry in the history; empty values leave it. */
export function setQuery(changes: Record<string, string>): void {
  const [path = "/", search = ""] = splitOnce(location_.get(), "?");
  const query = new URLSearchParams(search);
  for (const [key, value] of Object.entries(changes)) {
    if (value) query.set(key, value);
    else query.delete(key);
  }
  const text = query.toString();
  navigate(text ? `${path}?${text}` : path, { replace: true });
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** Matches `/models/:id` with `/models/1`, and answers `{id: "1"}`; null if it does not match. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const names = pattern.split("/");
  const parts = path.replace(/\/+$/, "").split("/");
  if (names.length !== parts.length) return null;
  const found: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const part = parts[index] ?? "";
    if (name.startsWith(":")) {
      if (!part) return null;
      try {
        found[name.slice(1)] = decodeURIComponent(part);
      } catch {
        return null; // not valid percent-encoding
      }
    } else if (name !== part) return null;
  }
  return found;
}

interface LinkProps extends Omit<HTMLAttributes<HTMLAnchorElement>, "href" | "role"> {
  to: string;
  class?: string;
  children: ComponentChildren;
}

/** A link to another page of the UI: `to` is an answer of `href`. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const follow = (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={BASE + to} onClick={follow} />;
}
