"""Finds a user as which an embedded PostgreSQL server can run.

PostgreSQL refuses to run as root. If root starts it, it runs as `nobody` without capabilities, who cannot enter folders
such as /root. Therefore root gives the data files to `nobody` while the server runs, passes them as open file
descriptors (`/proc/self/fd/N`), and copies programs that `nobody` cannot reach to /tmp. If root may not become another
user, the server runs in a user namespace in which root has another number.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NOBODY = 65534
_CAPABILITIES = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7  # CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID
_TEMPORARY, _PREFIX = Path("/tmp"), "registry-pg-"  # noqa: S108 - everybody can enter it, and paths in it are short


class NoUserError(Exception):
    """Root cannot run the server here. The text says what to do."""


class PostgresUser:
    """Runs the server's programs as a user that PostgreSQL accepts."""

    def __init__(
        self, launcher: list[str], installed: Path, *, uid: int | None = None, sockets: Path | None = None
    ) -> None:
        self._launcher = launcher
        self._installed = installed
        self._uid = uid  # None: the files need no other owner
        self._descriptors: list[int] = []
        self.sockets = sockets  # None: the server can create its sockets in its own folder

    def command(self, program: str) -> list[str]:
        """The start of a command line. On Linux the program ends with the thread that started it."""
        return [*self._launcher, str(self._installed / "pginstall" / "bin" / program)]

    def can_run_programs(self) -> bool:
        # Tested by a shell, because setpriv itself still has root's capabilities when it executes its argument.
        *launcher, initdb = self.command("initdb")
        return _succeeds([*launcher, "/bin/sh", "-c", '"$0" --version', initdb])

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors that the programs must inherit (`pass_fds`)."""
        return tuple(self._descriptors)

    def lend(self, path: Path) -> Path:
        """Give a file or folder to the server until the end. Returns the path that the server must use."""
        if self._uid is None:
            return path
        _give(path, self._uid)
        self._descriptors.append(os.open(path, os.O_PATH))
        return Path(f"/proc/self/fd/{self._descriptors[-1]}")

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())


def reclaim(folder: Path) -> None:
    """Let root enter a folder that older versions of this code gave to `nobody`, even without CAP_DAC_OVERRIDE."""
    if os.geteuid() == 0 and folder.stat().st_uid == _NOBODY:
        os.chown(folder, 0, -1)


@contextlib.contextmanager
def postgres_user(folder: Path, installed: Path) -> Iterator[PostgresUser]:
    """Find a user for a server that works in `folder` and whose package is `installed`. Raises NoUserError.

    If root runs this, all files in the folder belong to the folder's owner afterwards. They are also given back to that
    owner at the start, because after a killed run some of them belong to `nobody`.
    """
    setpriv = shutil.which("setpriv")
    launcher = [setpriv, "--pdeathsig=INT", "--"] if setpriv else []
    if os.geteuid() != 0:
        yield PostgresUser(launcher, installed)
        return
    with contextlib.ExitStack() as stack:
        owner = folder.stat().st_uid
        _give(folder, owner)
        user = (setpriv and _other_user(setpriv, folder, installed, stack)) or _namespace(launcher, folder, installed)
        if not user:
            raise NoUserError(
                "PostgreSQL does not run as root. Run this as another user, or set REGISTRY_DATABASE_URL. (Root could"
                " start it as another user with setpriv of util-linux, CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID and"
                " a /tmp in which programs can run, or in a user namespace with unshare of util-linux and CAP_SETFCAP.)"
            )
        stack.callback(_give, folder, owner)
        stack.callback(user.close)
        yield user


def _other_user(setpriv: str, folder: Path, installed: Path, stack: contextlib.ExitStack) -> PostgresUser | None:
    """The folder's owner if that is not root, or else `nobody`; None if root may not become that user."""
    uid = gid = _NOBODY
    with contextlib.suppress(KeyError):  # initdb fails for a user without a name
        if owner := folder.stat().st_uid:
            gid, uid = pwd.getpwuid(owner).pw_gid, owner
    launcher = [setpriv, "--pdeathsig=INT", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"]
    if not _has_capabilities() or not _succeeds([*launcher, "/bin/sh", "-c", ":"]):
        return None
    scratch = _scratch_folder(folder, uid, stack)
    user = PostgresUser(launcher, installed, uid=uid, sockets=scratch / "sockets")
    if user.can_run_programs():
        return user
    user = PostgresUser(launcher, _copy(installed, scratch), uid=uid, sockets=scratch / "sockets")
    return user if user.can_run_programs() else None


def _namespace(launcher: list[str], folder: Path, installed: Path) -> PostgresUser | None:
    """Root itself, with the number of `nobody` in a user namespace; None if that is not possible."""
    unshare = shutil.which("unshare")
    if not unshare or folder.stat().st_uid != 0:
        return None
    user = PostgresUser(
        [unshare, "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--", *launcher], installed
    )
    return user if user.can_run_programs() else None


def _has_capabilities() -> bool:
    with contextlib.suppress(OSError):
        if found := re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE):
            return int(found[1], 16) & _CAPABILITIES == _CAPABILITIES
    return False


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0


def _scratch_folder(folder: Path, uid: int, stack: contextlib.ExitStack) -> Path:
    """Create a folder in /tmp that the user can enter, with `sockets` in it. Remove the one of a killed run."""
    note = folder / "scratch"
    if note.is_symlink():
        _remove_scratch(note.readlink())
        note.unlink()
    scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_TEMPORARY))
    stack.callback(note.unlink, missing_ok=True)
    stack.callback(_remove_scratch, scratch)
    note.symlink_to(scratch)
    scratch.chmod(0o711)
    sockets = scratch / "sockets"
    sockets.mkdir()
    sockets.chmod(0o710)  # for the server, and for root's group, which works without CAP_DAC_OVERRIDE
    _give(sockets, uid)
    return scratch


def _remove_scratch(scratch: Path) -> None:
    is_ours = scratch.parent == _TEMPORARY and scratch.name.startswith(_PREFIX)
    if is_ours and scratch.is_dir() and scratch.lstat().st_uid == os.geteuid():
        _give(scratch, os.geteuid())
        shutil.rmtree(scratch, ignore_errors=True)


def _copy(installed: Path, scratch: Path) -> Path:
    """Copy the server and the libraries next to its package. Everybody can read the copies."""
    copy = scratch / installed.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / "pginstall" / part, copy / "pginstall" / part, copy_function=shutil.copyfile)
    libraries = installed.with_name(f"{installed.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, scratch / libraries.name, copy_function=shutil.copyfile)
    for path in scratch.rglob("*"):
        if path.name != "sockets":
            path.chmod(0o755)
    return copy


def _give(path: Path, owner: int) -> None:
    """Change the owner of a file or of a folder with all its contents.

    Without CAP_DAC_OVERRIDE, root can only list its own folders, so each folder first becomes root's.
    """
    with contextlib.suppress(FileNotFoundError):  # the last processes of a killed server may remove files meanwhile
        status = path.lstat()
        if status.st_uid != os.geteuid():
            os.chown(path, os.geteuid(), -1, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            for child in path.iterdir():
                _give(child, owner)
        if owner != os.geteuid():
            os.chown(path, owner, -1, follow_symlinks=False)
