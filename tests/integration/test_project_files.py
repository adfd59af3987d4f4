"""The commands `export` and `import` send a token. tests/integration/gateway/test_commands_over_tls.py: by TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tests.integration.commands import command

from modelregistry.v1 import transfer_pb2 as pb
from modelregistry.v1.transfer_pb2_grpc import TransferServiceServicer, add_TransferServiceServicer_to_server

pytestmark = pytest.mark.slow

PROJECT = "11111111-1111-1111-1111-111111111111"
TOKEN = "a-secret-token"


class Service(TransferServiceServicer):
    """Answers what it is told, and remembers what it is sent."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}

    async def ExportProject(self, _request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - of the proto
        self.metadata = dict(context.invocation_metadata())
        yield pb.ExportProjectResponse(ndjson=b"{}\n")

    async def ImportProject(self, requests: AsyncIterator[Any], context: Any) -> Any:  # noqa: N802 - of the proto
        self.metadata = dict(context.invocation_metadata())
        assert [request async for request in requests] == []
        return pb.ImportProjectResponse(renumbered_versions=3)


@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_the_commands_send_the_token(scheme: str) -> None:
    service, server = Service(), grpc.aio.server()
    add_TransferServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = ("--project", PROJECT, "--address", f"{scheme}127.0.0.1:{port}")
    try:
        exported = await command("export", *address, token=TOKEN)
        assert (exported.status, exported.out, exported.err) == (0, "{}\n", "")
        assert service.metadata["authorization"] == f"Bearer {TOKEN}"
        assert service.metadata["project-id"] == PROJECT
        imported = await command("import", *address, token=TOKEN)
        assert imported.status == 0
        assert "renumbered versions: 3" in imported.out
        assert service.metadata["authorization"] == f"Bearer {TOKEN}"
        await command("export", *address)
        assert "authorization" not in service.metadata
    finally:
        await server.stop(None)


async def test_an_address_of_another_kind_is_refused() -> None:
    refused = await command("export", "--project", PROJECT, "--address", "ftp://127.0.0.1:1", token=TOKEN)
    assert refused.status == 1
    assert refused.err.strip() == "the address must be host:port, or begin with http:// or https://: ftp://127.0.0.1:1"
