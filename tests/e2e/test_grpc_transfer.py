"""Projects as files, through the gateway."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.rpc import DEADLINE, Refusal, Rpc
from tests.e2e.stack import Addresses
from tests.e2e.test_grpc_properties import new_model

from modelregistry.v1 import artifact_pb2, model_alias_pb2, serving_environment_pb2
from modelregistry.v1 import model_version_pb2 as v
from modelregistry.v1 import transfer_pb2 as pb
from modelregistry.v1.property_pb2 import PropertyValue

SECRET = "a-very-secret-key"


def exported(rpc: Rpc) -> bytes:
    answers = rpc.transfers.ExportProject(
        pb.ExportProjectRequest(), metadata=[("project-id", rpc.project_id)], timeout=DEADLINE
    )
    return b"".join(answer.ndjson for answer in answers)


def imported(rpc: Rpc, *parts: bytes) -> Any:
    requests: Iterator[Any] = (pb.ImportProjectRequest(ndjson=part) for part in parts)
    return rpc.transfers.ImportProject(requests, metadata=[("project-id", rpc.project_id)], timeout=DEADLINE)


def refused(rpc: Rpc, *parts: bytes) -> Refusal:
    with pytest.raises(grpc.RpcError) as raised:
        imported(rpc, *parts)
    return Refusal(raised.value)


def pieces(file: bytes, size: int) -> Iterable[bytes]:
    return [file[start : start + size] for start in range(0, len(file), size)]


def a_project(rpc: Rpc) -> str:
    """A project with one of each. Returns the id of its version."""
    model = new_model(rpc)
    new = v.NewModelVersion(
        name="v", uri="s3://bucket/v", model_framework="onnx", model_framework_version="1", access_key="access",
        secret_key=SECRET, readme="# Ünïcode", external_id="theirs", properties={"n": PropertyValue(int_value=2**60)},
        is_default=True, digest=f"sha256:{1:064}", size_bytes=2**40,
    )  # fmt: skip
    new.metadata.update({"signature": [1.5, None, {"a": True}]})
    request = v.CreateModelVersionRequest(registered_model_id=model.id, model_version=new)
    version = rpc.call(rpc.versions.CreateModelVersion, request).model_version
    alias = model_alias_pb2.SetModelAliasRequest(registered_model_id=model.id, name="champion", version="1")
    rpc.call(rpc.aliases.SetModelAlias, alias)
    metric = artifact_pb2.NewArtifact(
        model_version_id=version.id, kind=artifact_pb2.ARTIFACT_KIND_METRIC, name="f1",
        value=PropertyValue(double_value=0.9),
    )  # fmt: skip
    rpc.call(rpc.things.CreateArtifact, artifact_pb2.CreateArtifactRequest(artifact=metric))
    environment = serving_environment_pb2.NewServingEnvironment(name="production")
    rpc.call(
        rpc.environments.CreateServingEnvironment,
        serving_environment_pb2.CreateServingEnvironmentRequest(serving_environment=environment),
    )
    id_: str = version.id
    return id_


def content(file: bytes) -> list[Any]:
    """The lines without what differs between projects."""
    text = file.decode()
    lines = [json.loads(line) for line in text.splitlines()][1:]
    ids = sorted({value for line in lines for value in _ids(line)}, key=text.index)
    names = {id_: str(place) for place, id_ in enumerate(ids)}
    replaced = json.dumps(lines)
    for id_, name in names.items():
        replaced = replaced.replace(id_, name)
    without_keys: list[Any] = [
        {key: value for key, value in line.items() if key != "has_keys"} for line in json.loads(replaced)
    ]
    return without_keys


def _ids(value: Any) -> Iterator[str]:
    for inner in value.values():
        if isinstance(inner, dict):
            yield from _ids(inner)
        elif isinstance(inner, str) and len(inner) == 36 and inner.count("-") == 4:
            yield inner


def test_a_project_moves_to_another_one(rpc: Rpc) -> None:
    a_project(rpc)
    file, other = exported(rpc), rpc.of_another_project()
    assert [next(iter(json.loads(line))) for line in file.splitlines()] == [
        "header", "serving_environment", "registered_model", "model_version", "model_alias", "artifact", "trailer",
    ]  # fmt: skip
    assert SECRET.encode() not in file
    done = imported(other, *pieces(file, 7))
    assert (done.model_versions.created, done.artifacts.created, done.versions_without_keys) == (1, 1, 1)
    assert content(exported(other)) == content(file)
    again = imported(other, file)
    assert (again.model_versions.created, again.model_versions.existing) == (0, 1)
    (without_keys,) = again.first_version_ids_without_keys
    copy = rpc_version(other, without_keys)
    assert (copy.name, copy.number, list(copy.aliases), copy.is_default) == ("v", 1, ["champion", "default"], True)


def rpc_version(rpc: Rpc, id: str) -> Any:
    return rpc.call(rpc.versions.GetModelVersion, v.GetModelVersionRequest(id=id)).model_version


def test_a_wrong_line_is_named(rpc: Rpc) -> None:
    a_project(rpc)
    header, _, model, version, *_ = exported(rpc).splitlines(keepends=True)
    other = rpc.of_another_project()

    def told(*lines: bytes) -> tuple[StatusCode, str, str | None]:
        refusal = refused(other, b"".join(lines))
        return refusal.code, refusal.text, refusal.metadata.get("line")

    wrong = StatusCode.INVALID_ARGUMENT
    assert told(header, b"{oops}\n")[::2] == (wrong, "2")
    assert told(header, b"[]\n") == (wrong, "line 2: is not a JSON object", "2")
    assert told(header, b"{}\n")[1].startswith("line 2: must have one of header, serving_environment")
    newer = model.replace(b'"name"', b'"of_a_newer_release":1,"name"')
    assert 'Message type "modelregistry.v1.RegisteredModel" has no field named "of_a_newer' in told(header, newer)[1]
    nameless = json.dumps({"registered_model": {"id": str(uuid.uuid4()), "owner_email": "o" * 256}}).encode()
    refusal = refused(other, header + nameless)
    assert refusal.violations == {
        "registered_model.name": "is required",
        "registered_model.owner_email": "must be at most 255 characters",
    }
    assert told(header, model, version.replace(b"theirs", b"th\\u0000s"))[:2] == (
        wrong, "line 3: text must not hold NUL characters",
    )  # fmt: skip
    assert told(header, version)[1] == "line 2: its model is not the one before it"
    assert told(model)[1] == "line 1: must be the header of an export"
    assert told()[1] == "ndjson has no line: send the file of an export"
    assert "no trailer: the file is not whole" in told(header, model)[1]


def test_a_file_of_a_newer_format_is_refused(rpc: Rpc) -> None:
    header = exported(rpc).splitlines()[0].replace(b'"format_version":1', b'"format_version":2,"compression":"zstd"')
    assert b'"compression"' in header
    refusal = refused(rpc, header + b"\n")
    assert refusal.code is StatusCode.INVALID_ARGUMENT
    assert refusal.text.startswith("line 1: header.format_version is 2, but this release reads 1 at most")


def command(name: str, project_id: str, address: str, file: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    arguments = [sys.executable, "-m", "registry_grpc", name, "--project", project_id, "--address", address]
    return subprocess.run(arguments, input=file, capture_output=True, check=False, timeout=60)


@pytest.mark.slow
def test_the_commands_write_and_read_files(rpc: Rpc, stack: Addresses) -> None:
    a_project(rpc)
    done = command("export", rpc.project_id, stack.target)
    assert (done.returncode, done.stderr) == (0, b"")
    other = rpc.of_another_project()
    added = command("import", other.project_id, stack.target, done.stdout)
    assert (added.returncode, added.stderr) == (0, b"")
    told = added.stdout.decode().splitlines()
    assert told[:3] == [
        "serving_environments: 1 created, 0 existing",
        "registered_models: 1 created, 0 existing",
        "model_versions: 1 created, 0 existing",
    ]
    assert told[-2] == "versions without keys: 1"
    assert content(exported(other)) == content(done.stdout)

    for wrong in (command("import", other.project_id, stack.target, b"{"), command("export", "x", stack.target)):
        assert wrong.returncode == 1
        assert wrong.stderr.startswith(b"INVALID_ARGUMENT: ")


def test_the_project_is_required(rpc: Rpc) -> None:
    for call in (
        lambda: list(rpc.transfers.ExportProject(pb.ExportProjectRequest(), timeout=DEADLINE)),
        lambda: rpc.transfers.ImportProject(iter([pb.ImportProjectRequest(ndjson=b"{}")]), timeout=DEADLINE),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            call()
        assert Refusal(raised.value).reason == "PROJECT_ID_REQUIRED"


def test_a_version_is_copied_once(rpc: Rpc, api: Api) -> None:
    version_id = a_project(rpc)
    other = rpc.of_another_project()
    target = new_model(other).id
    request = pb.CopyModelVersionRequest(
        source_project_id=rpc.project_id, model_version_id=version_id, registered_model_id=target, request_id="one"
    )
    first = other.call(other.transfers.CopyModelVersion, request)
    assert other.call(other.transfers.CopyModelVersion, request) == first
    assert (first.model_version.registered_model_id, first.keys_left_out) == (target, True)
    things = other.call(
        other.things.ListArtifacts, artifact_pb2.ListArtifactsRequest(model_version_id=first.model_version.id)
    ).artifacts
    assert sorted(each.name for each in things) == ["f1", "v"]
    refusal = other.refused(other.transfers.CopyModelVersion, pb.CopyModelVersionRequest())
    assert refusal.violations == {"registered_model_id": "must be a UUID"}
    own = pb.CopyModelVersionRequest(model_version_id=version_id, registered_model_id=target)
    assert other.refused(other.transfers.CopyModelVersion, own).reason == "MODEL_VERSION_NOT_FOUND"
