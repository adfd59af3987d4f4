"""Registers a model with two versions, calls one of them the champion, deploys it, watches the deployment until it
serves, and undeploys it. docs/api.md explains every step."""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from modelregistry.v1 import deployment_pb2 as deployment
from modelregistry.v1 import (
    deployment_pb2_grpc,
    model_alias_pb2_grpc,
    model_version_pb2_grpc,
    registered_model_pb2_grpc,
    serving_environment_pb2_grpc,
)
from modelregistry.v1 import deployment_reason_pb2 as deployment_reason
from modelregistry.v1 import model_alias_pb2 as model_alias
from modelregistry.v1 import model_version_pb2 as model_version
from modelregistry.v1 import registered_model_pb2 as registered_model
from modelregistry.v1 import serving_environment_pb2 as serving_environment

# Every call has a deadline, and is repeated while the registry cannot be reached or is overloaded. The watch stays
# open.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{}],
            "timeout": "10s",
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        },
        {"name": [{"service": "modelregistry.v1.DeploymentService", "method": "WatchDeployment"}]},
    ]
}
WATCH_SECONDS = 120


class Client:
    """The story, for one project."""

    def __init__(self, channel: grpc.Channel, project: str) -> None:
        self.project = [("project-id", project)]  # the metadata of every call
        self.models = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)
        self.versions = model_version_pb2_grpc.ModelVersionServiceStub(channel)
        self.aliases = model_alias_pb2_grpc.ModelAliasServiceStub(channel)
        self.environments = serving_environment_pb2_grpc.ServingEnvironmentServiceStub(channel)
        self.deployments = deployment_pb2_grpc.DeploymentServiceStub(channel)

    def run(self, uri: str) -> None:
        model = self.register_model(f"iris-python-{time.time_ns():x}", uri)
        champion = self.choose_champion(model.id, "v2")
        self.list_versions(model.id)
        self.review(champion)
        environment = self.find_or_create_environment("examples")
        request = deployment.DeployModelRequest(
            request_id=f"deploy {model.name}",
            deployment=deployment.NewDeployment(
                registered_model_id=model.id, version="champion", serving_environment_id=environment.id
            ),
        )
        deployed = self.deployments.DeployModel(request, metadata=self.project).deployment
        print("deploying", deployed.snapshot.requested_version, "to", environment.name)
        self.watch_until_deployed(deployed.id)
        self.deployments.UndeployModel(deployment.UndeployModelRequest(id=deployed.id), metadata=self.project)
        print("undeployed")

    def register_model(self, name: str, uri: str) -> registered_model.RegisteredModel:
        """A model with the versions v1 and v2, which are READY: only such versions can be deployed. A call with a
        request id takes effect once, however often it is repeated."""
        request = registered_model.CreateRegisteredModelRequest(
            request_id=f"create {name}", registered_model=registered_model.NewRegisteredModel(name=name)
        )
        model = self.models.CreateRegisteredModel(request, metadata=self.project).registered_model
        for version in ("v1", "v2"):
            create = model_version.CreateModelVersionRequest(
                request_id=f"create {name} {version}",
                registered_model_id=model.id,
                model_version=model_version.NewModelVersion(
                    name=version, model_framework="sklearn", model_framework_version="1", uri=uri
                ),
            )
            created = self.versions.CreateModelVersion(create, metadata=self.project).model_version
            ready = model_version.UpdateModelVersionRequest(
                id=created.id, model_version=model_version.ModelVersionPatch(status="READY")
            )
            self.versions.UpdateModelVersion(ready, metadata=self.project)
        print("registered", name)
        return model

    def choose_champion(self, model_id: str, version: str) -> str:
        """Gives the alias to a version, and answers the id of the version."""
        request = model_alias.SetModelAliasRequest(registered_model_id=model_id, name="champion", version=version)
        alias = self.aliases.SetModelAlias(request, metadata=self.project).model_alias
        print(alias.name, "is version", alias.version_number)
        return alias.model_version_id

    def list_versions(self, model_id: str) -> None:
        """Reads the versions that match a filter, page by page. Pages this small are only for the example."""
        request = model_version.ListModelVersionsRequest(
            registered_model_id=model_id,
            filter='status = "READY" AND model_framework = "sklearn"',
            order_by="name",
            page_size=1,
        )
        while True:
            page = self.versions.ListModelVersions(request, metadata=self.project)
            for version in page.model_versions:
                print("found", version.name, f"[{' '.join(version.aliases)}]")
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def review(self, version_id: str) -> None:
        """Three reviewers label the version at the same time."""
        with ThreadPoolExecutor() as reviewers:
            list(
                reviewers.map(lambda label: self.add_label(version_id, label, "passed"), ("bias", "latency", "license"))
            )
        version = self.get_version(version_id)
        print("reviews:", len(version.labels))

    def add_label(self, version_id: str, key: str, value: str) -> None:
        """Adds a label to those that the version has. The etag makes sure that nobody else's is lost."""
        while True:
            version = self.get_version(version_id)
            request = model_version.UpdateModelVersionRequest(id=version_id, etag=version.etag)
            request.model_version.labels.update({**version.labels, key: value})
            try:
                self.versions.UpdateModelVersion(request, metadata=self.project)
                return
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.ABORTED:  # somebody else has written it: read it again
                    raise

    def get_version(self, version_id: str) -> model_version.ModelVersion:
        request = model_version.GetModelVersionRequest(id=version_id)
        return self.versions.GetModelVersion(request, metadata=self.project).model_version

    def find_or_create_environment(self, name: str) -> serving_environment.ServingEnvironment:
        create = serving_environment.CreateServingEnvironmentRequest(
            serving_environment=serving_environment.NewServingEnvironment(name=name)
        )
        try:
            return self.environments.CreateServingEnvironment(create, metadata=self.project).serving_environment
        except grpc.RpcError as error:
            if reason_of(error) != "SERVING_ENVIRONMENT_NAME_TAKEN":
                raise
        find = serving_environment.FindServingEnvironmentRequest(name=name)
        return self.environments.FindServingEnvironment(find, metadata=self.project).serving_environment

    def watch_until_deployed(self, deployment_id: str) -> None:
        """Prints every change of the deployment from the first one on."""
        request = deployment.WatchDeploymentRequest(id=deployment_id, after_sequence=0)
        stream = self.deployments.WatchDeployment(request, metadata=self.project, timeout=WATCH_SECONDS)
        for answer in stream:
            event = answer.event
            print(" ", deployment.DeploymentPhase.Name(event.phase), event.message)
            if event.phase == deployment.DEPLOYMENT_PHASE_DEPLOYED:
                stream.cancel()
                return
            if event.phase == deployment.DEPLOYMENT_PHASE_FAILED:
                reason = deployment_reason.DeploymentReason.Name(event.reason).removeprefix("DEPLOYMENT_REASON_")
                sys.exit(f"{reason}: {event.message}\nnext step: {event.next_step}")


def reason_of(error: grpc.RpcError) -> str:
    """The stable reason of an error of the registry, as in ErrorReason of the protos."""
    status = rpc_status.from_call(error)
    info = ErrorInfo()
    return next((info.reason for detail in (status.details if status else ()) if detail.Unpack(info)), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="localhost:8080", help="host and port of the gateway")
    parser.add_argument("--project", default="11111111-1111-1111-1111-111111111111", help="the UUID of the project")
    parser.add_argument("--uri", default="s3://models/iris", help="where the files of the model are")
    options = parser.parse_args()
    config = [("grpc.service_config", json.dumps(SERVICE_CONFIG))]
    with grpc.insecure_channel(options.address, options=config) as channel:
        try:
            Client(channel, options.project).run(options.uri)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name} {reason_of(error)}: {error.details()}")


if __name__ == "__main__":
    main()
