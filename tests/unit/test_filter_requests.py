"""`filter` and `order_by` reach every list, know the fields of its messages, and do nothing on REST routes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from tests.unit.test_every_field_arrives import UNARY, Recorder, leaves

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.adapters.rest.requests import RequestReader
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.paging import Sort

OTHERS = {"ListOrphans"}
"""Orphans are few."""
LISTS = [each for each in UNARY if each[2].startswith(("List", "WatchEvents", "WatchAudit")) and each[2] not in OTHERS]
lists = pytest.mark.parametrize(("servicer", "use_cases", "name", "rpc"), LISTS, ids=[name for _, _, name, _ in LISTS])
ROUTES = [each for each in LISTS if each[3].answer.status]
# The event log has one order, which `oldest_first` turns around.
SORTED = [each for each in LISTS if not each[2].endswith(("Events", "AuditEntries"))]
sorted_lists = pytest.mark.parametrize(
    ("servicer", "use_cases", "name", "rpc"), SORTED, ids=[name for _, _, name, _ in SORTED]
)
TIMES = {
    "ListEvents": "occurred_at", "WatchEvents": "occurred_at", "ListAuditEntries": "occurred_at",
    "WatchAuditEntries": "occurred_at", "ListWebhookDeliveries": "event.occurred_at",
    "ListModelAliases": "moved_at", "ListModelAliasMoves": "moved_at", "ListDeletedModelVersions": "deleted_at",
}  # fmt: skip
"""The fields with the time of an item, unless it is created_at."""
ORDERS = {
    "ListDeploymentRevisions": "revision", "ListModelAliases": "name", "ListWebhookDeliveries": "event.occurred_at",
    "ListModelAliasMoves": "moved_at", "ListDeletedModelVersions": "deleted_at",
}  # fmt: skip
"""The only field by which a list is sorted."""


async def seen(servicer: Any, use_cases: int, name: str, rpc: Rpc, **fields: str) -> list[Any]:
    """What the use case gets of a request with these fields."""
    request = GetMessageClass(_request_of(rpc))()
    for field in request.DESCRIPTOR.fields:
        if field.name in {"id", "registered_model_id"}:
            setattr(request, field.name, str(uuid4()))
    for field_name, value in fields.items():
        setattr(request, field_name, value)
    recorder = Recorder()
    serving = rpc.serve(servicer(*[recorder] * use_cases), request, Call(method=name, project_id=uuid4()))
    if not rpc.is_stream:
        await serving
    return recorder.seen


def time_of(name: str) -> str:
    return TIMES.get(name, "created_at")


def _request_of(rpc: Rpc) -> Descriptor:
    kind: Descriptor = get_type_hints(rpc.serve)["request"].DESCRIPTOR
    return kind


def test_every_list_is_here() -> None:
    assert len(LISTS) == 19


@lists
async def test_a_filter_reaches_the_use_case(servicer: Any, use_cases: int, name: str, rpc: Rpc) -> None:
    handed_on = await seen(servicer, use_cases, name, rpc, filter=f"{time_of(name)} > 2026-01-02T03:04:05Z")
    assert datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) in leaves(handed_on)
    assert None in leaves(await seen(servicer, use_cases, name, rpc, filter="  "))


@sorted_lists
async def test_an_order_reaches_the_use_case(servicer: Any, use_cases: int, name: str, rpc: Rpc) -> None:
    field, default = ORDERS.get(name, "id"), ORDERS.get(name, "created_at")
    for order_by, sort in [
        (field, Sort(field, descending=False)),
        (f" {field} asc ", Sort(field, descending=False)),
        (f"{field}  desc", Sort(field, descending=True)),
        ("", Sort(default, descending=name != "ListModelAliases")),
        (" ", Sort(default, descending=name != "ListModelAliases")),
    ]:
        assert sort in await seen(servicer, use_cases, name, rpc, order_by=order_by)


@lists
async def test_the_fields_are_those_of_the_messages(servicer: Any, use_cases: int, name: str, rpc: Rpc) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await seen(servicer, use_cases, name, rpc, filter="bogus:*")
    names = raised.value.message.partition("Fields: ")[2].split(", ")
    [service] = [each for each in servicer.SERVICE.methods if each.name == name]
    items = service.output_type.fields[0]
    assert time_of(name) in names
    for field_name in names:
        message = items.message_type
        for part in field_name.split("."):
            assert part in message.fields_by_name, field_name
            message = message.fields_by_name[part].message_type


@sorted_lists
@pytest.mark.parametrize("order_by", ["bogus", "id down", "id desc, name", "created_at,id", "id desc x", "ID", "-id"])
async def test_refuses_another_order(servicer: Any, use_cases: int, name: str, rpc: Rpc, order_by: str) -> None:
    with pytest.raises(InvalidRequest, match="order_by must be one field, with ` desc` for the descending order"):
        await seen(servicer, use_cases, name, rpc, order_by=order_by)


@pytest.mark.parametrize(("servicer", "use_cases", "name", "rpc"), ROUTES, ids=[name for _, _, name, _ in ROUTES])
async def test_refuses_two_orders(servicer: Any, use_cases: int, name: str, rpc: Rpc) -> None:
    for fields in ({"sort_by": "id"}, {"order": "asc"}):
        with pytest.raises(InvalidRequest, match="order_by cannot be combined with sort_by or order"):
            await seen(servicer, use_cases, name, rpc, order_by="id", **fields)


@pytest.mark.parametrize(("servicer", "use_cases", "name", "rpc"), ROUTES, ids=[name for _, _, name, _ in ROUTES])
def test_rest_routes_ignore_them_like_all_unknown_parameters(
    servicer: Any, use_cases: int, name: str, rpc: Rpc
) -> None:
    [method] = [each for each in servicer.SERVICE.methods if each.name == name]
    path = method.GetOptions().Extensions[annotations_pb2.http].get.replace("{registered_model_id}", str(uuid4()))
    read = RequestReader(method).read(f"{path}?filter=bogus%3D1&order_by=bogus&limit=3", b"")
    assert [field.name for field, _ in read.ListFields() if not field.name.endswith("_id")] == ["limit"]
