import { type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Difference } from "../../components/differences";
import {
  type DeploymentOptions,
  DeploymentOptionsSchema,
  type DeploymentSnapshot,
  type FieldDifference,
} from "../../gen/modelregistry/v1/deployment_pb";

/** What a revision says, by names as docs/kserve.md has them: `resources.limits.cpu`. */
type Said = Record<string, string>;

interface Revised {
  options?: DeploymentOptions | undefined;
  snapshot?: DeploymentSnapshot | undefined;
}

export function said({ options, snapshot }: Revised, version: string): Said {
  const all: Said = { version };
  if (snapshot) {
    all.uri = snapshot.uri;
    all.framework = `${snapshot.modelFramework} ${snapshot.modelFrameworkVersion}`.trim();
    all.serving_runtime = snapshot.runtime;
    for (const [key, value] of Object.entries(snapshot.labels)) all[`labels.${key}`] = value;
  }
  if (options) collect(toJson(DeploymentOptionsSchema, options, { useProtoFieldName: true }), "", all);
  if (all.runtime === all.serving_runtime) delete all.runtime;
  return all;
}

/** The options that were set, without defaults that say nothing. */
export function optionsSaid(options: DeploymentOptions | undefined): Said {
  const all: Said = {};
  if (options) collect(toJson(DeploymentOptionsSchema, options, { useProtoFieldName: true }), "", all);
  return all;
}

function collect(value: JsonValue | undefined, path: string, into: Said): void {
  if (value === null || value === undefined || value === "") return;
  if (Array.isArray(value)) {
    if (value.length)
      into[path] = value
        .map((one) => (typeof one === "string" ? one : JSON.stringify(one)))
        .join(path === "args" ? " " : ", ");
  } else if (typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) collect(inner, path ? `${path}.${key}` : key, into);
  } else into[path] = enumWord(String(value));
}

/** `DEPLOYMENT_MODE_STANDARD` is `standard`. */
function enumWord(word: string): string {
  return word
    .replace(/^(DEPLOYMENT_MODE|SCALE_METRIC|SERVING_PROTOCOL|TOLERATION_OPERATOR|TAINT_EFFECT)_(.*)$/, (_, __, rest) =>
      rest.toLowerCase(),
    )
    .replace(/^(\d+)s$/, "$1 s");
}

export function differences(before: Said, after: Said): Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .map((name) => ({ name, before: before[name] ?? "", after: after[name] ?? "" }))
    .filter((one) => one.before !== one.after);
}

/** Fields of the object in the cluster: what the registry applied or would apply, and what is there. */
export function fieldDifferences(list: FieldDifference[], planned: boolean): Difference[] {
  return list.map(({ path, applied, found }) =>
    planned ? { name: path, before: found, after: applied } : { name: path, before: applied, after: found },
  );
}
