"""Calls to the registry, by the names of its RPCs."""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from registry_cli.options import chosen

if TYPE_CHECKING:
    from registry_client.config import Context

PAGE = 100
_writes = itertools.count(1)


def call(rpc: str, /, **fields: Any) -> Any:
    """The answer of a unary RPC such as `registered_model.GetRegisteredModel`: the proto file and the method.

    Fields that are None are left out. The client gives writes a request id, unless --request-id has.
    """
    method, request_class = method_of(rpc)
    if "request_id" in request_class.DESCRIPTOR.fields_by_name:
        fields["request_id"] = request_id()
    return method(request_class(**fields))


def request_id() -> str:
    """That of the next write, because each needs its own; empty without --request-id."""
    if not chosen.request_id:
        return ""
    number = next(_writes)
    return chosen.request_id if number == 1 else f"{chosen.request_id}/{number}"


def pages(rpc: str, /, limit: int = 0, **fields: Any) -> Iterator[Any]:
    """The objects of a list, which is read page by page; at most `limit` unless that is 0."""
    token, left = "", limit or float("inf")
    while left > 0:
        answer = call(rpc, page_size=int(min(PAGE, left)), page_token=token, **fields)
        (objects,) = (getattr(answer, field.name) for field in answer.DESCRIPTOR.fields if field.is_repeated)
        yield from objects
        left -= len(objects)
        if not (token := answer.next_page_token):
            return


def watch(rpc: str, /, after: str, place_of: Callable[[Any], Any], **fields: Any) -> Iterator[Any]:
    """The answers of a watch. When the connection ends, it goes on after the last answer: its place in the log is the
    field `after` of the request."""
    method, request_class = method_of(rpc)
    answers: Iterator[Any] = client().watch(
        method, lambda place: request_class(**fields | ({after: place} if place else {})), place_of
    )
    return answers


def method_of(rpc: str) -> tuple[Any, Any]:
    """The method of the stub, and the class of its request."""
    file, name = rpc.split(".")
    messages = importlib.import_module(f"modelregistry.v1.{file}_pb2")
    (service,) = messages.DESCRIPTOR.services_by_name.values()
    request_class = getattr(messages, service.methods_by_name[name].input_type.name)
    stubs = importlib.import_module(f"modelregistry.v1.{file}_pb2_grpc")
    return getattr(client().stub(getattr(stubs, f"{service.name}Stub")), name), request_class


@functools.cache
def client() -> Any:
    """The client for the context and the options of this run."""
    from registry_cli.login import with_fresh_token
    from registry_client import Client

    return Client(**asdict(with_fresh_token(context())), context=chosen.context, timeout=chosen.call_seconds)


def context() -> Context:
    """What the options, the context and the environment say."""
    from registry_client.config import Context, resolve

    return resolve(Context(url=chosen.url, project=chosen.project), chosen.context)


def close() -> None:
    """End the connection, if there is one."""
    if client.cache_info().currsize:
        client().close()
