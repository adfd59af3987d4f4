"""The asynchronous client and its objects, which are called as those of the blocking one."""

from registry_client.aio.artifacts import Artifact
from registry_client.aio.client import AsyncClient
from registry_client.aio.deployments import Deployment
from registry_client.aio.environments import Environment
from registry_client.aio.listing import Listing
from registry_client.aio.models import Model
from registry_client.aio.versions import Version

__all__ = ["Artifact", "AsyncClient", "Deployment", "Environment", "Listing", "Model", "Version"]
