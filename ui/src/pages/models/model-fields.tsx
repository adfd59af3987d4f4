import type { Pairs } from "../../components/fields";
import { PairsField, SelectField, TextField } from "../../components/fields";
import { draftsOf, PropertiesField, type PropertyDraft } from "../../components/properties";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import type { Draft } from "../../lib/draft";
import type { Failure } from "../../lib/errors";

/** A model as forms edit it. */
export interface ModelDraft {
  name: string;
  description: string;
  ownerEmail: string;
  modelType: string;
  frameworks: string;
  tasks: string;
  externalId: string;
  labels: Pairs;
  properties: PropertyDraft[];
}

export const NEW_MODEL: ModelDraft = {
  name: "",
  description: "",
  ownerEmail: "",
  modelType: "CUSTOMTRAIN",
  frameworks: "",
  tasks: "",
  externalId: "",
  labels: [],
  properties: [],
};

export function draftOfModel(model: RegisteredModel): ModelDraft {
  return {
    name: model.name,
    description: model.description,
    ownerEmail: model.ownerEmail,
    modelType: model.modelType,
    frameworks: model.tags?.frameworks.join(", ") ?? "",
    tasks: model.tags?.tasks.join(", ") ?? "",
    externalId: model.externalId,
    labels: sortedPairs(model.labels),
    properties: draftsOf(model.properties),
  };
}

export function sortedPairs(labels: Record<string, string>): Pairs {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Pairs without those that have no key. */
export function labelsOf(pairs: Pairs): Record<string, string> {
  return Object.fromEntries(pairs.map(([key, value]) => [key.trim(), value] as const).filter(([key]) => key));
}

/** The entries of a list that is typed with commas. */
export function listOf(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter(Boolean);
}

export const MODEL_FIELDS = ["name", "description", "owner_email", "model_type", "external_id"].map(
  (name) => `registered_model.${name}`,
);

export function ModelFields({ draft, failure }: { draft: Draft<ModelDraft>; failure: Failure | undefined }) {
  const { values, set } = draft;
  const types = ["CUSTOMTRAIN", "PRETRAIN"];
  if (values.modelType && !types.includes(values.modelType)) types.push(values.modelType);
  return (
    <>
      <TextField
        label="Name"
        hint="Unique in the project. It can be changed later; the id stays."
        value={values.name}
        onInput={(name) => set("name", name)}
        failure={failure}
        path="registered_model.name"
        autofocus
      />
      <TextField
        label="Description"
        optional
        hint="Markdown is shown as such."
        rows={4}
        value={values.description}
        onInput={(text) => set("description", text)}
        failure={failure}
        path="registered_model.description"
      />
      <div class="columns">
        <TextField
          label="Owner"
          optional
          placeholder="ada@example.com"
          value={values.ownerEmail}
          onInput={(text) => set("ownerEmail", text)}
          failure={failure}
          path="registered_model.owner_email"
        />
        <SelectField
          label="Type"
          value={values.modelType}
          onChange={(type) => set("modelType", type)}
          options={types}
          failure={failure}
          path="registered_model.model_type"
        />
        <TextField
          label="Frameworks"
          optional
          placeholder="sklearn, pytorch"
          value={values.frameworks}
          onInput={(text) => set("frameworks", text)}
        />
        <TextField
          label="Tasks"
          optional
          placeholder="classification"
          value={values.tasks}
          onInput={(text) => set("tasks", text)}
        />
      </div>
      <TextField
        label="External id"
        optional
        hint="The id of the model in another system. No two models of the project have the same one."
        value={values.externalId}
        onInput={(text) => set("externalId", text)}
        failure={failure}
        path="registered_model.external_id"
      />
      <PairsField label="Labels" pairs={values.labels} onChange={(labels) => set("labels", labels)} />
      <PropertiesField drafts={values.properties} onChange={(properties) => set("properties", properties)} />
    </>
  );
}
