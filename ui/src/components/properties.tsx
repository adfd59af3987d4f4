import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type PropertyValue, PropertyValueSchema } from "../gen/modelregistry/v1/property_pb";
import { dateOf, formatProperty } from "../lib/format";
import { Button } from "./basics";

/** The properties of an object as a table. */
export function Properties({ properties }: { properties: Record<string, PropertyValue> }) {
  const entries = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  if (!entries.length) return <span class="faint">–</span>;
  return (
    <dl class="properties">
      {entries.map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{formatProperty(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

const TYPES = ["text", "integer", "number", "yes or no", "time"] as const;
type Type = (typeof TYPES)[number];

/** A value as it is typed in. */
export interface ValueDraft {
  type: Type;
  text: string;
}

export interface PropertyDraft extends ValueDraft {
  key: string;
}

const NOUNS: Record<Type, string> = {
  text: "a text",
  integer: "an integer of at most 64 bits",
  number: "a number",
  "yes or no": "yes or no",
  time: "a time, such as 2026-01-31T12:00:00Z",
};

export function draftsOf(properties: Record<string, PropertyValue>): PropertyDraft[] {
  return Object.entries(properties)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, ...draftOfValue(value) }));
}

export function draftOfValue({ kind }: PropertyValue): ValueDraft {
  switch (kind.case) {
    case "intValue":
      return { type: "integer", text: kind.value.toString() };
    case "doubleValue":
      return { type: "number", text: String(kind.value) };
    case "boolValue":
      return { type: "yes or no", text: String(kind.value) };
    case "timestampValue":
      return { type: "time", text: dateOf(kind.value).toISOString() };
    default:
      return { type: "text", text: kind.value ?? "" };
  }
}

/** What is wrong with the drafts; empty if nothing is. */
export function problemOf(drafts: PropertyDraft[]): string {
  for (const draft of drafts)
    if (!draft.key.trim()) return "Every property needs a key.";
    else if (!typedValue(draft)) return `The value of ${draft.key} is not ${NOUNS[draft.type]}.`;
  return new Set(drafts.map(({ key }) => key.trim())).size < drafts.length ? "Two properties have the same key." : "";
}

export function propertiesOf(drafts: PropertyDraft[]): Record<string, PropertyValue> {
  const properties: Record<string, PropertyValue> = {};
  for (const draft of drafts) {
    const value = typedValue(draft);
    if (value) properties[draft.key.trim()] = value;
  }
  return properties;
}

/** Undefined if the text is not of the type. */
export function typedValue({ type, text }: ValueDraft): PropertyValue | undefined {
  const kind = kindOf(type, text.trim(), text);
  return kind && create(PropertyValueSchema, { kind });
}

function kindOf(type: Type, text: string, exact: string): PropertyValue["kind"] | undefined {
  switch (type) {
    case "integer":
      return /^[+-]?\d+$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
        ? { case: "intValue", value: BigInt(text) }
        : undefined;
    case "number":
      return text && Number.isFinite(Number(text)) ? { case: "doubleValue", value: Number(text) } : undefined;
    case "yes or no":
      return { case: "boolValue", value: text === "true" };
    case "time": {
      const date = new Date(text);
      return Number.isNaN(date.getTime()) ? undefined : { case: "timestampValue", value: timestampFromDate(date) };
    }
    default:
      return { case: "stringValue", value: exact };
  }
}

export function PropertiesField({
  drafts,
  onChange,
}: {
  drafts: PropertyDraft[];
  onChange: (drafts: PropertyDraft[]) => void;
}) {
  const change = (index: number, changes: Partial<PropertyDraft>) =>
    onChange(drafts.map((draft, at) => (at === index ? { ...draft, ...changes } : draft)));
  return (
    <fieldset class="field pairs">
      <legend>Properties</legend>
      {drafts.map(({ key, type, text }, index) => (
        <div key={index} class="pair typed">
          <input
            aria-label={`Key of property ${index + 1}`}
            placeholder="Key"
            value={key}
            spellcheck={false}
            onInput={(event) => change(index, { key: event.currentTarget.value })}
          />
          <ValueInputs
            what={`property ${index + 1}`}
            draft={{ type, text }}
            onChange={(changes) => change(index, changes)}
          />
          <Button
            kind="quiet"
            icon="close"
            aria-label={`Remove ${key || `property ${index + 1}`}`}
            onClick={() => onChange(drafts.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <Button kind="quiet" icon="plus" onClick={() => onChange([...drafts, { key: "", type: "text", text: "" }])}>
        Add a property
      </Button>
    </fieldset>
  );
}

/** The type and the value, side by side. */
export function ValueInputs({
  what,
  draft: { type, text },
  onChange,
}: {
  what: string;
  draft: ValueDraft;
  onChange: (changes: Partial<ValueDraft>) => void;
}) {
  return (
    <>
      <select
        aria-label={`Type of ${what}`}
        value={type}
        onChange={(event) => onChange({ type: event.currentTarget.value as Type })}
      >
        {TYPES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      {type === "yes or no" ? (
        <select
          aria-label={`Value of ${what}`}
          value={text === "true" ? "true" : "false"}
          onChange={(event) => onChange({ text: event.currentTarget.value })}
        >
          <option value="true">yes</option>
          <option value="false">no</option>
        </select>
      ) : (
        <input
          aria-label={`Value of ${what}`}
          placeholder={type === "time" ? "2026-01-31T12:00:00Z" : "Value"}
          value={text}
          spellcheck={false}
          onInput={(event) => onChange({ text: event.currentTarget.value })}
        />
      )}
    </>
  );
}
