"""Every RPC that changes or deletes an object takes what makes that safe. The protos are walked, so that new RPCs are
checked too. test_handlers.py does the same for `request_id`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask

from modelregistry import v1

CONDITIONS = {"etag", "expected_revision", "revision", "expected_version_id"}
"""Names of the state that the caller has read. Aliases and deployments have no etag (docs/api.md)."""
METHODS: list[MethodDescriptor] = [
    method
    for module in iter_modules(v1.__path__)
    if module.name.endswith("_pb2")
    for service in import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
LAST_ONE_COUNTS = ("SetMember", "RemoveMember", "RevokeApiToken")
"""Whoever says last who may do what is right, whatever was seen before."""
READS = ("Get", "BatchGet", "List", "Find", "Watch", "Plan", "Explain", "Sync", "Test", "Export")
"""Sync only repeats what a controller does, and Test stores nothing."""
NEW = ("Create", "Undelete", "Redeliver", "DeployModel", "Copy", "ImportProject")
"""Nothing that the caller could have read is overwritten. DeployModel is refused if there is a deployment, and
ImportProject changes nothing that exists."""
WRITES = [method for method in METHODS if not method.name.startswith(READS)]


def fields_of(method: MethodDescriptor) -> dict[str, FieldDescriptor]:
    return dict(method.input_type.fields_by_name)


def each_of(methods: list[MethodDescriptor]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("method", methods, ids=[method.name for method in methods])


def test_there_are_writes() -> None:
    assert {"UpdateWebhook", "DeleteArtifact", "SetModelAlias", "UndeployModel"} <= {each.name for each in WRITES}


@each_of([method for method in WRITES if not method.name.startswith((*NEW, *LAST_ONE_COUNTS))])
def test_every_change_can_be_bound_to_the_state_that_was_read(method: MethodDescriptor) -> None:
    assert CONDITIONS & fields_of(method).keys()


@each_of([method for method in WRITES if method.name.startswith("Delete")])
def test_every_deletion_can_be_of_something_missing(method: MethodDescriptor) -> None:
    assert "allow_missing" in fields_of(method)


@each_of([method for method in WRITES if method.name.startswith("Update")])
def test_every_update_has_a_mask_and_tells_absent_from_empty(method: MethodDescriptor) -> None:
    fields = fields_of(method)
    assert fields["update_mask"].message_type is FieldMask.DESCRIPTOR
    if method.name == "UpdateDeployment":  # maps and lists that are empty are absent (docs/api.md)
        return
    [patch] = [field.message_type for field in fields.values() if field.message_type and field.name != "update_mask"]
    assert [field.name for field in patch.fields if not field.has_presence] == []


@each_of([method for method in METHODS if method.name.startswith("Get")])
def test_every_object_that_can_be_read_has_an_etag(method: MethodDescriptor) -> None:
    without = {"GetDeployment", "GetServedRevision", "GetDeploymentRevision", "GetCaller"}
    if method.name not in without:
        shown, *_ = [field.message_type for field in method.output_type.fields if field.message_type]
        assert "etag" in shown.fields_by_name
