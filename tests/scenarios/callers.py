"""A worker that asks for tokens, and its callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from tests.issuer import TestIssuer
from tests.postgres import PATIENT
from tests.scenarios.watching import Server, serving
from tests.scenarios.world import PATIENCE

from modelregistry.v1 import audit_pb2 as pb
from modelregistry.v1 import audit_pb2_grpc, registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.devtools.demo_issuer import AUDIENCE
from registry_grpc.domain.access import ApiToken, Caller, MemberKind, NewApiToken, NewMember, Role
from registry_grpc.services.access import issue_token


class Guarded:
    """A worker with one operator, `boss`, and members in a project."""

    def __init__(self, server: Server, issuer: TestIssuer, database: Database) -> None:
        self.server, self.issuer, self.database = server, issuer, database
        self.access = PostgresAccessRepository(database)
        self.audit: Any = audit_pb2_grpc.AuditServiceStub(server.channel)  # type: ignore[no-untyped-call]
        self.models: Any = registered_model_pb2_grpc.RegisteredModelServiceStub(server.channel)  # type: ignore[no-untyped-call]
        self.project_id = uuid4()
        self.boss = issuer.token(sub="boss")

    def metadata(self, token: str | None = None, project_id: UUID | None = None) -> list[tuple[str, str]]:
        """Those of the operator, unless a token is given; empty: none."""
        said = [("project-id", str(project_id or self.project_id))]
        return said if token == "" else [*said, ("authorization", f"Bearer {token or self.boss}")]

    async def member(self, name: str, role: Role, **claims: Any) -> str:
        """The token of a user who has the role from now on."""
        await self.access.set_member(self.project_id, NewMember(kind=MemberKind.USER, name=name, role=role))
        return self.issuer.token(sub=name, **claims)

    async def api_token(self, name: str, role: Role) -> ApiToken:
        boss = Caller(name="boss", method=self.issuer.url, role=Role.OPERATOR)
        return await issue_token(self.access, self.project_id, NewApiToken(name=name, role=role), boss)

    async def create(self, name: str, **given: Any) -> str:
        """Make a model. Returns its id."""
        new = registered_model_pb2.NewRegisteredModel(name=name)
        request = registered_model_pb2.CreateRegisteredModelRequest(registered_model=new)
        made = await self.models.CreateRegisteredModel(request, metadata=self.metadata(**given), timeout=PATIENCE)
        return str(made.registered_model.id)

    async def entries(self, filter: str = "", *, everywhere: bool = False) -> list[pb.AuditEntry]:
        """Oldest first."""
        request = pb.ListAuditEntriesRequest(filter=filter, page_size=100, all_projects=everywhere)
        page = await self.audit.ListAuditEntries(request, metadata=self.metadata(), timeout=PATIENCE)
        return [*page.audit_entries][::-1]

    def watch(self, token: str | None = None, **fields: Any) -> Any:
        request = pb.WatchAuditEntriesRequest(**fields)
        return self.audit.WatchAuditEntries(request, metadata=self.metadata(token), timeout=PATIENCE * 2)


async def read(stream: Any) -> pb.AuditEntry:
    async with asyncio.timeout(PATIENCE):
        response = await anext(aiter(stream))
        entry: pb.AuditEntry = response.audit_entry
        return entry


@asynccontextmanager
async def guarded(url: str, **settings: Any) -> AsyncIterator[Guarded]:
    issuer, database = TestIssuer(), Database(url, PATIENT)
    trusted = [{"issuer": issuer.url, "audiences": [AUDIENCE], "algorithms": ["RS256"]}]
    said = {"auth": "required", "issuers": trusted, "operators": ("boss",)} | settings
    try:
        async with issuer.running(), serving(url, **said) as server:
            yield Guarded(server, issuer, database)
    finally:
        await database.close()
