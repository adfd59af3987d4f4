import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { ComponentChildren, HTMLAttributes } from "preact";
import { useEffect, useState } from "preact/hooks";
import { dateOf, formatRelative, formatTime, words } from "../lib/format";
import { Icon, type IconName } from "./icon";
import { toast } from "./toast";

interface ButtonProps extends Omit<HTMLAttributes<HTMLButtonElement>, "type" | "icon" | "role"> {
  kind?: "primary" | "danger" | "plain" | "quiet";
  icon?: IconName;
  busy?: boolean;
  submit?: boolean;
  disabled?: boolean;
  form?: string;
  class?: string;
  children?: ComponentChildren;
}

export function Button({
  kind = "plain",
  icon,
  busy,
  submit,
  disabled,
  children,
  class: more = "",
  onClick,
  ...rest
}: ButtonProps) {
  return (
    <button
      {...rest}
      type={submit && !busy ? "submit" : "button"}
      class={`button ${kind} ${children ? "" : "square"} ${more}`}
      disabled={disabled}
      aria-disabled={busy || undefined} // whereas `disabled` would take the focus away
      aria-busy={busy || undefined}
      onClick={busy ? undefined : onClick}
    >
      {busy ? <span class="spinner" /> : icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </button>
  );
}

/** `3 minutes ago`, with the exact time for those who point at it. It stays true while the page is open. */
export function Time({ at, prefix = "" }: { at: Timestamp | undefined; prefix?: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((old) => old + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span class="faint">–</span>;
  const date = dateOf(at);
  return (
    <time dateTime={date.toISOString()} title={formatTime(date)}>
      {prefix}
      {formatRelative(date)}
    </time>
  );
}

export async function copyText(text: string, what = "The text"): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} was copied.`);
  } catch {
    toast("The browser does not allow to copy here. Select the text instead.", "error"); // pages over plain HTTP
  }
}

/** An id that can be copied. The beginning is enough to tell ids apart. */
export function CopyId({ id, label = "Copy the id", shown = 8 }: { id: string; label?: string; shown?: number }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(id, "The id");
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button type="button" class="copy-id" title={id} aria-label={`${label}: ${id}`} onClick={copy}>
      <code>{id.slice(0, shown)}</code>
      <Icon name={copied ? "check" : "copy"} />
    </button>
  );
}

/** A piece of text for a terminal or a program, which can be copied. */
export function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <figure class="snippet">
      <figcaption>
        <span>{label}</span>
        <Button kind="quiet" icon="copy" aria-label={`Copy: ${label}`} onClick={() => copyText(text)} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse must be able to scroll it */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}

export type Tone = "green" | "blue" | "amber" | "red" | "grey" | "violet";

/** A state as a coloured dot with its word. */
export function Badge({ tone, children, title }: { tone: Tone; children: ComponentChildren; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}

const TONES: Record<string, Tone> = {
  LIVE: "green",
  READY: "green",
  DEPLOYED: "green",
  ACTIVE: "green",
  PENDING: "blue",
  DEPLOYING: "blue",
  UPDATING: "blue",
  DEGRADED: "amber",
  DRIFTED: "amber",
  DELETING: "amber",
  FAILED: "red",
  DISABLED: "red",
};

/** The badge of a state, status or phase. Each has its colour everywhere; words that are not known are grey. */
export function StatusBadge({ status, title }: { status: string; title?: string }) {
  return (
    <Badge tone={TONES[status] ?? "grey"} title={title}>
      {words(status) || "unknown"}
    </Badge>
  );
}

export function Chip({ name, value, onClick }: { name?: string; value: string; onClick?: () => void }) {
  const text = (
    <>
      {name !== undefined && <span class="chip-name">{name}</span>}
      <span class="chip-value">{value}</span>
    </>
  );
  if (!onClick) return <span class="chip">{text}</span>;
  return (
    <button
      type="button"
      class="chip"
      title={`Show only those with ${name === undefined ? "" : `${name} = `}${value}`}
      onClick={onClick}
    >
      {text}
    </button>
  );
}

/** Labels as chips, in the order of their keys. */
export function Labels({
  labels,
  onPick,
  most = 100,
}: {
  labels: Record<string, string>;
  onPick?: (key: string, value: string) => void;
  most?: number;
}) {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  if (!entries.length) return null;
  return (
    <span class="chips">
      {entries.slice(0, most).map(([key, value]) => (
        <Chip key={key} name={key} value={value} onClick={onPick && (() => onPick(key, value))} />
      ))}
      {entries.length > most && <span class="faint">+{entries.length - most}</span>}
    </span>
  );
}

/** Grey bars where something will be. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} />
      ))}
    </div>
  );
}

/** What to show where there is nothing: why, and what to do about it. */
export function Empty({
  title,
  children,
  actions,
}: {
  title: string;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <div class="empty-text">{children}</div>
      {actions && <div class="row">{actions}</div>}
    </div>
  );
}

/** The names and values of an object. */
export function Facts({ children }: { children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children || <span class="faint">–</span>}</dd>
    </div>
  );
}

/** A part of a page with its own heading. */
export function Section({
  title,
  count,
  actions,
  children,
}: {
  title: string;
  count?: number | string;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="section">
      <header>
        <h2>
          {title}
          {count !== undefined && <span class="count">{count}</span>}
        </h2>
        {actions && <div class="row">{actions}</div>}
      </header>
      {children}
    </section>
  );
}
