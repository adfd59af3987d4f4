// The client registers a model with two versions, calls one of them the champion, deploys it, watches the deployment until
// it serves, and undeploys it. docs/api.md explains every step.

import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  DeploymentPhase,
  DeploymentReason,
  DeploymentService,
  ModelAliasService,
  ModelVersionService,
  RegisteredModelService,
  ServingEnvironmentService,
  type RegisteredModel,
  type ServingEnvironment,
} from "@registry-grpc/stubs";
import { ErrorInfoSchema } from "@registry-grpc/stubs/google/rpc/error_details_pb";

const CALL_TIMEOUT_MS = 10_000;
const WATCH_TIMEOUT_MS = 120_000;
const ATTEMPTS = 4;

const { values: options } = parseArgs({
  options: {
    address: { type: "string", default: "localhost:8080" }, // host and port of the gateway
    project: { type: "string", default: "11111111-1111-1111-1111-111111111111" }, // the UUID of the project
    uri: { type: "string", default: "s3://models/iris" }, // where the files of the model are
    token: { type: "string" }, // an API token, or one of the identity provider, where the registry asks for it
    tls: { type: "boolean" }, // call a gateway that is behind TLS
  },
});

const withCaller: Interceptor = (next) => (request) => {
  request.header.set("project-id", options.project);
  if (options.token) request.header.set("authorization", `Bearer ${options.token}`);
  return next(request);
};

/**
 * Repeats a call while the registry cannot be reached or is overloaded. An error without a reason is not the registry's own: the
 * connection broke, perhaps after the call had succeeded.
 */
const withRetries: Interceptor = (next) => async (request) => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      const { code } = ConnectError.from(error);
      const passes = !reasonOf(error) || code === Code.Unavailable || code === Code.ResourceExhausted;
      if (!passes || request.stream || attempt === ATTEMPTS) throw error;
      await sleep(100 * 2 ** attempt * (0.5 + Math.random()));
    }
  }
};

const transport = createGrpcTransport({
  baseUrl: `${options.tls ? "https" : "http"}://${options.address}`,
  interceptors: [withCaller, withRetries],
  defaultTimeoutMs: CALL_TIMEOUT_MS,
});
const models = createClient(RegisteredModelService, transport);
const versions = createClient(ModelVersionService, transport);
const aliases = createClient(ModelAliasService, transport);
const environments = createClient(ServingEnvironmentService, transport);
const deployments = createClient(DeploymentService, transport);

async function run(): Promise<void> {
  const model = await registerModel(`iris-ts-${Date.now().toString(16)}`);
  const champion = await chooseChampion(model.id, "v2");
  await listVersions(model.id);
  await review(champion);
  const environment = await findOrCreateEnvironment("examples");
  const { deployment } = await deployments.deployModel({
    requestId: `deploy ${model.name}`,
    deployment: { registeredModelId: model.id, version: "champion", servingEnvironmentId: environment.id },
  });
  const { id, snapshot } = deployment!;
  console.log(`deploying ${snapshot!.requestedVersion} to ${environment.name}`);
  await watchUntilDeployed(id);
  await deployments.undeployModel({ id });
  console.log("undeployed");
}

/**
 * A model with the versions v1 and v2, which are READY: only such versions can be deployed. A call with a request id takes
 * effect once, however often it is repeated.
 */
async function registerModel(name: string): Promise<RegisteredModel> {
  const { registeredModel } = await models.createRegisteredModel({
    requestId: `create ${name}`,
    registeredModel: { name },
  });
  const model = registeredModel!;
  for (const version of ["v1", "v2"]) {
    const { modelVersion } = await versions.createModelVersion({
      requestId: `create ${name} ${version}`,
      registeredModelId: model.id,
      modelVersion: { name: version, modelFramework: "sklearn", modelFrameworkVersion: "1", uri: options.uri },
    });
    await versions.updateModelVersion({ id: modelVersion!.id, modelVersion: { status: "READY" } });
  }
  console.log(`registered ${name}`);
  return model;
}

/** Gives the alias to a version, and answers the id of the version. */
async function chooseChampion(registeredModelId: string, version: string): Promise<string> {
  const { modelAlias } = await aliases.setModelAlias({ registeredModelId, name: "champion", version });
  console.log(`${modelAlias!.name} is version ${modelAlias!.versionNumber}`);
  return modelAlias!.modelVersionId;
}

/** Reads the versions that match a filter, page by page. Pages this small are only for the example. */
async function listVersions(registeredModelId: string): Promise<void> {
  const filter = 'status = "READY" AND model_framework = "sklearn"';
  let pageToken = "";
  do {
    const page = await versions.listModelVersions({ registeredModelId, filter, orderBy: "name", pageSize: 1, pageToken });
    for (const version of page.modelVersions) console.log(`found ${version.name} [${version.aliases.join(" ")}]`);
    pageToken = page.nextPageToken;
  } while (pageToken);
}

/** Three reviewers label the version at the same time. */
async function review(id: string): Promise<void> {
  await Promise.all(["bias", "latency", "license"].map((label) => addLabel(id, label, "passed")));
  const { modelVersion } = await versions.getModelVersion({ id });
  console.log(`reviews: ${Object.keys(modelVersion!.labels).length}`);
}

/** Adds a label to those that the version has. The etag makes sure that nobody else's is lost. */
async function addLabel(id: string, key: string, value: string): Promise<void> {
  for (;;) {
    const { modelVersion } = await versions.getModelVersion({ id });
    const { etag, labels } = modelVersion!;
    try {
      await versions.updateModelVersion({ id, etag, modelVersion: { labels: { ...labels, [key]: value } } });
      return;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Aborted) throw error; // somebody else has written it: read it again
    }
  }
}

async function findOrCreateEnvironment(name: string): Promise<ServingEnvironment> {
  try {
    const created = await environments.createServingEnvironment({ servingEnvironment: { name } });
    return created.servingEnvironment!;
  } catch (error) {
    if (reasonOf(error) !== "SERVING_ENVIRONMENT_NAME_TAKEN") throw error;
    const found = await environments.findServingEnvironment({ name });
    return found.servingEnvironment!;
  }
}

/** Prints every change of the deployment from the first one on. */
async function watchUntilDeployed(id: string): Promise<void> {
  const watch = new AbortController();
  // Not `timeoutMs`: its timer would keep the process alive after the loop is left.
  const signal = AbortSignal.any([watch.signal, AbortSignal.timeout(WATCH_TIMEOUT_MS)]);
  const fromTheFirst = { id, afterSequence: 0n };
  try {
    for await (const { event } of deployments.watchDeployment(fromTheFirst, { timeoutMs: 0, signal })) {
      const { phase, reason, message, nextStep } = event!;
      console.log(`  ${DeploymentPhase[phase]} ${message}`);
      if (phase === DeploymentPhase.DEPLOYED) return;
      if (phase === DeploymentPhase.FAILED)
        throw new Error(`${DeploymentReason[reason]}: ${message}\nnext step: ${nextStep}`);
    }
    throw new Error("the registry ended the watch before the deployment was decided");
  } finally {
    watch.abort(); // leaving the loop does not end the stream
  }
}

/** The stable reason of an error of the registry, as in ErrorReason of the protos. */
function reasonOf(error: unknown): string | undefined {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
}

/** An error of the registry as its code, its stable reason and its text; other errors as they are. */
function explain(error: unknown): string {
  const reason = reasonOf(error);
  if (reason && error instanceof ConnectError) return `${Code[error.code]} ${reason}: ${error.rawMessage}`;
  return error instanceof Error ? error.message : String(error);
}

try {
  await run();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
