"""Gives the files of the wheel the same modes whoever builds it, as the setup.py in the root does."""

from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class BuildWithPlainModes(bdist_wheel):
    def write_wheelfile(self, wheelfile_base: str, **further: str) -> None:
        super().write_wheelfile(wheelfile_base, **further)
        for path in Path(wheelfile_base).parent.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


setup(cmdclass={"bdist_wheel": BuildWithPlainModes})
