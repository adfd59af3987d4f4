import { type Pairs, PairsField, TextField } from "../../components/fields";
import { draftsOf, PropertiesField, type PropertyDraft } from "../../components/properties";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import type { Draft } from "../../lib/draft";
import type { Failure } from "../../lib/errors";
import { sortedPairs } from "./model-fields";

/** A version as forms edit it. */
export interface VersionDraft {
  name: string;
  description: string;
  uri: string;
  modelFramework: string;
  modelFrameworkVersion: string;
  containerImage: string;
  readme: string;
  externalId: string;
  labels: Pairs;
  properties: PropertyDraft[];
}

export const NEW_VERSION: VersionDraft = {
  name: "",
  description: "",
  uri: "",
  modelFramework: "",
  modelFrameworkVersion: "",
  containerImage: "",
  readme: "",
  externalId: "",
  labels: [],
  properties: [],
};

export function draftOfVersion(version: ModelVersion): VersionDraft {
  const { name, description, uri, modelFramework, modelFrameworkVersion, containerImage, readme, externalId } = version;
  return {
    name,
    description,
    uri,
    modelFramework,
    modelFrameworkVersion,
    containerImage,
    readme,
    externalId,
    labels: sortedPairs(version.labels),
    properties: draftsOf(version.properties),
  };
}

export const VERSION_FIELDS = [
  "name",
  "description",
  "uri",
  "model_framework",
  "model_framework_version",
  "container_image",
  "readme",
  "external_id",
].map((name) => `model_version.${name}`);

const FORMATS = ["sklearn", "xgboost", "lightgbm", "pytorch", "tensorflow", "onnx", "huggingface", "mlflow", "pmml"];

export function VersionFields({ draft, failure }: { draft: Draft<VersionDraft>; failure: Failure | undefined }) {
  const { values, set } = draft;
  return (
    <>
      <TextField
        label="Name"
        hint="Unique in the model, such as v1."
        value={values.name}
        onInput={(name) => set("name", name)}
        failure={failure}
        path="model_version.name"
        autofocus
      />
      <TextField
        label="Location of the files"
        optional
        placeholder="s3://models/iris/1"
        hint="A version without files can be made, and gets its files later."
        mono
        value={values.uri}
        onInput={(uri) => set("uri", uri)}
        failure={failure}
        path="model_version.uri"
      />
      <div class="columns">
        <TextField
          label="Framework"
          placeholder="sklearn"
          list="formats"
          value={values.modelFramework}
          onInput={(text) => set("modelFramework", text)}
          failure={failure}
          path="model_version.model_framework"
        />
        <TextField
          label="Version of the framework"
          placeholder="1"
          value={values.modelFrameworkVersion}
          onInput={(text) => set("modelFrameworkVersion", text)}
          failure={failure}
          path="model_version.model_framework_version"
        />
      </div>
      <datalist id="formats">
        {FORMATS.map((format) => (
          <option key={format} value={format} />
        ))}
      </datalist>
      <TextField
        label="Serving runtime"
        optional
        placeholder="kserve-sklearnserver"
        hint="Without it, KServe chooses one by the framework."
        value={values.containerImage}
        onInput={(text) => set("containerImage", text)}
        failure={failure}
        path="model_version.container_image"
      />
      <TextField
        label="Description"
        optional
        rows={2}
        value={values.description}
        onInput={(text) => set("description", text)}
        failure={failure}
        path="model_version.description"
      />
      <TextField
        label="Readme"
        optional
        hint="In Markdown: what it was trained on, how good it is, what it must not be used for."
        rows={5}
        mono
        value={values.readme}
        onInput={(text) => set("readme", text)}
        failure={failure}
        path="model_version.readme"
      />
      <TextField
        label="External id"
        optional
        hint="The id of the version in another system. No two versions of the project have the same one."
        value={values.externalId}
        onInput={(text) => set("externalId", text)}
        failure={failure}
        path="model_version.external_id"
      />
      <PairsField label="Labels" pairs={values.labels} onChange={(labels) => set("labels", labels)} />
      <PropertiesField drafts={values.properties} onChange={(properties) => set("properties", properties)} />
    </>
  );
}
