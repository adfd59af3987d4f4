"""Each RPC needs the role that docs/access.md tells, and who may only read can call nothing that writes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

from modelregistry import v1
from registry_grpc.adapters.grpc import servicers
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.domain.access import Role
from registry_grpc.shipped import PROJECT_ROOT

_READS = re.compile(r"(Get|BatchGet|List|Find|Watch|Explain|Export)[A-Z]")


def declared() -> dict[str, Role]:
    """The least roles in the declarations, by the names of RPCs."""
    names = [module.name for module in pkgutil.iter_modules(servicers.__path__)]
    modules = [importlib.import_module(f"{servicers.__name__}.{name}") for name in names]
    classes = {
        it for module in modules for it in vars(module).values() if inspect.isclass(it) and hasattr(it, "SERVICE")
    }
    return {name: rpc.least for it in classes for name, rpc in vars(it).items() if isinstance(rpc, Rpc)}


def in_protos() -> set[str]:
    names = [module.name for module in pkgutil.iter_modules(v1.__path__) if module.name.endswith("_pb2")]
    files = [importlib.import_module(f"{v1.__name__}.{name}").DESCRIPTOR for name in names]
    return {name for file in files for it in file.services_by_name.values() for name in it.methods_by_name}


def documented() -> dict[str, Role]:
    text = (PROJECT_ROOT / "docs" / "access.md").read_text()
    rows = re.findall(rf"^\| ({'|'.join(Role.__members__)}) \| (.*) \|$", text, re.MULTILINE)
    assert [Role[name] for name, _ in rows] == list(Role)
    return {rpc: Role[name] for name, rpcs in rows for rpc in re.findall(r"`(\w+)`", rpcs)}


def test_the_table_has_the_declared_roles() -> None:
    assert declared().keys() == in_protos()
    assert documented() == declared()


def test_viewers_can_only_call_what_reads() -> None:
    writing = {name: role for name, role in declared().items() if not _READS.match(name)}
    assert len(writing) > 40
    assert [name for name, role in writing.items() if role < Role.EDITOR] == []
