"""Numbers and aliases of versions, deployments by them, and deletion, with a stock gRPC client and REST beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.rpc import Rpc
from tests.e2e.stack import Addresses
from tests.e2e.test_grpc_deploy import Deployer

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import model_alias_pb2 as a
from modelregistry.v1 import model_version_pb2 as v
from modelregistry.v1 import registered_model_pb2 as m
from modelregistry.v1 import serving_environment_pb2 as e


@pytest.fixture(scope="module")
def channel(simulated_stack: Addresses) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(simulated_stack.target) as channel:
        yield channel


@pytest.fixture
def place(simulated_http: httpx.Client, channel: grpc.Channel) -> Deployer:
    """A model with two READY versions, and an environment."""
    place = Deployer(Api(simulated_http), channel)
    place.another_version(name="second")
    return place


def set_alias(rpc: Rpc, model: Any, name: str, version: str, **fields: Any) -> Any:
    request = a.SetModelAliasRequest(registered_model_id=model["id"], name=name, version=version, **fields)
    return rpc.call(rpc.aliases.SetModelAlias, request).model_alias


def version_called(rpc: Rpc, model: Any, version: str) -> Any:
    request = v.GetModelVersionRequest(registered_model_id=model["id"], version=version)
    return rpc.call(rpc.versions.GetModelVersion, request).model_version


def test_versions_have_numbers_and_aliases_that_rest_does_not_show(place: Deployer) -> None:
    rpc, model = place.rpc, place.model
    champion = set_alias(rpc, model, "champion", "second", is_protected=True)
    assert (champion.version_number, champion.is_protected) == (2, True)
    for called in ("2", "champion", "latest", "second"):
        version = version_called(rpc, model, called)
        assert (version.number, list(version.aliases), version.name) == (2, ["champion"], "second")
    refusal = rpc.refused(
        rpc.aliases.SetModelAlias,
        a.SetModelAliasRequest(registered_model_id=model["id"], name="champion", version="1"),
    )
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "MODEL_ALIAS_PROTECTED")
    refusal = rpc.refused(
        rpc.aliases.SetModelAlias,
        a.SetModelAliasRequest(
            registered_model_id=model["id"], name="champion", version="1", expected_version_id=place.version["id"]
        ),
    )
    assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "MODEL_ALIAS_MOVED")
    refusal = rpc.refused(
        rpc.aliases.SetModelAlias, a.SetModelAliasRequest(registered_model_id=model["id"], name="Latest", version="1")
    )
    assert list(refusal.violations) == ["name"]
    set_alias(rpc, model, "champion", "1", force=True)
    moves = rpc.call(
        rpc.aliases.ListModelAliasMoves, a.ListModelAliasMovesRequest(registered_model_id=model["id"], page_size=1)
    )
    assert (moves.model_alias_moves[0].version_number, bool(moves.next_page_token)) == (1, True)
    rest = place.api.read(f"/model_versions/{place.version['id']}")
    assert not {"number", "aliases"} & rest.keys()
    by_rest = place.api.read(f"/models/{model['id']}/versions/{place.version['id']}?version=2&number=2")
    assert by_rest["id"] == place.version["id"]


def test_default_is_an_alias_for_both_kinds_of_clients(place: Deployer) -> None:
    rpc, model = place.rpc, place.model
    set_alias(rpc, model, "default", "2")
    assert place.api.read(f"/models/{model['id']}")["default_version"]["name"] == "second"
    assert place.api.patch(f"/model_versions/{place.version['id']}", {"is_default": True}).status_code == 200
    request = a.ListModelAliasesRequest(registered_model_id=model["id"])
    [alias] = rpc.call(rpc.aliases.ListModelAliases, request).model_aliases
    assert (alias.name, alias.version_number) == ("default", 1)
    read = rpc.call(rpc.models.GetRegisteredModel, m.GetRegisteredModelRequest(id=model["id"])).registered_model
    assert list(read.default_version.aliases) == ["default"]
    delete = a.DeleteModelAliasRequest(registered_model_id=model["id"], name="default")
    rpc.call(rpc.aliases.DeleteModelAlias, delete)
    assert rpc.refused(rpc.aliases.DeleteModelAlias, delete).reason == "MODEL_ALIAS_NOT_FOUND"
    delete.allow_missing = True
    rpc.call(rpc.aliases.DeleteModelAlias, delete)
    assert place.api.read(f"/models/{model['id']}").get("default_version") is None


def test_a_deployment_takes_the_version_that_an_alias_names(place: Deployer) -> None:
    rpc, model = place.rpc, place.model
    set_alias(rpc, model, "champion", "1")
    deployment = place.make(version="champion")
    assert deployment.model_version_id == place.version["id"]
    assert deployment.snapshot.requested_version == "champion → version 1"
    place.until(deployment.id, place.serving(1))
    set_alias(rpc, model, "champion", "2")
    update = d.UpdateDeploymentRequest(id=deployment.id, version="champion")
    plan = rpc.call(place.stub.PlanDeployment, d.PlanDeploymentRequest(update=update))
    assert [finding for finding in plan.findings if finding.blocking] == []
    rpc.call(place.stub.UpdateDeployment, update)
    place.until(deployment.id, place.serving(2))
    requested = [revision.snapshot.requested_version for revision in place.revisions(deployment.id)]
    assert requested == ["champion → version 2", "champion → version 1"]
    refusal = rpc.refused(place.stub.UpdateDeployment, d.UpdateDeploymentRequest(id=deployment.id, version="missing"))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "MODEL_VERSION_NOT_FOUND")
    refusal = rpc.refused(
        place.stub.DeployModel,
        d.DeployModelRequest(deployment=place.new(version="2", model_version_id=place.version["id"])),
    )
    assert list(refusal.violations) == ["deployment.version"]


def test_a_version_is_deleted_when_nothing_names_it_and_restored(place: Deployer) -> None:
    rpc, id_ = place.rpc, place.version["id"]
    set_alias(rpc, place.model, "champion", "1")
    deployment = place.make(version="1")
    delete = v.DeleteModelVersionRequest(id=id_, force=True)
    refusal = rpc.refused(rpc.versions.DeleteModelVersion, delete)
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "MODEL_VERSION_IN_USE")
    assert refusal.in_the_way == [("INFERENCE_SERVICE", deployment.id, deployment.name)]
    in_use = f"inference service {deployment.name}"
    assert refusal.metadata == {"id": id_, "users": "1", "used_by": in_use}
    environment = e.DeleteServingEnvironmentRequest(id=place.environment["id"], allow_missing=True)
    refusal = rpc.refused(rpc.environments.DeleteServingEnvironment, environment)
    assert refusal.in_the_way == [("INFERENCE_SERVICE", deployment.id, deployment.name)]
    rest = place.api.delete(f"/serving_environments/{place.environment['id']}")
    assert rest.json() == {"error": "serving environment has active inference services"}

    place.until(deployment.id, place.serving(1))
    assert place.api.delete(f"/inference_services/{deployment.id}/undeploy").status_code == 204
    place.until(deployment.id, lambda now: bool(now.phase == d.DEPLOYMENT_PHASE_UNDEPLOYED))
    assert place.api.delete(f"/inference_services/{deployment.id}").status_code == 204
    delete.force = False
    refusal = rpc.refused(rpc.versions.DeleteModelVersion, delete)
    assert refusal.in_the_way == [("ALIAS", "champion", "champion")]
    delete.force = True
    rpc.call(rpc.versions.DeleteModelVersion, delete)

    assert place.api.get(f"/model_versions/{id_}").status_code == 404
    assert rpc.refused(rpc.versions.DeleteModelVersion, delete).code is StatusCode.NOT_FOUND
    delete.allow_missing = True
    rpc.call(rpc.versions.DeleteModelVersion, delete)
    request = v.ListDeletedModelVersionsRequest(registered_model_id=place.model["id"])
    [deleted] = rpc.call(rpc.versions.ListDeletedModelVersions, request).deleted_model_versions
    assert (deleted.model_version.id, deleted.model_version.number) == (id_, 1)
    assert (deleted.expires_at.ToDatetime() - deleted.deleted_at.ToDatetime()).days == 30
    restored = rpc.call(rpc.versions.UndeleteModelVersion, v.UndeleteModelVersionRequest(id=id_)).model_version
    restored.etag = ""  # a deleted version has none
    assert restored == deleted.model_version
    assert place.api.read(f"/model_versions/{id_}")["uri"] == place.version["uri"]
