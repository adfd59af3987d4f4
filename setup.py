"""Adds files to the wheel, which pyproject.toml cannot do: folders next to `src`, and the gateway's descriptor set."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
FOLDERS = ("migrations", "gateway", "deploy/kubernetes")


class BuildWithShippedFiles(build_py):
    """Copies the files into the package. An editable install (`pip install --editable`) needs no copies."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "registry_grpc", "_shipped")
        shutil.rmtree(target, ignore_errors=True)  # an earlier build may have copied files that no longer exist
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, target / folder)
        sys.path.insert(0, str(ROOT / "src"))
        from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set  # noqa: PLC0415

        (target / "gateway" / "registry.pb").write_bytes(gateway_descriptor_set())


setup(cmdclass={"build_py": BuildWithShippedFiles})
