import { createStore, useStore } from "../lib/store";
import { Icon } from "./icon";

interface Toast {
  id: number;
  text: string;
  tone: "done" | "error";
}

/** What is open over the page, the last on top. What lies below it can neither be clicked nor heard. */
export const layers = createStore<object[]>([]);

const toasts = createStore<Toast[]>([]);
let last = 0;

/** Says for some seconds that something was done. What the user has to correct belongs to the form instead. */
export function toast(text: string, tone: Toast["tone"] = "done"): void {
  const id = ++last;
  toasts.set([...toasts.get().slice(-2), { id, text, tone }]);
  setTimeout(() => dismiss(id), tone === "error" ? 8_000 : 4_000);
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((one) => one.id !== id));
}

/** The page has these, and each dialog. Those on top are shown. */
export function Toasts({ layer }: { layer?: object }) {
  const all = useStore(toasts);
  const shown = useStore(layers).at(-1) === layer ? all : [];
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, tone }) => (
        <div key={id} class={`toast ${tone}`}>
          <Icon name={tone === "error" ? "alert" : "check"} />
          <span>{text}</span>
          <button type="button" class="button quiet square" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
