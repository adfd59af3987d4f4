"""The image that `make image` built, and its programs as a pod runs them, without a container runtime.

A program sees the files of the image read-only, a small /tmp, and what is mounted. It has the user and the environment
that the image says, no capabilities, and gets no new ones. It shares the network of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.commands import Program

_STORAGE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc" / "images"
_AS_A_POD = """
mount --bind "$0" "$0"
mount --bind /proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --bind "$1" "$0/mnt"
mount -t tmpfs -o size=16m,nosuid,nodev tmpfs "$0/tmp"
mount -o remount,bind,ro "$0"
root=$0 user=$2
shift 2
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""


def missing() -> str:
    """What is missing on this machine to build and run the image."""
    if os.geteuid() != 0:
        return "root, for mounts"
    tools = ("buildah", "mmdebstrap", "unshare", "setpriv")
    if lacking := ", ".join(tool for tool in tools if shutil.which(tool) is None):
        return lacking
    may_mount = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode == 0
    return "" if may_mount else "the right to mount"


def _buildah(*arguments: str) -> str:
    command = ["buildah", "--root", str(_STORAGE), "--runroot", str(_STORAGE / "run"), "--storage-driver", "vfs"]
    return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Image:
    """An image with its files below `root`."""

    root: Path
    config: dict[str, Any]

    def size(self) -> int:
        """The bytes of all files."""
        return sum(path.lstat().st_size for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir())

    def program(self, mounted: Path, *command: str) -> Program:
        """A command of the image, by default its entry point. The folder is at /mnt."""
        environment = dict(line.split("=", 1) for line in self.config["Env"])
        run = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", _AS_A_POD, str(self.root), str(mounted))
        return Program((*run, self.config["User"], *(command or self.config["Entrypoint"])), environment=environment)


@contextlib.contextmanager
def image(name: str) -> Iterator[Image]:
    """The image of this name in the storage of `make image`."""
    config = json.loads(_buildah("inspect", "--type", "image", name))["OCIv1"]["config"]
    container = _buildah("from", name)
    try:
        yield Image(Path(_buildah("mount", container)), config)
    finally:
        _buildah("rm", container)
