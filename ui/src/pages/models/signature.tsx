import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Empty, Section, Snippet } from "../../components/basics";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";

/** The free metadata of a version. A signature in it, as MLflow writes it, is shown as tables. */
export function Metadata({ version: { metadata } }: { version: ModelVersion }) {
  const { signature, ...rest } = (metadata ?? {}) as JsonObject;
  if (!metadata || !Object.keys(metadata).length)
    return (
      <Empty title="This version has no signature and no metadata">
        <p>Metadata is free JSON. The key “signature” says which columns go in and come out.</p>
        <Snippet
          label="In metadata"
          text={`{"signature": {
  "inputs": [{"name": "petal_length", "type": "double"}],
  "outputs": [{"name": "species", "type": "string"}]
}}`}
        />
      </Empty>
    );
  return (
    <>
      {isObject(signature) ? (
        Object.entries(signature).map(([part, columns]) => <Columns key={part} title={part} columns={columns} />)
      ) : (
        <p class="faint">The metadata has no signature.</p>
      )}
      {Object.keys(rest).length > 0 && (
        <Section title="Metadata">
          <Snippet label="JSON" text={JSON.stringify(rest, null, 2)} />
        </Section>
      )}
    </>
  );
}

function Columns({ title, columns }: { title: string; columns: JsonValue }) {
  const list = typeof columns === "string" ? parsed(columns) : columns; // MLflow keeps it as a text with JSON
  const isList = Array.isArray(list) && list.length > 0 && list.every(isObject);
  const name = title.charAt(0).toUpperCase() + title.slice(1);
  return (
    <Section title={name}>
      {isList ? (
        <div class="table-frame">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Type</th>
                <th scope="col">Required</th>
              </tr>
            </thead>
            <tbody>
              {(list as JsonObject[]).map((column, index) => (
                <tr key={String(column.name ?? index)}>
                  <td>{text(column.name) || <span class="faint">{index + 1}</span>}</td>
                  <td>
                    <code>{text(column.type ?? column["tensor-spec"])}</code>
                  </td>
                  <td>{column.required === false ? "no" : "yes"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <Snippet label="JSON" text={JSON.stringify(list, null, 2)} />
      )}
    </Section>
  );
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: JsonValue | undefined): string {
  return value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}

function parsed(value: string): JsonValue {
  try {
    return JSON.parse(value) as JsonValue;
  } catch {
    return value;
  }
}
