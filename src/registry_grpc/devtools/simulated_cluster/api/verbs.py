"""create, update, patch and delete with the rules a kube-apiserver applies to every kind."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from registry_grpc.devtools.simulated_cluster.api import managed_fields, validation
from registry_grpc.devtools.simulated_cluster.api.admission import Admission
from registry_grpc.devtools.simulated_cluster.api.errors import (
    OBJECT_MODIFIED,
    ApiError,
    already_exists,
    bad_request,
    cause,
    conflict,
    invalid,
    not_found,
)
from registry_grpc.devtools.simulated_cluster.api.fields import UndeclaredField
from registry_grpc.devtools.simulated_cluster.api.managed_fields import Manager
from registry_grpc.devtools.simulated_cluster.api.merging import merge_patch
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, PODS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Store

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_SYSTEM_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def timestamp() -> str:
    """Now, with the one-second resolution of Kubernetes."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class WriteOptions:
    """What a write request says besides its object."""

    manager: str = "unknown"
    dry_run: bool = False
    strict: bool = False
    force: bool = False


_DEFAULTS = WriteOptions()


class Verbs:
    """The API of the simulated cluster, for the HTTP server and for the parts that play controllers.

    Objects handed in may be kept; objects handed out must not be changed.
    """

    def __init__(self, store: Store, admission: Admission, *, auto_create_namespaces: bool = False) -> None:
        self._store = store
        self._admission = admission
        self._auto_create_namespaces = auto_create_namespaces

    def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        if resource == NAMESPACES and self._auto_create_namespaces and self._store.get(resource, "", name) is None:
            return self.create(resource, "", {"metadata": {"name": name}})
        obj = self._store.get(resource, namespace, name)
        if obj is None:
            raise not_found(resource.group, resource.plural, name)
        return obj

    def create(
        self, resource: Resource, namespace: str, obj: dict[str, Any], options: WriteOptions = _DEFAULTS
    ) -> dict[str, Any]:
        """POST; 409 AlreadyExists when the name is taken."""
        new = _named(resource, namespace, obj)
        if resource.has_status:
            new.pop("status", None)
        name = new["metadata"]["name"]
        if self._store.get(resource, namespace, name) is not None:
            self._check_namespace(resource, namespace)
            raise already_exists(resource.group, resource.plural, name)
        manager = Manager(options.manager, "Update", resource.api_version)
        new = validation.pruned(new, resource, strict=options.strict)
        new = self._born(resource, namespace, new, dry_run=options.dry_run)
        managed_fields.write(new, managed_fields.after_write(None, new, resource, manager, timestamp()))
        return new if options.dry_run else self._store.put(resource, new)

    def _born(self, resource: Resource, namespace: str, obj: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Admission, validation and the metadata of a new object."""
        self._check_namespace(resource, namespace, create=not dry_run)
        if obj["metadata"].get("resourceVersion"):
            raise ApiError(500, "InternalError", "resourceVersion should not be set on objects to be created")
        new = self._admission.mutate(resource, obj)
        validation.validate(new, None, resource)
        self._admission.validate(resource, new, None)
        metadata = {key: value for key, value in new["metadata"].items() if key not in _SYSTEM_METADATA}
        metadata.pop("managedFields", None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp(), "generation": 1}
        return {**new, "metadata": metadata}

    def _check_namespace(self, resource: Resource, namespace: str, *, create: bool = False) -> None:
        if not resource.namespaced or self._store.get(NAMESPACES, "", namespace) is not None:
            return
        if not self._auto_create_namespaces:
            raise not_found("", "namespaces", namespace)
        if create:
            self.create(NAMESPACES, "", {"metadata": {"name": namespace}})

    def update(
        self,
        resource: Resource,
        namespace: str,
        obj: dict[str, Any],
        options: WriteOptions = _DEFAULTS,
        *,
        subresource: str = "",
    ) -> dict[str, Any]:
        """PUT; 409 when the object carries a resourceVersion that is no longer the newest."""
        named = _named(resource, namespace, obj)
        live = self.get(resource, namespace, named["metadata"]["name"])
        if resource.is_custom and not named["metadata"].get("resourceVersion"):
            text = "Invalid value: 0: must be specified for an update"
            causes = [cause("FieldValueInvalid", text, "metadata.resourceVersion")]
            raise invalid(resource.group, resource.kind, named["metadata"]["name"], causes)
        named = validation.pruned(named, resource, strict=options.strict)
        return self._changed(resource, live, named, options, subresource)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: dict[str, Any],
        options: WriteOptions = _DEFAULTS,
        *,
        subresource: str = "",
    ) -> dict[str, Any]:
        """A JSON merge patch."""
        live = self.get(resource, namespace, name)
        new = _named(resource, namespace, merge_patch(live, patch))
        new = validation.pruned(new, resource, strict=options.strict)
        return self._changed(resource, live, new, options, subresource)

    def _changed(
        self,
        resource: Resource,
        live: dict[str, Any],
        new: dict[str, Any],
        options: WriteOptions,
        subresource: str,
    ) -> dict[str, Any]:
        manager = Manager(options.manager, "Update", resource.api_version, subresource)
        new = self._admitted(resource, live, _scoped(resource, live, new, subresource), subresource)
        if new == live:
            return live
        owners = managed_fields.after_write(live, new, resource, manager, timestamp())
        managed_fields.write(new, owners)
        return self._stored(resource, live, new, dry_run=options.dry_run)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        applied: dict[str, Any],
        options: WriteOptions,
        *,
        subresource: str = "",
    ) -> tuple[dict[str, Any], bool]:
        """Server-side apply: the object, and whether it was created.

        `metadata.uid` and `metadata.resourceVersion` in the applied object are preconditions.
        """
        if "managedFields" in applied.get("metadata", {}):
            raise bad_request("metadata.managedFields must be nil")
        applied = _named(resource, namespace, applied)
        if resource.has_status:
            applied = {key: value for key, value in applied.items() if (key == "status") <= (subresource == "status")}
        if applied["metadata"]["name"] != name:
            raise bad_request(
                f"the name of the object ({applied['metadata']['name']}) does not match the name on the URL ({name})"
            )
        manager = Manager(options.manager, "Apply", resource.api_version, subresource)
        live = self._store.get(resource, namespace, name)
        try:
            if live is None:
                return self._apply_new(resource, namespace, applied, manager, options), True
            stale = applied["metadata"].get("resourceVersion") not in {None, live["metadata"]["resourceVersion"]}
            if stale:
                raise conflict(resource.group, resource.plural, name, OBJECT_MODIFIED)
            new, owners = managed_fields.apply(live, applied, resource, manager, force=options.force, now=timestamp())
        except UndeclaredField as error:
            subject = f"{namespace}/{name}; {resource.api_version}, Kind={resource.kind}"
            message = f"failed to create typed patch object ({subject}): {error}"
            raise ApiError(500, "", message) from None
        new = self._admitted(resource, live, _scoped(resource, live, new, subresource), subresource)
        managed_fields.write(new, owners)
        return self._stored(resource, live, new, dry_run=options.dry_run), False

    def _apply_new(
        self,
        resource: Resource,
        namespace: str,
        applied: dict[str, Any],
        manager: Manager,
        options: WriteOptions,
    ) -> dict[str, Any]:
        name = applied["metadata"]["name"]
        if uid := applied["metadata"].get("uid"):
            text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(resource.group, resource.plural, name, text)
        empty = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}}
        new, owners = managed_fields.apply(empty, applied, resource, manager, force=True, now=timestamp())
        new = self._born(resource, namespace, new, dry_run=options.dry_run)
        managed_fields.write(new, owners)
        return new if options.dry_run else self._store.put(resource, new)

    def _admitted(
        self, resource: Resource, live: dict[str, Any], new: dict[str, Any], subresource: str
    ) -> dict[str, Any]:
        metadata = live["metadata"]
        sent = new["metadata"]
        name = metadata["name"]
        if sent.get("resourceVersion") not in {None, "", metadata["resourceVersion"]}:
            raise conflict(resource.group, resource.plural, name, OBJECT_MODIFIED)
        if sent.get("uid") not in {None, "", metadata["uid"]}:
            text = f'Invalid value: "{sent["uid"]}": field is immutable'
            raise invalid(resource.group, resource.kind, name, [cause("FieldValueInvalid", text, "metadata.uid")])
        if not subresource:
            new = self._admission.mutate(resource, new)
            validation.validate(new, live, resource)
            self._admission.validate(resource, new, live)
        system = {key: metadata[key] for key in _SYSTEM_METADATA if key in metadata}
        changed = {key: value for key, value in new["metadata"].items() if key not in _SYSTEM_METADATA}
        return {**new, "metadata": {**changed, **system, "resourceVersion": metadata["resourceVersion"]}}

    def _stored(
        self, resource: Resource, live: dict[str, Any], new: dict[str, Any], *, dry_run: bool
    ) -> dict[str, Any]:
        if _essence(new, resource) != _essence(live, resource):
            new["metadata"]["generation"] = live["metadata"]["generation"] + 1
        if new == live:
            return live
        if dry_run:
            return new
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            return self._store.remove(resource, self._store.put(resource, new))
        return self._store.put(resource, new)

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """DELETE with `DeleteOptions`; answers the object when it lives on until its finalizers are gone."""
        body = body or {}
        live = self.get(resource, namespace, name)
        _check_preconditions(resource, live, body.get("preconditions") or {})
        if body.get("dryRun"):
            return live
        finalizers = list(live["metadata"].get("finalizers", []))
        policy = body.get("propagationPolicy")
        for wanted, finalizer in (("Foreground", FOREGROUND), ("Orphan", ORPHAN)):
            if policy == wanted and finalizer not in finalizers:
                finalizers.append(finalizer)
        lingers = resource is PODS and bool(live.get("spec", {}).get("nodeName"))
        if not finalizers and (not lingers or body.get("gracePeriodSeconds") == 0):
            return self._store.remove(resource, live)
        if "deletionTimestamp" in live["metadata"] and finalizers == live["metadata"].get("finalizers", []):
            return live
        new = copy.deepcopy(live)
        if finalizers:
            new["metadata"]["finalizers"] = finalizers
        if "deletionTimestamp" not in new["metadata"]:
            new["metadata"] |= {"deletionTimestamp": timestamp(), "deletionGracePeriodSeconds": 30 if lingers else 0}
            new["metadata"]["generation"] += 1
        return self._store.put(resource, new)


def _named(resource: Resource, namespace: str, obj: dict[str, Any]) -> dict[str, Any]:
    """A copy that carries its type and place; 400 when it says another one."""
    metadata = dict(obj.get("metadata") or {})
    if not metadata.get("name"):
        if not metadata.get("generateName"):
            causes = [cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")]
            raise invalid(resource.group, resource.kind, "", causes)
        metadata["name"] = f"{metadata['generateName']}{uuid.uuid4().hex[:5]}"
    if resource.namespaced:
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = namespace
    rest = {key: value for key, value in obj.items() if key != "metadata"}
    for key, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if rest.setdefault(key, expected) != expected:
            raise bad_request(f"the {key} of the provided object is {rest[key]}, the request is for {expected}")
    return {"apiVersion": rest.pop("apiVersion"), "kind": rest.pop("kind"), "metadata": metadata, **rest}


def _scoped(resource: Resource, live: dict[str, Any], new: dict[str, Any], subresource: str) -> dict[str, Any]:
    """What a request may change: its status subresource only the status, the rest everything but the status."""
    if subresource == "status":
        sent = {key: new["metadata"][key] for key in ("uid", "resourceVersion") if key in new["metadata"]}
        scoped = {**live, "metadata": {**live["metadata"], **sent}}
        return {**scoped, "status": new["status"]} if "status" in new else scoped
    if not resource.has_status:
        return new
    scoped = {key: value for key, value in new.items() if key != "status"}
    return {**scoped, "status": live["status"]} if "status" in live else scoped


def _essence(obj: dict[str, Any], resource: Resource) -> dict[str, Any]:
    """The part whose changes count as a new generation."""
    ignored = {"metadata", "status"} if resource.has_status else {"metadata"}
    return {key: value for key, value in obj.items() if key not in ignored}


def _check_preconditions(resource: Resource, live: dict[str, Any], wanted: dict[str, str]) -> None:
    name = live["metadata"]["name"]
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        expected, actual = wanted.get(field), live["metadata"][field]
        if expected not in {None, actual}:
            text = f"Precondition failed: {label} in precondition: {expected}, {label} in object meta: {actual}"
            raise conflict(resource.group, resource.plural, name, text)
