"""The client of registry-grpc, a model registry that deploys.

    from registry_client import Client

    client = Client("http://127.0.0.1:8080", project="11111111-1111-1111-1111-111111111111")
    model = client.models.create("iris")

The asynchronous client is `AsyncClient`; its objects are in `registry_client.aio`.
"""

from registry_client import errors
from registry_client._sync import Client, Listing, Model, Version
from registry_client.aio import AsyncClient
from registry_client.errors import ConfigError, Error, RegistryError
from registry_client.rows import Rows

__all__ = [
    "AsyncClient",
    "Client",
    "ConfigError",
    "Error",
    "Listing",
    "Model",
    "RegistryError",
    "Rows",
    "Version",
    "errors",
]
