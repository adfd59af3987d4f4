"""`registry-grpc export` and `registry-grpc import`: clients of TransferService that write and read files."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from modelregistry.v1 import transfer_pb2 as pb
from modelregistry.v1.transfer_pb2_grpc import TransferServiceStub
from registry_grpc.progress import Progress
from registry_grpc.settings import Settings
from registry_grpc.tls import Endpoint, token_metadata

_PART = 64 * 1024
_COUNTED = ("serving_environments", "registered_models", "model_versions", "model_aliases", "artifacts")


def export_project(settings: Settings, address: str, project_id: str) -> None:
    """Write the project's file to stdout. Exits with status 1 if it is not whole."""
    with _transfers(settings, address) as transfers, Progress() as progress:
        lines = 0
        for answer in transfers.ExportProject(pb.ExportProjectRequest(), metadata=_metadata(settings, project_id)):
            sys.stdout.buffer.write(answer.ndjson)
            progress.tell("exported lines", lines := lines + answer.ndjson.count(b"\n"))
    sys.stdout.buffer.flush()


def import_project(settings: Settings, address: str, project_id: str) -> None:
    """Read a file from stdin, and print what was added. Exits with status 1 if it was refused or interrupted."""
    with _transfers(settings, address) as transfers, Progress() as progress:
        done = transfers.ImportProject(_parts(progress), metadata=_metadata(settings, project_id))
    for name in _COUNTED:
        count = getattr(done, name)
        print(f"{name}: {count.created} created, {count.existing} existing")  # noqa: T201
    print(f"renumbered versions: {done.renumbered_versions}")  # noqa: T201
    print(f"versions without keys: {done.versions_without_keys}")  # noqa: T201
    for id_ in done.first_version_ids_without_keys:
        print(f"  {id_}")  # noqa: T201


def _parts(progress: Progress) -> Iterator[pb.ImportProjectRequest]:
    """The parts of stdin, which are sent as fast as the registry takes them."""
    file, sent = os.fstat(sys.stdin.fileno()), 0
    total = file.st_size >> 10 if stat.S_ISREG(file.st_mode) else None
    while part := sys.stdin.buffer.read(_PART):
        sent += len(part)
        progress.tell("imported KiB", sent >> 10, total)
        yield pb.ImportProjectRequest(ndjson=part)


def _metadata(settings: Settings, project_id: str) -> list[tuple[str, str]]:
    return [("project-id", project_id), *token_metadata(settings)]


@contextmanager
def _transfers(settings: Settings, address: str) -> Iterator[Any]:
    endpoint = Endpoint(settings, address)
    with endpoint.channel() as channel:
        try:
            yield TransferServiceStub(channel)  # type: ignore[no-untyped-call]
        except grpc.RpcError as error:
            why = endpoint.problem() if error.code() is grpc.StatusCode.UNAVAILABLE else ""
            sys.exit(f"{error.code().name}: {why or error.details()}")
