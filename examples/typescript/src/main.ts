// Registers a model, deploys it, watches the deployment until it serves, lists the model's deployments and undeploys it.

import { parseArgs } from "node:util";
import { Code, ConnectError, createClient, type Client, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { errorReason } from "./error_reason.js";
import { DeploymentPhase, DeploymentService } from "./gen/modelregistry/v1/deployment_pb.js";
import { DeploymentReason } from "./gen/modelregistry/v1/deployment_reason_pb.js";
import { ModelVersionService, type ModelVersion } from "./gen/modelregistry/v1/model_version_pb.js";
import { RegisteredModelService } from "./gen/modelregistry/v1/registered_model_pb.js";
import { ServingEnvironmentService, type ServingEnvironment } from "./gen/modelregistry/v1/serving_environment_pb.js";

const CALL_TIMEOUT_MS = 10_000;
const WATCH_TIMEOUT_MS = 120_000;

const { values: options } = parseArgs({
  options: {
    address: { type: "string", default: "localhost:8080" }, // host and port of the gateway
    project: { type: "string", default: "11111111-1111-1111-1111-111111111111" }, // the UUID of the project
    uri: { type: "string", default: "s3://models/iris" }, // where the files of the model are
  },
});

const withProject: Interceptor = (next) => (request) => {
  request.header.set("project-id", options.project);
  return next(request);
};

const transport = createGrpcTransport({
  baseUrl: `http://${options.address}`,
  interceptors: [withProject],
  defaultTimeoutMs: CALL_TIMEOUT_MS,
});
const models = createClient(RegisteredModelService, transport);
const versions = createClient(ModelVersionService, transport);
const environments = createClient(ServingEnvironmentService, transport);
const deployments = createClient(DeploymentService, transport);

async function run(): Promise<void> {
  const version = await registerVersion(options.uri);
  const environment = await findOrCreateEnvironment("examples");
  const { inferenceService } = await deployments.deployModel({
    requestId: `deploy ${version.id}`, // a repeated call answers the same deployment
    deployment: {
      registeredModelId: version.registeredModelId,
      servingEnvironmentId: environment.id,
      modelVersionId: version.id,
    },
  });
  const { id, name } = inferenceService!;
  console.log(`deploying ${name} to ${environment.name}`);
  await watchUntilDeployed(id);
  await printDeployments(version.registeredModelId);
  await deployments.undeployModel({ id });
  console.log("undeployed");
}

/** A model of a new name with one version that is READY: only such versions are deployed. */
async function registerVersion(uri: string): Promise<ModelVersion> {
  const name = `iris-ts-${Date.now().toString(16)}`;
  const { registeredModel } = await models.createRegisteredModel({ registeredModel: { name } });
  const created = await versions.createModelVersion({
    registeredModelId: registeredModel!.id,
    modelVersion: { name: "v1", modelFramework: "sklearn", modelFrameworkVersion: "1", uri },
  });
  const updated = await versions.updateModelVersion({
    id: created.modelVersion!.id,
    modelVersion: { status: "READY" },
  });
  const version = updated.modelVersion!;
  console.log(`registered ${name} with version ${version.name} ${version.status}`);
  return version;
}

async function findOrCreateEnvironment(name: string): Promise<ServingEnvironment> {
  try {
    const created = await environments.createServingEnvironment({ servingEnvironment: { name } });
    return created.servingEnvironment!;
  } catch (error) {
    if (ConnectError.from(error).code !== Code.AlreadyExists) throw error;
    const found = await environments.findServingEnvironment({ name });
    return found.servingEnvironment!;
  }
}

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

async function printDeployments(registeredModelId: string): Promise<void> {
  let pageToken = "";
  do {
    const page = await deployments.listDeployments({ registeredModelId, pageSize: 50, pageToken });
    for (const { name, namespace, url } of page.deployments) {
      console.log(`${name} in ${namespace} answers at ${url}`);
    }
    pageToken = page.nextPageToken;
  } while (pageToken);
}

/** An error of the registry as its code, its stable reason and its text; other errors as they are. */
function explain(error: unknown): string {
  const reason = error instanceof ConnectError && errorReason(error);
  if (reason) return `${Code[error.code]} ${reason}: ${error.rawMessage}`;
  return error instanceof Error ? error.message : String(error);
}

try {
  await run();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
