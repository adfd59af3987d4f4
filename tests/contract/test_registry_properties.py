"""Property test: arbitrary calls on models, versions and default flags, compared with a model of the contract."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.contract.conftest import repositories_on
from tests.fakes.clock import FakeClock
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.store import InMemoryStore
from tests.postgres import PATIENT

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, RegistryError
from registry_grpc.domain.model_version import ModelVersionFilter, ModelVersionPatch, NewModelVersion
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModelFilter, RegisteredModelPatch
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.registered_models import RegisteredModels

pytestmark = pytest.mark.slow

NAMES = st.sampled_from(["a", "b", "B", "ä"])
"""There are few names, so that they are often taken."""
STATES = st.sampled_from(["LIVE", "ARCHIVED"])
PROJECTS = st.sampled_from([0, 0, 0, 1])  # usually the project of the object
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
T = TypeVar("T")


@dataclass
class Version:
    """A version according to the contract."""

    id: UUID
    name: str
    state: str
    is_default: bool


@dataclass
class Model:
    """A model according to the contract, with its versions oldest first."""

    project: int
    name: str
    state: str = "LIVE"
    versions: list[Version] = field(default_factory=list)


class Registry(RuleBasedStateMachine):
    """Two projects in one store. `run` and `repositories` are set by the test."""

    run: Any
    repositories: Repositories
    models = Bundle("models")
    versions = Bundle("versions")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.projects = uuid4(), uuid4()
        self.expected: dict[UUID, Model] = {}
        self.model_service = RegisteredModels(models=self.repositories.models, tenants=OPEN)
        self.version_service = ModelVersions(
            versions=self.repositories.versions, deployments=self.repositories.deployments, tenants=OPEN
        )

    def does(self, call: Coroutine[Any, Any, T], refusal: type[RegistryError] | None) -> T | None:
        """The result of the call. It must be refused with this reason, or not at all."""
        self.clock.advance(timedelta(seconds=1))
        if refusal is None:
            answer: T = self.run(call)
            return answer
        with pytest.raises(RegistryError) as refused:
            self.run(call)
        assert refused.type is refusal
        return None

    def is_taken(self, project: int, name: str, but: UUID | None = None) -> bool:
        return any(m.project == project and m.name == name and id_ != but for id_, m in self.expected.items())

    def refusal_of(self, project: int, model_id: UUID, *, is_taken: bool) -> type[RegistryError] | None:
        model = self.expected.get(model_id)
        if model is None or model.project != project:
            return NotFound
        return AlreadyExists if is_taken else None

    @rule(target=models, project=PROJECTS, name=NAMES)
    def register(self, project: int, name: str) -> Any:
        refusal = AlreadyExists if self.is_taken(project, name) else None
        stored = self.does(self.model_service.create(self.projects[project], NewRegisteredModel(name=name)), refusal)
        if stored is None:
            return multiple()
        self.expected[stored.id] = Model(project, name)
        return stored.id

    @rule(project=PROJECTS, id=models, name=NAMES)
    def rename(self, project: int, id: UUID, name: str) -> None:
        refusal = self.refusal_of(project, id, is_taken=self.is_taken(project, name, but=id))
        if self.does(self.model_service.update(self.projects[project], id, RegisteredModelPatch(name=name)), refusal):
            self.expected[id].name = name

    @rule(project=PROJECTS, id=models, state=STATES)
    def set_state(self, project: int, id: UUID, state: str) -> None:
        refusal = self.refusal_of(project, id, is_taken=False)
        if self.does(self.model_service.update(self.projects[project], id, RegisteredModelPatch(state=state)), refusal):
            self.expected[id].state = state

    @rule(project=PROJECTS, id=consumes(models))
    def delete(self, project: int, id: UUID) -> None:
        refusal = self.refusal_of(project, id, is_taken=False)
        if refusal is None and self.expected[id].state != "ARCHIVED":
            refusal = FailedPrecondition
        self.does(self.model_service.delete(self.projects[project], id), refusal)
        if refusal is None:
            del self.expected[id]

    @rule(target=versions, project=PROJECTS, id=models, name=NAMES, is_default=st.booleans())
    def add_version(self, project: int, id: UUID, name: str, is_default: bool) -> Any:
        siblings = self.expected[id].versions if id in self.expected else []
        refusal = self.refusal_of(project, id, is_taken=any(v.name == name for v in siblings))
        new = NewModelVersion(
            name=name, model_framework="onnx", model_framework_version="1", uri="s3://m", is_default=is_default
        )
        stored = self.does(self.version_service.create(self.projects[project], id, new), refusal)
        if stored is None:
            return multiple()
        self.set_default(siblings, is_default=is_default)
        siblings.append(Version(stored.id, name, "LIVE", is_default))
        return id, stored.id

    @rule(
        project=PROJECTS,
        ids=versions,
        name=st.none() | NAMES,
        is_default=st.none() | st.booleans(),
        state=st.none() | STATES,
        says_model=st.booleans(),
    )
    def change_version(  # noqa: PLR0917 - hypothesis gives them by name
        self,
        project: int,
        ids: tuple[UUID, UUID],
        name: str | None,
        is_default: bool | None,
        state: str | None,
        says_model: bool,
    ) -> None:
        model_id, id_ = ids
        siblings = self.expected[model_id].versions if model_id in self.expected else []
        changed = [version for version in siblings if version.id == id_]
        refusal = self.refusal_of(project, model_id, is_taken=any(v.name == name for v in siblings if v.id != id_))
        if not changed:
            refusal = NotFound
        said = {"name": name, "is_default": is_default, "state": state}
        said = {field: value for field, value in said.items() if value is not None}
        patch = ModelVersionPatch(**said)  # type: ignore[arg-type]
        update = self.version_service.update(
            self.projects[project], id_, patch, registered_model_id=model_id if says_model else None
        )
        if self.does(update, refusal):
            self.set_default(siblings, is_default=bool(is_default))
            for field_name, value in said.items():
                setattr(changed[0], field_name, value)

    def set_default(self, siblings: list[Version], *, is_default: bool) -> None:
        """At most one version is the default: setting it clears the others."""
        for sibling in siblings if is_default else ():
            sibling.is_default = False

    @invariant()
    def reads_are_as_expected(self) -> None:
        for id_, model in self.expected.items():
            read = self.run(self.model_service.get(self.projects[model.project], id_))
            assert (read.name, read.state, read.version_count) == (model.name, model.state, len(model.versions))
            assert _known(read.latest_version) == (model.versions[-1] if model.versions else None)
            assert _known(read.default_version) == next((v for v in model.versions if v.is_default), None)
            with pytest.raises(NotFound):
                self.run(self.model_service.get(self.projects[1 - model.project], id_))
        for project, project_id in enumerate(self.projects):
            models = {id_: model for id_, model in self.expected.items() if model.project == project}
            page = self.run(self.model_service.list(project_id, RegisteredModelFilter(), Sort(), Slice(limit=100)))
            assert ([m.id for m in page.items], page.total) == (list(reversed(models)), len(models))
            assert [m.version_count for m in page.items] == [len(m.versions) for m in reversed(models.values())]
            for state in ("LIVE", "ARCHIVED"):
                kept = [v for m in models.values() for v in m.versions if v.state == state]
                filter_ = ModelVersionFilter(state=state)
                found = self.run(self.version_service.list(project_id, filter_, Sort(), Slice(limit=100)))
                assert found.total == len(kept)
                assert {v.id: _known(v) for v in found.items} == {v.id: v for v in kept}


def _known(version: Any) -> Version | None:
    return Version(version.id, version.name, version.state, version.is_default) if version else None


@pytest.mark.parametrize(
    ("store", "examples"),
    [
        ("fake", 15),
        ("postgres", 8),
        pytest.param("fake", 80, marks=pytest.mark.slow),
        pytest.param("postgres", 50, marks=pytest.mark.slow),
    ],
)
def test_the_registry_is_as_the_contract_has_it(request: pytest.FixtureRequest, store: str, examples: int) -> None:
    loop = asyncio.new_event_loop()
    database = None if store == "fake" else Database(request.getfixturevalue("database_url"), PATIENT)

    class Machine(Registry):
        run = staticmethod(loop.run_until_complete)
        repositories = repositories_on(database) if database else in_memory_repositories(InMemoryStore())

    try:
        # With a database, searching for a shorter example takes minutes.
        phases = [Phase.generate] if database else [Phase.generate, Phase.shrink]
        run_state_machine_as_test(Machine, settings=settings(SETTINGS, max_examples=examples, phases=phases))
    finally:
        if database:
            loop.run_until_complete(database.close())
        loop.close()
