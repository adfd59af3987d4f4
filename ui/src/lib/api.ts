import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AccessService } from "../gen/modelregistry/v1/access_pb";
import { ArtifactService } from "../gen/modelregistry/v1/artifact_pb";
import { AuditService } from "../gen/modelregistry/v1/audit_pb";
import { DeploymentService } from "../gen/modelregistry/v1/deployment_pb";
import { EventService } from "../gen/modelregistry/v1/event_pb";
import { ServingService } from "../gen/modelregistry/v1/inference_service_pb";
import { ModelAliasService } from "../gen/modelregistry/v1/model_alias_pb";
import { ModelVersionService } from "../gen/modelregistry/v1/model_version_pb";
import { ProjectService } from "../gen/modelregistry/v1/project_pb";
import { RegisteredModelService } from "../gen/modelregistry/v1/registered_model_pb";
import { ServeModelService } from "../gen/modelregistry/v1/serve_model_pb";
import { ServingEnvironmentService } from "../gen/modelregistry/v1/serving_environment_pb";
import { WebhookService } from "../gen/modelregistry/v1/webhook_pb";
import { isAway } from "./errors";
import { registryIsAway } from "./health";
import { currentProject } from "./project";
import { accepted, loginsClosed, loginWanted, token } from "./session";

/** The project and the token of the caller, unless the call names them itself. */
const withMetadata: Interceptor = (next) => (request) => {
  if (!request.header.has("project-id")) request.header.set("project-id", currentProject());
  if (token.get()) request.header.set("authorization", `Bearer ${token.get()}`);
  return next(request);
};

/** Asks for a login, or says that the registry is away, wherever the call was made. The caller gets the error as well. */
const withNotices: Interceptor = (next) => async (request) => {
  const closed = loginsClosed.get();
  try {
    const answer = await next(request);
    if (token.get()) accepted.set(true);
    return answer;
  } catch (error) {
    if (isAway(error)) registryIsAway(error, probe);
    else if (ConnectError.from(error).code === Code.Unauthenticated && closed === loginsClosed.get()) {
      loginWanted.set(loginWanted.get() || whyLogin());
    }
    throw error;
  }
};

function whyLogin(): string {
  if (!token.get()) return "Sign in to see this page.";
  return accepted.get()
    ? "Your session has ended. Sign in again to go on."
    : "The registry does not accept your token. It may have ended.";
}

const transport = createGrpcWebTransport({
  baseUrl: window.location.origin,
  interceptors: [withNotices, withMetadata],
  defaultTimeoutMs: 30_000, // a watch sets `timeoutMs: 0`
});

/** One typed client for each service of the registry. */
export const api = {
  access: createClient(AccessService, transport),
  aliases: createClient(ModelAliasService, transport),
  artifacts: createClient(ArtifactService, transport),
  audit: createClient(AuditService, transport),
  deployments: createClient(DeploymentService, transport),
  environments: createClient(ServingEnvironmentService, transport),
  events: createClient(EventService, transport),
  models: createClient(RegisteredModelService, transport),
  projects: createClient(ProjectService, transport),
  serveModels: createClient(ServeModelService, transport),
  services: createClient(ServingService, transport),
  versions: createClient(ModelVersionService, transport),
  webhooks: createClient(WebhookService, transport),
};

/** A small read that tells whether the registry and its database answer. */
async function probe(): Promise<void> {
  const quiet = createGrpcWebTransport({
    baseUrl: window.location.origin,
    interceptors: [withMetadata],
    defaultTimeoutMs: 5_000,
  });
  await createClient(RegisteredModelService, quiet).listRegisteredModels({ pageSize: 1 });
}

/** An id for a request that creates or changes something, so that it can be sent again and takes effect once. */
export function newRequestId(): string {
  // crypto.randomUUID is missing on pages that came over plain HTTP from another machine.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
