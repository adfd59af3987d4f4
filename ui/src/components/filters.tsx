import { useState } from "preact/hooks";
import { quoted } from "../lib/format";
import { setQuery, useLocation } from "../lib/router";
import { Button } from "./basics";
import { Dialog } from "./dialog";
import { SelectField, TextField } from "./fields";
import { Icon } from "./icon";

/** What a list can be filtered by, in words. */
export interface FilterKind {
  label: string;
  /** Whether it has a key beside the value, such as a label. */
  key?: string;
  hint?: string;
  /** The values to choose from, if there are few. */
  values?: string[];
  /** The condition in the language of docs/filters.md. */
  condition: (value: string, key: string) => string;
}

/** The conditions in the address. All of them must hold. */
export function useFilters(): {
  conditions: string[];
  filter: string;
  add: (condition: string) => void;
  remove: (condition: string) => void;
} {
  const { query } = useLocation();
  const conditions = (query.get("f") ?? "").split("\n").filter(Boolean);
  const set = (list: string[]) => setQuery({ f: [...new Set(list)].join("\n") });
  return {
    conditions,
    filter: conditions.map((condition) => (/\bOR\b/.test(condition) ? `(${condition})` : condition)).join(" AND "),
    add: (condition) => set([...conditions, condition]),
    remove: (condition) => set(conditions.filter((other) => other !== condition)),
  };
}

export function labelIs(key: string, value: string): string {
  return `labels.${/^[\w./-]+$/.test(key) ? key : quoted(key)} = ${quoted(value)}`;
}

const EXPRESSION: FilterKind = {
  label: "Expression",
  hint: 'Any condition, such as created_at >= 2026-01-01T00:00:00Z or NOT labels:owner. See "Filters" in the documentation.',
  condition: (value) => value,
};

/** A button that adds a condition to the list. */
export function AddFilter({ kinds }: { kinds: FilterKind[] }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button icon="filter" onClick={() => setOpen(true)}>
        Filter
      </Button>
      {open && <FilterDialog kinds={[...kinds, EXPRESSION]} onClose={() => setOpen(false)} />}
    </>
  );
}

function FilterDialog({ kinds, onClose }: { kinds: FilterKind[]; onClose: () => void }) {
  const { add } = useFilters();
  const [chosen, setChosen] = useState(kinds[0]?.label ?? "");
  const [key, setKey] = useState("");
  const kind = kinds.find(({ label }) => label === chosen) ?? EXPRESSION;
  const [value, setValue] = useState("");
  const current = kind.values && !kind.values.includes(value) ? (kind.values[0] ?? "") : value;
  const ready = current.trim() !== "" && (!kind.key || key.trim() !== "");
  return (
    <Dialog
      title="Show only"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" submit form="filter" disabled={!ready}>
            Add the filter
          </Button>
        </>
      }
    >
      <form
        id="filter"
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!ready) return;
          add(kind.condition(current.trim(), key.trim()));
          onClose();
        }}
      >
        <SelectField label="By" value={chosen} onChange={setChosen} options={kinds.map(({ label }) => label)} />
        {kind.key && <TextField label={kind.key} value={key} onInput={setKey} autofocus />}
        {kind.values ? (
          <SelectField label="Value" value={current} onChange={setValue} options={kind.values} />
        ) : (
          <TextField label="Value" value={value} onInput={setValue} hint={kind.hint} mono={kind === EXPRESSION} />
        )}
      </form>
    </Dialog>
  );
}

/** The conditions that hold, each with a cross that takes it away. */
export function FilterChips() {
  const { conditions, remove } = useFilters();
  if (!conditions.length) return null;
  return (
    <div class="row filters">
      {conditions.map((condition) => (
        <button
          key={condition}
          type="button"
          class="chip"
          aria-label={`Remove the filter ${condition}`}
          onClick={() => remove(condition)}
        >
          <span class="chip-value">
            <code>{condition}</code>
          </span>
          <Icon name="close" />
        </button>
      ))}
      <button type="button" class="link" onClick={() => setQuery({ f: "" })}>
        Clear
      </button>
    </div>
  );
}
