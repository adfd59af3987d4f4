import type { ComponentChildren, InputHTMLAttributes, JSX, TargetedEvent } from "preact";
import { useId } from "preact/hooks";
import type { Failure } from "../lib/errors";
import { Button } from "./basics";

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  /** The failure of the form, and the path of this field in it, such as `registered_model.name`. */
  failure?: Failure;
  path?: string;
  optional?: boolean;
}

interface Described {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

/** A field with its label, a hint, and what the registry says is wrong with it. */
export function Field({
  label,
  hint,
  failure,
  path,
  optional,
  render,
}: FieldProps & { render: (attributes: Described) => JSX.Element }) {
  const id = useId();
  const error = path ? failure?.fields[path] : undefined;
  return (
    <div class="field">
      <label for={id}>
        {label} {optional && <span class="faint">optional</span>}
      </label>
      {render({
        id,
        "aria-describedby": error || hint ? `${id}-text` : undefined,
        "aria-invalid": error ? true : undefined,
      })}
      {(error || hint) && (
        <p id={`${id}-text`} class={error ? "field-error" : "hint"}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

interface TextProps extends FieldProps {
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "password" | "url" | "number";
  placeholder?: string;
  rows?: number;
  mono?: boolean;
  autofocus?: boolean;
  list?: string;
}

export function TextField({
  value,
  onInput,
  type = "text",
  placeholder,
  rows,
  mono,
  autofocus,
  list,
  ...field
}: TextProps) {
  return (
    <Field
      {...field}
      render={(attributes) => {
        const common = {
          ...attributes,
          value,
          placeholder,
          class: mono ? "mono" : "",
          spellcheck: false,
          autocomplete: "off" as const,
          autofocus,
          onInput: (event: TargetedEvent<HTMLInputElement | HTMLTextAreaElement>) => onInput(event.currentTarget.value),
        };
        return rows ? (
          <textarea {...common} rows={rows} />
        ) : (
          <input {...({ ...common, type, list } as InputHTMLAttributes)} />
        );
      }}
    />
  );
}

interface SelectProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  options: (string | [value: string, text: string])[];
}

export function SelectField({ value, onChange, options, ...field }: SelectProps) {
  return (
    <Field
      {...field}
      render={(attributes) => (
        <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map((option) => {
            const [key, text] = typeof option === "string" ? [option, option] : option;
            return (
              <option key={key} value={key}>
                {text}
              </option>
            );
          })}
        </select>
      )}
    />
  );
}

export function CheckField({
  label,
  hint,
  checked,
  onChange,
}: {
  label: string;
  hint?: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        aria-describedby={hint ? `${id}-text` : undefined}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      {hint && (
        <p id={`${id}-text`} class="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

/** Pairs of texts, such as labels, in the order in which they were added. */
export type Pairs = [key: string, value: string][];

export function PairsField({
  label,
  pairs,
  onChange,
  keyName = "Key",
  valueName = "Value",
}: {
  label: string;
  pairs: Pairs;
  onChange: (pairs: Pairs) => void;
  keyName?: string;
  valueName?: string;
}) {
  const change = (index: number, pair: [string, string]) =>
    onChange(pairs.map((old, at) => (at === index ? pair : old)));
  return (
    <fieldset class="field pairs">
      <legend>{label}</legend>
      {pairs.map(([key, value], index) => (
        <div key={index} class="pair">
          <input
            aria-label={`${keyName} ${index + 1}`}
            placeholder={keyName}
            value={key}
            spellcheck={false}
            onInput={(event) => change(index, [event.currentTarget.value, value])}
          />
          <input
            aria-label={`${valueName} ${index + 1}`}
            placeholder={valueName}
            value={value}
            spellcheck={false}
            onInput={(event) => change(index, [key, event.currentTarget.value])}
          />
          <Button
            kind="quiet"
            icon="close"
            aria-label={`Remove ${key || `entry ${index + 1}`}`}
            onClick={() => onChange(pairs.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <Button kind="quiet" icon="plus" onClick={() => onChange([...pairs, ["", ""]])}>
        Add
      </Button>
    </fieldset>
  );
}
