"""How an RPC is declared: the method calls the use case, and the decorator turns its result into the answer.

    @rpc(one(MODEL, lambda model: pb.CreateRegisteredModelResponse(registered_model=model), status=201), Role.EDITOR)
    async def CreateRegisteredModel(self, request: pb.CreateRegisteredModelRequest, call: Call) -> RegisteredModel:
        return await self._models.create(call.project_id, new_model(request.registered_model))

mypy checks that the method's result fits the resource, and the resource's message the response.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NotRequired, TypedDict, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import LARGEST_REST_PAGE, requested_limit
from registry_grpc.adapters.grpc.page_tokens import page_token
from registry_grpc.adapters.rest.encoders import json_bytes
from registry_grpc.domain.access import Role
from registry_grpc.domain.paging import Page, too_large

S = TypeVar("S")
Q = TypeVar("Q", bound=Message)
R = TypeVar("R")
D = TypeVar("D")
M = TypeVar("M", bound=Message)
J = TypeVar("J", bound=Mapping[str, object])

# The gateway buffers up to 16 MiB of an answer (max_response_body_size), which includes its framing.
LARGEST_ANSWER = LARGEST_REST_PAGE - 1024


@dataclass(frozen=True, slots=True)
class Resource(Generic[D, M, J]):
    """How an object is shown: to gRPC clients as a message, to REST clients as JSON."""

    message: Callable[[D], M]
    json: Callable[[D], J]


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """Turns the use case's result into the answer. Both functions take the result and the request."""

    message: Callable[[R, Any, Call], Message]
    status: int = 0
    """The HTTP status of the REST answer; 0 if the RPC has no route."""
    json: Callable[[R, Any], bytes] = lambda _result, _request: b""
    etag: Callable[[R], str] = lambda _result: ""
    """The etag of the object, for the header of a REST answer; empty if there is none."""
    resource: Resource[Any, Any, Any] | None = None
    """What the answer shows, which the OpenAPI document describes: one object, or a page of them."""
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class Rpc:
    """A declared RPC. `serve` takes the servicer, the request and the call. For a stream of answers it returns a
    generator; for a stream of requests it takes an iterator of them."""

    serve: Callable[..., Any]
    answer: Answer[Any]
    least: Role
    """The least role of its callers in the project."""
    is_stream: bool = False
    """Whether the answers are a stream."""
    takes_stream: bool = False
    """Whether the requests are a stream."""
    longest: float | None = None
    """How many seconds a stream may take; None if it may take for ever."""
    resume: Callable[..., Awaitable[Any]] | None = None
    """Of an RPC that calls the cluster after it has written: reads its result anew, by the servicer, the id of the
    deployment and the call (see ports.requests)."""


def rpc(
    answer: Answer[R], least: Role, *, resume: Callable[[Any, UUID, Call], Awaitable[R]] | None = None
) -> Callable[[Callable[[S, Q, Call], Awaitable[R]]], Rpc]:
    return lambda serve: Rpc(serve, answer, least, resume=resume)


def stream_rpc(
    answer: Answer[R], least: Role, *, longest: float | None = None
) -> Callable[[Callable[[S, Q, Call], AsyncIterator[R]]], Rpc]:
    return lambda serve: Rpc(serve, answer, least, is_stream=True, longest=longest)


def client_stream_rpc(
    answer: Answer[R], least: Role
) -> Callable[[Callable[[S, AsyncIterator[Q], Call], Awaitable[R]]], Rpc]:
    return lambda serve: Rpc(serve, answer, least, takes_stream=True)


def one(resource: Resource[D, M, J], response: Callable[[M], Message], *, status: int = 200) -> Answer[D]:
    """The answer with one object."""
    return Answer(
        message=lambda result, _request, _call: response(resource.message(result)),
        status=status,
        json=lambda result, _request: json_bytes(resource.json(result)),
        etag=lambda result: getattr(result, "etag", ""),
        resource=resource,
    )


def nothing(response: Callable[[], Message], *, status: int = 204, json: bytes = b"") -> Answer[None]:
    """An answer that is the same for every success."""
    return Answer(
        message=lambda _result, _request, _call: response(), status=status, json=lambda _result, _request: json
    )


async def no_result(_servicer: Any, _id: UUID, _call: Call) -> None:
    """Resumes an RPC whose answer is the same for every success."""


def nothing_but_grpc(response: Callable[[], Message]) -> Answer[None]:
    """The answer to every success of an RPC without a route."""
    return Answer(message=lambda _result, _request, _call: response())


def only_grpc(message: Callable[[D], M], response: Callable[[M], Message] = lambda message: message) -> Answer[D]:
    """The answer of an RPC without a route."""
    return Answer(message=lambda result, _request, _call: response(message(result)))


def several(message: Callable[[D], M], response: Callable[[list[M]], Message]) -> Answer[Sequence[D]]:
    """The answer of a batch."""
    return Answer(message=lambda results, _request, _call: response([message(each) for each in results]))


class Paging(TypedDict):
    """The fields that all responses of lists have."""

    next_page_token: str
    total_size: NotRequired[int]
    next_offset: NotRequired[int]


def page(resource: Resource[D, M, J], response: Callable[[list[M], Paging], Message]) -> Answer[Page[D]]:
    """A page of a list. In JSON, `page_size` is the limit asked for, before it is capped (contract 0.9, quirk Q21)."""

    def message(page: Page[D], request: Any, call: Call) -> Message:
        paging = Paging(next_page_token=page_token(page.next, request, call))
        if page.total is not None:
            paging |= {"total_size": page.total, "next_offset": _next_offset(page, request)}
        return response([resource.message(item) for item in page.items], paging)

    def json(page: Page[D], request: Any) -> bytes:
        body = json_bytes(
            {
                "items": [resource.json(item) for item in page.items],
                "total": page.total,
                "page_size": requested_limit(request),
                "next_offset": _next_offset(page, request),
            }
        )
        if len(body) > LARGEST_ANSWER:
            raise too_large(LARGEST_REST_PAGE)
        return body

    return Answer(message=message, status=200, json=json, resource=resource, is_page=True)


def cursor_page(message: Callable[[D], M], response: Callable[[list[M], str], Message]) -> Answer[Page[D]]:
    """A page of a list without a REST route. The second argument of `response` is the token of the next page."""
    return Answer(
        message=lambda page, request, call: response(
            [message(item) for item in page.items], page_token(page.next, request, call)
        )
    )


def _next_offset(page: Page[Any], request: Any) -> int:
    offset: int = request.offset
    return max(offset, 0) + len(page.items)
