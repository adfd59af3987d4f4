"""The OpenAPI document: each REST route of the protos, with what its RPC declares."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Collection, Iterator
from typing import Any, get_type_hints

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from scripts.openapi import answers, requests
from scripts.openapi.comments import comment
from scripts.openapi.health import HEALTH, HEALTH_TAG
from scripts.openapi.shared import HEADERS, INTRODUCTION, PARAMETERS, error_responses, ref

from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.adapters.grpc.servicers.deployments import DeploymentServicer
from registry_grpc.adapters.grpc.servicers.inference_services import ServingServicer
from registry_grpc.adapters.grpc.servicers.model_artifacts import ModelArtifactServicer
from registry_grpc.adapters.grpc.servicers.model_versions import ModelVersionServicer
from registry_grpc.adapters.grpc.servicers.registered_models import RegisteredModelServicer
from registry_grpc.adapters.grpc.servicers.serve_models import ServeModelServicer
from registry_grpc.adapters.grpc.servicers.serving_environments import ServingEnvironmentServicer
from registry_grpc.adapters.rest.requests import query_parameters, template_of, variables_of
from registry_grpc.shipped import GATEWAY, PROJECT_ROOT

JSON = dict[str, Any]

DOCUMENT = GATEWAY / "web" / "openapi.json"
EXAMPLES = PROJECT_ROOT / "scripts" / "openapi" / "examples.json"
"""Requests to the real service and its answers. tests/e2e/test_openapi_examples.py records and checks them."""

# In the order in which readers see them.
_SERVICERS: tuple[Any, ...] = (
    RegisteredModelServicer,
    ModelVersionServicer,
    ModelArtifactServicer,
    ServingEnvironmentServicer,
    ServingServicer,
    ServeModelServicer,
    DeploymentServicer,
)


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> JSON:
    paths: dict[str, JSON] = {}
    schemas: dict[str, JSON] = {}
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    for operation in _operations():
        paths.setdefault(operation.path, {})[operation.verb] = operation.described(examples)
        schemas |= operation.schemas()
    paths |= HEALTH
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Model registry",
            "version": project["version"],
            "description": INTRODUCTION,
            "license": {"name": "Apache 2.0", "identifier": project["license"]},
        },
        "servers": [{"url": "/", "description": "The gateway from which this document was read."}],
        "security": [{}, {"bearer": []}],
        "tags": [*map(_tag, _SERVICERS), HEALTH_TAG],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token, if the operator has switched authentication on.",
                }
            },
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": error_responses(examples.get("errors", {})),
            "schemas": dict(sorted(schemas.items())) | {"Error": _ERROR},
        },
    }


_ERROR: JSON = {
    "type": "object",
    "description": "What is wrong.",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "A sentence for people. Decide by the status, not by this text."}
    },
}


def _tag(servicer: Any) -> JSON:
    return {"name": _tag_name(servicer.SERVICE.name), "description": comment(servicer.SERVICE.full_name)}


def _tag_name(service: str) -> str:
    return service.removesuffix("Service")


def _operations() -> Iterator[_Operation]:
    for servicer in _SERVICERS:
        for method in servicer.SERVICE.methods:
            if method.GetOptions().HasExtension(annotations_pb2.http):
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                rpc: Rpc = getattr(servicer, method.name)
                # By convention, the module of a servicer knows them by this name.
                sort_fields = getattr(sys.modules[servicer.__module__], "SORT_FIELDS", ())
                yield _Operation(method, rpc, rule, sort_fields)
                for other in rule.additional_bindings:
                    yield _Operation(method, rpc, other, sort_fields, is_additional=True)


class _Operation:
    """One route, that is one binding of an RPC."""

    def __init__(
        self,
        method: MethodDescriptor,
        rpc: Rpc,
        rule: HttpRule,
        sort_fields: Collection[str],
        *,
        is_additional: bool = False,
    ) -> None:
        self._sort_fields = sort_fields
        self.path, self.verb = template_of(rule), rule.WhichOneof("pattern") or ""
        self._method, self._answer, self._body = method, rpc.answer, rule.body
        self._fields = method.input_type.fields_by_name
        self._content = self._fields[rule.body].message_type if rule.body else None
        """What the body is."""
        self._variables = variables_of(self.path)
        self._is_read = self.verb == "get"
        owner = (
            "".join(part.title() for part in self._variables[0].removesuffix("_id").split("_")) if is_additional else ""
        )
        self.id = f"{method.name[0].lower()}{method.name[1:]}{owner and f'Of{owner}'}"
        """The name of the method in generated clients: that of the RPC. A second route of an RPC has its owner too."""

    def described(self, examples: JSON) -> JSON:
        example = examples.get(self.id, {})
        body = {"requestBody": self._request_body(self._content, example)} if self._content else {}
        return {
            "tags": [_tag_name(self._method.containing_service.name)],
            "operationId": self.id,
            "summary": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.id[0].upper() + self.id[1:]).capitalize(),
            "description": comment(self._method.full_name),
            "parameters": self._parameters(),
            **body,
            "responses": self._responses(example),
        }

    def schemas(self) -> JSON:
        found = requests.bodies_in(self._content) if self._content else {}
        if (shape := self._shape()) is not None:
            found |= answers.objects_in(shape)
            if self._answer.is_page:
                found[f"{answers.name_of(shape)}Page"] = answers.page_of(answers.name_of(shape))
        return found

    def _parameters(self) -> list[JSON]:
        in_path = [
            {"name": name, "in": "path", "required": True, "description": self._comment(name), "schema": requests.UUID}
            for name in self._variables
        ]
        in_query = [
            {
                "name": name,
                "in": "query",
                **({"required": True} if requests.is_required(field) else {}),
                "description": self._comment(field.name),
                "schema": requests.parameter(field, self._sort_fields),
            }
            for name, field in query_parameters(self._method).items()
        ]
        headers = ["Project-ID"]
        if self._has_etag() and self._is_read:
            headers += ["If-None-Match", "If-Match-Read"]
        if "etag" in self._fields:
            headers += ["If-Match"]
        if "request_id" in self._fields:
            headers += ["Idempotency-Key"]
        if not self._is_read:
            headers += ["X-User"]
        return [*in_path, *in_query, *(ref("parameters", name) for name in (*headers, "X-Request-ID"))]

    def _comment(self, field: str) -> str:
        return comment(self._fields[field].full_name)

    def _request_body(self, kind: Descriptor, example: JSON) -> JSON:
        schema = ref("schemas", requests.name_of(kind))
        if self.verb == "patch":
            schema = {"anyOf": [schema, {"type": "null"}]}  # a null changes nothing
        return {
            "required": True,
            "description": comment(self._fields[self._body].full_name),
            "content": {"application/json": _content(schema, example.get("request"))},
        }

    def _responses(self, example: JSON) -> JSON:
        status = self._answer.status
        headers = {"X-Request-ID": ref("headers", "X-Request-ID")}
        if self._has_etag():
            headers["ETag"] = ref("headers", "ETag")
        success: JSON = {"description": comment(self._method.output_type.full_name), "headers": headers}
        if (schema := self._answer_schema()) is not None:
            success["content"] = {"application/json": _content(schema, example.get("answer"))}
        return {str(status): success} | {str(code): ref("responses", name) for code, name in sorted(self._errors())}

    def _errors(self) -> Iterator[tuple[int, str]]:
        """The statuses and the names of their responses."""
        yield from _ALWAYS
        if self._has_etag() and self._is_read:
            yield 304, "NotModified"
            yield 412, "PreconditionFailed"
        if self._names_objects():
            yield 404, "NotFound"
        if not self._is_read:
            yield 409, "Conflict"
        if "etag" in self._fields:
            yield 412, "PreconditionFailed"
        if self._body:
            yield 413, "ContentTooLarge"
        if "request_id" in self._fields:
            yield 422, "KeyReused"

    def _names_objects(self) -> bool:
        """Whether the request can name an object that does not exist. A filter by its id finds nothing."""
        is_find = self._is_read and not self._answer.is_page
        return bool(self._variables) or is_find or (self._content is not None and requests.has_ids(self._content))

    def _shape(self) -> type | None:
        if self._answer.resource is None:
            return None
        shape: type = get_type_hints(self._answer.resource.json)["return"]
        return shape

    def _answer_schema(self) -> JSON | None:
        if (shape := self._shape()) is not None:
            return ref("schemas", answers.name_of(shape) + ("Page" if self._answer.is_page else ""))
        always = self._answer.json(None, None)
        if not always:
            return None
        values: dict[str, str] = json.loads(always)
        properties = {key: {"type": "string", "const": value} for key, value in values.items()}
        return {"type": "object", "required": list(values), "properties": properties}

    def _has_etag(self) -> bool:
        if self._answer.resource is None or self._answer.is_page:
            return False
        (kind,) = (kind for name, kind in get_type_hints(self._answer.resource.json).items() if name != "return")
        return "etag" in get_type_hints(kind)


_ALWAYS = (
    (400, "BadRequest"),
    (401, "Unauthenticated"),
    (403, "Forbidden"),
    (408, "RequestTimeout"),
    (415, "UnsupportedMediaType"),
    (429, "TooManyRequests"),
    (431, "HeadersTooLarge"),
    (500, "InternalServerError"),
    (503, "Unavailable"),
    (504, "GatewayTimeout"),
)


def _content(schema: JSON, example: Any) -> JSON:
    return {"schema": schema} | ({} if example is None else {"example": example})
