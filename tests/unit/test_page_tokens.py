"""Page tokens are opaque, and an altered one is refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest

from modelregistry.v1.deployment_pb2 import ListDeploymentRevisionsRequest, ListDeploymentsRequest
from registry_grpc.adapters.grpc.page_tokens import cursor_of, page_token
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import Cursor

ID = UUID(int=7)


CALL: Any = SimpleNamespace(project_id=UUID(int=1))


def request_with(token: str) -> ListDeploymentRevisionsRequest:
    return ListDeploymentRevisionsRequest(id=str(ID), page_token=token)


@pytest.mark.parametrize(
    "value", [3, True, "x", "", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), UUID(int=9), 2**63 - 1]
)
def test_a_token_leads_to_where_it_came_from(value: Any) -> None:
    token = page_token(Cursor(value, ID), request_with(""), CALL)
    assert cursor_of(request_with(token), CALL) == Cursor(value, ID)


def test_a_token_that_is_longer_than_any_is_refused_unread() -> None:
    longest = page_token(Cursor("\x01" * 1000, ID), request_with(""), CALL)
    assert cursor_of(request_with(longest), CALL)
    token = page_token(Cursor("x" * 20_000, ID), request_with(""), CALL)
    with pytest.raises(InvalidPageToken):
        cursor_of(request_with(token), CALL)


@pytest.mark.parametrize("value", [[], {}, None, 1.5, 2**63], ids=repr)
def test_a_value_by_which_no_list_is_sorted_is_refused(value: Any) -> None:
    content = orjson.loads(base64.urlsafe_b64decode(page_token(Cursor(3, ID), request_with(""), CALL) + "=="))
    token = base64.urlsafe_b64encode(orjson.dumps([*content[:-1], value])).decode().rstrip("=")
    with pytest.raises(InvalidPageToken):
        cursor_of(request_with(token), CALL)


def test_a_token_is_of_one_project_list_and_filter() -> None:
    token = page_token(Cursor(3, ID), request_with(""), CALL)
    elsewhere: Any = SimpleNamespace(project_id=UUID(int=2))
    other_filter = ListDeploymentRevisionsRequest(id=str(UUID(int=8)), page_token=token)
    # Both requests are equal on the wire: the id of the deployment or of the model is their first field.
    other_list = ListDeploymentsRequest(registered_model_id=str(ID), page_token=token)
    for request, call in ((request_with(token), elsewhere), (other_filter, CALL), (other_list, CALL)):
        with pytest.raises(InvalidPageToken):
            cursor_of(request, call)
    assert cursor_of(ListDeploymentRevisionsRequest(id=str(ID), page_token=token, page_size=7), CALL) == Cursor(3, ID)
