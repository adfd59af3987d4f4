"""Ten minutes of random kills under load: `python -m tests.chaos.run`.

Workers, Envoy, the controller and PostgreSQL of a `registry-grpc dev` of its own are killed with SIGKILL while clients
write, read, deploy and watch. Afterwards, without anybody's help, nothing acknowledged may be lost, nothing may exist
twice, counters must be exact, and the cluster must contain exactly the wanted objects. With `--full-disk` (as root),
the data are on a separate disk, which is full for half a minute in the middle, while parts are killed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from tests.chaos.checks import faults
from tests.chaos.clients import Client, Deployer, Watcher, Writer
from tests.chaos.kills import Killer
from tests.chaos.ledger import Ledger
from tests.e2e.api import Api
from tests.e2e.builders import a_model, a_version, an_environment, fresh
from tests.e2e.processes import wait_until
from tests.e2e.stack import Addresses, Stack

_RECOVERS_WITHIN = 60.0
_SETTLES_WITHIN = 180.0
_FULL_SECONDS = 30.0
_DISK_MEGABYTES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--longest-pause", type=float, default=8, help="seconds between two kills, at most")
    parser.add_argument("--full-disk", action="store_true", help="let the disk be full in the middle; needs root")
    parser.add_argument("--keep-logs", action="store_true", help="also when nothing is wrong")
    parser.add_argument("--seed", type=int, default=None, help="of the choice what to kill and to do")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with ExitStack() as life:
        environment = {"REGISTRY_LOG_LEVEL": "warning"}
        disk = life.enter_context(_disk()) if arguments.full_disk else None
        if disk:
            environment["REGISTRY_DATA_DIR"] = str(disk / "data")
        stack = Stack(**environment)
        life.callback(stack.stop)
        addresses = stack.start()
        folder = str(disk) if disk else addresses.folder
        addresses = Addresses(addresses.base_url, addresses.database_url, folder)
        _say(f"{addresses.base_url}, data in {folder}, log {stack.errors}")
        wrong = _run(stack, addresses, disk, arguments.minutes * 60, arguments.longest_pause)
        _say("\n".join(wrong) or "nothing is wrong")
        if wrong or arguments.keep_logs:
            kept = Path(tempfile.mkdtemp(prefix="registry-chaos-"))
            shutil.copy(stack.errors, kept)
            shutil.copy(Path(folder) / "data" / "postgres" / "server.log", kept)
            _say(f"logs are kept in {kept}")
    if not wrong:
        stack.remove()
    sys.exit(bool(wrong))


def _run(stack: Stack, addresses: Addresses, disk: Path | None, seconds: float, longest_pause: float) -> list[str]:
    ledger, stop = Ledger(), threading.Event()
    clients = _clients(addresses, ledger, stop)
    killer = Killer(stack, longest_pause=longest_pause)
    try:
        if disk:
            time.sleep(seconds / 2)
            with _full(disk):
                time.sleep(_FULL_SECONDS)
            time.sleep(seconds / 2)
        else:
            time.sleep(seconds)
    finally:
        killer.stop()
    began = time.monotonic()
    recovered = wait_until(lambda: _is_healthy(addresses), _RECOVERS_WITHIN)
    _say(f"killed {dict(killer.killed)}; healthy again after {time.monotonic() - began:.1f} s: {recovered}")
    stop.set()
    for client in clients:
        client.join()
    _say(f"answers {dict(ledger.answers)}, after {ledger.longest:.1f} s at most")
    _say(
        f"acknowledged {len(ledger.models)} models ({len(ledger.deleted)} deleted), {len(ledger.versions)} versions, "
        f"{len(ledger.deployments)} deployments, {sum(one.updates for one in ledger.deployments.values())} updates; "
        f"{sum(map(len, ledger.events.values()))} events watched"
    )
    if not recovered:
        return [*ledger.wrong, f"not healthy {_RECOVERS_WITHIN:.0f} s after the last kill"]
    began = time.monotonic()
    found = asyncio.run(faults(addresses, ledger, _SETTLES_WITHIN))
    _say(f"settled and checked after {time.monotonic() - began:.1f} s")
    return [*ledger.wrong, *found]


def _clients(addresses: Addresses, ledger: Ledger, stop: threading.Event) -> list[Client]:
    with httpx.Client(base_url=addresses.base_url, timeout=30) as http:
        api = Api(http)
        model = a_model(api)
        sklearn = {"model_framework": "sklearn", "model_framework_version": "1", "uri": "gs://bucket/iris"}
        a_version(api, model["id"], status="READY", **sklearn)
        place = an_environment(api, fresh("ns"))
    of = (api.project_id, model["id"], place["id"], place["name"])
    return [
        *(Writer(addresses, ledger, stop) for _ in range(3)),
        *(Deployer(addresses, ledger, stop, of) for _ in range(2)),
        *(Watcher(addresses, ledger, stop, api.project_id) for _ in range(2)),
    ]


def _is_healthy(addresses: Addresses) -> bool:
    try:
        return httpx.get(f"{addresses.base_url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _disk() -> Iterator[Path]:
    """A small disk, with room for the data only."""
    folder = Path(tempfile.mkdtemp(prefix="registry-disk-"))
    options = f"size={_DISK_MEGABYTES}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    """Fill the disk in this block: nothing more can be written unless something is removed."""
    filler = disk / "filler"
    _say(f"the disk is full from now on ({shutil.disk_usage(disk).free // 2**20} MiB were free)")
    stop = threading.Event()
    filling = threading.Thread(target=_fill, args=(filler, stop))
    filling.start()
    try:
        yield
    finally:
        stop.set()
        filling.join()
        filler.unlink()
        _say("the disk has room again")


def _fill(filler: Path, stop: threading.Event) -> None:
    with filler.open("wb", buffering=0) as file:
        while not stop.is_set():
            for size in (2**20, 2**12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass
            stop.wait(0.05)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
