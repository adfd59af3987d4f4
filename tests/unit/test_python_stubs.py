"""The package `modelregistry` of stubs/python: what it offers, and how it shares the process with other packages.

`tests/integration/test_wheel.py` installs it.
"""

from __future__ import annotations

import ast
import os
import pkgutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message

import modelregistry
from modelregistry import v1
from modelregistry._validate import validate_pb2
from modelregistry.v1 import registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.shipped import PROJECT_ROOT

STUBS = PROJECT_ROOT / "stubs" / "python"
PACKAGE = Path(modelregistry.__file__).parent


def run(code: str, *folders: Path) -> str:
    """The output of a process in which these folders come first in the path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*folders, STUBS / "src")))}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_all_names_of_the_api_are_in_one_module() -> None:
    modules = [import_module(f"{v1.__name__}.{module.name}") for module in pkgutil.iter_modules(v1.__path__)]
    expected = {}
    for module in modules:
        for name, value in vars(module).items():
            is_message = isinstance(value, type) and issubclass(value, Message)
            is_of_a_service = name.endswith(("ServiceStub", "ServiceServicer", "ServiceServicer_to_server"))
            if is_message or is_of_a_service or (name.isupper() and isinstance(value, int)):
                expected[name] = value
    assert len(expected) > 400
    assert {name: getattr(v1, name) for name in expected} == expected
    assert v1.RegisteredModel is registered_model_pb2.RegisteredModel
    assert v1.RegisteredModelServiceStub is registered_model_pb2_grpc.RegisteredModelServiceStub
    assert v1.DeploymentPhase.Name(v1.DEPLOYMENT_PHASE_PENDING) == "DEPLOYMENT_PHASE_PENDING"
    assert expected.keys() <= set(dir(v1))


def test_type_checkers_know_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "v1" / "__init__.pyi").read_text())
    typed = {
        alias.asname: (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {name: (f"modelregistry.v1.{module}", name) for name, module in vars(v1)["_MODULES"].items()}
    assert (PACKAGE / "py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'modelregistry\.v1' has no attribute 'RegisteredModels'"):
        _ = v1.RegisteredModels  # type: ignore[attr-defined]


def test_importing_the_names_imports_no_generated_module() -> None:
    assert run("import sys; from modelregistry import v1; print('google.protobuf' in sys.modules)") == "False"


# Other packages bring buf/validate/validate.proto too, and maybe another version of it. One process takes it once.
USE = "from modelregistry import v1; v1.FindRegisteredModelRequest(name='iris'); "
SAY_WHOSE = "from modelregistry._validate import validate_pb2; print(validate_pb2.__name__)"


def other_package(folder: Path) -> Path:
    """A folder with the module `buf.validate.validate_pb2` of another version of the file."""
    package = folder / "buf" / "validate"
    package.mkdir(parents=True)
    described = FileDescriptorProto.FromString(validate_pb2.DESCRIPTOR.serialized_pb)
    described.options.java_package = "another.version"
    (package / "validate_pb2.py").write_text(
        "from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, field_mask_pb2, timestamp_pb2\n"
        f"DESCRIPTOR = descriptor_pool.Default().AddSerializedFile({described.SerializeToString()!r})\n"
    )
    return folder


def test_the_module_of_another_package_is_used_whoever_imports_it_first(tmp_path: Path) -> None:
    other_package(tmp_path)
    theirs = "import buf.validate.validate_pb2; "
    for code in (USE + theirs, theirs + USE):
        assert run(code + SAY_WHOSE, tmp_path) == "buf.validate.validate_pb2"
    with pytest.raises(AssertionError, match="duplicate file name"):
        run("import modelregistry._generated.validate_pb2; " + theirs, tmp_path)


def test_without_another_package_it_has_its_own() -> None:
    assert run(USE + SAY_WHOSE) == "modelregistry._generated.validate_pb2"


def test_a_package_buf_of_somebody_else_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "buf.py").write_text("")
    assert run(USE + SAY_WHOSE, tmp_path) == "modelregistry._generated.validate_pb2"


def test_an_error_inside_of_another_package_is_not_hidden(tmp_path: Path) -> None:
    module = other_package(tmp_path) / "buf" / "validate" / "validate_pb2.py"
    module.write_text("import package_that_does_not_exist")
    with pytest.raises(AssertionError, match="No module named 'package_that_does_not_exist'"):
        run(USE, tmp_path)


def test_it_needs_no_more_than_clients_have() -> None:
    project = tomllib.loads((STUBS / "pyproject.toml").read_text())["project"]
    server = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) == 3
    assert set(project["dependencies"]) <= set(server["dependencies"]), "they are locked for the server"
    assert sorted(path.name for path in (STUBS / "src").iterdir() if path.suffix != ".egg-info") == ["modelregistry"]
