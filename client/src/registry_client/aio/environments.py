"""Places to deploy to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from modelregistry.v1 import serving_environment_pb2 as pb
from modelregistry.v1.serving_environment_pb2_grpc import ServingEnvironmentServiceStub
from registry_client.aio.listing import Listed, Listing
from registry_client.errors import AlreadyExists, NotFound, no_such_name
from registry_client.patches import filled, is_id, mask
from registry_client.resources import EnvironmentRecord
from registry_client.values import Property

if TYPE_CHECKING:
    from registry_client.aio.client import AsyncClient

DriftPolicy = Literal["report", "enforce"]


class Environment(EnvironmentRecord):
    """A place to deploy to: a namespace of Kubernetes."""

    def __init__(self, client: AsyncClient, message: pb.ServingEnvironment) -> None:
        super().__init__(message)
        self._stub: Any = client.stub(ServingEnvironmentServiceStub)

    async def refresh(self) -> Self:
        """Read it again."""
        answer = await self._stub.GetServingEnvironment(pb.GetServingEnvironmentRequest(id=self.id))
        self.proto = answer.serving_environment
        return self

    async def update(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        namespace: str | None = None,
        drift_policy: DriftPolicy | None = None,
        properties: Mapping[str, Property] | None = None,
        clear: Iterable[str] = (),
        etag: str = "",
    ) -> Self:
        """Change what is given. Deployments stay in the namespace in which they are."""
        given = {
            "name": name,
            "description": description,
            "external_id": namespace,
            "drift_policy": drift_policy,
            "properties": properties,
        }
        request = pb.UpdateServingEnvironmentRequest(
            id=self.id,
            serving_environment=filled(pb.ServingEnvironmentPatch, given),
            update_mask=mask(given, clear),
            etag=etag,
        )
        self.proto = (await self._stub.UpdateServingEnvironment(request)).serving_environment
        return self

    async def delete(self, *, etag: str = "") -> None:
        """Delete it. It must have no inference services."""
        await self._stub.DeleteServingEnvironment(pb.DeleteServingEnvironmentRequest(id=self.id, etag=etag))


class Environments(Listed[Environment]):
    """The places to which the project deploys."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._stub: Any = client.stub(ServingEnvironmentServiceStub)

    async def get(self, name_or_id: str) -> Environment:
        """By its name or id. Raises NotFound."""
        if is_id(name_or_id):
            answer = await self._stub.GetServingEnvironment(pb.GetServingEnvironmentRequest(id=name_or_id))
        else:
            try:
                answer = await self._stub.FindServingEnvironment(pb.FindServingEnvironmentRequest(name=name_or_id))
            except NotFound as error:
                error.hint = no_such_name("environment", name_or_id, self._client.project)
                raise
        return Environment(self._client, answer.serving_environment)

    def list(self, *, filter: str = "", order_by: str = "", search: str = "") -> Listing[Environment]:
        """Those that match, the newest first unless `order_by` says otherwise."""
        request = pb.ListServingEnvironmentsRequest(filter=filter, order_by=order_by, search=search, page_size=100)
        return Listing(
            self._stub.ListServingEnvironments, request, "serving_environments", partial(Environment, self._client)
        )

    async def create(
        self,
        name: str,
        *,
        namespace: str = "",
        description: str = "",
        drift_policy: DriftPolicy | None = None,
        properties: Mapping[str, Property] | None = None,
        exist_ok: bool = False,
    ) -> Environment:
        """The namespace is that of Kubernetes, if it is not the name.

        Raises AlreadyExists if there is an environment with the name. With `exist_ok`, that environment is the answer,
        as it is: the other arguments do not change it.
        """
        given = {
            "name": name,
            "external_id": namespace,
            "description": description,
            "drift_policy": drift_policy,
            "properties": properties,
        }
        request = pb.CreateServingEnvironmentRequest(serving_environment=filled(pb.NewServingEnvironment, given))
        try:
            answer = await self._stub.CreateServingEnvironment(request)
        except AlreadyExists as error:
            if not exist_ok or error.reason != "SERVING_ENVIRONMENT_NAME_TAKEN":
                raise
            return await self.get(error.metadata["id"])
        return Environment(self._client, answer.serving_environment)
