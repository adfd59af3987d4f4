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

/** A property as it is typed in. */
export interface PropertyDraft {
  key: string;
  type: Type;
  text: string;
}

export function draftsOf(properties: Record<string, PropertyValue>): PropertyDraft[] {
  return Object.entries(properties)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { kind }]) => {
      switch (kind.case) {
        case "intValue":
          return { key, type: "integer", text: kind.value.toString() };
        case "doubleValue":
          return { key, type: "number", text: String(kind.value) };
        case "boolValue":
          return { key, type: "yes or no", text: String(kind.value) };
        case "timestampValue":
          return { key, type: "time", text: dateOf(kind.value).toISOString() };
        default:
          return { key, type: "text", text: kind.value ?? "" };
      }
    });
}

/** What is wrong with the drafts; empty if nothing is. */
export function problemOf(drafts: PropertyDraft[]): string {
  for (const draft of drafts)
    if (!draft.key.trim()) return "Every property needs a key.";
    else if (!typed(draft)) return `The value of ${draft.key} is no ${draft.type}.`;
  return new Set(drafts.map(({ key }) => key.trim())).size < drafts.length ? "Two properties have the same key." : "";
}

export function propertiesOf(drafts: PropertyDraft[]): Record<string, PropertyValue> {
  const properties: Record<string, PropertyValue> = {};
  for (const draft of drafts) {
    const value = typed(draft);
    if (value) properties[draft.key.trim()] = value;
  }
  return properties;
}

function typed({ type, text }: PropertyDraft): PropertyValue | undefined {
  const kind = kindOf(type, text.trim(), text);
  return kind && create(PropertyValueSchema, { kind });
}

function kindOf(type: Type, text: string, exact: string): PropertyValue["kind"] | undefined {
  switch (type) {
    case "integer":
      return /^[+-]?\d+$/.test(text) ? { case: "intValue", value: BigInt(text) } : undefined;
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
          <select
            aria-label={`Type of property ${index + 1}`}
            value={type}
            onChange={(event) => change(index, { type: event.currentTarget.value as Type })}
          >
            {TYPES.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
          {type === "yes or no" ? (
            <select
              aria-label={`Value of property ${index + 1}`}
              value={text === "true" ? "true" : "false"}
              onChange={(event) => change(index, { text: event.currentTarget.value })}
            >
              <option value="true">yes</option>
              <option value="false">no</option>
            </select>
          ) : (
            <input
              aria-label={`Value of property ${index + 1}`}
              placeholder={type === "time" ? "2026-01-31T12:00:00Z" : "Value"}
              value={text}
              spellcheck={false}
              onInput={(event) => change(index, { text: event.currentTarget.value })}
            />
          )}
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
