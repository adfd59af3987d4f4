// The page lists the models of a project by gRPC-Web, from another origin than that of the registry.
// Its address may say which: /?registry=http://localhost:8080&project=11111111-1111-1111-1111-111111111111

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { RegisteredModelService } from "@registry-grpc/stubs";
import { ErrorInfoSchema } from "@registry-grpc/stubs/google/rpc/error_details_pb";

const options = new URLSearchParams(location.search);
const headers = { "project-id": options.get("project") ?? "11111111-1111-1111-1111-111111111111" };
const transport = createGrpcWebTransport({
  baseUrl: options.get("registry") ?? "http://localhost:8080",
  defaultTimeoutMs: 10_000,
});
const models = createClient(RegisteredModelService, transport);

async function* allModels() {
  let pageToken = "";
  do {
    const page = await models.listRegisteredModels({ orderBy: "name", pageToken }, { headers });
    yield* page.registeredModels;
    pageToken = page.nextPageToken;
  } while (pageToken);
}

/** An error of the registry as its code, its stable reason and its text. Without a reason, the registry has not answered. */
function explain(error: unknown): string {
  const failure = ConnectError.from(error);
  const reason = failure.findDetails(ErrorInfoSchema)[0]?.reason;
  if (reason) return `${Code[failure.code]} ${reason}: ${failure.rawMessage}`;
  return `${failure.rawMessage}: does the registry run, and does it allow pages of ${location.origin}?`;
}

const state = document.querySelector("#state")!;
const list = document.querySelector("#models")!;
try {
  for await (const model of allModels()) {
    const item = document.createElement("li");
    item.textContent = model.name;
    list.append(item);
  }
  state.textContent = `${list.childElementCount} models`;
} catch (error) {
  state.textContent = explain(error);
}
