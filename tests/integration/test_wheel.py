"""The wheels in their own environment, without the checkout and without development tools."""

from __future__ import annotations

import asyncio
import email
import json
import re
import shutil
import sys
import tomllib
import uuid
import venv
import zipfile
from pathlib import Path

import grpc
import pytest
from tests.integration.commands import Program, command_of, free_ports, running_of, until_serving

from modelregistry.v1 import registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set
from registry_grpc.pages import UiConfig, with_pages
from registry_grpc.shipped import GATEWAY, MIGRATIONS, PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SOURCES = (
    *("src", "stubs/python", "client", "migrations", "gateway", "deploy/kubernetes"),
    *("pyproject.toml", "setup.py", "README.md", "LICENSE"),
)
VERSION = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["version"]


async def pip(python: Path | str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-I", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.fixture(scope="module")
async def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheels. They are built from a copy, because setuptools includes what an earlier build left."""
    sources, target = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        if (PROJECT_ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "registry.pb")
            shutil.copytree(PROJECT_ROOT / name, sources / name, ignore=ignored)
        else:
            shutil.copy(PROJECT_ROOT / name, sources / name)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "-w", str(target))
    folders = (sources / "stubs" / "python", sources / "client", sources)
    await pip(sys.executable, "wheel", *options, *map(str, folders))
    return target


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"registry_grpc-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def stubs(dist: Path) -> Path:
    return dist / f"registry_grpc_stubs-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
async def installed(wheel: Path, stubs: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """An environment with the locked versions of the image."""
    folder = tmp_path_factory.mktemp("installed")
    await asyncio.to_thread(venv.create, folder / "venv", with_pip=True)
    binaries = folder / "venv" / "bin"
    await pip(binaries / "python", "install", "--require-hashes", "-r", f"{PROJECT_ROOT}/requirements/runtime.lock")
    await pip(binaries / "python", "install", "--no-index", "--no-deps", str(stubs), str(wheel))
    await pip(binaries / "python", "check")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Program((str(binaries / "registry-grpc"),), elsewhere)


async def test_the_client_needs_nothing_of_the_server(dist: Path, stubs: Path, tmp_path: Path) -> None:
    """With the locked versions of what it needs, in an environment of its own."""
    await asyncio.to_thread(venv.create, tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    lock = (PROJECT_ROOT / "requirements" / "all.lock").read_text()
    (tmp_path / "versions").write_text("\n".join(re.findall(r"^[\w.-]+==[\w.]+", lock, re.MULTILINE)))
    client = dist / f"registry_grpc_client-{VERSION}-py3-none-any.whl"
    await pip(python, "install", "--constraint", f"{tmp_path}/versions", str(stubs), str(client))
    await pip(python, "check")
    with zipfile.ZipFile(client) as archive:
        assert "registry_client/py.typed" in archive.namelist()
    code = "from registry_client import Client; Client('http://127.0.0.1:1').models.get('iris')"
    process = await asyncio.create_subprocess_exec(
        str(python), "-W", "error", "-c", code, cwd=tmp_path, env={}, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()
    assert b"UNAVAILABLE: Nothing listens at http://127.0.0.1:1." in stderr


def test_it_has_the_files_that_are_no_code(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {
            name.removeprefix("registry_grpc/_shipped/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("registry_grpc/_shipped/")
        }
    assert "gateway/web/ui/app.js" in shipped
    assert "gateway/web/config.json" not in shipped, "it has the settings of whoever wrote it"
    for folder in (MIGRATIONS, GATEWAY):
        for path in folder.rglob("*.*"):
            if path.name not in {"registry.pb", "config.json"}:
                assert shipped[str(path.relative_to(PROJECT_ROOT))] == path.read_bytes()
    assert shipped["gateway/registry.pb"] == gateway_descriptor_set()
    assert "deploy/kubernetes/rbac.yaml" in shipped


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {Path(name).parts[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        license_text = archive.read(f"{folder}/licenses/LICENSE").decode()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert license_text.split("\n")[1].strip() == "Apache License"
    assert metadata["Version"] == VERSION
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith("# registry-grpc")
    links = dict(link.split(", ") for link in metadata.get_all("Project-URL", []))
    assert {"Changelog", "Documentation", "Source"} <= set(links)
    assert all(link.startswith("https://") for link in links.values())
    assert "Programming Language :: Python :: 3.14" in metadata.get_all("Classifier", [])


def test_its_readme_links_to_pages_that_exist_outside_of_the_checkout(wheel: Path) -> None:
    """PyPI shows the README, but has no other files."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        readme = str(email.message_from_bytes(archive.read(name)).get_payload())
    links = re.findall(r"\]\(([^)#][^)]*)\)", readme)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


async def test_it_works_from_any_folder(installed: Program, empty_database_url: str, tmp_path: Path) -> None:
    settings = {"database_url": empty_database_url, "workers": "2", "worker_port": str(free_ports(2))}
    applied = await command_of(installed, "migrate", "up", **settings)
    assert applied.status == 0, applied.err
    assert len(applied.out.splitlines()) == len(migrate.load_migrations())
    address = f"127.0.0.1:{settings['worker_port']}"
    async with running_of(installed, tmp_path / "log", "serve", **settings) as service:
        await until_serving(address, service)
        async with grpc.aio.insecure_channel(address) as channel:
            models = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
            new = registered_model_pb2.NewRegisteredModel(name="from-a-wheel")
            created = await models.CreateRegisteredModel(
                registered_model_pb2.CreateRegisteredModelRequest(registered_model=new),
                metadata=(("project-id", str(uuid.uuid4())),),
            )
            assert created.registered_model.name == "from-a-wheel"
        assert "ok       schema" in (await command_of(installed, "doctor", **settings)).out
        service.terminate()
        assert await service.ended() == 0, service.output


async def test_it_says_its_version(installed: Program) -> None:
    assert (await command_of(installed, "--version")).out == f"registry-grpc {VERSION}\n"


async def test_it_writes_the_gateways_files(installed: Program, tmp_path: Path) -> None:
    written = await command_of(installed, "gateway", str(tmp_path / "gateway"))
    assert written.status == 0, written.err
    assert (tmp_path / "gateway" / "registry.pb").read_bytes() == gateway_descriptor_set()
    shipped = (GATEWAY / "envoy.yaml").read_text()
    assert (tmp_path / "gateway" / "envoy.yaml").read_text() == with_pages(shipped, UiConfig())
    assert json.loads((tmp_path / "gateway" / "web" / "config.json").read_text())["oidc"] is None
    assert (tmp_path / "gateway" / "lua" / "answer.lua").is_file()


async def test_development_tools_are_an_extra(installed: Program) -> None:
    failed = await command_of(installed, "dev")
    assert failed.status == 1
    assert failed.failure.startswith("`registry-grpc dev` needs the extra `dev-stack`: No module named ")
