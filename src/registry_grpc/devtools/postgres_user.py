"""The user that an embedded PostgreSQL server runs as. It refuses to run as root, so root lends its files to another.

That user can neither enter root's folders nor has it any capability: it gets file descriptors to work in them, and
copies of programs that it cannot reach. Where root may not become another user, a user namespace hides that it is root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NOBODY = 65534
_CAPABILITIES = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 7  # CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID
_TEMPORARY, _PREFIX = Path("/tmp"), "registry-pg-"  # noqa: S108 - where everybody can enter and paths are short


class NoUserError(Exception):
    """Root has no way to run the server; the text says what to do."""


class PostgresUser:
    """Runs programs of the server: as this process's user, or for root as one that PostgreSQL accepts."""

    def __init__(
        self, launcher: list[str], installed: Path, *, uid: int | None = None, sockets: Path | None = None
    ) -> None:
        self._launcher = launcher
        self._installed = installed
        self._uid = uid  # of another user
        self._descriptors: list[int] = []
        self.sockets = sockets  # where another user can make them

    def command(self, program: str) -> list[str]:
        """Return the start of a command line; the program ends with the thread that started it (Linux)."""
        return [*self._launcher, str(self._installed / "pginstall" / "bin" / program)]

    def can_run_programs(self) -> bool:
        # Through a shell: setpriv itself still has root's capabilities when it looks for the program to become.
        *launcher, initdb = self.command("initdb")
        return _succeeds([*launcher, "/bin/sh", "-c", '"$0" --version', initdb])

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the programs must inherit (`pass_fds`)."""
        return tuple(self._descriptors)

    def lend(self, path: Path) -> Path:
        """Make a file or folder the server's until the end, and return the path under which the server finds it."""
        if self._uid is None:
            return path
        _give(path, self._uid)
        self._descriptors.append(os.open(path, os.O_PATH))
        return Path(f"/proc/self/fd/{self._descriptors[-1]}")

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())


@contextlib.contextmanager
def postgres_user(folder: Path, installed: Path) -> Iterator[PostgresUser]:
    """Find a user for a server in `folder`, with the programs below `installed` (the package's folder).

    Root finds the folder with one owner, its own, before and after; also after a killed run and older versions of
    this code, which left it to nobody. Raises NoUserError.
    """
    setpriv = shutil.which("setpriv")
    launcher = [setpriv, "--pdeathsig=INT", "--"] if setpriv else []
    if os.geteuid() != 0:
        yield PostgresUser(launcher, installed)
        return
    with contextlib.ExitStack() as stack:
        owner = folder.stat().st_uid
        owner = 0 if owner == _NOBODY else owner
        _give(folder, owner)
        user = (setpriv and _other_user(setpriv, folder, installed, stack)) or _namespace(launcher, folder, installed)
        if not user:
            raise NoUserError(
                "PostgreSQL does not run as root, and root may neither become another user here (that takes setpriv of"
                " util-linux and CAP_CHOWN, CAP_KILL, CAP_SETGID and CAP_SETUID) nor make a user namespace (unshare of"
                " util-linux and CAP_SETFCAP): run this as another user, or set REGISTRY_DATABASE_URL"
            )
        stack.callback(_give, folder, owner)
        stack.callback(user.close)
        yield user


def _other_user(setpriv: str, folder: Path, installed: Path, stack: contextlib.ExitStack) -> PostgresUser | None:
    """Return the folder's owner, for root's folders nobody, without capabilities; None where root may not become it."""
    uid = gid = _NOBODY
    with contextlib.suppress(KeyError):  # initdb wants to know its user's name
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
    """Return this very root, under another name in a user namespace; None where that is not possible."""
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
    """Make a folder that the user can enter, with another one for its sockets; a killed run's is removed."""
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
    sockets.chmod(0o710)  # beside the server only root's group
    _give(sockets, uid)
    return scratch


def _remove_scratch(scratch: Path) -> None:
    is_ours = scratch.parent == _TEMPORARY and scratch.name.startswith(_PREFIX)
    if is_ours and scratch.is_dir() and scratch.lstat().st_uid == os.geteuid():
        _give(scratch, os.geteuid())
        shutil.rmtree(scratch, ignore_errors=True)


def _copy(installed: Path, scratch: Path) -> Path:
    """Copy what the server consists of, readable by everybody, and the libraries that its programs look for beside."""
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
    """Change the owner of all that is at `path`. Without CAP_DAC_OVERRIDE only its owner can look into a folder."""
    status = path.lstat()
    if status.st_uid != os.geteuid():
        os.chown(path, os.geteuid(), -1, follow_symlinks=False)
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            _give(child, owner)
    if owner != os.geteuid():
        os.chown(path, owner, -1, follow_symlinks=False)
