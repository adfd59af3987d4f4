"""WebhookService."""

from __future__ import annotations

from typing import Any

from modelregistry.v1 import webhook_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of, order_of, word_in
from registry_grpc.adapters.grpc.request_fields import allowing_missing, patch_of, path_id, require
from registry_grpc.adapters.grpc.rpc import cursor_page, nothing_but_grpc, only_grpc, rpc
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import NEWEST_FIRST, Page
from registry_grpc.domain.webhook import (
    DELIVERY_FILTER_FIELDS,
    DELIVERY_SORT_FIELDS,
    FILTER_FIELDS,
    NEWEST_EVENT_FIRST,
    SORT_FIELDS,
    Delivery,
    DeliveryState,
    NewWebhook,
    Outcome,
    Webhook,
    WebhookPatch,
    WebhookState,
)
from registry_grpc.ports.webhooks import WebhookRepository
from registry_grpc.services.webhooks import Webhooks


def _webhook(webhook: Webhook) -> pb.Webhook:
    return message_of(pb.Webhook, webhook)


def _delivery(delivery: Delivery) -> pb.WebhookDelivery:
    return message_of(pb.WebhookDelivery, delivery)


def _tested(outcome: Outcome) -> pb.TestWebhookResponse:
    return message_of(pb.TestWebhookResponse, outcome)


class WebhookServicer:
    """The RPCs on webhooks."""

    SERVICE = pb.DESCRIPTOR.services_by_name["WebhookService"]

    def __init__(self, webhooks: WebhookRepository, use_cases: Webhooks) -> None:
        self._webhooks = webhooks
        self._use_cases = use_cases

    @rpc(only_grpc(_webhook, lambda it: pb.CreateWebhookResponse(webhook=it)), Role.ADMIN)
    async def CreateWebhook(self, request: pb.CreateWebhookRequest, call: Call) -> Webhook:
        new = request.webhook
        if request.request_id and not new.secret:
            # The answer to a request with an id is stored, and would have the secret.
            text = "is required with a request_id: a generated secret is answered only once"
            raise InvalidRequest([Violation("secret", text)])
        return await self._use_cases.create(
            call.project_id, NewWebhook(url=new.url, types=tuple(new.types), secret=new.secret)
        )

    @rpc(only_grpc(_webhook, lambda it: pb.GetWebhookResponse(webhook=it)), Role.ADMIN)
    async def GetWebhook(self, request: pb.GetWebhookRequest, call: Call) -> Webhook:
        return await self._webhooks.get(call.project_id, path_id(request.id))

    @rpc(
        cursor_page(_webhook, lambda items, token: pb.ListWebhooksResponse(webhooks=items, next_page_token=token)),
        Role.ADMIN,
    )
    async def ListWebhooks(self, request: pb.ListWebhooksRequest, call: Call) -> Page[Webhook]:
        sort, where = order_of(request, SORT_FIELDS, NEWEST_FIRST), parse_filter(request.filter, FILTER_FIELDS)
        return await self._webhooks.list(call.project_id, cursor_slice_of(request, call), sort, where)

    @rpc(only_grpc(_webhook, lambda it: pb.UpdateWebhookResponse(webhook=it)), Role.ADMIN)
    async def UpdateWebhook(self, request: pb.UpdateWebhookRequest, call: Call) -> Webhook:
        id_, patch = path_id(request.id), _patch_of(request)
        return await self._use_cases.update(call.project_id, id_, patch, etags_in(request.etag))

    @rpc(nothing_but_grpc(pb.DeleteWebhookResponse), Role.ADMIN)
    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, call: Call) -> None:
        with allowing_missing(request):
            await self._webhooks.delete(call.project_id, path_id(request.id), etags_in(request.etag))

    @rpc(only_grpc(_tested), Role.ADMIN)
    async def TestWebhook(self, request: pb.TestWebhookRequest, call: Call) -> Outcome:
        return await self._use_cases.test(call.project_id, path_id(request.id))

    @rpc(
        cursor_page(
            _delivery,
            lambda items, token: pb.ListWebhookDeliveriesResponse(deliveries=items, next_page_token=token),
        ),
        Role.ADMIN,
    )
    async def ListWebhookDeliveries(self, request: pb.ListWebhookDeliveriesRequest, call: Call) -> Page[Delivery]:
        state, slice_ = word_in(request, "state", DeliveryState), cursor_slice_of(request, call, int)
        sort = order_of(request, DELIVERY_SORT_FIELDS, NEWEST_EVENT_FIRST)
        where = parse_filter(request.filter, DELIVERY_FILTER_FIELDS)
        return await self._webhooks.deliveries(call.project_id, path_id(request.id), state, slice_, sort, where)

    @rpc(only_grpc(_webhook, lambda it: pb.RedeliverWebhookResponse(webhook=it)), Role.ADMIN)
    async def RedeliverWebhook(self, request: pb.RedeliverWebhookRequest, call: Call) -> Webhook:
        id_ = path_id(request.id)
        require(request, "event_id")
        return await self._use_cases.redeliver(call.project_id, id_, request.event_id, and_later=request.and_later)


def _patch_of(request: pb.UpdateWebhookRequest) -> WebhookPatch:
    webhook, given = request.webhook, dict[str, Any]()
    if webhook.HasField("types"):
        given["types"] = tuple(webhook.types.types)
    if webhook.HasField("state"):
        given["state"] = word_in(webhook, "state", WebhookState) or ""
    return patch_of(WebhookPatch, webhook, request, **given)
