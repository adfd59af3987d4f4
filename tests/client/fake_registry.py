"""A gRPC server that answers as a test has told it to, and remembers what it was asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

PROJECT = "11111111-1111-1111-1111-111111111111"


class Refused(Exception):
    """An answer other than OK."""

    def __init__(self, code: grpc.StatusCode, reason: str = "", *details: Message, text: str = "refused") -> None:
        super().__init__(text)
        self.code, self.text, self.details = code, text, list(details)
        if reason:
            self.details.insert(0, ErrorInfo(reason=reason, domain="modelregistry", metadata={"id": "7"}))

    def end(self, context: grpc.ServicerContext) -> None:
        if not self.details:
            context.abort(self.code, self.text)
        packed = []
        for detail in self.details:
            packed.append(AnyMessage())
            packed[-1].Pack(detail)
        status = Status(code=self.code.value[0], message=self.text, details=packed)
        context.abort_with_status(rpc_status.to_status(status))


@dataclass
class Asked:
    """One attempt of a call."""

    method: str
    request: Any
    metadata: dict[str, str]


class FakeRegistry(grpc.GenericRpcHandler):
    """Answers each method with what it was told for it: a message, a list of them for a stream, or a Refused, in a list
    also at its end. The last answer stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Any]] = defaultdict(list)
        self._server: grpc.Server | None = None
        self.port = 0

    def answer(self, method: str, *answers: Any) -> None:
        """From now on."""
        self._answers[method] = list(answers)

    def requests(self, method: str) -> list[Any]:
        return [each.request for each in self.asked if each.method == method]

    def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        """Again on the same port if it ran before."""
        self._server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[self])
        address = f"127.0.0.1:{self.port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        service, _, name = handler_call_details.method.removeprefix("/").partition("/")
        method = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
        request: Any = GetMessageClass(method.input_type)
        codec = {"request_deserializer": request.FromString, "response_serializer": _serialized}
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._handler(name, _all), **codec)
        return grpc.unary_unary_rpc_method_handler(self._handler(name, _only), **codec)

    def _handler(self, name: str, sent: Callable[[Any, grpc.ServicerContext], Any]) -> Any:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            self.asked.append(Asked(name, request, metadata))
            answers = self._answers[name]
            return sent(answers.pop(0) if len(answers) > 1 else answers[0], context)

        return handle


def _only(answer: Any, context: grpc.ServicerContext) -> Any:
    if isinstance(answer, Refused):
        answer.end(context)
    return answer


def _all(answers: Iterable[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    for answer in answers:
        if callable(answer):
            answer()
        else:
            yield _only(answer, context)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
