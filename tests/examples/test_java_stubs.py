"""The Java stubs: generated from the protos and compiled."""

from __future__ import annotations

import pytest
from tests.examples.builds import JAVA


@pytest.mark.timeout(900)  # the first run fetches Maven's plugins and compiles
def test_the_java_stubs_compile() -> None:
    package = JAVA.build() / "examples" / "java" / "target" / "classes" / "com" / "example" / "modelregistry" / "v1"
    for name in ("DeploymentServiceGrpc", "RegisteredModelServiceGrpc", "DeployModelRequest", "ErrorReason"):
        assert (package / f"{name}.class").is_file()
