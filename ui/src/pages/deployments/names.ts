import { useEffect, useState } from "preact/hooks";
import type { Deployment } from "../../gen/modelregistry/v1/deployment_pb";
import { ModelVersionView } from "../../gen/modelregistry/v1/model_version_pb";
import type { ServingEnvironment } from "../../gen/modelregistry/v1/serving_environment_pb";
import { api } from "../../lib/api";
import { failureOf } from "../../lib/errors";
import { href, useProject } from "../../lib/project";
import { type Query, readAll, useQuery } from "../../lib/query";

export interface VersionName {
  name: string;
  number: bigint;
}

export interface Names {
  /** The names of models by their ids. */
  models: Record<string, string>;
  /** Versions by their ids; null if a version is gone. */
  versions: Record<string, VersionName | null>;
}

const BATCH = 100;

/** The names of the models and versions, of which deployments only have the ids. */
export function useNames(modelIds: string[], versionIds: string[]): Names {
  const [names, setNames] = useState<Names>({ models: {}, versions: {} });
  const models = missing(modelIds, names.models);
  const versions = missing(versionIds, names.versions);
  const key = [...models, "", ...versions].join();
  useEffect(() => {
    if (!models.length && !versions.length) return;
    const { signal, abort } = controllerOf();
    Promise.all([
      found(models, async (ids) => {
        const { registeredModels } = await api.models.batchGetRegisteredModels({ ids }, { signal });
        return registeredModels.map(({ id, name }) => [id, name] as const);
      }),
      found(versions, async (ids) => {
        const { modelVersions } = await api.versions.batchGetModelVersions(
          { ids, view: ModelVersionView.BASIC },
          { signal },
        );
        return modelVersions.map(({ id, name, number }) => [id, { name, number }] as const);
      }),
    ]).then(
      ([newModels, newVersions]) =>
        setNames((old) => ({
          models: { ...old.models, ...Object.fromEntries(models.map((id) => [id, newModels[id] ?? id.slice(0, 8)])) },
          versions: { ...old.versions, ...Object.fromEntries(versions.map((id) => [id, newVersions[id] ?? null])) },
        })),
      () => undefined, // the ids stay; the page says by itself that the registry does not answer
    );
    return abort;
  }, [key]);
  return names;
}

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function missing(ids: string[], known: object): string[] {
  return [...new Set(ids)].filter((id) => id && !(id in known)).slice(0, BATCH);
}

/** What is there of the ids. A batch with an id that is gone is refused, and names it. */
async function found<T>(
  ids: string[],
  read: (ids: string[]) => Promise<(readonly [string, T])[]>,
): Promise<Record<string, T>> {
  if (!ids.length) return {};
  try {
    return Object.fromEntries(await read(ids));
  } catch (error) {
    const gone = failureOf(error).metadata.ids ?? "";
    const others = ids.filter((id) => !gone.includes(id));
    if (others.length === ids.length) throw error;
    return found(others, read);
  }
}

export function namesOfRows(rows: Deployment[]): [models: string[], versions: string[]] {
  return [rows.map((row) => row.registeredModelId), rows.map((row) => row.modelVersionId)];
}

/** The name of a version, as far as it is known. */
export function versionText(names: Names, versionId: string): string {
  const version = names.versions[versionId];
  return version ? version.name : version === null ? "a deleted version" : versionId.slice(0, 8);
}

export function versionLink(names: Names, modelId: string, versionId: string): string | undefined {
  const version = names.versions[versionId];
  return version ? href(`/models/${modelId}/versions/${version.number}`) : undefined;
}

/** All environments of the project, by their names. There are few of them. */
export function useEnvironments(): Query<ServingEnvironment[]> {
  const project = useProject();
  return useQuery(`all environments ${project}`, (signal) => {
    const read = async (pageToken: string) => {
      const asked = { orderBy: "name", pageSize: 100, pageToken };
      const answer = await api.environments.listServingEnvironments(asked, { signal });
      return { rows: answer.servingEnvironments, nextPageToken: answer.nextPageToken };
    };
    return readAll(read, signal, 500);
  });
}

export function namespaceOf({ externalId, name }: { externalId: string; name: string }): string {
  return externalId || name;
}

/** The names of the environments whose namespace it is. A deployment stays in its namespace if its environment gets another one. */
export function environmentText(environments: ServingEnvironment[] | undefined, namespace: string): string {
  const named = (environments ?? []).filter((one) => namespaceOf(one) === namespace).map(({ name }) => name);
  return named.join(", ") || namespace;
}
