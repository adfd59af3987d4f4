"""The client of registry-grpc, a model registry that deploys.

    from registry_client import Client

    client = Client("http://127.0.0.1:8080", project="11111111-1111-1111-1111-111111111111")
    model = client.models.create("iris")

The asynchronous client is `AsyncClient`; its objects are in `registry_client.aio`.
"""

from registry_client import errors
from registry_client._sync import Artifact, Client, Deployment, Environment, Listing, Model, Version
from registry_client.aio import AsyncClient
from registry_client.config import Context
from registry_client.deploying import DeploymentEvent, Explanation, Finding, Plan, Revision
from registry_client.errors import ConfigError, DeploymentFailed, Error, RegistryError, WaitTimeout
from registry_client.resources import Alias, AliasMove, DeletedVersion, Event
from registry_client.rows import Rows

__all__ = [
    "Alias",
    "AliasMove",
    "Artifact",
    "AsyncClient",
    "Client",
    "ConfigError",
    "Context",
    "DeletedVersion",
    "Deployment",
    "DeploymentEvent",
    "DeploymentFailed",
    "Environment",
    "Error",
    "Event",
    "Explanation",
    "Finding",
    "Listing",
    "Model",
    "Plan",
    "RegistryError",
    "Revision",
    "Rows",
    "Version",
    "WaitTimeout",
    "errors",
]
