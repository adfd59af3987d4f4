"""What a caller is told when something goes wrong."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure
from tests.client.fake_registry import PROJECT, FakeRegistry, Refused
from tests.e2e.stack import free_port

from modelregistry.v1.error_reason_pb2 import ErrorReason
from modelregistry.v1.event_pb2 import WatchEventsResponse
from modelregistry.v1.registered_model_pb2 import FindRegisteredModelResponse
from registry_client import AsyncClient, Client, RegistryError, calls, errors
from registry_client.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for what has gone."""
    monkeypatch.setattr(calls, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("registry_client._sync.watching._ATTEMPTS", 2)


def refused(registry: FakeRegistry, client: Client, refusal: Refused) -> RegistryError:
    registry.answer("FindRegisteredModel", refusal)
    with pytest.raises(RegistryError) as raised:
        client.models.get("iris")
    return raised.value


def test_every_code_has_its_class(registry: FakeRegistry, client: Client) -> None:
    seen: dict[grpc.StatusCode, str] = {}
    for code in set(grpc.StatusCode) - {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}:
        error = refused(registry, client, Refused(code, "QUOTA_EXCEEDED"))
        assert (error.code, error.reason) == (code, "QUOTA_EXCEEDED")
        seen[code] = type(error).__name__
    plain = {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
    assert {code for code, name in seen.items() if name == "RegistryError"} == plain
    assert len(set(seen.values())) == len(seen) - len(plain) + 1
    assert all(hasattr(errors, name) for name in seen.values())


def test_a_reason_of_another_program_is_not_taken_for_one_of_the_registry(
    registry: FakeRegistry, client: Client
) -> None:
    info = ErrorInfo(reason="QUOTA_EXCEEDED", domain="proxy.example.com")
    assert refused(registry, client, Refused(grpc.StatusCode.PERMISSION_DENIED, "", info)).reason == ""


def test_wrong_fields_are_named(registry: FakeRegistry, client: Client) -> None:
    bad = BadRequest()
    bad.field_violations.add(field="name", description="must not be empty")
    bad.field_violations.add(field="uri", description="must be a URI")
    error = refused(registry, client, Refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", bad, text="wrong"))
    assert isinstance(error, InvalidArgument)
    assert error.fields == {"name": "must not be empty", "uri": "must be a URI"}
    assert str(error).splitlines()[:3] == [
        "INVALID_REQUEST: wrong",
        "  name: must not be empty",
        "  uri: must be a URI",
    ]
    assert str(error).endswith(f"Request id: {registry.asked[0].metadata['x-request-id']}")


def test_what_is_in_the_way_is_named(registry: FakeRegistry, client: Client) -> None:
    failure = PreconditionFailure()
    failure.violations.add(type="ALIAS", subject="7", description="champion")
    error = refused(registry, client, Refused(grpc.StatusCode.FAILED_PRECONDITION, "MODEL_VERSION_IN_USE", failure))
    assert isinstance(error, FailedPrecondition)
    assert error.problems == (errors.Problem("7", "champion", "ALIAS"),)
    assert error.fields == {}
    assert "What to do: Undeploy what serves it" in str(error)


def test_the_object_that_has_a_name_is_told(registry: FakeRegistry, client: Client) -> None:
    error = refused(registry, client, Refused(grpc.StatusCode.ALREADY_EXISTS, "REGISTERED_MODEL_NAME_TAKEN"))
    assert isinstance(error, AlreadyExists)
    assert (error.metadata, error.__cause__, error.__context__) == ({"id": "7"}, None, None)


def test_every_hint_is_for_a_reason_that_exists() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118 - not a dict
    assert set(errors._HINTS) <= reasons


def test_every_hint_names_methods_that_exist() -> None:
    """Hints are code that people paste."""
    source = "".join(path.read_text() for path in (Path(errors.__file__).parent / "aio").glob("*.py"))
    for method in re.findall(r"\.(\w+)\(", " ".join(errors._HINTS.values())):
        assert f"def {method}(" in source, method


@pytest.mark.slow
async def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        Client(url, project=PROJECT) as client,
        pytest.raises(Unavailable, match=f"Nothing listens at {url}") as raised,
    ):
        client.models.get("iris")
    assert "`make run`" in raised.value.hint
    with Client(url, project=PROJECT) as client, pytest.raises(Unavailable, match="Nothing listens"):
        next(client.events.watch())
    async with AsyncClient(url, project=PROJECT) as other:
        with pytest.raises(Unavailable, match="Nothing listens"):
            await other.models.get("iris")


def test_a_registry_that_has_gone_is_named(registry: FakeRegistry, client: Client, broken: None) -> None:
    """What gRPC says of its connections is not for people."""
    registry.answer("FindRegisteredModel", FindRegisteredModelResponse(registered_model={"name": "iris"}))
    registry.answer("WatchEvents", [WatchEventsResponse(event={"name": "iris"}, resume_token="1"), registry.stop])
    client.models.get("iris")
    watch = client.events.watch()
    next(watch)
    for call in (lambda: next(watch), lambda: client.models.get("iris")):
        with pytest.raises(Unavailable) as raised:
            call()
        error = raised.value
        assert error.message == f"The registry at {registry.url} does not answer, or the connection to it broke."
        assert error.hint.startswith("If it restarts, try again in a moment")
        assert isinstance(error.__cause__, grpc.RpcError)
        assert "127.0.0.1" in str(error.__cause__), "it has the text of gRPC"


def test_an_unknown_host() -> None:
    with Client("http://registry.invalid:1", timeout=5) as client, pytest.raises(Unavailable) as raised:
        client.models.get("iris")
    assert raised.value.message == "The host of http://registry.invalid:1 is not known."


def test_a_registry_without_tls(registry: FakeRegistry) -> None:
    with Client(f"https://127.0.0.1:{registry.port}") as client, pytest.raises(Unavailable) as raised:
        client.models.get("iris")
    assert "does not speak TLS" in raised.value.message


def test_a_name_that_is_not_found_is_told_with_the_project(registry: FakeRegistry, client: Client) -> None:
    registry.answer("FindRegisteredModel", Refused(grpc.StatusCode.NOT_FOUND, "REGISTERED_MODEL_NOT_FOUND"))
    registry.answer("FindServingEnvironment", Refused(grpc.StatusCode.NOT_FOUND, "SERVING_ENVIRONMENT_NOT_FOUND"))
    with pytest.raises(NotFound) as model:
        client.models.get("irsi")
    assert model.value.hint == f"The project {PROJECT} has no model 'irsi'. client.models.list() has those that exist."
    with pytest.raises(NotFound) as environment:
        client.environments.get("prd")
    assert environment.value.hint == (
        f"The project {PROJECT} has no environment 'prd'. client.environments.list() has those that exist."
    )
