import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Link } from "../lib/router";
import { Icon } from "./icon";

/** Sets the title of the window. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Model registry`;
  }, [title]);
}

interface PageHeadProps {
  title: ComponentChildren;
  /** The title of the window, if it is another one. */
  windowTitle?: string;
  /** The pages above this one. */
  crumbs?: [text: string, to: string][];
  /** Badges beside the title. */
  badges?: ComponentChildren;
  /** A line below the title. */
  text?: ComponentChildren;
  actions?: ComponentChildren;
}

/** The head of every page. */
export function PageHead({ title, windowTitle, crumbs = [], badges, text, actions }: PageHeadProps) {
  useTitle(windowTitle ?? (typeof title === "string" ? title : ""));
  return (
    <header class="page-head">
      {crumbs.length > 0 && (
        <nav aria-label="Breadcrumbs" class="crumbs">
          {crumbs.map(([name, to]) => (
            <span key={to}>
              <Link to={to}>{name}</Link>
              <Icon name="right" />
            </span>
          ))}
        </nav>
      )}
      <div class="page-title">
        <h1>{title}</h1>
        {badges}
        {text && <div class="page-text">{text}</div>}
        {actions && <div class="page-actions">{actions}</div>}
      </div>
    </header>
  );
}

/** Tabs of a page. The address keeps which one is open: `?tab=aliases`. */
export function Tabs({
  tabs,
  current,
  onPick,
}: {
  tabs: [key: string, text: string, count?: number | string][];
  current: string;
  onPick: (key: string) => void;
}) {
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    const all = bar.current;
    const open = all?.querySelector<HTMLElement>("[aria-current]");
    if (!all || !open) return;
    const left = open.offsetLeft - all.offsetLeft; // on a phone, it may be outside
    all.scrollLeft = Math.min(left, Math.max(all.scrollLeft, left + open.offsetWidth - all.clientWidth));
  }, [current]);
  return (
    <nav class="tabs" aria-label="Parts of the page" ref={bar}>
      {tabs.map(([key, text, count]) => (
        <button key={key} type="button" aria-current={key === current ? "page" : undefined} onClick={() => onPick(key)}>
          {text}
          {count !== undefined && <span class="count">{count}</span>}
        </button>
      ))}
    </nav>
  );
}
