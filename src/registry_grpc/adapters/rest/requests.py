"""Turns a raw REST request into the typed request of its RPC, by the RPC's `google.api.http` annotation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from registry_grpc.adapters.rest.body import BodyReader
from registry_grpc.adapters.rest.target import integer, parameters, segment, split_target
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.ids import is_uuid

# Parameters that the contract names differently from the protos.
_QUERY_NAMES = {"external_id": "externalId", "parent_resource_id": "parentResourceId"}
_GRPC_ONLY = frozenset(("page_size", "page_token"))


class NoSuchRouteError(Exception):
    """The gateway matched the path to this RPC, but an escaped slash makes it another path."""


class _Binding(NamedTuple):
    """One path of an RPC."""

    literals: tuple[tuple[int, str], ...]
    """Index and text of each fixed segment."""
    variables: tuple[tuple[int, str], ...]
    """Index and field of each id, from left to right."""
    length: int

    def matches(self, segments: list[str]) -> bool:
        return len(segments) == self.length and all(segments[place] == text for place, text in self.literals)


class RequestReader:
    """Reads the REST requests of one RPC."""

    def __init__(self, method: MethodDescriptor) -> None:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        bindings = [_binding(each) for each in (rule, *rule.additional_bindings)]
        if len({binding.length for binding in bindings}) < len(bindings):
            raise TypeError(f"the paths of {method.full_name} cannot be told apart by their length")
        self._bindings = tuple(bindings)
        self._new: Callable[[], Any] = GetMessageClass(method.input_type)
        self._body = rule.body
        body = method.input_type.fields_by_name[rule.body].message_type if rule.body else None
        if rule.body and body is None:
            raise TypeError(f"the body of {method.full_name} is not a message")
        self._read_body = BodyReader(body).read if body else None
        in_path = {field for binding in bindings for _, field in binding.variables}
        self._query = {
            _QUERY_NAMES.get(field.name, field.name).encode(): field
            for field in method.input_type.fields
            if rule.WhichOneof("pattern") == "get" and field.name not in in_path | _GRPC_ONLY
        }

    def read(self, target: str, body: bytes) -> Message:
        """Raises InvalidRequest and NoSuchRouteError.

        If an id in the path is not a UUID, the rest is not read and the servicer refuses the id first (contract 0.4).
        """
        segments, query = split_target(target)
        request: Message = self._new()
        if not self._read_path(segments, request):
            return request
        if self._read_body is not None:
            inner = getattr(request, self._body)
            inner.SetInParent()
            self._read_body(body, inner)
        if query and self._query:
            self._read_query(query, request)
        return request

    def _read_path(self, segments: list[str], request: Message) -> bool:
        """Fill in the ids. Returns whether all of them are UUIDs."""
        binding = next((binding for binding in self._bindings if binding.matches(segments)), None)
        if binding is None:
            raise NoSuchRouteError
        has_ids = True
        for place, field in binding.variables:
            text = segment(segments[place])
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


def _binding(rule: HttpRule) -> _Binding:
    template: str = getattr(rule, rule.WhichOneof("pattern") or "")
    segments = template.split("/")[1:]
    variables = [(place, match[1]) for place, text in enumerate(segments) if (match := re.fullmatch("{(.+)}", text))]
    places = {place for place, _ in variables}
    literals = [(place, text) for place, text in enumerate(segments) if place not in places]
    return _Binding(tuple(literals), tuple(variables), len(segments))
