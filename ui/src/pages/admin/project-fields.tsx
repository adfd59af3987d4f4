import { TextField } from "../../components/fields";
import type { Project } from "../../gen/modelregistry/v1/project_pb";
import type { Draft } from "../../lib/draft";
import type { Failure } from "../../lib/errors";

/** A project as it is typed in: lists as lines, quotas as digits, empty for any number. */
export interface ProjectDraft {
  name: string;
  description: string;
  namespaces: string;
  uris: string;
  serviceAccounts: string;
  runtimes: string;
  maxModels: string;
  maxVersions: string;
  maxDeployments: string;
  maxGigabytes: string;
}

export const NEW_PROJECT: ProjectDraft = {
  name: "",
  description: "",
  namespaces: "",
  uris: "",
  serviceAccounts: "",
  runtimes: "",
  maxModels: "",
  maxVersions: "",
  maxDeployments: "",
  maxGigabytes: "",
};

const QUOTAS = ["maxModels", "maxVersions", "maxDeployments", "maxGigabytes"] as const;

/** The fields whose failures stand at the fields. */
export const PROJECT_FIELDS = [
  "name",
  "description",
  "namespaces",
  "uris",
  "service_accounts",
  "runtimes",
  "max_models",
  "max_versions",
  "max_deployments",
  "max_bytes",
].map((name) => `project.${name}`);

const GIB = 2 ** 30;

export function draftOfProject(project: Project): ProjectDraft {
  const text = (value: bigint | undefined) => value?.toString() ?? "";
  const bytes = project.maxBytes;
  return {
    name: project.name,
    description: project.description,
    namespaces: project.namespaces.join("\n"),
    uris: project.uris.join("\n"),
    serviceAccounts: project.serviceAccounts.join("\n"),
    runtimes: project.runtimes.join("\n"),
    maxModels: text(project.maxModels),
    maxVersions: text(project.maxVersions),
    maxDeployments: text(project.maxDeployments),
    maxGigabytes: bytes === undefined ? "" : String(Number(bytes) / GIB),
  };
}

/** The number of a quota; undefined for any number. */
export function quotaOf(text: string): bigint | undefined {
  return text.trim() ? BigInt(text.trim()) : undefined;
}

export function bytesOf(gigabytes: string): bigint | undefined {
  return gigabytes.trim() ? BigInt(Math.round(Number(gigabytes) * GIB)) : undefined;
}

/** What is wrong with a draft; empty if nothing is. */
export function problemOf(draft: ProjectDraft): string {
  for (const field of QUOTAS) {
    const text = draft[field].trim();
    if (!(field === "maxGigabytes" ? /^(\d{1,9}(\.\d+)?)?$/ : /^\d{0,18}$/).test(text))
      return `“${text}” is not a number.`;
  }
  return "";
}

export function ProjectFields({ draft, failure }: { draft: Draft<ProjectDraft>; failure: Failure | undefined }) {
  const field = (name: keyof ProjectDraft, path: string) => ({
    value: draft.values[name],
    onInput: (value: string) => draft.set(name, value),
    failure,
    path: `project.${path}`,
  });
  return (
    <>
      <TextField label="Name" autofocus {...field("name", "name")} />
      <TextField label="Description" rows={2} optional {...field("description", "description")} />
      <fieldset class="stack">
        <legend>What it may use</legend>
        <p class="hint">One entry in a line. A star stands for any characters.</p>
        <div class="columns lists">
          <TextField
            label="Namespaces"
            rows={3}
            mono
            hint="Where it may deploy. Empty: nowhere."
            {...field("namespaces", "namespaces")}
          />
          <TextField
            label="Places of model files"
            rows={3}
            mono
            placeholder="s3://team-*"
            hint="Scheme and host, bucket or claim. Empty: anywhere."
            {...field("uris", "uris")}
          />
          <TextField
            label="Service accounts"
            rows={3}
            mono
            placeholder="namespace/name"
            hint="Besides those that the settings allow to all."
            {...field("serviceAccounts", "service_accounts")}
          />
          <TextField
            label="Serving runtimes"
            rows={3}
            mono
            hint="Deployments have to name one of them. Empty: any."
            {...field("runtimes", "runtimes")}
          />
        </div>
      </fieldset>
      <fieldset class="stack">
        <legend>Quotas</legend>
        <p class="hint">Empty: any number. What it has above a quota stays, but cannot grow.</p>
        <div class="columns quotas">
          <TextField label="Models" {...field("maxModels", "max_models")} />
          <TextField label="Versions" {...field("maxVersions", "max_versions")} />
          <TextField label="Deployments" {...field("maxDeployments", "max_deployments")} />
          <TextField label="Model files in GiB" {...field("maxGigabytes", "max_bytes")} />
        </div>
      </fieldset>
    </>
  );
}
