"""create, update, patch, apply and delete, with the rules that a kube-apiserver applies to every kind."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from registry_grpc.devtools.simulated_cluster.api import errors, json_patch, ownership
from registry_grpc.devtools.simulated_cluster.api.conditions import timestamp
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request, cause
from registry_grpc.devtools.simulated_cluster.api.ownership import Manager, Owners
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, PODS, SECRETS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object, Store, key_of
from registry_grpc.devtools.simulated_cluster.api.validation import undeclared, validated

FOREGROUND = "foregroundDeletion"
_SYSTEM_METADATA = (
    "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields",
    "resourceVersion",
)  # fmt: skip

Operations = list[Any]
Policy = Callable[[Resource, Object, Object | None], None]
"""Gets the kind, the new object and the stored one (None for a create). Raises an ApiError to refuse the write. It may
change the new object, whose new fields then have no owner."""


@dataclass(frozen=True)
class WriteOptions:
    """The options of a write request."""

    manager: str = "unknown"
    subresource: str = ""
    operation: str = "Update"
    dry_run: bool = False
    strict: bool = False
    force: bool = False


_DEFAULTS = WriteOptions()
_NOTHING: Object = {"metadata": {}}


class Verbs:
    """The API of the simulated cluster, for the HTTP server and for the simulated controllers.

    It may keep objects that it gets; objects that it returns must not be changed. `policies` act like admission
    webhooks. With `auto_create_namespaces`, a missing namespace is made when the first object is written into it.
    """

    def __init__(self, store: Store, policies: list[Policy], *, auto_create_namespaces: bool = False) -> None:
        self._store = store
        self._policies = policies
        self._auto_create_namespaces = auto_create_namespaces

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._store.get(resource, namespace, name)

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        return self._store.list(resource, namespace)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        obj = self._store.get(resource, namespace, name)
        if obj is None:
            raise errors.not_found(resource, name)
        return obj

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions = _DEFAULTS) -> Object:
        """POST. Raises 409 AlreadyExists if the name is taken."""
        new = _scoped(resource, None, _named(resource, namespace, obj), "")
        if resource.namespaced and not self._auto_create_namespaces:
            self.get(NAMESPACES, "", namespace)
        if self._store.get(resource, *key_of(new)) is not None:
            raise errors.already_exists(resource, new["metadata"]["name"])
        metadata = {key: value for key, value in new["metadata"].items() if key not in _SYSTEM_METADATA}
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp(), "generation": 1}
        new = _validated(resource, {**new, "metadata": metadata}, None, options)
        owners = ownership.after_write(_NOTHING, new, resource.schema, _manager(resource, options))
        self._admit(resource, new, None)
        if resource.first_phase:
            new["status"] = {"phase": resource.first_phase}
        ownership.write(new, owners)
        if options.dry_run:
            return new
        if resource.namespaced and self.find(NAMESPACES, "", namespace) is None:
            self.create(NAMESPACES, "", {"metadata": {"name": namespace}})
        return self._store.put(resource, new)

    def update(
        self, resource: Resource, namespace: str, name: str, obj: Object, options: WriteOptions = _DEFAULTS
    ) -> Object:
        """PUT. Raises 409 if the object has an outdated resourceVersion."""
        new = _named(resource, namespace, obj, name)
        live = self.get(resource, namespace, name)
        if resource.is_custom and not new["metadata"].get("resourceVersion"):
            text = "Invalid value: 0: must be specified for an update"
            causes = [cause("FieldValueInvalid", text, "metadata.resourceVersion")]
            raise errors.invalid(resource, name, causes)
        return self._change(resource, live, new, options)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Object | Operations,
        options: WriteOptions = _DEFAULTS,
    ) -> Object:
        """A JSON merge patch, or the operations of a JSON patch. Only the latter can replace the owners of fields."""
        live, owners = self.get(resource, namespace, name), None
        if isinstance(patch, dict):
            new = _merged(live, patch)
        else:
            new = json_patch.patched(live, patch)
            if (managed := new["metadata"].get("managedFields")) != live["metadata"].get("managedFields") and managed:
                owners = ownership.read(new)
        return self._change(resource, live, _named(resource, namespace, new, name), options, owners)

    def apply(
        self, resource: Resource, namespace: str, name: str, config: Object, options: WriteOptions
    ) -> tuple[Object, bool]:
        """Server-side apply. Returns the object, and whether it was created.

        `metadata.uid` and `metadata.resourceVersion` in the applied object are preconditions.
        """
        if "managedFields" in config.get("metadata", {}):
            raise bad_request("metadata.managedFields must be nil")
        config = _scoped(resource, None, _named(resource, namespace, config, name), options.subresource)
        options = replace(options, operation="Apply")
        manager, live = _manager(resource, options), self._store.get(resource, namespace, name)
        if live is None and options.subresource:
            raise errors.not_found(resource, name)
        for field in undeclared(config, resource.schema):
            subject = f"{namespace}/{name}; {resource.api_version}, Kind={resource.kind}"
            text = f"failed to create typed patch object ({subject}): .{field}: field not declared in schema"
            raise ApiError(500, "", text)
        if live is None:
            if uid := config["metadata"].get("uid"):
                text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise errors.conflict(resource, name, text)
            return self.create(resource, namespace, config, options), True
        new, owners = ownership.apply(live, config, resource.schema, manager, force=options.force)
        new = {**config, **new, "metadata": {**new.get("metadata", {}), **_identity(config)}}
        return self._change(resource, live, new, options, owners), False

    def _change(
        self, resource: Resource, live: Object, new: Object, options: WriteOptions, owners: Owners | None = None
    ) -> Object:
        """Stores the object. Without owners this is an update, whose writer owns the fields that it changes."""
        new = _scoped(resource, live, new, options.subresource)
        _check_identity(resource, live["metadata"], new["metadata"])
        system = {key: live["metadata"][key] for key in _SYSTEM_METADATA if key in live["metadata"]}
        changed = {key: value for key, value in new["metadata"].items() if key not in _SYSTEM_METADATA}
        new = {**new, "metadata": {**changed, **system}}
        if not options.subresource:
            new = _validated(resource, new, live, options)
        if owners is None:
            owners = ownership.after_write(live, new, resource.schema, _manager(resource, options))
        if not options.subresource:
            self._admit(resource, new, live)
        ownership.write(new, owners)
        if _essence(new, resource) != _essence(live, resource):
            new["metadata"]["generation"] += 1
        if new == live or options.dry_run:
            return new
        is_let_go = "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers")
        return self._store.remove(resource, new) if is_let_go else self._store.put(resource, new)

    def _admit(self, resource: Resource, new: Object, live: Object | None) -> None:
        for policy in self._policies:
            policy(resource, new, live)

    def delete(self, resource: Resource, namespace: str, name: str, options: Object | None = None) -> Object:
        """DELETE with `DeleteOptions`. Answers the object, which exists until its finalizers are gone.

        A pod exists until the kubelet deletes it without a grace period.
        """
        options = options or {}
        live = self.get(resource, namespace, name)
        metadata = live["metadata"]
        for field, expected in (options.get("preconditions") or {}).items():
            if expected not in {None, metadata[field]}:
                text = f"Precondition failed: {field} in precondition: {expected}, in object meta: {metadata[field]}"
                raise errors.conflict(resource, name, text)
        if options.get("dryRun"):
            return live
        finalizers = list(metadata.get("finalizers", ()))
        if options.get("propagationPolicy") == "Foreground" and FOREGROUND not in finalizers:
            finalizers.append(FOREGROUND)
        grace = options.get("gracePeriodSeconds", 30) if resource is PODS else 0
        if not finalizers and not grace:
            return self._store.remove(resource, live)
        new = {**metadata, **({"finalizers": finalizers} if finalizers else {})}
        if "deletionTimestamp" not in metadata:
            new |= {"deletionTimestamp": timestamp(), "deletionGracePeriodSeconds": grace}
            new["generation"] += 1
        return live if new == metadata else self._store.put(resource, {**live, "metadata": new})


def _validated(resource: Resource, new: Object, live: Object | None, options: WriteOptions) -> Object:
    """A copy as it will be stored if no policy changes it. Raises the errors of validation."""
    return validated(_with_data(new) if resource is SECRETS else new, live, resource, strict=options.strict)


def _manager(resource: Resource, options: WriteOptions) -> Manager:
    return Manager(options.manager, options.operation, resource.api_version, options.subresource)


def _named(resource: Resource, namespace: str, obj: Object, name: str = "") -> Object:
    """A copy with its type, namespace and name, and without empty metadata. Raises 400 if it has other ones."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if value not in ({}, [], "", None)}
    if "name" not in metadata:
        if "generateName" not in metadata:
            causes = [cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")]
            raise errors.invalid(resource, "", causes)
        metadata["name"] = f"{metadata['generateName'][:58]}{uuid.uuid4().hex[:5]}"
    if name not in {"", metadata["name"]}:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the one on the URL ({name})")
    if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    for key, expected in kind.items():
        if obj.get(key, expected) != expected:
            raise bad_request(f"the {key} of the provided object is {obj[key]}, the request is for {expected}")
    return {**obj, **kind, "metadata": metadata}


def _scoped(resource: Resource, live: Object | None, new: Object, subresource: str) -> Object:
    """The object after a request: the status subresource only changes the status, others everything but the status."""
    if not resource.has_status:
        return new
    if subresource == "status":
        base = live or {"apiVersion": new["apiVersion"], "kind": new["kind"], "metadata": {}}
        new = {**base, "metadata": {**base["metadata"], **_identity(new)}, "status": new.get("status")}
    else:
        new = {**new, "status": (live or {}).get("status")}
    return {key: value for key, value in new.items() if key != "status" or value is not None}


def _identity(obj: Object) -> Object:
    keys = ("name", "namespace", "uid", "resourceVersion")
    return {key: obj["metadata"][key] for key in keys if key in obj["metadata"]}


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    target = target if isinstance(target, dict) else {}
    merged = {key: _merged(target.get(key), value) for key, value in patch.items() if value is not None}
    return {key: value for key, value in target.items() if key not in patch} | merged


def _with_data(secret: Object) -> Object:
    """Writes `stringData` to `data`. It cannot be read back."""
    texts = secret.get("stringData", {}).items()
    data = {**secret.get("data", {}), **{key: base64.b64encode(text.encode()).decode() for key, text in texts}}
    rest = {key: value for key, value in secret.items() if key not in {"data", "stringData"}}
    return {"type": "Opaque", **rest, **({"data": data} if data else {})}


def _essence(obj: Object, resource: Resource) -> Object:
    """The part of the object whose changes increase its generation."""
    ignored = {"metadata", "status"} if resource.has_status else {"metadata"}
    return {key: value for key, value in obj.items() if key not in ignored}


def _check_identity(resource: Resource, live: Object, sent: Object) -> None:
    """Checks the preconditions of a write: the resourceVersion and uid in its metadata."""
    if sent.get("resourceVersion", live["resourceVersion"]) != live["resourceVersion"]:
        text = "the object has been modified; please apply your changes to the latest version and try again"
        raise errors.conflict(resource, live["name"], text)
    if sent.get("uid", live["uid"]) != live["uid"]:
        text = f'Invalid value: "{sent["uid"]}": field is immutable'
        raise errors.invalid(resource, live["name"], [cause("FieldValueInvalid", text, "metadata.uid")])
