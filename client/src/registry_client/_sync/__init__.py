# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""The blocking client and its objects, which are called as those of the blocking one."""

from registry_client._sync.artifacts import Artifact
from registry_client._sync.client import Client
from registry_client._sync.deployments import Deployment
from registry_client._sync.environments import Environment
from registry_client._sync.listing import Listing
from registry_client._sync.models import Model
from registry_client._sync.versions import Version

__all__ = ["Artifact", "Client", "Deployment", "Environment", "Listing", "Model", "Version"]
