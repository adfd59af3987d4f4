"""Turns a raw REST request into the typed request of its RPC, by the RPC's `google.api.http` annotation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from registry_grpc.adapters.rest.body import BodyReader, is_of_contract
from registry_grpc.adapters.rest.target import integer, parameters, segment, split_target
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.ids import is_uuid

# Parameters that the contract names differently from the protos.
_QUERY_NAMES = {"external_id": "externalId", "parent_resource_id": "parentResourceId"}
_GRPC_ONLY = frozenset(("page_size", "page_token", "filter", "order_by"))


class NoSuchRouteError(Exception):
    """The gateway matched the path to this RPC, but an escaped slash makes it another path."""


class RequestReader:
    """Reads the REST requests of one RPC."""

    def __init__(self, method: MethodDescriptor) -> None:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        templates = [template_of(each) for each in (rule, *rule.additional_bindings)]
        if len({template.count("/") for template in templates}) < len(templates):
            raise TypeError(f"the paths of {method.full_name} cannot be told apart by their length")
        self._paths = [_path(template) for template in templates]
        self._new: Callable[[], Any] = GetMessageClass(method.input_type)
        self._body = rule.body
        body = method.input_type.fields_by_name[rule.body].message_type if rule.body else None
        if rule.body and body is None:
            raise TypeError(f"the body of {method.full_name} is not a message")
        self._read_body = BodyReader(body).read if body else None
        self._query = {name.encode(): field for name, field in query_parameters(method).items()}

    def read(self, target: str, body: bytes) -> Message:
        """Raises InvalidRequest and NoSuchRouteError.

        If an id in the path is not a UUID, the rest is not read and the servicer refuses the id first (contract 0.4).
        """
        path, query = split_target(target)
        request: Message = self._new()
        if not self._read_path(path, request):
            return request
        if self._read_body is not None:
            inner = getattr(request, self._body)
            inner.SetInParent()
            self._read_body(body, inner)
        if query and self._query:
            self._read_query(query, request)
        return request

    def _read_path(self, path: str, request: Message) -> bool:
        """Fill in the ids. Returns whether all of them are UUIDs."""
        for pattern in self._paths:
            if found := pattern.fullmatch(path):
                break
        else:
            raise NoSuchRouteError
        has_ids = True
        for field, raw in found.groupdict().items():
            text = segment(raw)
            if "/" in text:
                raise NoSuchRouteError
            setattr(request, field, text)
            has_ids = has_ids and is_uuid(text)
        return has_ids

    def _read_query(self, query: str, request: Message) -> None:
        violations = []
        for name, value in parameters(query).items():
            field = self._query.get(name)
            if field is None:
                continue
            try:
                text = value.decode()
            except UnicodeDecodeError:
                violations.append(Violation(name.decode(), "must be UTF-8"))
                continue
            if "\x00" in text:
                violations.append(Violation(name.decode(), "must not hold NUL characters"))
            else:
                setattr(request, field.name, text if field.type == FieldDescriptor.TYPE_STRING else integer(text))
        if violations:
            raise InvalidRequest(violations)


def query_parameters(method: MethodDescriptor) -> dict[str, FieldDescriptor]:
    """The parameters that the RPC reads from the query, by name. Only a GET has any."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    in_path = {name for each in (rule, *rule.additional_bindings) for name in variables_of(template_of(each))}
    return {
        _QUERY_NAMES.get(field.name, field.name): field
        for field in method.input_type.fields
        if rule.WhichOneof("pattern") == "get" and field.name not in in_path | _GRPC_ONLY and is_of_contract(field)
    }


def template_of(rule: HttpRule) -> str:
    template: str = getattr(rule, rule.WhichOneof("pattern") or "")
    return template


def variables_of(template: str) -> list[str]:
    """The names of the ids in the path, from left to right."""
    return re.findall(r"\{(\w+)\}", template)


def _path(template: str) -> re.Pattern[str]:
    """Matches raw paths; its groups are the ids, from left to right."""
    return re.compile(re.sub(r"\{(\w+)\}", "(?P<\\1>[^/]*)", template))
