"""Does what pyproject.toml cannot do: adds folders next to `src` and the descriptor set of the gateway to the wheel,
gives its files the same modes whoever builds it, and makes the links of its README absolute."""

import re
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
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
            # `registry-grpc gateway` writes this file by the settings.
            shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("config.json"))
        sys.path[:0] = [str(ROOT / "src"), str(ROOT / "stubs" / "python" / "src")]
        from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set  # noqa: PLC0415

        (target / "gateway" / "registry.pb").write_bytes(gateway_descriptor_set())


class BuildWithPlainModes(bdist_wheel):
    def write_wheelfile(self, wheelfile_base: str, **further: str) -> None:
        super().write_wheelfile(wheelfile_base, **further)
        for path in Path(wheelfile_base).parent.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


def readme() -> str:
    links = re.compile(r"\]\((?!https?:|#)")
    return links.sub("](https://github.com/registrygrpc/registry-grpc/blob/main/", (ROOT / "README.md").read_text())


setup(
    cmdclass={"build_py": BuildWithShippedFiles, "bdist_wheel": BuildWithPlainModes},
    long_description=readme(),
    long_description_content_type="text/markdown",
)
