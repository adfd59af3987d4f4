"""Deletes objects. An object that is gone already counts as deleted."""

from __future__ import annotations

from http import HTTPStatus

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.errors import StatusError


async def delete_object(api: Api, namespace: str, name: str, *, uid: str) -> None:
    """Delete the InferenceService with this uid. It disappears after its workload and pods."""
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid},
        "propagationPolicy": "Foreground",
    }
    try:
        await api.delete(kinds.INFERENCE_SERVICES.at(namespace, name), options)
    except StatusError as error:
        # A conflict means that another object has the name now, so the one with this uid is gone.
        if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            raise


async def delete_secret(api: Api, namespace: str, name: str) -> None:
    try:
        await api.delete(kinds.SECRETS.at(namespace, name))
    except StatusError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
