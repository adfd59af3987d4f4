"""The measured requests, in the order of the table in docs/performance.md, and how fast they should be."""

from __future__ import annotations

import random
from dataclasses import dataclass

from google.protobuf.message import Message
from tests.bench import data
from tests.bench.load import GrpcLoad, RestLoad

from modelregistry.v1 import model_version_pb2, registered_model_pb2

REST = "/api/v1/model-registry"
_NEW_MODEL = '{"name": "bench-%n", "description": "made by the benchmark", "labels": {"team": "vision"}}'
_NEW_VERSION = (
    '{"name": "bench-%n", "uri": "s3://models/bench", "model_framework": "sklearn", "model_framework_version": "1.5",'
    ' "labels": {"run": "nightly"}}'
)


@dataclass(frozen=True, slots=True)
class Case:
    """A request over REST and, for reads, the same request over gRPC, with the required rate per second."""

    name: str
    rest: RestLoad
    grpc: GrpcLoad | None = None
    required: int = 0
    aim: int = 0


def cases(models: int = data.MODELS) -> list[Case]:
    """All cases for a project with this number of models."""
    project = str(data.PROJECT)
    with_versions = min(data.MODELS_WITH_VERSIONS, models - 1)
    # The order is random, so that no run reads the disk sequentially.
    numbers = random.Random(0).sample(range(1, with_versions + 1), k=min(with_versions, 2000))
    ids = [data.model_id(number) for number in numbers]
    big, hot = data.model_id(0), data.HOT_MODEL

    def get(*paths: str) -> RestLoad:
        return RestLoad(paths=[REST + path for path in paths], project_id=project)

    def rpc(name: str, request: Message) -> GrpcLoad:
        service = "ModelVersionService" if "Version" in name else "RegisteredModelService"
        return GrpcLoad(method=f"modelregistry.v1.{service}/{name}", message=request, project_id=project)

    pb, version_pb = registered_model_pb2, model_version_pb2
    return [
        Case(
            "get model (5 versions)",
            get(*(f"/models/{id_}" for id_ in ids)),
            rpc("GetRegisteredModel", pb.GetRegisteredModelRequest(id=str(ids[0]))),
            required=1500,
            aim=1920,
        ),
        Case(
            "get model (20,000 versions)",
            get(f"/models/{big}"),
            rpc("GetRegisteredModel", pb.GetRegisteredModelRequest(id=str(big))),
            required=1500,
            aim=1920,
        ),
        Case(
            "find model by name",
            get(*(f"/model?name={data.model_name(number)}" for number in numbers)),
            rpc("FindRegisteredModel", pb.FindRegisteredModelRequest(name=data.model_name(numbers[0]))),
            required=1320,
            aim=1760,
        ),
        Case(
            "20 versions of 20,000",
            get(f"/models/{big}/versions"),
            rpc("ListModelVersions", version_pb.ListModelVersionsRequest(registered_model_id=str(big), limit=20)),
            required=950,
            aim=1275,
        ),
        Case(
            "list 20 of 50 models",
            RestLoad(paths=[f"{REST}/models"], project_id=str(data.SMALL_PROJECT)),
            GrpcLoad(
                method="modelregistry.v1.RegisteredModelService/ListRegisteredModels",
                message=pb.ListRegisteredModelsRequest(limit=20),
                project_id=str(data.SMALL_PROJECT),
            ),
            required=1100,
            aim=1380,
        ),
        Case(
            f"list 100 of {models:,} models",
            get("/models?limit=100"),
            rpc("ListRegisteredModels", pb.ListRegisteredModelsRequest(limit=100)),
            required=350,
            aim=468,
        ),
        Case(
            f"the last 100 of {models:,}",
            get(f"/models?limit=100&offset={max(models - 100, 0)}"),
            rpc("ListRegisteredModels", pb.ListRegisteredModelsRequest(limit=100, offset=max(models - 100, 0))),
            required=180,
            aim=300,
        ),
        Case(
            f"100 from the middle of {models:,}",
            get(f"/models?limit=100&offset={models // 2}"),
            rpc("ListRegisteredModels", pb.ListRegisteredModelsRequest(limit=100, offset=models // 2)),
        ),
        Case(
            f"search 20 of {models:,} (99)",
            get("/models?search=99"),
            rpc("ListRegisteredModels", pb.ListRegisteredModelsRequest(search="99", limit=20)),
            required=200,
            aim=540,
        ),
        Case(
            "create model",
            RestLoad(paths=[f"{REST}/models"], project_id=str(data.WRITTEN_PROJECT), method="POST", body=_NEW_MODEL),
            required=750,
            aim=1000,
        ),
        Case(
            "create version, always the same model",
            RestLoad(
                paths=[f"{REST}/models/{hot}/versions"],
                project_id=str(data.WRITTEN_PROJECT),
                method="POST",
                body=_NEW_VERSION,
            ),
            required=500,
            aim=608,
        ),
    ]
