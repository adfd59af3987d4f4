import { useEffect, useRef, useState } from "preact/hooks";
import { useDebounced } from "../lib/query";
import { Icon } from "./icon";

interface SearchProps {
  value: string;
  /** Called when the user has not typed for a moment. */
  onChange: (value: string) => void;
  label: string;
  placeholder?: string;
}

/** The search of a page, which the key `/` goes to. */
export function SearchBox({ value, onChange, label, placeholder }: SearchProps) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const settled = useDebounced(text, 80);
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    if (settled === sent.current) return;
    sent.current = settled;
    latest.current(settled);
  }, [settled]);
  useEffect(() => {
    if (value === sent.current) return; // it was changed elsewhere, for example by going back
    sent.current = value;
    setText(value);
  }, [value]);
  return (
    <div class="search">
      <Icon name="search" />
      <input
        type="search"
        data-search
        aria-label={label}
        placeholder={placeholder ?? label}
        value={text}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
      <kbd>/</kbd>
    </div>
  );
}

export function focusSearch(): void {
  const input = document.querySelector<HTMLInputElement>("[data-search]");
  input?.focus();
  input?.select();
}
