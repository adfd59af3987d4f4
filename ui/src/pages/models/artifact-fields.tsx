import { type Pairs, PairsField, TextField } from "../../components/fields";
import {
  draftOfValue,
  draftsOf,
  PropertiesField,
  type PropertyDraft,
  problemOf as problemOfProperties,
  typedValue,
  type ValueDraft,
  ValueInputs,
} from "../../components/properties";
import { type Artifact, ArtifactKind } from "../../gen/modelregistry/v1/artifact_pb";
import type { Draft } from "../../lib/draft";
import type { Failure } from "../../lib/errors";
import { sortedPairs } from "./model-fields";

export const KINDS: Record<ArtifactKind, string> = {
  [ArtifactKind.UNSPECIFIED]: "Artifact",
  [ArtifactKind.MODEL]: "Model",
  [ArtifactKind.DOCUMENT]: "Document",
  [ArtifactKind.DATASET]: "Data set",
  [ArtifactKind.METRIC]: "Metric",
  [ArtifactKind.PARAMETER]: "Parameter",
};

/** Whether artifacts of the kind have a value; the others have files. */
export function hasValue(kind: ArtifactKind): boolean {
  return kind === ArtifactKind.METRIC || kind === ArtifactKind.PARAMETER;
}

/** An artifact as forms edit it. */
export interface ArtifactDraft {
  name: string;
  description: string;
  uri: string;
  digest: string;
  size: string;
  value: ValueDraft;
  externalId: string;
  labels: Pairs;
  properties: PropertyDraft[];
}

export const NEW_ARTIFACT: ArtifactDraft = {
  name: "",
  description: "",
  uri: "",
  digest: "",
  size: "",
  value: { type: "number", text: "" },
  externalId: "",
  labels: [],
  properties: [],
};

export function draftOfArtifact(artifact: Artifact): ArtifactDraft {
  const { name, description, uri, digest, sizeBytes, value, externalId, labels, properties } = artifact;
  return {
    name,
    description,
    uri,
    digest,
    size: sizeBytes > 0n ? String(sizeBytes) : "",
    value: value ? draftOfValue(value) : NEW_ARTIFACT.value,
    externalId,
    labels: sortedPairs(labels),
    properties: draftsOf(properties),
  };
}

/** The fields as the API has them, without labels and properties, which creation and update have in other forms. */
export function fieldsOf(kind: ArtifactKind, draft: ArtifactDraft) {
  return {
    name: draft.name.trim(),
    description: draft.description,
    uri: draft.uri.trim(),
    digest: draft.digest.trim(),
    sizeBytes: BigInt(draft.size.trim()),
    externalId: draft.externalId.trim(),
    value: hasValue(kind) ? typedValue(draft.value) : undefined,
  };
}

export const ARTIFACT_FIELDS = ["name", "description", "uri", "digest", "size_bytes", "external_id"].map(
  (name) => `artifact.${name}`,
);

export function isComplete(kind: ArtifactKind, { name, uri, value }: ArtifactDraft): boolean {
  const content = hasValue(kind) ? value.type === "yes or no" || value.text.trim() : uri.trim();
  return name.trim() !== "" && content !== "";
}

/** What is wrong with a draft; empty if nothing is. */
export function problemOf(kind: ArtifactKind, { size, value, properties }: ArtifactDraft): string {
  if (!/^\d{0,18}$/.test(size.trim())) return "The size is not a number of bytes.";
  const typed = hasValue(kind) && value.text.trim() ? [{ key: "the artifact", ...value }] : [];
  return problemOfProperties(typed) || problemOfProperties(properties);
}

interface Props {
  kind: ArtifactKind;
  draft: Draft<ArtifactDraft>;
  failure: Failure | undefined;
}

export function ArtifactFields({ kind, draft, failure }: Props) {
  const { values, set } = draft;
  type Text = "name" | "description" | "uri" | "digest" | "size" | "externalId";
  const text = (name: Text, path: string) => ({
    value: values[name],
    onInput: (value: string) => set(name, value),
    failure,
    path: `artifact.${path}`,
  });
  const files = (
    <>
      <TextField
        {...text("uri", "uri")}
        label="Location of the files"
        optional={hasValue(kind)}
        mono
        placeholder="s3://data/iris/train.parquet"
      />
      <div class="columns">
        <TextField {...text("digest", "digest")} label="Digest" optional mono placeholder="sha256:…" />
        <TextField {...text("size", "size_bytes")} label="Size in bytes" optional />
      </div>
    </>
  );
  return (
    <>
      <TextField {...text("name", "name")} label="Name" hint="Unique in the version." autofocus />
      {hasValue(kind) ? (
        <fieldset class="field">
          <legend>Value</legend>
          <div class="pair value">
            <ValueInputs
              what="the artifact"
              draft={values.value}
              onChange={(changes) => set("value", { ...values.value, ...changes })}
            />
          </div>
        </fieldset>
      ) : (
        files
      )}
      <TextField {...text("description", "description")} label="Description" optional rows={2} />
      <details>
        <summary>More</summary>
        <div class="stack inner">
          {hasValue(kind) && files}
          <TextField
            {...text("externalId", "external_id")}
            label="External id"
            optional
            hint="The id of the artifact in another system. No two artifacts of the project have the same one."
          />
          <PairsField label="Labels" pairs={values.labels} onChange={(labels) => set("labels", labels)} />
          <PropertiesField drafts={values.properties} onChange={(properties) => set("properties", properties)} />
        </div>
      </details>
    </>
  );
}
